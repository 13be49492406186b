/* Writing the split column back into a folder's table. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "data/column.h"
#include "data/split.h"
#include "io/csv.h"
#include "io/text.h"

/* The cases of one folder, in the order of their table. */
typedef struct side_list {
    const mdf_manifest *m;
    int source;
    size_t at; /* next case to look at */
} side_list;

static const mdf_manifest_case *next_case(side_list *l)
{
    while (l->at < l->m->case_count) {
        const mdf_manifest_case *c = &l->m->cases[l->at++];
        if (c->source == l->source) {
            return c;
        }
    }
    return NULL;
}

static mdf_status fail_changed(const char *path, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_FORMAT, "%s: the table is not the one that was split", path);
}

static int find_column(const mdf_csv *t, mdf_column column)
{
    for (size_t c = 0; c < t->column_count; c++) {
        if (mdf_column_find(t->header[c]) == (int)column) {
            return (int)c;
        }
    }
    return -1;
}

/* The key of a line that means the column, or the column's own name. */
static const char *find_key(json_t *row, mdf_column column)
{
    const char *key = NULL;
    json_t *v = NULL;
    json_object_foreach(row, key, v)
    {
        if (mdf_column_find(key) == (int)column) {
            return key;
        }
    }
    return mdf_column_names[column];
}

static mdf_status write_csv_rows(const mdf_csv *t, side_list *l, FILE *out, const char *path,
                                 mdf_error *err)
{
    const int file_column = find_column(t, MDF_COLUMN_FILE_NAME);
    const int split_column = find_column(t, MDF_COLUMN_SPLIT);
    const size_t columns = t->column_count + (split_column < 0 ? 1 : 0);
    const size_t at = split_column < 0 ? t->column_count : (size_t)split_column;
    const char *row[MDF_CSV_MAX_COLUMNS + 1];
    memcpy(row, t->header, t->column_count * sizeof *row);
    row[at] = split_column < 0 ? "split" : t->header[at];
    mdf_csv_write_row(out, row, columns);
    for (size_t r = 0; r < t->row_count; r++) {
        const mdf_manifest_case *c = next_case(l);
        memcpy(row, t->cell + r * t->column_count, t->column_count * sizeof *row);
        if (c == NULL || file_column < 0 || strcmp(row[file_column], c->file_name) != 0) {
            return fail_changed(path, err);
        }
        row[at] = c->split;
        mdf_csv_write_row(out, row, columns);
    }
    return next_case(l) == NULL ? MDF_OK : fail_changed(path, err);
}

static mdf_status rewrite_csv(side_list *l, const uint8_t *data, size_t len, FILE *out,
                              const char *path, mdf_error *err)
{
    mdf_csv t;
    MDF_TRY(mdf_csv_parse(&t, path, data, len, err));
    const mdf_status status = write_csv_rows(&t, l, out, path, err);
    mdf_csv_free(&t);
    return status;
}

static mdf_status rewrite_json_row(side_list *l, const char *line, size_t n, FILE *out,
                                   const char *path, mdf_error *err)
{
    json_t *row = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
    const mdf_manifest_case *c = next_case(l);
    const char *name = json_string_value(json_object_get(row, find_key(row, MDF_COLUMN_FILE_NAME)));
    mdf_status status = MDF_OK;
    if (c == NULL || name == NULL || strcmp(name, c->file_name) != 0) {
        status = fail_changed(path, err);
    } else if (json_object_set_new(row, find_key(row, MDF_COLUMN_SPLIT), json_string(c->split)) !=
               0) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    } else {
        (void)json_dumpf(row, out, JSON_COMPACT);
        (void)fputc('\n', out);
    }
    json_decref(row);
    return status;
}

static mdf_status rewrite_jsonl(side_list *l, const uint8_t *data, size_t len, FILE *out,
                                const char *path, mdf_error *err)
{
    for (size_t at = mdf_text_mark(data, len); at < len;) {
        const uint8_t *end = memchr(data + at, '\n', len - at);
        const size_t n = end == NULL ? len - at : (size_t)(end - (data + at));
        const char *line = (const char *)data + at;
        if (strspn(line, " \t\r") < n) {
            MDF_TRY(rewrite_json_row(l, line, n, out, path, err));
        }
        at += n + 1;
    }
    return next_case(l) == NULL ? MDF_OK : fail_changed(path, err);
}

static void write_class_folders(side_list *l, FILE *out)
{
    static const char *const header[] = {"file_name", "label", "split", "patient_id", "text"};
    mdf_csv_write_row(out, header, 5);
    for (const mdf_manifest_case *c = next_case(l); c != NULL; c = next_case(l)) {
        const char *label = c->label < 0 ? "" : l->m->labels[c->label];
        /* A case without a patient has its own path as the id. */
        const char *patient = strcmp(c->patient_id, c->path) == 0 ? "" : c->patient_id;
        const char *const row[] = {c->file_name, label, c->split, patient, c->text};
        mdf_csv_write_row(out, row, 5);
    }
}

static mdf_status rewrite(side_list *l, const char *path, bool exists, bool is_csv, mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    if (exists) {
        MDF_TRY(mdf_file_read(path, MDF_MAX_TABLE_BYTES, &data, &len, err));
    }
    mdf_file_writer w;
    mdf_status status = mdf_file_writer_open(&w, path, err);
    if (status == MDF_OK) {
        if (!exists) {
            write_class_folders(l, w.stream);
        } else if (is_csv) {
            status = rewrite_csv(l, data, len, w.stream, path, err);
        } else {
            status = rewrite_jsonl(l, data, len, w.stream, path, err);
        }
        if (status == MDF_OK) {
            status = mdf_file_writer_commit(&w, err);
        } else {
            mdf_file_writer_abort(&w);
        }
    }
    mdf_free(data);
    return status;
}

/* True when the cases come from tables inside split folders: there the folder is the split. */
static bool has_inner_tables(const mdf_manifest *m, int source)
{
    for (size_t i = 0; i < m->case_count; i++) {
        if (m->cases[i].source == source && m->cases[i].line != 0) {
            return true;
        }
    }
    return false;
}

mdf_status mdf_split_write(const mdf_manifest *m, int source, mdf_error *err)
{
    const char *dir = m->dirs[source];
    char *csv = mdf_path_join(dir, "metadata.csv");
    char *jsonl = mdf_path_join(dir, "metadata.jsonl");
    side_list l = {.m = m, .source = source};
    mdf_status status = MDF_OK;
    if (csv == NULL || jsonl == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
    } else if (mdf_path_exists(csv)) {
        status = rewrite(&l, csv, true, true, err);
    } else if (mdf_path_exists(jsonl)) {
        status = rewrite(&l, jsonl, true, false, err);
    } else if (has_inner_tables(m, source)) {
        status =
            mdf_fail(err, MDF_ERR_ARG,
                     "%s: each split folder has its own table, so the folders are the split", dir);
    } else {
        status = rewrite(&l, csv, false, true, err);
    }
    mdf_free(csv);
    mdf_free(jsonl);
    return status;
}
