/* mdf quantize: a model folder in smaller number formats, chosen by part. */
#include "model_watch.h"
#include "outputs.h"
#include "quantize_cases.h"

typedef struct quantize_flags {
    const char *model;
    const char *out;
    const char *text, *cross, *vision, *projector, *embeddings, *unet, *fusion;
    const char *cases, *split;
    int64_t limit;
    bool split_given, limit_given;
} quantize_flags;

#define FORMAT(flag, field, what)                                                                  \
    {                                                                                              \
        .name = (flag), .kind = ARG_STRING, .offset = offsetof(quantize_flags, field),             \
        .metavar = "TYPE", .help = (what)                                                          \
    }

static const arg_option options[] = {
    {.name = "model",
     .letter = 'm',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(quantize_flags, model),
     .metavar = "DIR",
     .help = "model folder, this project's or Hugging Face's"},
    {.name = "out",
     .letter = 'o',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(quantize_flags, out),
     .metavar = "DIR",
     .help = "folder to write, made when it is not there"},
    {.name = "text",
     .kind = ARG_STRING,
     .offset = offsetof(quantize_flags, text),
     .metavar = "TYPE",
     .fallback = "q4_0",
     .help = "text layers; with q formats all other parts are q8_0 unless told otherwise"},
    FORMAT("cross", cross, "cross-attention layers, if not as --text"),
    FORMAT("vision", vision, "vision tower"),
    FORMAT("projector", projector, "projector"),
    FORMAT("embeddings", embeddings, "embedding table and head"),
    FORMAT("unet", unet, "U-Net: f32, f16 or bf16, as it has no matrices"),
    FORMAT("fusion", fusion, "FiLM, projections and branches"),
    {.name = "cases",
     .kind = ARG_STRING,
     .offset = offsetof(quantize_flags, cases),
     .metavar = "DIR",
     .help = "data folder: also report how the model's answers to its cases change"},
    {.name = "split",
     .kind = ARG_STRING,
     .offset = offsetof(quantize_flags, split),
     .given_offset = offsetof(quantize_flags, split_given),
     .metavar = "NAME",
     .help = "only the cases of this split"},
    {.name = "limit",
     .kind = ARG_INT,
     .offset = offsetof(quantize_flags, limit),
     .given_offset = offsetof(quantize_flags, limit_given),
     .metavar = "N",
     .fallback = "32",
     .min = 0,
     .max = 1000000,
     .help = "so many of the cases, evenly spaced; 0: all"},
};

static mdf_status choose(app *a, mdf_precision *p, mdf_part part, const char *word, mdf_error *err)
{
    return word == NULL ? MDF_OK
                        : app_parse_format(a, mdf_part_name(part), word, &p->type[part],
                                           &p->keep[part], err);
}

static mdf_status parse(app *a, const quantize_flags *f, mdf_precision *p, mdf_error *err)
{
    mdf_dtype text = MDF_DTYPE_Q4_0;
    bool keep = false;
    MDF_TRY(app_parse_format(a, "text", f->text, &text, &keep, err));
    *p = mdf_precision_for(text);
    p->keep[MDF_PART_TEXT_SELF] = p->keep[MDF_PART_TEXT_CROSS] = keep;
    MDF_TRY(choose(a, p, MDF_PART_TEXT_CROSS, f->cross, err));
    MDF_TRY(choose(a, p, MDF_PART_VISION, f->vision, err));
    MDF_TRY(choose(a, p, MDF_PART_PROJECTOR, f->projector, err));
    MDF_TRY(choose(a, p, MDF_PART_EMBEDDINGS, f->embeddings, err));
    MDF_TRY(choose(a, p, MDF_PART_UNET, f->unet, err));
    return choose(a, p, MDF_PART_FUSION, f->fusion, err);
}

static mdf_status rewrite(app *a, const quantize_flags *f, const mdf_rewrite *how,
                          mdf_rewrite_result *result, mdf_error *err)
{
    return app_rewrite(a, "quantize", f->model, f->out, how, result, err);
}

/* The model before is asked first: what is wrong with the cases shows before anything is written.
 */
static mdf_status rewrite_and_compare(app *a, const quantize_flags *f, const mdf_rewrite *how,
                                      mdf_error *err)
{
    quantize_cases cases;
    mdf_case_change change;
    mdf_rewrite_result result = {0};
    MDF_TRY(quantize_cases_before(&cases, a, f->cases, f->split, (size_t)f->limit, f->model, err));
    mdf_status status = rewrite(a, f, how, &result, err);
    if (status == MDF_OK) {
        status = quantize_cases_after(&cases, a, f->out, &change, err);
    }
    if (status == MDF_OK) {
        status = quantize_cases_print(a, f->out, &result, &change, err);
    }
    mdf_rewrite_result_free(&result);
    quantize_cases_free(&cases);
    return status;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const quantize_flags *f = flags;
    mdf_rewrite how = {.refuse_quantised = true};
    mdf_rewrite_result result;
    MDF_TRY(parse(a, f, &how.precision, err));
    MDF_TRY(app_output_folder(f->out, err));
    if (f->cases != NULL) {
        return rewrite_and_compare(a, f, &how, err);
    }
    if (f->split_given || f->limit_given) {
        return app_usage(a, err, "%s goes with --cases", f->split_given ? "--split" : "--limit");
    }
    MDF_TRY(rewrite(a, f, &how, &result, err));
    return app_print_rewrite(a, f->out, true, &result, err);
}

const app_command app_quantize = {
    .name = "quantize",
    .summary = "write a model in smaller number formats",
    .description =
        "Writes a model's matrices in blocks of 8, 6, 5 or 4 bits (GGUF's layouts) and prints the\n"
        "error of every tensor: root of the mean squared difference, as a fraction of the "
        "numbers'\n"
        "root mean square. Norms, biases, gates and convolutions stay in 16 or 32 bits. A piece "
        "at\n"
        "a time is in memory, so any model fits.\n"
        "\n"
        "With --cases the model reads photographs and texts of a data folder before and after, "
        "one\n"
        "model at a time from its mapped files, and the change is printed: of the logits of the "
        "token\n"
        "behind the prompt and, for a model with labels, of their scores and probabilities: "
        "largest,\n"
        "root mean square, Kullback-Leibler divergence, and how often the answer is another one.",
    .example = "  mdf quantize --model llama-3.2-11b-vision --out llama-q4\n"
               "  mdf quantize --model run --out run-q8 --text q8_0 --cases phantoms --split val",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(quantize_flags),
    .run = run,
};
