/* Softmax cross entropy with label smoothing; rows whose label is negative do not count. */
#include <string.h>

#include "tensor/op.h"

typedef struct cross_entropy_saved {
    const int32_t *label; /* [N] */
    mdf_real *prob;       /* [N,K] */
    mdf_real smoothing;
    int64_t counted;
} cross_entropy_saved;

static void cross_entropy_backward(mdf_graph *g, const mdf_node *node)
{
    const cross_entropy_saved *s = node->saved;
    mdf_real *dx = mdf_grad_add_target(g, node->in[0]);
    const int64_t k = mdf_last_dim(node->in[0]);
    const int64_t n = mdf_row_count(node->in[0]);
    if (dx == NULL || s->counted == 0) {
        return;
    }
    const mdf_real scale = node->out->grad[0] / (mdf_real)s->counted;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; s->label[i] >= 0 && j < k; j++) {
            const mdf_real t =
                s->smoothing / (mdf_real)k + (j == s->label[i] ? 1 - s->smoothing : 0);
            dx[i * k + j] += scale * (s->prob[i * k + j] - t);
        }
    }
}

static const mdf_op op_cross_entropy = {"cross_entropy", cross_entropy_backward};

mdf_tensor *mdf_cross_entropy(mdf_graph *g, mdf_tensor *logits, const int32_t *label,
                              mdf_real smoothing, mdf_real *prob_out)
{
    if (logits == NULL) {
        return NULL;
    }
    const int64_t k = mdf_last_dim(logits);
    const int64_t n = mdf_row_count(logits);
    mdf_tensor *y = mdf_zeros(g, 1, (int64_t[]){1});
    cross_entropy_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    mdf_real *prob = mdf_graph_alloc(g, n * k, sizeof *prob);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    memcpy(prob, logits->data, (size_t)(n * k) * sizeof *prob);
    double sum = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < n; i++) {
        const mdf_real lse = g->kernels->softmax(prob + i * k, k);
        if (label[i] >= k) {
            return mdf_graph_fail(g, MDF_ERR_SHAPE, op_cross_entropy.name, "label %d of %lld",
                                  (int)label[i], (long long)k);
        }
        for (int64_t j = 0; label[i] >= 0 && j < k; j++) {
            const mdf_real t = smoothing / (mdf_real)k + (j == label[i] ? 1 - smoothing : 0);
            sum -= (double)t * (double)(logits->data[i * k + j] - lse);
        }
        counted += label[i] >= 0;
    }
    if (prob_out != NULL) {
        memcpy(prob_out, prob, (size_t)(n * k) * sizeof *prob);
    }
    y->data[0] = counted == 0 ? 0 : (mdf_real)(sum / (double)counted);
    *s = (cross_entropy_saved){label, prob, smoothing, counted};
    return mdf_graph_record(g, &op_cross_entropy, y, &logits, 1, s);
}
