/* Products of many rows of x with a weight in blocks, in eight-bit integers.
 *
 * x is rounded once per call to blocks of 32 with a scale each, TOKENS rows side by side. The
 * weight's rows are repacked on the way, PANEL rows by CHUNK blocks at a time: four consecutive
 * numbers of a row, of the next row, .., as unsigned bytes u, so that one instruction multiplies
 * and adds four numbers of VEC rows with four numbers of a row of x. Where a number is d (u +
 * factor), sum (u + factor) x = sum u x + factor sum x; the last term is where the integer sum
 * starts. A block's integer sum is exact; it is scaled by both scales and added in float, and so is
 * minimum * sum x. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_INT8_H
#define MDF_KERNEL_SIMD_WEIGHT_INT8_H

#include "kernel/simd/weight_types.h"

#if defined(__AVX512VNNI__)
enum { TOKENS = 6, VECTORS = 2, PLANES = 1 }; /* 12 integer and 12 float sums of 32 registers */
#elif defined(__AVX512F__)
enum { TOKENS = 6, VECTORS = 1, PLANES = 2 };
#else
enum { TOKENS = 4, VECTORS = 1, PLANES = 2 };
#endif
enum {
    INT8_PANEL = VECTORS * VEC,
    CHUNK = 16, /* blocks: a panel's piece and a few tokens stay in the first-level cache */
    QUADS = BLOCK / 4
};

/* One block of TOKENS rows of x. */
typedef struct token_block {
    float d[TOKENS];
    union {
        int32_t start[2][TOKENS]; /* factor * sum of q, or with halves two of them */
        float sum[TOKENS];        /* with minima: d * factor * sum of q */
    };
    int8_t q[TOKENS][BLOCK];
} token_block;

/* One block of PANEL rows of the weight. Without VNNI the bytes of wide types are two planes of
 * nibbles, because 16 bits hold the sums of products with nibbles only. */
typedef struct panel_block {
    uint8_t u[PLANES][QUADS][VECTORS][VEC * 4];
    float d[INT8_PANEL];
    float more[INT8_PANEL]; /* scales of the second half, or minima, or nothing */
} panel_block;

static void round_tokens(token_block *out, const float *x, int64_t rows, int64_t k, mdf_dtype type)
{
    const block_type is = block_type_of(type);
    for (int64_t b = 0; b < k / BLOCK; b++) {
        for (int64_t t = 0; t < rows; t++) {
            const rounded r = round_block(out[b].q[t], x + t * k + b * BLOCK);
            const int32_t first = is.halves ? sum_of_half(out[b].q[t]) : r.sum;
            out[b].d[t] = r.d;
            if (is.minimum) {
                out[b].sum[t] = r.d * (float)(is.factor * r.sum);
            } else {
                out[b].start[0][t] = is.factor * first;
                out[b].start[1][t] = is.factor * (r.sum - first);
            }
        }
    }
}

/* Four quads of one vector of rows: bytes of u, or two times four of packed nibbles. */
static inline void pack_quads(panel_block *out, const uint8_t *const row[], int64_t at, int v,
                              int first, bool wide, bool nibbles, int32_t flip)
{
    const words low = words_all(0x0f0f0f0f);
    words word[4];
    words_transpose(word, row, at);
    for (int d = 0; d < 4; d++) {
        const words bytes = words_xor(word[d], words_all(flip));
        const words upper = words_and(words_right4(bytes), low);
        const words lower = words_and(bytes, low);
        if (nibbles) {
            words_store(out->u[0][d][v], lower);
            words_store(out->u[0][d + 4][v], upper);
        } else if (PLANES == 1 || !wide) {
            words_store(out->u[0][first + d][v], bytes);
        } else {
            words_store(out->u[0][first + d][v], lower);
            words_store(out->u[PLANES - 1][first + d][v], upper);
        }
    }
}

/* Q8_0 and Q4_0 are transposed as they lie. */
static void pack_simple(panel_block *out, const uint8_t *const row[], int64_t count, bool wide)
{
    const int64_t step = wide ? 34 : 18;
    const int32_t flip = wide ? -0x7f7f7f80 : 0; /* bytes of 0x80 */
    uint16_t scale[CHUNK][INT8_PANEL];
    for (int r = 0; r < INT8_PANEL; r++) {
        for (int64_t b = 0; b < count; b++) {
            memcpy(&scale[b][r], row[r] + b * step, sizeof scale[b][r]);
        }
    }
    for (int64_t b = 0; b < count; b++) {
        for (int v = 0; v < VECTORS; v++) {
            pack_quads(&out[b], row + v * VEC, b * step + 2, v, 0, wide, !wide, flip);
            if (wide) {
                pack_quads(&out[b], row + v * VEC, b * step + 18, v, 4, wide, false, flip);
            }
            vec_store(out[b].d + v * VEC, vec_of_halves((const uint8_t *)(scale[b] + v * VEC)));
        }
    }
}

