/* Depthwise convolutions of the per-instruction-set kernels; see simd.h.
 *
 * A tile is one vector of channels of neighbouring pixels along a row. Its sums and one row of
 * weights stay in registers while every pixel that the tile meets is read once for each row of
 * weights. What borders cut off is left out pixel by pixel, so that there is one way for all. The
 * kernels and strides of mobile networks are compiled as constants. */
#ifndef MDF_KERNEL_SIMD_SIMD_DEPTHWISE_H
#define MDF_KERNEL_SIMD_SIMD_DEPTHWISE_H

#include "kernel/simd/simd.h"
#include "kernel/simd/vector.h"

enum {
    CACHE_LINE = 16,    /* floats */
    DEPTHWISE_TILE = 8, /* pixels */
};

/* Everything below becomes one function for each kind, and loops of constant length whose arrays
 * shall be registers become none. Sanitizers look at every step: that would be minutes of
 * compiling, so there all kinds share functions. */
#if defined(MDF_SANITIZED)
#define DEPTHWISE_INLINE static
#define DEPTHWISE_UNROLL
#elif defined(__clang__) /* a kind that is no constant keeps its loops, without a warning */
#pragma clang diagnostic ignored "-Wpass-failed"
#define DEPTHWISE_INLINE __attribute__((always_inline)) static inline
#define DEPTHWISE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define DEPTHWISE_INLINE __attribute__((always_inline)) static inline
#define DEPTHWISE_UNROLL _Pragma("GCC unroll 24")
#endif

/* What kind of convolution: constants where it is a usual one. */
typedef struct depthwise_kind {
    int kernel, stride;
    bool back;  /* from dy to dx */
    bool whole; /* channels are whole vectors */
} depthwise_kind;

/* Channels whose weights stay in the first cache along a row. */
DEPTHWISE_INLINE int64_t depthwise_strip(const depthwise_kind k)
{
    return k.kernel <= 3 ? 256 : 64;
}

/* One direction of a convolution: from picture `in` to picture `out`. */
typedef struct depthwise_pass {
    const mdf_depthwise_shape *s;
    float *out;
    const float *in, *w, *b; /* b: forward only */
    float low, high;         /* forward only */
    bool acc;                /* backward only */
    int64_t in_h, in_w, out_w;
} depthwise_pass;

DEPTHWISE_INLINE vec depthwise_load(const depthwise_kind k, const float *p, int width)
{
    return k.whole || width == VEC ? vec_load(p) : vec_load_part(p, width);
}

DEPTHWISE_INLINE void depthwise_store(const depthwise_kind k, float *p, int width, vec v)
{
    if (k.whole || width == VEC) {
        vec_store(p, v);
    } else {
        vec_store_part(p, width, v);
    }
}

/* sum[t] += pixels of row y of `in` times row ky of the weights. Pixel `zero` + i meets sum t by
 * weight i - t * stride, backward by t - i * stride. */
DEPTHWISE_INLINE void depthwise_row(const depthwise_kind k, const depthwise_pass *p, vec *sum,
                                    const int tile, int64_t y, int64_t zero, int64_t ky, int64_t c,
                                    int width)
{
    const int first = k.back ? -((k.kernel - 1) / k.stride) : 0;
    const int end = k.back ? (tile - 1) / k.stride + 1 : (tile - 1) * k.stride + k.kernel;
    const float *row = p->in + y * p->in_w * p->s->c + c;
    vec w[MDF_DEPTHWISE_MAX];
    DEPTHWISE_UNROLL
    for (int kx = 0; kx < MDF_DEPTHWISE_MAX; kx++) {
        const float *at = p->w + (ky * k.kernel + kx) * p->s->c + c;
        w[kx] = kx < k.kernel ? depthwise_load(k, at, width) : vec_all(0);
    }
    DEPTHWISE_UNROLL
    for (int i = first; i < end; i++) {
        if (zero + i >= 0 && zero + i < p->in_w) {
            const vec x = depthwise_load(k, row + (zero + i) * p->s->c, width);
            DEPTHWISE_UNROLL
            for (int t = 0; t < DEPTHWISE_TILE; t++) {
                const int kx = k.back ? t - i * k.stride : i - t * k.stride;
                if (kx >= 0 && kx < k.kernel) {
                    sum[t] = vec_fma(x, w[kx], sum[t]);
                }
            }
        }
    }
}

