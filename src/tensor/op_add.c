/* Sums: of two tensors, a scaled tensor, two weighted losses. */
#include "tensor/op.h"

static void add_backward(mdf_graph *g, const mdf_node *node)
{
    for (int i = 0; i < 2; i++) {
        bool acc = false;
        mdf_real *dx = mdf_grad_target(g, node->in[i], &acc);
        if (dx != NULL) {
            mdf_add_into(g, dx, node->out->grad, mdf_tensor_count(node->out), acc);
        }
    }
}

static const mdf_op op_add = {"add", add_backward};

mdf_tensor *mdf_add(mdf_graph *g, mdf_tensor *a, mdf_tensor *b)
{
    if (a == NULL || b == NULL) {
        return NULL;
    }
    if (!mdf_same_shape(a, b)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_add.name, "want equal shapes");
    }
    mdf_tensor *y = mdf_graph_like(g, a);
    if (y == NULL) {
        return NULL;
    }
    mdf_add_into(g, y->data, a->data, mdf_tensor_count(a), false);
    mdf_add_into(g, y->data, b->data, mdf_tensor_count(a), true);
    return mdf_graph_record(g, &op_add, y, (mdf_tensor *[]){a, b}, 2, NULL);
}

static void scale_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_real *dx = mdf_grad_add_target(g, node->in[0]);
    if (dx != NULL) {
        g->kernels->axpy(dx, *(const mdf_real *)node->saved, node->out->grad,
                         mdf_tensor_count(node->out));
    }
}

static const mdf_op op_scale = {"scale", scale_backward};

mdf_tensor *mdf_scale(mdf_graph *g, mdf_tensor *x, mdf_real s)
{
    mdf_tensor *y = x == NULL ? NULL : mdf_zeros(g, x->rank, x->dim);
    mdf_real *saved = y == NULL ? NULL : mdf_graph_alloc(g, 1, sizeof *saved);
    if (saved == NULL) {
        return NULL;
    }
    *saved = s;
    g->kernels->axpy(y->data, s, x->data, mdf_tensor_count(x));
    return mdf_graph_record(g, &op_scale, y, &x, 1, saved);
}

static void loss_sum_backward(mdf_graph *g, const mdf_node *node)
{
    const mdf_real *factor = node->saved;
    for (int i = 0; i < 2; i++) {
        mdf_real *dx = node->in[i] == NULL ? NULL : mdf_grad_add_target(g, node->in[i]);
        if (dx != NULL) {
            dx[0] += factor[i] * node->out->grad[0];
        }
    }
}

static const mdf_op op_loss_sum = {"loss_sum", loss_sum_backward};

mdf_tensor *mdf_loss_sum(mdf_graph *g, mdf_tensor *x, mdf_real a, mdf_tensor *y, mdf_real b)
{
    if (g->error.code != MDF_OK || (x == NULL && y == NULL)) {
        return NULL;
    }
    mdf_tensor *z = mdf_zeros(g, 1, (int64_t[]){1});
    mdf_real *saved = mdf_graph_alloc(g, 2, sizeof *saved);
    if (z == NULL || saved == NULL) {
        return NULL;
    }
    saved[0] = a;
    saved[1] = b;
    z->data[0] = (x == NULL ? 0 : a * x->data[0]) + (y == NULL ? 0 : b * y->data[0]);
    return mdf_graph_record(g, &op_loss_sum, z, (mdf_tensor *[]){x, y}, 2, saved);
}
