/* The names of what masks show. */
#include "config/masks.h"

#include <stddef.h>

const char *const mdf_mask_names[MDF_MASK_NAMES + 1] = {
    "vessel", "disc", "cup", "lesion", "haemorrhage", "hard_exudate", NULL};

bool mdf_mask_is_lesion(mdf_mask_name name)
{
    return name == MDF_MASK_LESION || name == MDF_MASK_HAEMORRHAGE || name == MDF_MASK_HARD_EXUDATE;
}

bool mdf_mask_is_region(mdf_mask_name name)
{
    return name == MDF_MASK_DISC || name == MDF_MASK_CUP;
}
