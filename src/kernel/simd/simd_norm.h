/* Layer and RMS normalisation of the per-instruction-set kernels; see simd.h. */
#ifndef MDF_KERNEL_SIMD_SIMD_NORM_H
#define MDF_KERNEL_SIMD_SIMD_NORM_H

#include "kernel/simd/simd.h"

static void rms_norm_fwd(float *y, float *stats, const float *x, const float *w, int64_t n,
                         int64_t c, float eps)
{
    for (int64_t i = 0; i < n; i++) {
        const float *xr = x + i * c;
        const float r = (float)(1.0 / sqrt(dot(xr, xr, c) / (double)c + (double)eps));
        stats[i] = r;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            y[i * c + j] = xr[j] * r * w[j];
        }
    }
}

static void rms_norm_bwd(float *dx, float *dw, const float *dy, const float *x, const float *w,
                         const float *stats, int64_t n, int64_t c, bool acc)
{
    for (int64_t i = 0; i < n; i++) {
        const float *xr = x + i * c;
        const float *dr = dy + i * c;
        const float r = stats[i];
        float cross = 0;
#pragma omp simd reduction(+ : cross)
        for (int64_t j = 0; j < c; j++) {
            cross += dr[j] * w[j] * xr[j];
        }
        const float k = cross * r * r * r / (float)c;
        float *out = dx + i * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            dw[j] += dr[j] * xr[j] * r;
            out[j] = (acc ? out[j] : 0.0f) + dr[j] * w[j] * r - xr[j] * k;
        }
    }
}

static void layer_norm_fwd(float *y, float *stats, const float *x, const float *w, const float *b,
                           int64_t n, int64_t c, float eps)
{
    for (int64_t i = 0; i < n; i++) {
        const float *xr = x + i * c;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < c; j++) {
            sum += xr[j];
        }
        const float mean = sum / (float)c;
        float square = 0;
#pragma omp simd reduction(+ : square)
        for (int64_t j = 0; j < c; j++) {
            square += (xr[j] - mean) * (xr[j] - mean);
        }
        const float r = (float)(1.0 / sqrt((double)(square / (float)c) + (double)eps));
        stats[2 * i] = mean;
        stats[2 * i + 1] = r;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            y[i * c + j] = (xr[j] - mean) * r * w[j] + b[j];
        }
    }
}

static void layer_norm_bwd(float *dx, float *dw, float *db, const float *dy, const float *x,
                           const float *w, const float *stats, int64_t n, int64_t c, bool acc)
{
    for (int64_t i = 0; i < n; i++) {
        const float *xr = x + i * c;
        const float *dr = dy + i * c;
        const float mean = stats[2 * i];
        const float r = stats[2 * i + 1];
        float sum = 0;
        float cross = 0;
#pragma omp simd reduction(+ : sum, cross)
        for (int64_t j = 0; j < c; j++) {
            sum += dr[j] * w[j];
            cross += dr[j] * w[j] * (xr[j] - mean) * r;
        }
        const float s = sum / (float)c;
        const float t = cross / (float)c;
        float *out = dx + i * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float hat = (xr[j] - mean) * r;
            dw[j] += dr[j] * hat;
            db[j] += dr[j];
            out[j] = (acc ? out[j] : 0.0f) + r * (dr[j] * w[j] - s - hat * t);
        }
    }
}

#endif
