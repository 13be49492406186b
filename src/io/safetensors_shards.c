/* A model in one file or several, by its index. */
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "io/safetensors.h"
#include "io/safetensors_index.h"
#include "io/torch_file.h"

enum { MAX_INDEX_BYTES = 64 << 20 };

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s);
    const size_t m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* An index by its name, or by its first byte: a file of tensors begins with the header's length,
 * which would be absurd. */
static bool is_index(const char *path)
{
    mdf_map map = {0};
    bool json = ends_with(path, ".json");
    if (!json && mdf_map_open(&map, path, NULL) == MDF_OK) {
        const size_t mark = mdf_json_mark((const char *)map.data, map.len);
        json = mark < map.len && map.data[mark] == '{' &&
               (map.len < 8 || memcmp(map.data + 4, "\0\0\0\0", 4) != 0);
        mdf_map_close(&map);
    }
    return json;
}

static mdf_status no_memory(const char *path, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
}

static mdf_status open_file(mdf_safetensors *st, const char *path, mdf_error *err)
{
    return mdf_torch_is(path) ? mdf_torch_open(st, path, err) : mdf_safetensors_open(st, path, err);
}

/* Opens the files of the index. */
static mdf_status open_files(mdf_st_shards *s, const char *folder, const mdf_st_index *x,
                             mdf_error *err)
{
    for (size_t i = 0; i < x->files; i++) {
        char *path = mdf_path_join(folder, x->file[i]);
        const mdf_status status =
            path == NULL ? no_memory(folder, err) : open_file(&s->file[i], path, err);
        mdf_free(path);
        MDF_TRY(status);
        s->files++;
    }
    return MDF_OK;
}

/* Every named tensor is in its file, and no file has more: that would be hidden or doubled. */
static mdf_status check_places(const mdf_st_shards *s, const mdf_st_index *x, const char *index,
                               mdf_error *err)
{
    size_t held = 0;
    for (size_t i = 0; i < x->places; i++) {
        const mdf_safetensors *file = &s->file[x->place[i].file];
        if (mdf_safetensors_find(file, x->place[i].tensor) == NULL) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\" is missing", file->path,
                            x->place[i].tensor);
        }
    }
    for (size_t i = 0; i < s->files; i++) {
        held += s->file[i].count;
    }
    if (held != x->places) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s names %zu tensors, but its files hold %zu", index,
                        x->places, held);
    }
    return MDF_OK;
}

static mdf_status open_index(mdf_st_shards *s, const char *index, mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_st_index x = {0};
    const char *slash = strrchr(index, '/');
    char *folder = mdf_strndup(index, slash == NULL ? 0 : (size_t)(slash - index) + 1);
    if (folder == NULL) {
        return no_memory(index, err);
    }
    mdf_status status = mdf_file_read(index, MAX_INDEX_BYTES, &bytes, &len, err);
    if (status == MDF_OK) {
        status = mdf_st_index_parse(&x, (const char *)bytes, len, index, err);
    }
    if (status == MDF_OK) {
        status = open_files(s, folder, &x, err);
    }
    if (status == MDF_OK) {
        status = check_places(s, &x, index, err);
    }
    mdf_st_index_free(&x);
    mdf_free(bytes);
    mdf_free(folder);
    return status;
}

static mdf_status open_path(mdf_st_shards *s, const char *path, mdf_error *err)
{
    if (is_index(path)) {
        return open_index(s, path, err);
    }
    const mdf_status status = open_file(&s->file[0], path, err);
    s->files = status == MDF_OK ? 1 : 0;
    return status;
}

mdf_status mdf_st_shards_find_file(const char *folder, char **path, mdf_error *err)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", "pytorch_model.bin.index.json"};
    *path = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *one = mdf_path_join(folder, names[i]);
        if (one == NULL) {
            return no_memory(folder, err);
        }
        if (mdf_path_exists(one)) {
            *path = one;
            return MDF_OK;
        }
        mdf_free(one);
    }
    return mdf_fail(err, MDF_ERR_IO,
                    "%s: no weights: neither model.safetensors nor pytorch_model.bin, nor the "
                    "index of either, is there",
                    folder);
}

static mdf_status open_folder(mdf_st_shards *s, const char *folder, mdf_error *err)
{
    char *path = NULL;
    MDF_TRY(mdf_st_shards_find_file(folder, &path, err));
    const mdf_status status = open_path(s, path, err);
    mdf_free(path);
    return status;
}

mdf_status mdf_st_shards_open(mdf_st_shards *s, const char *path, mdf_error *err)
{
    *s = (mdf_st_shards){.file = mdf_alloc(MDF_ST_MAX_FILES, sizeof *s->file),
                         .path = mdf_strdup(path)};
    mdf_status status = MDF_OK;
    if (s->file == NULL || s->path == NULL) {
        status = no_memory(path, err);
    } else if (mdf_path_is_dir(path)) {
        status = open_folder(s, path, err);
    } else {
        status = open_path(s, path, err);
    }
    if (status != MDF_OK) {
        mdf_st_shards_close(s);
    }
    return status;
}

void mdf_st_shards_close(mdf_st_shards *s)
{
    for (size_t i = 0; i < s->files; i++) {
        mdf_safetensors_close(&s->file[i]);
    }
    mdf_free(s->file);
    mdf_free(s->path);
    *s = (mdf_st_shards){0};
}

const mdf_st_tensor *mdf_st_shards_find(const mdf_st_shards *s, const char *name,
                                        const mdf_safetensors **file)
{
    for (size_t i = 0; i < s->files; i++) {
        const mdf_st_tensor *t = mdf_safetensors_find(&s->file[i], name);
        if (t != NULL) {
            if (file != NULL) {
                *file = &s->file[i];
            }
            return t;
        }
    }
    return NULL;
}
