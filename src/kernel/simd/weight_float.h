/* Products with a weight whose exact values are wanted in float: F32, F16, BF16 and every block
 * type without a version of its own. Rows are converted on the way, a panel at a time. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_FLOAT_H
#define MDF_KERNEL_SIMD_WEIGHT_FLOAT_H

#include "kernel/ref/ref.h"
#include "kernel/simd/words.h"

enum {
    FLOAT_TOKENS = ROWS_MAX, /* rows of x side by side */
    FLOAT_PANEL = 2 * VEC,   /* rows of the weight */
    FLOAT_CHUNK = 256        /* numbers of a row at a time: the largest block */
};

/* out[l][t] = x[t][l]; missing rows are zero. */
static void interleave_tokens(float *out, const float *x, int64_t rows, int64_t k)
{
    for (int64_t l = 0; l < k; l++) {
        for (int64_t t = 0; t < FLOAT_TOKENS; t++) {
            out[l * FLOAT_TOKENS + t] = t < rows ? x[t * k + l] : 0;
        }
    }
}

/* Numbers at..at+count of a row in float; room has space for FLOAT_CHUNK. The result is room, or
 * the weight itself. */
static const float *row_floats(const mdf_weight *w, int64_t row, int64_t at, int64_t count,
                               float *room)
{
    if (w->dtype != MDF_DTYPE_F16 && w->dtype != MDF_DTYPE_BF16) {
        mdf_weight_floats(w, row, at, count, room);
        return room;
    }
    const uint8_t *p = (const uint8_t *)w->raw + (row * w->k + at) * 2;
    for (int64_t l = 0; l < count; l += VEC) {
        uint16_t half[VEC] = {0};
        const int64_t width = count - l < VEC ? count - l : VEC;
        memcpy(half, p + 2 * l, (size_t)width * sizeof half[0]);
        vec_store(room + l, w->dtype == MDF_DTYPE_F16 ? vec_of_halves(half) : vec_of_bfloats(half));
    }
    return room;
}

/* out [count, FLOAT_PANEL] = numbers at.. of the panel's rows, transposed; rows behind the last are
 * the last again. */
static void float_panel(float *out, const mdf_weight *w, int64_t first, int64_t at, int64_t count)
{
    float room[FLOAT_PANEL][FLOAT_CHUNK];
    const uint8_t *row[FLOAT_PANEL];
    for (int64_t r = 0; r < FLOAT_PANEL; r++) {
        const int64_t j = first + r < w->n ? first + r : w->n - 1;
        row[r] = (const uint8_t *)row_floats(w, j, at, count, room[r]);
    }
    for (int64_t l = 0; l < count; l += 4) { /* up to three numbers too many: not read again */
        for (int v = 0; v < 2; v++) {
            words word[4];
            words_transpose(word, row + v * VEC, l * 4);
            for (int64_t d = 0; d < 4; d++) {
                words_store(out + (l + d) * FLOAT_PANEL + v * VEC, word[d]);
            }
        }
    }
}

/* y [tokens, FLOAT_PANEL] (+)= over count numbers. */
__attribute__((always_inline)) static inline void
float_tile(const int tokens, const float *x, const float *w, int64_t count, float *y, bool acc)
{
    vec sum[FLOAT_TOKENS][2];
#pragma GCC unroll 12
    for (int t = 0; t < tokens; t++) {
        sum[t][0] = acc ? vec_load(y + t * FLOAT_PANEL) : vec_all(0);
        sum[t][1] = acc ? vec_load(y + t * FLOAT_PANEL + VEC) : vec_all(0);
    }
    for (int64_t l = 0; l < count; l++, x += FLOAT_TOKENS, w += FLOAT_PANEL) {
        const vec w0 = vec_load(w);
        const vec w1 = vec_load(w + VEC);
#pragma GCC unroll 12
        for (int t = 0; t < tokens; t++) {
            const vec a = vec_all(x[t]);
            sum[t][0] = vec_fma(a, w0, sum[t][0]);
            sum[t][1] = vec_fma(a, w1, sum[t][1]);
        }
    }
#pragma GCC unroll 12
    for (int t = 0; t < tokens; t++) {
        vec_store(y + t * FLOAT_PANEL, sum[t][0]);
        vec_store(y + t * FLOAT_PANEL + VEC, sum[t][1]);
    }
}

/* A smaller last group runs in steps of a third: the room behind it is there. */
static void float_tokens(int64_t tokens, const float *x, const float *w, int64_t count, float *y,
                         bool acc)
{
    enum { THIRD = FLOAT_TOKENS / 3 };
    if (tokens <= THIRD) {
        float_tile(THIRD, x, w, count, y, acc);
    } else if (tokens <= 2 * THIRD) {
        float_tile(2 * THIRD, x, w, count, y, acc);
    } else {
        float_tile(FLOAT_TOKENS, x, w, count, y, acc);
    }
}

/* Rows first..first+count-1 of the weight with a few rows of x; memory sets the pace. */
static void rows_float(const mdf_weight *w, int64_t m, const float *x, int64_t first, int64_t count,
                       float *y)
{
    float room[FLOAT_CHUNK + VEC];
    for (int64_t j = first; j < first + count; j++) {
        vec sum[2][FEW];
        for (int64_t t = 0; t < FEW; t++) {
            sum[0][t] = sum[1][t] = vec_all(0);
        }
        float rest[FEW] = {0};
        for (int64_t at = 0; at < w->k; at += FLOAT_CHUNK) {
            const int64_t width = w->k - at < FLOAT_CHUNK ? w->k - at : FLOAT_CHUNK;
            const float *row = row_floats(w, j, at, width, room);
            int64_t l = 0;
            for (; l + VEC <= width; l += VEC) {
                const vec a = vec_load(row + l);
                for (int64_t t = 0; t < m; t++) {
                    sum[l / VEC % 2][t] =
                        vec_fma(a, vec_load(x + t * w->k + at + l), sum[l / VEC % 2][t]);
                }
            }
            for (; l < width; l++) {
                for (int64_t t = 0; t < m; t++) {
                    rest[t] += row[l] * x[t * w->k + at + l];
                }
            }
        }
        for (int64_t t = 0; t < m; t++) {
            y[t * w->n + j] = vec_sum(vec_add(sum[0][t], sum[1][t])) + rest[t];
        }
    }
}

#endif
