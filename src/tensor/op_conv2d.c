/* Convolution, stride 1, padding kernel/2. */
#include "tensor/op.h"

static mdf_conv_shape shape_of(const mdf_tensor *x, const mdf_tensor *w)
{
    return (mdf_conv_shape){x->dim[0], x->dim[1], x->dim[2], x->dim[3], w->dim[0], w->dim[2]};
}

static void conv2d_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_tensor *w = node->in[1];
    mdf_tensor *b = node->in[2];
    const mdf_conv_shape s = shape_of(x, w);
    const mdf_kernels *k = g->kernels;
    bool acc = false;
    bool ok = true;
    mdf_real *dw = mdf_grad_add_target(g, w);
    mdf_real *db = b == NULL ? NULL : mdf_grad_add_target(g, b);
    if (dw != NULL) {
        ok = k->conv2d_bwd_weights(k->conv_cache, &s, dw, db, x->data, node->out->grad);
    } else if (db != NULL) {
        k->bias_bwd(db, node->out->grad, s.n * s.h * s.w, s.cout);
    }
    mdf_real *dx = mdf_grad_target(g, x, &acc);
    if (dx != NULL && ok) {
        ok = k->conv2d_bwd_data(k->conv_cache, &s, dx, node->out->grad, w->data, acc);
    }
    if (!ok) {
        (void)mdf_graph_fail(g, MDF_ERR_NOMEM, node->op->name, "out of memory");
    }
}

static const mdf_op op_conv2d = {"conv2d", conv2d_backward};

mdf_tensor *mdf_conv2d(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b)
{
    if (x == NULL || w == NULL) {
        return NULL;
    }
    if (x->rank != 4 || w->rank != 4 || w->dim[1] != x->dim[3] || w->dim[2] != w->dim[3] ||
        (w->dim[2] != 1 && w->dim[2] != 3)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_conv2d.name,
                              "want x [B,H,W,Cin] and w [Cout,Cin,K,K] with K = 1 or 3");
    }
    if (b != NULL && (b->rank != 1 || b->dim[0] != w->dim[0])) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_conv2d.name, "want b [Cout]");
    }
    mdf_tensor *y = mdf_graph_tensor(g, 4, (int64_t[]){x->dim[0], x->dim[1], x->dim[2], w->dim[0]});
    if (y == NULL) {
        return NULL;
    }
    const mdf_conv_shape s = shape_of(x, w);
    if (!g->kernels->conv2d_fwd(g->kernels->conv_cache, &s, y->data, x->data, w->data,
                                b == NULL ? NULL : b->data)) {
        return mdf_graph_fail(g, MDF_ERR_NOMEM, op_conv2d.name, "out of memory");
    }
    return mdf_graph_record(g, &op_conv2d, y, (mdf_tensor *[]){x, w, b}, 3, NULL);
}
