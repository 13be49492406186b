/* The specification of depthwise convolutions. */
#include "kernel/ref/ref.h"

/* The pixel of x that weight k of output o meets, or -1 outside of it. */
static int64_t pixel_at(const mdf_depthwise_shape *s, int64_t o, int64_t k)
{
    const int64_t y = o / s->ow * s->stride - s->pad_y + k / s->kernel;
    const int64_t x = o % s->ow * s->stride - s->pad_x + k % s->kernel;
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
                const int64_t at = pixel_at(s, o, k);
                sum += at < 0 ? 0.0 : (double)x[at * s->c + j] * (double)w[k * s->c + j];
            }
            const mdf_real v = (mdf_real)sum;
            y[o * s->c + j] = v < low ? low : v > high ? high : v;
        }
    }
}

/* The output that meets pixel `at` of x with weight k, or -1. */
static int64_t output_at(const mdf_depthwise_shape *s, int64_t at, int64_t k)
{
    const int64_t y = at / s->w + s->pad_y - k / s->kernel;
    const int64_t x = at % s->w + s->pad_x - k % s->kernel;
    const bool on = y >= 0 && x >= 0 && y % s->stride == 0 && x % s->stride == 0 &&
                    y / s->stride < s->oh && x / s->stride < s->ow;
    return on ? y / s->stride * s->ow + x / s->stride : -1;
}

void mdf_depthwise_bwd_data_ref(mdf_real *dx, const mdf_real *dy, const mdf_real *w,
                                const mdf_depthwise_shape *s, int64_t from, int64_t to, bool acc)
{
    for (int64_t at = from * s->w; at < to * s->w; at++) {
        for (int64_t j = 0; j < s->c; j++) {
            double sum = acc ? (double)dx[at * s->c + j] : 0.0;
            for (int64_t k = 0; k < s->kernel * s->kernel; k++) {
                const int64_t o = output_at(s, at, k);
                sum += o < 0 ? 0.0 : (double)dy[o * s->c + j] * (double)w[k * s->c + j];
            }
            dx[at * s->c + j] = (mdf_real)sum;
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
                const int64_t at = pixel_at(s, o, k);
                sum += at < 0 ? 0.0 : (double)dy[o * s->c + j] * (double)x[at * s->c + j];
            }
            dw[k * s->c + j] += (mdf_real)sum;
        }
    }
}
