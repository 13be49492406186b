/* Depthwise convolutions of the per-instruction-set kernels; see simd.h. Channels go a strip of 64
 * at a time, so that its weights and a few rows of pixels stay near; sums stay in registers. Two
 * operations for a number that is read: near memory speed is all there is. */
#ifndef MDF_KERNEL_SIMD_SIMD_DEPTHWISE_H
#define MDF_KERNEL_SIMD_SIMD_DEPTHWISE_H

#include "kernel/simd/simd.h"
#include "kernel/simd/vector.h"

enum { DEPTHWISE_STRIP = 64, DEPTHWISE_VECS = DEPTHWISE_STRIP / VEC, DEPTHWISE_KERNEL_MAX = 7 };

/* Along one axis: which weights meet which places of the other picture. */
typedef struct depthwise_taps {
    int64_t count;
    int64_t weight[DEPTHWISE_KERNEL_MAX];
    int64_t at[DEPTHWISE_KERNEL_MAX];
} depthwise_taps;

/* Places of x, of `size`, that output o sees. */
static depthwise_taps taps_forward(const mdf_depthwise_shape *s, int64_t o, int64_t size)
{
    depthwise_taps t = {0};
    for (int64_t k = 0; k < s->kernel; k++) {
        const int64_t at = o * s->stride - s->pad + k;
        if (at >= 0 && at < size) {
            t.weight[t.count] = k;
            t.at[t.count++] = at;
        }
    }
    return t;
}

/* Outputs, of `size`, that see place i of x. */
static depthwise_taps taps_backward(const mdf_depthwise_shape *s, int64_t i, int64_t size)
{
    depthwise_taps t = {0};
    for (int64_t k = 0; k < s->kernel; k++) {
        const int64_t from = i + s->pad - k;
        if (from >= 0 && from % s->stride == 0 && from / s->stride < size) {
            t.weight[t.count] = k;
            t.at[t.count++] = from / s->stride;
        }
    }
    return t;
}

/* sum [n vectors] += in[taps] * w[taps] of one pixel; in has rows of `width` pixels of c channels.
 */
static inline void depthwise_gather(vec *sum, int n, const float *in, int64_t width, const float *w,
                                    const mdf_depthwise_shape *s, const depthwise_taps *row,
                                    const depthwise_taps *column)
{
    for (int64_t i = 0; i < row->count; i++) {
        for (int64_t j = 0; j < column->count; j++) {
            const float *p = in + (row->at[i] * width + column->at[j]) * s->c;
            const float *q = w + (row->weight[i] * s->kernel + column->weight[j]) * s->c;
            for (int v = 0; v < n; v++) {
                sum[v] = vec_fma(vec_load(p + v * VEC), vec_load(q + v * VEC), sum[v]);
            }
        }
    }
}

/* The same for one channel. */
static float depthwise_gather_one(const float *in, int64_t width, const float *w,
                                  const mdf_depthwise_shape *s, const depthwise_taps *row,
                                  const depthwise_taps *column)
{
    float sum = 0;
    for (int64_t i = 0; i < row->count; i++) {
        for (int64_t j = 0; j < column->count; j++) {
            sum = __builtin_fmaf(in[(row->at[i] * width + column->at[j]) * s->c],
                                 w[(row->weight[i] * s->kernel + column->weight[j]) * s->c], sum);
        }
    }
    return sum;
}

static inline vec depthwise_clip(vec x, float low, float high)
{
    return vec_min(vec_all(high), vec_max(vec_all(low), x)); /* NaN stays: it is the second one */
}

static void depthwise_fwd(float *y, const float *x, const float *w, const float *b,
                          const mdf_depthwise_shape *s, int64_t from, int64_t to, float low,
                          float high)
{
    const int64_t whole = s->c / VEC * VEC;
    for (int64_t oy = from; oy < to; oy++) {
        const depthwise_taps row = taps_forward(s, oy, s->h);
        for (int64_t c = 0; c < s->c;) {
            const int64_t left = (whole - c) / VEC;
            const int n = (int)(left < DEPTHWISE_VECS ? left : DEPTHWISE_VECS);
            for (int64_t ox = 0; ox < s->ow; ox++) {
                const depthwise_taps column = taps_forward(s, ox, s->w);
                float *out = y + (oy * s->ow + ox) * s->c + c;
                vec sum[DEPTHWISE_VECS];
                if (n == DEPTHWISE_VECS) { /* a constant number of sums stays in registers */
                    for (int v = 0; v < DEPTHWISE_VECS; v++) {
                        sum[v] = vec_load(b + c + v * VEC);
                    }
                    depthwise_gather(sum, DEPTHWISE_VECS, x + c, s->w, w + c, s, &row, &column);
                    for (int v = 0; v < DEPTHWISE_VECS; v++) {
                        vec_store(out + v * VEC, depthwise_clip(sum[v], low, high));
                    }
                } else if (n > 0) {
                    sum[0] = vec_load(b + c);
                    depthwise_gather(sum, 1, x + c, s->w, w + c, s, &row, &column);
                    vec_store(out, depthwise_clip(sum[0], low, high));
                } else {
                    const float v =
                        b[c] + depthwise_gather_one(x + c, s->w, w + c, s, &row, &column);
                    const float up = v < low ? low : v;
                    out[0] = up > high ? high : up;
                }
            }
            c += n == DEPTHWISE_VECS ? DEPTHWISE_STRIP : n > 0 ? VEC : 1;
        }
    }
}

