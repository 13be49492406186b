/* Products of a few rows of x (a generated token) with a Q8_0 or Q4_0 weight: its rows are read
 * once, straight from the file, and memory sets the pace. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_ROWS_INT8_H
#define MDF_KERNEL_SIMD_WEIGHT_ROWS_INT8_H

#include "kernel/simd/weight_quantise.h"

enum {
    FEW = 3,        /* rows of x at most */
    TOGETHER = 4,   /* rows of the weight that share what is loaded of x */
    UNIT_BLOCKS = 4 /* blocks of x that are laid out together */
};

#if defined(__AVX512VNNI__)

/* Four blocks of a row of x, as one register (Q4_0: 16 lower numbers of each block, then the upper
 * ones) or two (Q8_0: two blocks each) meet them. Lanes that belong to a block have its scale;
 * one of them starts at - offset * sum of q. */
typedef struct row_unit {
    int8_t q[UNIT_BLOCKS * BLOCK];
    int32_t start[2][16];
    float d[2][16];
} row_unit;

static void round_row_block(row_unit *out, int64_t i, const float *x, bool wide)
{
    int8_t q[BLOCK];
    const rounded r = round_block(q, x);
    const int64_t lanes = wide ? 8 : 4;
    const int64_t half = wide ? i / 2 : 0;
    const int64_t first = wide ? i % 2 * 8 : i * 4;
    if (wide) {
        memcpy(out->q + i * BLOCK, q, BLOCK);
    } else {
        memcpy(out->q + i * 16, q, 16);
        memcpy(out->q + 64 + i * 16, q + 16, 16);
    }
    for (int64_t l = 0; l < lanes; l++) {
        out->d[half][first + l] = r.d;
    }
    out->start[half][first] = (wide ? -128 : -8) * r.sum;
}

/* Blocks behind the end are zero. */
static void round_row(row_unit *out, const float *x, int64_t k, bool wide)
{
    const int64_t blocks = k / BLOCK;
    for (int64_t u = 0; u * UNIT_BLOCKS < blocks; u++) {
        memset(&out[u], 0, sizeof out[u]);
        for (int64_t i = 0; i < UNIT_BLOCKS && u * UNIT_BLOCKS + i < blocks; i++) {
            round_row_block(&out[u], i, x + (u * UNIT_BLOCKS + i) * BLOCK, wide);
        }
    }
}

/* Scales of the blocks that start at p, one for each lane. */
static inline __m512 unit_scales(const uint8_t *p, __m512i index)
{
    const __m512i half = _mm512_permutexvar_epi16(index, _mm512_loadu_si512(p));
    return _mm512_cvtph_ps(_mm512_castsi512_si256(half));
}

static inline __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static inline __m256i load32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* sum[t] += unit of the weight at p (72 bytes) * unit of x. */
__attribute__((always_inline)) static inline void
unit_q4(vec sum[FEW], const int tokens, const uint8_t *p, const row_unit *x, int64_t x_step)
{
    const __m512i index =
        _mm512_set_epi64(0, 0, 0, 0, 0x001b001b001b001b, 0x0012001200120012, 0x0009000900090009, 0);
    const vec scale = unit_scales(p, index);
    __m512i w = _mm512_castsi128_si512(load16(p + 2));
    w = _mm512_inserti32x4(w, load16(p + 20), 1);
    w = _mm512_inserti32x4(w, load16(p + 38), 2);
    w = _mm512_inserti32x4(w, load16(p + 56), 3);
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i low = _mm512_and_si512(w, nibble);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(w, 4), nibble);
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const row_unit *u = x + t * x_step;
        __m512i s = _mm512_dpbusd_epi32(words_load(u->start[0]), low, words_load(u->q));
        s = _mm512_dpbusd_epi32(s, high, words_load(u->q + 64));
        sum[t] = vec_fma(words_to_vec(s), vec_mul(scale, vec_load(u->d[0])), sum[t]);
    }
}

/* The same for Q8_0: 136 bytes. */
__attribute__((always_inline)) static inline void
unit_q8(vec sum[FEW], const int tokens, const uint8_t *p, const row_unit *x, int64_t x_step)
{
    const __m512i index =
        _mm512_set_epi64(0, 0, 0, 0, 0x0011001100110011, 0x0011001100110011, 0, 0);
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        const vec scale = unit_scales(p + 68 * h, index);
        __m512i w = _mm512_castsi256_si512(load32(p + 68 * h + 2));
        w = _mm512_inserti64x4(w, load32(p + 68 * h + 36), 1);
        w = _mm512_xor_si512(w, _mm512_set1_epi8(-128));
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            const row_unit *u = x + t * x_step;
            const __m512i s =
                _mm512_dpbusd_epi32(words_load(u->start[h]), w, words_load(u->q + 64 * h));
            sum[t] = vec_fma(words_to_vec(s), vec_mul(scale, vec_load(u->d[h])), sum[t]);
        }
    }
}

