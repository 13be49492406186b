/* 2x2 max pooling. */
#include "tensor/op.h"

static void max_pool_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    bool acc = false;
    mdf_real *dx = mdf_grad_target(g, x, &acc);
    if (dx == NULL) {
        return;
    }
    const int64_t rows = x->dim[0] * x->dim[1] / 2;
    const int64_t line = x->dim[2] * x->dim[3];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        g->kernels->max_pool_bwd(dx + 2 * r * line, node->out->grad + r * line / 2,
                                 x->data + 2 * r * line, 2, x->dim[2], x->dim[3], acc);
    }
}

static const mdf_op op_max_pool = {"max_pool2x2", max_pool_backward};

mdf_tensor *mdf_max_pool2x2(mdf_graph *g, mdf_tensor *x)
{
    if (x == NULL) {
        return NULL;
    }
    if (x->rank != 4 || x->dim[1] % 2 != 0 || x->dim[2] % 2 != 0) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_max_pool.name,
                              "want x [B,H,W,C] with H and W even");
    }
    mdf_tensor *y =
        mdf_graph_tensor(g, 4, (int64_t[]){x->dim[0], x->dim[1] / 2, x->dim[2] / 2, x->dim[3]});
    if (y == NULL) {
        return NULL;
    }
    const int64_t rows = x->dim[0] * x->dim[1] / 2;
    const int64_t line = x->dim[2] * x->dim[3];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        g->kernels->max_pool_fwd(y->data + r * line / 2, x->data + 2 * r * line, 2, x->dim[2],
                                 x->dim[3]);
    }
    return mdf_graph_record(g, &op_max_pool, y, &x, 1, NULL);
}
