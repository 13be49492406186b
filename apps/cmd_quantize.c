/* mdf quantize: a model folder in smaller number formats, chosen by part. */
#include "app.h"
#include "model_watch.h"

typedef struct quantize_flags {
    const char *model;
    const char *out;
    const char *text, *cross, *vision, *projector, *embeddings, *unet, *fusion;
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

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const quantize_flags *f = flags;
    mdf_rewrite how = {.refuse_quantised = true};
    mdf_rewrite_result result;
    MDF_TRY(parse(a, f, &how.precision, err));
    MDF_TRY(app_rewrite(a, "quantize", f->model, f->out, &how, &result, err));
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
        "a time is in memory, so any model fits.",
    .example = "  mdf quantize --model llama-3.2-11b-vision --out llama-q4\n"
               "  mdf quantize --model run --out run-q8 --text q8_0",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(quantize_flags),
    .run = run,
};
