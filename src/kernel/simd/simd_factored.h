/* Second moments as a product of rows and columns; the compiler vectorises. */
#ifndef MDF_KERNEL_SIMD_SIMD_FACTORED_H
#define MDF_KERNEL_SIMD_SIMD_FACTORED_H

#include <string.h>

#include "kernel/kernel.h"
#include "kernel/ref/ref.h"

enum { FACTOR_ROWS = 64, FACTOR_STRIP = 256, FACTOR_NARROW = 8 };

/* Float inside a strip of 256 columns and 64 rows, double across. */
static void square_sums(double *row, double *col, const float *x, int64_t n, int64_t c)
{
    if (c < FACTOR_NARROW) {
        mdf_square_sums_ref(row, col, x, n, c);
        return;
    }
    for (int64_t top = 0; top < n; top += FACTOR_ROWS) {
        const int64_t end = top + FACTOR_ROWS < n ? top + FACTOR_ROWS : n;
        for (int64_t from = 0; from < c; from += FACTOR_STRIP) {
            const int64_t width = c - from < FACTOR_STRIP ? c - from : FACTOR_STRIP;
            float down[FACTOR_STRIP] = {0};
            for (int64_t i = top; i < end; i++) {
                const float *xr = x + i * c + from;
                float across = 0;
#pragma omp simd reduction(+ : across)
                for (int64_t j = 0; j < width; j++) {
                    const float square = xr[j] * xr[j];
                    down[j] += square;
                    across += square;
                }
                row[i] += (double)across;
            }
            for (int64_t j = 0; j < width; j++) {
                col[from + j] += (double)down[j];
            }
        }
    }
}

static double factored_squares(const float *g, const mdf_factored *v, int64_t n, int64_t c)
{
    const float *col = v->col;
    const float floor = v->floor;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const float row = v->row[i];
        const float *gr = g + i * c;
        for (int64_t from = 0; from < c; from += FACTOR_STRIP) {
            const int64_t end = from + FACTOR_STRIP < c ? from + FACTOR_STRIP : c;
            float part = 0;
#pragma omp simd reduction(+ : part)
            for (int64_t j = from; j < end; j++) {
                const float moment = row * col[j];
                part += gr[j] * gr[j] / (moment > floor ? moment : floor);
            }
            sum += (double)part;
        }
    }
    return sum;
}

static void factored_step(float *w, const float *g, const mdf_factored *v, float keep, float step,
                          int64_t n, int64_t c)
{
    const float *col = v->col;
    const float floor = v->floor;
    for (int64_t i = 0; i < n; i++) {
        const float row = v->row[i];
        const float *gr = g + i * c;
        float *wr = w + i * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float moment = row * col[j];
            wr[j] = wr[j] * keep - step * gr[j] / __builtin_sqrtf(moment > floor ? moment : floor);
        }
    }
}

#endif
