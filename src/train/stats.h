/* Statistics of a classifier that need no model: intervals, rank curves, overlap. */
#ifndef MDF_TRAIN_STATS_H
#define MDF_TRAIN_STATS_H

#include "base/status.h"

/* NAN in both ends = not defined. */
typedef struct mdf_interval {
    double low;
    double high;
} mdf_interval;

/* Wilson score interval of hits out of n at 95 % (Wilson 1927). NAN when n = 0. */
mdf_interval mdf_wilson(size_t hits, size_t n);

/* The q-quantile (0..1) of n values in ascending order, with linear interpolation between ranks
 * (h = (n - 1) q). NAN when n = 0. */
double mdf_quantile(const double *sorted, size_t n, double q);

/* Scores of one class against the rest, sorted once so that weighted areas are linear-time. */
typedef struct mdf_ranking {
    size_t n;
    uint32_t *order;   /* [n] case numbers, ascending score */
    uint8_t *positive; /* [n] in that order */
    uint8_t *tied;     /* [n] 1 = same score as the entry before */
} mdf_ranking;

/* score: [n] with the given stride (in floats); label: [n]. */
mdf_status mdf_ranking_new(mdf_ranking *r, const float *score, size_t stride, const int *label,
                           int positive_label, size_t n, mdf_error *err) MDF_NODISCARD;
void mdf_ranking_free(mdf_ranking *r);

/* Area under the ROC curve: P(score of a positive > of a negative) + P(equal) / 2, which is the
 * Mann-Whitney statistic with midranks. weight: [n] by case number, NULL = 1 each. NAN when either
 * side has no weight. */
double mdf_ranking_auc(const mdf_ranking *r, const uint32_t *weight);

/* Corners of the ROC curve from (0,0) to (1,1), one per distinct score: fpr and tpr are
 * [n + 1], *count says how many are used. A side without cases stays at 0. */
void mdf_ranking_roc(const mdf_ranking *r, double *fpr, double *tpr, size_t *count);

/* Dice overlap of masks, 2 |A and B| / (|A| + |B|): collect counts over images, then divide. */
typedef struct mdf_dice_count {
    uint64_t both;
    uint64_t predicted;
    uint64_t truth;
} mdf_dice_count;

/* Non-zero bytes are inside. */
void mdf_dice_add(mdf_dice_count *d, const uint8_t *predicted, const uint8_t *truth, size_t n);

/* NAN when both masks are empty. */
double mdf_dice_value(const mdf_dice_count *d);

#endif
