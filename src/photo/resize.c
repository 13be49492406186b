/* Separable antialiased resize in fixed point. */
#include "photo/resize.h"

#include <math.h>
#include <string.h>

enum {
    WEIGHT_BITS = 22, /* 8-bit pixel * 22-bit weights sum to less than 2^31 */
    HALF = 1 << (WEIGHT_BITS - 1)
};

/* For every output position i: first input position and weights of the inputs from there. */
typedef struct taps {
    int max_count;   /* row length of weight */
    int *first;      /* [out] */
    int *count;      /* [out] */
    int32_t *weight; /* [out, max_count], fixed point */
} taps;

/* Triangle filter, as wide as the larger of the two pixel sizes. `row` is scratch. */
static void fill_taps(taps *t, double *row, int in, int out)
{
    const double scale = (double)in / (double)out;
    const double support = scale > 1.0 ? scale : 1.0;
    const double per_tap = 1.0 / support;
    for (int i = 0; i < out; i++) {
        const double centre = ((double)i + 0.5) * scale;
        int lo = (int)(centre - support + 0.5);
        int hi = (int)(centre + support + 0.5);
        lo = lo < 0 ? 0 : lo;
        hi = hi > in ? in : hi;
        double sum = 0.0;
        for (int k = 0; k < hi - lo; k++) {
            const double u = fabs(((double)(k + lo) - centre + 0.5) * per_tap);
            row[k] = u < 1.0 ? 1.0 - u : 0.0;
            sum += row[k];
        }
        int32_t *w = t->weight + (size_t)i * (size_t)t->max_count;
        for (int k = 0; k < hi - lo; k++) {
            const double share = sum != 0.0 ? row[k] / sum : row[k];
            w[k] = (int32_t)(share * (double)(1 << WEIGHT_BITS) + 0.5);
        }
        t->first[i] = lo;
        t->count[i] = hi - lo;
    }
}

static bool make_taps(taps *t, mdf_arena *scratch, int in, int out)
{
    const double scale = (double)in / (double)out;
    const double support = scale > 1.0 ? scale : 1.0;
    *t = (taps){.max_count = (int)ceil(support) * 2 + 1};
    t->first = mdf_arena_alloc(scratch, (size_t)out, sizeof *t->first);
    t->count = mdf_arena_alloc(scratch, (size_t)out, sizeof *t->count);
    t->weight = mdf_arena_alloc(scratch, (size_t)out * (size_t)t->max_count, sizeof *t->weight);
    double *row = mdf_arena_alloc(scratch, (size_t)t->max_count, sizeof *row);
    if (t->first == NULL || t->count == NULL || t->weight == NULL || row == NULL) {
        return false;
    }
    fill_taps(t, row, in, out);
    return true;
}

/* Weights are positive and sum to 2^22 within rounding, so only the top can overflow. */
static inline uint8_t to_byte(int32_t sum)
{
    const int32_t v = sum >> WEIGHT_BITS;
    return (uint8_t)(v > 255 ? 255 : v);
}

static void across_rgb(uint8_t *restrict dst, const uint8_t *restrict src, const taps *t, int out_w)
{
    for (int x = 0; x < out_w; x++) {
        const int32_t *w = t->weight + (size_t)x * (size_t)t->max_count;
        const uint8_t *p = src + (size_t)t->first[x] * 3;
        int32_t r = HALF;
        int32_t g = HALF;
        int32_t b = HALF;
        for (int k = 0; k < t->count[x]; k++) {
            r += w[k] * p[3 * k];
            g += w[k] * p[3 * k + 1];
            b += w[k] * p[3 * k + 2];
        }
        dst[3 * x] = to_byte(r);
        dst[3 * x + 1] = to_byte(g);
        dst[3 * x + 2] = to_byte(b);
    }
}

static void across_any(uint8_t *restrict dst, const uint8_t *restrict src, const taps *t, int out_w,
                       int channels)
{
    for (int x = 0; x < out_w; x++) {
        const int32_t *w = t->weight + (size_t)x * (size_t)t->max_count;
        for (int c = 0; c < channels; c++) {
            const uint8_t *p = src + (size_t)t->first[x] * (size_t)channels + c;
            int32_t sum = HALF;
            for (int k = 0; k < t->count[x]; k++) {
                sum += w[k] * p[k * channels];
            }
            dst[x * channels + c] = to_byte(sum);
        }
    }
}

