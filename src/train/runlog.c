/* The numbers of a run, epoch by epoch: metrics.jsonl and a TensorBoard event file. */
#include "train/runlog.h"

#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

mdf_status mdf_runlog_open(mdf_runlog *log, const char *dir, int64_t last_step, mdf_error *err)
{
    *log = (mdf_runlog){0};
    char *path = mdf_path_join(dir, "metrics.jsonl");
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    mdf_status status = mdf_jsonl_open(&log->rows, path, last_step, err);
    mdf_free(path);
    if (status == MDF_OK) {
        status = mdf_tfevents_open(&log->events, dir, last_step > 0 ? last_step + 1 : 0, err);
        if (status != MDF_OK) {
            mdf_jsonl_close(&log->rows);
        }
    }
    log->open = status == MDF_OK;
    return status;
}

static json_t *number_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

mdf_status mdf_runlog_epoch(mdf_runlog *log, const mdf_train_event *e, mdf_error *err)
{
    const int64_t step = (int64_t)e->done;
    const struct {
        const char *key, *tag;
        double value;
    } number[] = {
        {"loss", "train/loss", e->loss},
        {"val_loss", "val/loss", e->val_loss},
        {"val_macro_auc", "val/macro_auc", e->val_auc},
        {"val_balanced_accuracy", "val/balanced_accuracy", e->val_balanced_accuracy},
        {"val_vessel_dice", "val/vessel_dice", e->val_vessel_dice},
        {"val_dice", "val/dice", e->val_dice},
    };
    json_t *row =
        json_pack("{s:I,s:i,s:b,s:s,s:f}", "step", (json_int_t)step, "epoch", e->epoch, "best",
                  e->best, "monitor", e->monitor, "time", mdf_clock_wall_seconds());
    for (size_t i = 0; i < sizeof number / sizeof number[0]; i++) {
        (void)json_object_set_new(row, number[i].key, number_or_null(number[i].value));
    }
    mdf_status status = row == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a row")
                                    : mdf_jsonl_write(&log->rows, row, err);
    json_decref(row);
    for (size_t i = 0; status == MDF_OK && i < sizeof number / sizeof number[0]; i++) {
        if (isfinite(number[i].value)) {
            status = mdf_tfevents_scalar(&log->events, number[i].tag, step, number[i].value, err);
        }
    }
    return status;
}

void mdf_runlog_close(mdf_runlog *log)
{
    if (log->open) {
        mdf_jsonl_close(&log->rows);
        mdf_tfevents_close(&log->events);
    }
    log->open = false;
}