static void depthwise_bwd_data(float *dx, const float *dy, const float *w,
                               const mdf_depthwise_shape *s, int64_t from, int64_t to, bool acc)
{
    const int64_t whole = s->c / VEC * VEC;
    for (int64_t iy = from; iy < to; iy++) {
        const depthwise_taps row = taps_backward(s, iy, s->oh);
        for (int64_t c = 0; c < s->c;) {
            const int64_t left = (whole - c) / VEC;
            const int n = (int)(left < DEPTHWISE_VECS ? left : DEPTHWISE_VECS);
            for (int64_t ix = 0; ix < s->w; ix++) {
                const depthwise_taps column = taps_backward(s, ix, s->ow);
                float *out = dx + (iy * s->w + ix) * s->c + c;
                vec sum[DEPTHWISE_VECS];
                if (n == DEPTHWISE_VECS) {
                    for (int v = 0; v < DEPTHWISE_VECS; v++) {
                        sum[v] = acc ? vec_load(out + v * VEC) : vec_all(0);
                    }
                    depthwise_gather(sum, DEPTHWISE_VECS, dy + c, s->ow, w + c, s, &row, &column);
                    for (int v = 0; v < DEPTHWISE_VECS; v++) {
                        vec_store(out + v * VEC, sum[v]);
                    }
                } else if (n > 0) {
                    sum[0] = acc ? vec_load(out) : vec_all(0);
                    depthwise_gather(sum, 1, dy + c, s->ow, w + c, s, &row, &column);
                    vec_store(out, sum[0]);
                } else {
                    out[0] = (acc ? out[0] : 0.0f) +
                             depthwise_gather_one(dy + c, s->ow, w + c, s, &row, &column);
                }
            }
            c += n == DEPTHWISE_VECS ? DEPTHWISE_STRIP : n > 0 ? VEC : 1;
        }
    }
}

/* dw [n vectors] += sum over ox of dy[ox] x[ox * stride + shift], ox in first..end-1. */
static inline void depthwise_weight_row(float *dw, int n, const float *dy, const float *x,
                                        int64_t stride, int64_t c, int64_t first, int64_t end)
{
    vec sum[DEPTHWISE_VECS];
    for (int v = 0; v < n; v++) {
        sum[v] = vec_load(dw + v * VEC);
    }
    for (int64_t ox = first; ox < end; ox++) {
        const float *p = dy + ox * c;
        const float *q = x + ox * stride * c;
        for (int v = 0; v < n; v++) {
            sum[v] = vec_fma(vec_load(p + v * VEC), vec_load(q + v * VEC), sum[v]);
        }
    }
    for (int v = 0; v < n; v++) {
        vec_store(dw + v * VEC, sum[v]);
    }
}

static void depthwise_bwd_weights(float *dw, const float *dy, const float *x,
                                  const mdf_depthwise_shape *s, int64_t from, int64_t to)
{
    const int64_t whole = s->c / VEC * VEC;
    for (int64_t oy = from; oy < to; oy++) {
        const depthwise_taps row = taps_forward(s, oy, s->h);
        const float *d = dy + oy * s->ow * s->c;
        for (int64_t i = 0; i < row.count * s->kernel; i++) {
            const int64_t kx = i % s->kernel;
            /* The columns whose pixel ox * stride + kx - pad lies inside. */
            int64_t first = 0;
            int64_t end = s->ow;
            while (first < end && first * s->stride + kx < s->pad) {
                first++;
            }
            while (end > first && (end - 1) * s->stride + kx - s->pad >= s->w) {
                end--;
            }
            const float *q = x + (row.at[i / s->kernel] * s->w + kx - s->pad) * s->c;
            float *out = dw + (row.weight[i / s->kernel] * s->kernel + kx) * s->c;
            int64_t c = 0;
            for (; c + DEPTHWISE_STRIP <= whole; c += DEPTHWISE_STRIP) {
                depthwise_weight_row(out + c, DEPTHWISE_VECS, d + c, q + c, s->stride, s->c, first,
                                     end);
            }
            for (; c < whole; c += VEC) {
                depthwise_weight_row(out + c, 1, d + c, q + c, s->stride, s->c, first, end);
            }
            for (; c < s->c; c++) {
                for (int64_t ox = first; ox < end; ox++) {
                    out[c] += d[ox * s->c + c] * q[ox * s->stride * s->c + c];
                }
            }
        }
    }
}

#endif
