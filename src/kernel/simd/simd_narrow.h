/* Floats to 16 and 8 bits, eight at a time: the same bits as kernel/ref/narrow.c. */
#ifndef MDF_KERNEL_SIMD_SIMD_NARROW_H
#define MDF_KERNEL_SIMD_SIMD_NARROW_H

#include <float.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/simd/vector.h"

enum { NARROW = 8, NARROW_BLOCK = 32, NARROW_BLOCK_BYTES = 34 };

static inline __m128i halves_of(__m256 x)
{
    return _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}

/* The upper halves, rounded; of NaN the upper half as it is, quiet. */
static inline __m128i bfloats_of(__m256 x)
{
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i upper = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i sum = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    const __m256i word = _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16), quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(word), _mm256_extracti128_si256(word, 1));
}

static void narrow_16(uint16_t *out, bool half, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + NARROW <= n; i += NARROW) {
        const __m256 v = _mm256_loadu_ps(x + i);
        _mm_storeu_si128((__m128i *)(out + i), half ? halves_of(v) : bfloats_of(v));
    }
    if (i < n) {
        float rest[NARROW] = {0};
        uint16_t word[NARROW];
        memcpy(rest, x + i, (size_t)(n - i) * sizeof *x);
        const __m256 v = _mm256_loadu_ps(rest);
        _mm_storeu_si128((__m128i *)word, half ? halves_of(v) : bfloats_of(v));
        memcpy(out + i, word, (size_t)(n - i) * sizeof *out);
    }
}

/* One block of Q8_0: d in half precision, then q [32]. */
static void narrow_block(uint8_t *out, const float *x)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 most = _mm256_setzero_ps();
    __m256 good = _mm256_cmp_ps(most, most, _CMP_EQ_OQ);
    for (int i = 0; i < NARROW_BLOCK; i += NARROW) {
        const __m256 size = _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i));
        good = _mm256_and_ps(good, _mm256_cmp_ps(size, _mm256_set1_ps(FLT_MAX), _CMP_LE_OQ));
        most = _mm256_max_ps(size, most);
    }
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    four = _mm_max_ss(four, _mm_movehdup_ps(four));
    four = _mm_div_ss(four, _mm_set_ss(127));
    uint16_t half = (uint16_t)_mm_cvtsi128_si32(_mm_cvtps_ph(four, _MM_FROUND_TO_NEAREST_INT));
    const bool finite = _mm256_movemask_ps(good) == 0xff && half < 0x7c00;
    half = finite ? half : 0x7e00;
    memcpy(out, &half, sizeof half);
    if (!finite || half == 0) {
        memset(out + 2, 0, NARROW_BLOCK);
        return;
    }
    const __m256 d = _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
    for (int i = 0; i < NARROW_BLOCK; i += NARROW) {
        const __m256i q = _mm256_cvtps_epi32(_mm256_div_ps(_mm256_loadu_ps(x + i), d));
        const __m128i word =
            _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
        const __m128i byte = _mm_packs_epi16(word, word);
        _mm_storel_epi64((__m128i *)(out + 2 + i), _mm_max_epi8(byte, _mm_set1_epi8(-127)));
    }
}

static void narrow(void *out, mdf_dtype type, const float *x, int64_t n)
{
    switch ((int)type) {
    case MDF_DTYPE_F32:
        memcpy(out, x, (size_t)n * sizeof *x);
        break;
    case MDF_DTYPE_Q8_0:
        for (int64_t i = 0; i < n / NARROW_BLOCK; i++) {
            narrow_block((uint8_t *)out + i * NARROW_BLOCK_BYTES, x + i * NARROW_BLOCK);
        }
        break;
    default:
        narrow_16(out, type == MDF_DTYPE_F16, x, n);
        break;
    }
}

#endif
