/* One file of a pull. Internal to hub/pull*.c. */
#ifndef MDF_HUB_PULL_FILE_H
#define MDF_HUB_PULL_FILE_H

#include "hub/pull_job.h"

/* Which part of a file a new run could go on with: its path, from the sum in the list. Caller frees
 * with mdf_free(); NULL = no memory. */
char *mdf_pull_part_path(const char *path, const mdf_hub_file *f);

mdf_status mdf_pull_file(mdf_pull_job *job, const mdf_hub_file *f, mdf_pull_outcome *outcome,
                         mdf_error *err) MDF_NODISCARD;

#endif
