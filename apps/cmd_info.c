/* mdf info: what is in a file. */
#include "app.h"
#include "base/status.h"

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    (void)a;
    (void)flags;
    return mdf_fail(err, MDF_ERR_ARG, "describing files is not in this version yet");
}

const app_command app_info = {
    .name = "info",
    .summary = "describe a model, a run or a file",
    .description = "Prints settings, labels, tensors and sizes of a run or a safetensors file,\n"
                   "settings of a config file, or size and kind of a picture.",
    .example = "  mdf info runs/first\n  mdf info runs/first/model.safetensors",
    .operand = {"FILE", 1, 1, "run folder, .safetensors, .json or picture"},
    .run = run,
};
