/* mdf data synth: a data set of phantoms. */
#include <math.h>
#include <stdio.h>

#include "app.h"
#include "base/status.h"
#include "phantom/phantom.h"
#include "progress.h"

typedef struct synth_flags {
    int64_t patients;
    int64_t size;
    arg_list labels;
    bool distinct_maculae;
    bool every_text;
} synth_flags;

static const arg_option options[] = {
    {.name = "patients",
     .letter = 'n',
     .kind = ARG_INT,
     .offset = offsetof(synth_flags, patients),
     .metavar = "N",
     .fallback = "140",
     .min = 1,
     .max = MDF_PHANTOM_MAX_PATIENTS,
     .help = "patients to draw, two eyes each"},
    {.name = "size",
     .kind = ARG_INT,
     .offset = offsetof(synth_flags, size),
     .metavar = "PX",
     .fallback = "256",
     .min = MDF_PHANTOM_MIN_SIDE_PX,
     .max = MDF_PHANTOM_MAX_SIDE_PX,
     .help = "width and height of the pictures"},
    {.name = "label",
     .letter = 'l',
     .kind = ARG_LIST,
     .offset = offsetof(synth_flags, labels),
     .metavar = "LABEL",
     .help = "draw only this class, all seven without the flag"},
    {.name = "distinct-maculae",
     .kind = ARG_FLAG,
     .offset = offsetof(synth_flags, distinct_maculae),
     .help = "the picture alone can tell amd from stargardt"},
    {.name = "every-text",
     .kind = ARG_FLAG,
     .offset = offsetof(synth_flags, every_text),
     .help = "no case without a clinical sentence"},
};

/* What the progress callback needs. */
typedef struct synth_watch {
    const app *a;
    app_progress bar;
} synth_watch;

static bool on_case(void *user, uint32_t done, uint32_t total)
{
    synth_watch *w = user;
    app_progress_update(
        &w->bar,
        &(app_progress_state){.done = done, .total = total, .images = done, .loss = (double)NAN});
    return *w->a->stop == 0;
}

/* Names to labels; each at most once, so count stays within MDF_PHANTOM_LABEL_COUNT. */
static mdf_status parse_labels(app *a, const arg_list *names, mdf_phantom_label *labels,
                               mdf_error *err)
{
    bool seen[MDF_PHANTOM_LABEL_COUNT] = {false};
    for (size_t i = 0; i < names->count; i++) {
        mdf_phantom_label label = MDF_PHANTOM_NORMAL;
        if (!mdf_phantom_label_parse(names->item[i], &label)) {
            return app_usage(a, err,
                             "--label wants normal, dr, glaucoma, amd, cataract, "
                             "retinitis_pigmentosa or stargardt, not '%s'",
                             names->item[i]);
        }
        if (seen[label]) {
            return app_usage(a, err, "--label %s is given twice", names->item[i]);
        }
        seen[label] = true;
        labels[i] = label;
    }
    return MDF_OK;
}

static mdf_status print_result(const app *a, const char *dir, int64_t patients, mdf_error *err)
{
    if (a->json) {
        return app_print_json(json_pack("{s:o, s:I, s:I}", "dir", app_json_string(dir), "patients",
                                        (json_int_t)patients, "cases", (json_int_t)patients * 2),
                              err);
    }
    (void)printf("%s: %lld cases of %lld patients\n", dir, (long long)patients * 2,
                 (long long)patients);
    return MDF_OK;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const synth_flags *f = flags;
    const char *dir = a->operands.item[0];
    mdf_phantom_label labels[MDF_PHANTOM_LABEL_COUNT];
    MDF_TRY(parse_labels(a, &f->labels, labels, err));
    synth_watch watch = {.a = a};
    app_progress_start(&watch.bar, "draw", a->quiet);
    const mdf_status status =
        mdf_phantom_write(dir,
                          &(mdf_phantom_options){.patients = (uint32_t)f->patients,
                                                 .side_px = (int)f->size,
                                                 .seed = (uint64_t)a->seed,
                                                 .labels = labels,
                                                 .label_count = f->labels.count,
                                                 .distinct_maculae = f->distinct_maculae,
                                                 .every_text = f->every_text},
                          on_case, &watch, err);
    app_progress_finish(&watch.bar);
    MDF_TRY(status);
    return print_result(a, dir, f->patients, err);
}

const app_command app_data_synth = {
    .name = "data synth",
    .summary = "draw phantom cases with known truth",
    .description =
        "Draws fundus phantoms of seven classes with sentences, masks of vessels, lesions, disc\n"
        "and cup, and a split by patient, and writes them to DIR in the imagefolder layout\n"
        "(metadata.csv).",
    .example = "  mdf data synth --patients 70 --size 160 phantoms",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(synth_flags),
    .operand = {"DIR", 1, 1, "folder to write, made when it is not there"},
    .run = run,
};
