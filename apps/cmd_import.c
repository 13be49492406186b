/* mdf import: a model of Hugging Face's becomes this project's folder; LoRA adapters are merged. */
#include "app.h"
#include "model_watch.h"
#include "nn/lora.h"

typedef struct import_flags {
    const char *out;
    const char *lora;
    const char *dtype;
} import_flags;

static const arg_option options[] = {
    {.name = "out",
     .letter = 'o',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(import_flags, out),
     .metavar = "DIR",
     .help = "folder to write, made when it is not there"},
    {.name = "lora",
     .kind = ARG_STRING,
     .offset = offsetof(import_flags, lora),
     .metavar = "DIR",
     .help = "PEFT adapter whose change is added to the weights"},
    {.name = "dtype",
     .kind = ARG_STRING,
     .offset = offsetof(import_flags, dtype),
     .metavar = "TYPE",
     .fallback = "keep",
     .help = "numbers of the matrices: keep, f32, f16, bf16, q8_0 ...; see mdf quantize"},
};

static mdf_precision precision_of(mdf_dtype type, bool keep)
{
    mdf_precision p = mdf_precision_for(type);
    for (int i = 0; keep && i < MDF_PARTS; i++) {
        p.keep[i] = true;
    }
    return p;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const import_flags *f = flags;
    mdf_dtype type = MDF_DTYPE_F32;
    bool keep = true;
    mdf_lora lora = {0};
    mdf_rewrite_result result;
    MDF_TRY(app_parse_format(a, "dtype", f->dtype, &type, &keep, err));
    mdf_rewrite how = {.precision = precision_of(type, keep)};
    if (f->lora != NULL) {
        MDF_TRY(mdf_lora_load(&lora, f->lora, err));
        how.lora = &lora;
        how.refuse_quantised = true;
    }
    const mdf_status status =
        app_rewrite(a, "import", a->operands.item[0], f->out, &how, &result, err);
    mdf_lora_free(&lora);
    MDF_TRY(status);
    return app_print_rewrite(a, f->out, false, &result, err);
}

const app_command app_import = {
    .name = "import",
    .summary = "take over a model of Hugging Face's",
    .description =
        "Reads a folder with config.json and safetensors files (Llama 3.2 Vision or a Llama text\n"
        "model; transformers 4 or 5, older or newer names, one file or shards) and writes it as a\n"
        "folder of this project, with the tokenizer's files. With --lora a PEFT adapter is "
        "merged.\n"
        "Other commands read such folders without this step, too.",
    .example = "  mdf import Llama-3.2-11B-Vision-Instruct --out llama\n"
               "  mdf import Llama-3.2-11B-Vision-Instruct --lora adapter --out tuned",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(import_flags),
    .operand = {"SRC", 1, 1, "folder to read"},
    .run = run,
};
