/* mdf bench: speed at the model's real shapes. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/alloc.h"
#include "base/status.h"
#include "bench/bench.h"
#include "engine/engine.h"
#include "outputs.h"

typedef struct bench_flags {
    const char *config;
    int64_t repeat;
    arg_list only;
    bool masks;
    bool force;
    const char *isa;
    const char *model;
    const char *logits;
    const char *kv_type;
    int64_t base, batch, prompt, tokens, tiles, stage;
} bench_flags;

static const arg_option options[] = {
    {.name = "config",
     .letter = 'c',
     .kind = ARG_STRING,
     .offset = offsetof(bench_flags, config),
     .metavar = "FILE",
     .fallback = "small",
     .help = "model to measure, a JSON file or the name of a preset"},
    {.name = "stage",
     .kind = ARG_INT,
     .offset = offsetof(bench_flags, stage),
     .metavar = "N",
     .fallback = "0",
     .max = MDF_MAX_STAGES,
     .help = "the model's step as in this stage of train_config.stages, from 1"},
    {.name = "repeat",
     .letter = 'n',
     .kind = ARG_INT,
     .offset = offsetof(bench_flags, repeat),
     .metavar = "N",
     .fallback = "5",
     .min = 1,
     .max = 1000,
     .help = "runs of which the median is printed"},
    {.name = "only",
     .letter = 'o',
     .kind = ARG_LIST,
     .offset = offsetof(bench_flags, only),
     .metavar = "PART",
     .help = "measure only unet, step, gemm, conv, attention or depthwise"},
    {.name = "model",
     .letter = 'm',
     .kind = ARG_STRING,
     .offset = offsetof(bench_flags, model),
     .metavar = "DIR",
     .help = "measure pictures and text with this model folder, stage by stage, and nothing else"},
    {.name = "prompt",
     .kind = ARG_INT,
     .offset = offsetof(bench_flags, prompt),
     .metavar = "N",
     .fallback = "120",
     .min = 1,
     .max = 32768,
     .help = "with --model, tokens of the prompt"},
    {.name = "tokens",
     .kind = ARG_INT,
     .offset = offsetof(bench_flags, tokens),
     .metavar = "N",
     .fallback = "16",
     .min = 0,
     .max = 32768,
     .help = "with --model, tokens that are read one by one behind the prompt"},
    {.name = "tiles",
     .kind = ARG_INT,
     .offset = offsetof(bench_flags, tiles),
     .metavar = "N",
     .fallback = "1",
     .min = 1,
     .max = 64,
     .help = "with --model, tiles of the picture"},
    {.name = "kv-type",
     .kind = ARG_STRING,
     .offset = offsetof(bench_flags, kv_type),
     .metavar = "TYPE",
     .fallback = "f16",
     .help = "with --model, type of the keys and values that later tokens read: f16, bf16, f32 or "
             "q8_0"},
    {.name = "logits",
     .kind = ARG_STRING,
     .offset = offsetof(bench_flags, logits),
     .metavar = "FILE",
     .help = "with --model, write the logits behind the prompt as 32-bit floats"},
    {.name = "force",
     .kind = ARG_FLAG,
     .offset = offsetof(bench_flags, force),
     .help = "--logits may replace a file that is there"},
    {.name = "masks",
     .kind = ARG_FLAG,
     .offset = offsetof(bench_flags, masks),
     .help = "the model's step trains the decoder of masks too"},
    {.name = "batch",
     .letter = 'b',
     .kind = ARG_INT,
     .offset = offsetof(bench_flags, batch),
     .metavar = "N",
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .help = "cases in the model's batch, 0 for the configuration's"},
    {.name = "unet-base",
     .kind = ARG_INT,
     .offset = offsetof(bench_flags, base),
     .metavar = "N",
     .fallback = "32",
     .min = 8,
     .max = 256,
     .help = "channels of the first level of the U-Net that is measured alone"},
    {.name = "isa",
     .kind = ARG_STRING,
     .offset = offsetof(bench_flags, isa),
     .metavar = "NAME",
     .help = "instruction set: ref, avx2, avx512 or avx512vnni; the best without the flag"},
};

static mdf_status choose_parts(app *a, const arg_list *only, unsigned *parts, mdf_error *err)
{
    static const char *const names[] = {"unet", "step", "gemm", "conv", "attention", "depthwise"};
    *parts = only->count == 0 ? MDF_BENCH_ALL & ~(unsigned)MDF_BENCH_STAGES : 0;
    for (size_t i = 0; i < only->count; i++) {
        size_t at = 0;
        while (at < APP_COUNT(names) && strcmp(only->item[i], names[at]) != 0) {
            at++;
        }
        if (at == APP_COUNT(names)) {
            return app_usage(
                a, err, "--only wants unet, step, gemm, conv, attention or depthwise, not '%s'",
                only->item[i]);
        }
        *parts |= 1U << at;
    }
    return MDF_OK;
}

static void on_part(void *user, const char *what)
{
    const app *a = user;
    app_say(a, "measuring %s", what);
}

static json_t *step_json(const mdf_bench_step *s)
{
    if (s->batch == 0) {
        return json_null();
    }
    return json_pack("{s:f, s:f, s:f, s:I, s:I, s:f, s:I, s:I, s:f, s:f}", "seconds", s->seconds,
                     "best", s->best, "cpu_seconds", s->cpu_seconds, "batch", (json_int_t)s->batch,
                     "parameters", (json_int_t)s->parameters, "peak_rss_mib",
                     (double)s->peak_bytes / 1048576, "allocations", (json_int_t)s->allocations,
                     "text_rows", (json_int_t)s->tokens, "forward_one_seconds", s->forward_seconds,
                     "loss", s->loss);
}

static json_t *report_json(const mdf_bench_report *r)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < r->rows; i++) {
        const mdf_bench_row *w = &r->row[i];
        json_t *row =
            json_pack("{s:s, s:s, s:f, s:f, s:f}", "what", w->what, "shape", w->shape, "ms",
                      w->seconds * 1e3, "gflops", w->gflops, "share_of_peak", w->share);
        if (w->onednn_seconds > 0) {
            (void)json_object_set_new(row, "onednn_ms", json_real(w->onednn_seconds * 1e3));
        }
        if (w->tokens > 0) {
            (void)json_object_set_new(row, "tokens_per_second", json_real(w->tokens / w->seconds));
        }
        if (w->gbytes > 0) { /* share_of_peak is that of memory */
            (void)json_object_set_new(row, "gbs", json_real(w->gbytes));
        }
        (void)json_array_append_new(rows, row);
    }
    return json_pack(
        "{s:s, s:i, s:[f, f], s:[f, f], s:f, s:I, s:I, s:I, s:o, s:o, s:o}", "isa", r->isa,
        "threads", r->threads, "peak_gflops", r->peak[0], r->peak[1], "memory_gbs", r->memory[0],
        r->memory[1], "open_seconds", r->open_seconds, "model_bytes", (json_int_t)r->model_bytes,
        "model_peak_bytes", (json_int_t)r->model_peak_bytes, "kv_bytes", (json_int_t)r->cache_bytes,
        "unet_step", step_json(&r->unet), "model_step", step_json(&r->model), "operations", rows);
}

