/* What mdf segment says of a photograph: a row of a CSV table, JSON, a line of text. */
#ifndef MDF_APPS_SEGMENT_TABLE_H
#define MDF_APPS_SEGMENT_TABLE_H

#include <stdio.h>

#include "app.h"

/* The kinds of masks that decide which columns there are. */
typedef struct segment_kinds {
    const char *name[MDF_MAX_KINDS];
    int count;
} segment_kinds;

/* Write errors stay in the stream. MDF_ERR_NOMEM otherwise. */
void segment_csv_header(FILE *stream, const segment_kinds *k);
mdf_status segment_csv_row(FILE *stream, const segment_kinds *k, const char *path, const char *name,
                           const mdf_segmentation *r, mdf_error *err) MDF_NODISCARD;
/* A photograph that could not be segmented: no numbers, `why` in the last column. */
mdf_status segment_csv_failure(FILE *stream, const segment_kinds *k, const char *path,
                               const char *name, const char *why, mdf_error *err) MDF_NODISCARD;

/* masks: takes the reference. NULL: no memory. */
json_t *segment_json(const segment_kinds *k, const char *path, const char *name, json_t *masks,
                     const mdf_segmentation *r);

void segment_text_header(const segment_kinds *k);
void segment_text_row(const segment_kinds *k, const char *path, const mdf_segmentation *r);

#endif
