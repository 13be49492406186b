/* A vector of 32-bit words, as wide as vector.h's floats, and the transposition that puts rows of
 * bytes side by side: what the products with frozen weights pack with. */
#ifndef MDF_KERNEL_SIMD_WORDS_H
#define MDF_KERNEL_SIMD_WORDS_H

#include <stdint.h>
#include <string.h>

#include "kernel/simd/vector.h"

#if defined(__AVX512F__)

typedef __m512i words;

static inline words words_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

static inline void words_store(void *p, words v)
{
    _mm512_storeu_si512(p, v);
}

static inline words words_all(int32_t x)
{
    return _mm512_set1_epi32(x);
}

static inline words words_and(words a, words b)
{
    return _mm512_and_si512(a, b);
}

static inline words words_xor(words a, words b)
{
    return _mm512_xor_si512(a, b);
}

static inline words words_right4(words a)
{
    return _mm512_srli_epi32(a, 4);
}

static inline vec words_to_vec(words a)
{
    return _mm512_cvtepi32_ps(a);
}

/* 16 bytes of each of four rows. */
static inline words words_of_rows(const uint8_t *const row[], int64_t at)
{
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(row[0] + at)));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(row[4] + at)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(row[8] + at)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(row[12] + at)), 3);
}

#define WORDS_LOW32(a, b)  _mm512_unpacklo_epi32(a, b)
#define WORDS_HIGH32(a, b) _mm512_unpackhi_epi32(a, b)
#define WORDS_LOW64(a, b)  _mm512_unpacklo_epi64(a, b)
#define WORDS_HIGH64(a, b) _mm512_unpackhi_epi64(a, b)

static inline vec vec_load_bytes(const uint8_t *p)
{
    return _mm512_loadu_ps(p);
}

/* VEC small integers. */
static inline vec vec_of_int8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

/* VEC half-precision numbers. */
static inline vec vec_of_halves(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

/* VEC bfloat16 numbers. */
static inline vec vec_of_bfloats(const uint8_t *p)
{
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline float vec_sum(vec a)
{
    return _mm512_reduce_add_ps(a);
}

#else

typedef __m256i words;

static inline words words_load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline void words_store(void *p, words v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

static inline words words_all(int32_t x)
{
    return _mm256_set1_epi32(x);
}

static inline words words_and(words a, words b)
{
    return _mm256_and_si256(a, b);
}

static inline words words_xor(words a, words b)
{
    return _mm256_xor_si256(a, b);
}

static inline words words_right4(words a)
{
    return _mm256_srli_epi32(a, 4);
}

static inline vec words_to_vec(words a)
{
    return _mm256_cvtepi32_ps(a);
}

/* 16 bytes of each of two rows. */
static inline words words_of_rows(const uint8_t *const row[], int64_t at)
{
    const __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(row[0] + at)));
    return _mm256_inserti128_si256(v, _mm_loadu_si128((const __m128i *)(row[4] + at)), 1);
}

#define WORDS_LOW32(a, b)  _mm256_unpacklo_epi32(a, b)
#define WORDS_HIGH32(a, b) _mm256_unpackhi_epi32(a, b)
#define WORDS_LOW64(a, b)  _mm256_unpacklo_epi64(a, b)
#define WORDS_HIGH64(a, b) _mm256_unpackhi_epi64(a, b)

static inline vec vec_load_bytes(const uint8_t *p)
{
    return _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)p));
}

/* VEC small integers. */
static inline vec vec_of_int8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

/* VEC half-precision numbers. */
static inline vec vec_of_halves(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

/* VEC bfloat16 numbers. */
static inline vec vec_of_bfloats(const uint8_t *p)
{
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

static inline float vec_sum(vec a)
{
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

#endif

static inline float half_at(const uint8_t *p)
{
    uint16_t half;
    memcpy(&half, p, sizeof half);
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
}

/* Four words of each of VEC rows: word[d] holds word d of row 0, of row 1, .. */
static inline void words_transpose(words word[4], const uint8_t *const row[], int64_t at)
{
    const words r0 = words_of_rows(row, at);
    const words r1 = words_of_rows(row + 1, at);
    const words r2 = words_of_rows(row + 2, at);
    const words r3 = words_of_rows(row + 3, at);
    const words low01 = WORDS_LOW32(r0, r1);
    const words low23 = WORDS_LOW32(r2, r3);
    const words high01 = WORDS_HIGH32(r0, r1);
    const words high23 = WORDS_HIGH32(r2, r3);
    word[0] = WORDS_LOW64(low01, low23);
    word[1] = WORDS_HIGH64(low01, low23);
    word[2] = WORDS_LOW64(high01, high23);
    word[3] = WORDS_HIGH64(high01, high23);
}

#endif
