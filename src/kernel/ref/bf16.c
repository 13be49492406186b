/* The specification of bfloat16 weights that lose nothing: by chance, or by what is kept beside. */
#include <string.h>

#include "kernel/ref/ref.h"

static uint32_t bits_of(mdf_real x)
{
    const float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static bool is_nan(uint32_t bits)
{
    return (bits & 0x7fffffffU) > 0x7f800000U;
}

void mdf_bf16_widen_ref(mdf_real *x, const uint16_t *h, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        x[i] = (mdf_real)mdf_bf16_to_float(h[i]);
    }
}

/* 16 random bits: products and shifts that mix a counter, with the key's halves before and between
 * them, so that another key neither orders the same numbers otherwise nor moves them all alike. */
static uint32_t noise(uint64_t key, uint32_t i)
{
    uint32_t h = i * 0x9e3779b1U ^ (uint32_t)key;
    h = (h ^ h >> 16) * 0x7feb352dU;
    h = (h ^ h >> 15) + (uint32_t)(key >> 32);
    h = (h ^ h >> 16) * 0x846ca68bU;
    return (h ^ h >> 15) * 0x2c1b3c6dU >> 16;
}

void mdf_bf16_stochastic_ref(uint16_t *h, const mdf_real *x, int64_t n, uint64_t key,
                             uint64_t first)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of(x[i]);
        const uint32_t sum = bits + noise(key, (uint32_t)(first + (uint64_t)i));
        h[i] = (uint16_t)(is_nan(bits) ? bits >> 16 | 0x40U : sum >> 16);
    }
}

void mdf_bf16_split_ref(uint16_t *h, int16_t *rest, const mdf_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = is_nan(bits_of(x[i])) ? 0x7fc00000U : bits_of(x[i]);
        h[i] = (uint16_t)((bits + 0x8000U) >> 16);
        rest[i] = (int16_t)((int32_t)(bits & 0xffffU) - (int32_t)((bits & 0x8000U) << 1));
    }
}

void mdf_bf16_join_ref(mdf_real *x, const uint16_t *h, const int16_t *rest, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = ((uint32_t)h[i] << 16) + (uint32_t)(int32_t)rest[i];
        float f;
        memcpy(&f, &bits, sizeof f);
        x[i] = (mdf_real)f;
    }
}
