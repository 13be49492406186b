/* Intervals of numbers that are made of means over cases, by drawing groups of cases (patients)
 * with replacement. */
#ifndef MDF_TRAIN_BOOTSTRAP_H
#define MDF_TRAIN_BOOTSTRAP_H

#include "train/stats.h"

/* The number of two means. */
typedef double mdf_of_means(double a, double b);

typedef struct mdf_bootstrap_input {
    const double *a, *b; /* [n] of every case; one that is NAN leaves the case out */
    const int *group;    /* [n] drawn together where equal */
    size_t n;
    mdf_of_means *of;
    size_t resamples;
    uint64_t seed;
} mdf_bootstrap_input;

typedef struct mdf_estimate {
    double value;    /* NAN without a case */
    mdf_interval ci; /* percentiles 2.5 and 97.5; NAN without a second group */
    size_t n;        /* cases that count */
} mdf_estimate;

mdf_status mdf_bootstrap(mdf_estimate *out, const mdf_bootstrap_input *in,
                         mdf_error *err) MDF_NODISCARD;

#endif
