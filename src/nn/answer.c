/* Label scores, and what they are as probabilities. */
#include "nn/answer.h"

#include <math.h>

bool mdf_answer_plan(mdf_graph *g, const mdf_config *c, const mdf_tree_view *t, int64_t cases,
                     const int32_t *behind, const int32_t *label, mdf_answer_rows *a)
{
    const int64_t n = cases * t->offset[t->labels];
    *a = (mdf_answer_rows){.pairs = n};
    a->row = mdf_graph_alloc(g, n, sizeof *a->row);
    a->target = mdf_graph_alloc(g, n, sizeof *a->target);
    a->index = mdf_graph_alloc(g, n, sizeof *a->index);
    a->weight = mdf_graph_alloc(g, n, sizeof *a->weight);
    a->offset = mdf_graph_alloc(g, cases * t->labels + 1, sizeof *a->offset);
    a->true_index = mdf_graph_alloc(g, n, sizeof *a->true_index);
    a->true_weight = mdf_graph_alloc(g, n, sizeof *a->true_weight);
    a->true_offset = mdf_graph_alloc(g, 2, sizeof *a->true_offset);
    if (g->error.code != MDF_OK) {
        return false;
    }
    int32_t at = 0;
    a->offset[0] = 0;
    for (int64_t i = 0; i < cases; i++) {
        for (int64_t k = 0; k < t->labels; k++) {
            const int32_t len = t->offset[k + 1] - t->offset[k];
            for (int32_t j = t->offset[k]; j < t->offset[k + 1]; j++, at++) {
                a->row[at] = behind[i] + t->source[j]; /* source -1: the prompt's last row */
                a->target[at] = t->target[j];
                a->index[at] = at;
                a->weight[at] =
                    (mdf_real)(c->answer.scale / (c->answer.normalise_mean ? (double)len : 1.0));
                if (label != NULL && label[i] == k) {
                    a->true_index[a->true_count++] = at;
                }
            }
            a->offset[i * t->labels + k + 1] = at;
        }
    }
    for (int64_t i = 0; i < a->true_count; i++) {
        a->true_weight[i] = -1 / (mdf_real)a->true_count;
    }
    a->true_offset[0] = 0;
    a->true_offset[1] = (int32_t)a->true_count;
    return true;
}

mdf_tensor *mdf_answer_scores(mdf_graph *g, const mdf_answer_rows *a, mdf_tensor *h,
                              const mdf_text *text, int64_t cases, int64_t labels,
                              mdf_tensor **log_prob)
{
    h = mdf_gather_rows(g, h, a->row, a->pairs);
    mdf_tensor *p = mdf_log_prob(g, mdf_text_logits(g, text, h), a->target);
    mdf_tensor *scores = mdf_segment_sum(g, p, a->index, a->weight, a->offset, cases * labels);
    if (log_prob != NULL) {
        *log_prob = p;
    }
    return mdf_reshape(g, scores, 2, (int64_t[]){cases, labels});
}

void mdf_softmax_temperature(float *prob, const float *logits, size_t n, size_t classes,
                             double temperature)
{
    for (size_t i = 0; i < n; i++) {
        const float *z = logits + i * classes;
        float *p = prob + i * classes;
        double top = (double)z[0];
        for (size_t k = 1; k < classes; k++) {
            top = (double)z[k] > top ? (double)z[k] : top;
        }
        double sum = 0;
        for (size_t k = 0; k < classes; k++) {
            sum += exp(((double)z[k] - top) / temperature);
        }
        for (size_t k = 0; k < classes; k++) {
            p[k] = (float)(exp(((double)z[k] - top) / temperature) / sum);
        }
    }
}
