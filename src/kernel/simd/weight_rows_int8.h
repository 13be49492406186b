/* Products of a few rows of x (a generated token) with a weight in blocks: its rows are read once,
 * straight from the file, and memory sets the pace. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_ROWS_INT8_H
#define MDF_KERNEL_SIMD_WEIGHT_ROWS_INT8_H

#include "kernel/simd/weight_types.h"

enum { FEW = MDF_FEW_ROWS };

#if defined(__AVX512VNNI__)

#include "kernel/simd/weight_lanes.h"
#include "kernel/simd/weight_units.h"

/* A row of x where weight_lanes.h doesn't say it: the bytes of two units, then their floats: the
 * scales d of a unit's blocks, and d * factor * sum of q, which meet the minima. With halves, all
 * of that for 16 numbers. One small stream: x leaves the first-level cache to the weight, and the
 * fetching of memory ahead follows few streams well. */
enum { UNIT_BYTES = UNIT_BLOCKS * BLOCK };

ALWAYS_INLINE int64_t unit_floats(const block_type is)
{
    return is.halves ? 16 : 8;
}

/* Of two units. */
ALWAYS_INLINE int64_t pair_bytes(const block_type is)
{
    return 2 * (UNIT_BYTES + unit_floats(is) * (int64_t)sizeof(float));
}

/* Where a unit's bytes and floats stand in the row. */
ALWAYS_INLINE int64_t place_of_bytes(int64_t at, const block_type is)
{
    return at / 2 * pair_bytes(is) + at % 2 * UNIT_BYTES;
}

ALWAYS_INLINE int64_t place_of_floats(int64_t at, const block_type is)
{
    return at / 2 * pair_bytes(is) + 2 * UNIT_BYTES +
           at % 2 * unit_floats(is) * (int64_t)sizeof(float);
}

static int64_t row_bytes_of(int64_t k, const block_type is)
{
    if (goes_by_lanes(is)) {
        return (k + STEP_NUMBERS - 1) / STEP_NUMBERS * STEP_BYTES;
    }
    return (k + 2 * UNIT_BYTES - 1) / (2 * UNIT_BYTES) * pair_bytes(is);
}

/* Blocks behind the end are zero. */
ALWAYS_INLINE void round_row_by_lanes(int8_t *out, const float *x, int64_t k, const block_type is)
{
    memset(out + row_bytes_of(k, is) - STEP_BYTES, 0, STEP_BYTES);
    for (int64_t b = 0; b < k / BLOCK; b++) {
        const int i = (int)(b % STEP_BLOCKS);
        int8_t *step = out + b / STEP_BLOCKS * STEP_BYTES;
        int8_t *scale = step + STEP_NUMBERS + i * (int)sizeof(float);
        int8_t q[BLOCK];
        const rounded r = round_block(q, x + b * BLOCK);
        const bool half = is_half_step(k / BLOCK - (b - i));
        const int32_t start = is.factor / lanes_of_block(is, half) * r.sum;
        for (int piece = 0; piece < BLOCK / 4; piece++) {
            memcpy(step + place_of_piece(is, i, piece, half), q + 4 * piece, 4);
        }
        memcpy(scale, &r.d, sizeof r.d);
        memcpy(scale + STEP_BLOCKS * (int)sizeof(float), &start, sizeof start);
    }
}

/* Blocks behind the end are zero. */
static void round_row_by_units(int8_t *out, const float *x, int64_t k, const block_type is)
{
    memset(out + row_bytes_of(k, is) - pair_bytes(is), 0, (size_t)pair_bytes(is));
    for (int64_t b = 0; b < k / BLOCK; b++) {
        const int64_t i = b % UNIT_BLOCKS;
        int8_t *bytes = out + place_of_bytes(b / UNIT_BLOCKS, is);
        float *s = (float *)(void *)(out + place_of_floats(b / UNIT_BLOCKS, is));
        int8_t q[BLOCK];
        const rounded r = round_block(q, x + b * BLOCK);
        const float factor = r.d * (float)is.factor;
        memcpy(bytes + i * 16, q, 16);
        memcpy(bytes + UNIT_BYTES / 2 + i * 16, q + 16, 16);
        if (is.halves) {
            const int32_t first = sum_of_half(q);
            s[2 * i] = s[2 * i + 1] = r.d;
            s[8 + 2 * i] = factor * (float)first;
            s[9 + 2 * i] = factor * (float)(r.sum - first);
        } else {
            s[i] = r.d;
            s[4 + i] = factor * (float)r.sum;
        }
    }
}

