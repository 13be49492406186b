/* y = x + tanh(gate) * z: how a new branch joins a network without disturbing it. */
#include <string.h>

#include "tensor/op.h"

typedef struct gated_add_saved {
    const uint8_t *row_mask; /* [N] or NULL */
    mdf_real t;              /* tanh(gate) */
} gated_add_saved;

static void gated_add_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_tensor *z = node->in[1];
    const gated_add_saved *s = node->saved;
    const mdf_real *dy = node->out->grad;
    const int64_t c = mdf_last_dim(x);
    const int64_t n = mdf_row_count(x);
    mdf_real *dg = mdf_grad_add_target(g, node->in[2]);
    double sum = 0;
    for (int64_t i = 0; dg != NULL && i < n; i++) {
        if (s->row_mask == NULL || s->row_mask[i] != 0) {
            sum += g->kernels->dot(dy + i * c, z->data + i * c, c);
        }
    }
    if (dg != NULL) {
        dg[0] += (mdf_real)(sum * (1.0 - (double)s->t * (double)s->t));
    }
    mdf_real *dz = mdf_grad_add_target(g, z);
    if (dz != NULL) {
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < n; i++) {
            if (s->row_mask == NULL || s->row_mask[i] != 0) {
                g->kernels->axpy(dz + i * c, s->t, dy + i * c, c);
            }
        }
    }
    bool acc = false;
    mdf_real *dx = mdf_grad_target(g, x, &acc);
    if (dx != NULL) {
        mdf_add_into(g, dx, dy, n * c, acc);
    }
}

static const mdf_op op_gated_add = {"gated_add", gated_add_backward};

mdf_tensor *mdf_gated_add(mdf_graph *g, mdf_tensor *x, mdf_tensor *z, mdf_tensor *gate,
                          const uint8_t *row_mask)
{
    if (x == NULL || z == NULL || gate == NULL) {
        return NULL;
    }
    if (!mdf_same_shape(x, z) || mdf_tensor_count(gate) != 1) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_gated_add.name, "want equal shapes, gate [1]");
    }
    mdf_tensor *y = mdf_graph_like(g, x);
    gated_add_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    if (y == NULL || s == NULL) {
        return NULL;
    }
    *s = (gated_add_saved){row_mask, mdf_tanh(gate->data[0])};
    const int64_t c = mdf_last_dim(x);
    const int64_t n = mdf_row_count(x);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        memcpy(y->data + i * c, x->data + i * c, (size_t)c * sizeof *y->data);
        if (row_mask == NULL || row_mask[i] != 0) {
            g->kernels->axpy(y->data + i * c, s->t, z->data + i * c, c);
        }
    }
    return mdf_graph_record(g, &op_gated_add, y, (mdf_tensor *[]){x, z, gate}, 3, s);
}
