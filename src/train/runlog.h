/* The numbers of a run, epoch by epoch: metrics.jsonl and a TensorBoard event file. */
#ifndef MDF_TRAIN_RUNLOG_H
#define MDF_TRAIN_RUNLOG_H

#include "io/jsonl.h"
#include "io/tfevents.h"
#include "train/trainer.h"

typedef struct mdf_runlog {
    mdf_jsonl rows;
    mdf_tfevents events;
    bool open;
} mdf_runlog;

/* Rows of steps above last_step are forgotten (a resumed run writes them again). */
mdf_status mdf_runlog_open(mdf_runlog *log, const char *dir, int64_t last_step,
                           mdf_error *err) MDF_NODISCARD;
mdf_status mdf_runlog_epoch(mdf_runlog *log, const mdf_train_event *e,
                            mdf_error *err) MDF_NODISCARD;
void mdf_runlog_close(mdf_runlog *log);

#endif
