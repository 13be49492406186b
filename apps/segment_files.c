/* The files that mdf segment writes. */
#include "segment_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/strbuf.h"

enum { ENDING_BYTES = 6, PATH_BYTES = 1 << 16 }; /* ".jpeg" and its NUL */

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the names of masks");
}

/* Caller frees. */
static char *stem_of(const char *path)
{
    if (strcmp(path, "-") == 0) {
        return mdf_strdup("stdin");
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');
    const bool has_ending = dot != NULL && dot != name && strlen(dot) < ENDING_BYTES;
    return mdf_strndup(name, has_ending ? (size_t)(dot - name) : strlen(name));
}

/* A picture's name, and which picture it is. */
typedef struct stem {
    char *name;
    size_t index;
} stem;

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const stem *)a)->name, ((const stem *)b)->name);
}

static int compare_stems(const void *a, const void *b)
{
    const int order = compare_names(a, b);
    const size_t x = ((const stem *)a)->index;
    const size_t y = ((const stem *)b)->index;
    return order != 0 ? order : x < y ? -1 : x > y ? 1 : 0;
}

/* name-2, name-3, ...: the first from *number on that no picture is called. Of two names that are
 * numbered so no two results are the same, for what is before the last hyphen is the name. */
static char *numbered(const stem *sorted, size_t count, const char *name, size_t *number)
{
    char *text = NULL;
    do {
        mdf_strbuf b = mdf_strbuf_new(PATH_BYTES);
        mdf_free(text);
        mdf_strbuf_printf(&b, "%s-%zu", name, (*number)++);
        text = b.failed ? NULL : b.data;
        if (b.failed) {
            mdf_strbuf_free(&b);
        }
    } while (text != NULL &&
             bsearch(&(stem){text, 0}, sorted, count, sizeof *sorted, compare_names) != NULL);
    return text;
}

static mdf_status number_them(segment_files *f, const stem *sorted, mdf_error *err)
{
    size_t number = 2;
    for (size_t i = 1; i < f->count; i++) {
        if (strcmp(sorted[i].name, sorted[i - 1].name) != 0) {
            number = 2;
            continue;
        }
        char *name = numbered(sorted, f->count, sorted[i].name, &number);
        if (name == NULL) {
            return no_memory(err);
        }
        f->name[sorted[i].index] = name;
    }
    return MDF_OK;
}

mdf_status segment_files_plan(segment_files *f, const char *dir, const app_pictures *pictures,
                              mdf_error *err)
{
    const size_t n = pictures->count;
    *f = (segment_files){.dir = dir};
    f->name = mdf_alloc(n, sizeof *f->name);
    stem *sorted = mdf_alloc(n, sizeof *sorted);
    mdf_status status = f->name == NULL || sorted == NULL ? no_memory(err) : MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < n; i++) {
        sorted[i] = (stem){stem_of(pictures->item[i]), i};
        status = sorted[i].name == NULL ? no_memory(err) : MDF_OK;
    }
    if (status == MDF_OK) {
        f->count = n;
        qsort(sorted, n, sizeof *sorted, compare_stems);
        status = number_them(f, sorted, err);
    }
    for (size_t i = 0; sorted != NULL && i < n; i++) {
        if (status == MDF_OK && f->name[sorted[i].index] == NULL) {
            f->name[sorted[i].index] = sorted[i].name;
        } else {
            mdf_free(sorted[i].name);
        }
    }
    mdf_free(sorted);
    return status;
}

void segment_files_free(segment_files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        mdf_free(f->name[i]);
    }
    mdf_free(f->name);
    *f = (segment_files){0};
}

char *segment_files_path(const segment_files *f, size_t picture, const char *kind)
{
    mdf_strbuf b = mdf_strbuf_new(PATH_BYTES);
    mdf_strbuf_printf(&b, "%s_%s.png", f->name[picture], kind);
    char *path = b.failed ? NULL : mdf_path_join(f->dir, b.data);
    mdf_strbuf_free(&b);
    return path;
}

char *segment_files_table(const segment_files *f)
{
    return mdf_path_join(f->dir, SEGMENT_TABLE);
}

/* Takes path. */
static mdf_status check_one(char *path, const app_inputs *in, const char *model, bool force,
                            mdf_error *err)
{
    const app_output out = {"--out", path};
    mdf_status status = path == NULL ? no_memory(err) : MDF_OK;
    if (status == MDF_OK) {
        status = app_output_not_among(out, in, err);
    }
    if (status == MDF_OK) {
        status = app_output_not_in(out, model, err);
    }
    if (status == MDF_OK) {
        status = app_output_check(out, force, err);
    }
    mdf_free(path);
    return status;
}

mdf_status segment_files_check(const segment_files *f, const app_pictures *pictures,
                               const char *model, bool force, mdf_error *err)
{
    app_inputs in;
    if (!mdf_path_exists(f->dir)) {
        return MDF_OK;
    }
    if (!mdf_path_is_dir(f->dir)) {
        return mdf_fail(err, MDF_ERR_ARG, "--out %s: it is a file, not a folder", f->dir);
    }
    MDF_TRY(app_output_folder(f->dir, err));
    mdf_status status = app_inputs_of(&in, pictures->item, pictures->count, err);
    if (status == MDF_OK) {
        status = check_one(segment_files_table(f), &in, model, force, err);
    }
    for (size_t i = 0; status == MDF_OK && i < f->count; i++) {
        for (int k = 0; status == MDF_OK && k < f->kinds; k++) {
            status = check_one(segment_files_path(f, i, f->kind[k]), &in, model, force, err);
        }
    }
    app_inputs_free(&in);
    return status;
}
