/* The specification of rounding to 16 and 8 bits. */
#include <string.h>

#include "kernel/ref/ref.h"

enum { BLOCK = 32 };

/* One block of Q8_0: d in half precision, then q [32]. */
static void narrow_block(uint8_t *out, const float *x)
{
    float largest = 0;
    bool good = true;
    for (int i = 0; i < BLOCK; i++) {
        const float size = fabsf(x[i]);
        good = good && size <= 3.40282347e38f;
        largest = size > largest ? size : largest;
    }
    uint16_t half = mdf_f16_from_float(largest / 127);
    good = good && half < 0x7c00;
    half = good ? half : 0x7e00;
    out[0] = (uint8_t)half;
    out[1] = (uint8_t)(half >> 8);
    const float d = mdf_f16_to_float(half);
    for (int i = 0; i < BLOCK; i++) {
        const float q = good && half != 0 ? rintf(x[i] / d) : 0;
        out[2 + i] = (uint8_t)(int8_t)(q < -127 ? -127 : q > 127 ? 127 : q);
    }
}

static void narrow_floats(uint8_t *out, mdf_dtype type, const float *x, int64_t n)
{
    if (type == MDF_DTYPE_Q8_0) {
        narrow_block(out, x);
    } else if (!mdf_dtype_from_floats(type, x, (size_t)n, out)) {
        memset(out, 0xff, mdf_dtype_row_bytes(type, (size_t)n)); /* none of the contract's types */
    }
}

void mdf_narrow_ref(void *out, mdf_dtype type, const mdf_real *x, int64_t n)
{
    uint8_t *to = out;
    float block[BLOCK];
    for (int64_t at = 0; at < n; at += BLOCK) {
        const int64_t count = n - at < BLOCK ? n - at : BLOCK;
        for (int64_t i = 0; i < count; i++) {
            block[i] = (float)x[at + i];
        }
        narrow_floats(to, type, block, count);
        to += mdf_dtype_row_bytes(type, (size_t)count);
    }
}
