/* Training augmentation: one random affine sampling and one random colour change, from an 8-bit
 * crop straight to normalised floats. */
#ifndef MDF_PHOTO_AUGMENT_H
#define MDF_PHOTO_AUGMENT_H

#include "base/arena.h"
#include "base/rng.h"
#include "photo/camera.h"
#include "photo/image.h"

/* Ranges are symmetric: +-x. Zero switches a change off; a zeroed struct (with std set) only
 * resizes and normalises, deterministically. */
typedef struct mdf_augment_options {
    double rotate_deg;         /* default 20: heads are tilted, cameras are not */
    double scale;              /* default 0.12: zoom within [1/(1+s), 1+s] */
    double shift;              /* default 0.06 of what is shown */
    double flip_prob;          /* default 0.5: left-right; makes a left eye a right one */
    double brightness;         /* default 0.15: factor within [1-b, 1+b] */
    double contrast;           /* default 0.15: about the mean of the picture */
    double saturation;         /* default 0.15: about each pixel's grey */
    double channel_gain;       /* default 0.05: one factor per channel (cameras differ in hue) */
    mdf_camera_options camera; /* default: none of it */
    double crop;           /* side of the square that is shown, of the picture's; 0: all of it */
    double crop_x, crop_y; /* its centre, in 0..1 of the picture; not read without a crop */
    float mean[3];         /* of pixels in [0, 1]; default 0.5 */
    float std[3];          /* default 0.5 */
} mdf_augment_options;

mdf_augment_options mdf_augment_defaults(void);

/* The same normalisation and no random change: for validation and prediction. */
mdf_augment_options mdf_augment_none(void);

/* out [side, side, 3] <- im (any size, stretched to a square); NULL: only the mask is wanted. When
 * mask is not NULL, mask_out [side, side] gets its pixels, as they are, through the same transform
 * (nearest); a mask may have another resolution than the picture. Outside of the picture: black,
 * mask 0. Draws the same number of values from r whatever the options. Bilinear; a picture whose
 * shown part is more than 1.5 times larger than side is reduced (antialiased) first, in memory of
 * scratch, which is reset by every call: after the first ones nothing is allocated any more.
 *
 * *flipped (may be NULL): a mirror image was made, the caller swaps the eyes in the text
 * (photo/laterality.h). Fails with MDF_ERR_NOMEM, MDF_ERR_ARG (side < 1, empty picture, crop
 * out of 0..1). */
mdf_status mdf_augment(float *out, uint8_t *mask_out, bool *flipped, const mdf_image *im,
                       const mdf_grey *mask, int side, const mdf_augment_options *opt, mdf_rng *r,
                       mdf_arena *scratch, mdf_error *err) MDF_NODISCARD;

#endif
