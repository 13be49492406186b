/* metadata.csv and metadata.jsonl. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "data/manifest_build.h"
#include "io/csv.h"
#include "io/text.h"

enum { UNKNOWN_MAX = MDF_CSV_MAX_COLUMNS, LIST_BYTES = 300 };

/* What a table's columns, or the keys of its lines, turned out to be. */
typedef struct columns {
    const char *seen[MDF_COLUMN_COUNT]; /* as the table writes it; NULL = not there */
    const char **unknown;               /* [unknown_count] names that are no column of mdf's */
    size_t unknown_count;
} columns;

static mdf_status no_memory(const mdf_manifest_builder *b, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the table", b->table);
}

static mdf_status add_unknown(mdf_manifest_builder *b, columns *c, const char *name, mdf_error *err)
{
    for (size_t i = 0; i < c->unknown_count; i++) {
        if (strcmp(c->unknown[i], name) == 0) {
            return MDF_OK;
        }
    }
    if (c->unknown_count == UNKNOWN_MAX) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s line %zu: more different keys than the limit of %d",
                        b->table, b->line, UNKNOWN_MAX);
    }
    c->unknown[c->unknown_count] = mdf_manifest_string(b, name);
    return c->unknown[c->unknown_count++] == NULL ? no_memory(b, err) : MDF_OK;
}

/* A name that is none of mdf's columns: refused, named alone, or put on the list of the others. A
 * slip of patient_id is refused, because pictures of a patient would part without a word. */
static mdf_status judge_name(mdf_manifest_builder *b, const columns *c, const char *name,
                             mdf_strbuf *others, mdf_error *err)
{
    bool is_slip = false;
    const int meant = mdf_column_meant(name, &is_slip);
    if (meant < 0 || c->seen[meant] != NULL) {
        mdf_strbuf_printf(others, "%s%s", others->len == 0 ? "" : ", ",
                          name[0] == '\0' ? "(one without a name)" : name);
        return MDF_OK;
    }
    if (meant == MDF_COLUMN_PATIENT_ID && is_slip) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: the column '%s' is not read; did you mean patient_id? Rename it, so "
                        "that the pictures of a patient stay together",
                        b->table, name);
    }
    return mdf_manifest_note(b, MDF_NOTE_ALWAYS, err,
                             "%s: the column '%s' is not read; did you mean %s?", b->table, name,
                             mdf_column_names[meant]);
}

static mdf_status judge_columns(mdf_manifest_builder *b, const columns *c, mdf_error *err)
{
    mdf_strbuf others = mdf_strbuf_new(LIST_BYTES);
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < c->unknown_count; i++) {
        status = judge_name(b, c, c->unknown[i], &others, err);
    }
    if (status == MDF_OK && (others.len != 0 || others.failed)) {
        status = mdf_manifest_note(
            b, MDF_NOTE_TRAIN, err, "%s: columns that mdf does not read: %s%s", b->table,
            others.data == NULL ? "" : others.data, others.failed ? ", ..." : "");
    }
    mdf_strbuf_free(&others);
    return status;
}

static mdf_status fail_twice(const mdf_manifest_builder *b, int column, const char *first,
                             const char *second, mdf_error *err)
{
    if (strcmp(first, second) == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: the column %s stands there twice", b->table,
                        mdf_column_names[column]);
    }
    return mdf_fail(err, MDF_ERR_FORMAT, "%s: the columns '%s' and '%s' are both %s", b->table,
                    first, second, mdf_column_names[column]);
}

static mdf_status fail_no_file_name(const char *path, const mdf_csv *t, mdf_error *err)
{
    mdf_strbuf list = mdf_strbuf_new(LIST_BYTES);
    const char *hint = NULL;
    for (size_t c = 0; c < t->column_count; c++) {
        bool is_slip = false;
        mdf_strbuf_printf(&list, "%s%s", c == 0 ? "" : ", ", t->header[c]);
        if (hint == NULL && mdf_column_meant(t->header[c], &is_slip) == MDF_COLUMN_FILE_NAME) {
            hint = t->header[c];
        }
    }
    const mdf_status status =
        mdf_fail(err, MDF_ERR_FORMAT, "%s: no column file_name; the columns are: %s%s%s%s%s", path,
                 list.data == NULL ? "" : list.data, list.failed ? ", ..." : "",
                 hint == NULL ? "" : "; is '", hint == NULL ? "" : hint,
                 hint == NULL ? "" : "' what you mean?");
    mdf_strbuf_free(&list);
    return status;
}

