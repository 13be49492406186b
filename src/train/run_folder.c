/* May a training use this folder? */
#include "train/run_folder.h"

#include <string.h>

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

mdf_status mdf_run_folder_continue(const char *dir, mdf_config *c, mdf_error *err)
{
    mdf_answer_config *a = &c->answer;
    char *path = mdf_path_join(dir, "config.json");
    mdf_config *old = mdf_alloc(1, sizeof *old);
    mdf_status status = MDF_OK;
    if (path == NULL || old == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the run's configuration");
    } else if (mdf_path_exists(path)) {
        status = mdf_config_load(old, path, err);
        bool same = old->answer.label_count == a->label_count;
        for (int k = 0; status == MDF_OK && same && k < a->label_count; k++) {
            same = strcmp(old->answer.labels[k], a->labels[k]) == 0;
        }
        if (status == MDF_OK && !same) {
            status = mdf_fail(err, MDF_ERR_ARG,
                              "%s: its %d labels (%s, ...) are not the %d of the data (%s, ...)",
                              path, old->answer.label_count, old->answer.labels[0], a->label_count,
                              a->labels[0]);
        }
        a->temperature = status == MDF_OK ? old->answer.temperature : a->temperature;
        if (status == MDF_OK && mdf_config_has_doubt(old)) {
            c->doubt = old->doubt;
        }
    }
    mdf_free(old);
    mdf_free(path);
    return status;
}
