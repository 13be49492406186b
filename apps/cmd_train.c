/* mdf train: flags to options, one call, a summary. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "config/model_files.h"
#include "data.h"
#include "outputs.h"
#include "progress.h"
#include "train/stages.h"

typedef struct train_flags {
    const char *config;
    const char *init;
    const char *encoder;
    arg_list data;
    arg_list mask_data;
    const char *out;
    bool resume;
    const char *stages;
    arg_list set;
    const char *train_split;
    const char *val_split;
    bool strict;
} train_flags;

static const arg_option options[] = {
    {.name = "config",
     .letter = 'c',
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, config),
     .metavar = "FILE",
     .help = "model and training settings, a JSON file or the name of a preset (tiny, small)"},
    {.name = "init",
     .letter = 'i',
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, init),
     .metavar = "DIR",
     .help = "begin with the weights of this model folder, and its settings unless --config"},
    {.name = "encoder",
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, encoder),
     .metavar = "FILE",
     .help = "begin with published weights of the U-Net's encoder (unet_config.encoder), a file of "
             "torch.save or safetensors"},
    {.name = "data",
     .letter = 'd',
     .required = true,
     .kind = ARG_LIST,
     .offset = offsetof(train_flags, data),
     .metavar = "DIR",
     .help = "data set: metadata.csv, metadata.jsonl or class folders"},
    {.name = "mask-data",
     .kind = ARG_LIST,
     .offset = offsetof(train_flags, mask_data),
     .metavar = "DIR",
     .help = "data set whose masks alone are learned: its labels are not read"},
    {.name = "out",
     .letter = 'o',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, out),
     .metavar = "RUN",
     .help = "folder of the run: settings, checkpoints, metrics"},
    {.name = "resume",
     .letter = 'r',
     .kind = ARG_FLAG,
     .offset = offsetof(train_flags, resume),
     .help = "go on from the last checkpoint in RUN, with the same settings"},
    {.name = "stages",
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, stages),
     .metavar = "A-B",
     .help = "only these of train_config.stages, 1-2 say, or 4; before a later one than the first, "
             "--init is what the one before it has left, RUN/stage-3 of another run"},
    {.name = "set",
     .kind = ARG_LIST,
     .offset = offsetof(train_flags, set),
     .metavar = "KEY=VALUE",
     .help = "change one setting, e.g. train_config.epochs=3"},
    {.name = "train-split",
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, train_split),
     .metavar = "NAME",
     .fallback = "train",
     .help = "value of the split column to train on"},
    {.name = "val-split",
     .kind = ARG_STRING,
     .offset = offsetof(train_flags, val_split),
     .metavar = "NAME",
     .fallback = "val",
     .help = "value of the split column to choose the model on"},
    {.name = "strict",
     .kind = ARG_FLAG,
     .offset = offsetof(train_flags, strict),
     .help = "fail before the work when a case has no label, or one that the model does not know"},
};

typedef struct train_watch {
    app *a;
    app_progress bar;
    const char *phase;
} train_watch;

static void on_event(void *user, const mdf_train_event *e)
{
    train_watch *w = user;
    if (e->epoch_end) {
        app_progress_finish(&w->bar);
        if (isnan(e->val_loss)) {
            app_say(w->a, "epoch %d: loss %.4f, mean Dice %.3f%s", e->epoch, e->loss, e->val_dice,
                    e->best ? " (best so far)" : "");
            return;
        }
        char auc[32] = "no macro AUC";
        if (!isnan(e->val_auc)) {
            (void)snprintf(auc, sizeof auc, "macro AUC %.3f", e->val_auc);
        }
        app_say(w->a, "epoch %d: loss %.4f, validation loss %.4f, %s, balanced accuracy %.3f%s",
                e->epoch, e->loss, e->val_loss, auc, e->val_balanced_accuracy,
                e->best ? " (best so far)" : "");
        return;
    }
    if (w->phase == NULL || strcmp(w->phase, e->phase) != 0) {
        app_progress_finish(&w->bar);
        app_progress_start(&w->bar, e->phase, w->a->quiet);
        w->phase = e->phase;
    }
    app_progress_update(
        &w->bar, &(app_progress_state){
                     .done = e->done, .total = e->total, .images = e->images, .loss = e->loss});
}

static void on_note(void *user, const char *text)
{
    train_watch *w = user;
    app_progress_finish(&w->bar);
    app_say(w->a, "%s", text);
}

/* tokenizer.json of the folder that path lies in; NULL = out of memory. */
static char *tokenizer_beside(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash == NULL ? mdf_strdup(".") : mdf_strndup(path, (size_t)(slash - path) + 1);
    char *out = dir == NULL ? NULL : mdf_path_join(dir, "tokenizer.json");
    mdf_free(dir);
    return out;
}

