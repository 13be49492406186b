/* mdf graft: a pretrained language model gets eyes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "convert/graft.h"
#include "outputs.h"
#include "progress.h"

typedef struct graft_flags {
    const char *model;
    const char *config;
    const char *out;
    const char *cross;
    arg_list set;
} graft_flags;

static const arg_option options[] = {
    {.name = "model",
     .letter = 'm',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(graft_flags, model),
     .metavar = "DIR",
     .help = "folder of a Llama text model or a Llama 3.2 Vision model"},
    {.name = "config",
     .letter = 'c',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(graft_flags, config),
     .metavar = "FILE",
     .help = "settings of everything else, a JSON file or the name of a preset (smol)"},
    {.name = "out",
     .letter = 'o',
     .required = true,
     .kind = ARG_STRING,
     .offset = offsetof(graft_flags, out),
     .metavar = "DIR",
     .help = "folder to write, made when it is not there"},
    {.name = "cross-layers",
     .kind = ARG_STRING,
     .offset = offsetof(graft_flags, cross),
     .metavar = "LIST",
     .help = "layers of the result that become cross-attention layers, e.g. 5,14,22,31"},
    {.name = "set",
     .kind = ARG_LIST,
     .offset = offsetof(graft_flags, set),
     .metavar = "KEY=VALUE",
     .help = "change one setting, e.g. fusion_config.grid=8"},
};

static mdf_status load_config(const graft_flags *f, mdf_config *c, mdf_error *err)
{
    char *path = NULL;
    MDF_TRY(app_find_file(f->config, "presets", ".json", &path, err));
    mdf_status status = mdf_config_load(c, path, err);
    mdf_free(path);
    for (size_t i = 0; status == MDF_OK && i < f->set.count; i++) {
        status = mdf_config_set(c, f->set.item[i], err);
    }
    return status;
}

static mdf_status parse_layers(app *a, const char *list, int layer[MDF_MAX_LAYERS], int *count,
                               mdf_error *err)
{
    *count = 0;
    for (const char *p = list; p != NULL && *p != '\0';) {
        char *end = NULL;
        const long n = strtol(p, &end, 10);
        if (end == p || n < 0 || n >= MDF_MAX_LAYERS || *count == MDF_MAX_LAYERS ||
            (*end != '\0' && *end != ',')) {
            return app_usage(a, err, "--cross-layers takes layers with commas between, not '%s'",
                             list);
        }
        layer[(*count)++] = (int)n;
        p = *end == ',' ? end + 1 : end;
    }
    return MDF_OK;
}

static void on_progress(void *user, uint64_t done, uint64_t total)
{
    app_progress_update(
        user,
        &(app_progress_state){.done = (size_t)done, .total = (size_t)total, .loss = (double)NAN});
}

static mdf_status print_result(const app *a, const graft_flags *f, const mdf_graft_result *r,
                               mdf_error *err)
{
    if (a->json) {
        return app_print_json(
            json_pack("{s:o, s:I, s:I, s:I, s:I}", "model", app_json_string(f->out), "tensors_kept",
                      (json_int_t)r->kept, "tensors_new", (json_int_t)r->added, "parameters_kept",
                      (json_int_t)r->kept_numbers, "parameters_new", (json_int_t)r->added_numbers),
            err);
    }
    (void)printf("%s: %zu tensors with %lld parameters kept, %zu with %lld new\n", f->out, r->kept,
                 (long long)r->kept_numbers, r->added, (long long)r->added_numbers);
    return MDF_OK;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const graft_flags *f = flags;
    int cross[MDF_MAX_LAYERS];
    mdf_graft_options opt = {.source = f->model, .cross = cross, .seed = (uint64_t)a->seed};
    MDF_TRY(parse_layers(a, f->cross, cross, &opt.cross_count, err));
    MDF_TRY(app_output_folder(f->out, err));
    mdf_config *c = mdf_alloc(1, sizeof *c);
    if (c == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration");
    }
    opt.config = c;
    app_progress bar;
    mdf_graft_result result;
    mdf_status status = load_config(f, c, err);
    if (status == MDF_OK) {
        app_progress_start(&bar, "write", a->quiet);
        status =
            mdf_graft(f->out, &opt,
                      &(mdf_stream_watch){.progress = on_progress, .user = &bar, .stop = a->stop},
                      &result, err);
        app_progress_finish(&bar);
    }
    mdf_free(c);
    MDF_TRY(status);
    return print_result(a, f, &result, err);
}

const app_command app_graft = {
    .name = "graft",
    .summary = "put vision and fusion on a pretrained language model",
    .description =
        "Takes the weights of a Llama text model and puts cross-attention layers between\n"
        "its layers, with the vision tower, U-Net and fusion of the settings; or takes a\n"
        "Llama 3.2 Vision model and adds U-Net and fusion. What is new is random; with\n"
        "gates at zero (gate_init) the result answers as its source. Train it with\n"
        "`mdf train --init DIR`.",
    .example = "  mdf graft --model SmolLM2-135M-Instruct --config smol --out models/smol",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(graft_flags),
    .run = run,
};
