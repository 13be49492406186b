/* Connected areas of a mask: pixels that touch by a side or a corner (8 neighbours). */
#ifndef MDF_PHOTO_SPOTS_H
#define MDF_PHOTO_SPOTS_H

#include "photo/field.h"

typedef struct mdf_spot {
    int64_t area;                 /* pixels */
    int left, top, right, bottom; /* exclusive */
    int64_t sum_x, sum_y;         /* of its pixels' columns and rows */
    bool at_border;               /* a pixel of it lies beside one outside of the field of view */
} mdf_spot;

/* The middle of all pixels, in pixels of the photograph: 0.5 is the centre of column 0. */
double mdf_spot_x(const mdf_spot *s);
double mdf_spot_y(const mdf_spot *s);

typedef void mdf_spot_fn(void *user, const mdf_spot *spot);

/* Calls each for every area of mask [f->height, f->width] (not 0: in it) within the field of view,
 * in the order in which they end. Holds memory for a few rows only. Fails with MDF_ERR_NOMEM. */
mdf_status mdf_spots_find(const uint8_t *mask, const mdf_field *f, mdf_spot_fn *each, void *user,
                          mdf_error *err) MDF_NODISCARD;

#endif