static mdf_status find_columns(mdf_manifest_builder *b, const mdf_csv *t, columns *c,
                               int column[MDF_COLUMN_COUNT], mdf_error *err)
{
    for (int k = 0; k < MDF_COLUMN_COUNT; k++) {
        column[k] = -1;
    }
    for (size_t i = 0; i < t->column_count; i++) {
        const int k = mdf_column_find(t->header[i]);
        if (k < 0) {
            MDF_TRY(add_unknown(b, c, t->header[i], err));
            continue;
        }
        if (column[k] >= 0) {
            return fail_twice(b, k, t->header[column[k]], t->header[i], err);
        }
        column[k] = (int)i;
        c->seen[k] = mdf_column_names[k];
    }
    return column[MDF_COLUMN_FILE_NAME] < 0 ? fail_no_file_name(b->table, t, err) : MDF_OK;
}

static mdf_status add_csv(mdf_manifest_builder *b, const mdf_csv *t, columns *c, mdf_error *err)
{
    int column[MDF_COLUMN_COUNT];
    MDF_TRY(find_columns(b, t, c, column, err));
    for (size_t r = 0; r < t->row_count; r++) {
        const char *value[MDF_COLUMN_COUNT];
        for (size_t k = 0; k < MDF_COLUMN_COUNT; k++) {
            value[k] = column[k] < 0 ? NULL : mdf_csv_cell(t, r, (size_t)column[k]);
        }
        b->row = r;
        b->line = t->line[r];
        MDF_TRY(mdf_manifest_add(b, value, err));
    }
    if (t->blank_rows != 0) {
        MDF_TRY(mdf_manifest_note(
            b, MDF_NOTE_CHECK, err, "%s: %zu %s skipped", b->table, t->blank_rows,
            t->blank_rows == 1 ? "row without any content is" : "rows without any content are"));
    }
    return MDF_OK;
}

static mdf_status read_csv(mdf_manifest_builder *b, const uint8_t *data, size_t len, columns *c,
                           mdf_error *err)
{
    mdf_csv t;
    MDF_TRY(mdf_csv_parse(&t, b->table, data, len, err));
    const mdf_status status = add_csv(b, &t, c, err);
    mdf_csv_free(&t);
    return status;
}

/* Text of a string or whole number (labels and patients are often numbers); number is room for the
 * latter. */
static mdf_status json_cell(const mdf_manifest_builder *b, const json_t *v, const char *key,
                            char number[32], const char **out, mdf_error *err)
{
    *out = NULL;
    if (json_is_null(v)) {
        return MDF_OK;
    }
    if (json_is_integer(v)) {
        (void)snprintf(number, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        *out = number;
        return MDF_OK;
    }
    if (!json_is_string(v)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: %s is neither text nor a whole number",
                        b->table, b->line, key);
    }
    *out = json_string_value(v);
    return MDF_OK;
}

static mdf_status add_json(mdf_manifest_builder *b, json_t *object, columns *c, mdf_error *err)
{
    if (!json_is_object(object)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: not a JSON object", b->table, b->line);
    }
    const char *value[MDF_COLUMN_COUNT] = {NULL};
    const char *here[MDF_COLUMN_COUNT] = {NULL};
    char number[MDF_COLUMN_COUNT][32];
    const char *key = NULL;
    json_t *v = NULL;
    json_object_foreach(object, key, v)
    {
        const int k = mdf_column_find(key);
        if (k < 0) {
            MDF_TRY(add_unknown(b, c, key, err));
            continue;
        }
        if (here[k] != NULL) {
            return fail_twice(b, k, here[k], key, err);
        }
        here[k] = key;
        c->seen[k] = mdf_column_names[k];
        MDF_TRY(json_cell(b, v, mdf_column_names[k], number[k], &value[k], err));
    }
    if (here[MDF_COLUMN_FILE_NAME] == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: no key file_name", b->table, b->line);
    }
    return mdf_manifest_add(b, value, err);
}

static bool is_blank_line(const char *line, size_t n)
{
    size_t i = 0;
    while (i < n && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r')) {
        i++;
    }
    return i == n;
}

