/* CSV tables as in RFC 4180: quoted fields, doubled quotes, line breaks inside quotes, CRLF or LF,
 * an optional UTF-8 byte order mark. The first record names the columns.
 *
 * As spreadsheets write them: fields may be separated by semicolons or tabs, when the header has no
 * comma outside of quotes or a line "sep=;" stands before it; records whose cells are all blank
 * are skipped and counted.
 *
 * Stricter than most readers, because a silently shifted column would train on wrong labels: every
 * record must have as many fields as the header, quotes must balance, the bytes must be UTF-8.
 * Empty lines are skipped. */
#ifndef MDF_IO_CSV_H
#define MDF_IO_CSV_H

#include <stdio.h>

#include "base/arena.h"

#define MDF_CSV_MAX_COLUMNS 1024 /* a table of measurements, not of pixels */

/* Owns its memory; mdf_csv_free(). Cells are NUL-terminated UTF-8 and never NULL. */
typedef struct mdf_csv {
    size_t column_count;
    size_t row_count;    /* without the header */
    const char **header; /* [column_count] */
    const char **cell;   /* [row_count, column_count] */
    size_t blank_rows;   /* skipped */
    size_t *line;        /* [row_count] line of the file on which the row starts; first = 1 */
    mdf_arena arena;     /* holds all of the above */
} mdf_csv;

/* Parses len bytes; name is what errors call them ("data/metadata.csv line 7: ..."). On failure
 * *out is empty. MDF_ERR_FORMAT for bad syntax, MDF_ERR_LIMIT, MDF_ERR_NOMEM. */
mdf_status mdf_csv_parse(mdf_csv *out, const char *name, const uint8_t *data, size_t len,
                         mdf_error *err) MDF_NODISCARD;
void mdf_csv_free(mdf_csv *t);

/* Index of the named column, or -1. */
int mdf_csv_column(const mdf_csv *t, const char *name);

const char *mdf_csv_cell(const mdf_csv *t, size_t row, size_t column);

/* Writes one record, separated by commas, quoting only where needed, ended by LF. Write errors stay
 * in the stream. */
void mdf_csv_write_row(FILE *stream, const char *const *cells, size_t count);

#endif