/* The other types go through rows of bytes, a group at a time. */
ALWAYS_INLINE void pack_groups(panel_block *out, const uint8_t *const row[], int64_t count,
                               const mdf_dtype type)
{
    enum { GROUP = 8 * BLOCK };
    const block_type is = block_type_of(type);
    uint8_t room[INT8_PANEL][GROUP];
    const uint8_t *of[INT8_PANEL];
    for (int64_t g = 0; g < count / is.blocks; g++, out += is.blocks) {
        for (int r = 0; r < INT8_PANEL; r++) {
            const uint8_t *p = row[r] + g * is.bytes;
            block_scales s;
            scales_of(&s, type, p);
            for (int j = 0; j < is.blocks; j++) {
                _mm256_storeu_si256((__m256i *)(room[r] + j * BLOCK), numbers_of(type, p, j));
                out[j].d[r] = s.d[is.halves ? 2 * j : j];
                out[j].more[r] = is.halves ? s.d[2 * j + 1] : s.m[j];
            }
            of[r] = room[r];
        }
        for (int64_t i = 0; i < 2 * is.blocks * VECTORS; i++) {
            const int64_t j = i / VECTORS / 2;
            const int v = (int)(i % VECTORS);
            const int64_t half = i / VECTORS % 2;
            pack_quads(&out[j], of + v * VEC, j * BLOCK + 16 * half, v, (int)half * 4, is.wide,
                       false, 0);
        }
    }
}

/* row: PANEL pointers to the first of count blocks of each row, a whole number of groups. */
static void pack_panel(panel_block *out, const uint8_t *const row[], int64_t count, mdf_dtype type)
{
#define CASE(type)                                                                                 \
    case type:                                                                                     \
        pack_groups(out, row, count, type);                                                        \
        break
    switch ((int)type) {
        CASE(MDF_DTYPE_Q4_1);
        CASE(MDF_DTYPE_Q5_0);
        CASE(MDF_DTYPE_Q5_1);
        CASE(MDF_DTYPE_Q4_K);
        CASE(MDF_DTYPE_Q5_K);
        CASE(MDF_DTYPE_Q6_K);
    default:
        pack_simple(out, row, count, type == MDF_DTYPE_Q8_0);
        break;
    }
#undef CASE
}

static inline words words_broadcast(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return words_all(four);
}

/* What a tile is compiled for. */
typedef struct tile_kind {
    bool wide, minimum, halves;
} tile_kind;

#if defined(__AVX512VNNI__)

/* sum[t][v] = start[t] + integer sums of count quads. */
ALWAYS_INLINE void block_sums(words sum[TOKENS][VECTORS], const int tokens, const token_block *x,
                              const panel_block *w, const int first, const int count,
                              const bool wide, const int32_t *start)
{
    (void)wide;
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        sum[t][0] = sum[t][1] = words_all(start == NULL ? 0 : start[t]);
    }
#pragma GCC unroll 8
    for (int i = first; i < first + count; i++) {
        const words w0 = words_load(w->u[0][i][0]);
        const words w1 = words_load(w->u[0][i][1]);
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            const words q = words_broadcast(x->q[t] + 4 * i);
            sum[t][0] = _mm512_dpbusd_epi32(sum[t][0], w0, q);
            sum[t][1] = _mm512_dpbusd_epi32(sum[t][1], w1, q);
        }
    }
}

#else

#if defined(__AVX512F__)
#define PAIRS_OF_BYTES(u, s) _mm512_maddubs_epi16(u, s)
#define ADD16(a, b)          _mm512_add_epi16(a, b)
#define ADD32(a, b)          _mm512_add_epi32(a, b)
#define LEFT4(a)             _mm512_slli_epi32(a, 4)
#define PAIRS_OF_WORDS(a)    _mm512_madd_epi16(a, _mm512_set1_epi16(1))
#else
#define PAIRS_OF_BYTES(u, s) _mm256_maddubs_epi16(u, s)
#define ADD16(a, b)          _mm256_add_epi16(a, b)
#define ADD32(a, b)          _mm256_add_epi32(a, b)
#define LEFT4(a)             _mm256_slli_epi32(a, 4)
#define PAIRS_OF_WORDS(a)    _mm256_madd_epi16(a, _mm256_set1_epi16(1))
#endif

