/* mdf import: a model of Hugging Face's, or a GGUF file, becomes this project's folder; LoRA
 * adapters are merged. */
#include <string.h>

#include "app.h"
#include "engine/model_gguf.h"
#include "model_watch.h"
#include "nn/lora.h"

typedef struct import_flags {
    const char *out;
    const char *lora;
    const char *dtype;
    const char *projector;
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
    {.name = "projector",
     .kind = ARG_STRING,
     .offset = offsetof(import_flags, projector),
     .metavar = "FILE",
     .help = "GGUF file of the vision part, when it stands apart"},
};

static mdf_precision precision_of(mdf_dtype type, bool keep)
{
    mdf_precision p = mdf_precision_for(type);
    for (int i = 0; keep && i < MDF_PARTS; i++) {
        p.keep[i] = true;
    }
    return p;
}

static bool is_gguf(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".gguf") == 0;
}

static mdf_status import_gguf(app *a, const import_flags *f, const char *path, mdf_error *err)
{
    app_model_watch w;
    mdf_rewrite_result result;
    if (f->lora != NULL || strcmp(f->dtype, "keep") != 0) {
        return app_usage(a, err, "--lora and --dtype do not go with a GGUF file");
    }
    app_model_watch_start(&w, a, "import");
    const mdf_status status =
        mdf_model_import_gguf(path, f->projector, f->out, &w.watch, &result, err);
    app_model_watch_finish(&w);
    MDF_TRY(status);
    return app_print_rewrite(a, f->out, false, &result, err);
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const import_flags *f = flags;
    mdf_dtype type = MDF_DTYPE_F32;
    bool keep = true;
    mdf_lora lora = {0};
    mdf_rewrite_result result;
    if (is_gguf(a->operands.item[0])) {
        return import_gguf(a, f, a->operands.item[0], err);
    }
    if (f->projector != NULL) {
        return app_usage(a, err, "--projector goes with a GGUF file");
    }
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
    .summary = "take over a model of Hugging Face's or of llama.cpp",
    .description =
        "Reads a folder with config.json and safetensors files (Llama 3.2 Vision or a Llama text\n"
        "model; transformers 4 or 5, older or newer names, one file or shards) and writes it as a\n"
        "folder of this project, with the tokenizer's files. With --lora a PEFT adapter is "
        "merged.\n"
        "Other commands read such folders without this step, too. A GGUF file (Llama text models;\n"
        "Llama 3.2 Vision as ollama stores it) is taken over with its number formats; its\n"
        "tokenizer.json must be put beside it.",
    .example = "  mdf import Llama-3.2-11B-Vision-Instruct --out llama\n"
               "  mdf import Llama-3.2-11B-Vision-Instruct --lora adapter --out tuned\n"
               "  mdf import SmolLM2-135M-Instruct.Q8_0.gguf --out smollm2",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(import_flags),
    .operand = {"SRC", 1, 1, "folder or GGUF file to read"},
    .run = run,
};
