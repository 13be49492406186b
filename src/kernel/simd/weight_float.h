/* Products with a weight of F32, F16 or BF16, in float. Rows are converted on the way, a panel at a
 * time. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_FLOAT_H
#define MDF_KERNEL_SIMD_WEIGHT_FLOAT_H

#include "kernel/simd/words.h"

enum {
    FLOAT_TOKENS = ROWS_MAX, /* rows of x side by side */
    FLOAT_PANEL = 2 * VEC,   /* rows of the weight */
    FLOAT_CHUNK = 256,       /* numbers of a row at a time */
    TOGETHER = 4             /* rows that share what is loaded of a few rows of x */
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

/* VEC numbers of F32, F16 or BF16. */
__attribute__((always_inline)) static inline vec vec_of_type(const mdf_dtype dtype,
                                                             const uint8_t *p)
{
    switch ((int)dtype) {
    case MDF_DTYPE_F16:
        return vec_of_halves(p);
    case MDF_DTYPE_BF16:
        return vec_of_bfloats(p);
    default:
        return vec_load_bytes(p);
    }
}

/* The same of fewer numbers, zeros behind them. */
__attribute__((always_inline)) static inline vec vec_of_rest(const mdf_dtype dtype,
                                                             const uint8_t *p, int64_t count)
{
    uint8_t rest[VEC * 4] = {0};
    memcpy(rest, p, (size_t)count * (dtype == MDF_DTYPE_F32 ? 4 : 2));
    return vec_of_type(dtype, rest);
}

/* room [FLOAT_CHUNK] = numbers at..at+count of a row. */
static void row_floats(const mdf_weight *w, int64_t row, int64_t at, int64_t count, float *room)
{
    const int64_t bytes = w->dtype == MDF_DTYPE_F32 ? 4 : 2;
    const uint8_t *p = (const uint8_t *)w->raw + (row * w->k + at) * bytes;
    int64_t l = 0;
    for (; l + VEC <= count; l += VEC) {
        vec_store(room + l, vec_of_type(w->dtype, p + l * bytes));
    }
    if (l < count) {
        vec_store(room + l, vec_of_rest(w->dtype, p + l * bytes, count - l));
    }
}

/* out [count, FLOAT_PANEL] = numbers at.. of the panel's rows, transposed; rows behind the last are
 * the last again. */
static void float_panel(float *out, const mdf_weight *w, int64_t first, int64_t at, int64_t count)
{
    float room[FLOAT_PANEL][FLOAT_CHUNK];
    const uint8_t *row[FLOAT_PANEL];
    for (int64_t r = 0; r < FLOAT_PANEL; r++) {
        const int64_t j = first + r < w->n ? first + r : w->n - 1;
        row_floats(w, j, at, count, room[r]);
        row[r] = (const uint8_t *)room[r];
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

/* y[t * n + r] = rows r of the weight (that many bytes apart) * each row of x. */
__attribute__((always_inline)) static inline void
float_rows(const int rows, const int tokens, const mdf_dtype dtype, const uint8_t *p,
           int64_t row_bytes, int64_t k, const float *x, float *y, int64_t n)
{
    const int64_t bytes = dtype == MDF_DTYPE_F32 ? 4 : 2;
    vec sum[TOGETHER][FEW];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            sum[r][t] = vec_all(0);
        }
    }
    int64_t l = 0;
    if (rows == 1 && tokens == 1) { /* else every sum would wait for the one before */
        vec more[4] = {vec_all(0), vec_all(0), vec_all(0), vec_all(0)};
        for (; l + 4 * VEC <= k; l += 4 * VEC) {
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                const vec w = vec_of_type(dtype, p + (l + i * VEC) * bytes);
                more[i] = vec_fma(w, vec_load(x + l + i * VEC), more[i]);
            }
        }
        sum[0][0] = vec_add(vec_add(more[0], more[1]), vec_add(more[2], more[3]));
    }
    for (; l + VEC <= k; l += VEC) {
        vec a[FEW];
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            a[t] = vec_load(x + t * k + l);
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            const vec w = vec_of_type(dtype, p + r * row_bytes + l * bytes);
#pragma GCC unroll 3
            for (int t = 0; t < tokens; t++) {
                sum[r][t] = vec_fma(w, a[t], sum[r][t]);
            }
        }
    }
    for (int t = 0; t < tokens && l < k; t++) {
        float part[VEC] = {0};
        memcpy(part, x + t * k + l, (size_t)(k - l) * sizeof part[0]);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            const vec w = vec_of_rest(dtype, p + r * row_bytes + l * bytes, k - l);
            sum[r][t] = vec_fma(w, vec_load(part), sum[r][t]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            y[t * n + r] = vec_sum(sum[r][t]);
        }
    }
}

/* count rows of F32, F16 or BF16. */
static void plain_rows(int64_t count, int64_t m, mdf_dtype dtype, const uint8_t *p,
                       int64_t row_bytes, int64_t k, const float *x, float *y, int64_t n)
{
#define STEP(rows, tokens, type)                                                                   \
    for (; j + (rows) <= count; j += (rows)) {                                                     \
        float_rows(rows, tokens, type, p + j * row_bytes, row_bytes, k, x, y + j, n);              \
    }
#define CASE(tokens, type)                                                                         \
    case (tokens)*64 + (type):                                                                     \
        if ((tokens) > 1) { /* with one row of x, one stream from memory is faster */              \
            STEP(TOGETHER, tokens, type)                                                           \
        }                                                                                          \
        STEP(1, tokens, type)                                                                      \
        break
    int64_t j = 0;
    switch (m * 64 + (int64_t)dtype) {
        CASE(1, MDF_DTYPE_F32);
        CASE(1, MDF_DTYPE_F16);
        CASE(1, MDF_DTYPE_BF16);
        CASE(2, MDF_DTYPE_F32);
        CASE(2, MDF_DTYPE_F16);
        CASE(2, MDF_DTYPE_BF16);
        CASE(3, MDF_DTYPE_F32);
        CASE(3, MDF_DTYPE_F16);
        CASE(3, MDF_DTYPE_BF16);
    default:
        break;
    }
#undef CASE
#undef STEP
}

/* Rows first..first+count-1 of the weight with a few rows of x; memory sets the pace. */
static void rows_float(const mdf_weight *w, int64_t m, const float *x, int64_t first, int64_t count,
                       float *y)
{
    const int64_t bytes = (int64_t)mdf_dtype_row_bytes(w->dtype, (size_t)w->k);
    plain_rows(count, m, w->dtype, (const uint8_t *)w->raw + first * bytes, bytes, w->k, x,
               y + first, w->n);
}

#endif
