/* mdf init: a model of random weights. */
#include <stdio.h>

#include "app.h"
#include "base/alloc.h"
#include "convert/model_init.h"
#include "model_watch.h"
#include "outputs.h"

typedef struct init_flags {
    const char *config;
    const char *out;
    const char *quantize;
    arg_list set;
} init_flags;

static const arg_option options[] = {
    {.name = "config",
     .letter = 'c',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(init_flags, config),
     .metavar = "FILE",
     .help = "settings, or the name of a preset such as llama-3.2-11b-vision"},
    {.name = "out",
     .letter = 'o',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(init_flags, out),
     .metavar = "DIR",
     .help = "folder to write, made when it is not there"},
    {.name = "quantize",
     .kind = ARG_STRING,
     .offset = offsetof(init_flags, quantize),
     .metavar = "TYPE",
     .fallback = "f32",
     .help = "numbers of the text layers: f32, f16, bf16, q8_0, q4_0 ...; see mdf quantize"},
    {.name = "set",
     .kind = ARG_LIST,
     .offset = offsetof(init_flags, set),
     .metavar = "KEY=VALUE",
     .help = "change one setting"},
};

static mdf_status load_config(mdf_config *c, const init_flags *f, mdf_error *err)
{
    char *path = NULL;
    MDF_TRY(app_find_file(f->config, "presets", ".json", &path, err));
    mdf_status status = mdf_config_load(c, path, err);
    mdf_free(path);
    for (size_t i = 0; status == MDF_OK && i < f->set.count; i++) {
        status = mdf_config_set(c, f->set.item[i], err);
    }
    mdf_config_forget(c);
    return status == MDF_OK ? mdf_config_validate(c, err) : status;
}

static mdf_status make(app *a, const init_flags *f, const mdf_config *c, mdf_dtype type,
                       mdf_init_result *result, mdf_error *err)
{
    const mdf_precision precision = mdf_precision_for(type);
    app_model_watch w;
    app_model_watch_start(&w, a, "init");
    const mdf_status status =
        mdf_model_init(f->out, c, &precision, (uint64_t)a->seed, &w.watch, result, err);
    app_model_watch_finish(&w);
    return status;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const init_flags *f = flags;
    mdf_dtype type = MDF_DTYPE_F32;
    bool keep = false;
    mdf_init_result result = {0};
    MDF_TRY(app_parse_format(a, "quantize", f->quantize, &type, &keep, err));
    if (keep) {
        return app_usage(a, err, "--quantize keep: there is nothing to keep");
    }
    MDF_TRY(app_output_folder(f->out, err));
    mdf_config *c = mdf_alloc(1, sizeof *c);
    mdf_status status = c == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "no memory for the settings")
                                  : load_config(c, f, err);
    if (status == MDF_OK) {
        status = make(a, f, c, type, &result, err);
    }
    mdf_free(c);
    MDF_TRY(status);
    if (a->json) {
        return app_print_json(json_pack("{s:o, s:I, s:I, s:I}", "model", app_json_string(f->out),
                                        "tensors", (json_int_t)result.tensors, "parameters",
                                        (json_int_t)result.numbers, "bytes",
                                        (json_int_t)result.bytes),
                              err);
    }
    char size[APP_SIZE];
    (void)printf("%s: %zu tensors, %lld parameters, %s\n", f->out, result.tensors,
                 (long long)result.numbers, app_size(result.bytes, size));
    return MDF_OK;
}

const app_command app_init = {
    .name = "init",
    .summary = "write a model of random weights",
    .description =
        "Writes a model folder whose weights are those that a training starts from: every number\n"
        "follows from --seed, the tensor's name and its index. A piece at a time is in memory, so\n"
        "that models of any size can be made to try a machine.",
    .example = "  mdf init --config llama-3.2-11b-vision --quantize q4_0 --seed 1 --out random-11b",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(init_flags),
    .run = run,
};
