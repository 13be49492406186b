/* Batch normalisation with the statistics of the batch, clipped in the same pass. */
#include <string.h>

#include "tensor/op.h"

typedef struct batch_norm_saved {
    mdf_clip clip;
    mdf_real *mean, *rstd;   /* [C] of the batch */
    mdf_real *scale, *shift; /* [C] y = clip(scale x + shift) */
    mdf_real *factor;        /* [3,C] of the backward pass */
    double *sums;            /* [MDF_ROW_BLOCKS,2,C] */
} batch_norm_saved;

static mdf_scale_clip scale_clip_of(const batch_norm_saved *s)
{
    return (mdf_scale_clip){s->scale, s->shift, s->clip.low, s->clip.high};
}

/* Piece `block` of x's rows. */
typedef struct piece {
    int64_t from, rows;
    double *sum, *other; /* [C] */
} piece;

static piece piece_of(double *sums, int64_t rows, int64_t c, int64_t block)
{
    const int64_t from = mdf_block_begin(rows, MDF_ROW_BLOCKS, block);
    const int64_t end = mdf_block_begin(rows, MDF_ROW_BLOCKS, block + 1);
    double *sum = sums + block * 2 * c;
    return (piece){from * c, end - from, sum, sum + c};
}

/* Adds the pieces' sums up, in order, into the first. */
static void join(double *sums, int64_t c)
{
    for (int64_t j = 2 * c; j < MDF_ROW_BLOCKS * 2 * c; j++) {
        sums[j % (2 * c)] += sums[j];
    }
}

static void clear(double *sums, int64_t c)
{
    memset(sums, 0, (size_t)(MDF_ROW_BLOCKS * 2 * c) * sizeof *sums);
}

/* Sums of the gradient, as far as it goes through the clip, and of it times x - mean. */
static void gradient_sums(const mdf_graph *g, const batch_norm_saved *s, const mdf_real *dy,
                          const mdf_tensor *x)
{
    const int64_t c = mdf_last_dim(x);
    const mdf_scale_clip way = scale_clip_of(s);
    clear(s->sums, c);
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < MDF_ROW_BLOCKS; block++) {
        const piece p = piece_of(s->sums, mdf_row_count(x), c, block);
        g->kernels->scale_clip_sums(p.sum, p.other, dy + p.from, x->data + p.from, &way, s->mean,
                                    p.rows, c);
    }
    join(s->sums, c);
}

static void batch_norm_backward(mdf_graph *g, const mdf_node *node)
{
    const batch_norm_saved *s = node->saved;
    mdf_tensor *x = node->in[0];
    const mdf_tensor *gamma = node->in[1];
    const mdf_real *dy = node->out->grad;
    const int64_t c = mdf_last_dim(x);
    const int64_t rows = mdf_row_count(x);
    bool acc = false;
    gradient_sums(g, s, dy, x);
    mdf_real *dgamma = mdf_grad_add_target(g, node->in[1]);
    mdf_real *dbeta = mdf_grad_add_target(g, node->in[2]);
    mdf_real *dx = mdf_grad_target_over(g, x, node->out, &acc);
    mdf_real *along = s->factor; /* dx = along dy + across x + constant */
    mdf_real *across = along + c;
    mdf_real *constant = across + c;
    for (int64_t j = 0; j < c; j++) {
        const double mean = (double)s->mean[j];
        const double rstd = (double)s->rstd[j];
        const double sum = s->sums[j];
        const double slope = s->sums[c + j] * rstd; /* sum of dy xhat */
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
    if (dx == NULL) {
        return;
    }
    const mdf_scale_clip way = scale_clip_of(s);
    const mdf_plane plane = {along, across, constant};
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < MDF_ROW_BLOCKS; block++) {
        const piece p = piece_of(s->sums, rows, c, block);
        g->kernels->scale_clip_bwd(dx + p.from, dy + p.from, x->data + p.from, &way, &plane, p.rows,
                                   c, acc);
    }
}

static const mdf_op op_batch_norm = {"batch_norm", batch_norm_backward};

static bool is_row(const mdf_tensor *t, int64_t n)
{
    return t->rank == 1 && t->dim[0] == n;
}

/* Mean and rstd of the batch; moves the running ones. */
static void statistics(const mdf_graph *g, const batch_norm_saved *s, const mdf_tensor *x,
                       const mdf_norm *norm, double momentum)
{
    const int64_t c = mdf_last_dim(x);
    const int64_t rows = mdf_row_count(x);
    const double n = (double)rows;
    const mdf_real *at = x->data; /* the first row */
    clear(s->sums, c);
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < MDF_ROW_BLOCKS; block++) {
        const piece p = piece_of(s->sums, rows, c, block);
        g->kernels->channel_sums(p.sum, p.other, x->data + p.from, at, p.rows, c);
    }
    join(s->sums, c);
    for (int64_t j = 0; j < c; j++) {
        const double off = s->sums[j] / n;
        const double mean = (double)at[j] + off;
        const double square = s->sums[c + j] / n - off * off;
        const double v = square > 0 || square != square ? square : 0; /* rounding of a constant */
        s->mean[j] = (mdf_real)mean;
        s->rstd[j] = (mdf_real)(1 / sqrt(v + (double)norm->eps));
        const double unbiased = n > 1 ? v * n / (n - 1) : v;
        norm->mean->data[j] += (mdf_real)(momentum * (mean - (double)norm->mean->data[j]));
        norm->var->data[j] += (mdf_real)(momentum * (unbiased - (double)norm->var->data[j]));
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
    mdf_real *row = mdf_graph_alloc(g, 7 * c, sizeof *row);
    double *sums = mdf_graph_alloc(g, MDF_ROW_BLOCKS * 2 * c, sizeof *sums);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    *s = (batch_norm_saved){clip, row, row + c, row + 2 * c, row + 3 * c, row + 4 * c, sums};
    statistics(g, s, x, norm, (double)momentum);
    for (int64_t j = 0; j < c; j++) {
        s->scale[j] = norm->gamma->data[j] * s->rstd[j];
        s->shift[j] = norm->beta->data[j] - s->mean[j] * s->scale[j];
    }
    const mdf_scale_clip way = scale_clip_of(s);
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < MDF_ROW_BLOCKS; block++) {
        const piece p = piece_of(sums, rows, c, block);
        g->kernels->scale_clip_fwd(y->data + p.from, x->data + p.from, &way, p.rows, c);
    }
    return mdf_graph_record(g, &op_batch_norm, y, (mdf_tensor *[]){x, norm->gamma, norm->beta}, 3,
                            s);
}
