/* mdf predict: classifies photographs, or answers questions about them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "data/cell.h"
#include "engine/explain.h"
#include "outputs.h"
#include "photo/image_format.h"
#include "pictures.h"
#include "predict.h"

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
     .kind = ARG_LIST,
     .offset = offsetof(predict_flags, labels),
     .metavar = "A,B,...",
     .help = "only these answers; of a flag given twice or more every value is one label, commas "
             "and all"},
    {.name = "coverage",
     .kind = ARG_DOUBLE,
     .offset = offsetof(predict_flags, coverage),
     .metavar = "P",
     .min = 0.01,
     .max = 0.9999,
     .help = "also print a set of labels that holds the right one with at least this probability, "
             "0.9 say, for photographs like those of the model's calibration"},
    {.name = "heatmap",
     .letter = 'o',
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, heatmap),
     .metavar = "FILE.png",
     .help = "write where the model looked, drawn over the photograph"},
    {.name = "explain",
     .letter = 'e',
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, explain),
     .metavar = "METHOD",
     .help = "how --heatmap is made: gradient, layercam, attention or occlusion; usually layercam"},
    {.name = "depth",
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, depth),
     .metavar = "N",
     .help = "--heatmap of one depth of the U-Net: 1 to 4, its levels, 5, its bottleneck, or all"},
    {.name = "force",
     .kind = ARG_FLAG,
     .offset = offsetof(predict_flags, force),
     .help = "--heatmap may replace a file that mdf did not write"},
    {.name = "view",
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, view),
     .metavar = "VIEW",
     .help = "what the vision tower sees: crop (around the field of view) or whole; usually crop, "
             "and whole for models without labels"},
    {.name = "tiles",
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, tiles),
     .metavar = "N",
     .help =
         "most tiles that it is cut into, or auto: as many as the model has; usually 1, and auto "
         "for models without labels"},
    {.name = "ask",
     .letter = 'a',
     .kind = ARG_LIST,
     .offset = offsetof(predict_flags, ask),
     .metavar = "QUESTION",
     .help = "answer in words instead of classifying; may be repeated"},
    {.name = "together",
     .kind = ARG_FLAG,
     .offset = offsetof(predict_flags, together),
     .help = "ask about all IMAGEs at once, in their order, instead of each by itself"},
    {.name = "system",
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, system),
     .metavar = "TEXT",
     .help = "message of the system before the question"},
    {.name = "chat-template",
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, chat_template),
     .metavar = "FILE",
     .help = "chat template (Jinja, or JSON that has one) in place of the model's own"},
    {.name = "show-prompt",
     .kind = ARG_FLAG,
     .offset = offsetof(predict_flags, show_prompt),
     .help = "print what the model would read, as text and token by token, and answer nothing"},
    {.name = "max-tokens",
     .kind = ARG_INT,
     .offset = offsetof(predict_flags, max_tokens),
     .given_offset = offsetof(predict_flags, max_tokens_given),
     .metavar = "N",
     .fallback = "512",
     .min = 1,
     .max = 1000000,
     .help = "most tokens of an answer"},
    {.name = "kv-type",
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, kv_type),
     .given_offset = offsetof(predict_flags, kv_type_given),
     .metavar = "TYPE",
     .fallback = "f16",
     .help =
         "how keys and values of what was read are kept: f16, bf16, f32 (not rounded, twice the "
         "memory of f16) or q8_0 (about half of f16)"},
    {.name = "session",
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, session),
     .metavar = "FILE",
     .help = "the questions are turns of one conversation, which is written to FILE behind the "
             "last answer; where FILE is there already the conversation goes on, without IMAGE and "
             "--system, which stand at its beginning"},
    {.name = "sample",
     .kind = ARG_FLAG,
     .offset = offsetof(predict_flags, sample),
     .help =
         "draw tokens as the model's generation_config.json says (--seed), instead of always the "
         "likeliest"},
    {.name = "temperature",
     .kind = ARG_DOUBLE,
     .offset = offsetof(predict_flags, temperature),
     .given_offset = offsetof(predict_flags, temperature_given),
     .metavar = "T",
     .min = 0.01,
     .max = 100,
     .help = "draw, at this temperature"},
    {.name = "top-p",
     .kind = ARG_DOUBLE,
     .offset = offsetof(predict_flags, top_p),
     .given_offset = offsetof(predict_flags, top_p_given),
     .metavar = "P",
     .min = 0.0001,
     .max = 1,
     .help = "draw, from the likeliest tokens that have this probability together"},
    {.name = "top-k",
     .kind = ARG_INT,
     .offset = offsetof(predict_flags, top_k),
     .given_offset = offsetof(predict_flags, top_k_given),
     .metavar = "K",
     .min = 1,
     .max = 1000000,
     .help =
         "draw, from so many tokens; the model's generation_config.json says how many otherwise, "
         "or 50"},
    {.name = "lora",
     .kind = ARG_STRING,
     .offset = offsetof(predict_flags, lora),
     .metavar = "DIR",
     .help =
         "PEFT adapter whose change is added to the weights in memory; the files stay as they are"},
    {.name = "check-tensors",
     .kind = ARG_FLAG,
     .offset = offsetof(predict_flags, check_tensors),
     .help = "read all weights of a large model first and look for numbers that are not finite"},
};

static mdf_status parse_view(app *a, const predict_flags *f, predict_view *out, mdf_error *err)
{
    *out = (predict_view){.view = MDF_VIEW_USUAL};
    if (f->view != NULL) {
        out->view = strcmp(f->view, "crop") == 0 ? MDF_VIEW_CROP : MDF_VIEW_WHOLE;
        if (out->view == MDF_VIEW_WHOLE && strcmp(f->view, "whole") != 0) {
            return app_usage(a, err, "--view takes crop or whole, not '%s'", f->view);
        }
    }
    if (f->tiles != NULL && strcmp(f->tiles, "auto") == 0) {
        out->tiles = MDF_TILES_ALL;
    } else if (f->tiles != NULL) {
        char *end = NULL;
        const long n = strtol(f->tiles, &end, 10);
        if (end == f->tiles || *end != '\0' || n < 1 || n > 16) {
            return app_usage(a, err, "--tiles takes auto or a number from 1 to 16, not '%s'",
                             f->tiles);
        }
        out->tiles = (int)n;
    }
    return MDF_OK;
}

static mdf_status parse_explain(app *a, const predict_flags *f, predict_view *out, mdf_error *err)
{
    const char *lone = f->explain != NULL ? "--explain" : f->depth != NULL ? "--depth" : NULL;
    if (lone != NULL && f->heatmap == NULL) {
        return app_usage(a, err, "%s goes with --heatmap", lone);
    }
    if (f->explain != NULL && !mdf_explain_find(&out->explain, f->explain)) {
        return app_usage(a, err,
                         "--explain takes gradient, layercam, attention or occlusion, not '%s'",
                         f->explain);
    }
    if (f->depth != NULL && strcmp(f->depth, "all") != 0) {
        if (f->depth[0] < '1' || f->depth[0] > '0' + MDF_EXPLAIN_DEPTHS || f->depth[1] != '\0') {
            return app_usage(a, err, "--depth takes all or a number from 1 to %d, not '%s'",
                             MDF_EXPLAIN_DEPTHS, f->depth);
        }
        out->depth = f->depth[0] - '0';
    }
    if (out->depth != 0 && out->explain == MDF_EXPLAIN_OCCLUSION) {
        return app_usage(a, err, "--explain occlusion has no depths to choose with --depth");
    }
    return MDF_OK;
}

static bool has_ending(const char *name, const char *ending)
{
    const size_t n = strlen(name);
    const size_t m = strlen(ending);
    return n > m && strcasecmp(name + n - m, ending) == 0;
}

/* A folder may turn out to be more pictures than a question takes. */
static mdf_status check_together(app *a, const predict_flags *f, size_t pictures, mdf_error *err)
{
    if (f->together && pictures == 0) {
        return app_usage(a, err, "--together needs IMAGEs to ask about");
    }
    if (f->together && pictures > MDF_MAX_PHOTOS) {
        return app_usage(a, err, "--together takes %d IMAGEs at most, not %zu", MDF_MAX_PHOTOS,
                         pictures);
    }
    return MDF_OK;
}

