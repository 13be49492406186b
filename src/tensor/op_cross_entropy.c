/* Softmax cross entropy with label smoothing; rows whose label is negative do not count, and labels
 * that a row does not allow are not there for it. */
#include <string.h>

#include "tensor/op.h"

typedef struct cross_entropy_saved {
    const int32_t *label;   /* [N] */
    const uint8_t *allowed; /* [N,K] or NULL */
    mdf_real *prob;         /* [N,K] */
    mdf_real *target;       /* [K] of one row */
    mdf_real smoothing;
    int64_t counted;
} cross_entropy_saved;

static const mdf_real out_of_reach = MDF_R(-1e30); /* its exponential is 0 in float and double */

/* t [K] of one row: (1-s) onehot + s / (allowed labels). */
static void target_of(mdf_real *t, int32_t label, const uint8_t *allowed, int64_t k, mdf_real s)
{
    int64_t count = 0;
    for (int64_t j = 0; j < k; j++) {
        count += allowed == NULL || allowed[j] != 0;
    }
    for (int64_t j = 0; j < k; j++) {
        const bool may = allowed == NULL || allowed[j] != 0;
        t[j] = may ? s / (mdf_real)count + (j == label ? 1 - s : 0) : 0;
    }
}

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
        if (s->label[i] < 0) {
            continue;
        }
        target_of(s->target, s->label[i], s->allowed == NULL ? NULL : s->allowed + i * k, k,
                  s->smoothing);
        for (int64_t j = 0; j < k; j++) {
            dx[i * k + j] += scale * (s->prob[i * k + j] - s->target[j]);
        }
    }
}

static const mdf_op op_cross_entropy = {"cross_entropy", cross_entropy_backward};

mdf_tensor *mdf_cross_entropy(mdf_graph *g, mdf_tensor *logits, const int32_t *label,
                              const uint8_t *allowed, mdf_real smoothing, mdf_real *prob_out)
{
    if (logits == NULL) {
        return NULL;
    }
    const int64_t k = mdf_last_dim(logits);
    const int64_t n = mdf_row_count(logits);
    mdf_tensor *y = mdf_zeros(g, 1, (int64_t[]){1});
    cross_entropy_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    mdf_real *prob = mdf_graph_alloc(g, n * k, sizeof *prob);
    mdf_real *target = mdf_graph_alloc(g, k, sizeof *target);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    memcpy(prob, logits->data, (size_t)(n * k) * sizeof *prob);
    double sum = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *may = allowed == NULL ? NULL : allowed + i * k;
        if (label[i] >= k || (label[i] >= 0 && may != NULL && may[label[i]] == 0)) {
            return mdf_graph_fail(g, MDF_ERR_SHAPE, op_cross_entropy.name, "label %d of %lld",
                                  (int)label[i], (long long)k);
        }
        for (int64_t j = 0; label[i] >= 0 && may != NULL && j < k; j++) {
            prob[i * k + j] = may[j] != 0 ? prob[i * k + j] : out_of_reach;
        }
        const mdf_real lse = g->kernels->softmax(prob + i * k, k);
        target_of(target, label[i], may, k, smoothing);
        for (int64_t j = 0; label[i] >= 0 && j < k; j++) {
            sum -= target[j] > 0 ? (double)target[j] * (double)(logits->data[i * k + j] - lse) : 0;
        }
        counted += label[i] >= 0;
    }
    if (prob_out != NULL) {
        memcpy(prob_out, prob, (size_t)(n * k) * sizeof *prob);
    }
    y->data[0] = counted == 0 ? 0 : (mdf_real)(sum / (double)counted);
    *s = (cross_entropy_saved){label, allowed, prob, target, smoothing, counted};
    return mdf_graph_record(g, &op_cross_entropy, y, &logits, 1, s);
}
