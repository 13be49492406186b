/* The folder that a training writes: for one run and one process at a time. */
#ifndef MDF_TRAIN_RUN_FOLDER_H
#define MDF_TRAIN_RUN_FOLDER_H

#include <stdbool.h>

#include "base/lock.h"

/* A new run needs a folder without one, an old one its checkpoint: MDF_ERR_ARG. */
mdf_status mdf_run_folder_check(const char *dir, bool resume, mdf_error *err) MDF_NODISCARD;

/* The folder for this process alone. Readers of its files (eval, export) need no lock: every file
 * is replaced as a whole. MDF_ERR_ARG: another process has it. */
mdf_status mdf_run_folder_lock(mdf_lock *lock, const char *dir, mdf_error *err) MDF_NODISCARD;

#endif
