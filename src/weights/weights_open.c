/* Opening a model's files: one table of tensors under this project's names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "weights/weights.h"

/* Older and text-only prefixes and what stands for them here; the first that fits counts. */
static const struct {
    const char *file, *name;
} prefixes[] = {
    {"language_model.model.", "model.language_model."},
    {"language_model.lm_head.", "lm_head."},
    {"vision_model.", "model.vision_model."},
    {"multi_modal_projector.", "model.multi_modal_projector."},
    {"model.layers.", "model.language_model.layers."},
    {"model.embed_tokens.", "model.language_model.embed_tokens."},
    {"model.norm.", "model.language_model.norm."},
};

bool mdf_weights_name(const char *file_name, char name[MDF_WEIGHT_NAME])
{
    const char *prefix = "";
    size_t skip = 0;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0] && skip == 0; i++) {
        const size_t n = strlen(prefixes[i].file);
        if (strncmp(file_name, prefixes[i].file, n) == 0) {
            prefix = prefixes[i].name;
            skip = n;
        }
    }
    const int n = snprintf(name, MDF_WEIGHT_NAME, "%s%s", prefix, file_name + skip);
    return n >= 0 && n < MDF_WEIGHT_NAME;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_model_weight *)a)->name, ((const mdf_model_weight *)b)->name);
}

static mdf_status add(mdf_weights *w, const mdf_safetensors *file, const mdf_st_tensor *t,
                      mdf_error *err)
{
    char name[MDF_WEIGHT_NAME];
    if (!mdf_weights_name(t->name, name)) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: tensor \"%.60s...\" has too long a name",
                        file->path, t->name);
    }
    const char *copy = mdf_arena_strndup(&w->arena, name, strlen(name));
    if (copy == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", file->path);
    }
    w->item[w->count++] = (mdf_model_weight){copy, t, file};
    w->bytes += t->bytes;
    return MDF_OK;
}

/* The table of what the shards hold. */
static mdf_status index_shards(mdf_weights *w, mdf_error *err)
{
    size_t tensors = 0;
    for (size_t f = 0; f < w->shards.files; f++) {
        tensors += w->shards.file[f].count;
    }
    w->item = mdf_arena_zalloc(&w->arena, tensors + 1, sizeof *w->item);
    if (w->item == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of weights");
    }
    for (size_t f = 0; f < w->shards.files; f++) {
        const mdf_safetensors *file = &w->shards.file[f];
        for (size_t i = 0; i < file->count; i++) {
            MDF_TRY(add(w, file, &file->tensor[i], err));
        }
    }
    qsort(w->item, w->count, sizeof *w->item, by_name);
    for (size_t i = 1; i < w->count; i++) {
        if (strcmp(w->item[i - 1].name, w->item[i].name) == 0) {
            return mdf_fail(
                err, MDF_ERR_FORMAT, "%s: tensors \"%.100s\" and \"%.100s\" are the same one",
                w->item[i].file->path, w->item[i - 1].tensor->name, w->item[i].tensor->name);
        }
    }
    return MDF_OK;
}

mdf_status mdf_weights_open(mdf_weights *w, const char *path, mdf_error *err)
{
    *w = (mdf_weights){0};
    MDF_TRY(mdf_arena_init(&w->arena, 0, 0, err));
    mdf_status status = mdf_st_shards_open(&w->shards, path, err);
    if (status == MDF_OK) {
        status = index_shards(w, err);
    }
    if (status != MDF_OK) {
        mdf_weights_close(w);
    }
    return status;
}

mdf_status mdf_weights_borrow(mdf_weights *w, mdf_safetensors *file, mdf_error *err)
{
    *w = (mdf_weights){.shards = {.file = file, .files = 1}, .borrowed = true};
    MDF_TRY(mdf_arena_init(&w->arena, 0, 0, err));
    const mdf_status status = index_shards(w, err);
    if (status != MDF_OK) {
        mdf_weights_close(w);
    }
    return status;
}

void mdf_weights_close(mdf_weights *w)
{
    if (!w->borrowed) {
        mdf_st_shards_close(&w->shards);
    }
    mdf_arena_free(&w->arena);
    *w = (mdf_weights){0};
}

const mdf_model_weight *mdf_weights_find(const mdf_weights *w, const char *name)
{
    const mdf_model_weight key = {.name = name};
    return w->count == 0 ? NULL : bsearch(&key, w->item, w->count, sizeof key, by_name);
}
