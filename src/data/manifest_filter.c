/* Choosing cases by split and label. Filters only shrink or renumber; a failed one changes
 * nothing. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "data/manifest.h"
#include "data/manifest_build.h"

size_t mdf_manifest_count(const mdf_manifest *m, const char *split)
{
    size_t n = 0;
    for (size_t i = 0; i < m->case_count; i++) {
        n += split == NULL || strcmp(m->cases[i].split, split) == 0 ? 1 : 0;
    }
    return n;
}

enum { LIST_MAX = 300, SPLITS_SHOWN = 8 };

/* "train (12), val (3)"; a split without a name is "(none)". */
static void list_splits(mdf_strbuf *b, const mdf_manifest *m)
{
    const char *seen[SPLITS_SHOWN];
    size_t count = 0;
    for (size_t i = 0; i < m->case_count && count < SPLITS_SHOWN; i++) {
        const char *split = m->cases[i].split;
        bool known = false;
        for (size_t k = 0; k < count; k++) {
            known = known || strcmp(seen[k], split) == 0;
        }
        if (!known) {
            mdf_strbuf_printf(b, "%s%s (%zu)", count == 0 ? "" : ", ",
                              split[0] == '\0' ? "(none)" : split, mdf_manifest_count(m, split));
            seen[count++] = split;
        }
    }
}

mdf_status mdf_manifest_keep_split(mdf_manifest *m, const char *split, mdf_error *err)
{
    const char *dir = m->dir_count > 0 ? m->dirs[0] : "the data";
    if (m->case_count > 0 && mdf_manifest_count(m, "") == m->case_count && split[0] != '\0') {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: no case has the split '%s': the data is not split; 'mdf data split' "
                        "does that",
                        dir, split);
    }
    if (mdf_manifest_count(m, split) == 0) {
        mdf_strbuf list = mdf_strbuf_new(LIST_MAX);
        list_splits(&list, m);
        const mdf_status status =
            mdf_fail(err, MDF_ERR_ARG, "%s: no case has the split '%s'; the splits are: %s", dir,
                     split, list.data == NULL ? "none" : list.data);
        mdf_strbuf_free(&list);
        return status;
    }
    size_t kept = 0;
    for (size_t i = 0; i < m->case_count; i++) {
        if (strcmp(m->cases[i].split, split) == 0) {
            m->cases[kept++] = m->cases[i];
        }
    }
    m->case_count = kept;
    return MDF_OK;
}

static int find_label(const char *const *labels, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(labels[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void list_labels(mdf_strbuf *b, const char *const *labels, size_t count)
{
    for (size_t i = 0; i < count && !b->failed; i++) {
        mdf_strbuf_printf(b, "%s%s", i == 0 ? "" : ", ", labels[i]);
    }
}

static mdf_status fail_with_labels(mdf_error *err, const char *sentence, const char *const *labels,
                                   size_t count)
{
    mdf_strbuf list = mdf_strbuf_new(LIST_MAX);
    list_labels(&list, labels, count);
    const mdf_status status =
        mdf_fail(err, MDF_ERR_ARG, "%s: %s%s", sentence, list.data == NULL ? "none" : list.data,
                 list.failed ? ", ..." : "");
    mdf_strbuf_free(&list);
    return status;
}

/* Copies the new table into the arena. */
static mdf_status new_table(mdf_manifest *m, const char *const *labels, size_t count,
                            const char ***out, mdf_error *err)
{
    if (count == 0 || count > MDF_MAX_CLASSES) {
        return mdf_fail(err, MDF_ERR_ARG, "%zu labels are given; 1 to %d are allowed", count,
                        MDF_MAX_CLASSES);
    }
    mdf_manifest_builder b = {.m = m};
    const char **table = mdf_arena_alloc(&m->arena, count, sizeof *table);
    for (size_t i = 0; table != NULL && i < count; i++) {
        if (find_label(labels, i, labels[i]) >= 0) {
            return mdf_fail(err, MDF_ERR_ARG, "the label '%s' is given twice", labels[i]);
        }
        table[i] = mdf_manifest_string(&b, labels[i]);
        if (table[i] == NULL) {
            table = NULL;
        }
    }
    *out = table;
    return table == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %zu labels", count)
                         : MDF_OK;
}

/* Renumbers by the new table; unknown labels become -1. */
static void apply_table(mdf_manifest *m, const char **table, size_t count)
{
    int number[MDF_MAX_CLASSES] = {0};
    for (int i = 0; i < m->label_count; i++) {
        number[i] = find_label(table, count, m->labels[i]);
    }
    for (size_t i = 0; i < m->case_count; i++) {
        m->cases[i].label = m->cases[i].label < 0 ? -1 : number[m->cases[i].label];
    }
    m->labels = table;
    m->label_count = (int)count;
}

void mdf_manifest_masks_only(mdf_manifest *m, int first)
{
    for (size_t i = 0; i < m->case_count; i++) {
        if (m->cases[i].source >= first) {
            m->cases[i].label = -1;
            m->cases[i].masks_only = true;
        }
    }
}

void mdf_manifest_drop_masks_only(mdf_manifest *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->case_count; i++) {
        if (!m->cases[i].masks_only) {
            m->cases[kept++] = m->cases[i];
        }
    }
    m->case_count = kept;
}

void mdf_manifest_keep_labelled(mdf_manifest *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->case_count; i++) {
        if (m->cases[i].label >= 0) {
            m->cases[kept++] = m->cases[i];
        }
    }
    m->case_count = kept;
}

mdf_status mdf_manifest_keep_labels(mdf_manifest *m, const char *const *labels, size_t count,
                                    mdf_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (find_label(m->labels, (size_t)m->label_count, labels[i]) < 0) {
            char text[MDF_MAX_LABEL_BYTES + 64];
            (void)snprintf(text, sizeof text, "no case has the label '%.*s'; the labels are",
                           MDF_MAX_LABEL_BYTES, labels[i]);
            return fail_with_labels(err, text, m->labels, (size_t)m->label_count);
        }
    }
    const char **table = NULL;
    MDF_TRY(new_table(m, labels, count, &table, err));
    apply_table(m, table, count);
    mdf_manifest_keep_labelled(m);
    return MDF_OK;
}

