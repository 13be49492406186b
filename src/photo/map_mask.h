/* A map of probabilities over the square of the field of view as a mask of the photograph. */
#ifndef MDF_PHOTO_MAP_MASK_H
#define MDF_PHOTO_MAP_MASK_H

#include "photo/field.h"

/* One channel of maps that lie over a square of a photograph. Borrowed. */
typedef struct mdf_map_channel {
    const float *map; /* [side, side, channels] 0..1 */
    int side, channels, channel;
    mdf_square at;
} mdf_map_channel;

/* px [f->height, f->width]: 255 where the map, bilinear between the centres of its cells and flat
 * beyond the outermost ones, is at least threshold; 0 elsewhere and outside of the field of view.
 * Holds memory for a few rows only. Fails with MDF_ERR_NOMEM. */
mdf_status mdf_map_mask(uint8_t *px, const mdf_field *f, const mdf_map_channel *m, float threshold,
                        mdf_error *err) MDF_NODISCARD;

#endif