/* The folder dir is the model's. */
static mdf_status check_heatmap(app *a, const predict_flags *f, const app_pictures *pictures,
                                const char *dir, mdf_error *err)
{
    const app_output out = {"--heatmap", f->heatmap};
    if (f->heatmap != NULL && pictures->count > 1) {
        return app_usage(a, err, "--heatmap goes with one IMAGE, not %zu", pictures->count);
    }
    for (size_t i = 0; i < pictures->count; i++) {
        MDF_TRY(app_output_not_file(out, pictures->item[i], err));
    }
    MDF_TRY(app_output_not_in(out, dir, err));
    MDF_TRY(app_output_not_in(out, f->lora, err));
    return app_output_check(out, f->force, err);
}

/* Flags that belong to the other of the two. */
static mdf_status check_flags(app *a, const predict_flags *f, mdf_error *err)
{
    const size_t pictures = a->operands.count;
    if (f->ask.count == 0) {
        const char *lost = f->sample                  ? "--sample"
                           : f->max_tokens_given      ? "--max-tokens"
                           : f->kv_type_given         ? "--kv-type"
                           : f->temperature_given     ? "--temperature"
                           : f->top_p_given           ? "--top-p"
                           : f->top_k_given           ? "--top-k"
                           : f->together              ? "--together"
                           : f->session != NULL       ? "--session"
                           : f->system != NULL        ? "--system"
                           : f->show_prompt           ? "--show-prompt"
                           : f->chat_template != NULL ? "--chat-template"
                                                      : NULL;
        if (lost != NULL) {
            return app_usage(a, err, "%s goes with --ask", lost);
        }
        if (pictures == 0) {
            return app_usage(a, err, "IMAGE is missing");
        }
        if (f->heatmap != NULL && !has_ending(f->heatmap, ".png")) {
            return app_usage(a, err,
                             "--heatmap writes a PNG: give a name that ends in .png, not '%s'",
                             f->heatmap);
        }
        return MDF_OK;
    }
    const char *lost = f->heatmap != NULL    ? "--heatmap"
                       : f->labels.count > 0 ? "--labels"
                       : f->coverage > 0     ? "--coverage"
                                             : NULL;
    if (lost != NULL) {
        return app_usage(a, err, "%s goes with classifying, not with --ask", lost);
    }
    if (f->show_prompt && f->session != NULL && f->ask.count > 1) {
        return app_usage(a, err,
                         "--show-prompt takes one --ask of a --session: what follows an answer is "
                         "not known before it");
    }
    const char *first = pictures > 0 ? "IMAGE" : f->system != NULL ? "--system" : NULL;
    return !f->resumes || first == NULL
               ? MDF_OK
               : app_usage(
                     a, err,
                     "--session %s: the conversation goes on, and %s stands at its beginning: "
                     "leave it out, or name a new file",
                     f->session, first);
}