static void round_row(int8_t *out, const float *x, int64_t k, const block_type is)
{
    if (is.bytes == block_type_of(MDF_DTYPE_Q4_0).bytes) {
        round_row_by_lanes(out, x, k, block_type_of(MDF_DTYPE_Q4_0));
    } else if (is.bytes == block_type_of(MDF_DTYPE_Q8_0).bytes) {
        round_row_by_lanes(out, x, k, block_type_of(MDF_DTYPE_Q8_0));
    } else {
        round_row_by_units(out, x, k, is);
    }
}

/* sum[t] += blocks 0..count-1 of a unit of the weight * that of x, minima apart. */
ALWAYS_INLINE void unit_product(vec sum[FEW], __m256 minima[FEW], const int tokens,
                                const mdf_dtype type, const uint8_t *p, const int half,
                                const int8_t *const x[FEW], int64_t at, const int64_t count)
{
    const block_type is = block_type_of(type);
    unit w = unit_of(type, p, half);
    __m128 d4 = _mm256_castps256_ps128(w.d);
    if (count < UNIT_BLOCKS) { /* only x is zero there: the scales are anything */
        const __mmask8 mask = (__mmask8)((1U << count) - 1);
        d4 = _mm_maskz_mov_ps(mask, d4);
        w.m = _mm_maskz_mov_ps(mask, w.m);
    }
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const float *s = (const float *)(const void *)(x[t] + place_of_floats(at, is));
        const int8_t *q = x[t] + place_of_bytes(at, is);
        const __m512i q0 = words_load(q);
        const __m512i q1 = words_load(q + UNIT_BYTES / 2);
        const __m512i zero = _mm512_setzero_si512();
        __m512i i = _mm512_dpbusd_epi32(zero, w.u[0], q0);
        if (is.halves) {
            const __m512 d = _mm512_castps256_ps512(_mm256_mul_ps(w.d, _mm256_loadu_ps(s)));
            const __m512i j = _mm512_dpbusd_epi32(zero, w.u[1], q1);
            const __m512 d0 = _mm512_permutexvar_ps(of_blocks(0, 2, 4, 6), d);
            const __m512 d1 = _mm512_permutexvar_ps(of_blocks(1, 3, 5, 7), d);
            minima[t] = _mm256_fmadd_ps(w.d, _mm256_loadu_ps(s + 8), minima[t]);
            sum[t] = vec_fma(words_to_vec(i), d0, sum[t]);
            sum[t] = vec_fma(words_to_vec(j), d1, sum[t]);
        } else {
            const __m512 d = _mm512_castps128_ps512(_mm_mul_ps(d4, _mm_loadu_ps(s)));
            const __m128 m = _mm256_castps256_ps128(minima[t]);
            minima[t] =
                _mm256_zextps128_ps256(_mm_fmadd_ps(is.minimum ? w.m : d4, _mm_loadu_ps(s + 4), m));
            i = _mm512_dpbusd_epi32(i, w.u[1], q1);
            sum[t] =
                vec_fma(words_to_vec(i), _mm512_permutexvar_ps(of_blocks(0, 1, 2, 3), d), sum[t]);
        }
    }
}

/* y[t * w->n] = the row of the weight at p * each row of x. end: of the weight. */
ALWAYS_INLINE void row_products_by_lanes(const int tokens, const mdf_dtype type,
                                         const mdf_weight *w, const uint8_t *p, const uint8_t *end,
                                         const int8_t *const x[FEW], float *y)
{
    const int bytes = block_type_of(type).bytes;
    int64_t left = w->k / BLOCK;
    int64_t from = 0;
    uint8_t rest[STEP_BLOCKS * 34];
    vec sum[2][FEW];
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        sum[0][t] = sum[1][t] = vec_all(0);
    }
    for (; left >= STEP_BLOCKS; left -= STEP_BLOCKS, from += STEP_BYTES, p += STEP_BLOCKS * bytes) {
        if (type == MDF_DTYPE_Q4_0) {
            q4_step(sum[0], tokens, p, x, from, STEP_BLOCKS);
        } else {
            q8_half_step(sum[0], tokens, p, x, from, 0, STEP_BLOCKS);
            q8_half_step(sum[1], tokens, p + 4 * bytes, x, from, 4, STEP_BLOCKS);
        }
    }
    const int64_t taken = (is_half_step(left) ? STEP_BLOCKS / 2 : STEP_BLOCKS) * (int64_t)bytes;
    if (left > 0 && end - p < taken) { /* nothing behind the weight may be read */
        memset(rest, 0, sizeof rest);
        memcpy(rest, p, (size_t)(left * bytes));
        p = rest;
    }
    if (left > 0 && type == MDF_DTYPE_Q4_0 && is_half_step(left)) {
        q4_half_step(sum[0], tokens, p, x, from, left);
    } else if (left > 0 && type == MDF_DTYPE_Q4_0) {
        q4_step(sum[0], tokens, p, x, from, left);
    } else if (left > 0) {
        q8_half_step(sum[0], tokens, p, x, from, 0, left);
        if (left > 4) {
            q8_half_step(sum[1], tokens, p + 4 * bytes, x, from, 4, left - 4);
        }
    }
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        y[t * w->n] = vec_sum(vec_add(sum[0][t], sum[1][t]));
    }
}

