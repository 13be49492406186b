/* Append-only JSON lines: one object a row, for the metrics of a training run. Every row is written
 * by a single call, so a killed process leaves at most one broken last line, which the next open
 * removes. */
#ifndef MDF_IO_JSONL_H
#define MDF_IO_JSONL_H

#include <jansson.h>

#include "base/status.h"

typedef struct mdf_jsonl {
    int fd; /* -1 when closed */
    char *path;
} mdf_jsonl;

/* Opens or makes the file. Rows from the first one whose "step" is above last_step on are cut off
 * (a resumed run writes them anew); last_step < 0 empties the file. Rows without a step stay with
 * the rows before them. */
mdf_status mdf_jsonl_open(mdf_jsonl *j, const char *path, int64_t last_step,
                          mdf_error *err) MDF_NODISCARD;

/* Appends one object; borrows row. */
mdf_status mdf_jsonl_write(mdf_jsonl *j, const json_t *row, mdf_error *err) MDF_NODISCARD;

void mdf_jsonl_close(mdf_jsonl *j); /* a closed one is fine */

/* Reads all whole rows into a JSON array; a broken last line is left out. Caller json_decref()s. */
mdf_status mdf_jsonl_read(json_t **rows, const char *path, mdf_error *err) MDF_NODISCARD;

#endif
