/* mdf data check: what is wrong with a data set. */
#include <math.h>
#include <stdio.h>

#include "app.h"
#include "base/status.h"
#include "data/check.h"
#include "progress.h"

#define MAX_REPORT_BYTES ((size_t)64 << 20)

typedef struct check_flags {
    bool skip_images;
} check_flags;

static const arg_option options[] = {
    {.name = "skip-images",
     .kind = ARG_FLAG,
     .offset = offsetof(check_flags, skip_images),
     .help = "look at the tables only, open no picture and no mask"},
};

/* What the progress callback needs. */
typedef struct check_watch {
    const app *a;
    app_progress bar;
} check_watch;

static bool on_picture(void *user, size_t done, size_t total)
{
    check_watch *w = user;
    app_progress_update(
        &w->bar,
        &(app_progress_state){.done = done, .total = total, .images = done, .loss = (double)NAN});
    return *w->a->stop == 0;
}

static mdf_status print_report(const app *a, const mdf_check *check, mdf_error *err)
{
    if (a->json) {
        return app_print_json(mdf_check_json(check), err);
    }
    mdf_strbuf text = mdf_strbuf_new(MAX_REPORT_BYTES);
    mdf_check_text(&text, check);
    const bool failed = text.failed;
    if (!failed && text.len > 0) {
        (void)fputs(text.data, stdout);
    }
    mdf_strbuf_free(&text);
    return failed ? mdf_fail(err, MDF_ERR_NOMEM, "no memory for the report") : MDF_OK;
}

static mdf_status check_manifest(app *a, const check_flags *f, const mdf_manifest *m,
                                 mdf_error *err)
{
    check_watch watch = {.a = a};
    mdf_check check = {0};
    app_progress_start(&watch.bar, "check", a->quiet);
    mdf_status status = mdf_check_run(
        &check, m,
        &(mdf_check_options){.progress = on_picture, .user = &watch, .skip_images = f->skip_images},
        err);
    app_progress_finish(&watch.bar);
    MDF_TRY(status);
    status = print_report(a, &check, err);
    if (status == MDF_OK && mdf_check_has_faults(&check)) {
        status =
            mdf_fail(err, MDF_ERR_FORMAT, "%s has faults that make results wrong, see the report",
                     a->operands.item[0]);
    }
    mdf_check_free(&check);
    return status;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    mdf_manifest m = {0};
    MDF_TRY(mdf_manifest_load(&m, a->operands.item, a->operands.count, err));
    const mdf_status status = check_manifest(a, flags, &m, err);
    mdf_manifest_free(&m);
    return status;
}

const app_command app_data_check = {
    .name = "data check",
    .summary = "look for mistakes in a data set",
    .description =
        "Counts cases per class and split, and looks for unreadable pictures, masks that are\n"
        "damaged, empty or of another shape, duplicates (by perceptual hash), patients on two\n"
        "sides of a split, and labels that stand in their own text. Fails when it finds what\n"
        "would make results wrong: a picture or mask that cannot be used, or a patient or\n"
        "duplicate on two sides.\n"
        "\n"
        "Notes at the end name what was passed over or read otherwise than it stands there:\n"
        "columns, files of other formats, cells that say nan or none, labels and splits that\n"
        "differ only by capitals or blanks, several labels in one cell.\n"
        "\n"
        "Of a mask with two values the larger one is foreground; of one with several values below\n"
        "32, or in colours of a palette, all but 0 (black) is; of any other what is above half of\n"
        "the largest value. Where that may not be what is meant the mask is listed.",
    .example = "  mdf data check phantoms",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(check_flags),
    .operand = {"DIR", 1, 64, "data set: metadata.csv, metadata.jsonl or class folders"},
    .run = run,
};
