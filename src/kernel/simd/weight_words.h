/* The tile of products in eight-bit integers without VNNI. Two products of bytes make a 16-bit
 * number, and these add up in 16 bits over a block, for they only wrap on the way: what a lane
 * starts with is factor * its part of the sum of x, so a lane of 16 numbers ends within 16 * 16 *
 * 127 = 32512 (Q5_0; Q4_0 half of it), one of 8 within 8 * 32 * 127 = 32512 (Q6_K). With minima
 * there is no start: 16 * 15 * 127 = 30480 fits (Q4_1, Q4_K), of five bits half a block, 8 * 31 *
 * 127 (Q5_1, Q5_K). Bytes of Q8_0 are two planes of nibbles. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_WORDS_H
#define MDF_KERNEL_SIMD_WEIGHT_WORDS_H

#include "kernel/simd/weight_types.h"

#if defined(__AVX512F__)
#define PAIRS_OF_BYTES(u, s)  _mm512_maddubs_epi16(u, s)
#define PAIRS_OF_WORDS(a, by) _mm512_madd_epi16(a, _mm512_set1_epi16(by))
#define ADD16(a, b)           _mm512_add_epi16(a, b)
#define ADD32(a, b)           _mm512_add_epi32(a, b)
#else
#define PAIRS_OF_BYTES(u, s)  _mm256_maddubs_epi16(u, s)
#define PAIRS_OF_WORDS(a, by) _mm256_madd_epi16(a, _mm256_set1_epi16(by))
#define ADD16(a, b)           _mm256_add_epi16(a, b)
#define ADD32(a, b)           _mm256_add_epi32(a, b)
#endif

/* factor * the sum of q[0], q[1], q[4], q[5], .. in the lower 16 bits, of the others above. */
static inline int32_t start_of(__m128i sums, int factor)
{
    const __m128i two = _mm_add_epi16(sums, _mm_shuffle_epi32(sums, 0x4e));
    const __m128i one = _mm_add_epi16(two, _mm_shuffle_epi32(two, 0xb1));
    return _mm_cvtsi128_si32(_mm_mullo_epi16(one, _mm_set1_epi16((short)factor)));
}

/* What the lanes of a block start with; with halves of each. */
static inline void starts_of(int32_t *first, int32_t *second, const int8_t *q, int32_t sum,
                             const block_type is)
{
    (void)sum;
    const int factor = is.factor == -128 ? -8 : is.factor; /* of the upper nibbles */
    const __m256i sums =
        _mm256_maddubs_epi16(_mm256_set1_epi8(1), _mm256_loadu_si256((const __m256i *)q));
    const __m128i low = _mm256_castsi256_si128(sums);
    const __m128i high = _mm256_extracti128_si256(sums, 1);
    *first = start_of(is.halves ? low : _mm_add_epi16(low, high), factor);
    *second = start_of(high, factor);
}

/* a + b in 16 bits. A compiler would put additions off until it has no registers left. */
ALWAYS_INLINE words added_now(words a, words b)
{
    words sum = ADD16(a, b);
    __asm__("" : "+v"(sum));
    return sum;
}

/* sum[t] = start[t] + the sums of count quads with the vectors at a and at b; planes: the start is
 * that of b alone. */
ALWAYS_INLINE void word_sums(words sum[TOKENS][2], const int tokens, const token_block *x,
                             const uint8_t *a, const uint8_t *b, const int first, const int count,
                             const int32_t *start, const bool planes)
{
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        sum[t][1] = words_all(start == NULL ? 0 : start[t]);
        sum[t][0] = planes ? words_all(0) : sum[t][1];
    }
#pragma GCC unroll 8
    for (int i = first; i < first + count; i++) {
        const words u0 = words_load(a + i * VECTORS * VEC * 4);
        const words u1 = words_load(b + i * VECTORS * VEC * 4);
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            const words q = words_broadcast(x->q[t] + 4 * i);
            sum[t][0] = added_now(sum[t][0], PAIRS_OF_BYTES(u0, q));
            sum[t][1] = added_now(sum[t][1], PAIRS_OF_BYTES(u1, q));
        }
    }
}

/* y [tokens, PANEL] += sum[t][v] * both scales. These sums stay in memory: the registers are taken.
 */
ALWAYS_INLINE void add_words(float *y, const int tokens, const int vectors, const float *factor,
                             words sum[TOKENS][2], const float *scales)
{
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        const vec d = vec_all(factor[t]);
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            float *to = y + t * INT8_PANEL + v * VEC;
            const vec both = vec_mul(d, vec_load(scales + v * VEC));
            vec_store(to, vec_fma(words_to_vec(sum[t][v]), both, vec_load(to)));
        }
    }
}

/* One block, sum[t][v] in 32 bits. */
ALWAYS_INLINE void add_block(float *y, const int tokens, const int vectors, const token_block *x,
                             const panel_block *w, const int at, const tile_kind is)
{
    words sum[TOKENS][2];
    words more[TOKENS][2];
    const uint8_t *a = w->u[0][0][at];
    const uint8_t *b = is.planes ? w->u[PLANES - 1][0][at] : w->u[0][0][VECTORS - 1];
    const int count = is.halves || is.twice ? QUADS / 2 : QUADS;
    word_sums(sum, tokens, x, a, b, 0, count, is.minimum ? NULL : x->start[0], is.planes);
#pragma GCC unroll 6
    for (int t = 0; t < tokens; t++) {
        if (is.planes) {
            sum[t][0] = ADD32(PAIRS_OF_WORDS(sum[t][0], 1), PAIRS_OF_WORDS(sum[t][1], 16));
        } else {
            sum[t][0] = PAIRS_OF_WORDS(sum[t][0], 1);
            sum[t][1] = PAIRS_OF_WORDS(sum[t][1], 1);
        }
    }
    if (is.halves) {
        add_words(y, tokens, vectors, x->d, sum, w->d);
    }
    if (is.halves || is.twice) {
        word_sums(more, tokens, x, a, b, count, count, is.minimum ? NULL : x->start[1], false);
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            more[t][0] = PAIRS_OF_WORDS(more[t][0], 1);
            more[t][1] = PAIRS_OF_WORDS(more[t][1], 1);
            if (is.twice) {
                sum[t][0] = ADD32(sum[t][0], more[t][0]);
                sum[t][1] = ADD32(sum[t][1], more[t][1]);
            }
        }
    }
    if (is.halves) {
        add_words(y, tokens, vectors, x->d, more, w->more);
    } else {
        add_words(y, tokens, vectors, x->d, sum, w->d + at * VEC);
    }
    if (is.minimum) {
#pragma GCC unroll 6
        for (int t = 0; t < tokens; t++) {
            const vec s = vec_all(x->sum[t]);
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++) {
                float *to = y + t * INT8_PANEL + v * VEC;
                vec_store(to, vec_fma(vec_load(w->more + v * VEC), s, vec_load(to)));
            }
        }
    }
}

/* y [tokens, PANEL] (+)= over count blocks. Always inlined with a constant number of tokens, so
 * that the sums stay in registers: of two vectors or of two planes. */
ALWAYS_INLINE void int8_tile(const int tokens, const token_block *x, const panel_block *w,
                             int64_t count, float *y, const tile_kind is, bool acc)
{
    if (!acc) {
        memset(y, 0, (size_t)(tokens * INT8_PANEL) * sizeof *y);
    }
    for (int at = 0; at < (is.planes ? 2 : 1); at++) {
        for (int64_t b = 0; b < count; b++) {
            add_block(y + at * VEC, tokens, is.planes ? 1 : VECTORS, x + b, w + b, at, is);
        }
    }
}

#endif