/* dst row <- weighted sum of src rows. sum [n] is scratch; whole rows, so that it vectorises. */
static void down_row(uint8_t *restrict dst, int32_t *restrict sum, const uint8_t *restrict src,
                     const int32_t *restrict w, int count, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        sum[j] = HALF;
    }
    for (int k = 0; k < count; k++) {
        const uint8_t *restrict row = src + (size_t)k * n;
        const int32_t weight = w[k];
#pragma omp simd
        for (size_t j = 0; j < n; j++) {
            sum[j] += weight * row[j];
        }
    }
#pragma omp simd
    for (size_t j = 0; j < n; j++) {
        dst[j] = to_byte(sum[j]);
    }
}

static bool resize_across(mdf_arena *scratch, uint8_t *restrict dst, int dst_w,
                          const uint8_t *restrict src, int src_w, int rows, int channels)
{
    taps t;
    const bool good = make_taps(&t, scratch, src_w, dst_w);
    for (int y = 0; good && y < rows; y++) {
        uint8_t *to = dst + (size_t)y * (size_t)dst_w * (size_t)channels;
        const uint8_t *from = src + (size_t)y * (size_t)src_w * (size_t)channels;
        if (channels == 3) {
            across_rgb(to, from, &t, dst_w);
        } else {
            across_any(to, from, &t, dst_w, channels);
        }
    }
    return good;
}

static bool resize_down(mdf_arena *scratch, uint8_t *restrict dst, int dst_h,
                        const uint8_t *restrict src, int src_h, size_t row_bytes)
{
    taps t;
    int32_t *sum = mdf_arena_alloc(scratch, row_bytes, sizeof *sum);
    const bool good = sum != NULL && make_taps(&t, scratch, src_h, dst_h);
    for (int y = 0; good && y < dst_h; y++) {
        down_row(dst + (size_t)y * row_bytes, sum, src + (size_t)t.first[y] * row_bytes,
                 t.weight + (size_t)y * (size_t)t.max_count, t.count[y], row_bytes);
    }
    return good;
}

mdf_status mdf_resize_bilinear_in(mdf_arena *scratch, uint8_t *restrict dst, int dst_w, int dst_h,
                                  const uint8_t *restrict src, int src_w, int src_h, int channels,
                                  mdf_error *err)
{
    if (dst_w < 1 || dst_h < 1 || src_w < 1 || src_h < 1 || channels < 1 || channels > 4) {
        return mdf_fail(err, MDF_ERR_ARG, "cannot resize %d x %d to %d x %d with %d channels",
                        src_w, src_h, dst_w, dst_h, channels);
    }
    const size_t row_bytes = (size_t)dst_w * (size_t)channels;
    if (src_w == dst_w && src_h == dst_h) {
        memcpy(dst, src, row_bytes * (size_t)dst_h);
        return MDF_OK;
    }
    bool good = true;
    if (src_h == dst_h) {
        good = resize_across(scratch, dst, dst_w, src, src_w, src_h, channels);
    } else if (src_w == dst_w) {
        good = resize_down(scratch, dst, dst_h, src, src_h, row_bytes);
    } else {
        uint8_t *between = mdf_arena_alloc(scratch, row_bytes, (size_t)src_h);
        good = between != NULL &&
               resize_across(scratch, between, dst_w, src, src_w, src_h, channels) &&
               resize_down(scratch, dst, dst_h, between, src_h, row_bytes);
    }
    return good ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for resizing a picture");
}

mdf_status mdf_resize_bilinear(uint8_t *restrict dst, int dst_w, int dst_h,
                               const uint8_t *restrict src, int src_w, int src_h, int channels,
                               mdf_error *err)
{
    mdf_arena scratch;
    MDF_TRY(mdf_arena_init(&scratch, 0, 0, err));
    const mdf_status status =
        mdf_resize_bilinear_in(&scratch, dst, dst_w, dst_h, src, src_w, src_h, channels, err);
    mdf_arena_free(&scratch);
    return status;
}

void mdf_resize_nearest(uint8_t *restrict dst, int dst_w, int dst_h, const uint8_t *restrict src,
                        int src_w, int src_h, int channels)
{
    for (int y = 0; y < dst_h; y++) {
        const int64_t sy = ((int64_t)(2 * y + 1) * src_h) / (2 * (int64_t)dst_h);
        const uint8_t *row = src + (size_t)sy * (size_t)src_w * (size_t)channels;
        for (int x = 0; x < dst_w; x++) {
            const int64_t sx = ((int64_t)(2 * x + 1) * src_w) / (2 * (int64_t)dst_w);
            memcpy(dst, row + (size_t)sx * (size_t)channels, (size_t)channels);
            dst += channels;
        }
    }
}
