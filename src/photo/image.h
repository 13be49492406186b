/* Pictures: JPEG, PNG, TIFF, WebP and GIF bytes to 8-bit pixels, and pixels to PNG files.
 *
 * The bytes are untrusted. The format is told by the first bytes, never by the file name; size
 * limits are checked on the header before a pixel is decoded; a damaged or truncated picture is an
 * error, never a half-grey image. Every function may be called from several threads at once. */
#ifndef MDF_PHOTO_IMAGE_H
#define MDF_PHOTO_IMAGE_H

#include "base/status.h"
#include "photo/image_format.h"

/* Packed sRGB. Owns rgb; a zeroed struct is a valid empty image. */
typedef struct mdf_image {
    int width;    /* pixels, as seen: after the EXIF orientation */
    int height;   /* pixels */
    uint8_t *rgb; /* [height, width, 3] */
} mdf_image;

/* One channel, a vessel mask say. Owns px. */
typedef struct mdf_grey {
    int width;
    int height;
    uint8_t *px; /* [height, width] */
} mdf_grey;

/* The values of a picture as they stand in the file, at its full depth. Owns px. */
typedef struct mdf_levels {
    int width;
    int height;
    uint16_t *px;     /* [height, width] the largest colour channel: red as bright as white */
    bool has_palette; /* the file has a table of colours */
    bool is_coloured; /* not all pixels are grey */
} mdf_levels;

/* Decodes to sRGB: EXIF orientation applied, embedded ICC profile converted (an unusable profile is
 * ignored), 16 bits reduced to 8, grey and CMYK converted, transparency laid over black, the
 * ground of fundus photographs; of a TIFF of several pages the first one, and of a GIF the first
 * frame. `name` is what an error calls
 * the picture (a path, say); NULL = "picture".
 *
 * Fails with MDF_ERR_FORMAT (not a picture, damaged, cut short), MDF_ERR_LIMIT (too many bytes or
 * pixels), MDF_ERR_NOMEM. *out is untouched then. Caller frees with mdf_image_free(). */
mdf_status mdf_image_decode(mdf_image *out, const void *bytes, size_t len, const char *name,
                            mdf_error *err) MDF_NODISCARD;

/* The same from a file. */
mdf_status mdf_image_read(mdf_image *out, const char *path, mdf_error *err) MDF_NODISCARD;

/* Decodes to the values of the file, for masks (photo/mask.h): orientation applied, no colour
 * management, transparency dropped. Fails as mdf_image_decode() does. Caller frees with
 * mdf_levels_free(). */
mdf_status mdf_levels_decode(mdf_levels *out, const void *bytes, size_t len, const char *name,
                             mdf_error *err) MDF_NODISCARD;

void mdf_image_free(mdf_image *im); /* leaves it empty; NULL is allowed */
void mdf_grey_free(mdf_grey *im);
void mdf_levels_free(mdf_levels *l);

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
