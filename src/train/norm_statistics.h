/* Statistics of fixed norms from the pictures that a model will be trained on: those that come with
 * published weights are of other pictures. */
#ifndef MDF_TRAIN_NORM_STATISTICS_H
#define MDF_TRAIN_NORM_STATISTICS_H

#include <signal.h>

#include "data/batch_fill.h"
#include "nn/mdf_mllm.h"

/* From now on the norms of the U-Net's encoder use the statistics of their batch and move the fixed
 * ones by momentum, as batch norm does in training; 0: they are fixed again. */
void mdf_norms_by_batch(mdf_mllm *m, double momentum);

/* Runs the U-Net's encoder over train_config.norm_batches batches of s, augmented as in training,
 * every norm with the statistics of its batch, and leaves their means over the batches in the
 * model: what batch norm would use in training, at its first step. Nothing is done for 0 batches,
 * without pictures or with an encoder that has no such norms. g does not train; b's capacity is the
 * batch size. MDF_ERR_STOPPED: *stop was set. */
mdf_status mdf_norm_statistics(mdf_mllm *m, mdf_graph *g, mdf_batch_buffer *b, const mdf_samples *s,
                               const volatile sig_atomic_t *stop, mdf_error *err) MDF_NODISCARD;

#endif