static void print_step(const char *what, const mdf_bench_step *s)
{
    if (s->batch == 0) {
        return;
    }
    (void)printf("%s: %.3f s a step of %lld (best %.3f, processor %.3f), %.0f MiB at most, "
                 "%zu allocations, %lld parameters\n",
                 what, s->seconds, (long long)s->batch, s->best, s->cpu_seconds,
                 (double)s->peak_bytes / 1048576, s->allocations, (long long)s->parameters);
    if (s->forward_seconds > 0) {
        (void)printf("  %lld rows of text; one case without training: %.0f ms\n",
                     (long long)s->tokens, s->forward_seconds * 1e3);
    }
}

static void print_report(const mdf_bench_report *r)
{
    (void)printf("%s, threads 1 and %d: %.1f and %.1f GFLOP/s at most, %.1f and %.1f GB/s\n",
                 r->isa, r->threads, r->peak[0], r->peak[1], r->memory[0], r->memory[1]);
    print_step("U-Net", &r->unet);
    print_step("model", &r->model);
    if (r->open_seconds > 0) {
        (void)printf("opened in %.2f s; %.0f MiB of files mapped, %.0f MiB resident at most, "
                     "%.1f MiB of keys and values\n",
                     r->open_seconds, (double)r->model_bytes / 1048576,
                     (double)r->model_peak_bytes / 1048576, (double)r->cache_bytes / 1048576);
    }
    if (r->rows > 0) {
        (void)printf("%-26s %-40s %9s %9s %6s %9s\n", "operation", "shape", "ms", "GFLOP/s", "peak",
                     "oneDNN ms");
    }
    for (size_t i = 0; i < r->rows; i++) {
        const mdf_bench_row *w = &r->row[i];
        (void)printf("%-26s %-40s %9.3f %9.1f %5.0f%%", w->what, w->shape, w->seconds * 1e3,
                     w->gflops, w->share * 100);
        if (w->onednn_seconds > 0) {
            (void)printf(" %9.3f", w->onednn_seconds * 1e3);
        }
        if (w->tokens > 0) {
            (void)printf(" %.1f tokens/s", w->tokens / w->seconds);
        }
        if (w->gbytes > 0) {
            (void)printf(" of memory: %.1f GB/s", w->gbytes);
        }
        (void)puts("");
    }
}

