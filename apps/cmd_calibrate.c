/* mdf calibrate: a trained model learns from labelled cases how far it can be believed. */
#include <math.h>
#include <stdio.h>

#include "app.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/lock.h"
#include "convert/model_folder.h"
#include "data.h"
#include "engine/calibrate.h"
#include "progress.h"
#include "train/trainer.h"

typedef struct calibrate_flags {
    const char *model;
    arg_list data;
    const char *split;
    const char *train_split;
    double within;
    bool strict;
    bool force;
} calibrate_flags;

static const arg_option options[] = {
    {.name = "model",
     .letter = 'm',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(calibrate_flags, model),
     .metavar = "RUN",
     .help = "folder of a run or a model, whose config.json is written anew"},
    {.name = "data",
     .letter = 'd',
     .required = true,
     .kind = ARG_LIST,
     .offset = offsetof(calibrate_flags, data),
     .metavar = "DIR",
     .help = "data set: metadata.csv, metadata.jsonl or class folders"},
    {.name = "split",
     .kind = ARG_STRING,
     .offset = offsetof(calibrate_flags, split),
     .metavar = "NAME",
     .fallback = "val",
     .help = "cases to calibrate with, which the model must not have been trained on"},
    {.name = "train-split",
     .kind = ARG_STRING,
     .offset = offsetof(calibrate_flags, train_split),
     .metavar = "NAME",
     .fallback = "train",
     .help = "cases whose photographs the model remembers as well, where the data has them"},
    {.name = "within",
     .kind = ARG_DOUBLE,
     .offset = offsetof(calibrate_flags, within),
     .metavar = "P",
     .min = 0.5,
     .max = 0.9999,
     .help = "share of such photographs that shall not be called unlike them; 0.95 unless given"},
    {.name = "strict",
     .kind = ARG_FLAG,
     .offset = offsetof(calibrate_flags, strict),
     .help = "fail before the work when a case has no label, or one that the model does not know"},
    {.name = "force",
     .kind = ARG_FLAG,
     .offset = offsetof(calibrate_flags, force),
     .help = "calibrate a model anew that has been calibrated"},
};

typedef struct calibrate_watch {
    const app *a;
    app_progress bar;
} calibrate_watch;

static bool on_case(void *user, size_t done, size_t total)
{
    calibrate_watch *w = user;
    app_progress_update(&w->bar,
                        &(app_progress_state){.done = done, .total = total, .loss = (double)NAN});
    return *w->a->stop == 0;
}

static void on_note(void *user, const char *text)
{
    calibrate_watch *w = user;
    app_progress_finish(&w->bar);
    app_say(w->a, "left out of the calibration: %s", text);
}

/* What came out. */
typedef struct counts {
    size_t all, least; /* cases, and those of the label that has the fewest */
} counts;

static counts count_cases(const mdf_doubt_config *d)
{
    counts n = {.least = (size_t)d->label_cases[0]};
    for (int k = 0; k < d->label_count; k++) {
        const size_t cases = (size_t)d->label_cases[k];
        n.all += cases;
        n.least = cases < n.least ? cases : n.least;
    }
    return n;
}

static json_t *result_json(const mdf_config *c, double before)
{
    const mdf_doubt_config *d = &c->doubt;
    const counts n = count_cases(d);
    json_t *cases = json_object();
    for (int k = 0; k < d->label_count; k++) {
        (void)json_object_set_new(cases, c->answer.labels[k], json_integer(d->label_cases[k]));
    }
    json_t *doc = json_pack("{s:f, s:f, s:o, s:f, s:f, s:i}", "temperature", c->answer.temperature,
                            "temperature_before", before, "cases", cases, "coverage_of_each_label",
                            mdf_calibrate_most(n.least), "coverage_of_all",
                            mdf_calibrate_most(n.all), "pictures", d->pictures);
    if (doc != NULL && d->pictures > 0) {
        (void)json_object_set_new(doc, "distance_share", json_real(d->distance_share));
        (void)json_object_set_new(doc, "distance_limit", json_real(d->distance_limit));
    }
    return doc;
}

