/* The specification of batch normalisation's passes over the rows. */
#include "kernel/ref/ref.h"

void mdf_channel_sums_ref(double *sum, double *square, const mdf_real *x, const mdf_real *at,
                          int64_t n, int64_t c)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < c; j++) {
            const double d = (double)x[i * c + j] - (double)at[j];
            sum[j] += d;
            square[j] += d * d;
        }
    }
}

/* Before the clip. */
static mdf_real scaled(const mdf_scale_clip *s, mdf_real x, int64_t channel)
{
    return x * s->scale[channel] + s->shift[channel];
}

void mdf_scale_clip_fwd_ref(mdf_real *y, const mdf_real *x, const mdf_scale_clip *s, int64_t n,
                            int64_t c)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < c; j++) {
            const mdf_real z = scaled(s, x[i * c + j], j);
            y[i * c + j] = z < s->low ? s->low : (z > s->high ? s->high : z);
        }
    }
}

/* dy, or nothing where y was clipped. */
static mdf_real through(const mdf_scale_clip *s, mdf_real dy, mdf_real x, int64_t channel)
{
    const mdf_real z = scaled(s, x, channel);
    return z <= s->low || z >= s->high ? 0 : dy;
}

void mdf_scale_clip_sums_ref(double *sum, double *cross, const mdf_real *dy, const mdf_real *x,
                             const mdf_scale_clip *s, const mdf_real *at, int64_t n, int64_t c)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < c; j++) {
            const mdf_real v = x[i * c + j];
            const double d = (double)through(s, dy[i * c + j], v, j);
            sum[j] += d;
            cross[j] += d * ((double)v - (double)at[j]);
        }
    }
}

void mdf_scale_clip_bwd_ref(mdf_real *dx, const mdf_real *dy, const mdf_real *x,
                            const mdf_scale_clip *s, const mdf_plane *p, int64_t n, int64_t c,
                            bool acc)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < c; j++) {
            const mdf_real v = x[i * c + j];
            const mdf_real d = through(s, dy[i * c + j], v, j);
            const mdf_real old = acc ? dx[i * c + j] : 0;
            dx[i * c + j] = old + p->along[j] * d + p->across[j] * v + p->constant[j];
        }
    }
}