/* The folder dir is the model's. */
static mdf_status check_session(app *a, const predict_flags *f, const app_pictures *pictures,
                                const char *dir, mdf_error *err)
{
    const app_output out = {"--session", f->session};
    if (f->session == NULL) {
        return MDF_OK;
    }
    if (pictures->count > 1 && !f->together) {
        return app_usage(a, err, "--session takes one IMAGE, or several with --together, not %zu",
                         pictures->count);
    }
    for (size_t i = 0; i < pictures->count; i++) {
        MDF_TRY(app_output_not_file(out, pictures->item[i], err));
    }
    MDF_TRY(app_output_not_in(out, dir, err));
    return app_output_not_in(out, f->lora, err);
}

/* What a coverage was measured for. */
static mdf_status check_coverage(app *a, const predict_flags *f, mdf_error *err)
{
    if (f->coverage > 0 && (f->labels.count > 0 || f->lora != NULL)) {
        return app_usage(a, err,
                         "--coverage and %s exclude each other: the model was calibrated %s",
                         f->lora != NULL ? "--lora" : "--labels",
                         f->lora != NULL ? "without the adapter" : "with all of its labels");
    }
    return MDF_OK;
}

/* A script that fills --text from a table writes that table's word for nothing. */
static predict_flags completed(const app *a, const predict_flags *given)
{
    predict_flags f = *given;
    f.resumes = f.session != NULL && mdf_path_exists(f.session);
    if (f.text != NULL && mdf_cell_missing_word(f.text) >= 0) {
        app_say(a, "--text '%s' is a word for a missing value: read as no text", f.text);
        f.text = NULL;
    }
    return f;
}

/* Before the first question: what can't be saved is not answered. */
static mdf_status begin_session(const predict_flags *f, const mdf_engine *engine,
                                mdf_session *session, mdf_error *err)
{
    mdf_file_writer probe;
    if (f->session == NULL) {
        return MDF_OK;
    }
    if (!mdf_engine_converses(engine)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "--session %s: the model has no chat template, and so no form of a "
                        "conversation: its questions stand for themselves",
                        f->session);
    }
    if (f->resumes) {
        MDF_TRY(mdf_session_load(session, f->session, err));
    }
    if (f->show_prompt) {
        return MDF_OK;
    }
    MDF_TRY(mdf_file_writer_open(&probe, f->session, err));
    mdf_file_writer_abort(&probe);
    return MDF_OK;
}

static mdf_status ask(const app *a, const predict_flags *f, predict_view view,
                      const mdf_engine *engine, mdf_session *session, mdf_error *err)
{
    MDF_TRY(begin_session(f, engine, session, err));
    MDF_TRY(predict_ask(a, f, view, session, err));
    return f->session != NULL && !f->show_prompt ? mdf_session_save(session, f->session, err)
                                                 : MDF_OK;
}

