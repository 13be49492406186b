/* Root-mean-square normalisation over the last dimension, or over groups of it as long as w (the
 * per-head norms of Llama 3.2 Vision's cross-attention). */
#include <string.h>

#include "tensor/op.h"

typedef struct rms_norm_saved {
    mdf_real *stats;   /* [N] rstd */
    mdf_real *partial; /* [MDF_ROW_BLOCKS, C] weight gradients */
} rms_norm_saved;

static void rms_norm_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_tensor *w = node->in[1];
    const rms_norm_saved *s = node->saved;
    const int64_t c = mdf_tensor_count(w);
    const int64_t n = mdf_tensor_count(x) / c;
    bool acc = false;
    mdf_real *dw = mdf_grad_add_target(g, w);
    mdf_real *dx = mdf_grad_target_or_scratch(g, x, &acc);
    if (dx == NULL) {
        return;
    }
    memset(s->partial, 0, (size_t)(MDF_ROW_BLOCKS * c) * sizeof *s->partial);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < MDF_ROW_BLOCKS; i++) {
        const int64_t at = mdf_block_begin(n, MDF_ROW_BLOCKS, i);
        const int64_t rows = mdf_block_begin(n, MDF_ROW_BLOCKS, i + 1) - at;
        g->kernels->rms_norm_bwd(dx + at * c, s->partial + i * c, node->out->grad + at * c,
                                 x->data + at * c, w->data, s->stats + at, rows, c, acc);
    }
    for (int i = 0; dw != NULL && i < MDF_ROW_BLOCKS; i++) {
        g->kernels->axpy(dw, 1, s->partial + i * c, c);
    }
}

static const mdf_op op_rms_norm = {"rms_norm", rms_norm_backward};

mdf_tensor *mdf_rms_norm(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_real eps)
{
    if (x == NULL || w == NULL) {
        return NULL;
    }
    const int64_t c = mdf_tensor_count(w);
    if (c < 1 || mdf_last_dim(x) % c != 0) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_rms_norm.name,
                              "x has %lld columns, no multiple of w's %lld",
                              (long long)mdf_last_dim(x), (long long)c);
    }
    const int64_t n = mdf_tensor_count(x) / c;
    mdf_tensor *y = mdf_graph_like(g, x);
    rms_norm_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    mdf_real *stats = mdf_graph_alloc(g, n, sizeof *stats);
    mdf_real *partial = g->train ? mdf_graph_alloc(g, MDF_ROW_BLOCKS * c, sizeof *partial) : NULL;
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    *s = (rms_norm_saved){stats, partial};
    if (n * c <= MDF_CHUNK) { /* a generated token: threads would cost more than it takes */
        g->kernels->rms_norm_fwd(y->data, stats, x->data, w->data, n, c, eps);
    } else {
#pragma omp parallel for schedule(static)
        for (int i = 0; i < MDF_ROW_BLOCKS; i++) {
            const int64_t at = mdf_block_begin(n, MDF_ROW_BLOCKS, i);
            const int64_t rows = mdf_block_begin(n, MDF_ROW_BLOCKS, i + 1) - at;
            g->kernels->rms_norm_fwd(y->data + at * c, stats + at, x->data + at * c, w->data, rows,
                                     c, eps);
        }
    }
    return mdf_graph_record(g, &op_rms_norm, y, (mdf_tensor *[]){x, w}, 2, s);
}
