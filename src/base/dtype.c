/* Types of numbers in weight files: names, sizes, and halves with exact rounding. */
#include "base/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    size_t bytes, block;
} types[] = {
    [MDF_DTYPE_F64] = {"F64", 8, 1},       [MDF_DTYPE_F32] = {"F32", 4, 1},
    [MDF_DTYPE_F16] = {"F16", 2, 1},       [MDF_DTYPE_BF16] = {"BF16", 2, 1},
    [MDF_DTYPE_I64] = {"I64", 8, 1},       [MDF_DTYPE_I32] = {"I32", 4, 1},
    [MDF_DTYPE_I8] = {"I8", 1, 1},         [MDF_DTYPE_U8] = {"U8", 1, 1},
    [MDF_DTYPE_BOOL] = {"BOOL", 1, 1},     [MDF_DTYPE_Q8_0] = {"Q8_0", 34, 32},
    [MDF_DTYPE_Q4_0] = {"Q4_0", 18, 32},   [MDF_DTYPE_Q4_1] = {"Q4_1", 20, 32},
    [MDF_DTYPE_Q5_0] = {"Q5_0", 22, 32},   [MDF_DTYPE_Q5_1] = {"Q5_1", 24, 32},
    [MDF_DTYPE_Q4_K] = {"Q4_K", 144, 256}, [MDF_DTYPE_Q5_K] = {"Q5_K", 176, 256},
    [MDF_DTYPE_Q6_K] = {"Q6_K", 210, 256},
};

const char *mdf_dtype_name(mdf_dtype d)
{
    return types[d].name;
}

size_t mdf_dtype_bytes(mdf_dtype d)
{
    return types[d].bytes;
}

size_t mdf_dtype_block(mdf_dtype d)
{
    return types[d].block;
}

bool mdf_dtype_is_block(mdf_dtype d)
{
    return types[d].block > 1;
}

size_t mdf_dtype_row_bytes(mdf_dtype d, size_t cols)
{
    const size_t blocks = cols / types[d].block;
    if (cols % types[d].block != 0 || blocks > SIZE_MAX / types[d].bytes) {
        return 0;
    }
    return blocks * types[d].bytes;
}

bool mdf_dtype_from_name(const char *name, mdf_dtype *d)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name) == 0) {
            *d = (mdf_dtype)i;
            return true;
        }
    }
    return false;
}

bool mdf_dtype_is_float(mdf_dtype d)
{
    return d == MDF_DTYPE_F64 || d == MDF_DTYPE_F32 || d == MDF_DTYPE_F16 || d == MDF_DTYPE_BF16;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

float mdf_f16_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000U) << 16;
    const uint32_t exponent = (h >> 10) & 0x1fU;
    uint32_t fraction = h & 0x3ffU;
    if (exponent == 0x1f) {
        return float_of(sign | 0x7f800000U | fraction << 13);
    }
    if (exponent != 0) {
        return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    }
    if (fraction == 0) {
        return float_of(sign);
    }
    uint32_t shift = 0; /* a subnormal: fraction * 2^-24, which is normal as a float */
    while ((fraction & 0x400U) == 0) {
        fraction <<= 1;
        shift++;
    }
    return float_of(sign | (113 - shift) << 23 | (fraction & 0x3ffU) << 13);
}

/* value >> shift, to nearest, ties to even; 1 <= shift <= 31. */
static uint32_t round_shift(uint32_t value, uint32_t shift)
{
    const uint32_t half = 1U << (shift - 1);
    const uint32_t rest = value & ((half << 1) - 1);
    const uint32_t kept = value >> shift;
    return kept + (rest > half || (rest == half && (kept & 1U) != 0) ? 1U : 0U);
}

uint16_t mdf_f16_from_float(float x)
{
    const uint32_t bits = bits_of(x);
    const uint32_t sign = (bits >> 16) & 0x8000U;
    const uint32_t magnitude = bits & 0x7fffffffU;
    if (magnitude > 0x7f800000U) { /* NaN: quiet, upper bits of the payload kept */
        return (uint16_t)(sign | 0x7e00U | ((magnitude >> 13) & 0x1ffU));
    }
    if (magnitude >= 0x47800000U) { /* 65536 and more */
        return (uint16_t)(sign | 0x7c00U);
    }
    if (magnitude >= 0x38800000U) { /* normal; a carry runs into the exponent, up to infinity */
        return (uint16_t)(sign | round_shift(magnitude - (112U << 23), 13));
    }
    if (magnitude < 0x33000000U) { /* below 2^-25, half the smallest */
        return (uint16_t)sign;
    }
    const uint32_t fraction = (magnitude & 0x7fffffU) | 0x800000U;
    return (uint16_t)(sign | round_shift(fraction, 126 - (magnitude >> 23)));
}

float mdf_bf16_to_float(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t mdf_bf16_from_float(float x)
{
    const uint32_t bits = bits_of(x);
    if ((bits & 0x7fffffffU) > 0x7f800000U) {
        return (uint16_t)(bits >> 16 | 0x40U);
    }
    return (uint16_t)round_shift(bits, 16);
}