/* The same with the types that go by units. */
ALWAYS_INLINE void row_products_by_units(const int tokens, const mdf_dtype type,
                                         const mdf_weight *w, const uint8_t *p, const uint8_t *end,
                                         const int8_t *const x[FEW], float *y)
{
    const block_type is = block_type_of(type);
    const int halves = is.blocks > UNIT_BLOCKS ? is.blocks / UNIT_BLOCKS : 1;
    const int64_t step = is.blocks < UNIT_BLOCKS ? UNIT_BLOCKS * is.bytes : is.bytes;
    const int64_t units = w->k / UNIT_BYTES;
    const int64_t left = w->k % UNIT_BYTES / BLOCK;
    int64_t at = 0;
    vec sum[FEW];
    __m256 minima[FEW];
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        sum[t] = vec_all(0);
        minima[t] = _mm256_setzero_ps();
    }
    for (; at < units; at += halves, p += step) {
#pragma GCC unroll 2
        for (int h = 0; h < halves; h++) {
            unit_product(sum, minima, tokens, type, p, h, x, at + h, UNIT_BLOCKS);
        }
    }
    if (is.blocks == 1 && left > 0) { /* nothing behind the weight may be read */
        uint8_t rest[UNIT_BLOCKS * 34];
        if (end - p < step) {
            memset(rest, 0, sizeof rest);
            memcpy(rest, p, (size_t)(left * is.bytes));
            p = rest;
        }
        unit_product(sum, minima, tokens, type, p, 0, x, at, left);
    }
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        y[t * w->n] = vec_sum(vec_add(sum[t], _mm512_zextps256_ps512(minima[t])));
    }
}

ALWAYS_INLINE void row_products(const int tokens, const mdf_dtype type, const mdf_weight *w,
                                const uint8_t *p, const uint8_t *end, const int8_t *const x[FEW],
                                float *y)
{
    if (goes_by_lanes(block_type_of(type))) {
        row_products_by_lanes(tokens, type, w, p, end, x, y);
    } else {
        row_products_by_units(tokens, type, w, p, end, x, y);
    }
}

#else
#include "kernel/simd/weight_steps.h"
#endif

/* Rows first..first+count-1 of the weight, one after the other: several streams from memory are
 * slower than one. x: m rounded rows. */
static void rows_int8(const mdf_weight *w, int64_t m, const int8_t *x, int64_t first, int64_t count,
                      float *y)
{
    const int64_t bytes = (int64_t)mdf_dtype_row_bytes(w->dtype, (size_t)w->k);
    const uint8_t *p = (const uint8_t *)w->raw + first * bytes;
    const uint8_t *end = (const uint8_t *)w->raw + w->n * bytes;
    const int8_t *row[FEW] = {x, x, x};
    for (int64_t t = 1; t < m; t++) {
        row[t] = row[t - 1] + row_bytes_of(w->k, block_type_of(w->dtype));
    }
#define CASE(t, type)                                                                              \
    case 64 * (t) + (type):                                                                        \
        for (int64_t j = first; j < first + count; j++, p += bytes) {                              \
            row_products(t, type, w, p, end, row, y + j);                                          \
        }                                                                                          \
        break;
#define CASES(type) CASE(1, type) CASE(2, type) CASE(3, type)
    switch (64 * m + (int64_t)w->dtype) {
        CASES(MDF_DTYPE_Q8_0)
        CASES(MDF_DTYPE_Q4_0)
        CASES(MDF_DTYPE_Q4_1)
        CASES(MDF_DTYPE_Q5_0)
        CASES(MDF_DTYPE_Q5_1)
        CASES(MDF_DTYPE_Q4_K)
        CASES(MDF_DTYPE_Q5_K)
        CASES(MDF_DTYPE_Q6_K)
    default:
        break;
    }
#undef CASES
#undef CASE
}

#endif
