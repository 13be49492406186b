/* 2^x of a vector, for softmax. */
#ifndef MDF_KERNEL_SIMD_SIMD_EXP2_H
#define MDF_KERNEL_SIMD_SIMD_EXP2_H

#include "kernel/simd/vector.h"

/* x = n + j / VEC + f, |f| <= 1 / (2 VEC): a table of 2^(j/VEC), in a register, times a polynomial
 * of f, 2^n by the exponent field. Adding SHIFTER rounds x to a multiple of 1 / VEC and leaves
 * n VEC + j in the low bits. */
#if defined(__AVX512F__)
enum { EXP2_BITS = 19 };       /* from there to the exponent field: 23 - log2(VEC) */
#define EXP2_SHIFTER 786432.0f /* 1.5 * 2^19 */
#else
enum { EXP2_BITS = 20 };
#define EXP2_SHIFTER 1572864.0f
#endif
#define EXP2_LEAST (-126.0f) /* below that the result is 0: less than 1.2e-38 is lost */

#if defined(__AVX512F__)

typedef __m512i exp2_table;

/* The bits of 2^(j/16), less j where the rounded x will add it. */
static inline exp2_table exp2_table_make(void)
{
    const __m512 power =
        _mm512_setr_ps(1.0f, 1.04427378f, 1.09050773f, 1.13878863f, 1.18920712f, 1.24185781f,
                       1.29683955f, 1.35425555f, 1.41421356f, 1.47682615f, 1.54221083f, 1.61049033f,
                       1.68179283f, 1.75625216f, 1.83400809f, 1.91520656f);
    const __m512i j = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_sub_epi32(_mm512_castps_si512(power), _mm512_slli_epi32(j, EXP2_BITS));
}

/* 2^(n + j/16) for x + EXP2_SHIFTER. */
static inline vec exp2_power(exp2_table table, vec shifted)
{
    const __m512i bits = _mm512_castps_si512(shifted);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_permutexvar_epi32(bits, table),
                                                _mm512_slli_epi32(bits, EXP2_BITS)));
}

/* y, or 0 where x < least; NaN stays. */
static inline vec vec_keep_from(vec x, vec least, vec y)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, least, _CMP_NLT_UQ), y);
}

#else

typedef __m256i exp2_table;

static inline exp2_table exp2_table_make(void)
{
    const __m256 power = _mm256_setr_ps(1.0f, 1.09050773f, 1.18920712f, 1.29683955f, 1.41421356f,
                                        1.54221083f, 1.68179283f, 1.83400809f);
    const __m256i j = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_sub_epi32(_mm256_castps_si256(power), _mm256_slli_epi32(j, EXP2_BITS));
}

static inline vec exp2_power(exp2_table table, vec shifted)
{
    const __m256i bits = _mm256_castps_si256(shifted);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_permutevar8x32_epi32(table, bits),
                                                _mm256_slli_epi32(bits, EXP2_BITS)));
}

static inline vec vec_keep_from(vec x, vec least, vec y)
{
    return _mm256_and_ps(_mm256_cmp_ps(x, least, _CMP_NLT_UQ), y);
}

#endif

/* For x <= 0, to about 1 ulp. -INFINITY gives 0, NaN stays NaN. */
static inline vec vec_exp2(exp2_table table, vec x)
{
    const vec shifted = vec_add(x, vec_all(EXP2_SHIFTER));
    const vec f = vec_sub(x, vec_sub(shifted, vec_all(EXP2_SHIFTER)));
    const vec power = exp2_power(table, shifted);
    /* 2^f - 1 = f (ln 2 + ..), minimax for |f| <= 1/16: 3e-8 */
    const vec p = vec_fma(vec_fma(vec_all(0.0554962195f), f, vec_all(0.240257636f)), f,
                          vec_all(0.693147242f));
    return vec_keep_from(x, vec_all(EXP2_LEAST), vec_fma(vec_mul(power, f), p, power));
}

#endif
