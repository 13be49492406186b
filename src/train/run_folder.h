/* May a training use this folder? For a new run, for one that goes on, and for one at a time. */
#ifndef MDF_TRAIN_RUN_FOLDER_H
#define MDF_TRAIN_RUN_FOLDER_H

#include "base/lock.h"
#include "config/config.h"

/* A new run needs a folder without one, an old one its checkpoint. */
mdf_status mdf_run_folder_check(const char *dir, bool resume, mdf_error *err) MDF_NODISCARD;

/* The folder for this process alone, until mdf_lock_release(). Readers of its files (eval, export)
 * need no lock: every file is replaced as a whole. */
mdf_status mdf_run_folder_lock(mdf_lock *lock, const char *dir, mdf_error *err) MDF_NODISCARD;

/* Goes on only with the labels that the run was begun with; temperature and doubt of its best epoch
 * come along in *c. A run that was stopped in its first epoch has no configuration yet. */
mdf_status mdf_run_folder_continue(const char *dir, mdf_config *c, mdf_error *err) MDF_NODISCARD;

#endif
