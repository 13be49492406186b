/* How the readers of tables and class folders fill a manifest. Internal to src/data/manifest*. */
#ifndef MDF_DATA_MANIFEST_BUILD_H
#define MDF_DATA_MANIFEST_BUILD_H

#include "base/strbuf.h"
#include "data/cell.h"
#include "data/column.h"
#include "data/manifest.h"

enum { MDF_MANIFEST_MISSING_SHOWN = 3, MDF_MANIFEST_ENDINGS = 34 };

/* Files of one ending that are not read. */
typedef struct mdf_manifest_ending {
    char ending[16];
    size_t count;
    bool is_picture;
} mdf_manifest_ending;

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
    /* Words for a missing value by column, and the first as it was written. */
    size_t missing_words[MDF_COLUMN_COUNT][MDF_CELL_MISSING_WORDS];
    const char *missing_first[MDF_COLUMN_COUNT][MDF_CELL_MISSING_WORDS];
    size_t recased_count; /* splits in other capitals */
    const char *recased_first;
    mdf_manifest_ending endings[MDF_MANIFEST_ENDINGS]; /* of the folder being read */
    size_t ending_count;
} mdf_manifest_builder;

/* Adds a case: found[k] is the cell of column k as it stands there, borrowed; NULL and "" both mean
 * that it isn't there. */
mdf_status mdf_manifest_add(mdf_manifest_builder *b, const char *const found[MDF_COLUMN_COUNT],
                            mdf_error *err) MDF_NODISCARD;

/* Copies boxes into the manifest as c's; false when out of memory. */
bool mdf_manifest_set_boxes(mdf_manifest_builder *b, mdf_manifest_case *c, const mdf_box *boxes,
                            size_t count) MDF_NODISCARD;

/* Reads boxes.csv in dir, if there is one, for the cases from first_case on. */
mdf_status mdf_manifest_read_boxes(mdf_manifest_builder *b, const char *dir, size_t first_case,
                                   mdf_error *err) MDF_NODISCARD;

/* Reads metadata.csv or metadata.jsonl in dir if there is one; *found says so. */
mdf_status mdf_manifest_read_table(mdf_manifest_builder *b, const char *dir, bool *found,
                                   mdf_error *err) MDF_NODISCARD;

/* Reads split folders with tables, or class folders. */
mdf_status mdf_manifest_read_folders(mdf_manifest_builder *b, const char *dir,
                                     mdf_error *err) MDF_NODISCARD;

/* Copies a string into the manifest; NULL when out of memory. */
const char *mdf_manifest_string(mdf_manifest_builder *b, const char *s);
const char *mdf_manifest_strndup(mdf_manifest_builder *b, const char *s, size_t len);

/* Adds a sentence to the manifest's notes. */
mdf_status mdf_manifest_note(mdf_manifest_builder *b, mdf_note_level level, mdf_error *err,
                             const char *fmt, ...) MDF_PRINTF(4, 5) MDF_NODISCARD;

/* The notes on words for missing values and on splits in other capitals. */
mdf_status mdf_manifest_note_words(mdf_manifest_builder *b, const char *dir,
                                   mdf_error *err) MDF_NODISCARD;

/* The notes on labels and splits that are spelt alike, and on several labels in a cell. */
mdf_status mdf_manifest_note_labels(mdf_manifest_builder *b, mdf_error *err) MDF_NODISCARD;

/* Counts a file that is not read; is_picture: it is one, of a format that mdf does not read. */
void mdf_manifest_count_ending(mdf_manifest_builder *b, const char *ending, bool is_picture);
mdf_status mdf_manifest_note_endings(mdf_manifest_builder *b, const char *dir,
                                     mdf_error *err) MDF_NODISCARD;
/* The pictures among them as a list, ".bmp (2), .dcm (1)", and how many they are. */
void mdf_manifest_list_unread(mdf_strbuf *out, const mdf_manifest_builder *b, size_t *count);

#endif