mdf_status mdf_manifest_use_labels(mdf_manifest *m, const char *const *labels, size_t count,
                                   mdf_error *err)
{
    for (int k = 0; k < m->label_count; k++) {
        if (find_label(labels, count, m->labels[k]) >= 0) {
            continue;
        }
        size_t n = 0;
        const char *first = "";
        for (size_t i = 0; i < m->case_count; i++) {
            if (m->cases[i].label == k) {
                first = n == 0 ? m->cases[i].path : first;
                n++;
            }
        }
        if (n != 0) {
            char text[400];
            (void)snprintf(text, sizeof text,
                           "the label '%s' of %zu case%s (first: %.200s) is not one of",
                           m->labels[k], n, n == 1 ? "" : "s", first);
            return fail_with_labels(err, text, labels, count);
        }
    }
    const char **table = NULL;
    MDF_TRY(new_table(m, labels, count, &table, err));
    apply_table(m, table, count);
    return MDF_OK;
}

static mdf_status copy_cases(mdf_manifest_builder *b, const mdf_manifest *m)
{
    bool ok = true;
    for (size_t i = 0; ok && i < m->case_count; i++) {
        const mdf_manifest_case *from = &m->cases[i];
        mdf_manifest_case *c = &b->m->cases[i];
        *c = *from;
        c->path = mdf_manifest_string(b, from->path);
        c->file_name = mdf_manifest_string(b, from->file_name);
        c->split = mdf_manifest_string(b, from->split);
        c->patient_id = mdf_manifest_string(b, from->patient_id);
        c->text = mdf_manifest_string(b, from->text);
        c->labels_all = mdf_manifest_string(b, from->labels_all);
        ok = c->path != NULL && c->file_name != NULL && c->split != NULL && c->patient_id != NULL &&
             c->text != NULL && c->labels_all != NULL;
        for (int k = 0; ok && k < MDF_MASK_NAMES; k++) {
            c->mask[k] = from->mask[k] == NULL ? NULL : mdf_manifest_string(b, from->mask[k]);
            ok = c->mask[k] != NULL || from->mask[k] == NULL;
        }
        ok = ok && mdf_manifest_set_boxes(b, c, from->boxes, from->box_count);
    }
    return ok ? MDF_OK : MDF_ERR_NOMEM;
}

mdf_status mdf_manifest_copy(mdf_manifest *out, const mdf_manifest *m, mdf_error *err)
{
    *out = (mdf_manifest){0};
    MDF_TRY(mdf_arena_init(&out->arena, 0, 0, err));
    mdf_manifest_builder b = {.m = out};
    out->cases = mdf_alloc(m->case_count, sizeof *out->cases);
    out->labels = mdf_arena_alloc(&out->arena, (size_t)m->label_count, sizeof *out->labels);
    out->dirs = mdf_arena_alloc(&out->arena, (size_t)m->dir_count, sizeof *out->dirs);
    bool ok = out->cases != NULL && out->labels != NULL && out->dirs != NULL &&
              copy_cases(&b, m) == MDF_OK;
    for (int i = 0; ok && i < m->label_count; i++) {
        out->labels[i] = mdf_manifest_string(&b, m->labels[i]);
        ok = out->labels[i] != NULL;
    }
    for (int i = 0; ok && i < m->dir_count; i++) {
        out->dirs[i] = mdf_manifest_string(&b, m->dirs[i]);
        ok = out->dirs[i] != NULL;
    }
    if (!ok) {
        mdf_manifest_free(out);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of cases");
    }
    out->case_count = m->case_count;
    out->label_count = m->label_count;
    out->dir_count = m->dir_count;
    out->patient_count = m->patient_count;
    out->without_patient = m->without_patient;
    return MDF_OK;
}
