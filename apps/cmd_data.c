/* mdf data synth, check and split: data sets in the imagefolder layout. */
#include "app.h"
#include "base/status.h"

typedef struct synth_flags {
    int64_t patients;
    int64_t size;
} synth_flags;

static const arg_option synth_options[] = {
    {.name = "patients",
     .letter = 'n',
     .kind = ARG_INT,
     .offset = offsetof(synth_flags, patients),
     .metavar = "N",
     .fallback = "200",
     .min = 1,
     .max = 100000,
     .help = "patients to draw, two eyes each"},
    {.name = "size",
     .kind = ARG_INT,
     .offset = offsetof(synth_flags, size),
     .metavar = "PX",
     .fallback = "256",
     .min = 32,
     .max = 2048,
     .help = "width and height of the pictures"},
};

static mdf_status run_synth(app *a, const void *flags, mdf_error *err)
{
    (void)a;
    (void)flags;
    return mdf_fail(err, MDF_ERR_ARG, "drawing phantoms is not in this version yet");
}

const app_command app_data_synth = {
    .name = "data synth",
    .summary = "draw phantom cases with known truth",
    .description =
        "Draws fundus phantoms of seven classes with sentences, masks of vessels and lesions, and\n"
        "a split by patient, and writes them to DIR in the imagefolder layout (metadata.csv).",
    .example = "  mdf data synth --patients 200 --size 128 phantoms",
    .option = synth_options,
    .option_count = APP_COUNT(synth_options),
    .flags_bytes = sizeof(synth_flags),
    .operand = {"DIR", 1, 1, "folder to write, made when it is not there"},
    .run = run_synth,
};

static mdf_status run_check(app *a, const void *flags, mdf_error *err)
{
    (void)a;
    (void)flags;
    return mdf_fail(err, MDF_ERR_ARG, "checking data is not in this version yet");
}

const app_command app_data_check = {
    .name = "data check",
    .summary = "look for mistakes in a data set",
    .description =
        "Counts cases per class and split, and looks for unreadable pictures, duplicates (by\n"
        "perceptual hash), patients on two sides of a split, and labels that stand in their own "
        "text.",
    .example = "  mdf data check phantoms",
    .operand = {"DIR", 1, 1, "data set: metadata.csv, metadata.jsonl or class folders"},
    .run = run_check,
};

typedef struct split_flags {
    double val;
    double test;
} split_flags;

static const arg_option split_options[] = {
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

static mdf_status run_split(app *a, const void *flags, mdf_error *err)
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
    .option = split_options,
    .option_count = APP_COUNT(split_options),
    .flags_bytes = sizeof(split_flags),
    .operand = {"DIR", 1, 1, "data set: metadata.csv, metadata.jsonl or class folders"},
    .run = run_split,
};
