/* model.safetensors.index.json and pytorch_model.bin.index.json: which tensor of a model in several
 * files is in which of them. */
#include "io/safetensors_index.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"

static mdf_status no_memory(const char *name, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", name);
}

/* In the index's own folder, and a file of one of the formats. */
static bool is_shard(const char *file)
{
    static const char *const ends[] = {".safetensors", ".bin"};
    const size_t n = strlen(file);
    bool known = false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const size_t m = strlen(ends[i]);
        known = known || (n >= m && strcmp(file + n - m, ends[i]) == 0);
    }
    return known && strpbrk(file, "/\\") == NULL;
}

/* The number of the file of this name, which may be new. */
static mdf_status find_file(mdf_st_index *x, const char *file, const char *name, size_t *out,
                            mdf_error *err)
{
    if (!is_shard(file)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%.120s\" is not the name of a shard", name,
                        file);
    }
    for (size_t i = 0; i < x->files; i++) {
        if (strcmp(x->file[i], file) == 0) {
            *out = i;
            return MDF_OK;
        }
    }
    if (x->files == MDF_ST_MAX_FILES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: more than %d shards", name, MDF_ST_MAX_FILES);
    }
    x->file[x->files] = mdf_arena_strndup(&x->arena, file, strlen(file));
    if (x->file[x->files] == NULL) {
        return no_memory(name, err);
    }
    *out = x->files++;
    return MDF_OK;
}

static mdf_status read_map(mdf_st_index *x, json_t *map, const char *name, mdf_error *err)
{
    if (!json_is_object(map) || json_object_size(map) == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: weight_map is missing or empty", name);
    }
    if (json_object_size(map) > MDF_MAX_TENSORS) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: more than %d tensors", name, MDF_MAX_TENSORS);
    }
    x->file = mdf_arena_alloc(&x->arena, MDF_ST_MAX_FILES, sizeof *x->file);
    x->place = mdf_arena_alloc(&x->arena, json_object_size(map), sizeof *x->place);
    if (x->file == NULL || x->place == NULL) {
        return no_memory(name, err);
    }
    for (void *it = json_object_iter(map); it != NULL; it = json_object_iter_next(map, it)) {
        const char *tensor = json_object_iter_key(it);
        const char *file = json_string_value(json_object_iter_value(it));
        struct mdf_st_place *p = &x->place[x->places];
        if (file == NULL) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: weight_map \"%.120s\" is not a file name",
                            name, tensor);
        }
        MDF_TRY(find_file(x, file, name, &p->file, err));
        p->tensor = mdf_arena_strndup(&x->arena, tensor, strlen(tensor));
        if (p->tensor == NULL) {
            return no_memory(name, err);
        }
        x->places++;
    }
    return MDF_OK;
}

mdf_status mdf_st_index_parse(mdf_st_index *x, const char *bytes, size_t len, const char *name,
                              mdf_error *err)
{
    json_error_t where = {0};
    *x = (mdf_st_index){0};
    json_t *root = mdf_json_load(bytes, len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: not valid JSON: line %d: %s", name, where.line,
                        where.text);
    }
    mdf_status status = mdf_arena_init(&x->arena, 0, 0, err);
    if (status == MDF_OK) {
        status = read_map(x, json_object_get(root, "weight_map"), name, err);
    }
    json_decref(root);
    if (status != MDF_OK) {
        mdf_st_index_free(x);
    }
    return status;
}

void mdf_st_index_free(mdf_st_index *x)
{
    mdf_arena_free(&x->arena);
    *x = (mdf_st_index){0};
}
