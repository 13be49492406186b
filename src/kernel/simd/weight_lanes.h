/* Eight blocks of a row of the weight at a time, for AVX-512-VNNI: Q4_0 and Q8_0, whose blocks take
 * turns over the lanes of a register. Their numbers and scales are gathered in pieces of 16 bits,
 * each register from two loads of 64 bytes. Fewer instructions than a load for every block, and the
 * products of all numbers of a block add up in the same lanes. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_LANES_H
#define MDF_KERNEL_SIMD_WEIGHT_LANES_H

#include "kernel/simd/weight_types.h"

/* A step of x: the numbers in the order of the weight's, then the scales of the blocks, then what a
 * lane starts with: its share of factor * sum of q. */
enum {
    STEP_BLOCKS = 8,
    STEP_NUMBERS = STEP_BLOCKS * BLOCK,
    STEP_BYTES = STEP_NUMBERS + STEP_BLOCKS * (int)(sizeof(float) + sizeof(int32_t))
};

ALWAYS_INLINE bool goes_by_lanes(const block_type is)
{
    return is.bytes == 18 || is.bytes == 34; /* Q4_0, Q8_0 */
}

/* Where numbers 4 piece .. 4 piece + 3 of block i of a step stand.
 * Q4_0: lanes i and i + 8 belong to block i. Of its 16 bytes, the first eight are in registers 0
 * (lower nibbles) and 1, the last eight in 2 and 3; in blocks 4 to 7 the other way round.
 * Q8_0: four blocks in registers 0 and 1, four in 2 and 3. Four lanes belong to a block, and the
 * halves of its second block have changed places. No two loads have all numbers of a register
 * otherwise.
 * Q4_0 in half a step: lanes as in Q8_0, lower nibbles in register 0, upper ones in 1. */
ALWAYS_INLINE int place_of_piece(const block_type is, int i, int piece, bool half)
{
    if (is.bytes == 18 && half) {
        return 64 * (piece / 4) + 4 * (i + piece % 4 * 4);
    }
    if (is.bytes == 18) {
        return 64 * (2 * ((piece / 2 % 2) ^ (i / 4)) + piece / 4) + 4 * (i + piece % 2 * 8);
    }
    return 64 * (2 * (i / 4) + (piece / 4 ^ (i % 4 == 1))) + 4 * (i % 4 + piece % 4 * 4);
}

/* The lanes of a block in a register that sums up. */
ALWAYS_INLINE int lanes_of_block(const block_type is, bool half)
{
    return is.bytes == 18 && !half ? 2 : 4;
}

/* Whether the blocks that are left at the end of a row go in half a step. */
ALWAYS_INLINE bool is_half_step(int64_t left)
{
    return left <= STEP_BLOCKS / 2;
}

/* A macro of a lane for all lanes. */
#define LANES(F)                                                                                   \
    {                                                                                              \
        F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7), F(8), F(9), F(10), F(11), F(12), F(13),    \
            F(14), F(15)                                                                           \
    }
/* Word w of the file, where the two loads begin at words a and b. */
#define FOUND(w, a, b)     (int16_t)((w) < (a) + 32 ? (w) - (a) : (w) - (b) + 32)
#define TWO_FOUND(w, a, b) FOUND(w, a, b), FOUND((w) + 1, a, b)

/* Q4_0: block i begins at word 9 i. */
#define Q4_SCALE(i)  FOUND(9 * ((i) % 8), 0, 36)
#define Q4_FIRST(i)  TWO_FOUND(9 * ((i) % 8) + 1 + (i) % 8 / 4 * 4 + (i) / 8 * 2, 0, 40)
#define Q4_SECOND(i) TWO_FOUND(9 * ((i) % 8) + 5 - (i) % 8 / 4 * 4 + (i) / 8 * 2, 4, 36)

static const int16_t q4_places[3][32] = {LANES(Q4_SCALE), LANES(Q4_FIRST), LANES(Q4_SECOND)};

#define Q4_HALF_SCALE(i)   FOUND(9 * ((i) % 4), 0, 4)
#define Q4_HALF_NUMBERS(i) TWO_FOUND(9 * ((i) % 4) + 1 + (i) / 4 * 2, 0, 4)

static const int16_t q4_half_places[2][32] = {LANES(Q4_HALF_SCALE), LANES(Q4_HALF_NUMBERS)};

/* Q8_0: block i begins at word 17 i. */
#define Q8_TURN(i)   ((i) % 4 == 1 ? 8 : 0)
#define Q8_SCALE(i)  FOUND(17 * ((i) % 4), 0, 32)
#define Q8_FIRST(i)  TWO_FOUND(17 * ((i) % 4) + 1 + Q8_TURN(i) + (i) / 4 * 2, 0, 32)
#define Q8_SECOND(i) TWO_FOUND(17 * ((i) % 4) + 9 - Q8_TURN(i) + (i) / 4 * 2, 0, 36)

static const int16_t q8_places[3][32] = {LANES(Q8_SCALE), LANES(Q8_FIRST), LANES(Q8_SECOND)};

/* 64 bytes, loaded once: a compiler would load them again for every use, but most of these loads
 * cross a line of the cache and cost double. */
ALWAYS_INLINE __m512i load64_once(const uint8_t *p)
{
    __m512i a = _mm512_loadu_si512(p);
    __asm__("" : "+v"(a));
    return a;
}