/* Caller frees *path. */
static mdf_status find_config(const train_flags *f, char **path, mdf_error *err)
{
    if (f->config != NULL) {
        return app_find_file(f->config, "presets", ".json", path, err);
    }
    *path = mdf_path_join(f->init, "config.json");
    return *path != NULL ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a path");
}

/* Training normalises pictures with the published mean and deviation; a model that was trained with
 * others would have to learn everything anew. */
static mdf_status check_pictures(const char *init, const mdf_config *c, mdf_error *err)
{
    mdf_preprocessor p;
    if (init == NULL || !mdf_config_has_vision(c)) {
        return MDF_OK;
    }
    MDF_TRY(mdf_preprocessor_load(&p, init, c, err));
    return mdf_preprocessor_is_usual(&p)
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_ARG,
                          "%s: image_mean and image_std of its preprocessor settings are not the "
                          "published ones, which pictures are normalised with in training",
                          init);
}

/* *tokenizer: the file that a model with tokenizer "bpe" needs; to be freed by the caller. */
static mdf_status load_config(app *a, const train_flags *f, mdf_config *c, char **tokenizer,
                              mdf_error *err)
{
    char *path = NULL;
    if (f->config == NULL && f->init == NULL) {
        return app_usage(a, err, "give --config or --init");
    }
    MDF_TRY(find_config(f, &path, err));
    mdf_status status = mdf_config_load(c, path, err);
    if (status == MDF_OK) {
        status = check_pictures(f->config == NULL ? f->init : NULL, c, err);
    }
    if (status == MDF_OK) {
        *tokenizer =
            f->init != NULL ? mdf_path_join(f->init, "tokenizer.json") : tokenizer_beside(path);
    }
    mdf_free(path);
    MDF_TRY(status);
    if (a->seed > INT32_MAX) {
        return app_usage(a, err, "--seed of a training is at most %d", INT32_MAX);
    }
    c->train.seed = a->seed_given ? (int)a->seed : c->train.seed;
    for (size_t i = 0; i < f->set.count; i++) {
        MDF_TRY(mdf_config_set(c, f->set.item[i], err));
    }
    return mdf_config_validate(c, err);
}

static mdf_status print_summary(const app *a, const train_flags *f, const mdf_train_summary *s,
                                mdf_error *err)
{
    if (a->json) {
        return app_print_json(
            json_pack("{s:o, s:i, s:i, s:f, s:s, s:I, s:I, s:f, s:f, s:I, s:I, s:I}", "run",
                      app_json_string(f->out), "epochs", s->epochs, "best_epoch", s->best_epoch,
                      "best_score", s->best_score, "monitor", s->monitor, "left_out",
                      (json_int_t)s->left_out, "val_left_out", (json_int_t)s->val_left_out,
                      "temperature", s->temperature, "step_seconds", s->step_seconds, "parameters",
                      (json_int_t)s->parameters, "allocations_last_step",
                      (json_int_t)s->allocations, "peak_bytes", (json_int_t)mdf_peak_rss_bytes()),
            err);
    }
    (void)printf("%s: best epoch %d of %d; %lld parameters, %.3f s a step, %.0f MiB at most\n",
                 f->out, s->best_epoch, s->epochs, (long long)s->parameters, s->step_seconds,
                 (double)mdf_peak_rss_bytes() / 1048576);
    return MDF_OK;
}

/* Folders of --data, then those of --mask-data. */
static mdf_status load_data(app *a, const train_flags *f, mdf_manifest *m, mdf_error *err)
{
    const size_t count = f->data.count + f->mask_data.count;
    const char **dirs = mdf_alloc(count, sizeof *dirs);
    if (dirs == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of data folders");
    }
    for (size_t i = 0; i < count; i++) {
        dirs[i] = i < f->data.count ? f->data.item[i] : f->mask_data.item[i - f->data.count];
    }
    const mdf_status status = app_load_data(a, m, dirs, count, MDF_NOTE_TRAIN, err);
    mdf_free(dirs);
    MDF_TRY(status);
    mdf_manifest_masks_only(m, (int)f->data.count);
    return MDF_OK;
}

/* Which of train_config.stages are wanted, from 1; 0, 0: all. */
typedef struct stage_span {
    int first, last;
} stage_span;

_Static_assert(MDF_MAX_STAGES < 10, "a stage is one digit");

static bool is_stage(char digit)
{
    return digit >= '1' && digit <= '9';
}

static mdf_status parse_stages(app *a, const char *text, stage_span *out, mdf_error *err)
{
    *out = (stage_span){0};
    if (text == NULL) {
        return MDF_OK;
    }
    const size_t length = strlen(text);
    const bool two = length == 3 && text[1] == '-';
    if ((length != 1 && !two) || !is_stage(text[0]) || !is_stage(text[length - 1]) ||
        text[length - 1] < text[0]) {
        return app_usage(a, err, "--stages %s: want the number of a stage, or two as in 1-2", text);
    }
    *out = (stage_span){text[0] - '0', text[length - 1] - '0'};
    return MDF_OK;
}

