/* The pixels that count as field of view, row by row: what areas are shares of. */
#ifndef MDF_PHOTO_FIELD_H
#define MDF_PHOTO_FIELD_H

#include "photo/fov.h"

/* All lengths in pixels of the photograph. */
typedef struct mdf_field {
    int width, height;            /* of the photograph */
    bool is_round;                /* a disc, cut where its lit area ends; else that area's box */
    double cx, cy, r;             /* of the disc, or of the circle in the box */
    int left, top, right, bottom; /* of the lit area; exclusive */
    double diameter;              /* of the disc; else the longer side of the box */
    int64_t area;                 /* pixels */
} mdf_field;

/* fov as found in a picture of width x height pixels, not MDF_FOV_NONE. */
mdf_field mdf_field_of(const mdf_fov *fov, int width, int height);

/* The pixels *begin to *end - 1 of row y, any number, belong to it; none: *begin == *end. A pixel
 * belongs to a disc by its centre. */
void mdf_field_row(const mdf_field *f, int y, int *begin, int *end);

/* The square around it that mdf_fov_square() crops. */
mdf_square mdf_field_square(const mdf_field *f);

#endif
