/* The specification of activations, softmax, vector sums, bias, clipping, max pooling and AdamW. */
#include "kernel/ref/ref.h"

void mdf_gelu_fwd_ref(mdf_real *y, const mdf_real *x, int64_t n)
{
    const mdf_real inv_sqrt2 = MDF_R(0.7071067811865476);
    for (int64_t i = 0; i < n; i++) {
        y[i] = MDF_R(0.5) * x[i] * (1 + mdf_erf(x[i] * inv_sqrt2));
    }
}

void mdf_gelu_bwd_ref(mdf_real *dx, const mdf_real *dy, const mdf_real *x, int64_t n, bool acc)
{
    const mdf_real inv_sqrt2 = MDF_R(0.7071067811865476);
    const mdf_real inv_sqrt2pi = MDF_R(0.3989422804014327);
    for (int64_t i = 0; i < n; i++) {
        const mdf_real cdf = MDF_R(0.5) * (1 + mdf_erf(x[i] * inv_sqrt2));
        const mdf_real pdf = inv_sqrt2pi * mdf_exp(MDF_R(-0.5) * x[i] * x[i]);
        const mdf_real v = dy[i] * (cdf + x[i] * pdf);
        dx[i] = acc ? dx[i] + v : v;
    }
}

void mdf_swiglu_fwd_ref(mdf_real *y, const mdf_real *a, const mdf_real *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        y[i] = a[i] / (1 + mdf_exp(-a[i])) * b[i];
    }
}

void mdf_swiglu_bwd_ref(mdf_real *da, mdf_real *db, const mdf_real *dy, const mdf_real *a,
                        const mdf_real *b, int64_t n, bool acc_a, bool acc_b)
{
    for (int64_t i = 0; i < n; i++) {
        const mdf_real s = 1 / (1 + mdf_exp(-a[i]));
        const mdf_real va = dy[i] * b[i] * s * (1 + a[i] * (1 - s));
        const mdf_real vb = dy[i] * a[i] * s;
        da[i] = acc_a ? da[i] + va : va;
        db[i] = acc_b ? db[i] + vb : vb;
    }
}

mdf_real mdf_softmax_ref(mdf_real *x, int64_t n)
{
    mdf_real max = -(mdf_real)INFINITY;
    for (int64_t i = 0; i < n; i++) {
        max = x[i] > max ? x[i] : max;
    }
    if (max == -(mdf_real)INFINITY) {
        for (int64_t i = 0; i < n; i++) {
            x[i] = 0;
        }
        return max;
    }
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = mdf_exp(x[i] - max);
        sum += (double)x[i];
    }
    const mdf_real scale = (mdf_real)(1 / sum);
    for (int64_t i = 0; i < n; i++) {
        x[i] *= scale;
    }
    return max + (mdf_real)log(sum);
}

void mdf_exp_shift_ref(mdf_real *x, mdf_real lse, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        x[i] = lse == -(mdf_real)INFINITY ? 0 : mdf_exp(x[i] - lse);
    }
}

void mdf_axpy_ref(mdf_real *y, mdf_real alpha, const mdf_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        y[i] += alpha * x[i];
    }
}

double mdf_dot_ref(const mdf_real *x, const mdf_real *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)y[i];
    }
    return sum;
}

void mdf_bias_fwd_ref(mdf_real *y, const mdf_real *bias, int64_t n, int64_t c)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < c; j++) {
            y[i * c + j] += bias[j];
        }
    }
}

void mdf_bias_bwd_ref(mdf_real *db, const mdf_real *dy, int64_t n, int64_t c)
{
    for (int64_t j = 0; j < c; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += (double)dy[i * c + j];
        }
        db[j] += (mdf_real)sum;
    }
}

void mdf_max_pool_fwd_ref(mdf_real *y, const mdf_real *x, int64_t h, int64_t w, int64_t c)
{
    for (int64_t p = 0; p < (h / 2) * (w / 2); p++) {
        const int64_t at = (p / (w / 2) * 2 * w + p % (w / 2) * 2) * c;
        for (int64_t j = 0; j < c; j++) {
            const mdf_real *q = x + at + j;
            mdf_real max = q[0];
            max = q[c] > max ? q[c] : max;
            max = q[w * c] > max ? q[w * c] : max;
            max = q[w * c + c] > max ? q[w * c + c] : max;
            y[p * c + j] = max;
        }
    }
}

void mdf_max_pool_bwd_ref(mdf_real *dx, const mdf_real *dy, const mdf_real *x, int64_t h, int64_t w,
                          int64_t c, bool acc)
{
    const int64_t step[4] = {0, c, w * c, w * c + c};
    for (int64_t p = 0; p < (h / 2) * (w / 2); p++) {
        const int64_t at = (p / (w / 2) * 2 * w + p % (w / 2) * 2) * c;
        for (int64_t j = 0; j < c; j++) {
            int best = 0;
            for (int t = 1; t < 4; t++) {
                best = x[at + step[t] + j] > x[at + step[best] + j] ? t : best;
            }
            for (int t = 0; t < 4; t++) {
                const mdf_real v = t == best ? dy[p * c + j] : 0;
                mdf_real *d = dx + at + step[t] + j;
                *d = acc ? *d + v : v;
            }
        }
    }
}

void mdf_adamw_ref(mdf_real *w, mdf_real *m, mdf_real *v, const mdf_real *g, int64_t n,
                   const mdf_adamw_step *s)
{
    for (int64_t i = 0; i < n; i++) {
        const mdf_real gi = g[i] * s->grad_scale;
        m[i] = s->beta1 * m[i] + (1 - s->beta1) * gi;
        v[i] = s->beta2 * v[i] + (1 - s->beta2) * gi * gi;
        w[i] = w[i] * (1 - s->decay) -
               s->step_size * m[i] / (mdf_sqrt(v[i]) * s->inv_sqrt_c2 + s->eps);
    }
}

void mdf_bias_clip_fwd_ref(mdf_real *y, const mdf_real *bias, int64_t n, int64_t c, mdf_real low,
                           mdf_real high)
{
    for (int64_t i = 0; i < n * c; i++) {
        const mdf_real v = y[i] + bias[i % c];
        y[i] = v < low ? low : v > high ? high : v;
    }
}

void mdf_clip_bwd_ref(mdf_real *dy, const mdf_real *y, int64_t n, mdf_real low, mdf_real high)
{
    for (int64_t i = 0; i < n; i++) {
        dy[i] = y[i] <= low || y[i] >= high ? 0 : dy[i];
    }
}
