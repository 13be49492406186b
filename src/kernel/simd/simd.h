/* The float hot loops in plain C, compiled once per instruction set (simd_avx2.c, simd_avx512.c):
 * the compiler vectorises what `omp simd` marks. Everything is static but the fill function, whose
 * name the including file sets in MDF_SIMD_FILL. No header with inline functions may come in here:
 * a copy compiled for AVX could be linked into code for every CPU. */
#ifndef MDF_KERNEL_SIMD_SIMD_H
#define MDF_KERNEL_SIMD_SIMD_H

#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/ref/ref.h"

/* exp(x) to about 2 ulp, without branches: x = n ln2 + r, a polynomial for exp(r), 2^n by the
 * exponent field (in two steps, so that the largest floats are reached). Below -86.9 it is 0: what
 * is lost there is smaller than 2e-38. NaN stays NaN. */
static inline float fast_exp(float x)
{
    const float clamped = x > -86.9f ? (x < 89.0f ? x : 89.0f) : -86.9f;
    const float n = __builtin_rintf(clamped * 1.44269504f);
    const float r = __builtin_fmaf(n, 2.12194440e-4f, __builtin_fmaf(n, -0.693359375f, clamped));
    float p = 1.9875691500e-4f; /* minimax coefficients of Cephes' expf */
    p = __builtin_fmaf(p, r, 1.3981999507e-3f);
    p = __builtin_fmaf(p, r, 8.3334519073e-3f);
    p = __builtin_fmaf(p, r, 4.1665795894e-2f);
    p = __builtin_fmaf(p, r, 1.6666665459e-1f);
    p = __builtin_fmaf(p, r, 5.0000001201e-1f);
    p = __builtin_fmaf(p * r, r, r) + 1.0f;
    union {
        int32_t i;
        float f;
    } power;
    power.i = ((int32_t)n + 126) << 23;
    const float y = p * 2.0f * power.f;
    return x < -86.9f ? 0.0f : (x == x ? y : x);
}

/* erf(x), absolute error below 1.5e-7 (Abramowitz and Stegun 7.1.26). */
static inline float fast_erf(float x)
{
    const float a = x < 0 ? -x : x;
    const float t = 1.0f / (1.0f + 0.3275911f * a);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const float y = 1.0f - p * t * fast_exp(-a * a);
    return x < 0 ? -y : y;
}

static void gelu_fwd(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        y[i] = 0.5f * x[i] * (1.0f + fast_erf(x[i] * 0.70710678f));
    }
}

static void gelu_bwd(float *dx, const float *dy, const float *x, int64_t n, bool acc)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float cdf = 0.5f * (1.0f + fast_erf(x[i] * 0.70710678f));
        const float pdf = 0.39894228f * fast_exp(-0.5f * x[i] * x[i]);
        dx[i] = (acc ? dx[i] : 0.0f) + dy[i] * (cdf + x[i] * pdf);
    }
}

static void swiglu_fwd(float *y, const float *a, const float *b, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        y[i] = a[i] / (1.0f + fast_exp(-a[i])) * b[i];
    }
}

static void swiglu_bwd(float *da, float *db, const float *dy, const float *a, const float *b,
                       int64_t n, bool acc_a, bool acc_b)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float s = 1.0f / (1.0f + fast_exp(-a[i]));
        da[i] = (acc_a ? da[i] : 0.0f) + dy[i] * b[i] * s * (1.0f + a[i] * (1.0f - s));
        db[i] = (acc_b ? db[i] : 0.0f) + dy[i] * a[i] * s;
    }
}

/* The largest of n numbers, -INFINITY of none; NaN is passed over. 16 running maxima, because a
 * compiler may not reorder comparisons itself. */
static float largest(const float *x, int64_t n)
{
    enum { LANES = 16 };
    float lane[LANES];
    for (int j = 0; j < LANES; j++) {
        lane[j] = -INFINITY;
    }
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
#pragma omp simd
        for (int j = 0; j < LANES; j++) {
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
        }
    }
    float max = -INFINITY;
    for (int j = 0; j < LANES; j++) {
        max = lane[j] > max ? lane[j] : max;
    }
    for (; i < n; i++) {
        max = x[i] > max ? x[i] : max;
    }
    return max;
}

static float softmax(float *x, int64_t n)
{
    const float max = largest(x, n);
    if (max == -INFINITY) {
        memset(x, 0, (size_t)n * sizeof *x);
        return max;
    }
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        x[i] = fast_exp(x[i] - max);
        sum += x[i];
    }
    const float scale = 1.0f / sum;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        x[i] *= scale;
    }
    return max + (float)log((double)sum);
}

static void exp_shift(float *x, float lse, int64_t n)
{
    if (lse == -INFINITY) {
        memset(x, 0, (size_t)n * sizeof *x);
        return;
    }
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        x[i] = fast_exp(x[i] - lse);
    }
}

