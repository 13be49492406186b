/* Inverted dropout. The mask is a function of seed and position, so nothing is stored. */
#include "base/rng.h"
#include "tensor/op.h"

typedef struct dropout_saved {
    uint64_t seed;
    mdf_real rate;
} dropout_saved;

static void apply(mdf_real *y, const mdf_real *x, int64_t n, const dropout_saved *s, bool add)
{
    const mdf_real keep = 1 / (1 - s->rate);
    const uint64_t limit = (uint64_t)((double)s->rate * 0x1p53);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const bool dropped = (mdf_rng_mix(s->seed, (uint64_t)i) >> 11) < limit;
        const mdf_real v = dropped ? 0 : keep * x[i];
        y[i] = add ? y[i] + v : v;
    }
}

static void dropout_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_real *dx = mdf_grad_add_target(g, node->in[0]);
    if (dx != NULL) {
        apply(dx, node->out->grad, mdf_tensor_count(node->out), node->saved, true);
    }
}

static const mdf_op op_dropout = {"dropout", dropout_backward};

mdf_tensor *mdf_dropout(mdf_graph *g, mdf_tensor *x, mdf_real rate, uint64_t seed)
{
    if (x == NULL || !g->train || rate <= 0) {
        return x;
    }
    mdf_tensor *y = mdf_graph_like(g, x);
    dropout_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    if (y == NULL || s == NULL) {
        return NULL;
    }
    *s = (dropout_saved){seed, rate};
    apply(y->data, x->data, mdf_tensor_count(x), s, false);
    return mdf_graph_record(g, &op_dropout, y, &x, 1, s);
}
