/* Which picture formats there are: by the first bytes, which decide, and by the ending of a name,
 * by which folders are read. */
#ifndef MDF_PHOTO_IMAGE_FORMAT_H
#define MDF_PHOTO_IMAGE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

/* What the first bytes say. */
typedef enum mdf_image_format {
    MDF_IMAGE_UNKNOWN,
    MDF_IMAGE_JPEG,
    MDF_IMAGE_PNG,
    MDF_IMAGE_TIFF,
    MDF_IMAGE_WEBP,
    MDF_IMAGE_GIF
} mdf_image_format;

#define MDF_IMAGE_FORMATS "JPEG, PNG, TIFF, WebP or GIF" /* for sentences */

mdf_image_format mdf_image_sniff(const void *bytes, size_t len);
const char *mdf_image_format_name(mdf_image_format format);

/* A guess at bytes that are none of these, "a BMP" say, that helps whoever renamed a file. */
const char *mdf_image_looks_like(const uint8_t *bytes, size_t len);

typedef enum mdf_image_ending {
    MDF_ENDING_OTHER,   /* no picture */
    MDF_ENDING_PICTURE, /* a picture of a format that is not read */
    MDF_ENDING_READ
} mdf_image_ending;

/* By the ending of a file name, in whatever capitals. ending: the ending in small letters with its
 * dot, cut to what fits; "no ending" if there is none. */
mdf_image_ending mdf_image_ending_of(const char *name, char *ending, size_t ending_bytes);

#endif
