/* mdf data split: sides by patient, stratified by class. */
#include "app.h"
#include "base/status.h"

typedef struct split_flags {
    double val;
    double test;
} split_flags;

static const arg_option options[] = {
    {.name = "val",
     .kind = ARG_DOUBLE,
     .offset = offsetof(split_flags, val),
     .metavar = "SHARE",
     .fallback = "0.1",
     .min = 0.0,
     .max = 0.9,
     .help = "share of the patients for validation"},
    {.name = "test",
     .kind = ARG_DOUBLE,
     .offset = offsetof(split_flags, test),
     .metavar = "SHARE",
     .fallback = "0.2",
     .min = 0.0,
     .max = 0.9,
     .help = "share of the patients for the test"},
};

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const split_flags *f = flags;
    if (f->val + f->test >= 1.0) {
        return app_usage(a, err, "--val and --test leave nothing to train on");
    }
    return mdf_fail(err, MDF_ERR_ARG, "splitting data is not in this version yet");
}

const app_command app_data_split = {
    .name = "data split",
    .summary = "split a data set by patient",
    .description =
        "Writes the split column of DIR/metadata.csv: train, val and test, stratified by class.\n"
        "All pictures of a patient land on one side.",
    .example = "  mdf data split --val 0.1 --test 0.2 photos",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(split_flags),
    .operand = {"DIR", 1, 1, "data set: metadata.csv, metadata.jsonl or class folders"},
    .run = run,
};