ALWAYS_INLINE __m512i gathered(__m512i a, const int16_t place[32], __m512i b)
{
    return _mm512_permutex2var_epi16(a, _mm512_loadu_si512(place), b);
}

/* The first count of eight scales. Those of missing blocks are anything in the file, and x is zero
 * there. */
ALWAYS_INLINE __m256 gathered_scales(__m512i a, const int16_t place[32], __m512i b, int64_t count)
{
    const __m256 d = _mm256_cvtph_ps(_mm512_castsi512_si128(gathered(a, place, b)));
    return count >= STEP_BLOCKS ? d : _mm256_maskz_mov_ps((__mmask8)((1U << count) - 1), d);
}

/* The scales of x's step in the lanes of blocks first.. */
ALWAYS_INLINE __m512 scales_by_lanes(__m256 d, const int8_t *x, const int first)
{
    const float *s = (const float *)(const void *)(x + STEP_NUMBERS);
    __m256 product;
    if (first == 0) {
        product = _mm256_mul_ps(d, _mm256_loadu_ps(s));
    } else {
        product =
            _mm256_castps128_ps256(_mm_mul_ps(_mm256_castps256_ps128(d), _mm_loadu_ps(s + first)));
    }
    return _mm512_castps256_ps512(product);
}

/* sum[t] += the first count of eight blocks at p * x[t]'s step. */
ALWAYS_INLINE void q4_step(vec sum[], const int tokens, const uint8_t *p, const int8_t *const x[],
                           const int64_t from, int64_t count)
{
    const __m512i mask = _mm512_set1_epi8(15);
    const __m512i a = load64_once(p);
    const __m512i c = load64_once(p + 72);
    const __m512i w0 = gathered(a, q4_places[1], load64_once(p + 80));
    const __m512i w1 = gathered(load64_once(p + 8), q4_places[2], c);
    const __m256 d8 = gathered_scales(a, q4_places[0], c, count);
    const __m512i u0 = _mm512_and_si512(w0, mask);
    const __m512i u1 = _mm512_and_si512(_mm512_srli_epi16(w0, 4), mask);
    const __m512i u2 = _mm512_and_si512(w1, mask);
    const __m512i u3 = _mm512_and_si512(_mm512_srli_epi16(w1, 4), mask);
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const int8_t *q = x[t] + from;
        const __m512 d = scales_by_lanes(d8, q, 0);
        __m512i i = _mm512_broadcast_i32x8(
            load32((const uint8_t *)q + STEP_NUMBERS + STEP_BLOCKS * sizeof(float)));
        i = _mm512_dpbusd_epi32(i, u0, words_load(q));
        i = _mm512_dpbusd_epi32(i, u1, words_load(q + 64));
        i = _mm512_dpbusd_epi32(i, u2, words_load(q + 128));
        i = _mm512_dpbusd_epi32(i, u3, words_load(q + 192));
        sum[t] = vec_fma(words_to_vec(i), _mm512_shuffle_f32x4(d, d, 0x44), sum[t]);
    }
}

/* sum + the weight's four blocks, numbers u0 and u1, scales d, * blocks first.. of x's step. */
ALWAYS_INLINE vec half_step(vec sum, __m512i u0, __m512i u1, __m256 d, const int8_t *step,
                            const int first)
{
    const uint8_t *start = (const uint8_t *)step + STEP_NUMBERS + STEP_BLOCKS * sizeof(float);
    const int8_t *q = step + BLOCK * first;
    const __m512 both = scales_by_lanes(d, step, first);
    __m512i i = _mm512_broadcast_i32x4(load16(start + 4 * (size_t)first));
    i = _mm512_dpbusd_epi32(i, u0, words_load(q));
    i = _mm512_dpbusd_epi32(i, u1, words_load(q + 64));
    return vec_fma(words_to_vec(i), _mm512_shuffle_f32x4(both, both, 0x00), sum);
}

/* The same as q4_step with four blocks at most, at the end of a row. */
ALWAYS_INLINE void q4_half_step(vec sum[], const int tokens, const uint8_t *p,
                                const int8_t *const x[], const int64_t from, int64_t count)
{
    const __m512i mask = _mm512_set1_epi8(15);
    const __m512i a = load64_once(p);
    const __m512i b = load64_once(p + 8);
    const __m256 d = gathered_scales(a, q4_half_places[0], b, count);
    const __m512i w = gathered(a, q4_half_places[1], b);
    const __m512i u0 = _mm512_and_si512(w, mask);
    const __m512i u1 = _mm512_and_si512(_mm512_srli_epi16(w, 4), mask);
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        sum[t] = half_step(sum[t], u0, u1, d, x[t] + from, 0);
    }
}

/* The same with four blocks of Q8_0, first.. of a step. */
ALWAYS_INLINE void q8_half_step(vec sum[], const int tokens, const uint8_t *p,
                                const int8_t *const x[], const int64_t from, const int first,
                                int64_t count)
{
    const __m512i sign = _mm512_set1_epi8(-128);
    const __m512i a = load64_once(p);
    const __m512i b = load64_once(p + 64);
    const __m256 d4 = gathered_scales(a, q8_places[0], b, count);
    const __m512i u0 = _mm512_xor_si512(gathered(a, q8_places[1], b), sign);
    const __m512i u1 = _mm512_xor_si512(gathered(a, q8_places[2], load64_once(p + 72)), sign);
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        sum[t] = half_step(sum[t], u0, u1, d4, x[t] + from, first);
    }
}

#endif
