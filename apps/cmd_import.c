/* mdf import: a model of Hugging Face's or of GGUF files becomes this project's folder; LoRA
 * adapters are merged. */
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "convert/import_gguf.h"
#include "io/torch_file.h"
#include "model_watch.h"
#include "outputs.h"
#include "weights/lora.h"

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

/* weights: a file in the folder; NULL: as the folder has them. */
static mdf_status import_folder(app *a, const import_flags *f, const mdf_precision *precision,
                                const char *folder, const char *weights, mdf_rewrite_result *result,
                                mdf_error *err)
{
    mdf_lora lora = {0};
    mdf_rewrite how = {.precision = *precision, .weights = weights};
    if (a->operands.count > 1) {
        return app_usage(a, err, "one folder at a time: %s is too much", a->operands.item[1]);
    }
    if (f->lora != NULL) {
        MDF_TRY(mdf_lora_load(&lora, f->lora, err));
        how.lora = &lora;
        how.refuse_quantised = true;
    }
    const mdf_status status = app_rewrite(a, "import", folder, f->out, &how, result, err);
    mdf_lora_free(&lora);
    return status;
}

/* A file of weights, whose folder says what the model is. */
static mdf_status import_weights(app *a, const import_flags *f, const mdf_precision *precision,
                                 mdf_rewrite_result *result, mdf_error *err)
{
    const char *path = a->operands.item[0];
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? mdf_strdup(".") : mdf_strndup(path, (size_t)(slash - path) + 1);
    char *config = folder == NULL ? NULL : mdf_path_join(folder, "config.json");
    mdf_status status = MDF_OK;
    if (config == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    } else if (!mdf_path_exists(config)) {
        status = mdf_fail(err, MDF_ERR_ARG,
                          "%s: weights alone do not say what the model is: no config.json lies "
                          "beside them",
                          path);
    } else {
        status = import_folder(a, f, precision, folder, path, result, err);
    }
    mdf_free(config);
    mdf_free(folder);
    return status;
}

static mdf_status import_files(app *a, const import_flags *f, const mdf_precision *precision,
                               mdf_rewrite_result *result, mdf_error *err)
{
    const mdf_gguf_import how = {a->operands.item, a->operands.count, *precision};
    mdf_error remark;
    app_model_watch w;
    if (f->lora != NULL) {
        return app_usage(a, err, "--lora takes a folder as SRC; import the GGUF file first");
    }
    app_model_watch_start(&w, a, "import");
    const mdf_status status = mdf_import_gguf(f->out, &how, &w.watch, result, &remark, err);
    app_model_watch_finish(&w);
    if (status == MDF_OK && remark.text[0] != '\0') {
        app_say(a, "warning: %s", remark.text);
    }
    return status;
}

static mdf_status import_any(app *a, const import_flags *f, const mdf_precision *precision,
                             mdf_rewrite_result *result, mdf_error *err)
{
    const char *path = a->operands.item[0];
    if (mdf_path_is_dir(path)) {
        return import_folder(a, f, precision, path, NULL, result, err);
    }
    return mdf_torch_is(path) ? import_weights(a, f, precision, result, err)
                              : import_files(a, f, precision, result, err);
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const import_flags *f = flags;
    mdf_dtype type = MDF_DTYPE_F32;
    bool keep = true;
    mdf_rewrite_result result;
    MDF_TRY(app_parse_format(a, "dtype", f->dtype, &type, &keep, err));
    MDF_TRY(app_output_folder(f->out, err));
    const mdf_precision precision = precision_of(type, keep);
    MDF_TRY(import_any(a, f, &precision, &result, err));
    return app_print_rewrite(a, f->out, false, &result, err);
}

const app_command app_import = {
    .name = "import",
    .summary = "take over a model of Hugging Face's or of GGUF files",
    .description =
        "Reads a folder with config.json and safetensors files or pytorch_model.bin (Llama 3.2\n"
        "Vision or a Llama text model; transformers 4 or 5, older or newer names, one file or\n"
        "shards) and writes it as a folder of this project, with the tokenizer's files. With "
        "--lora\n"
        "a PEFT adapter is merged. Other commands read such folders without this step, too.\n"
        "Of files of torch.save only the tensors are read, and nothing in them is run; such a "
        "file\n"
        "may be named itself, with config.json beside it.\n"
        "\n"
        "Or reads GGUF files: a text model of the Llama architecture, or Llama 3.2 Vision as "
        "ollama\n"
        "has it, in one file, in parts (name the first) or pictures and text apart (name both).\n"
        "Quantised weights are copied as they are; the tokenizer becomes a tokenizer.json.",
    .example = "  mdf import Llama-3.2-11B-Vision-Instruct --out llama\n"
               "  mdf import Llama-3.2-11B-Vision-Instruct --lora adapter --out tuned\n"
               "  mdf import SmolLM2-135M-Instruct.Q4_1.gguf --out smollm2",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(import_flags),
    .operand = {"SRC", 1, 64, "folder, PyTorch file, or GGUF files"},
    .run = run,
};
