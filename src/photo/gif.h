/* The blocks of a GIF file: is its first picture there, and where does it end? */
#ifndef MDF_PHOTO_GIF_H
#define MDF_PHOTO_GIF_H

#include "base/status.h"

#define MDF_GIF_TRAILER 0x3B /* ends a file */

/* Walks over header, colour table and extensions to the end of the first picture: *end is the
 * number of bytes up to there, all of them present. MDF_ERR_FORMAT when the bytes end before, hold
 * no picture, are no blocks of a GIF, or when the picture's codes make fewer pixels than it has:
 * libvips would show the rest as if it were transparent. */
mdf_status mdf_gif_first_frame(size_t *end, const uint8_t *bytes, size_t len, const char *name,
                               mdf_error *err) MDF_NODISCARD;

#endif
