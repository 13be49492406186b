/* One training step of the U-Net: forward, mask loss, backward, AdamW; what race_unet.py measures
 * of PyTorch.
 *
 *     build/bench_unet [--threads N] [--base C] [--size S] [--batch B] [--repeats R] [--isa NAME]
 *
 * Prints one JSON object; seconds is the median of the timed steps after two for warming up. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "nn/unet.h"

enum { MASKS = 2, WARM_UP = 2, REPEATS_MAX = 100 };

typedef struct race {
    mdf_kernels *k;
    mdf_graph graph;
    mdf_params params;
    mdf_unet unet;
    int64_t batch, size;
    float *image, *target, *weight, *m, *v;
} race;

static long option(int argc, char **argv, const char *name, long fallback)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return strtol(argv[i + 1], NULL, 10);
        }
    }
    return fallback;
}

static mdf_status race_make(race *r, const char *isa, int base, mdf_error *err)
{
    mdf_config *config = mdf_alloc(1, sizeof *config);
    const size_t pixels = (size_t)(r->batch * r->size * r->size);
    if (config == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    config->unet.base = base;
    config->unet.norm_groups = 8;
    config->unet.mask_channels = MASKS;
    MDF_TRY(mdf_kernels_new(&r->k, isa, err));
    MDF_TRY(mdf_graph_init(&r->graph, r->k, true, 0, err));
    MDF_TRY(mdf_params_init(&r->params, err));
    mdf_unet_declare(&r->unet, config, &r->params);
    mdf_free(config);
    MDF_TRY(mdf_params_allocate(&r->params, true, err));
    mdf_params_initialise(&r->params, 1);
    r->image = mdf_alloc(pixels * 3, sizeof(float));
    r->target = mdf_alloc(pixels * MASKS, sizeof(float));
    r->weight = mdf_alloc((size_t)r->batch * MASKS, sizeof(float));
    r->m = mdf_alloc((size_t)r->params.total, sizeof(float));
    r->v = mdf_alloc((size_t)r->params.total, sizeof(float));
    if (r->image == NULL || r->target == NULL || r->weight == NULL || r->m == NULL ||
        r->v == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    mdf_rng rng = mdf_rng_new(1, 1);
    for (size_t i = 0; i < pixels * 3; i++) {
        r->image[i] = (float)mdf_rng_normal(&rng);
    }
    for (size_t i = 0; i < pixels * MASKS; i++) {
        r->target[i] = mdf_rng_uniform(&rng) > 0.9 ? 1.0f : 0.0f;
    }
    for (int64_t i = 0; i < r->batch * MASKS; i++) {
        r->weight[i] = 1;
    }
    return MDF_OK;
}

static void race_free(race *r)
{
    mdf_graph_free(&r->graph);
    mdf_params_free(&r->params);
    mdf_kernels_free(r->k);
    mdf_free(r->image);
    mdf_free(r->target);
    mdf_free(r->weight);
    mdf_free(r->m);
    mdf_free(r->v);
}

static void update(race *r)
{
    const mdf_adamw_step s = {0.9f, 0.98f, 1e-8f, 1e-4f, 1, 5e-6f, 1};
    const int64_t chunk = 16384;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < r->params.total; at += chunk) {
        const int64_t left = r->params.total - at;
        r->k->adamw(r->params.data + at, r->m + at, r->v + at, r->params.grad + at,
                    left < chunk ? left : chunk, &s);
    }
}

static mdf_status step(race *r, float *value, mdf_error *err)
{
    mdf_graph *g = &r->graph;
    mdf_graph_reset(g);
    mdf_params_zero_grad(&r->params);
    mdf_tensor *x = mdf_constant(g, r->image, 4, (int64_t[]){r->batch, r->size, r->size, 3});
    const mdf_unet_features f = mdf_unet_encode(g, &r->unet, x);
    mdf_tensor *loss = mdf_mask_loss(g, mdf_unet_decode(g, &r->unet, &f), r->target, r->weight);
    MDF_TRY(mdf_graph_status(g, err));
    *value = loss->data[0];
    MDF_TRY(mdf_graph_backward(g, loss, err));
    update(r);
    return MDF_OK;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* *cpu: processor seconds of a step, all threads together; other work disturbs it less. */
static mdf_status race_run(race *r, long repeats, double *seconds, double *cpu, float *value,
                           mdf_error *err)
{
    uint64_t allocations = 0;
    clock_t cpu_start = 0;
    for (long i = 0; i < WARM_UP + repeats; i++) {
        if (i == WARM_UP) {
            allocations = mdf_alloc_count();
            cpu_start = clock();
        }
        const double start = mdf_clock_seconds();
        MDF_TRY(step(r, value, err));
        seconds[i < WARM_UP ? 0 : i - WARM_UP] = mdf_clock_seconds() - start;
    }
    *cpu = (double)(clock() - cpu_start) / CLOCKS_PER_SEC / (double)repeats;
    if (mdf_alloc_count() != allocations) {
        fprintf(stderr, "bench_unet: a step after the first allocated memory\n");
    }
    qsort(seconds, (size_t)repeats, sizeof *seconds, compare);
    return MDF_OK;
}

int main(int argc, char **argv)
{
    const int threads = (int)option(argc, argv, "--threads", 2);
    const int base = (int)option(argc, argv, "--base", 32);
    const long repeats = option(argc, argv, "--repeats", 5);
    race r = {.batch = option(argc, argv, "--batch", 8), .size = option(argc, argv, "--size", 256)};
    double seconds[REPEATS_MAX];
    float value = 0;
    double cpu = 0;
    mdf_error err = {0};
    const char *isa = NULL;
    for (int i = 1; i + 1 < argc; i++) {
        isa = strcmp(argv[i], "--isa") == 0 ? argv[i + 1] : isa;
    }
    if (threads < 1 || base < 8 || repeats < 1 || repeats > REPEATS_MAX || r.batch < 1 ||
        r.size < 16) {
        fprintf(stderr, "bench_unet: an option is out of range\n");
        return 2;
    }
    omp_set_num_threads(threads);
    if (race_make(&r, isa, base, &err) != MDF_OK ||
        race_run(&r, repeats, seconds, &cpu, &value, &err) != MDF_OK) {
        fprintf(stderr, "bench_unet: %s\n", err.text);
        return 1;
    }
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("{\"what\": \"U-Net training step\", \"isa\": \"%s\", \"threads\": %d, \"base\": %d, "
           "\"size\": %lld, \"batch\": %lld, \"parameters\": %lld, \"loss\": %.6f, "
           "\"seconds\": %.4f, \"best\": %.4f, \"cpu_seconds\": %.4f, \"peak_rss_mib\": %.1f}\n",
           r.k->isa, threads, base, (long long)r.size, (long long)r.batch,
           (long long)r.params.total, (double)value, seconds[repeats / 2], seconds[0], cpu,
           (double)usage.ru_maxrss / 1024);
    race_free(&r);
    return 0;
}