static mdf_status read_jsonl(mdf_manifest_builder *b, const uint8_t *data, size_t len, columns *c,
                             mdf_error *err)
{
    MDF_TRY(mdf_text_check(b->table, data, len, err));
    size_t at = mdf_text_mark(data, len);
    b->row = 0;
    for (b->line = 1; at < len; b->line++) {
        const uint8_t *end = memchr(data + at, '\n', len - at);
        const size_t n = end == NULL ? len - at : (size_t)(end - (data + at));
        const char *line = (const char *)data + at;
        at += n + 1;
        if (is_blank_line(line, n)) {
            continue;
        }
        json_error_t je;
        json_t *object = json_loadb(line, n, JSON_REJECT_DUPLICATES, &je);
        if (object == NULL) {
            return mdf_fail_at(err, MDF_ERR_FORMAT, at - n - 1, "%s line %zu: bad JSON: %.200s",
                               b->table, b->line, je.text);
        }
        const mdf_status status = add_json(b, object, c, err);
        json_decref(object);
        MDF_TRY(status);
        b->row++;
    }
    return MDF_OK;
}

/* The split that a file name begins with ("train/1.jpg"), or NULL. */
static const char *split_of_name(const char *name)
{
    char first[16];
    name += strncmp(name, "./", 2) == 0 ? 2 : 0;
    const size_t n = strcspn(name, "/");
    if (name[n] == '\0' || n >= sizeof first) {
        return NULL;
    }
    memcpy(first, name, n);
    first[n] = '\0';
    const char *split = mdf_cell_split(first);
    return split == first ? NULL : split;
}

/* Without a column split the folders of the files are the splits, as Hugging Face reads them. */
static mdf_status take_splits(mdf_manifest_builder *b, size_t first_case, mdf_error *err)
{
    size_t n = 0;
    for (size_t i = first_case; i < b->m->case_count; i++) {
        const char *split = split_of_name(b->m->cases[i].file_name);
        b->m->cases[i].split = split == NULL ? b->m->cases[i].split : split;
        n += split != NULL ? 1 : 0;
    }
    return n == 0 ? MDF_OK
                  : mdf_manifest_note(b, MDF_NOTE_ALWAYS, err,
                                      "%s: there is no column split; %zu of %zu cases have the "
                                      "split of the folder that their file name begins with",
                                      b->table, n, b->m->case_count - first_case);
}

static mdf_status read_bytes(mdf_manifest_builder *b, const uint8_t *data, size_t len, bool is_csv,
                             mdf_error *err)
{
    columns c = {.unknown = mdf_alloc(UNKNOWN_MAX, sizeof *c.unknown)};
    const size_t first_case = b->m->case_count;
    if (c.unknown == NULL) {
        return no_memory(b, err);
    }
    mdf_status status =
        is_csv ? read_csv(b, data, len, &c, err) : read_jsonl(b, data, len, &c, err);
    if (status == MDF_OK) {
        status = judge_columns(b, &c, err);
    }
    if (status == MDF_OK && c.seen[MDF_COLUMN_SPLIT] == NULL && b->split == NULL) {
        status = take_splits(b, first_case, err);
    }
    mdf_free(c.unknown);
    return status;
}

static mdf_status read_file(mdf_manifest_builder *b, const char *dir, const char *path, bool is_csv,
                            mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    MDF_TRY(mdf_file_read(path, MDF_MAX_TABLE_BYTES, &data, &len, err));
    b->base = dir;
    b->table = path;
    const mdf_status status = read_bytes(b, data, len, is_csv, err);
    b->table = NULL;
    mdf_free(data);
    return status;
}

mdf_status mdf_manifest_read_table(mdf_manifest_builder *b, const char *dir, bool *found,
                                   mdf_error *err)
{
    static const char *const names[2] = {"metadata.csv", "metadata.jsonl"};
    *found = false;
    for (size_t i = 0; i < 2 && !*found; i++) {
        char *path = mdf_path_join(dir, names[i]);
        if (path == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
        }
        mdf_status status = MDF_OK;
        if (mdf_path_exists(path)) {
            *found = true;
            const size_t first_case = b->m->case_count;
            status = read_file(b, dir, path, i == 0, err);
            if (status == MDF_OK) {
                status = mdf_manifest_read_boxes(b, dir, first_case, err);
            }
        }
        mdf_free(path);
        MDF_TRY(status);
    }
    return MDF_OK;
}
