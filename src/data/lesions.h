/* What a heat-map of a sick eye should show: the signs that are marked on a photograph, whatever
 * their kind. */
#ifndef MDF_DATA_LESIONS_H
#define MDF_DATA_LESIONS_H

#include "data/samples.h"

enum { MDF_LESION_MASKS = 3 };

/* The masks of signs: lesions of whatever kind, haemorrhages, hard exudates. */
extern const mdf_mask_name mdf_lesion_masks[MDF_LESION_MASKS];

/* Is there a mask of any of them, as a file or as boxes? */
bool mdf_case_has_lesions(const mdf_manifest_case *c);

/* The union of those masks that s was read with, as wide as the widest of them; px of *out is NULL
 * where there is none. Caller frees with mdf_grey_free(). */
mdf_status mdf_sample_lesions(mdf_grey *out, const mdf_sample *s, mdf_error *err) MDF_NODISCARD;

#endif
