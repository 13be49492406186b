/* Products with weights in their file's format, at the shapes of Llama 3.2 11B Vision and of
 * SmolLM2-135M: many rows against the machine's multiply-adds, one row against its memory. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/bench_parts.h"

enum { REPEAT_MAX = 1000 };
#define COLD_BYTES ((size_t)192 << 20) /* beyond the caches, so that a row meets memory */

static const struct {
    int64_t m, n, k;
} shapes[] = {
    {1601, 5120, 1280}, {256, 4096, 4096}, {256, 14336, 4096}, {256, 576, 576},
    {256, 1536, 576},   {1, 4096, 4096},   {1, 14336, 4096},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static const mdf_dtype types[] = {MDF_DTYPE_Q8_0, MDF_DTYPE_Q4_0, MDF_DTYPE_BF16};
enum { TYPES = sizeof types / sizeof types[0] };

/* What one shape and type needs. */
typedef struct places {
    uint8_t *w; /* copies of the weight, one behind the other */
    float *x, *y;
    void *scratch;
    size_t bytes; /* of one copy */
    int64_t copies;
    mdf_bench_reads reads; /* of all copies */
} places;

static void places_free(places *p)
{
    mdf_free(p->w);
    mdf_free(p->x);
    mdf_free(p->y);
    mdf_free(p->scratch);
    mdf_bench_reads_free(&p->reads);
}

static mdf_status places_make(places *p, const mdf_bench *b, const mdf_weight *w, int64_t m,
                              mdf_error *err)
{
    p->bytes = (size_t)w->n * mdf_dtype_row_bytes(w->dtype, (size_t)w->k);
    p->copies = m == 1 ? (int64_t)(COLD_BYTES / p->bytes) + 1 : 1;
    const size_t all = p->bytes * (size_t)p->copies;
    p->w = mdf_alloc(all, 1);
    p->x = mdf_alloc((size_t)(m * w->k), sizeof *p->x);
    p->y = mdf_alloc((size_t)(m * w->n), sizeof *p->y);
    p->scratch = mdf_alloc(b->kernels->gemm_weight_scratch(w, m, b->report->threads) + 64, 1);
    if (p->w == NULL || p->x == NULL || p->y == NULL || p->scratch == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    }
    for (size_t i = 0; i < all; i++) {
        p->w[i] = (uint8_t)(17 + i % 13); /* as a scale: small and normal */
    }
    for (int64_t i = 0; i < m * w->k; i++) {
        p->x[i] = (float)(i % 17) * 0.1f - 0.8f;
    }
    return m == 1 ? mdf_bench_reads_add(&p->reads, p->w, all, err) : MDF_OK;
}

/* In turns with a plain read where memory is the limit. */
static void time_weight(const mdf_bench *b, const mdf_weight *w, int64_t m, const places *p)
{
    double seconds[2][REPEAT_MAX];
    const int n = b->opt->repeat < REPEAT_MAX ? b->opt->repeat : REPEAT_MAX;
    for (int i = 0; i <= n; i++) {
        const int at = i > 0 ? i - 1 : 0;
        const double start = mdf_clock_seconds();
        for (int64_t c = 0; c < p->copies; c++) {
            mdf_weight copy = *w;
            copy.raw = p->w + p->bytes * (size_t)c;
            b->kernels->gemm_weight(&copy, m, p->x, p->y, p->scratch, b->report->threads);
        }
        seconds[0][at] = (mdf_clock_seconds() - start) / (double)p->copies;
        seconds[1][at] = m == 1 ? mdf_bench_reads_seconds(&p->reads) : 0;
    }
    char what[32];
    (void)snprintf(what, sizeof what, "product %s", mdf_dtype_name(w->dtype));
    mdf_bench_row *row = mdf_bench_add(b, what, 2.0 * (double)(m * w->n) * (double)w->k,
                                       mdf_bench_median(seconds[0], n), "%lld x %lld x %lld",
                                       (long long)m, (long long)w->n, (long long)w->k);
    if (m == 1) {
        mdf_bench_set_reading(row, (double)p->bytes,
                              mdf_bench_median(seconds[1], n) / (double)p->copies);
    }
}

mdf_status mdf_bench_weights(mdf_bench *b, mdf_error *err)
{
    if (strcmp(b->report->isa, "ref") == 0) {
        return MDF_OK; /* minutes */
    }
    mdf_status status = MDF_OK;
    for (int i = 0; i < SHAPES * TYPES && status == MDF_OK; i++) {
        const mdf_weight w = {NULL, types[i / SHAPES], shapes[i % SHAPES].n, shapes[i % SHAPES].k};
        places p = {0};
        status = mdf_bench_next(b, mdf_dtype_name(w.dtype), err);
        if (status == MDF_OK) {
            status = places_make(&p, b, &w, shapes[i % SHAPES].m, err);
        }
        if (status == MDF_OK) {
            time_weight(b, &w, shapes[i % SHAPES].m, &p);
        }
        places_free(&p);
    }
    return status;
}
