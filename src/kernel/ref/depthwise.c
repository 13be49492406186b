/* The specification of depthwise convolutions. */
#include "kernel/ref/ref.h"

/* The pixel of x that weight (ky, kx) of output (oy, ox) meets, or -1 outside of it. */
static int64_t pixel_at(const mdf_depthwise_shape *s, int64_t oy, int64_t ox, int64_t k)
{
    const int64_t y = oy * s->stride - s->pad + k / s->kernel;
    const int64_t x = ox * s->stride - s->pad + k % s->kernel;
    return y < 0 || y >= s->h || x < 0 || x >= s->w ? -1 : y * s->w + x;
}

void mdf_depthwise_fwd_ref(mdf_real *y, const mdf_real *x, const mdf_real *w, const mdf_real *b,
                           const mdf_depthwise_shape *s, int64_t from, int64_t to, mdf_real low,
                           mdf_real high)
{
    for (int64_t o = from * s->ow; o < to * s->ow; o++) {
        for (int64_t j = 0; j < s->c; j++) {
            double sum = (double)b[j];
            for (int64_t k = 0; k < s->kernel * s->kernel; k++) {
                const int64_t at = pixel_at(s, o / s->ow, o % s->ow, k);
                sum += at < 0 ? 0.0 : (double)x[at * s->c + j] * (double)w[k * s->c + j];
            }
            const mdf_real v = (mdf_real)sum;
            y[o * s->c + j] = v < low ? low : v > high ? high : v;
        }
    }
}

void mdf_depthwise_bwd_data_ref(mdf_real *dx, const mdf_real *dy, const mdf_real *w,
                                const mdf_depthwise_shape *s, int64_t from, int64_t to, bool acc)
{
    for (int64_t i = from * s->w * s->c; !acc && i < to * s->w * s->c; i++) {
        dx[i] = 0;
    }
    for (int64_t o = 0; o < s->oh * s->ow; o++) {
        for (int64_t k = 0; k < s->kernel * s->kernel; k++) {
            const int64_t at = pixel_at(s, o / s->ow, o % s->ow, k);
            if (at >= from * s->w && at < to * s->w) {
                for (int64_t j = 0; j < s->c; j++) {
                    dx[at * s->c + j] += dy[o * s->c + j] * w[k * s->c + j];
                }
            }
        }
    }
}

void mdf_depthwise_bwd_weights_ref(mdf_real *dw, const mdf_real *dy, const mdf_real *x,
                                   const mdf_depthwise_shape *s, int64_t from, int64_t to)
{
    for (int64_t k = 0; k < s->kernel * s->kernel; k++) {
        for (int64_t j = 0; j < s->c; j++) {
            double sum = 0;
            for (int64_t o = from * s->ow; o < to * s->ow; o++) {
                const int64_t at = pixel_at(s, o / s->ow, o % s->ow, k);
                sum += at < 0 ? 0.0 : (double)dy[o * s->c + j] * (double)x[at * s->c + j];
            }
            dw[k * s->c + j] += (mdf_real)sum;
        }
    }
}
