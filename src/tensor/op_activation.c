/* GELU (exact) and SwiGLU. */
#include "tensor/op.h"

static void gelu_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    bool acc = false;
    mdf_real *dx = mdf_grad_target(g, x, &acc);
    const int64_t n = mdf_tensor_count(x);
    if (dx == NULL) {
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < mdf_chunks(n); i++) {
        const int64_t at = i * MDF_CHUNK;
        g->kernels->gelu_bwd(dx + at, node->out->grad + at, x->data + at, mdf_chunk_size(n, i),
                             acc);
    }
}

static const mdf_op op_gelu = {"gelu", gelu_backward};

mdf_tensor *mdf_gelu(mdf_graph *g, mdf_tensor *x)
{
    mdf_tensor *y = x == NULL ? NULL : mdf_graph_like(g, x);
    if (y == NULL) {
        return NULL;
    }
    const int64_t n = mdf_tensor_count(x);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < mdf_chunks(n); i++) {
        const int64_t at = i * MDF_CHUNK;
        g->kernels->gelu_fwd(y->data + at, x->data + at, mdf_chunk_size(n, i));
    }
    return mdf_graph_record(g, &op_gelu, y, &x, 1, NULL);
}

static void swiglu_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *a = node->in[0];
    mdf_tensor *b = node->in[1];
    bool acc_a = false;
    bool acc_b = false;
    mdf_real *da = mdf_grad_target_or_scratch(g, a, &acc_a);
    mdf_real *db = mdf_grad_target_or_scratch(g, b, &acc_b);
    const int64_t n = mdf_tensor_count(a);
    if (da == NULL || db == NULL) {
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < mdf_chunks(n); i++) {
        const int64_t at = i * MDF_CHUNK;
        g->kernels->swiglu_bwd(da + at, db + at, node->out->grad + at, a->data + at, b->data + at,
                               mdf_chunk_size(n, i), acc_a, acc_b);
    }
}

static const mdf_op op_swiglu = {"swiglu", swiglu_backward};

mdf_tensor *mdf_swiglu(mdf_graph *g, mdf_tensor *gate, mdf_tensor *up)
{
    if (gate == NULL || up == NULL) {
        return NULL;
    }
    if (!mdf_same_shape(gate, up)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_swiglu.name, "want equal shapes");
    }
    mdf_tensor *y = mdf_graph_like(g, gate);
    if (y == NULL) {
        return NULL;
    }
    const int64_t n = mdf_tensor_count(y);
    if (n <= MDF_CHUNK) { /* a generated token: threads would cost more than it takes */
        g->kernels->swiglu_fwd(y->data, gate->data, up->data, n);
    } else {
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < mdf_chunks(n); i++) {
            const int64_t at = i * MDF_CHUNK;
            g->kernels->swiglu_fwd(y->data + at, gate->data + at, up->data + at,
                                   mdf_chunk_size(n, i));
        }
    }
    return mdf_graph_record(g, &op_swiglu, y, (mdf_tensor *[]){gate, up}, 2, NULL);
}

mdf_clip mdf_no_clip(void)
{
    return (mdf_clip){-(mdf_real)INFINITY, (mdf_real)INFINITY};
}

mdf_clip mdf_relu6(void)
{
    return (mdf_clip){0, 6};
}

void mdf_clip_grad(const mdf_graph *g, mdf_real *dy, const mdf_real *y, int64_t n, mdf_clip clip)
{
    if (!mdf_clips(clip)) {
        return;
    }
    const int64_t chunks = mdf_chunks(n);
#pragma omp parallel for schedule(static) if (chunks > 1)
    for (int64_t i = 0; i < chunks; i++) {
        g->kernels->clip_bwd(dy + i * MDF_CHUNK, y + i * MDF_CHUNK, mdf_chunk_size(n, i), clip.low,
                             clip.high);
    }
}
