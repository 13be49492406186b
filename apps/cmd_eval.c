/* mdf eval: how good a model is on a split. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/file.h"
#include "data.h"
#include "engine/heat_check.h"
#include "eval_report.h"
#include "outputs.h"
#include "progress.h"

typedef struct eval_flags {
    const char *model;
    arg_list data;
    const char *split;
    arg_list labels;
    const char *json;
    const char *report;
    const char *text_as;
    double coverage;
    int64_t bootstrap;
    const char *lora;
    bool check_tensors;
    bool strict;
    bool force;
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
    {.name = "labels",
     .letter = 'l',
     .kind = ARG_LIST,
     .offset = offsetof(eval_flags, labels),
     .metavar = "A,B,...",
     .help = "only cases of these labels, and only these answers; of a flag given twice or more "
             "every value is one label, commas and all"},
    {.name = "json",
     .letter = 'j',
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, json),
     .metavar = "FILE",
     .help = "write the result with a row per case as JSON, - for stdout"},
    {.name = "report",
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, report),
     .metavar = "FILE.html",
     .help = "write a report with the curves of the training, confusion matrix and heat-maps"},
    {.name = "coverage",
     .kind = ARG_DOUBLE,
     .offset = offsetof(eval_flags, coverage),
     .metavar = "P",
     .min = 0.01,
     .max = 0.9999,
     .help = "also report sets of labels that hold the right one with at least this probability, "
             "0.9 say: how often they do, and how large they are"},
    {.name = "text-as",
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, text_as),
     .metavar = "WORD",
     .fallback = "given",
     .help = "what the model reads: given, none (every text is missing), drop:PATTERN (without the "
             "sentences that the regular expression matches, whatever the capitals) or shuffled "
             "(of another patient each, by --seed)"},
    {.name = "strict",
     .kind = ARG_FLAG,
     .offset = offsetof(eval_flags, strict),
     .help = "fail before the work when a case has no label, or one that the model does not know"},
    {.name = "force",
     .kind = ARG_FLAG,
     .offset = offsetof(eval_flags, force),
     .help = "--json and --report may replace a file that mdf did not write"},
    {.name = "bootstrap",
     .kind = ARG_INT,
     .offset = offsetof(eval_flags, bootstrap),
     .metavar = "N",
     .fallback = "2000",
     .min = 1,
     .max = 100000,
     .help = "resamples of the patients for the intervals"},
    {.name = "lora",
     .kind = ARG_STRING,
     .offset = offsetof(eval_flags, lora),
     .metavar = "DIR",
     .help =
         "PEFT adapter whose change is added to the weights in memory; the files stay as they are"},
    {.name = "check-tensors",
     .kind = ARG_FLAG,
     .offset = offsetof(eval_flags, check_tensors),
     .help = "read all weights of a large model first and look for numbers that are not finite"},
};

typedef struct eval_watch {
    app *a;
    app_progress bar;
} eval_watch;

static bool on_case(void *user, size_t done, size_t total)
{
    eval_watch *w = user;
    app_progress_update(&w->bar,
                        &(app_progress_state){.done = done, .total = total, .loss = (double)NAN});
    return *w->a->stop == 0;
}

static void on_note(void *user, const char *text)
{
    eval_watch *w = user;
    app_progress_finish(&w->bar);
    app_say(w->a, "left out of the numbers: %s", text);
}

/* What the model read in place of the texts; pattern and counts only of sentences. */
static json_t *text_json(const mdf_retext *how, const mdf_retexted *text)
{
    json_t *doc = json_pack("{s:s,s:I,s:I}", "how", mdf_retext_name(how->as), "cases",
                            (json_int_t)text->cases, "changed", (json_int_t)text->changed);
    if (doc != NULL && how->as == MDF_TEXT_DROP) {
        (void)json_object_set_new(doc, "pattern", app_json_string(how->pattern));
        (void)json_object_set_new(doc, "sentences", json_integer((json_int_t)text->sentences));
        (void)json_object_set_new(doc, "sentences_dropped",
                                  json_integer((json_int_t)text->sentences_dropped));
    }
    return doc;
}

static void text_line(mdf_strbuf *out, const mdf_retext *how, const mdf_retexted *text)
{
    if (how->as == MDF_TEXT_DROP) {
        mdf_strbuf_printf(out, "%-20s  without the %zu of %zu sentences that match \"%s\"\n",
                          "texts", text->sentences_dropped, text->sentences, how->pattern);
    } else if (how->as != MDF_TEXT_GIVEN) {
        mdf_strbuf_printf(out, "%-20s  %s: %zu of %zu are changed\n", "texts",
                          mdf_retext_name(how->as), text->changed, text->cases);
    }
}

