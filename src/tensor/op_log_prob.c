/* Log-probability of one chosen token per row of logits. */
#include <string.h>

#include "tensor/op.h"

typedef struct log_prob_saved {
    const int32_t *target; /* [N] */
    mdf_real *prob;        /* [N,V] while training */
} log_prob_saved;

static void log_prob_backward(mdf_graph *g, const mdf_node *node)
{
    const log_prob_saved *s = node->saved;
    mdf_real *dx = mdf_grad_add_target(g, node->in[0]);
    const int64_t v = mdf_last_dim(node->in[0]);
    const int64_t n = mdf_row_count(node->in[0]);
    if (dx == NULL) {
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const mdf_real dy = node->out->grad[i];
        g->kernels->axpy(dx + i * v, -dy, s->prob + i * v, v);
        dx[i * v + s->target[i]] += dy;
    }
}

static const mdf_op op_log_prob = {"log_prob", log_prob_backward};

mdf_tensor *mdf_log_prob(mdf_graph *g, mdf_tensor *logits, const int32_t *target)
{
    if (logits == NULL) {
        return NULL;
    }
    const int64_t v = mdf_last_dim(logits);
    const int64_t n = mdf_row_count(logits);
    mdf_tensor *y = mdf_graph_tensor(g, 1, (int64_t[]){n});
    log_prob_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    mdf_real *prob = mdf_graph_alloc(g, n * v, sizeof *prob);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        if (target[i] < 0 || target[i] >= v) {
            return mdf_graph_fail(g, MDF_ERR_SHAPE, op_log_prob.name, "token %d of %lld",
                                  (int)target[i], (long long)v);
        }
    }
    *s = (log_prob_saved){target, prob};
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        memcpy(prob + i * v, logits->data + i * v, (size_t)v * sizeof *prob);
        const mdf_real lse = g->kernels->softmax(prob + i * v, v);
        y->data[i] = logits->data[i * v + target[i]] - lse;
    }
    return mdf_graph_record(g, &op_log_prob, y, &logits, 1, s);
}
