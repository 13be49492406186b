/* bfloat16 weights that lose nothing: the same bits as kernel/ref/bf16.c. */
#ifndef MDF_KERNEL_SIMD_SIMD_BF16_H
#define MDF_KERNEL_SIMD_SIMD_BF16_H

#include "kernel/kernel.h"

typedef union float_bits {
    float f;
    uint32_t u;
} float_bits;

static inline uint32_t bits_of_float(float x)
{
    const float_bits b = {.f = x};
    return b.u;
}

static inline float float_of_bits(uint32_t u)
{
    const float_bits b = {.u = u};
    return b.f;
}

static void bf16_widen(float *x, const uint16_t *h, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        x[i] = float_of_bits((uint32_t)h[i] << 16);
    }
}

/* As noise() of the reference. */
static inline uint32_t rounding_noise(uint32_t low, uint32_t high, uint32_t i)
{
    uint32_t h = i * 0x9e3779b1U ^ low;
    h = (h ^ h >> 16) * 0x7feb352dU;
    h = (h ^ h >> 15) + high;
    h = (h ^ h >> 16) * 0x846ca68bU;
    return (h ^ h >> 15) * 0x2c1b3c6dU >> 16;
}

static void bf16_stochastic(uint16_t *h, const float *x, int64_t n, uint64_t key, uint64_t first)
{
    const uint32_t low = (uint32_t)key;
    const uint32_t high = (uint32_t)(key >> 32);
    const uint32_t from = (uint32_t)first;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of_float(x[i]);
        const uint32_t sum = bits + rounding_noise(low, high, from + (uint32_t)i);
        h[i] = (uint16_t)(x[i] != x[i] ? bits >> 16 | 0x40U : sum >> 16);
    }
}

static void bf16_split(uint16_t *h, int16_t *rest, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = x[i] != x[i] ? 0x7fc00000U : bits_of_float(x[i]);
        h[i] = (uint16_t)((bits + 0x8000U) >> 16);
        rest[i] = (int16_t)bits;
    }
}

static void bf16_join(float *x, const uint16_t *h, const int16_t *rest, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        x[i] = float_of_bits(((uint32_t)h[i] << 16) + (uint32_t)(int32_t)rest[i]);
    }
}

#endif
