/* Products of a few rows of x (a generated token) with a weight in blocks: its rows are read once,
 * straight from the file, and memory sets the pace. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_ROWS_INT8_H
#define MDF_KERNEL_SIMD_WEIGHT_ROWS_INT8_H

#include "kernel/simd/weight_types.h"

enum { FEW = 3 }; /* rows of x at most */

#if defined(__AVX512VNNI__)

#include "kernel/simd/weight_units.h"

/* Four blocks of a row of x, laid out as a unit. Their scale is in all of their lanes; one of their
 * lanes starts at - offset * sum of q, or has d * sum of q for the minimum. */
typedef struct row_unit {
    int8_t q[2][UNIT_BLOCKS * BLOCK / 2];
    float d[16];
    int32_t start[2][16];
    float sum[16];
} row_unit;

static void round_row_block(row_unit *out, int64_t i, const float *x, const block_type *t)
{
    int8_t q[BLOCK];
    const rounded r = round_block(q, x);
    const int32_t first = t->halves ? sum_of_half(q) : r.sum;
    memcpy(out->q[0] + i * 16, q, 16);
    memcpy(out->q[1] + i * 16, q + 16, 16);
    for (int64_t l = 0; l < 4; l++) {
        out->d[4 * i + l] = r.d;
    }
    out->start[0][4 * i] = -t->offset * first;
    out->start[1][4 * i] = -t->offset * (r.sum - first);
    out->sum[4 * i] = r.d * (float)r.sum;
}

/* sum[t] += blocks 0..count-1 of a unit of the weight * that of x; more[t] takes the second half or
 * the minima, so that neither waits for the other. */
ALWAYS_INLINE void unit_product(vec sum[FEW], vec more[FEW], const int tokens, const mdf_dtype type,
                                const uint8_t *p, const int half, const row_unit *x, int64_t x_step,
                                const int64_t count)
{
    const block_type is = block_type_of(type);
    unit w = unit_of(type, p, half);
    if (count < UNIT_BLOCKS) { /* only x is zero there: the scales are anything */
        const __mmask16 mask = (__mmask16)((1U << (4 * count)) - 1);
        w.d[0] = _mm512_maskz_mov_ps(mask, w.d[0]);
        w.m = is.minimum ? _mm512_maskz_mov_ps(mask, w.m) : w.m;
    }
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const row_unit *u = x + t * x_step;
        const vec d = vec_load(u->d);
        __m512i s = is.minimum ? _mm512_setzero_si512() : words_load(u->start[0]);
        s = _mm512_dpbusd_epi32(s, w.u[0], words_load(u->q[0]));
        if (is.halves) {
            more[t] = vec_fma(words_to_vec(s), vec_mul(w.d[0], d), more[t]);
            s = words_load(u->start[1]);
        }
        s = _mm512_dpbusd_epi32(s, w.u[1], words_load(u->q[1]));
        sum[t] = vec_fma(words_to_vec(s), vec_mul(w.d[is.halves ? 1 : 0], d), sum[t]);
        if (is.minimum) {
            more[t] = vec_fma(w.m, vec_load(u->sum), more[t]);
        }
    }
}

/* y[t * y_step] = a row of the weight * each row of x. end: of the weight. */
ALWAYS_INLINE void row_products(const int tokens, const mdf_dtype type, const uint8_t *p,
                                const uint8_t *end, int64_t blocks, const row_unit *x,
                                int64_t x_step, float *y, int64_t y_step)
{
    const block_type is = block_type_of(type);
    const int halves = is.blocks / UNIT_BLOCKS > 0 ? is.blocks / UNIT_BLOCKS : 1;
    const int64_t step = is.blocks < UNIT_BLOCKS ? UNIT_BLOCKS * is.bytes : is.bytes;
    vec sum[FEW];
    vec more[FEW];
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        sum[t] = more[t] = vec_all(0);
    }
    for (; blocks >= UNIT_BLOCKS; blocks -= halves * UNIT_BLOCKS, p += step, x += halves) {
#pragma GCC unroll 2
        for (int h = 0; h < halves; h++) {
            unit_product(sum, more, tokens, type, p, h, x + h, x_step, UNIT_BLOCKS);
        }
    }
    if (is.blocks == 1 && blocks > 0) { /* nothing behind the weight may be read */
        uint8_t rest[UNIT_BLOCKS * 34];
        if (end - p < step) {
            memset(rest, 0, sizeof rest);
            memcpy(rest, p, (size_t)(blocks * is.bytes));
            p = rest;
        }
        unit_product(sum, more, tokens, type, p, 0, x, x_step, blocks);
    }
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        y[t * y_step] = vec_sum(vec_add(sum[t], more[t]));
    }
}

#else

enum { UNIT_BLOCKS = 1 };

