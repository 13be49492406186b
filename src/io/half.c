/* F16 and BF16 by integer arithmetic on the bits: no rounding mode or instruction set matters. */
#include "io/half.h"

#include <string.h>

enum {
    SHIFT = 23 - 10, /* fraction bits a float has more than an F16 */
    BIAS = 127 - 15, /* difference of the exponents' offsets */
    F16_INF = 0x7C00,
    F16_QUIET = 0x0200,
    BF16_QUIET = 0x0040,
    FLOAT_ONE_BIT = 0x00800000, /* the leading one that is not stored */
};

static float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of_float(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

float mdf_float_of_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t magnitude = h & 0x7FFF;
    uint32_t exponent = magnitude >> 10;
    uint32_t fraction = magnitude & 0x03FF;
    if (exponent == 0x1F) { /* infinity, NaN */
        return float_of_bits(sign | 0x7F800000 | fraction << SHIFT);
    }
    if (magnitude == 0) {
        return float_of_bits(sign);
    }
    if (exponent == 0) { /* subnormal: move the leading one into its place */
        exponent = 1;
        while ((fraction & 0x0400) == 0) {
            fraction <<= 1;
            exponent--;
        }
        fraction &= 0x03FF;
    }
    /* exponent wraps below zero for subnormals and comes back with BIAS */
    return float_of_bits(sign | (exponent + BIAS) << 23 | fraction << SHIFT);
}

float mdf_float_of_bf16(uint16_t h)
{
    return float_of_bits((uint32_t)h << 16);
}

/* value / 2^shift, ties to even; 0 < shift < 32. A carry into the exponent is what it should be. */
static uint32_t shift_to_even(uint32_t value, int shift)
{
    const uint32_t kept = value >> shift;
    const uint32_t rest = value & ((UINT32_C(1) << shift) - 1);
    const uint32_t half = UINT32_C(1) << (shift - 1);
    return kept + (rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0);
}

uint16_t mdf_f16_of_float(float x)
{
    const uint32_t bits = bits_of_float(x);
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t magnitude = bits & 0x7FFFFFFF;
    const int exponent = (int)(magnitude >> 23) - BIAS;
    if (magnitude > 0x7F800000) {
        return (uint16_t)(sign | F16_INF | F16_QUIET | (magnitude >> SHIFT & 0x03FF));
    }
    if (exponent >= 0x1F) {
        return (uint16_t)(sign | F16_INF);
    }
    if (exponent >= 1) { /* normal; rounding up past the largest gives infinity */
        return (uint16_t)(sign | shift_to_even(magnitude - ((uint32_t)BIAS << 23), SHIFT));
    }
    if (exponent < -10) { /* below half of the smallest subnormal */
        return (uint16_t)sign;
    }
    const uint32_t fraction = (magnitude & (FLOAT_ONE_BIT - 1)) | FLOAT_ONE_BIT;
    return (uint16_t)(sign | shift_to_even(fraction, SHIFT + 1 - exponent));
}

uint16_t mdf_bf16_of_float(float x)
{
    const uint32_t bits = bits_of_float(x);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) {
        return (uint16_t)(bits >> 16 | BF16_QUIET);
    }
    return (uint16_t)shift_to_even(bits, 16);
}
