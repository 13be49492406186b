/* Blocks by plain rounding: the largest magnitude of 32 numbers gives the scale. */
#include "convert/blocks_plain.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 32 };

static float largest(const float *x)
{
    float m = 0;
    for (int i = 0; i < BLOCK; i++) {
        const float a = fabsf(x[i]);
        m = a > m ? a : m;
    }
    return m;
}

/* The stored scale, and one over it; both 0 for a block of zeros. */
static float put_scale(uint8_t *out, float scale)
{
    const uint16_t half = mdf_f16_from_float(scale);
    const float stored = mdf_f16_to_float(half);
    out[0] = (uint8_t)half;
    out[1] = (uint8_t)(half >> 8);
    return stored > 0 ? 1 / stored : 0;
}

/* To nearest; |x| is far below 2^22, where adding 1.5 * 2^23 leaves a whole number in the lower
 * bits. */
static int32_t nearest(float x)
{
    const float shifted = x + 12582912.0F;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4b400000;
}

static int32_t within(int32_t q, int32_t low, int32_t high)
{
    return q < low ? low : q > high ? high : q;
}

static void put_q8(const float *x, uint8_t *out)
{
    const float inverse = put_scale(out, largest(x) / 127);
    for (int i = 0; i < BLOCK; i++) {
        out[2 + i] = (uint8_t)within(nearest(x[i] * inverse), -127, 127);
    }
}

static void put_q4(const float *x, uint8_t *out)
{
    const float inverse = put_scale(out, largest(x) / 7.5F);
    int32_t q[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        q[i] = within(nearest(x[i] * inverse), -8, 7) + 8;
    }
    for (int i = 0; i < BLOCK / 2; i++) {
        out[2 + i] = (uint8_t)(q[i] | q[i + BLOCK / 2] << 4);
    }
}

bool mdf_blocks_plain(mdf_dtype d, const float *x, size_t n, uint8_t *out)
{
    if (d != MDF_DTYPE_Q8_0 && d != MDF_DTYPE_Q4_0) {
        return false;
    }
    const size_t width = mdf_dtype_bytes(d);
    for (size_t i = 0; i < n; i += BLOCK, out += width) {
        if (!isfinite(largest(x + i)) || largest(x + i) > 60000) {
            return false;
        }
        if (d == MDF_DTYPE_Q8_0) {
            put_q8(x + i, out);
        } else {
            put_q4(x + i, out);
        }
    }
    return true;
}