/* The row of `in` that row y of `out` meets by weights ky, or -1. */
DEPTHWISE_INLINE int64_t depthwise_row_at(const depthwise_kind k, const depthwise_pass *p,
                                          int64_t y, int64_t ky)
{
    const int64_t at = k.back ? y + p->s->pad_y - ky : y * k.stride - p->s->pad_y + ky;
    if (k.back && at % k.stride != 0) {
        return -1;
    }
    const int64_t row = k.back ? at / k.stride : at;
    return row < p->in_h ? row : -1;
}

/* Asks for the numbers of a picture from `at` on, which ends at `end`. */
DEPTHWISE_INLINE void depthwise_ask(const float *picture, int64_t at, int64_t end, int count)
{
    for (int i = 0; i < count; i += CACHE_LINE) {
        if (at + i < end) {
            __builtin_prefetch(picture + at + i);
        }
    }
}

/* Asks for a share of what the row of tiles below is the first to meet, in the order of memory:
 * memory is too slow to be waited for, and the order of a tile's own reads is hard to guess. */
DEPTHWISE_INLINE void depthwise_ahead(const depthwise_kind k, const mdf_depthwise_shape *s,
                                      const float *out, const float *in, int64_t y, int64_t x,
                                      int64_t c)
{
    const int64_t out_w = k.back ? s->w : s->ow;
    const int64_t out_h = k.back ? s->h : s->oh;
    const int64_t in_w = k.back ? s->ow : s->w;
    const int64_t in_h = k.back ? s->oh : s->h;
    depthwise_ask(out, ((y + 1) * out_w + x) * s->c + DEPTHWISE_TILE * c, out_h * out_w * s->c,
                  DEPTHWISE_TILE * VEC);
    const int rows = k.back ? 1 : k.stride;
    const int pixels = k.back ? DEPTHWISE_TILE / k.stride : DEPTHWISE_TILE * k.stride;
    const int64_t left = k.back ? x / k.stride : x * k.stride;
    const int64_t row = k.back ? (y + 1 + s->pad_y) / k.stride : y * k.stride - s->pad_y + k.kernel;
    for (int i = 0; i < rows; i++) {
        depthwise_ask(in, ((row + i) * in_w + left) * s->c + pixels * c, in_h * in_w * s->c,
                      pixels * VEC);
    }
}

/* Pixels x..x+tile-1 of row y of `out`, those that there are. Backward x + pad_x is a multiple of
 * the stride. */
DEPTHWISE_INLINE void depthwise_tile(const depthwise_kind k, const depthwise_pass *p,
                                     const int tile, int64_t y, int64_t x, int64_t c, int width)
{
    const mdf_depthwise_shape *s = p->s;
    const int64_t zero = k.back ? (x + s->pad_x) / k.stride : x * k.stride - s->pad_x;
    float *out = p->out + (y * p->out_w + x) * s->c + c;
    depthwise_ahead(k, s, p->out, p->in, y, x, c);
    vec sum[DEPTHWISE_TILE];
    const vec start = k.back ? vec_all(0) : depthwise_load(k, p->b + c, width);
    DEPTHWISE_UNROLL
    for (int t = 0; t < DEPTHWISE_TILE; t++) {
        sum[t] = start;
    }
    for (int64_t ky = 0; ky < k.kernel; ky++) {
        const int64_t row = depthwise_row_at(k, p, y, ky);
        if (row >= 0) {
            depthwise_row(k, p, sum, tile, row, zero, ky, c, width);
        }
    }
    DEPTHWISE_UNROLL
    for (int t = 0; t < DEPTHWISE_TILE; t++) {
        if (t < tile && x + t >= 0 && x + t < p->out_w) {
            float *at = out + t * s->c;
            vec v = sum[t];
            if (!k.back) { /* NaN stays: it is the second one */
                v = vec_min(vec_all(p->high), vec_max(vec_all(p->low), v));
            } else if (p->acc) {
                v = vec_add(v, depthwise_load(k, at, width));
            }
            depthwise_store(k, at, width, v);
        }
    }
}

