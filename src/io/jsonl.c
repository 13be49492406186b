/* Append-only JSON lines. */
#include "io/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"

/* Calls for every whole row: its offset and the parsed object (borrowed); false ends the walk. */
typedef bool row_visitor(void *user, size_t offset, json_t *row);

/* Returns the offset behind the last whole row that was visited with true. */
static size_t walk(const uint8_t *data, size_t len, row_visitor *visit, void *user)
{
    size_t at = 0;
    while (at < len) {
        const uint8_t *end = memchr(data + at, '\n', len - at);
        if (end == NULL) {
            break;
        }
        const size_t n = (size_t)(end - (data + at));
        json_t *row = json_loadb((const char *)data + at, n, 0, NULL);
        const bool go_on = json_is_object(row) && visit(user, at, row);
        json_decref(row);
        if (!go_on) {
            break;
        }
        at += n + 1;
    }
    return at;
}

static bool is_kept(void *user, size_t offset, json_t *row)
{
    (void)offset;
    const int64_t *last_step = user;
    const json_t *step = json_object_get(row, "step");
    return !json_is_integer(step) || json_integer_value(step) <= *last_step;
}

static mdf_status kept_bytes(const char *path, int64_t last_step, size_t *bytes, mdf_error *err)
{
    *bytes = 0;
    if (last_step < 0 || !mdf_path_exists(path)) {
        return MDF_OK;
    }
    uint8_t *data = NULL;
    size_t len = 0;
    MDF_TRY(mdf_file_read(path, MDF_MAX_TABLE_BYTES, &data, &len, err));
    *bytes = walk(data, len, is_kept, &last_step);
    mdf_free(data);
    return MDF_OK;
}

mdf_status mdf_jsonl_open(mdf_jsonl *j, const char *path, int64_t last_step, mdf_error *err)
{
    *j = (mdf_jsonl){.fd = -1};
    size_t bytes = 0;
    MDF_TRY(kept_bytes(path, last_step, &bytes, err));
    j->path = mdf_strdup(path);
    if (j->path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    j->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (j->fd < 0 || ftruncate(j->fd, (off_t)bytes) != 0) {
        mdf_jsonl_close(j);
        return mdf_fail(err, MDF_ERR_IO, "%s: can't open the file for writing", path);
    }
    return MDF_OK;
}

static mdf_status write_all(const mdf_jsonl *j, const char *line, size_t n, mdf_error *err)
{
    size_t done = 0;
    while (done < n) {
        const ssize_t wrote = write(j->fd, line + done, n - done);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return mdf_fail(err, MDF_ERR_IO, "%s: can't write: %s", j->path,
                            errno == ENOSPC ? "the disk is full" : "input/output error");
        }
        done += (size_t)wrote;
    }
    return MDF_OK;
}

mdf_status mdf_jsonl_write(mdf_jsonl *j, const json_t *row, mdf_error *err)
{
    char *line = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(9));
    const size_t n = line == NULL ? 0 : strlen(line);
    if (line == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: the row can't be written as JSON", j->path);
    }
    line[n] = '\n'; /* in place of the NUL, so that the row is one write */
    const mdf_status status = write_all(j, line, n + 1, err);
    free(line);
    return status;
}

void mdf_jsonl_close(mdf_jsonl *j)
{
    if (j->path != NULL && j->fd >= 0) {
        (void)close(j->fd);
    }
    mdf_free(j->path);
    *j = (mdf_jsonl){.fd = -1};
}

static bool collect(void *user, size_t offset, json_t *row)
{
    (void)offset;
    return json_array_append(user, row) == 0;
}

mdf_status mdf_jsonl_read(json_t **rows, const char *path, mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    MDF_TRY(mdf_file_read(path, MDF_MAX_TABLE_BYTES, &data, &len, err));
    json_t *array = json_array();
    const size_t end = array == NULL ? 0 : walk(data, len, collect, array);
    const uint8_t *rest = len > end ? memchr(data + end, '\n', len - end) : NULL;
    mdf_free(data);
    if (array == NULL || rest != NULL) {
        json_decref(array);
        return mdf_fail_at(err, MDF_ERR_FORMAT, end, "%s: byte %zu: not a row of JSON", path, end);
    }
    *rows = array;
    return MDF_OK;
}
