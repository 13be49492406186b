/* Vectors as bits: comparisons and what is chosen by them, exponents, tables of eight, bytes. */
#ifndef MDF_KERNEL_SIMD_VECTOR_BITS_H
#define MDF_KERNEL_SIMD_VECTOR_BITS_H

#include "kernel/simd/words.h"

#if defined(__AVX512F__)

typedef __mmask16 vec_mask;

static inline vec vec_table(const float t[8])
{
    return _mm512_broadcast_f32x8(_mm256_loadu_ps(t));
}

/* Entry at & 7 of a table. */
static inline vec vec_lookup(vec table, words at)
{
    return _mm512_permutexvar_ps(at, table);
}

static inline words words_of_bytes(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}

static inline void words_to_bytes(uint8_t *p, words v)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(v));
}

static inline words words_of_bits(vec a)
{
    return _mm512_castps_si512(a);
}

static inline vec vec_of_bits(words a)
{
    return _mm512_castsi512_ps(a);
}

static inline words words_cut(vec a)
{
    return _mm512_cvttps_epi32(a);
}

static inline words words_add(words a, words b)
{
    return _mm512_add_epi32(a, b);
}

static inline words words_min(words a, words b)
{
    return _mm512_min_epi32(a, b);
}

static inline words words_sub(words a, words b)
{
    return _mm512_sub_epi32(a, b);
}

static inline words words_max(words a, words b)
{
    return _mm512_max_epi32(a, b);
}

static inline words words_shift(words a, words by)
{
    return _mm512_sllv_epi32(a, by);
}

static inline words words_exponent(words a)
{
    return _mm512_srli_epi32(a, 23);
}

/* The upper half of a, less `from` but not below 0, times f / 65536; all without a sign. */
static inline words words_line(words a, int from, int f)
{
    const __m512i up = _mm512_subs_epu16(_mm512_srli_epi32(a, 16), _mm512_set1_epi32(from));
    return _mm512_mulhi_epu16(up, _mm512_set1_epi32(f));
}

static inline vec_mask vec_at_most(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}

static inline vec_mask vec_below(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

static inline vec_mask mask_and(vec_mask a, vec_mask b)
{
    return a & b;
}

static inline vec vec_pick(vec_mask m, vec yes, vec no)
{
    return _mm512_mask_blend_ps(m, no, yes);
}

static inline vec vec_keep(vec_mask m, vec a)
{
    return _mm512_maskz_mov_ps(m, a);
}

/* One more where m is set. */
static inline words words_next(words a, vec_mask m)
{
    return _mm512_mask_add_epi32(a, m, a, _mm512_set1_epi32(1));
}

static inline words words_pick(vec_mask m, words yes, words no)
{
    return _mm512_mask_blend_epi32(m, no, yes);
}

static inline vec vec_div(vec a, vec b)
{
    return _mm512_div_ps(a, b);
}

static inline vec vec_sqrt(vec a)
{
    return _mm512_sqrt_ps(a);
}

#else

typedef __m256 vec_mask;

static inline vec vec_table(const float t[8])
{
    return _mm256_loadu_ps(t);
}

/* Entry at & 7 of a table. */
static inline vec vec_lookup(vec table, words at)
{
    return _mm256_permutevar8x32_ps(table, at);
}

static inline words words_of_bytes(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

static inline void words_to_bytes(uint8_t *p, words v)
{
    const __m128i half =
        _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(half, half));
}

static inline words words_of_bits(vec a)
{
    return _mm256_castps_si256(a);
}

static inline vec vec_of_bits(words a)
{
    return _mm256_castsi256_ps(a);
}

static inline words words_cut(vec a)
{
    return _mm256_cvttps_epi32(a);
}

static inline words words_add(words a, words b)
{
    return _mm256_add_epi32(a, b);
}

static inline words words_min(words a, words b)
{
    return _mm256_min_epi32(a, b);
}

static inline words words_sub(words a, words b)
{
    return _mm256_sub_epi32(a, b);
}

static inline words words_max(words a, words b)
{
    return _mm256_max_epi32(a, b);
}

static inline words words_shift(words a, words by)
{
    return _mm256_sllv_epi32(a, by);
}

static inline words words_exponent(words a)
{
    return _mm256_srli_epi32(a, 23);
}

/* The upper half of a, less `from` but not below 0, times f / 65536; all without a sign. */
static inline words words_line(words a, int from, int f)
{
    const __m256i up = _mm256_subs_epu16(_mm256_srli_epi32(a, 16), _mm256_set1_epi32(from));
    return _mm256_mulhi_epu16(up, _mm256_set1_epi32(f));
}

static inline vec_mask vec_at_most(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_LE_OQ);
}

static inline vec_mask vec_below(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}

static inline vec_mask mask_and(vec_mask a, vec_mask b)
{
    return _mm256_and_ps(a, b);
}

static inline vec vec_pick(vec_mask m, vec yes, vec no)
{
    return _mm256_blendv_ps(no, yes, m);
}

static inline vec vec_keep(vec_mask m, vec a)
{
    return _mm256_and_ps(m, a);
}

/* One more where m is set. */
static inline words words_next(words a, vec_mask m)
{
    return _mm256_sub_epi32(a, _mm256_castps_si256(m));
}

static inline words words_pick(vec_mask m, words yes, words no)
{
    return _mm256_blendv_epi8(no, yes, _mm256_castps_si256(m));
}

static inline vec vec_div(vec a, vec b)
{
    return _mm256_div_ps(a, b);
}

static inline vec vec_sqrt(vec a)
{
    return _mm256_sqrt_ps(a);
}

#endif

static inline vec vec_size(vec a)
{
    return vec_of_bits(words_and(words_of_bits(a), words_all(INT32_MAX)));
}

#endif
