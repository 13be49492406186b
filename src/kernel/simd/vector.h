/* One vector of floats of the instruction set that the including file is built for. The intrinsics
 * are always inlined, so nothing of them can be linked into code for another CPU. */
#ifndef MDF_KERNEL_SIMD_VECTOR_H
#define MDF_KERNEL_SIMD_VECTOR_H

#include <immintrin.h>

#if defined(__AVX512F__)

typedef __m512 vec;
enum { VEC = 16, ROWS_MAX = 12 }; /* 12 x 2 accumulators of 32 registers */

static inline vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vec_store(float *p, vec v)
{
    _mm512_storeu_ps(p, v);
}

/* The first n < VEC numbers; the others are zero, or stay in memory. */
static inline vec vec_load_part(const float *p, int n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

static inline void vec_store_part(float *p, int n, vec v)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}

static inline vec vec_all(float x)
{
    return _mm512_set1_ps(x);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

/* a b + c and c - a b */
static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vec vec_fnma(vec a, vec b, vec c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

/* The larger ones; b where a is NaN. */
static inline vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}

/* The smaller ones; b where a is NaN. */
static inline vec vec_min(vec a, vec b)
{
    return _mm512_min_ps(a, b);
}

#else

typedef __m256 vec;
enum { VEC = 8, ROWS_MAX = 6 }; /* 6 x 2 accumulators of 16 registers */

static inline vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void vec_store(float *p, vec v)
{
    _mm256_storeu_ps(p, v);
}

static inline __m256i vec_lanes(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The first n < VEC numbers; the others are zero, or stay in memory. */
static inline vec vec_load_part(const float *p, int n)
{
    return _mm256_maskload_ps(p, vec_lanes(n));
}

static inline void vec_store_part(float *p, int n, vec v)
{
    _mm256_maskstore_ps(p, vec_lanes(n), v);
}

static inline vec vec_all(float x)
{
    return _mm256_set1_ps(x);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}

/* a b + c and c - a b */
static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vec vec_fnma(vec a, vec b, vec c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

/* The larger ones; b where a is NaN. */
static inline vec vec_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}

/* The smaller ones; b where a is NaN. */
static inline vec vec_min(vec a, vec b)
{
    return _mm256_min_ps(a, b);
}

#endif

#endif
