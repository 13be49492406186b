/* Activations rounded to eight bits: blocks of 32 with a scale each. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_QUANTISE_H
#define MDF_KERNEL_SIMD_WEIGHT_QUANTISE_H

#include <float.h>
#include <math.h>

#include "kernel/simd/words.h"

enum { BLOCK = 32 }; /* numbers that share a scale */

/* x ~ d * q, q in -127..127 */
typedef struct rounded {
    float d;
    int32_t sum; /* of q; 0 if a number is NaN or infinite, and so is d then */
} rounded;

/* Smaller numbers than this are taken for zero: 127 / x would overflow. */
#define ROUNDED_MIN 1e-30f

#if defined(__AVX512F__)

static inline rounded round_block(int8_t *q, const float *x)
{
    const __m512 a = _mm512_loadu_ps(x);
    const __m512 b = _mm512_loadu_ps(x + 16);
    const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
    const bool broken = _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q) != 0;
    const vec unit = vec_all(largest > ROUNDED_MIN ? 127.0f / largest : 0.0f);
    const __m512i i = _mm512_cvtps_epi32(_mm512_mul_ps(a, unit));
    const __m512i j = _mm512_cvtps_epi32(_mm512_mul_ps(b, unit));
    _mm_storeu_si128((__m128i *)q, _mm512_cvtsepi32_epi8(i));
    _mm_storeu_si128((__m128i *)(q + 16), _mm512_cvtsepi32_epi8(j));
    const float d = largest > ROUNDED_MIN ? largest * (1.0f / 127) : 0.0f;
    const bool finite = !broken && largest <= FLT_MAX;
    return (rounded){broken ? NAN : d,
                     finite ? _mm512_reduce_add_epi32(_mm512_add_epi32(i, j)) : 0};
}

#else

static inline __m256 magnitude(__m256 a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

static inline float largest_of(__m256 a)
{
    const __m128 half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
}

static inline int32_t sum_of(__m256i a)
{
    const __m128i half = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    const __m128i pair = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32(pair, 0xb1)));
}

static inline rounded round_block(int8_t *q, const float *x)
{
    __m256 a[4];
    __m256i i[4];
    for (int v = 0; v < 4; v++) {
        a[v] = _mm256_loadu_ps(x + 8 * v);
    }
    const __m256 top = _mm256_max_ps(magnitude(a[0]), magnitude(a[1]));
    const __m256 low = _mm256_max_ps(magnitude(a[2]), magnitude(a[3]));
    const float largest = largest_of(_mm256_max_ps(top, low));
    const __m256 nan = _mm256_or_ps(_mm256_cmp_ps(a[0], a[1], _CMP_UNORD_Q),
                                    _mm256_cmp_ps(a[2], a[3], _CMP_UNORD_Q));
    const vec unit = vec_all(largest > ROUNDED_MIN ? 127.0f / largest : 0.0f);
    for (int v = 0; v < 4; v++) {
        i[v] = _mm256_cvtps_epi32(_mm256_mul_ps(a[v], unit));
    }
    const __m256i bytes =
        _mm256_packs_epi16(_mm256_packs_epi32(i[0], i[1]), _mm256_packs_epi32(i[2], i[3]));
    /* packing works on halves: words of i[0], i[1], i[2], i[3] lower halves, then upper */
    _mm256_storeu_si256((__m256i *)q, _mm256_permutevar8x32_epi32(
                                          bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
    const float d = largest > ROUNDED_MIN ? largest * (1.0f / 127) : 0.0f;
    const int32_t sum =
        sum_of(_mm256_add_epi32(_mm256_add_epi32(i[0], i[1]), _mm256_add_epi32(i[2], i[3])));
    const bool broken = _mm256_movemask_ps(nan) != 0;
    return (rounded){broken ? NAN : d, !broken && largest <= FLT_MAX ? sum : 0};
}

#endif

/* Of the first 16 numbers. */
static inline int32_t sum_of_half(const int8_t *q)
{
    int32_t sum = 0;
    for (int i = 0; i < BLOCK / 2; i++) {
        sum += q[i];
    }
    return sum;
}

#endif
