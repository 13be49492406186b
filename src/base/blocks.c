/* From blocks to floats: the definition of each layout, in the order of operations of the format's
 * reference, so that the floats are the same bits. */
#include <math.h>

#include "base/blocks_quantise.h"

enum { SMALL = 32, LARGE = 256 };

static float half_at(const uint8_t *p)
{
    return mdf_f16_to_float((uint16_t)(p[0] | p[1] << 8));
}

static uint32_t bits_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void q8_0(const uint8_t *p, float *out)
{
    const float d = half_at(p);
    for (int i = 0; i < SMALL; i++) {
        out[i] = (float)(int8_t)p[2 + i] * d;
    }
}

static void q4_0(const uint8_t *p, float *out)
{
    const float d = half_at(p);
    for (int i = 0; i < SMALL / 2; i++) {
        out[i] = d * (float)((p[2 + i] & 15) - 8);
        out[i + SMALL / 2] = d * (float)((p[2 + i] >> 4) - 8);
    }
}

static void q4_1(const uint8_t *p, float *out)
{
    const float d = half_at(p);
    const float m = half_at(p + 2);
    for (int i = 0; i < SMALL / 2; i++) {
        out[i] = d * (float)(p[4 + i] & 15) + m;
        out[i + SMALL / 2] = d * (float)(p[4 + i] >> 4) + m;
    }
}

/* Number i of a block of 32 whose fifth bits are apart. */
static int five_bits(uint32_t high, const uint8_t *nibbles, int i)
{
    const int low = i < SMALL / 2 ? nibbles[i] & 15 : nibbles[i - SMALL / 2] >> 4;
    return low | (int)(high >> i & 1U) << 4;
}

static void q5_0(const uint8_t *p, float *out)
{
    const float d = half_at(p);
    const uint32_t high = bits_at(p + 2);
    for (int i = 0; i < SMALL; i++) {
        out[i] = d * (float)(five_bits(high, p + 6, i) - 16);
    }
}

static void q5_1(const uint8_t *p, float *out)
{
    const float d = half_at(p);
    const float m = half_at(p + 2);
    const uint32_t high = bits_at(p + 4);
    for (int i = 0; i < SMALL; i++) {
        out[i] = d * (float)five_bits(high, p + 8, i) + m;
    }
}

void mdf_blocks_unpack_scales(const uint8_t packed[12], uint8_t scale[8], uint8_t minimum[8])
{
    for (int j = 0; j < 4; j++) { /* the upper two bits of 4..7 stand above 0..3 */
        scale[j] = packed[j] & 63;
        minimum[j] = packed[4 + j] & 63;
        scale[4 + j] = (uint8_t)((packed[8 + j] & 15) | (packed[j] >> 6) << 4);
        minimum[4 + j] = (uint8_t)((packed[8 + j] >> 4) | (packed[4 + j] >> 6) << 4);
    }
}

/* Q4_K, and Q5_K when high (one bit of each of the 8 sub-blocks in a byte) is not NULL. */
static void q45_k(const uint8_t *p, const uint8_t *high, const uint8_t *nibbles, float *out)
{
    const float d = half_at(p);
    const float m = half_at(p + 2);
    uint8_t scale[8];
    uint8_t minimum[8];
    mdf_blocks_unpack_scales(p + 4, scale, minimum);
    for (int j = 0; j < 8; j++) {
        const float dj = d * (float)scale[j];
        const float mj = m * (float)minimum[j];
        const uint8_t *byte = nibbles + (j / 2) * 32;
        for (int i = 0; i < 32; i++) {
            const int low = j % 2 == 0 ? byte[i] & 15 : byte[i] >> 4;
            const int q = low | (high == NULL ? 0 : (high[i] >> j & 1) << 4);
            out[32 * j + i] = dj * (float)q - mj;
        }
    }
}

static void q4_k(const uint8_t *p, float *out)
{
    q45_k(p, NULL, p + 16, out);
}

static void q5_k(const uint8_t *p, float *out)
{
    q45_k(p, p + 16, p + 48, out);
}

static void q6_k(const uint8_t *p, float *out)
{
    const uint8_t *high = p + 128;
    const uint8_t *scale = p + 192;
    const float d = half_at(p + 208);
    for (int i = 0; i < LARGE; i++) {
        const int half = i / 128; /* 128 numbers share 64 nibble bytes and 32 upper ones */
        const int quarter = i % 128 / 32;
        const uint8_t byte = p[64 * half + i % 64];
        const int low = quarter < 2 ? byte & 15 : byte >> 4;
        const int up = high[32 * half + i % 32] >> (2 * quarter) & 3;
        out[i] = d * (float)(int8_t)scale[i / 16] * (float)((low | up << 4) - 32);
    }
}

/* Every format: bytes -> numbers and numbers -> bytes of one block. */
static const struct format {
    mdf_dtype dtype;
    void (*read)(const uint8_t *p, float *out);
    bool (*write)(const float *x, uint8_t *p);
} formats[] = {
    {MDF_DTYPE_Q8_0, q8_0, mdf_quantise_q8_0}, {MDF_DTYPE_Q4_0, q4_0, mdf_quantise_q4_0},
    {MDF_DTYPE_Q4_1, q4_1, mdf_quantise_q4_1}, {MDF_DTYPE_Q5_0, q5_0, mdf_quantise_q5_0},
    {MDF_DTYPE_Q5_1, q5_1, mdf_quantise_q5_1}, {MDF_DTYPE_Q4_K, q4_k, mdf_quantise_q4_k},
    {MDF_DTYPE_Q5_K, q5_k, mdf_quantise_q5_k}, {MDF_DTYPE_Q6_K, q6_k, mdf_quantise_q6_k},
};

static const struct format *find(mdf_dtype d)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (formats[i].dtype == d) {
            return &formats[i];
        }
    }
    return NULL;
}

bool mdf_blocks_to_floats(mdf_dtype d, const void *src, size_t n, float *out)
{
    const struct format *f = find(d);
    if (f == NULL || n % mdf_dtype_block(d) != 0) {
        return false;
    }
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += mdf_dtype_block(d), p += mdf_dtype_bytes(d)) {
        f->read(p, out + i);
    }
    return true;
}

/* No NaN, and nothing whose half-precision scale or offset would overflow in every type. */
static bool usable(const float *x, size_t n)
{
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        bad |= !(fabsf(x[i]) < 0x1p24f);
    }
    return bad == 0;
}

bool mdf_blocks_from_floats(mdf_dtype d, const float *x, size_t n, void *out)
{
    const struct format *f = find(d);
    const size_t block = mdf_dtype_block(d);
    if (f == NULL || n % block != 0) {
        return false;
    }
    uint8_t *p = out;
    for (size_t i = 0; i < n; i += block, p += mdf_dtype_bytes(d)) {
        if (!usable(x + i, block) || !f->write(x + i, p)) {
            return false;
        }
    }
    return true;
}
