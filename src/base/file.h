/* Files and folders: bounded reads, atomic writes (temporary file, fsync, rename), mapping. */
#ifndef MDF_BASE_FILE_H
#define MDF_BASE_FILE_H

#include <stdio.h>

#include "base/status.h"

/* Reads a whole regular file of at most max_bytes; appends a NUL that is not counted. Caller frees
 * *data with mdf_free(). Errors name the path. MDF_ERR_FORMAT: what lies there is the pointer of
 * Git LFS that stands for a file which was not fetched; mdf_map_open() tells it, too. */
mdf_status mdf_file_read(const char *path, size_t max_bytes, uint8_t **data, size_t *len,
                         mdf_error *err) MDF_NODISCARD;

/* Replaces path by the given bytes, or leaves it as it was. */
mdf_status mdf_file_write(const char *path, const void *data, size_t len,
                          mdf_error *err) MDF_NODISCARD;

/* A stream to a temporary file beside path; commit renames it over path after fsync, abort removes
 * it. Check nothing while writing: commit reports the first write error (a full disk, say). */
typedef struct mdf_file_writer {
    FILE *stream; /* NULL when not open */
    char *path;
    char *temp_path;
} mdf_file_writer;

mdf_status mdf_file_writer_open(mdf_file_writer *w, const char *path, mdf_error *err) MDF_NODISCARD;
/* Writes and tells at once what went wrong: for long files. sync brings all of it to the disk. */
mdf_status mdf_file_writer_write(mdf_file_writer *w, const void *data, size_t len,
                                 mdf_error *err) MDF_NODISCARD;
mdf_status mdf_file_writer_sync(mdf_file_writer *w, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_file_writer_commit(mdf_file_writer *w, mdf_error *err) MDF_NODISCARD;
void mdf_file_writer_abort(mdf_file_writer *w); /* no-op after commit */

/* For files that grow over several runs under another name: fsync of the open temp_path, then it
 * replaces path. fd stays open. */
mdf_status mdf_file_publish(int fd, const char *temp_path, const char *path,
                            mdf_error *err) MDF_NODISCARD;

/* "path: can't <what>: the disk is full", after errno. */
mdf_status mdf_file_fail(mdf_error *err, const char *path, const char *what);

/* Makes a folder and its parents; fine if it is there. */
mdf_status mdf_make_dirs(const char *path, mdf_error *err) MDF_NODISCARD;

bool mdf_path_is_dir(const char *path);
bool mdf_path_exists(const char *path);

/* "a/b" from "a" and "b"; an absolute b stays as it is. Caller frees with mdf_free(); NULL = no
 * memory. */
char *mdf_path_join(const char *a, const char *b) MDF_NODISCARD;

/* A read-only map of a whole file. */
typedef struct mdf_map {
    const uint8_t *data;
    size_t len;
} mdf_map;

mdf_status mdf_map_open(mdf_map *m, const char *path, mdf_error *err) MDF_NODISCARD;
void mdf_map_close(mdf_map *m);

/* These bytes of a map are not needed soon: their whole pages leave the resident set, and are read
 * again when they are touched. */
void mdf_map_release(const uint8_t *data, size_t len);

#endif