DEPTHWISE_INLINE void depthwise_rows(const depthwise_kind k, const depthwise_pass *p, int64_t from,
                                     int64_t to)
{
    const int tile = k.back ? DEPTHWISE_TILE / k.stride * k.stride : DEPTHWISE_TILE;
    const int64_t channels = p->s->c;
    const int64_t most = depthwise_strip(k);
    for (int64_t y = from; y < to; y++) {
        for (int64_t strip = 0; strip < channels; strip += most) {
            const int64_t left = channels - strip;
            const int64_t end = left < most ? channels : strip + most;
            for (int64_t x = k.back ? -(p->s->pad_x % k.stride) : 0; x < p->out_w; x += tile) {
                for (int64_t c = strip; c < end; c += VEC) {
                    depthwise_tile(k, p, tile, y, x, c, end - c < VEC ? (int)(end - c) : VEC);
                }
            }
        }
    }
}

DEPTHWISE_INLINE void depthwise_both(const depthwise_pass *p, int64_t from, int64_t to, bool back)
{
    const mdf_depthwise_shape *s = p->s;
    const int64_t usual = s->c % VEC == 0 ? s->kernel * 10 + s->stride : 0;
    if (usual == 31) {
        depthwise_rows((depthwise_kind){3, 1, back, true}, p, from, to);
    } else if (usual == 32) {
        depthwise_rows((depthwise_kind){3, 2, back, true}, p, from, to);
    } else if (usual == 51) {
        depthwise_rows((depthwise_kind){5, 1, back, true}, p, from, to);
    } else if (usual == 52) {
        depthwise_rows((depthwise_kind){5, 2, back, true}, p, from, to);
    } else {
        depthwise_rows((depthwise_kind){(int)s->kernel, (int)s->stride, back, false}, p, from, to);
    }
}

static void depthwise_fwd(float *y, const float *x, const float *w, const float *b,
                          const mdf_depthwise_shape *s, int64_t from, int64_t to, float low,
                          float high)
{
    const depthwise_pass p = {s, y, x, w, b, low, high, false, s->h, s->w, s->ow};
    depthwise_both(&p, from, to, false);
}

static void depthwise_bwd_data(float *dx, const float *dy, const float *w,
                               const mdf_depthwise_shape *s, int64_t from, int64_t to, bool acc)
{
    const depthwise_pass p = {s, dx, dy, w, NULL, 0, 0, acc, s->oh, s->ow, s->w};
    depthwise_both(&p, from, to, true);
}

/* One row of dw [K,C] += what n outputs dy, the first at x, meet in a row of pixels. */
DEPTHWISE_INLINE void depthwise_weight_row(const depthwise_kind k, const mdf_depthwise_shape *s,
                                           float *dw, const vec *dy, const int n, const float *row,
                                           int64_t x, int width)
{
    const int64_t zero = x * k.stride - s->pad_x;
    vec sum[MDF_DEPTHWISE_MAX];
    DEPTHWISE_UNROLL
    for (int kx = 0; kx < MDF_DEPTHWISE_MAX; kx++) {
        sum[kx] = vec_all(0);
    }
    DEPTHWISE_UNROLL
    for (int i = 0; i < (n - 1) * k.stride + k.kernel; i++) {
        if (zero + i >= 0 && zero + i < s->w) {
            const vec pixel = depthwise_load(k, row + (zero + i) * s->c, width);
            DEPTHWISE_UNROLL
            for (int t = 0; t < DEPTHWISE_TILE; t++) {
                const int kx = i - t * k.stride;
                if (t < n && kx >= 0 && kx < k.kernel) {
                    sum[kx] = vec_fma(pixel, dy[t], sum[kx]);
                }
            }
        }
    }
    DEPTHWISE_UNROLL
    for (int kx = 0; kx < MDF_DEPTHWISE_MAX; kx++) {
        if (kx < k.kernel) {
            float *at = dw + kx * s->c;
            depthwise_store(k, at, width, vec_add(depthwise_load(k, at, width), sum[kx]));
        }
    }
}

