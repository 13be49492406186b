/* The specification of group, layer and RMS normalisation. */
#include "kernel/ref/ref.h"

void mdf_group_norm_fwd_ref(mdf_real *y, mdf_real *stats, const mdf_real *x, const mdf_real *w,
                            const mdf_real *b, int64_t p, int64_t c, int64_t groups, mdf_real eps,
                            bool relu)
{
    const int64_t per = c / groups;
    for (int64_t g = 0; g < groups; g++) {
        double sum = 0;
        double square = 0;
        for (int64_t i = 0; i < p; i++) {
            for (int64_t j = g * per; j < (g + 1) * per; j++) {
                sum += (double)x[i * c + j];
            }
        }
        const double mean = sum / (double)(p * per);
        for (int64_t i = 0; i < p; i++) {
            for (int64_t j = g * per; j < (g + 1) * per; j++) {
                const double d = (double)x[i * c + j] - mean;
                square += d * d;
            }
        }
        stats[2 * g] = (mdf_real)mean;
        stats[2 * g + 1] = (mdf_real)(1 / sqrt(square / (double)(p * per) + (double)eps));
    }
    for (int64_t i = 0; i < p; i++) {
        for (int64_t j = 0; j < c; j++) {
            const mdf_real *s = stats + 2 * (j / per);
            mdf_real v = (x[i * c + j] - s[0]) * s[1];
            v = w == NULL ? v : v * w[j] + b[j];
            y[i * c + j] = relu && v < 0 ? 0 : v; /* NaN stays NaN */
        }
    }
}

void mdf_group_norm_bwd_ref(mdf_real *dx, mdf_real *dw, mdf_real *db, const mdf_real *dy,
                            const mdf_real *x, const mdf_real *y, const mdf_real *w,
                            const mdf_real *stats, int64_t p, int64_t c, int64_t groups, bool relu,
                            bool acc, mdf_real *scratch)
{
    (void)scratch;
    const int64_t per = c / groups;
    for (int64_t g = 0; g < groups; g++) {
        const double mean = (double)stats[2 * g];
        const double rstd = (double)stats[2 * g + 1];
        double sum = 0;   /* of dy w */
        double cross = 0; /* of dy w xhat */
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            double sw = 0;
            double sb = 0;
            for (int64_t i = 0; i < p; i++) {
                const double d = relu && !(y[i * c + j] > 0) ? 0.0 : (double)dy[i * c + j];
                sw += d * ((double)x[i * c + j] - mean) * rstd;
                sb += d;
            }
            if (dw != NULL) {
                dw[j] += (mdf_real)sw;
                db[j] += (mdf_real)sb;
            }
            const double scale = w == NULL ? 1.0 : (double)w[j];
            sum += scale * sb;
            cross += scale * sw;
        }
        const double n = (double)(p * per);
        for (int64_t i = 0; i < p; i++) {
            for (int64_t j = g * per; j < (g + 1) * per; j++) {
                const double d = relu && !(y[i * c + j] > 0) ? 0.0 : (double)dy[i * c + j];
                const double hat = ((double)x[i * c + j] - mean) * rstd;
                const double scaled = d * (w == NULL ? 1.0 : (double)w[j]);
                const double v = rstd * (scaled - sum / n - hat * cross / n);
                dx[i * c + j] = (mdf_real)((acc ? (double)dx[i * c + j] : 0.0) + v);
            }
        }
    }
}

void mdf_layer_norm_fwd_ref(mdf_real *y, mdf_real *stats, const mdf_real *x, const mdf_real *w,
                            const mdf_real *b, int64_t n, int64_t c, mdf_real eps)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        double square = 0;
        for (int64_t j = 0; j < c; j++) {
            sum += (double)x[i * c + j];
        }
        const double mean = sum / (double)c;
        for (int64_t j = 0; j < c; j++) {
            const double d = (double)x[i * c + j] - mean;
            square += d * d;
        }
        const double rstd = 1 / sqrt(square / (double)c + (double)eps);
        stats[2 * i] = (mdf_real)mean;
        stats[2 * i + 1] = (mdf_real)rstd;
        for (int64_t j = 0; j < c; j++) {
            const double hat = ((double)x[i * c + j] - mean) * rstd;
            y[i * c + j] = (mdf_real)(hat * (double)w[j] + (double)b[j]);
        }
    }
}

void mdf_layer_norm_bwd_ref(mdf_real *dx, mdf_real *dw, mdf_real *db, const mdf_real *dy,
                            const mdf_real *x, const mdf_real *w, const mdf_real *stats, int64_t n,
                            int64_t c, bool acc)
{
    for (int64_t i = 0; i < n; i++) {
        const double mean = (double)stats[2 * i];
        const double rstd = (double)stats[2 * i + 1];
        double sum = 0;
        double cross = 0;
        for (int64_t j = 0; j < c; j++) {
            const double hat = ((double)x[i * c + j] - mean) * rstd;
            const double d = (double)dy[i * c + j];
            dw[j] += (mdf_real)(d * hat);
            db[j] += (mdf_real)d;
            sum += d * (double)w[j];
            cross += d * (double)w[j] * hat;
        }
        for (int64_t j = 0; j < c; j++) {
            const double hat = ((double)x[i * c + j] - mean) * rstd;
            const double d = (double)dy[i * c + j] * (double)w[j];
            const double v = rstd * (d - sum / (double)c - hat * cross / (double)c);
            dx[i * c + j] = (mdf_real)((acc ? (double)dx[i * c + j] : 0.0) + v);
        }
    }
}

void mdf_rms_norm_fwd_ref(mdf_real *y, mdf_real *stats, const mdf_real *x, const mdf_real *w,
                          int64_t n, int64_t c, mdf_real eps)
{
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int64_t j = 0; j < c; j++) {
            square += (double)x[i * c + j] * (double)x[i * c + j];
        }
        stats[i] = (mdf_real)(1 / sqrt(square / (double)c + (double)eps));
        for (int64_t j = 0; j < c; j++) {
            y[i * c + j] = x[i * c + j] * stats[i] * w[j];
        }
    }
}

void mdf_rms_norm_bwd_ref(mdf_real *dx, mdf_real *dw, const mdf_real *dy, const mdf_real *x,
                          const mdf_real *w, const mdf_real *stats, int64_t n, int64_t c, bool acc)
{
    for (int64_t i = 0; i < n; i++) {
        const double r = (double)stats[i];
        double cross = 0;
        for (int64_t j = 0; j < c; j++) {
            const double hat = (double)x[i * c + j] * r;
            dw[j] += (mdf_real)((double)dy[i * c + j] * hat);
            cross += (double)dy[i * c + j] * (double)w[j] * hat;
        }
        for (int64_t j = 0; j < c; j++) {
            const double hat = (double)x[i * c + j] * r;
            const double v = r * ((double)dy[i * c + j] * (double)w[j] - hat * cross / (double)c);
            dx[i * c + j] = (mdf_real)((acc ? (double)dx[i * c + j] : 0.0) + v);
        }
    }
}
