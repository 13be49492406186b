/* The specification of the product with a frozen weight: its numbers in float, sums in double. */
#include "kernel/ref/ref.h"

enum { PIECE = 256 }; /* numbers; the largest block */

size_t mdf_gemm_weight_scratch_ref(const mdf_weight *w, int64_t m, int threads)
{
    (void)w;
    (void)m;
    (void)threads;
    return 0;
}

void mdf_weight_floats(const mdf_weight *w, int64_t row, int64_t at, int64_t count, float *out)
{
    const uint8_t *p = w->raw;
    p += (size_t)row * mdf_dtype_row_bytes(w->dtype, (size_t)w->k);
    p += mdf_dtype_row_bytes(w->dtype, (size_t)at);
    if (!mdf_dtype_to_floats(w->dtype, p, (size_t)count, out)) {
        for (int64_t i = 0; i < count; i++) {
            out[i] = NAN; /* no type of a weight */
        }
    }
}

void mdf_gemm_weight_ref(const mdf_weight *w, int64_t m, const mdf_real *x, mdf_real *y,
                         void *scratch, int threads)
{
    (void)scratch;
    (void)threads;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < w->n; j++) {
            double sum = 0;
            for (int64_t at = 0; at < w->k; at += PIECE) {
                const int64_t count = w->k - at < PIECE ? w->k - at : PIECE;
                float row[PIECE];
                mdf_weight_floats(w, j, at, count, row);
                for (int64_t l = 0; l < count; l++) {
                    sum += (double)row[l] * (double)x[i * w->k + at + l];
                }
            }
            y[i * w->n + j] = (mdf_real)sum;
        }
    }
}

void mdf_gemm_weights_ref(const mdf_weight w[], int count, int64_t m, const mdf_real *x,
                          mdf_real *const y[], void *scratch, int threads)
{
    for (int i = 0; i < count; i++) {
        mdf_gemm_weight_ref(&w[i], m, x, y[i], scratch, threads);
    }
}
