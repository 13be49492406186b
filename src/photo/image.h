/* Pictures: JPEG, PNG, TIFF and WebP bytes to 8-bit pixels, and pixels to PNG files.
 *
 * The bytes are untrusted. The format is told by the first bytes, never by the file name; size
 * limits are checked on the header before a pixel is decoded; a damaged or truncated picture is an
 * error, never a half-grey image. Every function may be called from several threads at once. */
#ifndef MDF_PHOTO_IMAGE_H
#define MDF_PHOTO_IMAGE_H

#include "base/status.h"

/* Packed sRGB. Owns rgb; a zeroed struct is a valid empty image. */
typedef struct mdf_image {
    int width;    /* pixels, as seen: after the EXIF orientation */
    int height;   /* pixels */
    uint8_t *rgb; /* [height, width, 3] */
} mdf_image;

/* One channel, e.g. a vessel mask. Owns px. */
typedef struct mdf_grey {
    int width;
    int height;
    uint8_t *px; /* [height, width] */
} mdf_grey;

/* What the first bytes say. */
typedef enum mdf_image_format {
    MDF_IMAGE_UNKNOWN,
    MDF_IMAGE_JPEG,
    MDF_IMAGE_PNG,
    MDF_IMAGE_TIFF,
    MDF_IMAGE_WEBP
} mdf_image_format;

mdf_image_format mdf_image_sniff(const void *bytes, size_t len);
const char *mdf_image_format_name(mdf_image_format format); /* "JPEG"; "unknown" */

/* Decodes to sRGB: EXIF orientation applied, embedded ICC profile converted (an unusable profile is
 * ignored), 16 bits reduced to 8, grey and CMYK converted, transparency laid over black, the
 * ground of fundus photographs; of a multi-page TIFF the first page. `name` is what an error calls
 * the picture (a path, say); NULL = "picture".
 *
 * Fails with MDF_ERR_FORMAT (not a picture, damaged, cut short), MDF_ERR_LIMIT (too many bytes or
 * pixels), MDF_ERR_NOMEM. *out is untouched then. Caller frees with mdf_image_free(). */
mdf_status mdf_image_decode(mdf_image *out, const void *bytes, size_t len, const char *name,
                            mdf_error *err) MDF_NODISCARD;

/* The same from a file. */
mdf_status mdf_image_read(mdf_image *out, const char *path, mdf_error *err) MDF_NODISCARD;

/* Decodes to one channel for masks: orientation applied, no colour management, transparency
 * dropped; of a colour picture the largest channel, so that a mask drawn in red stays 255. */
mdf_status mdf_image_decode_grey(mdf_grey *out, const void *bytes, size_t len, const char *name,
                                 mdf_error *err) MDF_NODISCARD;
mdf_status mdf_image_read_grey(mdf_grey *out, const char *path, mdf_error *err) MDF_NODISCARD;

void mdf_image_free(mdf_image *im); /* leaves it empty; NULL is allowed */
void mdf_grey_free(mdf_grey *im);

/* Zeroed (black) pixels. MDF_ERR_LIMIT above the limits of pictures. */
mdf_status mdf_image_new(mdf_image *out, int width, int height, mdf_error *err) MDF_NODISCARD;

/* Encodes px [height, width, channels], channels 1 or 3, as an 8-bit PNG. The same pixels give the
 * same bytes with one version of libvips. Caller frees *bytes with mdf_free(). */
mdf_status mdf_png_encode(uint8_t **bytes, size_t *len, const uint8_t *px, int width, int height,
                          int channels, mdf_error *err) MDF_NODISCARD;

/* Encodes and replaces path by it, or leaves path as it was. */
mdf_status mdf_png_write(const char *path, const uint8_t *px, int width, int height, int channels,
                         mdf_error *err) MDF_NODISCARD;

#endif