/* One block of a row of x. A lane starts at - offset * sum of q, or with halves two of them. */
typedef struct row_unit {
    int8_t q[BLOCK];
    int32_t start[8];
    float d, sum; /* sum: d * sum of q */
} row_unit;

static void round_row_block(row_unit *out, int64_t i, const float *x, const block_type *t)
{
    const rounded r = round_block(out[i].q, x);
    const int32_t first = t->halves ? sum_of_half(out[i].q) : r.sum;
    out[i].start[0] = -t->offset * first;
    out[i].start[4] = -t->offset * (r.sum - first);
    out[i].d = r.d;
    out[i].sum = r.d * (float)r.sum;
}

/* sum[t] += block j of the group at p * that of each row of x. Two products of at most 63 * 127 fit
 * into 16 bits, and so do those of Q8_0 as |w| * (x with w's sign). */
ALWAYS_INLINE void block_product(__m256 sum[FEW], __m128 minima[FEW], const int tokens,
                                 const mdf_dtype type, const uint8_t *p, const block_scales *s,
                                 int j, const row_unit *x, int64_t x_step)
{
    const block_type is = block_type_of(type);
    const __m256i w = numbers_of(type, p, j);
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const row_unit *u = x + t * x_step;
        __m256i q = _mm256_loadu_si256((const __m256i *)u->q);
        __m256i b = w;
        if (type == MDF_DTYPE_Q8_0) {
            q = _mm256_sign_epi8(q, w);
            b = _mm256_abs_epi8(w);
        }
        __m256i i = _mm256_madd_epi16(_mm256_maddubs_epi16(b, q), _mm256_set1_epi16(1));
        if (is.offset != 0 && type != MDF_DTYPE_Q8_0) {
            i = _mm256_add_epi32(i, _mm256_loadu_si256((const __m256i *)u->start));
        }
        __m256 d = _mm256_set1_ps(s->d[j] * u->d);
        if (is.halves) {
            const __m128 low = _mm_set1_ps(s->d[2 * j] * u->d);
            const __m128 high = _mm_set1_ps(s->d[2 * j + 1] * u->d);
            d = _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
        }
        sum[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(i), d, sum[t]);
        if (is.minimum) {
            minima[t] = _mm_fmadd_ss(_mm_load_ss(&s->m[j]), _mm_load_ss(&u->sum), minima[t]);
        }
    }
}

/* y[t * y_step] = a row of the weight * each row of x. */
ALWAYS_INLINE void row_products(const int tokens, const mdf_dtype type, const uint8_t *p,
                                const uint8_t *end, int64_t blocks, const row_unit *x,
                                int64_t x_step, float *y, int64_t y_step)
{
    (void)end;
    const block_type is = block_type_of(type);
    __m256 sum[FEW];
    __m128 minima[FEW];
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        sum[t] = _mm256_setzero_ps();
        minima[t] = _mm_setzero_ps();
    }
    for (; blocks > 0; blocks -= is.blocks, p += is.bytes, x += is.blocks) {
        block_scales s;
        scales_of(&s, type, p);
        for (int j = 0; j < is.blocks; j++) {
            block_product(sum, minima, tokens, type, p, &s, j, x + j, x_step);
        }
    }
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const __m256 a = sum[t];
        const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
        const __m128 all = _mm_add_ss(pair, _mm_movehdup_ps(pair));
        y[t * y_step] = _mm_cvtss_f32(_mm_add_ss(all, minima[t]));
    }
}

#endif

/* Blocks behind the end of a row are zero. */
static void round_row(row_unit *out, const float *x, int64_t k, mdf_dtype type)
{
    const block_type t = block_type_of(type);
    for (int64_t b = 0; b < k / BLOCK; b++) {
        row_unit *u = &out[b / UNIT_BLOCKS];
        if (b % UNIT_BLOCKS == 0) {
            memset(u, 0, sizeof *u);
        }
        round_row_block(u, b % UNIT_BLOCKS, x + b * BLOCK, &t);
    }
}

/* Rows first..first+count-1 of the weight, one after the other: several streams from memory are
 * slower than one. */
static void rows_int8(const mdf_weight *w, int64_t m, const row_unit *x, int64_t x_step,
                      int64_t first, int64_t count, float *y)
{
    const int64_t bytes = (int64_t)mdf_dtype_row_bytes(w->dtype, (size_t)w->k);
    const uint8_t *p = (const uint8_t *)w->raw + first * bytes;
    const uint8_t *end = (const uint8_t *)w->raw + w->n * bytes;
    const int64_t blocks = w->k / BLOCK;
#define CASE(t, type)                                                                              \
    case 64 * (t) + (type):                                                                        \
        for (int64_t j = first; j < first + count; j++, p += bytes) {                              \
            row_products(t, type, p, end, blocks, x, x_step, y + j, w->n);                         \
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
