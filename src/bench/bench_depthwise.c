/* Depthwise convolutions at the shapes of EfficientNet-lite0 (Liu 2020) on pictures of 256 x 256.
 * They move more bytes than they multiply, so what counts is the share of the memory's speed. */
#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/bench_parts.h"

enum { BATCH = 8, REPEAT_MAX = 1000, PASSES = 3 };

/* Side of the picture, channels, kernel, stride. */
typedef struct layer {
    int64_t side, c, kernel, stride;
} layer;

static const layer layers[] = {{128, 32, 3, 1}, {128, 96, 3, 2}, {64, 144, 3, 1}, {64, 144, 5, 2},
                               {32, 240, 5, 1}, {32, 240, 3, 2}, {16, 480, 3, 1}, {16, 480, 5, 1},
                               {16, 672, 5, 1}, {16, 672, 5, 2}, {8, 1152, 5, 1}, {8, 1152, 3, 1}};

static const char *const names[PASSES] = {"depthwise forward", "depthwise backward data",
                                          "depthwise backward weights"};

/* One array for each of x, y, the weights, their gradients of every picture, and the bias. */
typedef struct arrays {
    mdf_depthwise_shape shape;
    int64_t pixels, outputs, weights; /* numbers of one picture */
    mdf_real *x, *y, *w, *dw, *b;
} arrays;

static mdf_real *numbers(int64_t n)
{
    mdf_real *x = mdf_alloc((size_t)n, sizeof *x);
    for (int64_t i = 0; x != NULL && i < n; i++) {
        x[i] = (mdf_real)(i % 17) * MDF_R(0.1) - MDF_R(0.8);
    }
    return x;
}

static void arrays_free(arrays *a)
{
    mdf_free(a->x);
    mdf_free(a->y);
    mdf_free(a->w);
    mdf_free(a->dw);
    mdf_free(a->b);
}

static mdf_status arrays_make(arrays *a, const layer *l, mdf_error *err)
{
    const int64_t out = (l->side + l->stride - 1) / l->stride;
    const int64_t pad = ((out - 1) * l->stride + l->kernel - l->side) / 2;
    *a = (arrays){.shape = {l->side, l->side, l->c, out, out, l->kernel, l->stride, pad, pad},
                  .pixels = l->side * l->side * l->c,
                  .outputs = out * out * l->c,
                  .weights = l->kernel * l->kernel * l->c};
    a->x = numbers(BATCH * a->pixels);
    a->y = numbers(BATCH * a->outputs);
    a->w = numbers(a->weights);
    a->dw = numbers(BATCH * a->weights);
    a->b = numbers(l->c);
    if (a->x == NULL || a->y == NULL || a->w == NULL || a->dw == NULL || a->b == NULL) {
        arrays_free(a);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    return MDF_OK;
}

static void run_pass(const mdf_kernels *k, const arrays *a, int which)
{
    const mdf_depthwise_shape *s = &a->shape;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < BATCH; i++) {
        mdf_real *x = a->x + i * a->pixels;
        mdf_real *y = a->y + i * a->outputs;
        if (which == 0) {
            k->depthwise_fwd(y, x, a->w, a->b, s, 0, s->oh, 0, 6);
        } else if (which == 1) {
            k->depthwise_bwd_data(x, y, a->w, s, 0, s->h, false);
        } else {
            k->depthwise_bwd_weights(a->dw + i * a->weights, y, x, s, 0, s->oh);
        }
    }
}

/* The shortest run: what disturbs a program that waits for memory only makes it longer. */
static void time_pass(const mdf_bench *b, const arrays *a, int which)
{
    const mdf_depthwise_shape *s = &a->shape;
    const int n = b->opt->repeat < REPEAT_MAX ? b->opt->repeat : REPEAT_MAX;
    double best = HUGE_VAL;
    for (int i = 0; i <= n; i++) {
        const double start = mdf_clock_seconds();
        run_pass(b->kernels, a, which);
        const double seconds = mdf_clock_seconds() - start;
        best = i > 0 && seconds < best ? seconds : best;
    }
    const double numbers_moved = (double)(BATCH * (a->pixels + a->outputs) + a->weights);
    const double products = (double)(BATCH * a->outputs) * (double)(s->kernel * s->kernel);
    mdf_bench_row *row =
        mdf_bench_add(b, names[which], 2 * products, best, "%d x %lld x %lld, %lld, k%lld s%lld",
                      BATCH, (long long)s->h, (long long)s->w, (long long)s->c,
                      (long long)s->kernel, (long long)s->stride);
    const double bytes = numbers_moved * (double)sizeof(mdf_real);
    mdf_bench_set_reading(row, bytes, bytes / (b->report->memory[1] * 1e9));
}

mdf_status mdf_bench_depthwise(mdf_bench *b, mdf_error *err)
{
    for (int which = 0; which < PASSES; which++) {
        for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
            arrays a;
            MDF_TRY(mdf_bench_next(b, names[which], err));
            MDF_TRY(arrays_make(&a, &layers[i], err));
            time_pass(b, &a, which);
            arrays_free(&a);
        }
    }
    return MDF_OK;
}
