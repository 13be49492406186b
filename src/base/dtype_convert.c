/* Numbers of any type in a weight file <-> floats; blocks are base/blocks.h's. */
#include <math.h>
#include <string.h>

#include "base/blocks.h"

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

static float load_float(const uint8_t *p)
{
    const uint32_t bits = (uint32_t)load(p, 4);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void store_float(uint8_t *p, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    store(p, bits, 4);
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
            out[i] = load_float(p + 4 * i);
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
            store_float(p + 4 * i, x[i]);
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
