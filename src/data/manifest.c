/* The list of cases: joining folders, numbering labels and patients. */
#include "data/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "data/manifest_build.h"

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of cases");
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Puts the labels into byte order, so that the numbers don't depend on the order of the rows. */
static void sort_labels(mdf_manifest *m)
{
    const char *before[MDF_MAX_CLASSES];
    const size_t count = (size_t)m->label_count;
    if (count < 2) {
        return;
    }
    memcpy(before, m->labels, count * sizeof before[0]);
    qsort(m->labels, count, sizeof m->labels[0], compare_labels);
    int number[MDF_MAX_CLASSES] = {0};
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            if (before[i] == m->labels[k]) {
                number[i] = (int)k;
            }
        }
    }
    for (size_t i = 0; i < m->case_count; i++) {
        m->cases[i].label = m->cases[i].label < 0 ? -1 : number[m->cases[i].label];
    }
}

static int compare_patients(const void *a, const void *b)
{
    const mdf_manifest_case *x = *(mdf_manifest_case *const *)a;
    const mdf_manifest_case *y = *(mdf_manifest_case *const *)b;
    const int by_id = strcmp(x->patient_id, y->patient_id);
    if (by_id != 0) {
        return by_id;
    }
    if (x->source != y->source) {
        return x->source < y->source ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

static mdf_status qualify(mdf_manifest_builder *b, mdf_manifest_case *c, mdf_error *err)
{
    char *joined = mdf_alloc(strlen(b->m->dirs[c->source]) + strlen(c->patient_id) + 2, 1);
    if (joined == NULL) {
        return no_memory(err);
    }
    const size_t n = strlen(b->m->dirs[c->source]);
    memcpy(joined, b->m->dirs[c->source], n);
    joined[n] = ':';
    memcpy(joined + n + 1, c->patient_id, strlen(c->patient_id) + 1);
    c->patient_id = mdf_manifest_string(b, joined);
    mdf_free(joined);
    return c->patient_id == NULL ? no_memory(err) : MDF_OK;
}

/* order[0..count): the cases of one id, by folder. */
static mdf_status number_one_id(mdf_manifest_builder *b, mdf_manifest_case **order, size_t count,
                                mdf_error *err)
{
    mdf_manifest *m = b->m;
    if (order[0]->patient_id[0] == '\0') {
        for (size_t i = 0; i < count; i++) {
            order[i]->patient_id = order[i]->path;
            order[i]->patient = m->patient_count++;
        }
        m->without_patient = count;
        return MDF_OK;
    }
    const bool clash = order[0]->source != order[count - 1]->source;
    for (size_t i = 0; i < count; i++) {
        m->patient_count += i == 0 || order[i]->source != order[i - 1]->source ? 1 : 0;
        order[i]->patient = m->patient_count - 1;
    }
    for (size_t i = 0; clash && i < count; i++) {
        MDF_TRY(qualify(b, order[i], err));
    }
    return MDF_OK;
}

static mdf_status number_patients(mdf_manifest_builder *b, mdf_error *err)
{
    mdf_manifest *m = b->m;
    mdf_manifest_case **order = mdf_alloc(m->case_count, sizeof *order);
    if (order == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < m->case_count; i++) {
        order[i] = &m->cases[i];
    }
    qsort(order, m->case_count, sizeof *order, compare_patients);
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < m->case_count;) {
        size_t end = i + 1;
        while (end < m->case_count && strcmp(order[i]->patient_id, order[end]->patient_id) == 0) {
            end++;
        }
        status = number_one_id(b, order + i, end - i, err);
        i = end;
    }
    mdf_free(order);
    return status;
}

static mdf_status check_missing(const mdf_manifest_builder *b, size_t first_case, const char *dir,
                                mdf_error *err)
{
    if (b->missing_count == 0) {
        return MDF_OK;
    }
    const size_t n = b->missing_count;
    return mdf_fail(err, MDF_ERR_IO,
                    "%s: %zu file%s that the table of %zu case%s names %s missing: %s%s%s%s%s%s",
                    dir, n, n == 1 ? "" : "s", b->m->case_count - first_case,
                    b->m->case_count - first_case == 1 ? "" : "s", n == 1 ? "is" : "are",
                    b->missing[0], n > 1 ? ", " : "", n > 1 ? b->missing[1] : "", n > 2 ? ", " : "",
                    n > 2 ? b->missing[2] : "", n > 3 ? ", ..." : "");
}

static mdf_status fail_no_cases(const mdf_manifest_builder *b, const char *dir, mdf_error *err)
{
    size_t n = 0;
    mdf_strbuf list = mdf_strbuf_new(200);
    mdf_manifest_list_unread(&list, b, &n);
    const mdf_status status =
        n == 0 ? mdf_fail(err, MDF_ERR_FORMAT,
                          "%s: no cases; a data folder has metadata.csv, metadata.jsonl or a "
                          "folder of images per class",
                          dir)
               : mdf_fail(err, MDF_ERR_FORMAT, "%s: no cases; %zu %s no picture that mdf reads: %s",
                          dir, n, n == 1 ? "file is" : "files are",
                          list.data == NULL ? "" : list.data);
    mdf_strbuf_free(&list);
    return status;
}

static mdf_status load_dir(mdf_manifest_builder *b, const char *dir, mdf_error *err)
{
    const size_t first_case = b->m->case_count;
    if (!mdf_path_is_dir(dir)) {
        return mdf_fail(err, MDF_ERR_IO, "%s: no such data folder", dir);
    }
    bool found = false;
    b->split = NULL;
    b->missing_count = 0;
    memset(b->missing_words, 0, sizeof b->missing_words);
    b->recased_count = 0;
    memset(b->endings, 0, sizeof b->endings);
    b->ending_count = 0;
    MDF_TRY(mdf_manifest_read_table(b, dir, &found, err));
    if (!found) {
        MDF_TRY(mdf_manifest_read_folders(b, dir, err));
    }
    MDF_TRY(check_missing(b, first_case, dir, err));
    if (b->m->case_count == first_case) {
        return fail_no_cases(b, dir, err);
    }
    MDF_TRY(mdf_manifest_note_words(b, dir, err));
    return mdf_manifest_note_endings(b, dir, err);
}

/* Folders of patients are usually unique; the same ones below several classes may be splits that
 * nobody recognised. */
static mdf_status note_shared_patients(mdf_manifest_builder *b, mdf_error *err)
{
    const mdf_manifest *m = b->m;
    size_t *first = mdf_alloc((size_t)m->patient_count, sizeof *first); /* case + 1 */
    if (first == NULL) {
        return no_memory(err);
    }
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        const mdf_manifest_case *c = &m->cases[i];
        if (c->line != 0 || c->label < 0) {
            continue;
        }
        if (first[c->patient] == 0) {
            first[c->patient] = i + 1;
        } else if (m->cases[first[c->patient] - 1].label != c->label) {
            status = mdf_manifest_note(
                b, MDF_NOTE_ALWAYS, err,
                "%s: the folder '%s' lies below several classes ('%s', '%s'): it is read as one "
                "patient; folders of splits must be called train, val or test",
                m->dirs[c->source], c->patient_id, m->labels[m->cases[first[c->patient] - 1].label],
                m->labels[c->label]);
            break;
        }
    }
    mdf_free(first);
    return status;
}

