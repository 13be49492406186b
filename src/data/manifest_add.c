/* One case at a time into a manifest: what tables and class folders share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "data/manifest_build.h"

enum { POOL_BYTES = 1 << 16 };

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of cases");
}

const char *mdf_manifest_strndup(mdf_manifest_builder *b, const char *s, size_t len)
{
    const size_t n = len + 1;
    if (n > POOL_BYTES / 8) {
        return mdf_arena_strndup(&b->m->arena, s, len);
    }
    if (n > b->pool_left) {
        b->pool = mdf_arena_alloc(&b->m->arena, POOL_BYTES, 1);
        b->pool_left = b->pool == NULL ? 0 : POOL_BYTES;
        if (b->pool == NULL) {
            return NULL;
        }
    }
    char *p = b->pool;
    memcpy(p, s, len);
    p[len] = '\0';
    b->pool += n;
    b->pool_left -= n;
    return p;
}

const char *mdf_manifest_string(mdf_manifest_builder *b, const char *s)
{
    return mdf_manifest_strndup(b, s, strlen(s));
}

static bool is_empty(const char *s)
{
    return s == NULL || s[0] == '\0';
}

/* Names become labels, rows of JSON and lines of tables. */
static bool is_utf8(const char *s)
{
    const size_t n = s == NULL ? 0 : strlen(s);
    return n == 0 || mdf_utf8_check((const uint8_t *)s, n) == n;
}

/* "metadata.csv line 7" or the file's name, for the start of a sentence. */
static mdf_status fail_row(const mdf_manifest_builder *b, const char *file_name, mdf_status code,
                           mdf_error *err, const char *what)
{
    if (b->table != NULL) {
        return mdf_fail(err, code, "%s line %zu: %s", b->table, b->line, what);
    }
    return mdf_fail(err, code, "%s/%s: %s", b->base, file_name, what);
}

static mdf_status add_label(mdf_manifest_builder *b, const char *file_name, const char *label,
                            int *out, mdf_error *err)
{
    mdf_manifest *m = b->m;
    *out = -1;
    if (is_empty(label)) {
        return MDF_OK;
    }
    for (int i = 0; i < m->label_count; i++) {
        if (strcmp(m->labels[i], label) == 0) {
            *out = i;
            return MDF_OK;
        }
    }
    if (strlen(label) > MDF_MAX_LABEL_BYTES) {
        return fail_row(b, file_name, MDF_ERR_LIMIT, err, "the label is longer than the limit");
    }
    if (m->label_count == MDF_MAX_CLASSES) {
        return fail_row(b, file_name, MDF_ERR_LIMIT, err,
                        "more different labels than the limit of classes; is the label column "
                        "the right one?");
    }
    const char *copy = mdf_manifest_string(b, label);
    if (copy == NULL) {
        return no_memory(err);
    }
    *out = m->label_count;
    m->labels[m->label_count++] = copy;
    return MDF_OK;
}

static mdf_eye parse_eye(const char *s)
{
    static const char *const left[] = {"left", "Left", "LEFT", "os", "OS", "l", "L"};
    static const char *const right[] = {"right", "Right", "RIGHT", "od", "OD", "r", "R"};
    if (is_empty(s)) {
        return MDF_EYE_UNKNOWN;
    }
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        if (strcmp(s, left[i]) == 0) {
            return MDF_EYE_LEFT;
        }
        if (strcmp(s, right[i]) == 0) {
            return MDF_EYE_RIGHT;
        }
    }
    return MDF_EYE_UNKNOWN;
}

/* base/name as a manifest string; counts it when no such file exists. */
static mdf_status add_path(mdf_manifest_builder *b, const char *name, const char **out,
                           mdf_error *err)
{
    char *joined = mdf_path_join(b->base, name);
    *out = joined == NULL ? NULL : mdf_manifest_string(b, joined);
    const bool exists = joined != NULL && mdf_path_exists(joined);
    mdf_free(joined);
    if (*out == NULL) {
        return no_memory(err);
    }
    if (!exists) {
        if (b->missing_count < MDF_MANIFEST_MISSING_SHOWN) {
            b->missing[b->missing_count] = *out;
        }
        b->missing_count++;
    }
    return MDF_OK;
}

