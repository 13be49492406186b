/* A model in several safetensors files, by its index. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "io/safetensors.h"

enum { MAX_INDEX_BYTES = 64 << 20, MAX_FILES = 1024 };

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s);
    const size_t m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static mdf_status no_memory(const char *path, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
}

/* The shard of this name, opened if it is new. The name may not lead out of the folder. */
static mdf_status shard(mdf_st_shards *s, const char *folder, const char *index, const char *name,
                        mdf_safetensors **out, mdf_error *err)
{
    if (strchr(name, '/') != NULL || strchr(name, '\\') != NULL ||
        !ends_with(name, ".safetensors")) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%.120s\" is not the name of a shard", index,
                        name);
    }
    char *path = mdf_path_join(folder, name);
    if (path == NULL) {
        return no_memory(index, err);
    }
    for (size_t i = 0; i < s->files; i++) {
        if (strcmp(s->file[i].path, path) == 0) {
            *out = &s->file[i];
            mdf_free(path);
            return MDF_OK;
        }
    }
    mdf_status status = MDF_OK;
    if (s->files == MAX_FILES) {
        status = mdf_fail(err, MDF_ERR_LIMIT, "%s: more than %d shards", index, MAX_FILES);
    } else {
        status = mdf_safetensors_open(&s->file[s->files], path, err);
    }
    if (status == MDF_OK) {
        *out = &s->file[s->files++];
    }
    mdf_free(path);
    return status;
}

static mdf_status check_once(const mdf_st_shards *s, const char *index, size_t named,
                             mdf_error *err)
{
    size_t held = 0;
    for (size_t i = 0; i < s->files; i++) {
        held += s->file[i].count;
    }
    if (held != named) { /* every named tensor is in its file; more would be hidden or doubled */
        return mdf_fail(err, MDF_ERR_FORMAT, "%s names %zu tensors, but its files hold %zu", index,
                        named, held);
    }
    return MDF_OK;
}

static mdf_status read_index(mdf_st_shards *s, const char *folder, const char *index, json_t *root,
                             mdf_error *err)
{
    json_t *map = json_object_get(root, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: weight_map is missing or empty", index);
    }
    if (json_object_size(map) > MDF_MAX_TENSORS) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: more than %d tensors", index, MDF_MAX_TENSORS);
    }
    for (void *it = json_object_iter(map); it != NULL; it = json_object_iter_next(map, it)) {
        const char *name = json_object_iter_key(it);
        const char *file = json_string_value(json_object_iter_value(it));
        mdf_safetensors *st = NULL;
        if (file == NULL) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: weight_map \"%.120s\" is not a file name",
                            index, name);
        }
        MDF_TRY(shard(s, folder, index, file, &st, err));
        if (mdf_safetensors_find(st, name) == NULL) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\" is missing", st->path,
                            name);
        }
    }
    return check_once(s, index, json_object_size(map), err);
}

static mdf_status open_index(mdf_st_shards *s, const char *index, mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    const char *slash = strrchr(index, '/');
    char *folder = mdf_strndup(index, slash == NULL ? 0 : (size_t)(slash - index) + 1);
    if (folder == NULL) {
        return no_memory(index, err);
    }
    mdf_status status = mdf_file_read(index, MAX_INDEX_BYTES, &bytes, &len, err);
    if (status == MDF_OK) {
        json_error_t where = {0};
        json_t *root = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, &where);
        status = root == NULL ? mdf_fail(err, MDF_ERR_FORMAT, "%s: not valid JSON: line %d: %s",
                                         index, where.line, where.text)
                              : read_index(s, folder, index, root, err);
        json_decref(root);
    }
    mdf_free(bytes);
    mdf_free(folder);
    return status;
}

static mdf_status open_folder(mdf_st_shards *s, const char *path, mdf_error *err)
{
    char *one = mdf_path_join(path, "model.safetensors");
    char *index = mdf_path_join(path, "model.safetensors.index.json");
    mdf_status status = MDF_OK;
    if (one == NULL || index == NULL) {
        status = no_memory(path, err);
    } else if (!mdf_path_exists(one) && mdf_path_exists(index)) {
        status = open_index(s, index, err);
    } else {
        status = mdf_safetensors_open(&s->file[0], one, err);
        s->files = status == MDF_OK ? 1 : 0;
    }
    mdf_free(one);
    mdf_free(index);
    return status;
}

mdf_status mdf_st_shards_open(mdf_st_shards *s, const char *path, mdf_error *err)
{
    *s = (mdf_st_shards){.file = mdf_alloc(MAX_FILES, sizeof *s->file), .path = mdf_strdup(path)};
    mdf_status status = MDF_OK;
    if (s->file == NULL || s->path == NULL) {
        status = no_memory(path, err);
    } else if (mdf_path_is_dir(path)) {
        status = open_folder(s, path, err);
    } else if (ends_with(path, ".json")) {
        status = open_index(s, path, err);
    } else {
        status = mdf_safetensors_open(&s->file[0], path, err);
        s->files = status == MDF_OK ? 1 : 0;
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
