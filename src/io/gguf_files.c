/* Models in several GGUF files: the parts of a split one stand beside the first, with their number
 * in the name. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/gguf.h"

enum { MAX_FILES = 1024, TAIL = 20 /* "-00001-of-00003.gguf" */ };

static mdf_status no_memory(const char *path, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
}

/* No tensor of the newest file may be in another one. */
static mdf_status check_new(const mdf_gguf_files *f, mdf_error *err)
{
    const mdf_gguf *last = &f->file[f->files - 1];
    for (size_t i = 0; i + 1 < f->files; i++) {
        for (size_t k = 0; k < last->count; k++) {
            if (mdf_gguf_find(&f->file[i], last->tensor[k].name) != NULL) {
                return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\" is in %s, too",
                                last->path, last->tensor[k].name, f->file[i].path);
            }
        }
    }
    return MDF_OK;
}

static mdf_status add(mdf_gguf_files *f, const char *path, mdf_error *err)
{
    if (f->files == MAX_FILES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: more than %d files", path, MAX_FILES);
    }
    MDF_TRY(mdf_gguf_open(&f->file[f->files], path, err));
    f->files++;
    return check_new(f, err);
}

/* A number of the split, or -1 if the key is not there. */
static mdf_status split_number(const mdf_gguf *g, const char *key, int64_t most, int64_t *out,
                               mdf_error *err)
{
    const mdf_gguf_value *v = mdf_gguf_value_of(g, key);
    *out = -1;
    if (v != NULL && (v->is_array || !mdf_gguf_integer(v, 0, out) || *out < 0 || *out > most)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%s\" is not a number from 0 to %lld", g->path,
                        key, (long long)most);
    }
    return MDF_OK;
}

/* "-00002-of-00003.gguf", always TAIL bytes: there are at most MAX_FILES parts. */
static void write_tail(char tail[40], int number, int64_t parts)
{
    (void)snprintf(tail, 40, "-%05d-of-%05d.gguf", number + 1, (int)parts);
}

static mdf_status add_part(mdf_gguf_files *f, const char *first, int number, int64_t parts,
                           size_t *tensors, mdf_error *err)
{
    char tail[40];
    char *path = mdf_strdup(first);
    int64_t no = 0;
    int64_t count = 0;
    if (path == NULL) {
        return no_memory(first, err);
    }
    write_tail(tail, number, parts);
    memcpy(path + strlen(path) - TAIL, tail, TAIL);
    mdf_status status = add(f, path, err);
    mdf_free(path);
    MDF_TRY(status);
    const mdf_gguf *g = &f->file[f->files - 1];
    MDF_TRY(split_number(g, "split.no", MAX_FILES, &no, err));
    MDF_TRY(split_number(g, "split.count", MAX_FILES, &count, err));
    if (no != number || count != parts) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: it says that it is part %lld of %lld, not part %d of %lld", g->path,
                        (long long)no + 1, (long long)count, number + 1, (long long)parts);
    }
    *tensors += g->count;
    return MDF_OK;
}

/* The newest file is the first part: opens the others. */
static mdf_status add_parts(mdf_gguf_files *f, const char *path, mdf_error *err)
{
    const mdf_gguf *first = &f->file[f->files - 1];
    int64_t parts = 0;
    int64_t no = 0;
    int64_t promised = 0;
    char tail[40];
    MDF_TRY(split_number(first, "split.count", MAX_FILES, &parts, err));
    MDF_TRY(split_number(first, "split.no", MAX_FILES, &no, err));
    MDF_TRY(split_number(first, "split.tensors.count", MDF_MAX_TENSORS, &promised, err));
    if (parts <= 1) {
        return MDF_OK;
    }
    write_tail(tail, 0, parts);
    const size_t n = strlen(path);
    if (no != 0 || n < TAIL || strcmp(path + n - TAIL, tail) != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: it is part %lld of %lld: give the first part, whose name ends in "
                        "\"%s\"",
                        path, (long long)no + 1, (long long)parts, tail);
    }
    size_t tensors = first->count;
    for (int i = 1; i < parts; i++) {
        MDF_TRY(add_part(f, path, i, parts, &tensors, err));
    }
    if (promised >= 0 && (size_t)promised != tensors) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: %lld tensors are promised, but its parts have %zu", path,
                        (long long)promised, tensors);
    }
    return MDF_OK;
}

mdf_status mdf_gguf_files_open(mdf_gguf_files *f, const char *const *path, size_t paths,
                               mdf_error *err)
{
    *f = (mdf_gguf_files){.file = mdf_alloc(MAX_FILES, sizeof *f->file)};
    if (f->file == NULL) {
        return no_memory(path[0], err);
    }
    mdf_status status = MDF_OK;
    for (size_t i = 0; i < paths && status == MDF_OK; i++) {
        status = add(f, path[i], err);
        if (status == MDF_OK) {
            status = add_parts(f, path[i], err);
        }
    }
    if (status != MDF_OK) {
        mdf_gguf_files_close(f);
    }
    return status;
}

void mdf_gguf_files_close(mdf_gguf_files *f)
{
    for (size_t i = 0; i < f->files; i++) {
        mdf_gguf_close(&f->file[i]);
    }
    mdf_free(f->file);
    *f = (mdf_gguf_files){0};
}

const mdf_gguf_tensor *mdf_gguf_files_tensor(const mdf_gguf_files *f, const char *name,
                                             const mdf_gguf **file)
{
    for (size_t i = 0; i < f->files; i++) {
        const mdf_gguf_tensor *t = mdf_gguf_find(&f->file[i], name);
        if (t != NULL) {
            if (file != NULL) {
                *file = &f->file[i];
            }
            return t;
        }
    }
    return NULL;
}

const mdf_gguf_value *mdf_gguf_files_value(const mdf_gguf_files *f, const char *key,
                                           const mdf_gguf **file)
{
    for (size_t i = 0; i < f->files; i++) {
        const mdf_gguf_value *v = mdf_gguf_value_of(&f->file[i], key);
        if (v != NULL) {
            if (file != NULL) {
                *file = &f->file[i];
            }
            return v;
        }
    }
    return NULL;
}
