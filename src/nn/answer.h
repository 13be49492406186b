/* Label scores: where each label's token probabilities stand, their sums, and what they are as
 * probabilities. */
#ifndef MDF_NN_ANSWER_H
#define MDF_NN_ANSWER_H

#include "config/config.h"
#include "nn/batch.h"
#include "nn/text.h"

/* Logits are computed once for every (row, target) pair of the tree. */
typedef struct mdf_answer_rows {
    int32_t *row, *target;   /* [B*pairs] */
    int32_t *index, *offset; /* scores: [B*pairs], [B*K+1] */
    mdf_real *weight;
    int32_t *true_index, *true_offset; /* language-model loss */
    mdf_real *true_weight;
    int64_t pairs, true_count; /* pairs of all cases */
} mdf_answer_rows;

/* behind [B]: the hidden-state row that follows a case's prompt; the prompt's last row stands
 * before it. label [B] or NULL. False: the graph has the error. */
bool mdf_answer_plan(mdf_graph *g, const mdf_config *c, const mdf_tree_view *t, int64_t cases,
                     const int32_t *behind, const int32_t *label, mdf_answer_rows *a);

/* Hidden states h [N,D] -> scores [B,K]; *log_prob, unless NULL, takes the pairs' [B*pairs]. */
mdf_tensor *mdf_answer_scores(mdf_graph *g, const mdf_answer_rows *a, mdf_tensor *h,
                              const mdf_text *text, int64_t cases, int64_t labels,
                              mdf_tensor **log_prob);

/* prob [N,K] = softmax(logits [N,K] / temperature), row by row; may be in place. */
void mdf_softmax_temperature(float *prob, const float *logits, size_t n, size_t classes,
                             double temperature);

#endif
