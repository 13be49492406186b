/* Batch normalisation with the statistics of the batch, clipped in the same pass. */
#include <string.h>

#include "tensor/op.h"

typedef struct batch_norm_saved {
    mdf_clip clip;
    mdf_real *mean, *rstd; /* [C] of the batch */
    double *sums;          /* [MDF_ROW_BLOCKS, 2, C] */
    mdf_real *factor;      /* [3, C] */
} batch_norm_saved;

/* Sums of x and of x * z over the rows, channel by channel: block by block into sums, added in
 * order into its first block. */
static void sum_rows(double *sums, const mdf_real *x, const mdf_real *z, int64_t rows, int64_t c)
{
    memset(sums, 0, (size_t)(MDF_ROW_BLOCKS * 2 * c) * sizeof *sums);
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < MDF_ROW_BLOCKS; block++) {
        double *plain = sums + block * 2 * c;
        double *product = plain + c;
        const int64_t end = mdf_block_begin(rows, MDF_ROW_BLOCKS, block + 1);
        for (int64_t i = mdf_block_begin(rows, MDF_ROW_BLOCKS, block); i < end; i++) {
            const mdf_real *a = x + i * c;
            const mdf_real *b = z + i * c;
#pragma omp simd
            for (int64_t j = 0; j < c; j++) {
                plain[j] += (double)a[j];
                product[j] += (double)a[j] * (double)b[j];
            }
        }
    }
    for (int64_t j = 2 * c; j < MDF_ROW_BLOCKS * 2 * c; j++) {
        sums[j % (2 * c)] += sums[j];
    }
}

static void batch_norm_backward(mdf_graph *g, const mdf_node *node)
{
    const batch_norm_saved *s = node->saved;
    mdf_tensor *x = node->in[0];
    const mdf_tensor *gamma = node->in[1];
    mdf_real *dy = node->out->grad;
    const int64_t c = mdf_last_dim(x);
    const int64_t rows = mdf_row_count(x);
    bool acc = false;
    mdf_clip_grad(g, dy, node->out->data, rows * c, s->clip);
    sum_rows(s->sums, dy, x->data, rows, c);
    mdf_real *dgamma = mdf_grad_add_target(g, node->in[1]);
    mdf_real *dbeta = mdf_grad_add_target(g, node->in[2]);
    mdf_real *dx = mdf_grad_target(g, x, &acc);
    mdf_real *along = s->factor; /* dx = along dy + across x + constant */
    mdf_real *across = along + c;
    mdf_real *constant = across + c;
    for (int64_t j = 0; j < c; j++) {
        const double mean = (double)s->mean[j];
        const double rstd = (double)s->rstd[j];
        const double sum = s->sums[j];
        const double slope = (s->sums[c + j] - mean * sum) * rstd; /* sum of dy xhat */
        const double scale = (double)gamma->data[j] * rstd;
        const double tilt = scale * rstd * slope / (double)rows;
        along[j] = (mdf_real)scale;
        across[j] = (mdf_real)-tilt;
        constant[j] = (mdf_real)(tilt * mean - scale * sum / (double)rows);
        if (dgamma != NULL) {
            dgamma[j] += (mdf_real)slope;
        }
        if (dbeta != NULL) {
            dbeta[j] += (mdf_real)sum;
        }
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < (dx == NULL ? 0 : rows); i++) {
        mdf_real *out = dx + i * c;
        const mdf_real *d = dy + i * c;
        const mdf_real *v = x->data + i * c;
        const mdf_real keep = acc ? 1 : 0;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const mdf_real old = acc ? out[j] * keep : 0;
            out[j] = old + along[j] * d[j] + across[j] * v[j] + constant[j];
        }
    }
}

static const mdf_op op_batch_norm = {"batch_norm", batch_norm_backward};

static bool is_row(const mdf_tensor *t, int64_t n)
{
    return t->rank == 1 && t->dim[0] == n;
}

/* Mean and rstd of the batch; moves the running ones. */
static void statistics(const batch_norm_saved *s, mdf_tensor *x, mdf_tensor *mean, mdf_tensor *var,
                       mdf_real eps, double momentum)
{
    const int64_t c = mdf_last_dim(x);
    const double n = (double)mdf_row_count(x);
    sum_rows(s->sums, x->data, x->data, mdf_row_count(x), c);
    for (int64_t j = 0; j < c; j++) {
        const double m = s->sums[j] / n;
        const double square = s->sums[c + j] / n - m * m;
        const double v = square > 0 ? square : 0; /* rounding of a constant channel */
        s->mean[j] = (mdf_real)m;
        s->rstd[j] = (mdf_real)(1 / sqrt(v + (double)eps));
        const double unbiased = n > 1 ? v * n / (n - 1) : v;
        mean->data[j] += (mdf_real)(momentum * (m - (double)mean->data[j]));
        var->data[j] += (mdf_real)(momentum * (unbiased - (double)var->data[j]));
    }
}

mdf_tensor *mdf_batch_norm(mdf_graph *g, mdf_tensor *x, const mdf_norm *norm, mdf_real momentum,
                           mdf_clip clip)
{
    if (x == NULL || norm->gamma == NULL || norm->beta == NULL || norm->mean == NULL ||
        norm->var == NULL) {
        return NULL;
    }
    const int64_t c = mdf_last_dim(x);
    const int64_t rows = mdf_row_count(x);
    if (rows < 1 || !is_row(norm->gamma, c) || !is_row(norm->beta, c) || !is_row(norm->mean, c) ||
        !is_row(norm->var, c)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_batch_norm.name,
                              "want x [..,C], gamma, beta, mean and var [C]");
    }
    mdf_tensor *y = mdf_graph_like(g, x);
    batch_norm_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    mdf_real *of_batch = mdf_graph_alloc(g, 2 * c, sizeof *of_batch);
    double *sums = mdf_graph_alloc(g, MDF_ROW_BLOCKS * 2 * c, sizeof *sums);
    mdf_real *factor = mdf_graph_alloc(g, 3 * c, sizeof *factor);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    *s = (batch_norm_saved){clip, of_batch, of_batch + c, sums, factor};
    statistics(s, x, norm->mean, norm->var, norm->eps, (double)momentum);
    mdf_real *scale = factor;
    mdf_real *shift = factor + c;
    for (int64_t j = 0; j < c; j++) {
        scale[j] = norm->gamma->data[j] * s->rstd[j];
        shift[j] = norm->beta->data[j] - s->mean[j] * scale[j];
    }
    const mdf_real low = clip.low;
    const mdf_real high = clip.high;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < rows; i++) {
        mdf_real *out = y->data + i * c;
        const mdf_real *v = x->data + i * c;
#pragma omp simd
        for (int64_t j = 0; j < c; j++) {
            const mdf_real z = v[j] * scale[j] + shift[j];
            const mdf_real up = z > low ? z : low;
            out[j] = up < high ? up : high;
        }
    }
    return mdf_graph_record(g, &op_batch_norm, y, (mdf_tensor *[]){x, norm->gamma, norm->beta}, 3,
                            s);
}
