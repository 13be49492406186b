/* What differs between fundus cameras, drawn at random for training: tint, exposure curve, uneven
 * light, sharpness, and a field of view that is cut above and below. */
#ifndef MDF_PHOTO_CAMERA_H
#define MDF_PHOTO_CAMERA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

/* Zero switches a change off. */
typedef struct mdf_camera_options {
    double tint;  /* one factor per channel within [1/(1+t), 1+t] */
    double gamma; /* exponent within [1/(1+g), 1+g] of intensities in 0..1 */
    double shade; /* light falls by up to this share, from one side to the other and outwards */
    double blur;  /* probability of a small Gaussian blur */
    double cut; /* up to this share of the height is black, above and below; in half the pictures */
} mdf_camera_options;

/* One camera's. */
typedef struct mdf_camera {
    bool plain; /* no change of colours */
    float gain[3];
    float gamma;
    float slope_x, slope_y, outward; /* of the light */
    int blur;                        /* passes of 1 2 1 along rows and columns */
    double cut_top, cut_bottom;      /* of the height, black */
} mdf_camera;

/* Draws the same number of values whatever the options. In a fifth of the draws colours stay as
 * they are, so that a tint that means something is still learned. */
mdf_camera mdf_camera_draw(const mdf_camera_options *opt, mdf_rng *r);

/* px [side,side,3] in 0..255, in place; row [side,3] and above [side,3] are scratch. */
void mdf_camera_apply(const mdf_camera *c, float *px, int side, float *row, float *above);

#endif
