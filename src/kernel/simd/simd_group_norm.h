/* Group normalisation of the per-instruction-set kernels; see simd.h. Sums run down the columns of
 * 64 rows in float and across such blocks in double. They are of x minus something near its mean,
 * so that a large mean costs no digits. */
#ifndef MDF_KERNEL_SIMD_SIMD_GROUP_NORM_H
#define MDF_KERNEL_SIMD_SIMD_GROUP_NORM_H

#include "kernel/simd/simd.h"

enum { NORM_ROWS = 64, NORM_CHANNELS_MAX = 2048 };

/* sum [C] += x - at, square [C] += (x - at)^2 over p rows. */
static void forward_sums(double *sum, double *square, const float *x, const float *at, int64_t p,
                         int64_t c)
{
    float s[NORM_CHANNELS_MAX];
    float t[NORM_CHANNELS_MAX];
    for (int64_t from = 0; from < p; from += NORM_ROWS) {
        const int64_t end = from + NORM_ROWS < p ? from + NORM_ROWS : p;
        memset(s, 0, (size_t)c * sizeof *s);
        memset(t, 0, (size_t)c * sizeof *t);
        for (int64_t i = from; i < end; i++) {
            const float *row = x + i * c;
#pragma omp simd
            for (int64_t j = 0; j < c; j++) {
                const float d = row[j] - at[j];
                s[j] += d;
                t[j] += d * d;
            }
        }
        for (int64_t j = 0; j < c; j++) {
            sum[j] += (double)s[j];
            square[j] += (double)t[j];
        }
    }
}

/* sum [C] += d, cross [C] += d (x - at), where d = dy, or 0 where y <= 0 (y NULL: no ReLU). */
static void backward_sums(double *sum, double *cross, const float *dy, const float *x,
                          const float *y, const float *at, int64_t p, int64_t c)
{
    float s[NORM_CHANNELS_MAX];
    float t[NORM_CHANNELS_MAX];
    const bool relu = y != NULL;
    for (int64_t from = 0; from < p; from += NORM_ROWS) {
        const int64_t end = from + NORM_ROWS < p ? from + NORM_ROWS : p;
        memset(s, 0, (size_t)c * sizeof *s);
        memset(t, 0, (size_t)c * sizeof *t);
        for (int64_t i = from; i < end; i++) {
            const float *dr = dy + i * c;
            const float *xr = x + i * c;
            const float *yr = relu ? y + i * c : dr;
#pragma omp simd
            for (int64_t j = 0; j < c; j++) {
                const float d = relu && !(yr[j] > 0.0f) ? 0.0f : dr[j];
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

static void group_norm_fwd(float *y, float *stats, const float *x, const float *w, const float *b,
                           int64_t p, int64_t c, int64_t groups, float eps, bool relu)
{
    if (c > NORM_CHANNELS_MAX || p == 0) {
        mdf_group_norm_fwd_ref(y, stats, x, w, b, p, c, groups, eps, relu);
        return;
    }
    double sum[NORM_CHANNELS_MAX];
    double square[NORM_CHANNELS_MAX];
    float scale[NORM_CHANNELS_MAX];
    float shift[NORM_CHANNELS_MAX];
    memset(sum, 0, (size_t)c * sizeof *sum);
    memset(square, 0, (size_t)c * sizeof *square);
    forward_sums(sum, square, x, x, p, c); /* around the first pixel */
    const int64_t per = c / groups;
    const double rows = (double)p;
    for (int64_t g = 0; g < groups; g++) {
        double mean = 0;
        double var = 0;
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            mean += ((double)x[j] + sum[j] / rows) / (double)per;
        }
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            const double off = (double)x[j] - mean; /* sum (d + off)^2 */
            var += (square[j] + 2 * off * sum[j]) / rows + off * off;
        }
        var = var > 0 || var != var ? var / (double)per : 0;
        const double rstd = 1.0 / sqrt(var + (double)eps);
        stats[2 * g] = (float)mean;
        stats[2 * g + 1] = (float)rstd;
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            const double wj = w == NULL ? 1.0 : (double)w[j];
            scale[j] = (float)(rstd * wj);
            shift[j] = (float)((b == NULL ? 0.0 : (double)b[j]) - mean * rstd * wj);
        }
    }
    const float floor = relu ? 0.0f : -INFINITY;
    for (int64_t i = 0; i < p; i++) {
        const float *xr = x + i * c;
        float *yr = y + i * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float v = __builtin_fmaf(xr[j], scale[j], shift[j]);
            yr[j] = v < floor ? floor : v;
        }
    }
}

/* dx = (acc ? dx : 0) + a d + k x + m, the last step of the backward pass. */
static void backward_apply(float *dx, const float *dy, const float *x, const float *y,
                           const float *a, const float *k, const float *m, int64_t p, int64_t c,
                           bool acc)
{
    const bool relu = y != NULL;
    for (int64_t i = 0; i < p; i++) {
        const float *dr = dy + i * c;
        const float *xr = x + i * c;
        const float *yr = relu ? y + i * c : dr;
        float *out = dx + i * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float d = relu && !(yr[j] > 0.0f) ? 0.0f : dr[j];
            const float v = __builtin_fmaf(a[j], d, __builtin_fmaf(k[j], xr[j], m[j]));
            out[j] = (acc ? out[j] : 0.0f) + v;
        }
    }
}

static void group_norm_bwd(float *dx, float *dw, float *db, const float *dy, const float *x,
                           const float *y, const float *w, const float *stats, int64_t p, int64_t c,
                           int64_t groups, bool relu, bool acc, float *scratch)
{
    if (c > NORM_CHANNELS_MAX || p == 0) {
        mdf_group_norm_bwd_ref(dx, dw, db, dy, x, y, w, stats, p, c, groups, relu, acc, scratch);
        return;
    }
    double sum[NORM_CHANNELS_MAX];
    double cross[NORM_CHANNELS_MAX];
    float a[NORM_CHANNELS_MAX]; /* dx = a dy + k x + m per channel */
    float k[NORM_CHANNELS_MAX];
    float m[NORM_CHANNELS_MAX];
    memset(sum, 0, (size_t)c * sizeof *sum);
    memset(cross, 0, (size_t)c * sizeof *cross);
    const int64_t per = c / groups;
    for (int64_t j = 0; j < c; j++) {
        m[j] = stats[2 * (j / per)];
    }
    backward_sums(sum, cross, dy, x, relu ? y : NULL, m, p, c);
    const double n = (double)(p * per);
    for (int64_t g = 0; g < groups; g++) {
        const double mean = (double)stats[2 * g];
        const double rstd = (double)stats[2 * g + 1];
        double s = 0;
        double t = 0;
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            const double hat = cross[j] * rstd; /* sum of d xhat */
            const double wj = w == NULL ? 1.0 : (double)w[j];
            if (dw != NULL) {
                dw[j] += (float)hat;
                db[j] += (float)sum[j];
            }
            s += wj * sum[j];
            t += wj * hat;
        }
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            a[j] = (float)(rstd * (w == NULL ? 1.0 : (double)w[j]));
            k[j] = (float)(-rstd * rstd * t / n);
            m[j] = (float)(-rstd * s / n + mean * rstd * rstd * t / n);
        }
    }
    backward_apply(dx, dy, x, relu ? y : NULL, a, k, m, p, c, acc);
}

#endif