static mdf_status choose_stage(mdf_config *c, int64_t stage, const char *path, mdf_error *err)
{
    if (stage == 0) {
        return MDF_OK;
    }
    if (stage > c->train.stage_count) {
        return mdf_fail(err, MDF_ERR_ARG, "--stage %lld: %s has %d stages", (long long)stage, path,
                        c->train.stage_count);
    }
    mdf_config *whole = mdf_alloc(1, sizeof *whole);
    if (whole == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration");
    }
    *whole = *c;
    const mdf_status status = mdf_config_stage(c, whole, (int)stage - 1, err);
    mdf_free(whole);
    return status;
}

static mdf_status load_config(const bench_flags *f, mdf_config *c, mdf_error *err)
{
    if (f->model != NULL) {
        return MDF_OK; /* its folder has one */
    }
    char *path = NULL;
    MDF_TRY(app_find_file(f->config, "presets", ".json", &path, err));
    mdf_status status = mdf_config_load(c, path, err);
    if (status == MDF_OK) {
        status = choose_stage(c, f->stage, path, err);
    }
    mdf_free(path);
    c->train.batch_size = f->batch > 0 ? (int)f->batch : c->train.batch_size;
    return status;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const bench_flags *f = flags;
    unsigned parts = 0;
    MDF_TRY(choose_parts(a, &f->only, &parts, err));
    if (f->model != NULL) {
        if (f->only.count > 0) {
            return app_usage(a, err, "--model measures nothing else; leave --only out");
        }
        parts = MDF_BENCH_STAGES;
    }
    mdf_kv_type kv_type = MDF_KV_F16;
    MDF_TRY(app_kv_type(a, f->kv_type, &kv_type, err));
    const app_output logits = {"--logits", f->logits};
    MDF_TRY(app_output_not_in(logits, f->model, err));
    MDF_TRY(app_output_check(logits, f->force, err));
    mdf_config *config = mdf_alloc(1, sizeof *config);
    mdf_bench_report *report = mdf_alloc(1, sizeof *report);
    mdf_status status = config == NULL || report == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "no memory for the benchmark")
                            : load_config(f, config, err);
    if (status == MDF_OK) {
        status = mdf_bench_run(report,
                               &(mdf_bench_options){.config = config,
                                                    .model_dir = f->model,
                                                    .prompt = (int)f->prompt,
                                                    .tokens = (int)f->tokens,
                                                    .tiles = (int)f->tiles,
                                                    .kv_type = kv_type,
                                                    .logits_file = f->logits,
                                                    .parts = parts,
                                                    .repeat = (int)f->repeat,
                                                    .masks = f->masks,
                                                    .unet_base = f->base,
                                                    .max_isa = f->isa,
                                                    .progress = on_part,
                                                    .user = a,
                                                    .stop = a->stop},
                               err);
    }
    if (status == MDF_OK && a->json) {
        status = app_print_json(report_json(report), err);
    } else if (status == MDF_OK) {
        print_report(report);
    }
    mdf_free(report);
    mdf_free(config);
    return status;
}

const app_command app_bench = {
    .name = "bench",
    .summary = "measure speed and memory",
    .description =
        "Prints what this machine can do at most, medians of a training step of the U-Net\n"
        "and of the model with their memory, and GFLOP/s of the operations at the\n"
        "model's shapes, which can exceed the peak where fewer multiplications suffice.",
    .example = "  mdf bench --config small --threads 2\n  mdf bench --only unet --only step\n"
               "  mdf bench --model smollm2 --prompt 256 --tokens 64",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(bench_flags),
    .run = run,
};
