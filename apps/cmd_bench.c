/* mdf bench: speed at the model's real shapes. */
#include "app.h"
#include "base/status.h"

typedef struct bench_flags {
    const char *config;
    int64_t repeat;
} bench_flags;

static const arg_option options[] = {
    {.name = "config",
     .letter = 'c',
     .kind = ARG_STRING,
     .offset = offsetof(bench_flags, config),
     .metavar = "FILE",
     .fallback = "tiny",
     .help = "model to measure, a JSON file or the name of a preset"},
    {.name = "repeat",
     .letter = 'n',
     .kind = ARG_INT,
     .offset = offsetof(bench_flags, repeat),
     .metavar = "N",
     .fallback = "5",
     .min = 1,
     .max = 1000,
     .help = "runs of which the median is printed"},
};

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    (void)a;
    (void)flags;
    return mdf_fail(err, MDF_ERR_ARG, "benchmarks are not in this version yet");
}

const app_command app_bench = {
    .name = "bench",
    .summary = "measure speed and memory",
    .description = "Prints medians: GFLOP/s of the operations at the model's shapes, time of a\n"
                   "training step and of a prediction, peak memory.",
    .example = "  mdf bench --config small --threads 2",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(bench_flags),
    .run = run,
};
