/* mdf export: a run becomes a model folder to ship: settings and weights, nothing of the training.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/file.h"
#include "engine/engine.h"
#include "io/safetensors.h"
#include "model_watch.h"
#include "outputs.h"

typedef struct export_flags {
    const char *model;
    const char *out;
    const char *dtype;
    const char *format;
} export_flags;

static const arg_option options[] = {
    {.name = "model",
     .letter = 'm',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(export_flags, model),
     .metavar = "RUN",
     .help = "folder of a run or a model"},
    {.name = "out",
     .letter = 'o',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(export_flags, out),
     .metavar = "DIR",
     .help = "folder to write, made when it is not there"},
    {.name = "dtype",
     .kind = ARG_STRING,
     .offset = offsetof(export_flags, dtype),
     .metavar = "TYPE",
     .fallback = "f16",
     .help = "numbers of the weights: f32, f16 or bf16"},
    {.name = "format",
     .kind = ARG_STRING,
     .offset = offsetof(export_flags, format),
     .metavar = "NAME",
     .fallback = "mdf",
     .help = "mdf, or hf: a folder that transformers loads, without U-Net and fusion"},
};

static mdf_status parse_dtype(app *a, const char *name, mdf_dtype *out, mdf_error *err)
{
    static const struct {
        const char *name;
        mdf_dtype dtype;
    } known[] = {{"f32", MDF_DTYPE_F32}, {"f16", MDF_DTYPE_F16}, {"bf16", MDF_DTYPE_BF16}};
    for (size_t i = 0; i < APP_COUNT(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].dtype;
            return MDF_OK;
        }
    }
    return app_usage(a, err, "--dtype takes f32, f16 or bf16, not '%s'", name);
}

static mdf_status save_weights(const char *path, const mdf_params *p, mdf_dtype dtype,
                               mdf_error *err)
{
    mdf_st_entry *entry = mdf_alloc(p->count, sizeof *entry);
    if (entry == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        entry[i] = (mdf_st_entry){
            .name = t->name, .dtype = dtype, .rank = t->rank, .data = t->data, .from_floats = true};
        memcpy(entry[i].dim, t->dim, sizeof entry[i].dim);
    }
    const mdf_st_pair meta[] = {{"format", "pt"}, {"producer", "mdf " MDF_VERSION}};
    const mdf_status status = mdf_safetensors_save(path, entry, p->count, meta, 2, err);
    mdf_free(entry);
    return status;
}

static mdf_status save(const char *dir, const mdf_mllm *m, mdf_dtype dtype, mdf_error *err)
{
    char *config_path = mdf_path_join(dir, "config.json");
    char *weights_path = mdf_path_join(dir, "model.safetensors");
    mdf_strbuf text = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    mdf_file_writer settings = {0}; /* whole, but without its name until the weights are there */
    mdf_status status = mdf_make_dirs(dir, err);
    if (status == MDF_OK && (config_path == NULL || weights_path == NULL)) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
    }
    if (status == MDF_OK) {
        status = mdf_config_write(&m->config, &text, err);
    }
    if (status == MDF_OK) {
        status = mdf_file_writer_open(&settings, config_path, err);
    }
    if (status == MDF_OK) {
        status = mdf_file_writer_write(&settings, text.data, text.len, err);
    }
    if (status == MDF_OK) {
        status = mdf_file_writer_sync(&settings, err);
    }
    if (status == MDF_OK) {
        status = save_weights(weights_path, &m->params, dtype, err);
    }
    if (status == MDF_OK) {
        status = mdf_file_writer_commit(&settings, err);
    }
    mdf_file_writer_abort(&settings);
    mdf_strbuf_free(&text);
    mdf_free(config_path);
    mdf_free(weights_path);
    return status;
}

static mdf_status export_hf(app *a, const export_flags *f, mdf_dtype dtype, mdf_error *err)
{
    mdf_rewrite how = {.precision = mdf_precision_for(dtype), .hugging_face = true};
    mdf_rewrite_result result;
    MDF_TRY(app_rewrite(a, "export", f->model, f->out, &how, &result, err));
    return app_print_rewrite(a, f->out, false, &result, err);
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const export_flags *f = flags;
    mdf_dtype dtype = MDF_DTYPE_F16;
    mdf_engine *engine = NULL;
    MDF_TRY(parse_dtype(a, f->dtype, &dtype, err));
    MDF_TRY(app_output_folder(f->out, err));
    if (strcmp(f->format, "hf") == 0) {
        return export_hf(a, f, dtype, err);
    }
    if (strcmp(f->format, "mdf") != 0) {
        return app_usage(a, err, "--format takes mdf or hf, not '%s'", f->format);
    }
    MDF_TRY(mdf_engine_open(&engine, &(mdf_engine_options){.model_dir = f->model}, err));
    const mdf_status status = save(f->out, engine->model, dtype, err);
    mdf_engine_close(engine);
    MDF_TRY(status);
    if (a->json) {
        return app_print_json(
            json_pack("{s:o, s:s}", "model", app_json_string(f->out), "dtype", f->dtype), err);
    }
    (void)printf("%s: weights in %s\n", f->out, f->dtype);
    return MDF_OK;
}

const app_command app_export = {
    .name = "export",
    .summary = "write a model folder to ship",
    .description =
        "Writes the settings and the best weights of a run, in half precision unless told\n"
        "otherwise, to a folder that --model takes. Optimiser, metrics and the auxiliary "
        "classifier\n"
        "of the training stay behind. With --format hf the text model and the vision tower become\n"
        "a folder that transformers loads as MllamaForConditionalGeneration (a text model alone "
        "as\n"
        "LlamaForCausalLM); quantised weights are turned back into numbers.",
    .example = "  mdf export --model runs/first --out models/first\n"
               "  mdf export --model llama-q8 --format hf --dtype bf16 --out llama-hf",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(export_flags),
    .run = run,
};
