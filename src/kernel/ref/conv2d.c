/* The specification of the convolution: a sum over the window, at every pixel. */
#include "kernel/ref/ref.h"

/* Index of a window's pixel in a channels-last picture, or -1 outside it. */
static int64_t pixel_at(const mdf_conv_shape *s, int64_t n, int64_t y, int64_t x)
{
    if (y < 0 || y >= s->h || x < 0 || x >= s->w) {
        return -1;
    }
    return (n * s->h + y) * s->w + x;
}

static int64_t weight_at(const mdf_conv_shape *s, int64_t o, int64_t i, int64_t ky, int64_t kx)
{
    return ((o * s->cin + i) * s->kernel + ky) * s->kernel + kx;
}

bool mdf_conv2d_fwd_ref(void *cache, const mdf_conv_shape *s, mdf_real *y, const mdf_real *x,
                        const mdf_real *w, const mdf_real *bias)
{
    (void)cache;
    const int64_t pad = s->kernel / 2;
    for (int64_t p = 0; p < s->n * s->h * s->w; p++) {
        const int64_t n = p / (s->h * s->w);
        const int64_t py = p / s->w % s->h;
        const int64_t px = p % s->w;
        for (int64_t o = 0; o < s->cout; o++) {
            double sum = bias == NULL ? 0.0 : (double)bias[o];
            for (int64_t t = 0; t < s->kernel * s->kernel; t++) {
                const int64_t ky = t / s->kernel;
                const int64_t kx = t % s->kernel;
                const int64_t q = pixel_at(s, n, py + ky - pad, px + kx - pad);
                for (int64_t i = 0; q >= 0 && i < s->cin; i++) {
                    sum += (double)x[q * s->cin + i] * (double)w[weight_at(s, o, i, ky, kx)];
                }
            }
            y[p * s->cout + o] = (mdf_real)sum;
        }
    }
    return true;
}

bool mdf_conv2d_bwd_data_ref(void *cache, const mdf_conv_shape *s, mdf_real *dx, const mdf_real *dy,
                             const mdf_real *w, bool acc)
{
    (void)cache;
    const int64_t pad = s->kernel / 2;
    for (int64_t p = 0; p < s->n * s->h * s->w; p++) {
        const int64_t n = p / (s->h * s->w);
        const int64_t py = p / s->w % s->h;
        const int64_t px = p % s->w;
        for (int64_t i = 0; i < s->cin; i++) {
            double sum = acc ? (double)dx[p * s->cin + i] : 0.0;
            for (int64_t t = 0; t < s->kernel * s->kernel; t++) {
                const int64_t ky = t / s->kernel;
                const int64_t kx = t % s->kernel;
                const int64_t q = pixel_at(s, n, py - ky + pad, px - kx + pad);
                for (int64_t o = 0; q >= 0 && o < s->cout; o++) {
                    sum += (double)dy[q * s->cout + o] * (double)w[weight_at(s, o, i, ky, kx)];
                }
            }
            dx[p * s->cin + i] = (mdf_real)sum;
        }
    }
    return true;
}

bool mdf_conv2d_bwd_weights_ref(void *cache, const mdf_conv_shape *s, mdf_real *dw, mdf_real *db,
                                const mdf_real *x, const mdf_real *dy)
{
    (void)cache;
    const int64_t pad = s->kernel / 2;
    const int64_t pixels = s->n * s->h * s->w;
    for (int64_t o = 0; o < s->cout; o++) {
        for (int64_t t = 0; t < s->kernel * s->kernel; t++) {
            const int64_t ky = t / s->kernel;
            const int64_t kx = t % s->kernel;
            for (int64_t i = 0; i < s->cin; i++) {
                double sum = 0;
                for (int64_t p = 0; p < pixels; p++) {
                    const int64_t q = pixel_at(s, p / (s->h * s->w), p / s->w % s->h + ky - pad,
                                               p % s->w + kx - pad);
                    sum += q < 0 ? 0.0 : (double)x[q * s->cin + i] * (double)dy[p * s->cout + o];
                }
                dw[weight_at(s, o, i, ky, kx)] += (mdf_real)sum;
            }
        }
        double sum = 0;
        for (int64_t p = 0; db != NULL && p < pixels; p++) {
            sum += (double)dy[p * s->cout + o];
        }
        if (db != NULL) {
            db[o] += (mdf_real)sum;
        }
    }
    return true;
}
