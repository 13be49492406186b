/* metadata.csv and metadata.jsonl. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "data/manifest_build.h"
#include "io/csv.h"

enum { COLUMN_COUNT = 8 };

static const char *const column_names[COLUMN_COUNT] = {
    "file_name", "label", "split", "patient_id", "text", "eye", "vessel_mask", "lesion_mask"};

/* value: as in column_names. */
static mdf_status add_row(mdf_manifest_builder *b, const char *const value[COLUMN_COUNT],
                          mdf_error *err)
{
    const mdf_manifest_row row = {value[0], value[1], value[2], value[3],
                                  value[4], value[5], value[6], value[7]};
    return mdf_manifest_add(b, &row, err);
}

static mdf_status fail_no_file_name(const char *path, const mdf_csv *t, mdf_error *err)
{
    mdf_strbuf list = mdf_strbuf_new(300);
    for (size_t c = 0; c < t->column_count && !list.failed; c++) {
        mdf_strbuf_printf(&list, "%s%s", c == 0 ? "" : ", ", t->header[c]);
    }
    const mdf_status status =
        mdf_fail(err, MDF_ERR_FORMAT, "%s: no column file_name; the columns are: %s%s", path,
                 list.data == NULL ? "" : list.data, list.failed ? ", ..." : "");
    mdf_strbuf_free(&list);
    return status;
}

static mdf_status check_twice(const char *path, const mdf_csv *t, mdf_error *err)
{
    for (size_t k = 0; k < COLUMN_COUNT; k++) {
        size_t n = 0;
        for (size_t c = 0; c < t->column_count; c++) {
            n += strcmp(t->header[c], column_names[k]) == 0 ? 1 : 0;
        }
        if (n > 1) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: the column %s stands %zu times", path,
                            column_names[k], n);
        }
    }
    return MDF_OK;
}

static mdf_status add_csv(mdf_manifest_builder *b, const mdf_csv *t, mdf_error *err)
{
    int column[COLUMN_COUNT];
    for (size_t k = 0; k < COLUMN_COUNT; k++) {
        column[k] = mdf_csv_column(t, column_names[k]);
    }
    if (column[0] < 0) {
        return fail_no_file_name(b->table, t, err);
    }
    MDF_TRY(check_twice(b->table, t, err));
    for (size_t r = 0; r < t->row_count; r++) {
        const char *value[COLUMN_COUNT];
        for (size_t k = 0; k < COLUMN_COUNT; k++) {
            value[k] = column[k] < 0 ? NULL : mdf_csv_cell(t, r, (size_t)column[k]);
        }
        b->row = r;
        b->line = t->line[r];
        MDF_TRY(add_row(b, value, err));
    }
    return MDF_OK;
}

static mdf_status read_csv(mdf_manifest_builder *b, const uint8_t *data, size_t len, mdf_error *err)
{
    mdf_csv t;
    MDF_TRY(mdf_csv_parse(&t, b->table, data, len, err));
    const mdf_status status = add_csv(b, &t, err);
    mdf_csv_free(&t);
    return status;
}

/* Text of a string or whole number (labels and patients are often numbers); number is room for the
 * latter. */
static mdf_status json_cell(const mdf_manifest_builder *b, const json_t *object, const char *key,
                            char number[32], const char **out, mdf_error *err)
{
    const json_t *v = json_object_get(object, key);
    *out = NULL;
    if (v == NULL || json_is_null(v)) {
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

static mdf_status add_json(mdf_manifest_builder *b, const json_t *object, mdf_error *err)
{
    if (!json_is_object(object)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: not a JSON object", b->table, b->line);
    }
    if (json_object_get(object, "file_name") == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s line %zu: no key file_name", b->table, b->line);
    }
    const char *value[COLUMN_COUNT];
    char number[COLUMN_COUNT][32];
    for (size_t k = 0; k < COLUMN_COUNT; k++) {
        MDF_TRY(json_cell(b, object, column_names[k], number[k], &value[k], err));
    }
    return add_row(b, value, err);
}

static mdf_status read_jsonl(mdf_manifest_builder *b, const uint8_t *data, size_t len,
                             mdf_error *err)
{
    size_t at = len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; /* byte order mark */
    b->row = 0;
    for (b->line = 1; at < len; b->line++) {
        const uint8_t *end = memchr(data + at, '\n', len - at);
        const size_t n = end == NULL ? len - at : (size_t)(end - (data + at));
        const char *line = (const char *)data + at;
        at += n + 1;
        if (n == 0 || (n == 1 && line[0] == '\r')) {
            continue;
        }
        json_error_t je;
        json_t *object = json_loadb(line, n, JSON_REJECT_DUPLICATES, &je);
        if (object == NULL) {
            return mdf_fail_at(err, MDF_ERR_FORMAT, at - n - 1, "%s line %zu: bad JSON: %.200s",
                               b->table, b->line, je.text);
        }
        const mdf_status status = add_json(b, object, err);
        json_decref(object);
        MDF_TRY(status);
        b->row++;
    }
    return MDF_OK;
}

static mdf_status read_file(mdf_manifest_builder *b, const char *dir, const char *path, bool is_csv,
                            mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    MDF_TRY(mdf_file_read(path, MDF_MAX_TABLE_BYTES, &data, &len, err));
    b->base = dir;
    b->table = path;
    const mdf_status status = is_csv ? read_csv(b, data, len, err) : read_jsonl(b, data, len, err);
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
            status = read_file(b, dir, path, i == 0, err);
        }
        mdf_free(path);
        MDF_TRY(status);
    }
    return MDF_OK;
}
