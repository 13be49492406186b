/* The files that mdf segment writes: a folder with masks that are named after their photographs. */
#ifndef MDF_APPS_SEGMENT_FILES_H
#define MDF_APPS_SEGMENT_FILES_H

#include "outputs.h"
#include "pictures.h"

#define SEGMENT_TABLE   "segmentation.csv"
#define SEGMENT_OVERLAY "overlay"

typedef struct segment_files {
    const char *dir; /* borrowed */
    char **name;     /* [count] of a picture's outputs, each once: "eye", "eye-2" */
    size_t count;    /* pictures */
    const char *kind[MDF_MAX_KINDS + 1]; /* "vessel", ..., SEGMENT_OVERLAY */
    int kinds;
} segment_files;

/* A picture's name without folder and ending; of several with the same one the second gets "-2" and
 * so on, in the order of the list, unless a picture is called that. Caller frees, also on failure:
 * segment_files_free(). */
mdf_status segment_files_plan(segment_files *f, const char *dir, const app_pictures *pictures,
                              mdf_error *err) MDF_NODISCARD;
void segment_files_free(segment_files *f);

/* dir/NAME_KIND.png. Caller frees with mdf_free(); NULL: no memory. */
char *segment_files_path(const segment_files *f, size_t picture, const char *kind);
char *segment_files_table(const segment_files *f);

/* May all of them be written? Neither over what the run reads nor, without force, over what mdf did
 * not write. */
mdf_status segment_files_check(const segment_files *f, const app_pictures *pictures,
                               const char *model, bool force, mdf_error *err) MDF_NODISCARD;

#endif
