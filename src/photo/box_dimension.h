/* Fractal dimension of a mask by counting boxes (Minkowski-Bouligand). */
#ifndef MDF_PHOTO_BOX_DIMENSION_H
#define MDF_PHOTO_BOX_DIMENSION_H

#include "photo/field.h"

enum {
    MDF_BOX_COARSEST = 2, /* 4 boxes from side to side: fewer meet a tree of vessels all */
    MDF_BOX_FINEST = 7,   /* 128 boxes */
    MDF_BOX_DETAIL = 192  /* pixels from side to side below which the finest ones say nothing */
};

/* count[k] = number of the 2^k x 2^k equal boxes of the field's square that hold a pixel of mask
 * [f->height, f->width] (not 0) that lies in the field of view. A pixel belongs to the box of its
 * centre. Fails with MDF_ERR_NOMEM. */
mdf_status mdf_box_count(int64_t count[MDF_BOX_FINEST + 1], const uint8_t *mask, const mdf_field *f,
                         mdf_error *err) MDF_NODISCARD;

/* Least-squares slope of log2(count[k]) over k = MDF_BOX_COARSEST..MDF_BOX_FINEST: 1 for a line, 2
 * for an area. The sizes are always the same ones, since a tree of vessels is no fractal at all of
 * them, and its slope depends on the sizes. NAN: an empty mask. */
double mdf_box_slope(const int64_t count[MDF_BOX_FINEST + 1]);

#endif
