/* Layer normalisation over the last dimension. */
#include <string.h>

#include "tensor/op.h"

typedef struct layer_norm_saved {
    mdf_real *stats;   /* [N,2] mean, rstd */
    mdf_real *partial; /* [MDF_ROW_BLOCKS, 2, C] weight and bias gradients */
} layer_norm_saved;

static void layer_norm_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_tensor *w = node->in[1];
    const layer_norm_saved *s = node->saved;
    const int64_t c = mdf_last_dim(x);
    const int64_t n = mdf_row_count(x);
    bool acc = false;
    mdf_real *dw = mdf_grad_add_target(g, w);
    mdf_real *db = mdf_grad_add_target(g, node->in[2]);
    mdf_real *dx = mdf_grad_target_or_scratch(g, x, &acc);
    if (dx == NULL) {
        return;
    }
    memset(s->partial, 0, (size_t)(MDF_ROW_BLOCKS * 2 * c) * sizeof *s->partial);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < MDF_ROW_BLOCKS; i++) {
        const int64_t at = mdf_block_begin(n, MDF_ROW_BLOCKS, i);
        const int64_t rows = mdf_block_begin(n, MDF_ROW_BLOCKS, i + 1) - at;
        mdf_real *own = s->partial + i * 2 * c;
        g->kernels->layer_norm_bwd(dx + at * c, own, own + c, node->out->grad + at * c,
                                   x->data + at * c, w->data, s->stats + at * 2, rows, c, acc);
    }
    for (int i = 0; i < MDF_ROW_BLOCKS; i++) {
        if (dw != NULL) {
            g->kernels->axpy(dw, 1, s->partial + i * 2 * c, c);
        }
        if (db != NULL) {
            g->kernels->axpy(db, 1, s->partial + i * 2 * c + c, c);
        }
    }
}

static const mdf_op op_layer_norm = {"layer_norm", layer_norm_backward};

mdf_tensor *mdf_layer_norm(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b, mdf_real eps)
{
    if (x == NULL || w == NULL || b == NULL) {
        return NULL;
    }
    const int64_t c = mdf_last_dim(x);
    const int64_t n = mdf_row_count(x);
    if (mdf_tensor_count(w) != c || mdf_tensor_count(b) != c) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_layer_norm.name, "want x [..,C], w [C], b [C]");
    }
    mdf_tensor *y = mdf_graph_like(g, x);
    layer_norm_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    mdf_real *stats = mdf_graph_alloc(g, n * 2, sizeof *stats);
    mdf_real *partial =
        g->train ? mdf_graph_alloc(g, MDF_ROW_BLOCKS * 2 * c, sizeof *partial) : NULL;
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    *s = (layer_norm_saved){stats, partial};
#pragma omp parallel for schedule(static)
    for (int i = 0; i < MDF_ROW_BLOCKS; i++) {
        const int64_t at = mdf_block_begin(n, MDF_ROW_BLOCKS, i);
        const int64_t rows = mdf_block_begin(n, MDF_ROW_BLOCKS, i + 1) - at;
        g->kernels->layer_norm_fwd(y->data + at * c, stats + at * 2, x->data + at * c, w->data,
                                   b->data, rows, c, eps);
    }
    return mdf_graph_record(g, &op_layer_norm, y, (mdf_tensor *[]){x, w, b}, 3, s);
}