static mdf_status new_case(mdf_manifest_builder *b, mdf_manifest_case **out, mdf_error *err)
{
    mdf_manifest *m = b->m;
    if (m->case_count == MDF_MAX_CASES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "more than the limit of %d cases", MDF_MAX_CASES);
    }
    if (m->case_count == b->capacity) {
        const size_t capacity = b->capacity == 0 ? 256 : b->capacity * 2;
        mdf_manifest_case *grown = mdf_grow(m->cases, m->case_count, capacity, sizeof *m->cases);
        if (grown == NULL) {
            return no_memory(err);
        }
        m->cases = grown;
        b->capacity = capacity;
    }
    *out = &m->cases[m->case_count];
    **out = (mdf_manifest_case){.label = -1};
    return MDF_OK;
}

/* Rows without a split, and neighbours with the same one, share a string. */
static const char *split_string(mdf_manifest_builder *b, const char *split)
{
    const mdf_manifest *m = b->m;
    if (m->case_count != 0 && strcmp(m->cases[m->case_count - 1].split, split) == 0) {
        return m->cases[m->case_count - 1].split;
    }
    return mdf_manifest_string(b, split);
}

/* A cell without the blanks around it; NULL when nothing is left or it is a word for that. */
static mdf_status clean(mdf_manifest_builder *b, mdf_column column, const char **cell,
                        mdf_error *err)
{
    const char *s = *cell;
    *cell = NULL;
    const size_t len = s == NULL ? 0 : mdf_cell_trim(&s);
    if (len == 0) {
        return MDF_OK;
    }
    const int word = mdf_cell_missing_word(s);
    const char *copy = s;
    if (s[len] != '\0' || (word >= 0 && b->missing_words[column][word] == 0)) {
        copy = mdf_manifest_strndup(b, s, len);
        if (copy == NULL) {
            return no_memory(err);
        }
    }
    if (word < 0) {
        *cell = copy;
    } else if (b->missing_words[column][word]++ == 0) {
        b->missing_first[column][word] = copy;
    }
    return MDF_OK;
}

/* All but the name of the file, which may end in a blank, and the text, of which only an empty one
 * goes. */
static mdf_status clean_row(mdf_manifest_builder *b, const char *row[MDF_COLUMN_COUNT],
                            mdf_error *err)
{
    for (int k = 0; k < MDF_COLUMN_COUNT; k++) {
        const char *cell = row[k];
        if (k != MDF_COLUMN_FILE_NAME) {
            MDF_TRY(clean(b, (mdf_column)k, &row[k], err));
        }
        if (k == MDF_COLUMN_TEXT && row[k] != NULL) {
            row[k] = cell;
        }
    }
    const char *split = row[MDF_COLUMN_SPLIT];
    if (split != NULL && strcmp(mdf_cell_split(split), split) != 0) {
        if (b->recased_count++ == 0) {
            b->recased_first = mdf_manifest_string(b, split);
        }
        row[MDF_COLUMN_SPLIT] = mdf_cell_split(split);
        return b->recased_first == NULL ? no_memory(err) : MDF_OK;
    }
    return MDF_OK;
}

static mdf_status check_row(const mdf_manifest_builder *b, const char *const row[MDF_COLUMN_COUNT],
                            mdf_error *err)
{
    const char *file_name = row[MDF_COLUMN_FILE_NAME];
    if (is_empty(file_name)) {
        return fail_row(b, file_name, MDF_ERR_FORMAT, err, "file_name is empty");
    }
    if (!is_utf8(file_name) || !is_utf8(row[MDF_COLUMN_LABEL]) || !is_utf8(row[MDF_COLUMN_SPLIT]) ||
        !is_utf8(row[MDF_COLUMN_PATIENT_ID])) {
        return fail_row(b, file_name, MDF_ERR_FORMAT, err,
                        "the name of the file or folder is not UTF-8");
    }
    if (!is_empty(row[MDF_COLUMN_TEXT]) && strlen(row[MDF_COLUMN_TEXT]) > MDF_MAX_TEXT_BYTES) {
        return fail_row(b, file_name, MDF_ERR_LIMIT, err, "the text is longer than the limit");
    }
    return MDF_OK;
}

