/* What `mdf eval` reports, from probabilities alone.
 *
 *     mdf_metrics m;
 *     MDF_TRY(mdf_metrics_compute(&m, &(mdf_metrics_input){.prob = prob, .label = label,
 *                                 .patient = patient, .n = n, .classes = classes}, err));
 *     json_t *json = mdf_metrics_json(&m, &(mdf_metrics_naming){.labels = labels});
 *     mdf_metrics_free(&m);
 *
 * Definitions: the answer is the class of the largest probability. Balanced accuracy is the mean
 * sensitivity of the classes that occur; macro F1 the mean F1 of the classes that occur or are
 * answered; macro AUC the mean one-vs-rest area of the classes that have both positives and
 * negatives. A number that the sample can't give is NAN here and null in JSON. */
#ifndef MDF_TRAIN_METRICS_H
#define MDF_TRAIN_METRICS_H

#include <jansson.h>

#include "base/strbuf.h"
#include "train/calibration.h"
#include "train/mask_scores.h"
#include "train/relabel.h"
#include "train/stats.h"

#define MDF_BOOTSTRAP_DEFAULT 2000

typedef struct mdf_metrics_input {
    const float *prob;       /* [N,K], rows sum to 1 */
    const float *calibrated; /* [N,K] after temperature scaling; NULL = none */
    const int *label;        /* [N] in 0..K-1 */
    const int *patient;      /* [N] any numbers, equal = same patient; NULL = one case each */
    size_t n;
    size_t classes;
    size_t resamples; /* of the bootstrap; 0 = MDF_BOOTSTRAP_DEFAULT */
    uint64_t seed;    /* of the bootstrap */
} mdf_metrics_input;

typedef struct mdf_class_metrics {
    size_t n;        /* cases of this class */
    size_t answered; /* cases given this answer */
    double sensitivity;
    mdf_interval sensitivity_ci; /* Wilson 95 % */
    double specificity;
    mdf_interval specificity_ci;
    double precision;
    double f1;
    double auc;
} mdf_class_metrics;

/* Owns its memory; mdf_metrics_free(). */
typedef struct mdf_metrics {
    size_t n;
    size_t classes;
    size_t patients;
    double accuracy;
    mdf_interval accuracy_ci; /* Wilson 95 % */
    double balanced_accuracy;
    mdf_interval balanced_accuracy_ci; /* percentile bootstrap over patients, 95 % */
    double macro_f1;
    mdf_interval macro_f1_ci;
    double macro_auc;
    mdf_interval macro_auc_ci;
    double brier;
    double brier_calibrated;
    double ece;
    double ece_calibrated; /* NAN without calibrated probabilities */
    size_t resamples;
    mdf_class_metrics *per_class; /* [K] */
    size_t *confusion;            /* [K,K] truth, answer */
} mdf_metrics;

/* MDF_ERR_ARG: no cases, a label outside 0..K-1. MDF_ERR_NUMERIC: a probability that is not a
 * number in [0, 1]. On failure *out is empty. */
mdf_status mdf_metrics_compute(mdf_metrics *out, const mdf_metrics_input *in,
                               mdf_error *err) MDF_NODISCARD;
void mdf_metrics_free(mdf_metrics *m);

/* Names and extras of the JSON. Everything but labels may be missing. */
typedef struct mdf_metrics_naming {
    const char *const *labels;      /* [K] */
    double temperature;             /* 0 = none */
    const mdf_mask_scores *masks;   /* NULL or without any: none */
    const mdf_left_out *left_out;   /* what the numbers do not speak of */
    const mdf_metrics_input *cases; /* per-case rows are written when this is set */
    const char *const *file_names;  /* [N] */
    const char *const *patient_ids; /* [N], NULL = left out */
} mdf_metrics_naming;

/* An object with the keys n, patients, labels, accuracy, accuracy_ci, balanced_accuracy,
 * balanced_accuracy_ci, macro_f1, macro_f1_ci, macro_auc, macro_auc_ci, per_class (by label),
 * confusion (rows: truth), brier, ece, ece_calibrated, and where given brier_calibrated,
 * temperature, masks (train/mask_scores.h), left_out (train/relabel.h), cases. Intervals are [low,
 * high]. NULL when out of memory. */
json_t *mdf_metrics_json(const mdf_metrics *m, const mdf_metrics_naming *naming);

/* A table for people: one line per number, one per class. */
void mdf_metrics_text(mdf_strbuf *out, const mdf_metrics *m, const mdf_metrics_naming *naming);

#endif
