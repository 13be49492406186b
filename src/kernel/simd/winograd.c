/* Which convolution a shape gets: Winograd where it is faster (measured, docs/SPEED.md), else what
 * the table had before. */
#include "kernel/winograd.h"
#include "base/alloc.h"
#include "kernel/kernel.h"

#if defined(_OPENMP)
#include <omp.h>
static int thread_count(void)
{
    return omp_in_parallel() ? 1 : omp_get_max_threads();
}
#else
static int thread_count(void)
{
    return 1;
}
#endif

typedef struct conv_choice {
    void *cache; /* of the functions below */
    void (*cache_free)(void *cache);
    mdf_conv2d_fwd_fn *fwd;
    mdf_conv2d_bwd_data_fn *bwd_data;
    mdf_conv2d_bwd_weights_fn *bwd_weights;
    const mdf_winograd *winograd;
    float *scratch;
    size_t numbers;
} conv_choice;

static void choice_free(void *cache)
{
    conv_choice *c = cache;
    if (c != NULL) {
        if (c->cache_free != NULL) {
            c->cache_free(c->cache);
        }
        mdf_free(c->scratch);
        mdf_free(c);
    }
}

/* The number of pictures has no say, so that a result does not depend on its batch. */
static bool winograd_pays(const mdf_conv_shape *s)
{
    return s->kernel == 3 && s->cin % 16 == 0 && s->cout % 16 == 0 && s->h * s->w >= 64;
}

static bool reserve(conv_choice *c, const mdf_conv_shape *s, mdf_conv_kind kind, int threads)
{
    const size_t numbers = c->winograd->scratch(s, kind, threads);
    if (numbers > c->numbers) {
        float *scratch = mdf_alloc(numbers, sizeof *scratch);
        if (scratch == NULL) {
            return false;
        }
        mdf_free(c->scratch);
        c->scratch = scratch;
        c->numbers = numbers;
    }
    return true;
}

static bool conv2d_fwd(void *cache, const mdf_conv_shape *s, float *y, const float *x,
                       const float *w, const float *bias)
{
    conv_choice *c = cache;
    if (!winograd_pays(s)) {
        return c->fwd(c->cache, s, y, x, w, bias);
    }
    const int threads = thread_count();
    if (!reserve(c, s, MDF_CONV_FORWARD, threads)) {
        return false;
    }
    c->winograd->data(s, MDF_CONV_FORWARD, y, x, w, bias, false, c->scratch, threads);
    return true;
}

static bool conv2d_bwd_data(void *cache, const mdf_conv_shape *s, float *dx, const float *dy,
                            const float *w, bool acc)
{
    conv_choice *c = cache;
    if (!winograd_pays(s)) {
        return c->bwd_data(c->cache, s, dx, dy, w, acc);
    }
    const int threads = thread_count();
    if (!reserve(c, s, MDF_CONV_BACKWARD_DATA, threads)) {
        return false;
    }
    c->winograd->data(s, MDF_CONV_BACKWARD_DATA, dx, dy, w, NULL, acc, c->scratch, threads);
    return true;
}

static bool conv2d_bwd_weights(void *cache, const mdf_conv_shape *s, float *dw, float *db,
                               const float *x, const float *dy)
{
    conv_choice *c = cache;
    if (!winograd_pays(s) || db != NULL) {
        return c->bwd_weights(c->cache, s, dw, db, x, dy);
    }
    const int threads = thread_count();
    if (!reserve(c, s, MDF_CONV_BACKWARD_WEIGHTS, threads)) {
        return false;
    }
    c->winograd->weights(s, dw, x, dy, c->scratch, threads);
    return true;
}

bool mdf_kernels_fill_winograd(mdf_kernels *k)
{
    if (k->winograd == NULL) {
        return true;
    }
    conv_choice *c = mdf_alloc(1, sizeof *c);
    if (c == NULL) {
        return false;
    }
    *c = (conv_choice){.cache = k->conv_cache,
                       .cache_free = k->conv_cache_free,
                       .fwd = k->conv2d_fwd,
                       .bwd_data = k->conv2d_bwd_data,
                       .bwd_weights = k->conv2d_bwd_weights,
                       .winograd = k->winograd};
    k->conv_cache = c;
    k->conv_cache_free = choice_free;
    k->conv2d_fwd = conv2d_fwd;
    k->conv2d_bwd_data = conv2d_bwd_data;
    k->conv2d_bwd_weights = conv2d_bwd_weights;
    return true;
}
