/* mdf predict: probabilities for photographs, with a heat-map if wanted. */
#include "app.h"
#include "base/status.h"

typedef struct predict_flags {
    const char *model;
    const char *text;
    const char *labels;
    const char *heatmap;
} predict_flags;

static const arg_option options[] = {
    {.name = "model",
     .letter = 'm',
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, model),
     .metavar = "RUN",
     .fallback = "small",
     .help = "folder of a run, or the name of a model that comes with mdf"},
    {.name = "text",
     .letter = 'x',
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, text),
     .metavar = "TEXT",
     .help = "clinical sentence that goes with the photographs"},
    {.name = "labels",
     .letter = 'l',
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, labels),
     .metavar = "A,B,...",
     .help = "only these answers"},
    {.name = "heatmap",
     .letter = 'o',
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, heatmap),
     .metavar = "FILE.png",
     .help = "write where the model looked, drawn over the photograph"},
};

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const predict_flags *f = flags;
    if (f->heatmap != NULL && a->operands.count > 1) {
        return app_usage(a, err, "--heatmap goes with one IMAGE, not %zu", a->operands.count);
    }
    return mdf_fail(err, MDF_ERR_ARG, "prediction is not in this version yet");
}

const app_command app_predict = {
    .name = "predict",
    .summary = "classify photographs",
    .description = "Prints the probability of each label, best first. A photograph that is dark, "
                   "blurred, cut\n"
                   "off or no fundus is reported as such.",
    .example = "  mdf predict --model runs/first --text \"63-year-old female. Left eye.\" eye.jpg",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(predict_flags),
    .operand = {"IMAGE", 1, 1000000, "JPEG, PNG, TIFF or WebP file"},
    .run = run,
};