static mdf_status write_json(const eval_flags *f, const mdf_retext *how, const mdf_evaluation *e,
                             const mdf_heat_check *heat, const mdf_metrics_naming *naming,
                             mdf_error *err)
{
    /* The first key says who wrote it: a later run may replace the file (outputs.c). */
    json_t *doc = json_pack("{s:s}", "producer", "mdf " MDF_VERSION);
    json_t *numbers =
        e->n > 0 ? mdf_metrics_json(&e->metrics, naming)
                 : json_pack("{s:i, s:o, s:o}", "n", 0, "masks", mdf_mask_scores_json(&e->masks),
                             "left_out", mdf_left_out_json(&e->left_out));
    bool ok = doc != NULL && numbers != NULL && json_object_update(doc, numbers) == 0;
    if (ok && e->n > 0) {
        ok = json_object_set_new(doc, "text_as", text_json(how, &e->text)) == 0 &&
             mdf_doubt_json(doc, &e->doubt, e->label_name);
    }
    if (ok && heat->masks > 0) {
        ok = json_object_set_new(doc, "heatmap", mdf_heat_check_json(heat)) == 0;
    }
    json_decref(numbers);
    if (!ok) {
        json_decref(doc);
        doc = NULL;
    }
    if (strcmp(f->json, "-") == 0) {
        return app_print_json(doc, err);
    }
    char *text = doc == NULL ? NULL : json_dumps(doc, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(doc);
    if (text == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", f->json);
    }
    const mdf_status status = mdf_file_write(f->json, text, strlen(text), err);
    free(text);
    return status;
}

static void print_heat_check(const mdf_heat_check *h)
{
    if (h->n > 0) {
        (void)printf("\nheat-map on lesion     %.3f  [%.3f, %.3f]\n"
                     "The hottest cell lies on the lesion mask in %zu of %zu right answers, a "
                     "random cell in a share of %.3f.\n",
                     h->rate, h->rate_ci.low, h->rate_ci.high, h->hits, h->n, h->chance);
    }
}

static mdf_status output(const eval_flags *f, const mdf_retext *how, mdf_engine *engine,
                         const mdf_manifest *m, const mdf_evaluation *e, const mdf_heat_check *heat,
                         mdf_error *err)
{
    const mdf_metrics_naming naming = {.labels = e->label_name,
                                       .temperature = engine->model->config.answer.temperature,
                                       .masks = &e->masks,
                                       .left_out = &e->left_out,
                                       .cases = &e->input,
                                       .file_names = e->file_name,
                                       .patient_ids = e->patient_id};
    if (f->json != NULL) {
        MDF_TRY(write_json(f, how, e, heat, &naming, err));
    }
    if (f->report != NULL && e->n == 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "--report %s: no case has a label of the model's: a report is of answers",
                        f->report);
    }
    if (f->report != NULL) {
        MDF_TRY(mdf_eval_report_write(f->report, f->model, engine, m, e, heat, &naming, err));
    }
    if (f->json != NULL && strcmp(f->json, "-") == 0) {
        return MDF_OK;
    }
    mdf_strbuf text = mdf_strbuf_new((size_t)1 << 20);
    if (e->n > 0) {
        text_line(&text, how, &e->text);
        mdf_metrics_text(&text, &e->metrics, &naming);
        mdf_doubt_text(&text, &e->doubt, e->label_name);
    } else {
        mdf_mask_scores_text(&text, &e->masks);
    }
    const bool failed = text.failed;
    if (!failed) {
        (void)fputs(text.data, stdout);
        print_heat_check(heat);
    }
    mdf_strbuf_free(&text);
    return failed ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the table") : MDF_OK;
}

