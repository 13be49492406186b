/* Batch normalisation of the per-instruction-set kernels; see simd.h. Sums run down the columns of
 * 64 rows in float and across such blocks in double, as group normalisation's do. */
#ifndef MDF_KERNEL_SIMD_SIMD_BATCH_NORM_H
#define MDF_KERNEL_SIMD_SIMD_BATCH_NORM_H

#include "kernel/simd/simd_group_norm.h"

static void channel_sums(double *sum, double *square, const float *x, const float *at, int64_t n,
                         int64_t c)
{
    if (c > NORM_CHANNELS_MAX) {
        mdf_channel_sums_ref(sum, square, x, at, n, c);
    } else {
        forward_sums(sum, square, x, at, n, c);
    }
}

static void scale_clip_fwd(float *y, const float *x, const mdf_scale_clip *s, int64_t n, int64_t c)
{
    const float low = s->low;
    const float high = s->high;
    const float *scale = s->scale;
    const float *shift = s->shift;
    for (int64_t i = 0; i < n; i++) {
        const float *xr = x + i * c;
        float *yr = y + i * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float z = __builtin_fmaf(xr[j], scale[j], shift[j]);
            const float up = z < low ? low : z;
            yr[j] = up > high ? high : up;
        }
    }
}

static void scale_clip_sums(double *sum, double *cross, const float *dy, const float *x,
                            const mdf_scale_clip *p, const float *at, int64_t n, int64_t c)
{
    if (c > NORM_CHANNELS_MAX) {
        mdf_scale_clip_sums_ref(sum, cross, dy, x, p, at, n, c);
        return;
    }
    float s[NORM_CHANNELS_MAX];
    float t[NORM_CHANNELS_MAX];
    const float low = p->low;
    const float high = p->high;
    const float *scale = p->scale;
    const float *shift = p->shift;
    for (int64_t from = 0; from < n; from += NORM_ROWS) {
        const int64_t end = from + NORM_ROWS < n ? from + NORM_ROWS : n;
        memset(s, 0, (size_t)c * sizeof *s);
        memset(t, 0, (size_t)c * sizeof *t);
        for (int64_t i = from; i < end; i++) {
            const float *dr = dy + i * c;
            const float *xr = x + i * c;
#pragma omp simd
            for (int64_t j = 0; j < c; j++) {
                const float z = __builtin_fmaf(xr[j], scale[j], shift[j]);
                const float d = z <= low ? 0.0f : (z >= high ? 0.0f : dr[j]);
                s[j] += d;
                t[j] += d * (xr[j] - at[j]);
            }
        }
        for (int64_t j = 0; j < c; j++) {
            sum[j] += (double)s[j];
            cross[j] += (double)t[j];
        }
    }
}

static void scale_clip_bwd(float *dx, const float *dy, const float *x, const mdf_scale_clip *s,
                           const mdf_plane *p, int64_t n, int64_t c, bool acc)
{
    const float low = s->low;
    const float high = s->high;
    const float *scale = s->scale;
    const float *shift = s->shift;
    const float *along = p->along;
    const float *across = p->across;
    const float *constant = p->constant;
    for (int64_t i = 0; i < n; i++) {
        const float *dr = dy + i * c;
        const float *xr = x + i * c;
        float *out = dx + i * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float z = __builtin_fmaf(xr[j], scale[j], shift[j]);
            const float d = z <= low ? 0.0f : (z >= high ? 0.0f : dr[j]);
            const float v =
                __builtin_fmaf(along[j], d, __builtin_fmaf(across[j], xr[j], constant[j]));
            out[j] = (acc ? out[j] : 0.0f) + v;
        }
    }
}

#endif
