/* mdf eval: how good a model is on a split. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/file.h"
#include "data.h"
#include "eval_explain.h"
#include "eval_report.h"
#include "eval_result.h"
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
    arg_list explain;
    int64_t explain_cases;
    const char *lora;
    bool check_tensors;
    bool no_masks;
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
    {.name = "no-masks",
     .kind = ARG_FLAG,
     .offset = offsetof(eval_flags, no_masks),
     .help = "labels alone: masks take several forward passes a picture"},
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
    {.name = "explain",
     .letter = 'e',
     .kind = ARG_LIST,
     .offset = offsetof(eval_flags, explain),
     .metavar = "A,B,...",
     .help =
         "compare heat-maps by gradient, layercam, attention, occlusion, or all: do they lie on "
         "the lesion masks, does the answer depend on what they show"},
    {.name = "explain-cases",
     .kind = ARG_INT,
     .offset = offsetof(eval_flags, explain_cases),
     .metavar = "N",
     .fallback = "100",
     .min = 1,
     .max = 1000000,
     .help = "most cases for --explain, drawn from the right answers with --seed; occlusion takes "
             "hundreds of forward passes a case"},
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

static mdf_status write_json(const eval_flags *f, const eval_result *r,
                             const mdf_metrics_naming *naming, mdf_error *err)
{
    json_t *doc = NULL;
    MDF_TRY(eval_result_json(&doc, r, naming, err));
    if (strcmp(f->json, "-") == 0) {
        return app_print_json(doc, err);
    }
    char *text = json_dumps(doc, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(doc);
    if (text == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", f->json);
    }
    const mdf_status status = mdf_file_write(f->json, text, strlen(text), err);
    free(text);
    return status;
}

static mdf_status output(const eval_flags *f, mdf_engine *engine, const mdf_manifest *m,
                         const eval_result *r, mdf_error *err)
{
    const mdf_evaluation *e = &r->e;
    const mdf_metrics_naming naming = {.labels = e->label_name,
                                       .temperature = engine->model->config.answer.temperature,
                                       .masks = &e->masks,
                                       .left_out = &e->left_out,
                                       .cases = &e->input,
                                       .file_names = e->file_name,
                                       .patient_ids = e->patient_id};
    if (f->json != NULL) {
        MDF_TRY(write_json(f, r, &naming, err));
    }
    if (f->report != NULL && e->n == 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "--report %s: no case has a label of the model's: a report is of answers",
                        f->report);
    }
    if (f->report != NULL) {
        MDF_TRY(mdf_eval_report_write(f->report, f->model, engine, m, e, &r->heat,
                                      r->explained ? &r->maps : NULL, &naming, err));
    }
    if (f->json != NULL && strcmp(f->json, "-") == 0) {
        return MDF_OK;
    }
    return eval_result_print(r, &naming, err);
}

/* Heat-maps are of answers: of cases with a label. */
static mdf_status explain(app *a, const eval_flags *f, mdf_engine *engine, const mdf_manifest *m,
                          const mdf_heat_compare_options *opt, eval_result *r, eval_watch *watch,
                          mdf_error *err)
{
    if (r->e.n == 0) {
        return f->explain.count == 0
                   ? MDF_OK
                   : mdf_fail(err, MDF_ERR_ARG,
                              "--explain: no case has a label of the model's: heat-maps are of "
                              "answers");
    }
    app_progress_start(&watch->bar, "heat-maps", a->quiet);
    mdf_status status = mdf_heat_check_run(&r->heat, engine, m, &r->e, on_case, watch, err);
    app_progress_finish(&watch->bar);
    if (status == MDF_OK && f->explain.count > 0) {
        app_progress_start(&watch->bar, "methods", a->quiet);
        status = mdf_heat_compare_run(&r->maps, engine, m, &r->e, opt, err);
        app_progress_finish(&watch->bar);
        r->explained = status == MDF_OK;
    }
    return status;
}

static mdf_status evaluate(app *a, const eval_flags *f, const mdf_retext *how, mdf_engine *engine,
                           mdf_manifest *m, mdf_error *err)
{
    app_labels labels;
    eval_watch watch = {.a = a};
    mdf_heat_compare_options maps = {.limit = (size_t)f->explain_cases,
                                     .seed = (uint64_t)a->seed,
                                     .progress = on_case,
                                     .user = &watch};
    bool all = false;
    if (how->as != MDF_TEXT_GIVEN && !engine->model->config.train.use_text) {
        app_say(a, "--text-as %s changes no answer: this model reads no texts", f->text_as);
    }
    MDF_TRY(eval_explain_parse(a, &f->explain, maps.method, &all, err));
    MDF_TRY(eval_explain_suit(a, engine, maps.method, all, err));
    MDF_TRY(app_labels_of(&labels, &f->labels, err));
    eval_result r = {.how = *how, .resamples = (size_t)f->bootstrap};
    app_progress_start(&watch.bar, "evaluate", a->quiet);
    mdf_status status = mdf_evaluate(&r.e, engine, m,
                                     &(mdf_evaluate_options){.labels = labels.name,
                                                             .label_count = labels.count,
                                                             .text = *how,
                                                             .coverage = f->coverage,
                                                             .resamples = (size_t)f->bootstrap,
                                                             .seed = (uint64_t)a->seed,
                                                             .no_masks = f->no_masks,
                                                             .strict = f->strict,
                                                             .note = on_note,
                                                             .progress = on_case,
                                                             .user = &watch},
                                     err);
    app_progress_finish(&watch.bar);
    if (status == MDF_OK) {
        status = explain(a, f, engine, m, &maps, &r, &watch, err);
        if (status == MDF_OK) {
            status = output(f, engine, m, &r, err);
        }
        eval_result_free(&r);
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
    if (status == MDF_OK && (f->report != NULL || f->explain.count > 0)) {
        status = mdf_engine_answers(engine, err); /* a report is of answers, so are heat-maps */
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
    bool method[MDF_EXPLAIN_METHODS];
    bool all = false;
    if (mdf_retext_parse(&how, f->text_as, &wrong) != MDF_OK) {
        return app_usage(a, err, "--text-as: %s", wrong.text);
    }
    if (f->coverage > 0 && f->labels.count > 0) {
        return app_usage(a, err,
                         "--coverage and --labels exclude each other: sets are of all of "
                         "the model's labels");
    }
    how.seed = (uint64_t)a->seed;
    MDF_TRY(eval_explain_parse(a, &f->explain, method, &all, err)); /* wrong usage comes first */
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
        "detail of unet_config.mask_side.\n"
        "\n"
        "--explain compares heat-maps of rightly answered cases: the pointing game on 16 x 16\n"
        "cells, with its skill against chance, the area under precision and recall (AUPRC), the\n"
        "share of heat on the mask over its share of the area (gain), the answer's mean\n"
        "probability while the hottest cells are blurred (deletion) or come back (insertion), and\n"
        "the rank correlation with the map of the model with its head, or its encoder, shuffled\n"
        "(rho(h), rho(e)), which must be low; beside maps that know nothing of the model.",
    .example = "  mdf eval --model runs/first --data phantoms --json result.json",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(eval_flags),
    .own_json = true,
    .run = run,
};