static mdf_status finish(mdf_manifest_builder *b, mdf_error *err)
{
    sort_labels(b->m);
    MDF_TRY(number_patients(b, err));
    MDF_TRY(note_shared_patients(b, err));
    return mdf_manifest_note_labels(b, err);
}

static mdf_status load_all(mdf_manifest_builder *b, const char *const *dirs, size_t dir_count,
                           mdf_error *err)
{
    mdf_manifest *m = b->m;
    MDF_TRY(mdf_arena_init(&m->arena, 0, 0, err));
    m->labels = mdf_arena_alloc(&m->arena, MDF_MAX_CLASSES, sizeof *m->labels);
    m->dirs = mdf_arena_alloc(&m->arena, dir_count, sizeof *m->dirs);
    if (m->labels == NULL || m->dirs == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < dir_count; i++) {
        m->dirs[i] = mdf_manifest_string(b, dirs[i]);
        if (m->dirs[i] == NULL) {
            return no_memory(err);
        }
        m->dir_count = (int)i + 1;
        b->source = (int)i;
        MDF_TRY(load_dir(b, dirs[i], err));
    }
    return finish(b, err);
}

mdf_status mdf_manifest_load(mdf_manifest *m, const char *const *dirs, size_t dir_count,
                             mdf_error *err)
{
    *m = (mdf_manifest){0};
    if (dir_count == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "no data folder is given");
    }
    mdf_manifest_builder b = {.m = m};
    const mdf_status status = load_all(&b, dirs, dir_count, err);
    if (status != MDF_OK) {
        mdf_manifest_free(m);
    }
    return status;
}

void mdf_manifest_free(mdf_manifest *m)
{
    mdf_free(m->cases);
    mdf_free(m->notes);
    mdf_arena_free(&m->arena);
    *m = (mdf_manifest){0};
}
