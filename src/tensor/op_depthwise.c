/* Depthwise convolution with bias, clipped in the same pass. */
#include <string.h>

#include "tensor/op.h"

typedef struct depthwise_saved {
    mdf_depthwise_shape shape;
    mdf_clip clip;
    mdf_real *taps;    /* [K*K,C]: the weights as the kernel wants them */
    mdf_real *partial; /* [B,K*K,C] gradients of one picture's weights each, then
                          [MDF_ROW_BLOCKS,C]; NULL where neither w nor b takes a gradient */
} depthwise_saved;

enum { ROWS = 8 }; /* of a picture that one task computes */

static int64_t tasks_of(int64_t rows)
{
    return (rows + ROWS - 1) / ROWS;
}

static int64_t task_end(int64_t from, int64_t rows)
{
    return from + ROWS < rows ? from + ROWS : rows;
}

static void weight_gradient(mdf_graph *g, const mdf_node *node, const mdf_real *dy)
{
    const depthwise_saved *d = node->saved;
    const mdf_depthwise_shape *s = &d->shape;
    const mdf_tensor *x = node->in[0];
    const int64_t taps = s->kernel * s->kernel;
    mdf_real *dw = mdf_grad_add_target(g, node->in[1]);
    if (dw == NULL) {
        return;
    }
    memset(d->partial, 0, (size_t)(x->dim[0] * taps * s->c) * sizeof *d->partial);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < x->dim[0]; i++) {
        g->kernels->depthwise_bwd_weights(d->partial + i * taps * s->c,
                                          dy + i * s->oh * s->ow * s->c,
                                          x->data + i * s->h * s->w * s->c, s, 0, s->oh);
    }
    for (int64_t i = 0; i < x->dim[0]; i++) {
        for (int64_t t = 0; t < taps; t++) {
            for (int64_t j = 0; j < s->c; j++) {
                dw[j * taps + t] += d->partial[(i * taps + t) * s->c + j];
            }
        }
    }
}

static void depthwise_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    const depthwise_saved *d = node->saved;
    const mdf_depthwise_shape *s = &d->shape;
    mdf_real *dy = node->out->grad;
    bool acc = false;
    mdf_clip_grad(g, dy, node->out->data, mdf_tensor_count(node->out), d->clip);
    weight_gradient(g, node, dy);
    mdf_real *db = mdf_grad_add_target(g, node->in[2]);
    if (db != NULL) {
        mdf_bias_grad(g, db, dy, x->dim[0] * s->oh * s->ow, s->c, d->partial);
    }
    mdf_real *dx = mdf_grad_target(g, x, &acc);
    if (dx == NULL) {
        return;
    }
    const int64_t tasks = tasks_of(s->h);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < x->dim[0] * tasks; i++) {
        const int64_t b = i / tasks;
        const int64_t from = i % tasks * ROWS;
        g->kernels->depthwise_bwd_data(dx + b * s->h * s->w * s->c, dy + b * s->oh * s->ow * s->c,
                                       d->taps, s, from, task_end(from, s->h), acc);
    }
}

static const mdf_op op_depthwise = {"depthwise", depthwise_backward};

mdf_same_axis mdf_same(int64_t size, int64_t kernel, int64_t stride)
{
    const int64_t out = (size + stride - 1) / stride;
    const int64_t around = (out - 1) * stride + kernel - size;
    return (mdf_same_axis){out, around > 0 ? around / 2 : 0};
}

static bool shapes_fit(const mdf_tensor *x, const mdf_tensor *w, const mdf_tensor *b,
                       int64_t stride)
{
    return x->rank == 4 && w->rank == 4 && w->dim[0] == x->dim[3] && w->dim[1] == 1 &&
           w->dim[2] == w->dim[3] && w->dim[2] >= 1 && w->dim[2] <= MDF_DEPTHWISE_MAX &&
           b->rank == 1 && b->dim[0] == w->dim[0] && stride >= 1 && stride <= MDF_DEPTHWISE_MAX;
}

mdf_tensor *mdf_depthwise(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b, int64_t stride,
                          mdf_clip clip)
{
    if (x == NULL || w == NULL || b == NULL) {
        return NULL;
    }
    if (!shapes_fit(x, w, b, stride)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_depthwise.name,
                              "want x [B,H,W,C], w [C,1,K,K], b [C], K and stride 1 to %d",
                              MDF_DEPTHWISE_MAX);
    }
    const mdf_same_axis down = mdf_same(x->dim[1], w->dim[2], stride);
    const mdf_same_axis across = mdf_same(x->dim[2], w->dim[2], stride);
    const int64_t c = x->dim[3];
    const int64_t taps = w->dim[2] * w->dim[2];
    mdf_tensor *y = mdf_graph_tensor(g, 4, (int64_t[]){x->dim[0], down.out, across.out, c});
    depthwise_saved *d = mdf_graph_alloc(g, 1, sizeof *d);
    mdf_real *packed = mdf_graph_alloc(g, taps * c, sizeof *packed);
    mdf_real *partial = NULL;
    if (mdf_wants_grad(g, w) || mdf_wants_grad(g, b)) {
        const int64_t rows = x->dim[0] * taps;
        partial = mdf_graph_alloc(g, (rows > MDF_ROW_BLOCKS ? rows : MDF_ROW_BLOCKS) * c,
                                  sizeof *partial);
    }
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    *d = (depthwise_saved){
        {x->dim[1], x->dim[2], c, down.out, across.out, w->dim[2], stride, down.pad, across.pad},
        clip,
        packed,
        partial};
    for (int64_t i = 0; i < taps * c; i++) {
        packed[i] = w->data[i % c * taps + i / c];
    }
    const mdf_depthwise_shape *s = &d->shape;
    const int64_t tasks = tasks_of(s->oh);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < x->dim[0] * tasks; i++) {
        const int64_t from = i % tasks * ROWS;
        g->kernels->depthwise_fwd(y->data + i / tasks * s->oh * s->ow * c,
                                  x->data + i / tasks * s->h * s->w * c, packed, b->data, s, from,
                                  task_end(from, s->oh), clip.low, clip.high);
    }
    return mdf_graph_record(g, &op_depthwise, y, (mdf_tensor *[]){x, w, b}, 3, d);
}
