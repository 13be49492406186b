/* The folder that a training writes. */
#include "train/run_folder.h"

#include "base/alloc.h"
#include "base/file.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

mdf_status mdf_run_folder_check(const char *dir, bool resume, mdf_error *err)
{
    if (!resume && mdf_checkpoint_exists(dir)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: there is a run already; give --resume to go on or another folder",
                        dir);
    }
    if (resume && !mdf_checkpoint_exists(dir)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: there is no checkpoint to go on from; leave out --resume to begin",
                        dir);
    }
    return MDF_OK;
}

mdf_status mdf_run_folder_lock(mdf_lock *lock, const char *dir, mdf_error *err)
{
    bool taken = false;
    char *path = mdf_path_join(dir, MDF_RUN_LOCK);
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
    }
    const mdf_status status = mdf_lock_take(lock, path, &taken, err);
    mdf_free(path);
    MDF_TRY(status);
    return taken ? MDF_OK
                 : mdf_fail(err, MDF_ERR_ARG, "%s: another training is writing this folder", dir);
}
