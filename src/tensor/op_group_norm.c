/* Group normalisation of pictures, optionally followed by ReLU in the same pass. */
#include <string.h>

#include "tensor/op.h"

typedef struct group_norm_saved {
    int64_t groups;
    bool relu;
    mdf_real *stats;   /* [B, G, 2]: mean, rstd */
    mdf_real *scratch; /* [B, 4C]: per-picture weight gradients and the kernel's own sums */
} group_norm_saved;

static void group_norm_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_tensor *w = node->in[1];
    mdf_tensor *b = node->in[2];
    const group_norm_saved *s = node->saved;
    const int64_t c = x->dim[3];
    const int64_t p = x->dim[1] * x->dim[2];
    const mdf_real *dy = node->out->grad;
    bool acc = false;
    mdf_real *dw = w == NULL ? NULL : mdf_grad_add_target(g, w);
    mdf_real *db = b == NULL ? NULL : mdf_grad_add_target(g, b);
    mdf_real *dx = mdf_grad_target_or_scratch(g, x, &acc);
    if (dx == NULL) {
        return;
    }
    const bool affine = dw != NULL || db != NULL; /* the kernel sums both or none */
    memset(s->scratch, 0, (size_t)(x->dim[0] * 4 * c) * sizeof *s->scratch);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < x->dim[0]; i++) {
        mdf_real *own = s->scratch + i * 4 * c;
        g->kernels->group_norm_bwd(dx + i * p * c, affine ? own : NULL, affine ? own + c : NULL,
                                   dy + i * p * c, x->data + i * p * c, node->out->data + i * p * c,
                                   w == NULL ? NULL : w->data, s->stats + i * s->groups * 2, p, c,
                                   s->groups, s->relu, acc, own + 2 * c);
    }
    for (int64_t i = 0; i < x->dim[0]; i++) {
        if (dw != NULL) {
            g->kernels->axpy(dw, 1, s->scratch + i * 4 * c, c);
        }
        if (db != NULL) {
            g->kernels->axpy(db, 1, s->scratch + i * 4 * c + c, c);
        }
    }
}

static const mdf_op op_group_norm = {"group_norm", group_norm_backward};

mdf_tensor *mdf_group_norm(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b,
                           int64_t groups, mdf_real eps, bool relu)
{
    if (x == NULL) {
        return NULL;
    }
    if (x->rank != 4 || groups < 1 || x->dim[3] % groups != 0 || (w == NULL) != (b == NULL) ||
        (w != NULL && (mdf_tensor_count(w) != x->dim[3] || mdf_tensor_count(b) != x->dim[3]))) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_group_norm.name,
                              "want x [B,H,W,C], w and b [C], C a multiple of %lld groups",
                              (long long)groups);
    }
    const int64_t c = x->dim[3];
    const int64_t p = x->dim[1] * x->dim[2];
    mdf_tensor *y = mdf_graph_like(g, x);
    group_norm_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    mdf_real *stats = mdf_graph_alloc(g, x->dim[0] * groups * 2, sizeof *stats);
    mdf_real *scratch = g->train ? mdf_graph_alloc(g, x->dim[0] * 4 * c, sizeof *scratch) : NULL;
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    *s = (group_norm_saved){groups, relu, stats, scratch};
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < x->dim[0]; i++) {
        g->kernels->group_norm_fwd(y->data + i * p * c, stats + i * groups * 2, x->data + i * p * c,
                                   w == NULL ? NULL : w->data, b == NULL ? NULL : b->data, p, c,
                                   groups, eps, relu);
    }
    return mdf_graph_record(g, &op_group_norm, y, (mdf_tensor *[]){x, w, b}, 3, s);
}
