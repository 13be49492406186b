/* What masks show: the names that a model's settings, columns of tables and files of masks share.
 */
#ifndef MDF_CONFIG_MASKS_H
#define MDF_CONFIG_MASKS_H

#include <stdbool.h>

typedef enum mdf_mask_name {
    MDF_MASK_VESSEL,
    MDF_MASK_DISC,
    MDF_MASK_CUP,
    MDF_MASK_LESION, /* of whatever kind */
    MDF_MASK_HAEMORRHAGE,
    MDF_MASK_HARD_EXUDATE,
    MDF_MASK_NAMES /* how many there are */
} mdf_mask_name;

/* "vessel", in the order of the enum, with NULL behind the last. */
extern const char *const mdf_mask_names[MDF_MASK_NAMES + 1];

/* A sign of disease, and no part that every eye has? */
bool mdf_mask_is_lesion(mdf_mask_name name);

/* The disc and the cup: one region an eye, with no gap, whose border is told by what lies around
 * it. The others are many and small. */
bool mdf_mask_is_region(mdf_mask_name name);

#endif
