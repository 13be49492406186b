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
enum { TOKENS = 6, VECTORS = 2, PLANES = 2 };
#else
enum { TOKENS = 4, VECTORS = 2, PLANES = 2 };
#endif
enum {
    INT8_PANEL = VECTORS * VEC,
    /* blocks: a panel's piece and a few tokens stay in the first-level cache */
    CHUNK = VEC * PLANES > 16 ? 8 : 16,
    QUADS = BLOCK / 4
};

/* One block of TOKENS rows of x. */
typedef struct token_block {
    float d[TOKENS];
    union {
        int32_t start[2][TOKENS]; /* what a lane starts with: factor * sum of q, or with halves two
                                     of them; without VNNI in two parts (weight_words.h) */
        float sum[TOKENS];        /* with minima: d * factor * sum of q */
    };
    int8_t q[TOKENS][BLOCK];
} token_block;

/* One block of PANEL rows of the weight. Without VNNI the bytes of Q8_0 are two planes of nibbles,
 * because 16 bits hold the sums of products with nibbles only. */
typedef struct panel_block {
    uint8_t u[PLANES][QUADS][VECTORS][VEC * 4];
    float d[INT8_PANEL];
    float more[INT8_PANEL]; /* scales of the second half, or minima, or nothing */
} panel_block;

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
            pack_quads(&out[j], of + v * VEC, j * BLOCK + 16 * half, v, (int)half * 4, false, false,
                       0);
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

/* What a tile is compiled for. Without VNNI: two planes of nibbles; in 16 bits half a block
 * twice. */
typedef struct tile_kind {
    bool planes, twice, minimum, halves;
} tile_kind;

#if defined(__AVX512VNNI__)

static inline void starts_of(int32_t *first, int32_t *second, const int8_t *q, int32_t sum,
                             const block_type is)
{
    const int32_t half = is.halves ? sum_of_half(q) : sum;
    *first = is.factor * half;
    *second = is.factor * (sum - half);
}

/* sum[t][v] = start[t] + integer sums of count quads. */
ALWAYS_INLINE void block_sums(words sum[TOKENS][VECTORS], const int tokens, const token_block *x,
                              const panel_block *w, const int first, const int count,
                              const int32_t *start)
{
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
            block_sums(sum, tokens, x, w, 0, QUADS / 2, x->start[0]);
            add_scaled(total, tokens, x->d, sum, w->d);
            block_sums(sum, tokens, x, w, QUADS / 2, QUADS / 2, x->start[1]);
            add_scaled(total, tokens, x->d, sum, w->more);
        } else {
            block_sums(sum, tokens, x, w, 0, QUADS, is.minimum ? NULL : x->start[0]);
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

#else
#include "kernel/simd/weight_words.h"
#endif

/* Where block at, the first of a chunk, of group g of TOKENS rows of x stands. The chunks of all
 * groups lie one behind the other, as they are read. */
static inline int64_t place_of_chunk(int64_t blocks, int64_t groups, int64_t g, int64_t at)
{
    return at * groups + g * (blocks - at < CHUNK ? blocks - at : CHUNK);
}

/* all = group g of the rows of x. */
static void round_tokens(token_block *all, int64_t groups, int64_t g, const float *x, int64_t rows,
                         int64_t k, mdf_dtype type)
{
    const block_type is = block_type_of(type);
    token_block *out = all;
    for (int64_t b = 0; b < k / BLOCK; b++, out++) {
        if (b % CHUNK == 0) {
            out = all + place_of_chunk(k / BLOCK, groups, g, b);
        }
        for (int64_t t = 0; t < rows; t++) {
            const rounded r = round_block(out->q[t], x + t * k + b * BLOCK);
            out->d[t] = r.d;
            if (is.minimum) {
                out->sum[t] = r.d * (float)(is.factor * r.sum);
            } else {
                starts_of(&out->start[0][t], &out->start[1][t], out->q[t], r.sum, is);
            }
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
    const bool planes = PLANES > 1 && type == MDF_DTYPE_Q8_0;
    const bool twice = PLANES > 1 && is.wide;
    if (is.halves) {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){.halves = true}, acc);
    } else if (is.minimum && twice) {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){.twice = true, .minimum = true}, acc);
    } else if (is.minimum) {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){.minimum = true}, acc);
    } else if (planes) {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){.planes = true}, acc);
    } else {
        tile_of_kind(tokens, x, w, count, y, (tile_kind){.planes = false}, acc);
    }
}

#endif