static mdf_status print_result(const app *a, const mdf_config *c, double before, mdf_error *err)
{
    const mdf_doubt_config *d = &c->doubt;
    const counts n = count_cases(d);
    if (a->json) {
        return app_print_json(result_json(c, before), err);
    }
    (void)printf("temperature  %.3f, from %zu cases; it was %.3f\n", c->answer.temperature, n.all,
                 before);
    (void)printf("sets         coverage up to %.3f for every label by itself, up to %.3f for all "
                 "together\n",
                 mdf_calibrate_most(n.least), mdf_calibrate_most(n.all));
    if (d->pictures > 0) {
        (void)printf("distance     %g %% of %d photographs are within %.2f\n",
                     100 * d->distance_share, d->pictures, d->distance_limit);
    } else {
        (void)printf("distance     none: too few photographs, or the model reads none\n");
    }
    return MDF_OK;
}

static mdf_status calibrate(const app *a, const calibrate_flags *f, const char *dir, mdf_config *c,
                            const mdf_manifest *m, mdf_error *err)
{
    mdf_engine *engine = NULL;
    calibrate_watch watch = {.a = a};
    mdf_status status = mdf_engine_open(
        &engine, &(mdf_engine_options){.model_dir = dir, .threads = (int)a->threads}, err);
    if (status == MDF_OK) {
        app_progress_start(&watch.bar, "calibrate", a->quiet);
        status = mdf_calibrate(c, engine, m,
                               &(mdf_calibrate_options){.split = f->split,
                                                        .train_split = f->train_split,
                                                        .share = f->within,
                                                        .strict = f->strict,
                                                        .note = on_note,
                                                        .progress = on_case,
                                                        .user = &watch},
                               err);
        app_progress_finish(&watch.bar);
    }
    mdf_engine_close(engine);
    return status;
}

/* Nothing else writes the folder meanwhile. */
static mdf_status take_folder(mdf_lock *lock, const char *dir, mdf_error *err)
{
    bool taken = false;
    char *path = mdf_path_join(dir, MDF_RUN_LOCK);
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
    }
    const mdf_status status = mdf_lock_take(lock, path, &taken, err);
    mdf_free(path);
    return status != MDF_OK || taken
               ? status
               : mdf_fail(err, MDF_ERR_ARG, "%s: a training is writing this folder", dir);
}

static mdf_status run_on(const app *a, const calibrate_flags *f, const char *dir, mdf_config *c,
                         mdf_error *err)
{
    MDF_TRY(mdf_model_config_read(c, dir, err));
    const double before = c->answer.temperature;
    if (c->doubt.label_count > 0 && !f->force) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: it has been calibrated, with %zu cases; --force does it anew", dir,
                        count_cases(&c->doubt).all);
    }
    mdf_manifest m = {0};
    MDF_TRY(app_load_data(a, &m, f->data.item, f->data.count, MDF_NOTE_ALWAYS, err));
    mdf_status status = calibrate(a, f, dir, c, &m, err);
    mdf_manifest_free(&m);
    MDF_TRY(status);
    MDF_TRY(mdf_calibrate_write(dir, c, err));
    return print_result(a, c, before, err);
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const calibrate_flags *f = flags;
    char *dir = NULL;
    mdf_lock lock = {.fd = -1};
    MDF_TRY(app_find_file(f->model, "models", "", &dir, err));
    mdf_config *c = mdf_alloc(1, sizeof *c);
    mdf_status status =
        c == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration") : MDF_OK;
    if (status == MDF_OK) {
        status = take_folder(&lock, dir, err);
    }
    if (status == MDF_OK) {
        status = run_on(a, f, dir, c, err);
    }
    mdf_lock_release(&lock);
    mdf_free(c);
    mdf_free(dir);
    return status;
}

const app_command app_calibrate = {
    .name = "calibrate",
    .summary = "let a model measure how far it can be believed",
    .description =
        "Runs a model on cases that it was not trained on and writes into its config.json what\n"
        "came out, as every training does at its end: the temperature that makes probabilities\n"
        "of its scores, how probable true labels are then ('mdf predict --coverage'), and the\n"
        "signatures of the photographs, by which one of another kind is told. Weights stay as\n"
        "they are. For models that were quantised, merged with an adapter or made elsewhere, and\n"
        "for a clinic's own cases.",
    .example = "  mdf calibrate --model run-q8 --data photos --split val --force\n"
               "  mdf predict --model run-q8 --coverage 0.9 eye.jpg",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(calibrate_flags),
    .run = run,
};
