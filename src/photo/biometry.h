/* What is read off the masks of a photograph: vessels, optic disc and cup, lesions. Pure functions
 * of masks at the photograph's own size; definitions and sources are in docs/BIOMETRY.md.
 *
 * Masks are [f->height, f->width], not 0: inside; what lies outside of the field of view does not
 * count. Nothing is in millimetres, since a photograph does not say how many it shows: lengths are
 * shares of the field of view's diameter, areas shares of its pixels. What can't be measured is
 * NAN, and a warning says why. */
#ifndef MDF_PHOTO_BIOMETRY_H
#define MDF_PHOTO_BIOMETRY_H

#include "photo/field.h"
#include "photo/quality.h"

/* Appends a static text; one that is there already, and what is more than fits, is dropped. */
void mdf_caution(mdf_cautions *w, const char *text);

/* What quality and field of view say against measures. */
void mdf_caution_of_photo(mdf_cautions *w, const mdf_fov *fov, const mdf_quality *q);

/* What the finest detail of the masks says against lesions: `detail` pixels from side to side of
 * the field of view, of the photograph or of what the network saw of it, whichever are fewer. */
void mdf_caution_of_detail(mdf_cautions *w, double detail);

/* Area, and box-counting dimension of the mask as it is (not of its centre lines) over boxes of a
 * quarter of the field's diameter down to 1/128 (photo/box_dimension.h); detail as above. Fails
 * with MDF_ERR_NOMEM. */
mdf_status mdf_measure_vessels(mdf_vessel_measures *out, mdf_cautions *w, const uint8_t *mask,
                               const mdf_field *f, double detail, mdf_error *err) MDF_NODISCARD;

/* The largest connected area of each mask; crumbs beside it do not count. cup NULL: there is no
 * such mask. Fails with MDF_ERR_NOMEM. */
mdf_status mdf_measure_disc(mdf_disc_measures *out, mdf_cautions *w, const uint8_t *disc,
                            const uint8_t *cup, const mdf_field *f, mdf_error *err) MDF_NODISCARD;

/* The least area of a lesion, in pixels: a square of 1/500 of the field's diameter, at least 4. */
int64_t mdf_lesion_least_area(const mdf_field *f);

/* Connected areas of at least that size, and their share of the field of view. Fails with
 * MDF_ERR_NOMEM. */
mdf_status mdf_measure_lesions(mdf_lesion_measures *out, const uint8_t *mask, const mdf_field *f,
                               mdf_error *err) MDF_NODISCARD;

#endif
