/* The pictures that a command line names: files, folders with all that is below them, and "-", a
 * picture on standard input. */
#ifndef MDF_APPS_PICTURES_H
#define MDF_APPS_PICTURES_H

#include "app.h"
#include "base/arena.h"

typedef struct app_pictures {
    const char **item; /* [count] paths in the order given, a folder's in byte order */
    size_t count;
    size_t capacity;
    mdf_arena arena; /* of the paths below folders */
} app_pictures;

/* Files of a folder that are no pictures, by their first bytes and their ending, are passed over;
 * how many, and of which endings, is said on stderr. MDF_ERR_ARG: a folder without a picture, "-"
 * twice. Borrows the operands; app_pictures_free(), also on failure. */
mdf_status app_pictures_list(app_pictures *p, const app *a, mdf_error *err) MDF_NODISCARD;
void app_pictures_free(app_pictures *p);

/* A picture file's bytes, or those of standard input, at most MDF_MAX_IMAGE_BYTES. Caller frees
 * *bytes with mdf_free(). MDF_ERR_STOPPED: a signal came while standard input was read. */
mdf_status app_picture_read(const app *a, const char *path, uint8_t **bytes, size_t *len,
                            mdf_error *err) MDF_NODISCARD;

#endif
