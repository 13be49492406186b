/* What an evaluation says of a model's own doubt: accuracy of the answers that it is surest of, how
 * often sets of labels hold the true one, and how many photographs it finds unlike its own. */
#ifndef MDF_TRAIN_DOUBT_H
#define MDF_TRAIN_DOUBT_H

#include <jansson.h>

#include "base/strbuf.h"
#include "train/conformal.h"
#include "train/stats.h"

/* Sets of cases, counted. */
typedef struct mdf_set_count {
    size_t n, covered; /* cases, and those whose set holds the true label */
    size_t labels;     /* in all sets together */
    size_t empty, single, full;
} mdf_set_count;

/* Photographs of a data folder. */
typedef struct mdf_unlike_count {
    const char *dir;
    size_t n, unlike;
} mdf_unlike_count;

/* Owns its memory; mdf_doubt_free(). */
typedef struct mdf_doubt {
    size_t n, classes;
    double *accuracy;    /* [n] of the i + 1 cases that the model is surest of */
    double risk_area;    /* mean of 1 - accuracy: area under the curve of risk against coverage */
    mdf_conformal *sets; /* NULL: none were asked for */
    mdf_set_count all;   /* of sets */
    mdf_set_count *of_label;  /* [classes] by the true label */
    mdf_unlike_count *unlike; /* [dir_count]; NULL: the model remembers no photographs */
    size_t dir_count;
    double distance_share, distance_limit;
} mdf_doubt;

/* Accuracy against coverage for prob [n,classes], calibrated, with label [n] in 0..classes-1; n at
 * least 1. A case's confidence is its largest probability; of equally confident ones each counts as
 * their mean. Nothing else of *d is set. On failure *d is empty. */
mdf_status mdf_doubt_new(mdf_doubt *d, const float *prob, const int *label, size_t n,
                         size_t classes, mdf_error *err) MDF_NODISCARD;
void mdf_doubt_free(mdf_doubt *d);

/* Counts the sets of the same cases. MDF_ERR_ARG as mdf_conformal_new(). */
mdf_status mdf_doubt_sets(mdf_doubt *d, const mdf_doubt_config *c, double coverage,
                          const float *prob, const int *label, mdf_error *err) MDF_NODISCARD;

/* The five coverages that are reported; accuracy among so many of the surest, with its interval. */
enum { MDF_DOUBT_POINTS = 5 };
typedef struct mdf_doubt_point {
    double coverage;
    size_t n;
    double accuracy;
    mdf_interval ci;
} mdf_doubt_point;
mdf_doubt_point mdf_doubt_at(const mdf_doubt *d, int point);

/* Adds selective, and where they are known sets and unlike to a JSON object. False: no memory. */
bool mdf_doubt_json(json_t *doc, const mdf_doubt *d, const char *const *labels);
void mdf_doubt_text(mdf_strbuf *out, const mdf_doubt *d, const char *const *labels);

#endif