/* A number of pixels; the whole cell. */
static bool parse_pixels(double *out, const char *cell)
{
    char *end = NULL;
    *out = strtod(cell, &end);
    return end != cell && *end == '\0' && isfinite(*out) && fabs(*out) < 1e6;
}

static mdf_status add_disc_centre(mdf_manifest_builder *b, mdf_manifest_case *c,
                                  const char *const row[MDF_COLUMN_COUNT], mdf_error *err)
{
    const char *x = row[MDF_COLUMN_DISC_X];
    const char *y = row[MDF_COLUMN_DISC_Y];
    if (is_empty(x) && is_empty(y)) {
        return MDF_OK;
    }
    if (is_empty(x) || is_empty(y) || !parse_pixels(&c->disc_x, x) ||
        !parse_pixels(&c->disc_y, y)) {
        return fail_row(b, row[MDF_COLUMN_FILE_NAME], MDF_ERR_FORMAT, err,
                        "optic_disc_x and optic_disc_y are two numbers of pixels, or both empty");
    }
    c->has_disc_centre = true;
    return MDF_OK;
}

static mdf_status add_masks(mdf_manifest_builder *b, mdf_manifest_case *c,
                            const char *const row[MDF_COLUMN_COUNT], mdf_error *err)
{
    for (int k = 0; k < MDF_MASK_NAMES; k++) {
        if (row[MDF_COLUMN_MASKS + k] != NULL) {
            MDF_TRY(add_path(b, row[MDF_COLUMN_MASKS + k], &c->mask[k], err));
        }
    }
    return MDF_OK;
}

mdf_status mdf_manifest_add(mdf_manifest_builder *b, const char *const found[MDF_COLUMN_COUNT],
                            mdf_error *err)
{
    const char *row[MDF_COLUMN_COUNT];
    memcpy(row, found, sizeof row);
    MDF_TRY(check_row(b, row, err));
    MDF_TRY(clean_row(b, row, err));
    mdf_manifest_case *c = NULL;
    MDF_TRY(new_case(b, &c, err));
    MDF_TRY(add_label(b, row[MDF_COLUMN_FILE_NAME], row[MDF_COLUMN_LABEL], &c->label, err));
    MDF_TRY(add_path(b, row[MDF_COLUMN_FILE_NAME], &c->path, err));
    MDF_TRY(add_masks(b, c, row, err));
    MDF_TRY(add_disc_centre(b, c, row, err));
    const char *split = row[MDF_COLUMN_SPLIT] != NULL ? row[MDF_COLUMN_SPLIT] : b->split;
    const char *text = row[MDF_COLUMN_TEXT];
    const char *patient = row[MDF_COLUMN_PATIENT_ID];
    c->file_name = mdf_manifest_string(b, row[MDF_COLUMN_FILE_NAME]);
    c->split = split_string(b, split == NULL ? "" : split);
    c->text = mdf_manifest_string(b, text == NULL ? "" : text);
    c->patient_id = mdf_manifest_string(b, patient == NULL ? "" : patient);
    const char *all = row[MDF_COLUMN_LABELS_ALL];
    c->labels_all = mdf_manifest_string(b, all == NULL ? "" : all);
    if (c->file_name == NULL || c->split == NULL || c->text == NULL || c->patient_id == NULL ||
        c->labels_all == NULL) {
        return no_memory(err);
    }
    c->eye = parse_eye(row[MDF_COLUMN_EYE]);
    c->source = b->source;
    c->row = b->row;
    c->line = b->line;
    b->m->case_count++;
    return MDF_OK;
}
