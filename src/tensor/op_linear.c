/* y = x w^T + b, the dense layer. */
#include <string.h>

#include "tensor/op.h"

void mdf_bias_grad(const mdf_graph *g, mdf_real *db, const mdf_real *dy, int64_t n, int64_t c,
                   mdf_real *scratch)
{
    memset(scratch, 0, (size_t)(MDF_ROW_BLOCKS * c) * sizeof *scratch);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < MDF_ROW_BLOCKS; i++) {
        const int64_t begin = mdf_block_begin(n, MDF_ROW_BLOCKS, i);
        const int64_t end = mdf_block_begin(n, MDF_ROW_BLOCKS, i + 1);
        g->kernels->bias_bwd(scratch + i * c, dy + begin * c, end - begin, c);
    }
    for (int i = 0; i < MDF_ROW_BLOCKS; i++) {
        g->kernels->axpy(db, 1, scratch + i * c, c);
    }
}

static void linear_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_tensor *w = node->in[1];
    mdf_tensor *b = node->in[2];
    const mdf_real *dy = node->out->grad;
    const int64_t out = w->dim[0];
    const int64_t in = w->dim[1];
    const int64_t n = mdf_tensor_count(x) / in;
    bool acc = false;
    mdf_real *dx = mdf_grad_target(g, x, &acc);
    if (dx != NULL) {
        g->kernels->gemm(false, false, n, in, out, 1, dy, out, w->data, in, acc ? 1 : 0, dx, in);
    }
    mdf_real *dw = mdf_grad_target(g, w, &acc);
    if (dw != NULL) {
        g->kernels->gemm(true, false, out, in, n, 1, dy, out, x->data, in, acc ? 1 : 0, dw, in);
    }
    mdf_real *db = b == NULL ? NULL : mdf_grad_add_target(g, b);
    if (db != NULL) {
        mdf_bias_grad(g, db, dy, n, out, node->saved);
    }
}

static const mdf_op op_linear = {"linear", linear_backward};

mdf_tensor *mdf_linear(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b)
{
    if (x == NULL || w == NULL) {
        return NULL;
    }
    if (w->rank < 2 || (b != NULL && (b->rank != 1 || b->dim[0] != w->dim[0]))) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_linear.name, "want w [O,I] and b [O]");
    }
    if (w->rank > 2) { /* a convolution's weight used as a dense layer over patches */
        w = mdf_reshape(g, w, 2, (int64_t[]){w->dim[0], mdf_tensor_count(w) / w->dim[0]});
        if (w == NULL) {
            return NULL;
        }
    }
    const int64_t out = w->dim[0];
    const int64_t in = w->dim[1];
    if (mdf_last_dim(x) != in) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_linear.name, "x has %lld columns, w wants %lld",
                              (long long)mdf_last_dim(x), (long long)in);
    }
    int64_t dim[MDF_MAX_RANK];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->rank - 1] = out;
    mdf_tensor *y = mdf_graph_tensor(g, x->rank, dim);
    mdf_real *scratch = NULL;
    if (b != NULL && mdf_wants_grad(g, b)) {
        scratch = mdf_graph_alloc(g, MDF_ROW_BLOCKS * out, sizeof *scratch);
    }
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    const int64_t n = mdf_row_count(x);
    g->kernels->gemm(false, true, n, out, in, 1, x->data, in, w->data, in, 0, y->data, out);
    if (b != NULL) {
        const int64_t blocks = n * out > MDF_CHUNK ? MDF_ROW_BLOCKS : 1;
#pragma omp parallel for schedule(static) if (blocks > 1)
        for (int64_t i = 0; i < blocks; i++) {
            const int64_t begin = mdf_block_begin(n, blocks, i);
            const int64_t end = mdf_block_begin(n, blocks, i + 1);
            g->kernels->bias_fwd(y->data + begin * out, b->data, end - begin, out);
        }
    }
    return mdf_graph_record(g, &op_linear, y, (mdf_tensor *[]){x, w, b}, 3, scratch);
}
