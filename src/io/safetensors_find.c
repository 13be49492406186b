/* Tensors and metadata of a parsed file, by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors.h"
#include "io/safetensors_parts.h"

enum { SHAPE_TEXT = 160 };

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_st_tensor *)a)->name, ((const mdf_st_tensor *)b)->name);
}

void mdf_st_sort(mdf_safetensors *st)
{
    qsort(st->tensor, st->count, sizeof *st->tensor, by_name);
}

void mdf_safetensors_release(const mdf_safetensors *st, const mdf_st_tensor *t)
{
    const uintptr_t begin = (uintptr_t)st->map.data;
    const uintptr_t at = (uintptr_t)t->data;
    if (st->map.data != NULL && at >= begin && at - begin <= st->map.len) {
        mdf_map_release(t->data, t->bytes);
    }
}

const mdf_st_tensor *mdf_safetensors_find(const mdf_safetensors *st, const char *name)
{
    const mdf_st_tensor key = {.name = name};
    return st->count == 0 ? NULL : bsearch(&key, st->tensor, st->count, sizeof key, by_name);
}

const char *mdf_safetensors_metadata(const mdf_safetensors *st, const char *key)
{
    for (size_t i = 0; i < st->metadata_count; i++) {
        if (strcmp(st->metadata[i].key, key) == 0) {
            return st->metadata[i].value;
        }
    }
    return NULL;
}

/* "[264, 64]" */
static const char *shape_text(char text[SHAPE_TEXT], int rank, const int64_t *dim)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < rank && used < SHAPE_TEXT; i++) {
        const int n = snprintf(text + used, SHAPE_TEXT - used, "%s%lld", i > 0 ? ", " : "",
                               (long long)dim[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

mdf_status mdf_safetensors_check_shape(const mdf_safetensors *st, const mdf_st_tensor *t, int rank,
                                       const int64_t *dim, mdf_error *err)
{
    bool same = t->rank == rank;
    for (int i = 0; i < rank && same; i++) {
        same = t->dim[i] == dim[i];
    }
    if (!same) {
        char has[SHAPE_TEXT];
        char want[SHAPE_TEXT];
        return mdf_fail(err, MDF_ERR_SHAPE,
                        "%s: tensor \"%.120s\" has shape [%s], but the model needs [%s]", st->path,
                        t->name, shape_text(has, t->rank, t->dim), shape_text(want, rank, dim));
    }
    return MDF_OK;
}

mdf_status mdf_safetensors_get(const mdf_safetensors *st, const char *name, int rank,
                               const int64_t *dim, const mdf_st_tensor **out, mdf_error *err)
{
    const mdf_st_tensor *t = mdf_safetensors_find(st, name);
    if (t == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\" is missing", st->path, name);
    }
    MDF_TRY(mdf_safetensors_check_shape(st, t, rank, dim, err));
    *out = t;
    return MDF_OK;
}
