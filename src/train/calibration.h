/* How far probabilities can be believed, and the one number (a temperature) that repairs them.
 * Guo et al. 2017, "On Calibration of Modern Neural Networks". */
#ifndef MDF_TRAIN_CALIBRATION_H
#define MDF_TRAIN_CALIBRATION_H

#include "base/status.h"

#define MDF_ECE_BINS 15 /* equal widths over (0, 1], as in the paper */

/* Mean negative log-likelihood of the labels [N] under softmax(logits / temperature). Cases with a
 * negative label don't count. */
double mdf_nll(const float *logits, const int *label, size_t n, size_t classes, double temperature);

/* The temperature in [0.05, 20] with the smallest NLL, within 1e-6 in its logarithm. Fit it on
 * validation cases only. No labelled case, or a logit that is not finite: error, *temperature
 * unchanged. */
mdf_status mdf_temperature_fit(double *temperature, const float *logits, const int *label, size_t n,
                               size_t classes, mdf_error *err) MDF_NODISCARD;

/* The cases whose largest probability lies in one bin. */
typedef struct mdf_reliability_bin {
    size_t n;
    double confidence; /* mean of the largest probability; 0 when n = 0 */
    double accuracy;   /* share of right answers; 0 when n = 0 */
} mdf_reliability_bin;

/* prob [N,K], label [N] in 0..K-1. */
void mdf_reliability(mdf_reliability_bin bin[MDF_ECE_BINS], const float *prob, const int *label,
                     size_t n, size_t classes);

/* Expected calibration error: mean |confidence - accuracy| over bins, weighted by their cases. NAN
 * without cases. */
double mdf_ece(const mdf_reliability_bin bin[MDF_ECE_BINS]);

/* Brier score: mean over cases of sum_k (p_k - [k = label])^2, between 0 and 2. */
double mdf_brier(const float *prob, const int *label, size_t n, size_t classes);

/* Index of the first largest value. */
int mdf_argmax(const float *row, size_t classes);

#endif