/* 16-bit sums of 8 pairs of products: at most 8 * 2 * 15 * 127 = 30480. */
ALWAYS_INLINE void plane_sums(words sum[TOKENS], const int tokens, const token_block *x,
                              const uint8_t u[QUADS][VECTORS][VEC * 4], const int first,
                              const int count)
{
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        sum[t] = words_all(0);
    }
#pragma GCC unroll 1 /* else the compiler loads all of x first, and has no registers left */
    for (int i = first; i < first + count; i++) {
        const words w = words_load(u[i][0]);
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            const words q = words_broadcast(x->q[t] + 4 * i);
            sum[t] = ADD16(sum[t], PAIRS_OF_BYTES(w, q));
        }
    }
}

/* sum[t][0] = start[t] + integer sums of count quads. */
ALWAYS_INLINE void block_sums(words sum[TOKENS][VECTORS], const int tokens, const token_block *x,
                              const panel_block *w, const int first, const int count,
                              const bool wide, const int32_t *start)
{
    words part[TOKENS];
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        sum[t][0] = words_all(start == NULL ? 0 : start[t]);
    }
    if (wide) {
        plane_sums(part, tokens, x, w->u[PLANES - 1], first, count);
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            sum[t][0] = ADD32(sum[t][0], LEFT4(PAIRS_OF_WORDS(part[t])));
        }
    }
    plane_sums(part, tokens, x, w->u[0], first, count);
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        sum[t][0] = ADD32(sum[t][0], PAIRS_OF_WORDS(part[t]));
    }
}

#endif

/* total[t][v] += sum[t][v], or factor where sum is NULL, * both scales. */
ALWAYS_INLINE void add_scaled(vec total[TOKENS][VECTORS], const int tokens, const float *factor,
                              words sum[TOKENS][VECTORS], const float *scales)
{
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        const vec d = vec_all(factor[t]);
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++) {
            const vec w = vec_load(scales + v * VEC);
            total[t][v] = sum == NULL
                              ? vec_fma(w, d, total[t][v])
                              : vec_fma(words_to_vec(sum[t][v]), vec_mul(w, d), total[t][v]);
        }
    }
}

/* y [tokens, PANEL] (+)= over count blocks. Always inlined with a constant number of tokens, so
 * that the sums stay in registers. */
ALWAYS_INLINE void int8_tile(const int tokens, const token_block *x, const panel_block *w,
                             int64_t count, float *y, const tile_kind is, bool acc)
{
    vec total[TOKENS][VECTORS];
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++) {
            total[t][v] = acc ? vec_load(y + t * INT8_PANEL + v * VEC) : vec_all(0);
        }
    }
    for (int64_t b = 0; b < count; b++, x++, w++) {
        words sum[TOKENS][VECTORS];
        if (is.halves) {
            block_sums(sum, tokens, x, w, 0, QUADS / 2, is.wide, x->start[0]);
            add_scaled(total, tokens, x->d, sum, w->d);
            block_sums(sum, tokens, x, w, QUADS / 2, QUADS / 2, is.wide, x->start[1]);
            add_scaled(total, tokens, x->d, sum, w->more);
        } else {
            block_sums(sum, tokens, x, w, 0, QUADS, is.wide, is.minimum ? NULL : x->start[0]);
            add_scaled(total, tokens, x->d, sum, w->d);
        }
        if (is.minimum) {
            add_scaled(total, tokens, x->sum, NULL, w->more);
        }
    }
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++) {
            vec_store(y + t * INT8_PANEL + v * VEC, total[t][v]);
        }
    }
}

ALWAYS_INLINE void tile_of_kind(int tokens, const token_block *x, const panel_block *w,
                                int64_t count, float *y, const tile_kind is, bool acc)
{
#define CASE(t)                                                                                    \
    case t:                                                                                        \
        int8_tile(t, x, w, count, y, is, acc);                                                     \
        break
    switch (tokens) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
#if defined(__AVX512F__)
        CASE(5);
        CASE(6);
#endif
    default:
        break;
    }
#undef CASE
}

/* Full groups of tokens and the last, smaller one. The kind is the same everywhere in a call, so
 * its versions are compiled apart. */
static void int8_tokens(int tokens, const token_block *x, const panel_block *w, int64_t count,
                        float *y, mdf_dtype type, bool acc)
{
    const block_type is = block_type_of(type);
    const bool wide = PLANES > 1 && is.wide;
    if (is.halves) {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){PLANES > 1, false, true}, acc);
    } else if (is.minimum && wide) {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){true, true, false}, acc);
    } else if (is.minimum) {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){false, true, false}, acc);
    } else if (wide) {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){true, false, false}, acc);
    } else {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){false, false, false}, acc);
    }
}

#endif
