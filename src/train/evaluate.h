/* Runs a model over samples without training: label scores, losses, mask overlap. */
#ifndef MDF_TRAIN_EVALUATE_H
#define MDF_TRAIN_EVALUATE_H

#include "data/batch_fill.h"
#include "data/samples.h"
#include "nn/mdf_mllm.h"
#include "train/mask_scores.h"

typedef struct mdf_scores {
    float *score; /* [N,K] before the temperature */
    size_t count, classes;
    mdf_mask_scores masks; /* of the whole square at the U-Net's size, where masks were wanted */
} mdf_scores;

/* masks: also run the decoder where masks exist. g must not train; it is reset between batches.
 * buffer's capacity is the batch size. */
mdf_status mdf_score_samples(mdf_scores *out, mdf_graph *g, const mdf_mllm *m, const mdf_samples *s,
                             mdf_batch_buffer *buffer, bool masks, mdf_samples_progress *progress,
                             void *user, mdf_error *err) MDF_NODISCARD;
void mdf_scores_free(mdf_scores *s);

#endif
