/* mdf train: flags to options, one call, a summary. */
#include "app.h"
#include "base/status.h"

typedef struct train_flags {
    const char *config;
    arg_list data;
    const char *out;
    bool resume;
    arg_list set;
    const char *train_split;
    const char *val_split;
} train_flags;

static const arg_option options[] = {
    {.name = "config",
     .letter = 'c',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, config),
     .metavar = "FILE",
     .help = "model and training settings, a JSON file or the name of a preset (tiny, small)"},
    {.name = "data",
     .letter = 'd',
     .required = true,
     .kind = ARG_LIST,
     .offset = offsetof(train_flags, data),
     .metavar = "DIR",
     .help = "data set: metadata.csv, metadata.jsonl or class folders"},
    {.name = "out",
     .letter = 'o',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, out),
     .metavar = "RUN",
     .help = "folder of the run: settings, checkpoints, metrics"},
    {.name = "resume",
     .letter = 'r',
     .kind = ARG_FLAG,
     .offset = offsetof(train_flags, resume),
     .help = "go on from the last checkpoint in RUN"},
    {.name = "set",
     .kind = ARG_LIST,
     .offset = offsetof(train_flags, set),
     .metavar = "KEY=VALUE",
     .help = "change one setting, e.g. train_config.epochs=3"},
    {.name = "train-split",
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, train_split),
     .metavar = "NAME",
     .fallback = "train",
     .help = "value of the split column to train on"},
    {.name = "val-split",
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, val_split),
     .metavar = "NAME",
     .fallback = "val",
     .help = "value of the split column to choose the model on"},
};

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    (void)a;
    (void)flags;
    return mdf_fail(err, MDF_ERR_ARG, "training is not in this version yet");
}

const app_command app_train = {
    .name = "train",
    .summary = "train a model",
    .description = "Trains a model on the train split of the data, chooses the best epoch on the\n"
                   "validation split and writes everything to RUN. SIGINT or SIGTERM writes a\n"
                   "checkpoint first; --resume goes on from there.",
    .example = "  mdf train --config tiny --data phantoms --out runs/first\n"
               "  mdf train --config tiny --data phantoms --out runs/first --resume",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(train_flags),
    .run = run,
};