/* y[t * y_step + r] = rows r of the weight * each row of x. */
__attribute__((always_inline)) static inline void
row_products(const int rows, const int tokens, const bool wide, const uint8_t *p, int64_t blocks,
             const row_unit *x, int64_t x_step, float *y, int64_t y_step)
{
    const int64_t bytes = wide ? 34 : 18;
    const int64_t row_bytes = blocks * bytes;
    vec sum[TOGETHER][FEW];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            sum[r][t] = vec_all(0);
        }
    }
    for (; blocks >= UNIT_BLOCKS; blocks -= UNIT_BLOCKS, p += UNIT_BLOCKS * bytes, x++) {
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            if (wide) {
                unit_q8(sum[r], tokens, p + r * row_bytes, x, x_step);
            } else {
                unit_q4(sum[r], tokens, p + r * row_bytes, x, x_step);
            }
        }
    }
    for (int r = 0; r < rows && blocks > 0; r++) { /* nothing behind the last block may be read */
        uint8_t rest[UNIT_BLOCKS * 34] = {0};
        memcpy(rest, p + r * row_bytes, (size_t)(blocks * bytes));
        if (wide) {
            unit_q8(sum[r], tokens, rest, x, x_step);
        } else {
            unit_q4(sum[r], tokens, rest, x, x_step);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            y[t * y_step + r] = vec_sum(sum[r][t]);
        }
    }
}

#else

/* Four blocks of a row of x. */
typedef struct row_unit {
    int8_t q[UNIT_BLOCKS][BLOCK];
    float d[UNIT_BLOCKS];
} row_unit;

static void round_row(row_unit *out, const float *x, int64_t k, bool wide)
{
    (void)wide;
    for (int64_t b = 0; b < k / BLOCK; b++) {
        row_unit *u = &out[b / UNIT_BLOCKS];
        u->d[b % UNIT_BLOCKS] = round_block(u->q[b % UNIT_BLOCKS], x + b * BLOCK).d;
    }
}

/* The 32 signed numbers of a block. */
static inline __m256i block_numbers(const uint8_t *p, const bool wide)
{
    if (wide) {
        return _mm256_loadu_si256((const __m256i *)(p + 2));
    }
    const __m128i w = _mm_loadu_si128((const __m128i *)(p + 2));
    const __m256i both =
        _mm256_inserti128_si256(_mm256_castsi128_si256(w), _mm_srli_epi16(w, 4), 1);
    return _mm256_sub_epi8(_mm256_and_si256(both, _mm256_set1_epi8(15)), _mm256_set1_epi8(8));
}

/* sum[t] += one block of the weight * that of each row of x. |w| * (x with w's sign): two products
 * of at most 128 * 127 fit into 16 bits. */
__attribute__((always_inline)) static inline void block_product(__m256 sum[FEW], const int tokens,
                                                                const bool wide, const uint8_t *p,
                                                                const row_unit *x, int64_t x_step,
                                                                int64_t b)
{
    const __m256i w = block_numbers(p, wide);
    const __m256i u = _mm256_abs_epi8(w);
    uint16_t half;
    memcpy(&half, p, sizeof half);
    const __m128 d = _mm_cvtph_ps(_mm_cvtsi32_si128(half));
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const row_unit *q = x + t * x_step;
        const __m256i a = _mm256_loadu_si256((const __m256i *)q->q[b]);
        const __m256i pairs = _mm256_maddubs_epi16(u, _mm256_sign_epi8(a, w));
        const __m256i s = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
        const __m128 scale = _mm_mul_ss(d, _mm_load_ss(&q->d[b]));
        sum[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(s), _mm256_broadcastss_ps(scale), sum[t]);
    }
}

/* y[t * y_step + r] = rows r of the weight * each row of x. */
__attribute__((always_inline)) static inline void
row_products(const int rows, const int tokens, const bool wide, const uint8_t *p, int64_t blocks,
             const row_unit *x, int64_t x_step, float *y, int64_t y_step)
{
    const int64_t bytes = wide ? 34 : 18;
    const int64_t row_bytes = blocks * bytes;
    __m256 sum[TOGETHER][FEW];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            sum[r][t] = _mm256_setzero_ps();
        }
    }
    for (int64_t b = 0; b < blocks; b++, p += bytes) {
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            block_product(sum[r], tokens, wide, p + r * row_bytes, x + b / UNIT_BLOCKS, x_step,
                          b % UNIT_BLOCKS);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            const __m128 half =
                _mm_add_ps(_mm256_castps256_ps128(sum[r][t]), _mm256_extractf128_ps(sum[r][t], 1));
            const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            y[t * y_step + r] = _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
        }
    }
}

#endif

/* Rows first..first+count-1 of the weight. */
static void rows_int8(const mdf_weight *w, int64_t m, const row_unit *x, int64_t x_step,
                      int64_t first, int64_t count, float *y)
{
    const bool wide = w->dtype == MDF_DTYPE_Q8_0;
    const int64_t blocks = w->k / BLOCK;
    const int64_t bytes = blocks * (wide ? 34 : 18);
    const uint8_t *p = (const uint8_t *)w->raw + first * bytes;
    int64_t j = 0;
#define STEP(rows, t, q)                                                                           \
    for (; j + (rows) <= count; j += (rows)) {                                                     \
        row_products(rows, t, q, p + j * bytes, blocks, x, x_step, y + first + j, w->n);           \
    }
#define CASE(t, q)                                                                                 \
    case 2 * (t) + ((q) ? 1 : 0):                                                                  \
        if ((t) > 1) { /* with one row of x, one stream from memory is faster than several */      \
            STEP(TOGETHER, t, q)                                                                   \
        }                                                                                          \
        STEP(1, t, q)                                                                              \
        break
    switch (2 * m + (wide ? 1 : 0)) {
        CASE(1, false);
        CASE(1, true);
        CASE(2, false);
        CASE(2, true);
        CASE(3, false);
        CASE(3, true);
    default:
        break;
    }
#undef CASE
#undef STEP
}

#endif
