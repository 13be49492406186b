/* How the readers of tables and class folders fill a manifest. Internal to src/data/manifest*. */
#ifndef MDF_DATA_MANIFEST_BUILD_H
#define MDF_DATA_MANIFEST_BUILD_H

#include "data/manifest.h"

/* One row as found; NULL and "" both mean that it isn't there. Borrowed. */
typedef struct mdf_manifest_row {
    const char *file_name;
    const char *label;
    const char *split;
    const char *patient_id;
    const char *text;
    const char *eye;
    const char *vessel_mask;
    const char *lesion_mask;
} mdf_manifest_row;

enum { MDF_MANIFEST_MISSING_SHOWN = 3 };

typedef struct mdf_manifest_builder {
    mdf_manifest *m;
    size_t capacity; /* of m->cases */
    char *pool;      /* short strings share blocks of the arena */
    size_t pool_left;
    int source;        /* folder being read */
    const char *base;  /* what file names are relative to */
    const char *table; /* path of the table for errors; NULL for class folders */
    const char *split; /* of every row that has none of its own; NULL = none */
    size_t row;        /* set by the reader before each add */
    size_t line;
    size_t missing_count; /* files that don't exist */
    const char *missing[MDF_MANIFEST_MISSING_SHOWN];
} mdf_manifest_builder;

mdf_status mdf_manifest_add(mdf_manifest_builder *b, const mdf_manifest_row *row,
                            mdf_error *err) MDF_NODISCARD;

/* Reads metadata.csv or metadata.jsonl in dir if there is one; *found says so. */
mdf_status mdf_manifest_read_table(mdf_manifest_builder *b, const char *dir, bool *found,
                                   mdf_error *err) MDF_NODISCARD;

/* Reads split folders with tables, or class folders. */
mdf_status mdf_manifest_read_folders(mdf_manifest_builder *b, const char *dir,
                                     mdf_error *err) MDF_NODISCARD;

/* Copies a string into the manifest; NULL when out of memory. */
const char *mdf_manifest_string(mdf_manifest_builder *b, const char *s);

#endif
