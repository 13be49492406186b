/* Labels and splits that are not what they seem: the same word in two spellings, and several
 * diseases in one cell. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "data/manifest_build.h"

enum { LIST_BYTES = 300, SPLITS_MAX = 64 };

#define ALIKE  "%s: the %s '%s' and '%s' differ only by capitals, blanks or hyphens"
#define JOINED "%s: %zu %s several labels in one cell: %s%s"

/* The part of a label up to one of the separators, without blanks around it. */
typedef struct part {
    const char *start;
    size_t len;
} part;

/* Moves *rest behind the part; NULL = that was the last. */
static part next_part(const char **rest, const char *separators)
{
    char copy[MDF_MAX_LABEL_BYTES + 1];
    const char *from = *rest;
    const size_t n = strcspn(from, separators);
    memcpy(copy, from, n);
    copy[n] = '\0';
    const char *start = copy;
    const size_t len = mdf_cell_trim(&start);
    *rest = from[n] == '\0' ? NULL : from + n + 1;
    return (part){from + (start - copy), len};
}

/* -1: it stands nowhere alone. */
static int find_part(const mdf_manifest *m, part p)
{
    for (int i = 0; i < m->label_count; i++) {
        if (strlen(m->labels[i]) == p.len && strncmp(m->labels[i], p.start, p.len) == 0) {
            return i;
        }
    }
    return -1;
}

/* "a|b" and "a;b" are several labels; "a, b" is when a and b stand alone elsewhere. Returns what
 * separates them, NULL: it is one. */
static const char *joined_by(const mdf_manifest *m, const char *label)
{
    size_t parts = 0;
    for (const char *rest = label; rest != NULL;) {
        parts += next_part(&rest, "|;").len != 0 ? 1 : 0;
    }
    if (parts > 1) {
        return "|;";
    }
    parts = 0;
    bool all = true;
    for (const char *rest = label; rest != NULL;) {
        const part p = next_part(&rest, ",");
        parts += p.len != 0 ? 1 : 0;
        all = all && (p.len == 0 || find_part(m, p) >= 0);
    }
    return parts > 1 && all ? "," : NULL;
}

/* "'amd|dr' (2), 'dr;amd' (1)"; returns how many cases those are. */
static size_t list_joined(mdf_strbuf *out, const mdf_manifest *m)
{
    size_t sum = 0;
    for (int k = 0; k < m->label_count; k++) {
        size_t n = 0;
        for (size_t i = 0; i < m->case_count; i++) {
            n += m->cases[i].label == k ? 1 : 0;
        }
        if (n != 0 && joined_by(m, m->labels[k]) != NULL) {
            mdf_strbuf_printf(out, "%s'%s' (%zu)", sum == 0 ? "" : ", ", m->labels[k], n);
            sum += n;
        }
    }
    return sum;
}

/* Two labels that are one in two spellings, by their numbers; false when there are none. */
static bool find_alike(const char *const *names, size_t count, size_t *first, size_t *second)
{
    for (size_t i = *first; i < count; i++) {
        for (size_t k = i == *first ? *second + 1 : i + 1; k < count; k++) {
            if (mdf_cell_alike(names[i], names[k])) {
                *first = i;
                *second = k;
                return true;
            }
        }
    }
    return false;
}

mdf_status mdf_manifest_distinct_labels(const mdf_manifest *m, bool several, mdf_error *err)
{
    size_t i = 0;
    size_t k = 0;
    if (find_alike(m->labels, (size_t)m->label_count, &i, &k)) {
        return mdf_fail(err, MDF_ERR_ARG, ALIKE "; make them one", m->dirs[0], "labels",
                        m->labels[i], m->labels[k]);
    }
    mdf_strbuf list = mdf_strbuf_new(LIST_BYTES);
    const size_t n = several ? 0 : list_joined(&list, m);
    mdf_status status = MDF_OK;
    if (n != 0) {
        status =
            mdf_fail(err, MDF_ERR_ARG,
                     JOINED "; a case has one label, unless train_config.several_labels is true",
                     m->dirs[0], n, n == 1 ? "case has" : "cases have",
                     list.data == NULL ? "" : list.data, list.failed ? ", ..." : "");
    }
    mdf_strbuf_free(&list);
    return status;
}

/* The number of a part, which is put into the table if it is not there. */
static mdf_status number_of(int *number, mdf_manifest *m, part p, mdf_error *err)
{
    char name[MDF_MAX_LABEL_BYTES + 1];
    *number = find_part(m, p);
    if (*number >= 0) {
        return MDF_OK;
    }
    if (m->label_count >= MDF_MAX_CLASSES) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: more than %d labels", m->dirs[0], MDF_MAX_CLASSES);
    }
    memcpy(name, p.start, p.len);
    name[p.len] = '\0';
    mdf_manifest_builder b = {.m = m};
    const char **table = mdf_arena_alloc(&m->arena, (size_t)m->label_count + 1, sizeof *table);
    const char *own = mdf_manifest_string(&b, name);
    if (table == NULL || own == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the labels");
    }
    memcpy(table, m->labels, (size_t)m->label_count * sizeof *table);
    table[m->label_count] = own;
    *number = m->label_count++;
    m->labels = table;
    return MDF_OK;
}

