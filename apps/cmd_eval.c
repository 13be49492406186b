/* mdf eval: how good a model is on a split. */
#include "app.h"
#include "base/status.h"

typedef struct eval_flags {
    const char *model;
    arg_list data;
    const char *split;
    const char *val_split;
    const char *labels;
    const char *json;
    const char *cases;
    const char *report;
    int64_t bootstrap;
} eval_flags;

static const arg_option options[] = {
    {.name = "model",
     .letter = 'm',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, model),
     .metavar = "RUN",
     .help = "folder of a run or a model"},
    {.name = "data",
     .letter = 'd',
     .required = true,
     .kind = ARG_LIST,
     .offset = offsetof(eval_flags, data),
     .metavar = "DIR",
     .help = "data set: metadata.csv, metadata.jsonl or class folders"},
    {.name = "split",
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, split),
     .metavar = "NAME",
     .fallback = "test",
     .help = "value of the split column to evaluate"},
    {.name = "val-split",
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, val_split),
     .metavar = "NAME",
     .fallback = "val",
     .help = "value of the split column for temperature scaling"},
    {.name = "labels",
     .letter = 'l',
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, labels),
     .metavar = "A,B,...",
     .help = "only cases of these labels, and only these answers"},
    {.name = "json",
     .letter = 'j',
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, json),
     .metavar = "FILE",
     .help = "write the result as JSON, - for stdout"},
    {.name = "cases",
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, cases),
     .metavar = "FILE.csv",
     .help = "write one row for each case"},
    {.name = "report",
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, report),
     .metavar = "FILE.html",
     .help = "write a report with curves, confusion matrix and heat-maps"},
    {.name = "bootstrap",
     .kind = ARG_INT,
     .offset = offsetof(eval_flags, bootstrap),
     .metavar = "N",
     .fallback = "1000",
     .min = 0,
     .max = 100000,
     .help = "resamples of the patients for the intervals"},
};

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    (void)a;
    (void)flags;
    return mdf_fail(err, MDF_ERR_ARG, "evaluation is not in this version yet");
}

const app_command app_eval = {
    .name = "eval",
    .summary = "evaluate a model on a split",
    .description =
        "Prints accuracy, balanced accuracy, F1, AUC, sensitivity and specificity, the confusion\n"
        "matrix and calibration, with 95 % intervals by bootstrap over patients.",
    .example = "  mdf eval --model runs/first --data phantoms --json result.json",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(eval_flags),
    .own_json = true,
    .run = run,
};
