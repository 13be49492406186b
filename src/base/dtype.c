/* Conversion of numbers in weight files: plain loops over bytes, exact rounding. */
#include "base/dtype.h"

#include <math.h>
#include <string.h>

#include "base/blocks.h"

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

static uint64_t load(const uint8_t *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = bytes; i > 0; i--) {
        x = x << 8 | p[i - 1];
    }
    return x;
}

static void store(uint8_t *p, uint64_t x, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++, x >>= 8) {
        p[i] = (uint8_t)x;
    }
}

static double load_double(const uint8_t *p)
{
    const uint64_t bits = load(p, 8);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

bool mdf_dtype_to_floats(mdf_dtype d, const void *src, size_t n, float *out)
{
    const uint8_t *p = src;
    switch ((int)d) {
    case MDF_DTYPE_F64:
        for (size_t i = 0; i < n; i++) {
            out[i] = (float)load_double(p + 8 * i);
        }
        return true;
    case MDF_DTYPE_F32:
        for (size_t i = 0; i < n; i++) {
            out[i] = float_of((uint32_t)load(p + 4 * i, 4));
        }
        return true;
    case MDF_DTYPE_F16:
        for (size_t i = 0; i < n; i++) {
            out[i] = mdf_f16_to_float((uint16_t)load(p + 2 * i, 2));
        }
        return true;
    case MDF_DTYPE_BF16:
        for (size_t i = 0; i < n; i++) {
            out[i] = mdf_bf16_to_float((uint16_t)load(p + 2 * i, 2));
        }
        return true;
    default:
        return mdf_blocks_to_floats(d, src, n, out);
    }
}

bool mdf_dtype_to_doubles(mdf_dtype d, const void *src, size_t n, double *out)
{
    const uint8_t *p = src;
    const size_t block = mdf_dtype_block(d);
    if ((!mdf_dtype_is_float(d) && block == 1) || n % block != 0) {
        return false;
    }
    for (size_t i = 0; i < n && d == MDF_DTYPE_F64; i++) {
        out[i] = load_double(p + 8 * i);
    }
    for (size_t i = 0; i < n && d != MDF_DTYPE_F64; i += block, p += mdf_dtype_bytes(d)) {
        float x[256]; /* the largest block */
        if (!mdf_dtype_to_floats(d, p, block, x)) {
            return false;
        }
        for (size_t k = 0; k < block; k++) {
            out[i + k] = (double)x[k];
        }
    }
    return true;
}

bool mdf_dtype_to_int64(mdf_dtype d, const void *src, size_t n, int64_t *out)
{
    const uint8_t *p = src;
    if (mdf_dtype_is_float(d)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t raw = load(p + mdf_dtype_bytes(d) * i, mdf_dtype_bytes(d));
        if (d == MDF_DTYPE_I8) {
            out[i] = (int64_t)raw - (raw >= 128 ? 256 : 0);
        } else if (d == MDF_DTYPE_I32) {
            out[i] = (int64_t)raw - (raw >= 0x80000000U ? INT64_C(0x100000000) : 0);
        } else {
            memcpy(&out[i], &raw, sizeof raw);
        }
    }
    return true;
}

bool mdf_dtype_from_floats(mdf_dtype d, const float *x, size_t n, void *out)
{
    uint8_t *p = out;
    switch ((int)d) {
    case MDF_DTYPE_F32:
        for (size_t i = 0; i < n; i++) {
            store(p + 4 * i, bits_of(x[i]), 4);
        }
        return true;
    case MDF_DTYPE_F16:
        for (size_t i = 0; i < n; i++) {
            store(p + 2 * i, mdf_f16_from_float(x[i]), 2);
        }
        return true;
    case MDF_DTYPE_BF16:
        for (size_t i = 0; i < n; i++) {
            store(p + 2 * i, mdf_bf16_from_float(x[i]), 2);
        }
        return true;
    default:
        return mdf_blocks_from_floats(d, x, n, out);
    }
}

void mdf_int8_quantise(const float *x, size_t rows, size_t cols, int8_t *q, float *scale)
{
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * cols;
        float largest = 0;
        for (size_t c = 0; c < cols; c++) {
            largest = fmaxf(largest, fabsf(row[c]));
        }
        scale[r] = largest / 127;
        for (size_t c = 0; c < cols; c++) {
            const float unit = scale[r] > 0 ? row[c] / scale[r] : 0;
            q[r * cols + c] = (int8_t)lrintf(fmaxf(-127, fminf(127, unit)));
        }
    }
}