/* Outputs x..x+n-1 of row y. */
DEPTHWISE_INLINE void depthwise_weight_tile(const depthwise_kind k, const mdf_depthwise_shape *s,
                                            float *dw, const float *dy, const float *in, int64_t y,
                                            int64_t x, int64_t c, const int n, int width)
{
    depthwise_ahead(k, s, dy, in, y, x, c);
    vec d[DEPTHWISE_TILE];
    DEPTHWISE_UNROLL
    for (int t = 0; t < DEPTHWISE_TILE; t++) {
        d[t] = t < n ? depthwise_load(k, dy + (y * s->ow + x + t) * s->c + c, width) : vec_all(0);
    }
    for (int64_t ky = 0; ky < k.kernel; ky++) {
        const int64_t row = y * k.stride - s->pad_y + ky;
        if (row >= 0 && row < s->h) {
            depthwise_weight_row(k, s, dw + ky * k.kernel * s->c + c, d, n,
                                 in + row * s->w * s->c + c, x, width);
        }
    }
}

DEPTHWISE_INLINE void depthwise_weights(const depthwise_kind k, const mdf_depthwise_shape *s,
                                        float *dw, const float *dy, const float *in, int64_t from,
                                        int64_t to)
{
    const int64_t most = depthwise_strip(k);
    for (int64_t y = from; y < to; y++) {
        for (int64_t strip = 0; strip < s->c; strip += most) {
            const int64_t end = s->c - strip < most ? s->c : strip + most;
            for (int64_t x = 0; x < s->ow; x += DEPTHWISE_TILE) {
                const int n = s->ow - x < DEPTHWISE_TILE ? (int)(s->ow - x) : DEPTHWISE_TILE;
                for (int64_t c = strip; c < end; c += VEC) {
                    const int width = end - c < VEC ? (int)(end - c) : VEC;
                    if (n == DEPTHWISE_TILE) {
                        depthwise_weight_tile(k, s, dw, dy, in, y, x, c, DEPTHWISE_TILE, width);
                    } else {
                        depthwise_weight_tile(k, s, dw, dy, in, y, x, c, n, width);
                    }
                }
            }
        }
    }
}

static void depthwise_bwd_weights(float *dw, const float *dy, const float *x,
                                  const mdf_depthwise_shape *s, int64_t from, int64_t to)
{
    const int64_t usual = s->c % VEC == 0 ? s->kernel * 10 + s->stride : 0;
    if (usual == 31) {
        depthwise_weights((depthwise_kind){3, 1, false, true}, s, dw, dy, x, from, to);
    } else if (usual == 32) {
        depthwise_weights((depthwise_kind){3, 2, false, true}, s, dw, dy, x, from, to);
    } else if (usual == 51) {
        depthwise_weights((depthwise_kind){5, 1, false, true}, s, dw, dy, x, from, to);
    } else if (usual == 52) {
        depthwise_weights((depthwise_kind){5, 2, false, true}, s, dw, dy, x, from, to);
    } else {
        depthwise_weights((depthwise_kind){(int)s->kernel, (int)s->stride, false, false}, s, dw, dy,
                          x, from, to);
    }
}

#endif
