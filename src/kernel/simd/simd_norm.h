/* The normalisations of the per-instruction-set kernels; see simd.h. */

enum { NORM_ROWS = 64, NORM_CHANNELS_MAX = 2048 };

/* Column sums of blocks of rows in float, blocks in double: sum of a and, through the second
 * pointer, of a*b where a = masked dy or x. */
static void column_sums(double *sum, double *cross, const float *d, const float *x,
                        const float *mask, int64_t p, int64_t c)
{
    float s[NORM_CHANNELS_MAX];
    float t[NORM_CHANNELS_MAX];
    for (int64_t at = 0; at < p; at += NORM_ROWS) {
        const int64_t end = at + NORM_ROWS < p ? at + NORM_ROWS : p;
        memset(s, 0, (size_t)c * sizeof *s);
        memset(t, 0, (size_t)c * sizeof *t);
        for (int64_t i = at; i < end; i++) {
            const float *dr = d + i * c;
            const float *xr = x + i * c;
            if (mask != NULL) {
                const float *mr = mask + i * c;
#pragma omp simd
                for (int64_t j = 0; j < c; j++) {
                    const float v = mr[j] > 0.0f ? dr[j] : 0.0f;
                    s[j] += v;
                    t[j] += v * xr[j];
                }
            } else {
#pragma omp simd
                for (int64_t j = 0; j < c; j++) {
                    s[j] += dr[j];
                    t[j] += dr[j] * xr[j];
                }
            }
        }
        for (int64_t j = 0; j < c; j++) {
            sum[j] += (double)s[j];
            cross[j] += (double)t[j];
        }
    }
}

static void group_norm_fwd(float *y, float *stats, const float *x, const float *w, const float *b,
                           int64_t p, int64_t c, int64_t groups, float eps, bool relu)
{
    if (c > NORM_CHANNELS_MAX) {
        mdf_group_norm_fwd_ref(y, stats, x, w, b, p, c, groups, eps, relu);
        return;
    }
    double sum[NORM_CHANNELS_MAX];
    double square[NORM_CHANNELS_MAX];
    float scale[NORM_CHANNELS_MAX];
    float shift[NORM_CHANNELS_MAX];
    memset(sum, 0, (size_t)c * sizeof *sum);
    memset(square, 0, (size_t)c * sizeof *square);
    column_sums(sum, square, x, x, NULL, p, c);
    const int64_t per = c / groups;
    const double n = (double)(p * per);
    for (int64_t g = 0; g < groups; g++) {
        double s = 0;
        double q = 0;
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            s += sum[j];
            q += square[j];
        }
        const double mean = s / n;
        const double var = q / n - mean * mean;
        const double rstd = 1.0 / sqrt((var > 0 ? var : 0) + (double)eps);
        stats[2 * g] = (float)mean;
        stats[2 * g + 1] = (float)rstd;
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            const double wj = w == NULL ? 1.0 : (double)w[j];
            scale[j] = (float)(rstd * wj);
            shift[j] = (float)((b == NULL ? 0.0 : (double)b[j]) - mean * rstd * wj);
        }
    }
    const float floor = relu ? 0.0f : -INFINITY;
    for (int64_t i = 0; i < p; i++) {
        const float *xr = x + i * c;
        float *yr = y + i * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const float v = xr[j] * scale[j] + shift[j];
            yr[j] = v > floor ? v : floor;
        }
    }
}

static void group_norm_bwd(float *dx, float *dw, float *db, const float *dy, const float *x,
                           const float *y, const float *w, const float *stats, int64_t p,
                           int64_t c, int64_t groups, bool relu, bool acc, float *scratch)
{
    if (c > NORM_CHANNELS_MAX) {
        mdf_group_norm_bwd_ref(dx, dw, db, dy, x, y, w, stats, p, c, groups, relu, acc, scratch);
        return;
    }
    double sum[NORM_CHANNELS_MAX];
    double cross[NORM_CHANNELS_MAX];
    float a[NORM_CHANNELS_MAX]; /* dx = a dy + k x + m per channel */
    float k[NORM_CHANNELS_MAX];
    float m[NORM_CHANNELS_MAX];
    memset(sum, 0, (size_t)c * sizeof *sum);
    memset(cross, 0, (size_t)c * sizeof *cross);
    column_sums(sum, cross, dy, x, relu ? y : NULL, p, c);
    const int64_t per = c / groups;
    const double n = (double)(p * per);
    for (int64_t g = 0; g < groups; g++) {
        const double mean = (double)stats[2 * g];
        const double rstd = (double)stats[2 * g + 1];
        double s = 0;
        double t = 0;
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            const double hat = (cross[j] - mean * sum[j]) * rstd; /* sum of dy xhat */
            const double wj = w == NULL ? 1.0 : (double)w[j];
            if (dw != NULL) {
                dw[j] += (float)hat;
                db[j] += (float)sum[j];
            }
            s += wj * sum[j];
            t += wj * hat;
        }
        for (int64_t j = g * per; j < (g + 1) * per; j++) {
            a[j] = (float)(rstd * (w == NULL ? 1.0 : (double)w[j]));
            k[j] = (float)(-rstd * rstd * t / n);
            m[j] = (float)(-rstd * s / n + mean * rstd * rstd * t / n);
        }
    }
    if (!acc) {
        memset(dx, 0, (size_t)(p * c) * sizeof *dx);
    }
    for (int64_t i = 0; i < p; i++) {
        const float *dr = dy + i * c;
        const float *xr = x + i * c;
        const float *yr = relu ? y + i * c : dr;
        float *out = dx + i * c;
        if (relu) {
#pragma omp simd
            for (int64_t j = 0; j < c; j++) {
                const float d = yr[j] > 0.0f ? dr[j] : 0.0f;
                out[j] += a[j] * d + k[j] * xr[j] + m[j];
            }
        } else {
#pragma omp simd
            for (int64_t j = 0; j < c; j++) {
                out[j] += a[j] * dr[j] + k[j] * xr[j] + m[j];
            }
        }
    }
}

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
    const float keep = acc ? 1.0f : 0.0f;
    if (!acc) {
        memset(dx, 0, (size_t)(n * c) * sizeof *dx);
    }
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
            out[j] = keep * out[j] + dr[j] * w[j] * r - xr[j] * k;
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
    const float keep = acc ? 1.0f : 0.0f;
    if (!acc) {
        memset(dx, 0, (size_t)(n * c) * sizeof *dx);
    }
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
            out[j] = keep * out[j] + r * (dr[j] * w[j] - s - hat * t);
        }
    }
}

void MDF_SIMD_FILL(mdf_kernels *k)
{
    k->group_norm_fwd = group_norm_fwd;
    k->group_norm_bwd = group_norm_bwd;
    k->layer_norm_fwd = layer_norm_fwd;
    k->layer_norm_bwd = layer_norm_bwd;
    k->rms_norm_fwd = rms_norm_fwd;
    k->rms_norm_bwd = rms_norm_bwd;
    k->gelu_fwd = gelu_fwd;
    k->gelu_bwd = gelu_bwd;
    k->swiglu_fwd = swiglu_fwd;
    k->swiglu_bwd = swiglu_bwd;
    k->softmax = softmax;
    k->exp_shift = exp_shift;
    k->axpy = axpy;
    k->dot = dot;
    k->bias_fwd = bias_fwd;
    k->bias_bwd = bias_bwd;
    k->max_pool_fwd = max_pool_fwd;
    k->max_pool_bwd = max_pool_bwd;
    k->adamw = adamw;
}
