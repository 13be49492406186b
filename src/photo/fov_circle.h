/* Robust circle through edge points, some of which lie on something else. */
#ifndef MDF_PHOTO_FOV_CIRCLE_H
#define MDF_PHOTO_FOV_CIRCLE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct mdf_edge_point {
    float x, y;
} mdf_edge_point;

typedef struct mdf_circle {
    double cx, cy, r;
} mdf_circle;

/* The circle with the most points within `tolerance` of it among radii r_min..r_max, refined by
 * least squares on those points. Deterministic. *on_circle: their number. false: no circle. */
bool mdf_circle_fit(mdf_circle *out, size_t *on_circle, const mdf_edge_point *p, size_t n,
                    double tolerance, double r_min, double r_max);

#endif
