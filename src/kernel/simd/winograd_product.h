/* The dense product inside the Winograd convolution: C [rows, PANEL] (+)= A B for one panel of
 * PANEL = 2 vectors of columns. B is packed [k, PANEL]; A is read one number at a time at
 * a[row * row_step + l * k_step]. Rows come in steps of ROWS_MAX, 2/3 and 1/3 of it. */
#ifndef MDF_KERNEL_SIMD_WINOGRAD_PRODUCT_H
#define MDF_KERNEL_SIMD_WINOGRAD_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/simd/vector.h"

enum { PANEL = 2 * VEC, ROWS_MID = ROWS_MAX * 2 / 3, ROWS_MIN = ROWS_MAX / 3 };

typedef struct product {
    int64_t k;
    const float *a;
    int64_t row_step, k_step;
    const float *b;
    float *c;
    int64_t ldc;
} product;

/* Always inlined with constants for rows, vectors and one of the steps, so that the sums stay in
 * registers. */
__attribute__((always_inline)) static inline void
product_block(const int rows, const int vectors, const product *p, const int64_t row_step,
              const int64_t k_step, const bool acc)
{
    vec sum[ROWS_MAX][2];
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            sum[r][v] = acc ? vec_load(p->c + r * p->ldc + v * VEC) : vec_all(0);
        }
    }
    /* three rows share an address register: base, base + step, base + 2 step */
    const float *a[(ROWS_MAX + 2) / 3];
#pragma GCC unroll 4
    for (int q = 0; q < (rows + 2) / 3; q++) {
        a[q] = p->a + 3 * q * row_step;
    }
    const float *b = p->b;
    for (int64_t l = p->k; l > 0; l--) {
        const vec b0 = vec_load(b);
        const vec b1 = vectors > 1 ? vec_load(b + VEC) : b0;
        b += PANEL;
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            const vec x = vec_all(a[r / 3][r % 3 * row_step]);
            sum[r][0] = vec_fma(x, b0, sum[r][0]);
            if (vectors > 1) {
                sum[r][1] = vec_fma(x, b1, sum[r][1]);
            }
        }
#pragma GCC unroll 4
        for (int q = 0; q < (rows + 2) / 3; q++) {
            a[q] += k_step;
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            vec_store(p->c + r * p->ldc + v * VEC, sum[r][v]);
        }
    }
}

/* Rows of A lie apart, its columns are adjacent; rows is a multiple of ROWS_MAX. C = A B. */
static void product_set(const product *p, int64_t rows, int vectors)
{
    product at = *p;
    for (int64_t r = 0; r < rows; r += ROWS_MAX) {
        if (vectors > 1) {
            product_block(ROWS_MAX, 2, &at, p->row_step, 1, false);
        } else {
            product_block(ROWS_MAX, 1, &at, p->row_step, 1, false);
        }
        at.a += ROWS_MAX * p->row_step;
        at.c += ROWS_MAX * p->ldc;
    }
}

/* Rows of A are adjacent (A is given transposed); rows is a multiple of 4. C += A B. */
static void product_add(const product *p, int64_t rows, int vectors)
{
    product at = *p;
    int64_t step = 0;
    for (int64_t left = rows; left > 0; left -= step) {
        if (left >= ROWS_MAX) {
            step = ROWS_MAX;
            if (vectors > 1) {
                product_block(ROWS_MAX, 2, &at, 1, p->k_step, true);
            } else {
                product_block(ROWS_MAX, 1, &at, 1, p->k_step, true);
            }
        } else if (left >= ROWS_MID) {
            step = ROWS_MID;
            if (vectors > 1) {
                product_block(ROWS_MID, 2, &at, 1, p->k_step, true);
            } else {
                product_block(ROWS_MID, 1, &at, 1, p->k_step, true);
            }
        } else {
            step = ROWS_MIN;
            if (vectors > 1) {
                product_block(ROWS_MIN, 2, &at, 1, p->k_step, true);
            } else {
                product_block(ROWS_MIN, 1, &at, 1, p->k_step, true);
            }
        }
        at.a += step;
        at.c += step * p->ldc;
    }
}

#endif
