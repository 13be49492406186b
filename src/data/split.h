/* Splitting a data set by patient: both eyes and all visits of a patient land on the same side. */
#ifndef MDF_DATA_SPLIT_H
#define MDF_DATA_SPLIT_H

#include "data/manifest.h"

enum { MDF_SPLIT_MAX_SIDES = 8 };

typedef struct mdf_split_options {
    const char *const *names; /* [count], e.g. train, val, test */
    const double *shares;     /* [count] each > 0, summing to 1 */
    size_t count;             /* 1..MDF_SPLIT_MAX_SIDES */
    uint64_t seed;
} mdf_split_options;

/* Sets the split of every case. Stratified: a patient belongs to the rarest class among its cases,
 * and inside each class the patients, in a random order, go one by one to the side that is furthest
 * below its share. So every class meets its shares within one patient. The same data and seed give
 * the same split. */
mdf_status mdf_split_assign(mdf_manifest *m, const mdf_split_options *o,
                            mdf_error *err) MDF_NODISCARD;

/* Writes the splits of a folder's cases back: metadata.csv or metadata.jsonl keeps its rows and
 * other columns and gets the new split; a folder of class folders gets a metadata.csv. The file is
 * replaced at once or not at all. m must hold all cases of that folder, unfiltered. */
mdf_status mdf_split_write(const mdf_manifest *m, int source, mdf_error *err) MDF_NODISCARD;

/* Writes a table of all cases to path (a metadata.csv) with absolute names of files, so that the
 * folders of the data stay as they are, and boxes.csv beside it if there are boxes. Columns that
 * mdf does not know are left out. */
mdf_status mdf_split_export(const mdf_manifest *m, const char *path, mdf_error *err) MDF_NODISCARD;

#endif