static mdf_status train(app *a, const train_flags *f, const mdf_config *c, const char *tokenizer,
                        mdf_error *err)
{
    mdf_manifest manifest;
    stage_span stages;
    MDF_TRY(parse_stages(a, f->stages, &stages, err));
    MDF_TRY(load_data(a, f, &manifest, err));
    train_watch watch = {.a = a};
    mdf_train_summary summary = {0};
    mdf_status status = mdf_manifest_distinct_labels(&manifest, c->train.several_labels, err);
    if (status == MDF_OK) {
        status = mdf_train_stages(&(mdf_train_options){.config = c,
                                                       .manifest = &manifest,
                                                       .train_split = f->train_split,
                                                       .val_split = f->val_split,
                                                       .out_dir = f->out,
                                                       .init_dir = f->init,
                                                       .encoder_path = f->encoder,
                                                       .tokenizer_path = tokenizer,
                                                       .first_stage = stages.first,
                                                       .last_stage = stages.last,
                                                       .resume = f->resume,
                                                       .strict = f->strict,
                                                       .progress = on_event,
                                                       .note = on_note,
                                                       .user = &watch,
                                                       .stop = a->stop},
                                  &summary, err);
    }
    app_progress_finish(&watch.bar);
    mdf_manifest_free(&manifest);
    MDF_TRY(status);
    if (f->init != NULL && !f->resume) {
        app_say(a, "%zu of %zu tensors were taken from %s", summary.tensors_taken, summary.tensors,
                f->init);
        if (summary.tensors_left > 0) {
            app_say(
                a,
                "%zu tensors of its U-Net and fusion were not: the configuration has less of them",
                summary.tensors_left);
        }
    }
    return print_summary(a, f, &summary, err);
}

/* A run goes into a folder without a model; one that was begun there is resumed or refused by
 * mdf_train(). One that was killed before its first checkpoint, whose lock is still there, may
 * begin anew. */
static mdf_status check_folder(const train_flags *f, mdf_error *err)
{
    char *lock = mdf_path_join(f->out, MDF_RUN_LOCK);
    if (lock == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", f->out);
    }
    const bool begun = mdf_path_exists(lock) || mdf_stages_begun(f->out);
    mdf_free(lock);
    return f->resume || begun ? MDF_OK : app_output_folder(f->out, err);
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const train_flags *f = flags;
    MDF_TRY(check_folder(f, err));
    mdf_config *c = mdf_alloc(1, sizeof *c);
    if (c == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration");
    }
    char *tokenizer = NULL;
    mdf_status status = load_config(a, f, c, &tokenizer, err);
    if (status == MDF_OK) {
        status = train(a, f, c, tokenizer, err);
    }
    mdf_free(tokenizer);
    mdf_free(c);
    return status;
}

const app_command app_train = {
    .name = "train",
    .summary = "train a model",
    .description =
        "Trains a model on the train split of the data, chooses the best epoch on the\n"
        "validation split and writes everything to RUN. SIGINT or SIGTERM writes a\n"
        "checkpoint first; --resume goes on from there. --init fine-tunes a model: what\n"
        "its folder has no weights for is drawn by chance.\n"
        "\n"
        "Settings with train_config.stages train in stages: RUN/stage-1, RUN/stage-2 and so\n"
        "on, the last one in RUN itself, each from the best weights of the one before.\n"
        "train_config.task=segment trains the U-Net to draw masks alone, on crops of\n"
        "train_config.crop; the best epoch is the one with the largest mean Dice.\n"
        "\n"
        "A table has file_name and, if known, label, split, patient_id, text, eye, labels_all\n"
        "(a|b, of use with train_config.several_labels), and masks:\n"
        "vessel_mask, disc_mask, cup_mask, lesion_mask, haemorrhage_mask, hard_exudate_mask,\n"
        "or optic_disc_x and optic_disc_y, the disc's centre in pixels; in whatever capitals.\n"
        "boxes.csv beside it has boxes of such signs (file_name, class,\n"
        "and x0, y0, x1, y1 in pixels or x_centre, y_centre, width, height as fractions).\n"
        "Cells that say nan, NA, N/A, none, null or - are missing.\n"
        "Class folders are SPLIT/CLASS or CLASS, with a folder per patient below or not.\n"
        "What is passed over is said; 'mdf help data check' explains masks.",
    .example = "  mdf train --init models/smol --data photos --out runs/fine\n"
               "  mdf train --config tiny --data phantoms --out runs/first\n"
               "  mdf train --config tiny --data phantoms --out runs/first --resume",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(train_flags),
    .run = run,
};
