/* Statistics of fixed norms from pictures that a model has not seen: those that come with published
 * weights are of other pictures, those of a trained model of other cameras. */
#ifndef MDF_TRAIN_NORM_STATISTICS_H
#define MDF_TRAIN_NORM_STATISTICS_H

#include <signal.h>

#include "data/batch_fill.h"
#include "nn/mdf_mllm.h"

/* From now on the norms of the U-Net's encoder use the statistics of their batch and move the fixed
 * ones by momentum, as batch norm does in training; 0: they are fixed again. */
void mdf_norms_by_batch(mdf_mllm *m, double momentum);

/* Means over batches. Between _new() and _set() the model's own statistics are out of place:
 *
 *     mdf_norm_means n;
 *     MDF_TRY(mdf_norm_means_new(&n, model, err));
 *     ... mdf_norm_means_add() for every batch, while there is no error
 *     mdf_norm_means_set(&n, model, weight);  after an error: weight 0
 *     mdf_norm_means_free(&n); */
typedef struct mdf_norm_means {
    double *sum, *own; /* [count] over the batches, and before: in the order of the parameters */
    size_t count;
    int batches;
} mdf_norm_means;

/* MDF_ERR_ARG: the encoder has no such norms (unet_config.encoder = "plain", or there is none). */
mdf_status mdf_norm_means_new(mdf_norm_means *n, mdf_mllm *m, mdf_error *err) MDF_NODISCARD;
void mdf_norm_means_free(mdf_norm_means *n);

/* One batch through encoder and classifier of the picture: image [cases,side,side,3], normalised
 * (mdf_unet_norm()); g does not train and is reset. */
mdf_status mdf_norm_means_add(mdf_norm_means *n, const mdf_mllm *m, mdf_graph *g, mdf_real *image,
                              int64_t cases, int64_t side, mdf_error *err) MDF_NODISCARD;

/* The norms are fixed again, with weight * mean over the batches + (1 - weight) * their own. */
void mdf_norm_means_set(const mdf_norm_means *n, mdf_mllm *m, double weight);

/* How far the means have moved in all: root mean square over channels, in the model's own standard
 * deviations of each. */
double mdf_norm_means_shift(const mdf_norm_means *n, const mdf_mllm *m);

/* The means over train_config.norm_batches batches of s, drawn at random and augmented as in
 * training: what batch norm would use in training, at its first step. Nothing is done for 0
 * batches, without pictures or with an encoder that has no such norms. g does not train; b's
 * capacity is the batch size. MDF_ERR_STOPPED: *stop was set. */
mdf_status mdf_norm_statistics(mdf_mllm *m, mdf_graph *g, mdf_batch_buffer *b, const mdf_samples *s,
                               const volatile sig_atomic_t *stop, mdf_error *err) MDF_NODISCARD;

#endif