static mdf_status evaluate(app *a, const eval_flags *f, const mdf_retext *how, mdf_engine *engine,
                           mdf_manifest *m, mdf_error *err)
{
    app_labels labels;
    if (how->as != MDF_TEXT_GIVEN && !engine->model->config.train.use_text) {
        app_say(a, "--text-as %s changes no answer: this model reads no texts", f->text_as);
    }
    MDF_TRY(app_labels_of(&labels, &f->labels, err));
    eval_watch watch = {.a = a};
    mdf_evaluation e;
    app_progress_start(&watch.bar, "evaluate", a->quiet);
    mdf_status status = mdf_evaluate(&e, engine, m,
                                     &(mdf_evaluate_options){.labels = labels.name,
                                                             .label_count = labels.count,
                                                             .text = *how,
                                                             .coverage = f->coverage,
                                                             .resamples = (size_t)f->bootstrap,
                                                             .seed = (uint64_t)a->seed,
                                                             .strict = f->strict,
                                                             .note = on_note,
                                                             .progress = on_case,
                                                             .user = &watch},
                                     err);
    app_progress_finish(&watch.bar);
    if (status == MDF_OK) {
        mdf_heat_check heat = {0};
        app_progress_start(&watch.bar, "heat-maps", a->quiet);
        if (e.n > 0) {
            status = mdf_heat_check_run(&heat, engine, m, &e, on_case, &watch, err);
        }
        app_progress_finish(&watch.bar);
        if (status == MDF_OK) {
            status = output(f, how, engine, m, &e, &heat, err);
        }
        mdf_evaluation_free(&e);
    }
    app_labels_free(&labels);
    return status;
}

/* Before the model is read: what may not be written must not be found out after the work. */
static mdf_status check_outputs(app *a, const eval_flags *f, const char *dir, const mdf_manifest *m,
                                mdf_error *err)
{
    const app_output out[] = {{"--json", f->json}, {"--report", f->report}};
    if (f->json != NULL && f->report != NULL && strcmp(f->json, f->report) == 0) {
        return app_usage(a, err, "--json and --report name the same file");
    }
    for (size_t i = 0; i < APP_COUNT(out); i++) {
        MDF_TRY(app_output_not_data(out[i], m, err));
        MDF_TRY(app_output_not_in(out[i], dir, err));
        MDF_TRY(app_output_not_in(out[i], f->lora, err));
        MDF_TRY(app_output_check(out[i], f->force, err));
    }
    return MDF_OK;
}

static mdf_status run_on(app *a, const eval_flags *f, const mdf_retext *how, const char *dir,
                         mdf_manifest *m, mdf_error *err)
{
    mdf_engine *engine = NULL;
    MDF_TRY(app_load_data(a, m, f->data.item, f->data.count, MDF_NOTE_ALWAYS, err));
    MDF_TRY(check_outputs(a, f, dir, m, err));
    mdf_status status = mdf_engine_open(&engine,
                                        &(mdf_engine_options){.model_dir = dir,
                                                              .threads = (int)a->threads,
                                                              .lora = f->lora,
                                                              .labels_optional = true,
                                                              .check_tensors = f->check_tensors},
                                        err);
    if (status == MDF_OK && f->report != NULL) {
        status = mdf_engine_answers(engine, err); /* a report is of answers */
    }
    if (status == MDF_OK) {
        status = mdf_manifest_keep_split(m, f->split, err);
    }
    if (status == MDF_OK) {
        status = evaluate(a, f, how, engine, m, err);
    }
    mdf_engine_close(engine);
    return status;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const eval_flags *f = flags;
    char *dir = NULL;
    mdf_manifest m = {0};
    mdf_retext how;
    mdf_error wrong = {0};
    if (mdf_retext_parse(&how, f->text_as, &wrong) != MDF_OK) {
        return app_usage(a, err, "--text-as: %s", wrong.text);
    }
    if (f->coverage > 0 && f->labels.count > 0) {
        return app_usage(a, err,
                         "--coverage and --labels exclude each other: sets are of all of "
                         "the model's labels");
    }
    how.seed = (uint64_t)a->seed;
    MDF_TRY(app_find_file(f->model, "models", "", &dir, err));
    const mdf_status status = run_on(a, f, &how, dir, &m, err);
    mdf_manifest_free(&m);
    mdf_free(dir);
    return status;
}

const app_command app_eval = {
    .name = "eval",
    .summary = "evaluate a model on a split",
    .description =
        "Prints accuracy, balanced accuracy, F1, AUC, sensitivity and specificity, the confusion\n"
        "matrix and calibration, with 95 % intervals by bootstrap over patients; where there are\n"
        "lesion masks, also how often the hottest cell of the heat-map lies on the lesion. Then\n"
        "what the model knows of its own doubt: accuracy of the answers that it is surest of,\n"
        "sets of labels (--coverage), photographs unlike those of its training. Of every kind of\n"
        "mask that model and data have: Dice inside the field of view, drawn tile by tile at the\n"
        "detail of unet_config.mask_side.",
    .example = "  mdf eval --model runs/first --data phantoms --json result.json",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(eval_flags),
    .own_json = true,
    .run = run,
};
