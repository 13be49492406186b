/* Field of view: the lit disc of a fundus photograph in its black frame.
 *
 * Cameras show a circle, often cut off above and below, sometimes on black of another shape, and
 * many data sets are cropped already. So the answer says what was found, not only where. */
#ifndef MDF_PHOTO_FOV_H
#define MDF_PHOTO_FOV_H

#include "photo/image.h"

typedef enum mdf_fov_kind {
    MDF_FOV_NONE,   /* nothing lit: a blank or nearly blank picture */
    MDF_FOV_CIRCLE, /* a disc (or the part of one inside the frame) on dark ground */
    MDF_FOV_BOX,    /* lit area on dark ground that is no whole disc (a squeezed one, say) */
    MDF_FOV_FULL    /* no dark ground: the picture fills its frame */
} mdf_fov_kind;

/* All lengths in pixels of the picture. */
typedef struct mdf_fov {
    mdf_fov_kind kind;
    float cx, cy, r;   /* centre and radius; of the box's inscribed circle unless CIRCLE */
    int left, top;     /* box of the lit area inside the frame */
    int right, bottom; /* exclusive */
    float confidence;  /* [0, 1]: share of the visible circle that has an edge on it, times the
                          share of its outside that is dark; 0 = no circle fits, or FULL, NONE */
    float visible;     /* [0, 1]: share of the circle's area inside the frame */
    float dark_ground; /* [0, 1]: share of the frame that is dark ground */
    uint8_t threshold; /* brightest channel above which a pixel counts as lit */
} mdf_fov;

/* One clause for reports: "a disc of radius 251 at (256, 255)". Never NULL. */
const char *mdf_fov_kind_text(mdf_fov_kind kind);

/* Works on a copy of at most 256 pixels a side; deterministic. Fails with MDF_ERR_NOMEM, and with
 * MDF_ERR_ARG for an empty picture. */
mdf_status mdf_fov_find(mdf_fov *out, const mdf_image *im, mdf_error *err) MDF_NODISCARD;

/* Does the field of view hold the point (x, y)? Without one (MDF_FOV_NONE) every point counts. */
bool mdf_fov_holds(const mdf_fov *fov, double x, double y);

/* The square that holds the field of view: around the circle, or around the box. It may reach
 * beyond the picture. */
typedef struct mdf_square {
    int left, top, side;
} mdf_square;

mdf_square mdf_fov_square(const mdf_fov *fov);

/* Copies a square; what lies outside of the picture is black. Caller frees *out. */
mdf_status mdf_crop(mdf_image *out, const mdf_image *im, mdf_square at,
                    mdf_error *err) MDF_NODISCARD;

/* The same, reduced to at most `most` pixels along a side. */
mdf_status mdf_crop_within(mdf_image *out, const mdf_image *im, mdf_square at, int most,
                           mdf_error *err) MDF_NODISCARD;
mdf_status mdf_crop_grey(mdf_grey *out, const mdf_grey *im, mdf_square at,
                         mdf_error *err) MDF_NODISCARD;

/* Find and crop. fov may be NULL. When nothing is found the whole picture is padded to a square. */
mdf_status mdf_fov_crop(mdf_image *out, mdf_fov *fov, const mdf_image *im,
                        mdf_error *err) MDF_NODISCARD;

#endif
