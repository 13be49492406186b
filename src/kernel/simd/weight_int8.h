/* Products of many rows of x with a Q8_0 or Q4_0 weight, in eight-bit integers.
 *
 * x is rounded once per call to blocks of 32 with a scale each, TOKENS rows side by side. The
 * weight's rows are repacked on the way, PANEL rows by CHUNK blocks at a time: four consecutive
 * numbers of a row, of the next row, .., as unsigned bytes u = q + offset, so that one instruction
 * multiplies and adds four numbers of VEC rows with four numbers of a row of x. sum (u - offset) x
 * = sum u x - offset sum x; the last term is where the integer sum starts. A block's integer sum
 * is exact; it is scaled by both scales and added in float. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_INT8_H
#define MDF_KERNEL_SIMD_WEIGHT_INT8_H

#include "kernel/simd/weight_quantise.h"

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
    int32_t start[TOKENS]; /* - offset * sum of q */
    int8_t q[TOKENS][BLOCK];
} token_block;

/* One block of PANEL rows of the weight. Without VNNI the bytes of Q8_0 are two planes of nibbles,
 * because 16 bits hold the sums of products with nibbles only. */
typedef struct panel_block {
    uint8_t u[PLANES][QUADS][VECTORS][VEC * 4];
    float d[INT8_PANEL];
} panel_block;

static void round_tokens(token_block *out, const float *x, int64_t rows, int64_t k, int32_t offset)
{
    for (int64_t b = 0; b < k / BLOCK; b++) {
        for (int64_t t = 0; t < rows; t++) {
            const rounded r = round_block(out[b].q[t], x + t * k + b * BLOCK);
            out[b].d[t] = r.d;
            out[b].start[t] = -offset * r.sum;
        }
    }
}

/* Four quads of Q8_0's bytes, or two times four of Q4_0's nibbles. */
static inline void pack_quads(panel_block *out, const uint8_t *const row[], int64_t at, int v,
                              int first, bool wide)
{
    const words low = words_all(0x0f0f0f0f);
    words word[4];
    words_transpose(word, row, at);
    for (int d = 0; d < 4; d++) {
        const words upper = words_and(words_right4(word[d]), low);
        const words lower = words_and(word[d], low);
        if (!wide) {
            words_store(out->u[0][d][v], lower);
            words_store(out->u[0][d + 4][v], upper);
        } else if (PLANES == 1) {
            words_store(out->u[0][first + d][v], words_xor(word[d], words_all(-0x7f7f7f80)));
        } else {
            words_store(out->u[0][first + d][v], lower);
            words_store(out->u[PLANES - 1][first + d][v], words_xor(upper, words_all(0x08080808)));
        }
    }
}

/* row: PANEL pointers to the first of count blocks of each row. */
static void pack_panel(panel_block *out, const uint8_t *const row[], int64_t count, bool wide)
{
    const int64_t step = wide ? 34 : 18;
    uint16_t scale[CHUNK][INT8_PANEL];
    for (int r = 0; r < INT8_PANEL; r++) {
        for (int64_t b = 0; b < count; b++) {
            memcpy(&scale[b][r], row[r] + b * step, sizeof scale[b][r]);
        }
    }
    for (int64_t b = 0; b < count; b++) {
        for (int v = 0; v < VECTORS; v++) {
            pack_quads(&out[b], row + v * VEC, b * step + 2, v, 0, wide);
            if (wide) {
                pack_quads(&out[b], row + v * VEC, b * step + 18, v, 4, wide);
            }
            vec_store(out[b].d + v * VEC, vec_of_halves((const uint8_t *)(scale[b] + v * VEC)));
        }
    }
}

static inline words words_broadcast(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return words_all(four);
}

#if defined(__AVX512VNNI__)

/* sum[t][v] = integer sums of one block. */
__attribute__((always_inline)) static inline void block_sums(words sum[TOKENS][VECTORS],
                                                             const int tokens, const token_block *x,
                                                             const panel_block *w, const bool wide)
{
    (void)wide;
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        sum[t][0] = sum[t][1] = words_all(x->start[t]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < QUADS; i++) {
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
__attribute__((always_inline)) static inline void
plane_sums(words sum[TOKENS], const int tokens, const token_block *x,
           const uint8_t u[QUADS][VECTORS][VEC * 4])
{
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        sum[t] = words_all(0);
    }
#pragma GCC unroll 1 /* else the compiler loads all of x first, and has no registers left */
    for (int i = 0; i < QUADS; i++) {
        const words w = words_load(u[i][0]);
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            const words q = words_broadcast(x->q[t] + 4 * i);
            sum[t] = ADD16(sum[t], PAIRS_OF_BYTES(w, q));
        }
    }
}

/* sum[t][0] = integer sums of one block. */
__attribute__((always_inline)) static inline void block_sums(words sum[TOKENS][VECTORS],
                                                             const int tokens, const token_block *x,
                                                             const panel_block *w, const bool wide)
{
    words part[TOKENS];
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        sum[t][0] = words_all(x->start[t]);
    }
    if (wide) {
        plane_sums(part, tokens, x, w->u[PLANES - 1]);
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            sum[t][0] = ADD32(sum[t][0], LEFT4(PAIRS_OF_WORDS(part[t])));
        }
    }
    plane_sums(part, tokens, x, w->u[0]);
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        sum[t][0] = ADD32(sum[t][0], PAIRS_OF_WORDS(part[t]));
    }
}

#endif

/* y [tokens, PANEL] (+)= over count blocks. Always inlined with a constant number of tokens, so
 * that the sums stay in registers. */
__attribute__((always_inline)) static inline void int8_tile(const int tokens, const token_block *x,
                                                            const panel_block *w, int64_t count,
                                                            float *y, const bool wide, bool acc)
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
        block_sums(sum, tokens, x, w, wide);
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            const vec d = vec_all(x->d[t]);
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++) {
                const vec scale = vec_mul(vec_load(w->d + v * VEC), d);
                total[t][v] = vec_fma(words_to_vec(sum[t][v]), scale, total[t][v]);
            }
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

/* Full groups of tokens and the last, smaller one; wide is the same everywhere in a call, so its
 * two versions are compiled apart where it matters. */
static void int8_tokens(int tokens, const token_block *x, const panel_block *w, int64_t count,
                        float *y, bool wide, bool acc)
{
#define CASE(t)                                                                                    \
    case t:                                                                                        \
        if (PLANES > 1 && wide) {                                                                  \
            int8_tile(t, x, w, count, y, true, acc);                                               \
        } else {                                                                                   \
            int8_tile(t, x, w, count, y, false, acc);                                              \
        }                                                                                          \
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

#endif