static void axpy(float *y, float alpha, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        y[i] += alpha * x[i];
    }
}

static double dot(const float *x, const float *y, int64_t n)
{
    double sum = 0;
    for (int64_t at = 0; at < n; at += 1024) { /* float inside a block, double across */
        const int64_t end = at + 1024 < n ? at + 1024 : n;
        float part = 0;
#pragma omp simd reduction(+ : part)
        for (int64_t i = at; i < end; i++) {
            part += x[i] * y[i];
        }
        sum += (double)part;
    }
    return sum;
}

static void bias_fwd(float *y, const float *bias, int64_t n, int64_t c)
{
    for (int64_t i = 0; i < n; i++) {
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            y[i * c + j] += bias[j];
        }
    }
}

static void bias_clip_fwd(float *y, const float *bias, int64_t n, int64_t c, float low, float high)
{
    for (int64_t i = 0; i < n; i++) {
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float v = y[i * c + j] + bias[j];
            const float up = v < low ? low : v;
            y[i * c + j] = up > high ? high : up;
        }
    }
}

static void clip_bwd(float *dy, const float *y, int64_t n, float low, float high)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const bool cut = y[i] <= low || y[i] >= high;
        dy[i] = cut ? 0.0f : dy[i];
    }
}

static void bias_bwd(float *db, const float *dy, int64_t n, int64_t c)
{
    enum { ROWS = 64, STRIP = 256 };
    for (int64_t from = 0; from < c; from += STRIP) {
        const int64_t width = c - from < STRIP ? c - from : STRIP;
        double sum[STRIP] = {0};
        for (int64_t at = 0; at < n; at += ROWS) { /* float inside a block of rows, double across */
            const int64_t end = at + ROWS < n ? at + ROWS : n;
            float part[STRIP] = {0};
            for (int64_t i = at; i < end; i++) {
                const float *row = dy + i * c + from;
#pragma omp simd
                for (int64_t j = 0; j < width; j++) {
                    part[j] += row[j];
                }
            }
            for (int64_t j = 0; j < width; j++) {
                sum[j] += (double)part[j];
            }
        }
        for (int64_t j = 0; j < width; j++) {
            db[from + j] += (float)sum[j];
        }
    }
}

static void max_pool_fwd(float *y, const float *x, int64_t h, int64_t w, int64_t c)
{
    for (int64_t p = 0; p < (h / 2) * (w / 2); p++) {
        const float *a = x + (p / (w / 2) * 2 * w + p % (w / 2) * 2) * c;
        const float *b = a + w * c;
        float *out = y + p * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float top = a[j + c] > a[j] ? a[j + c] : a[j];
            const float low = b[j + c] > b[j] ? b[j + c] : b[j];
            out[j] = low > top ? low : top;
        }
    }
}

static void max_pool_bwd(float *dx, const float *dy, const float *x, int64_t h, int64_t w,
                         int64_t c, bool acc)
{
    for (int64_t p = 0; p < (h / 2) * (w / 2); p++) {
        const int64_t at = (p / (w / 2) * 2 * w + p % (w / 2) * 2) * c;
        const float *a = x + at;
        const float *b = a + w * c;
        const float *g = dy + p * c;
        float *da = dx + at;
        float *db = da + w * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float top = a[j + c] > a[j] ? a[j + c] : a[j];
            const float low = b[j + c] > b[j] ? b[j + c] : b[j];
            const float max = low > top ? low : top;
            const bool w0 = a[j] == max;
            const bool w1 = !w0 && a[j + c] == max;
            const bool w2 = !w0 && !w1 && b[j] == max;
            const bool w3 = !w0 && !w1 && !w2;
            da[j] = (acc ? da[j] : 0.0f) + (w0 ? g[j] : 0.0f);
            da[j + c] = (acc ? da[j + c] : 0.0f) + (w1 ? g[j] : 0.0f);
            db[j] = (acc ? db[j] : 0.0f) + (w2 ? g[j] : 0.0f);
            db[j + c] = (acc ? db[j + c] : 0.0f) + (w3 ? g[j] : 0.0f);
        }
    }
}

static void adamw(float *w, float *m, float *v, const float *g, int64_t n, const mdf_adamw_step *s)
{
    const mdf_adamw_step a = *s;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float gi = g[i] * a.grad_scale;
        m[i] = a.beta1 * m[i] + (1.0f - a.beta1) * gi;
        v[i] = a.beta2 * v[i] + (1.0f - a.beta2) * gi * gi;
        w[i] = w[i] * (1.0f - a.decay) -
               a.step_size * m[i] / (__builtin_sqrtf(v[i]) * a.inv_sqrt_c2 + a.eps);
    }
}

#endif
