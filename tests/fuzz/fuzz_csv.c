/* Any bytes as a CSV table: no crash, and what is accepted has every cell and reads back the same
 * after it was written. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_compare(const mdf_csv *t)
{
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    if (stream == NULL) {
        abort();
    }
    mdf_csv_write_row(stream, t->header, t->column_count);
    for (size_t r = 0; r < t->row_count; r++) {
        mdf_csv_write_row(stream, t->cell + r * t->column_count, t->column_count);
    }
    mdf_csv again;
    if (fclose(stream) != 0 ||
        mdf_csv_parse(&again, "again", (const uint8_t *)text, len, NULL) != MDF_OK ||
        again.row_count != t->row_count || again.column_count != t->column_count) {
        abort();
    }
    for (size_t i = 0; i < t->row_count * t->column_count; i++) {
        if (strcmp(t->cell[i], again.cell[i]) != 0) {
            abort();
        }
    }
    mdf_csv_free(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_csv t;
    if (mdf_csv_parse(&t, "fuzz", data, size, NULL) == MDF_OK) {
        /* A byte order mark as the first cell would be dropped when it is written unquoted. */
        if (strncmp(t.header[0], "\xEF\xBB\xBF", 3) != 0) {
            write_and_compare(&t);
        }
        mdf_csv_free(&t);
    } else if (t.cell != NULL) {
        abort();
    }
    return 0;
}
