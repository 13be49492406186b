/* The names of what masks show. */
#include "config/masks.h"

#include <stddef.h>

const char *const mdf_mask_names[MDF_MASK_NAMES + 1] = {
    "vessel", "disc", "cup", "lesion", "haemorrhage", "hard_exudate", NULL};
