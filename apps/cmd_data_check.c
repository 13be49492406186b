/* mdf data check: what is wrong with a data set. */
#include "app.h"
#include "base/status.h"

static mdf_status run(app *a, const void *flags, mdf_error *err)
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
    .run = run,
};