/* a's operands are the pictures. */
static mdf_status predict(const app *a, const predict_flags *f, predict_view view,
                          mdf_kv_type kv_type, const char *dir, mdf_error *err)
{
    mdf_engine *engine = NULL;
    mdf_session *session = NULL;
    mdf_status status = mdf_engine_open(&engine,
                                        &(mdf_engine_options){.model_dir = dir,
                                                              .threads = (int)a->threads,
                                                              .lora = f->lora,
                                                              .chat_template = f->chat_template,
                                                              .check_tensors = f->check_tensors,
                                                              .labels_optional = f->ask.count > 0,
                                                              .kv_type = kv_type},
                                        err);
    if (status == MDF_OK) {
        status = mdf_session_new(&session, engine, err);
    }
    if (status == MDF_OK) {
        mdf_session_watch(session, a->stop);
        status = f->ask.count > 0 ? ask(a, f, view, engine, session, err)
                                  : predict_classify(a, f, view, session, err);
    }
    mdf_session_free(session);
    mdf_engine_close(engine);
    return status;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const predict_flags own = completed(a, flags);
    const predict_flags *f = &own;
    predict_view view;
    mdf_kv_type kv_type;
    app_pictures pictures;
    char *dir = NULL;
    MDF_TRY(check_flags(a, f, err));
    MDF_TRY(check_coverage(a, f, err));
    MDF_TRY(parse_view(a, f, &view, err));
    MDF_TRY(parse_explain(a, f, &view, err));
    MDF_TRY(app_kv_type(a, f->kv_type, &kv_type, err));
    MDF_TRY(app_find_file(f->model, "models", "", &dir, err));
    mdf_status status = app_pictures_list(&pictures, a, err);
    if (status == MDF_OK) {
        status = check_heatmap(a, f, &pictures, dir, err);
    }
    if (status == MDF_OK) {
        status = check_session(a, f, &pictures, dir, err);
    }
    if (status == MDF_OK) {
        status = check_together(a, f, pictures.count, err);
    }
    if (status == MDF_OK) {
        app listed = *a;
        listed.operands = (arg_list){pictures.item, pictures.count};
        status = predict(&listed, f, view, kv_type, dir, err);
    }
    app_pictures_free(&pictures);
    mdf_free(dir);
    return status;
}

const app_command app_predict = {
    .name = "predict",
    .summary = "classify photographs, or ask about them",
    .description =
        "Prints the probability of each label, best first. A photograph that is dark, blurred, "
        "cut\n"
        "off or no fundus is reported as such. Where one of several pictures can't be read, the "
        "others\n"
        "are classified all the same, and the exit code is 1. One that is unlike those of the "
        "model's\n"
        "training is reported, too, where the model remembers them (mdf calibrate).\n"
        "\n"
        "With --ask the model answers in words, which are printed as they come; Ctrl-C ends the "
        "answer.\n"
        "Llama 3.2 Vision and text models can be asked too (a text model without IMAGE): by the "
        "chat\n"
        "template of their folder, whatever it is. A model with labels is asked in the form of "
        "its\n"
        "training. Every question of several stands for itself; with --session they are turns of "
        "one\n"
        "conversation, which a later run goes on with. An answer that was stopped is not written.\n"
        "Several IMAGEs are asked about one after the other; with --together they stand before "
        "one\n"
        "question, in their order, for models without labels that have a vision tower.\n"
        "\n"
        "A photograph is cut into tiles for the vision tower as Llama's image processor does it: "
        "with\n"
        "--tiles auto a square crop of more than one tile's size becomes 2 x 2 of them. Models are "
        "trained\n"
        "on one tile.",
    .example =
        "  mdf predict --model runs/first --text \"63-year-old female. Left eye.\" eye.jpg\n"
        "  mdf predict --model Llama-3.2-11B-Vision-Instruct --ask \"What is to be seen?\" "
        "eye.jpg\n"
        "  mdf predict --model Llama-3.2-11B-Vision-Instruct --together --ask \"What has "
        "changed?\" 2019.jpg 2024.jpg\n"
        "  mdf predict --model smollm2 --ask \"What is the macula?\"\n"
        "  mdf predict --model llama-q4 --session talk --ask \"What is to be seen?\" eye.jpg\n"
        "  mdf predict --model llama-q4 --session talk --ask \"Where?\"",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(predict_flags),
    .operand = {"IMAGE", 0, 1000000,
                MDF_IMAGE_FORMATS " file, a folder with all that is below it, or - for one on "
                                  "standard input"},
    .run = run,
};
