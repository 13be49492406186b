/* mdf adapt: a model gets used to a camera, from photographs without labels. */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "convert/model_folder.h"
#include "data.h"
#include "engine/adapt.h"
#include "model_watch.h"
#include "outputs.h"

typedef struct adapt_flags {
    const char *model;
    const char *out;
    arg_list data;
    const char *split;
    double weight;
    double within;
} adapt_flags;

static const arg_option options[] = {
    {.name = "model",
     .letter = 'm',
     .kind = ARG_STRING,
     .offset = offsetof(adapt_flags, model),
     .metavar = "RUN",
     .fallback = "small",
     .help = "folder of a run, or the name of a model that comes with mdf; it stays as it is"},
    {.name = "data",
     .letter = 'd',
     .required = true,
     .kind = ARG_LIST,
     .offset = offsetof(adapt_flags, data),
     .metavar = "DIR",
     .help = "photographs of the camera: a folder of pictures, or a data set"},
    {.name = "out",
     .letter = 'o',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(adapt_flags, out),
     .metavar = "DIR",
     .help = "folder to write, made when it is not there"},
    {.name = "split",
     .kind = ARG_STRING,
     .offset = offsetof(adapt_flags, split),
     .metavar = "NAME",
     .help = "only photographs of this split"},
    {.name = "weight",
     .kind = ARG_DOUBLE,
     .offset = offsetof(adapt_flags, weight),
     .metavar = "W",
     .fallback = "0.5",
     .min = 0.01,
     .max = 1,
     .help = "of the new statistics; the rest is the model's own"},
    {.name = "within",
     .kind = ARG_DOUBLE,
     .offset = offsetof(adapt_flags, within),
     .metavar = "P",
     .min = 0.5,
     .max = 0.9999,
     .help = "share of such photographs that shall not be called unlike them; 0.95 unless given"},
};

typedef struct adapt_watch {
    const app *a;
    app_progress bar;
} adapt_watch;

static bool on_batch(void *user, size_t done, size_t total)
{
    adapt_watch *w = user;
    app_progress_update(&w->bar,
                        &(app_progress_state){.done = done, .total = total, .loss = (double)NAN});
    return *w->a->stop == 0;
}

static mdf_status load(const app *a, const adapt_flags *f, mdf_manifest *m, mdf_error *err)
{
    MDF_TRY(app_load_data(a, m, f->data.item, f->data.count, MDF_NOTE_ALWAYS, err));
    const mdf_status status = f->split == NULL ? MDF_OK : mdf_manifest_keep_split(m, f->split, err);
    if (status != MDF_OK) {
        mdf_manifest_free(m);
    }
    return status;
}

static mdf_status print_result(const app *a, const adapt_flags *f, const mdf_config *c,
                               const mdf_adapted *r, mdf_error *err)
{
    const mdf_doubt_config *d = &c->doubt;
    if (a->json) {
        return app_print_json(
            json_pack("{s:o, s:I, s:i, s:f, s:f, s:i, s:f, s:f}", "model", app_json_string(f->out),
                      "photographs", (json_int_t)r->pictures, "batches", r->batches, "weight",
                      f->weight, "shift", r->shift, "pictures", d->pictures, "distance_share",
                      d->distance_share, "distance_limit", d->distance_limit),
            err);
    }
    (void)printf("%s: norms of %zu photographs in %d batches, weight %g\n", f->out, r->pictures,
                 r->batches, f->weight);
    (void)printf("shift        %.3f standard deviations of a channel\n", r->shift);
    if (d->pictures > 0) {
        (void)printf("distance     %g %% of %d photographs are within %.2f\n",
                     100 * d->distance_share, d->pictures, d->distance_limit);
    } else {
        (void)printf("distance     none: too few photographs\n");
    }
    return MDF_OK;
}

/* The engine's statistics and the folder's configuration, as they shall be written. */
static mdf_status adapt(const app *a, const adapt_flags *f, const mdf_manifest *m, mdf_engine *e,
                        mdf_config *c, mdf_adapted *r, mdf_error *err)
{
    adapt_watch watch = {.a = a};
    app_progress_start(&watch.bar, "adapt", a->quiet);
    const mdf_status status = mdf_adapt(r, e, c, m,
                                        &(mdf_adapt_options){.weight = f->weight,
                                                             .share = f->within,
                                                             .seed = (uint64_t)a->seed,
                                                             .progress = on_batch,
                                                             .user = &watch},
                                        err);
    app_progress_finish(&watch.bar);
    return status;
}

static mdf_status write_model(const app *a, const adapt_flags *f, const char *dir,
                              const mdf_engine *e, const mdf_config *c, mdf_error *err)
{
    mdf_rewrite how = {.config = c, .fixed = &e->model->params};
    mdf_rewrite_result result;
    for (int i = 0; i < MDF_PARTS; i++) {
        how.precision.keep[i] = true;
    }
    MDF_TRY(app_rewrite(a, "write", dir, f->out, &how, &result, err));
    mdf_rewrite_result_free(&result);
    return MDF_OK;
}

static mdf_status run_on(const app *a, const adapt_flags *f, const char *dir, mdf_config *c,
                         mdf_error *err)
{
    mdf_manifest m = {0};
    mdf_engine *engine = NULL;
    mdf_adapted r;
    MDF_TRY(mdf_model_config_read(c, dir, err));
    mdf_status status = mdf_engine_open(
        &engine, &(mdf_engine_options){.model_dir = dir, .threads = (int)a->threads}, err);
    if (status == MDF_OK) {
        status = load(a, f, &m, err);
    }
    if (status == MDF_OK) {
        status = adapt(a, f, &m, engine, c, &r, err);
    }
    if (status == MDF_OK) {
        status = write_model(a, f, dir, engine, c, err);
    }
    mdf_manifest_free(&m);
    mdf_engine_close(engine);
    return status == MDF_OK ? print_result(a, f, c, &r, err) : status;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const adapt_flags *f = flags;
    char *dir = NULL;
    MDF_TRY(app_output_folder(f->out, err));
    MDF_TRY(app_find_file(f->model, "models", "", &dir, err));
    mdf_config *c = mdf_alloc(1, sizeof *c);
    const mdf_status status =
        c == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration")
                  : run_on(a, f, dir, c, err);
    mdf_free(c);
    mdf_free(dir);
    return status;
}

const app_command app_adapt = {
    .name = "adapt",
    .summary = "let a model get used to a camera, from photographs without labels",
    .description =
        "Takes the statistics of the encoder's batch norms (means and variances) from photographs\n"
        "of a camera that the model was not trained on, and writes a model that uses them. No "
        "label\n"
        "is read and no weight changes. The photographs should be what the camera takes, one kind "
        "of\n"
        "eye after the other as they come, a hundred or more: statistics of sick eyes alone make\n"
        "sickness look usual. docs/RESULTS.md says what this is worth, and where it is worth "
        "nothing.\n"
        "\n"
        "The new model calls photographs of another camera unlike its own. Sets of labels\n"
        "('mdf predict --coverage') are gone and the temperature is the old one, until\n"
        "'mdf calibrate' measures both on labelled photographs of the camera.",
    .example = "  mdf adapt --data camera-photos --out small-camera\n"
               "  mdf predict --model small-camera eye.jpg",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(adapt_flags),
    .run = run,
};