/* Labels that a model has. */
typedef struct known_labels {
    const char *const *name;
    size_t count;
} known_labels;

static bool is_known(const known_labels *k, part p)
{
    for (size_t i = 0; i < k->count; i++) {
        if (strlen(k->name[i]) == p.len && strncmp(k->name[i], p.start, p.len) == 0) {
            return true;
        }
    }
    return false;
}

/* Appends the case once for each part of cell that `only` (NULL: any) has. */
static mdf_status add_parts(mdf_manifest_case *out, size_t *count, mdf_manifest *m,
                            const mdf_manifest_case *c, const char *cell, const char *by,
                            const known_labels *only, mdf_error *err)
{
    const size_t first = *count;
    for (const char *rest = cell; rest != NULL;) {
        const part p = next_part(&rest, by);
        int number = 0;
        if (p.len == 0 || (only != NULL && !is_known(only, p))) {
            continue;
        }
        MDF_TRY(number_of(&number, m, p, err));
        bool again = false;
        for (size_t i = first; i < *count; i++) {
            again = again || out[i].label == number;
        }
        if (!again) {
            out[*count] = *c;
            out[(*count)++].label = number;
        }
    }
    return MDF_OK;
}

/* Appends the case to out, once for each of its labels. */
static mdf_status separate(mdf_manifest_case *out, size_t *count, mdf_manifest *m,
                           const mdf_manifest_case *c, const known_labels *known, mdf_error *err)
{
    const char *label = c->label < 0 ? NULL : m->labels[c->label];
    const char *by = label == NULL ? NULL : joined_by(m, label);
    if (by != NULL) {
        return add_parts(out, count, m, c, label, by, NULL, err);
    }
    const size_t before = *count;
    if (label != NULL && c->labels_all != NULL && known->count > 0 &&
        !is_known(known, (part){label, strlen(label)})) {
        MDF_TRY(add_parts(out, count, m, c, c->labels_all, "|;", known, err));
    }
    if (*count == before) {
        out[(*count)++] = *c;
    }
    return MDF_OK;
}

/* Labels that a case may become, at most. */
static size_t room_of(const mdf_manifest *m, const mdf_manifest_case *c)
{
    const size_t label = c->label < 0 ? 0 : strlen(m->labels[c->label]);
    const size_t all = c->labels_all == NULL ? 0 : strlen(c->labels_all);
    return 1 + (label > all ? label : all) / 2;
}

mdf_status mdf_manifest_separate_labels(mdf_manifest *m, const char *const *known, size_t count,
                                        mdf_error *err)
{
    size_t room = 1;
    for (size_t i = 0; i < m->case_count; i++) {
        room += room_of(m, &m->cases[i]);
    }
    mdf_manifest_case *cases = mdf_alloc(room, sizeof *cases);
    size_t n = 0;
    mdf_status status =
        cases == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the cases") : MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        status = separate(cases, &n, m, &m->cases[i], &(known_labels){known, count}, err);
    }
    if (status != MDF_OK) {
        mdf_free(cases);
        return status;
    }
    mdf_free(m->cases);
    m->cases = cases;
    m->case_count = n;
    return MDF_OK;
}

static mdf_status note_alike(mdf_manifest_builder *b, const char *what, const char *const *names,
                             size_t count, mdf_error *err)
{
    size_t i = 0;
    size_t k = 0;
    while (find_alike(names, count, &i, &k)) {
        MDF_TRY(mdf_manifest_note(b, MDF_NOTE_ALWAYS, err, ALIKE, b->m->dirs[0], what, names[i],
                                  names[k]));
    }
    return MDF_OK;
}

static size_t find_splits(const mdf_manifest *m, const char *splits[SPLITS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < m->case_count; i++) {
        size_t s = 0;
        while (s < count && strcmp(splits[s], m->cases[i].split) != 0) {
            s++;
        }
        if (s == count && count < SPLITS_MAX) {
            splits[count++] = m->cases[i].split;
        }
    }
    return count;
}

mdf_status mdf_manifest_note_labels(mdf_manifest_builder *b, mdf_error *err)
{
    const char *splits[SPLITS_MAX];
    MDF_TRY(note_alike(b, "labels", b->m->labels, (size_t)b->m->label_count, err));
    MDF_TRY(note_alike(b, "splits", splits, find_splits(b->m, splits), err));
    mdf_strbuf list = mdf_strbuf_new(LIST_BYTES);
    mdf_status status = MDF_OK;
    const size_t n = list_joined(&list, b->m);
    if (n != 0) {
        status = mdf_manifest_note(b, MDF_NOTE_ALWAYS, err, JOINED, b->m->dirs[0], n,
                                   n == 1 ? "case has" : "cases have",
                                   list.data == NULL ? "" : list.data, list.failed ? ", ..." : "");
    }
    mdf_strbuf_free(&list);
    return status;
}
