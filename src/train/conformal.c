/* Sets of labels by thresholds on the probability. */
#include "train/conformal.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

static int falling(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Of n cases in order, the one (from 1) that is the i-th (from 0) of `kept`; the last is the last.
 */
static size_t rank_of(size_t i, size_t n, size_t kept)
{
    return ((i + 1) * n + kept - 1) / kept;
}

mdf_status mdf_conformal_fit(mdf_doubt_config *d, const float *prob, const int *label, size_t n,
                             size_t classes, mdf_error *err)
{
    double *truth = mdf_alloc(n + 1, sizeof *truth);
    if (truth == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the probabilities of %zu cases", n);
    }
    d->label_count = (int)classes;
    d->truth_count = 0;
    for (size_t k = 0; k < classes; k++) {
        size_t cases = 0;
        for (size_t i = 0; i < n; i++) {
            if (label[i] == (int)k) {
                truth[cases++] = floor(1e6 * (double)prob[i * classes + k]) / 1e6;
            }
        }
        qsort(truth, cases, sizeof *truth, falling);
        d->label_cases[k] = (int)cases;
        const size_t kept = (size_t)mdf_config_truths((int)cases, (int)classes);
        for (size_t i = 0; i < kept; i++) {
            const double p = truth[rank_of(i, cases, kept) - 1];
            d->truth[d->truth_count++] = p > 1 ? 1 : p; /* a float softmax may pass it by an ulp */
        }
    }
    mdf_free(truth);
    return MDF_OK;
}

/* Rank of the threshold among n cases and a new one; a hair below, since 0.9 is not 9/10. */
static size_t wanted_rank(size_t n, double coverage)
{
    return (size_t)ceil((double)(n + 1) * coverage - 1e-9 * (double)(n + 1));
}

/* The fewest cases that can say something of a coverage. */
static size_t fewest(double coverage)
{
    return (size_t)ceil(coverage / (1 - coverage) - 1e-9 / (1 - coverage));
}

/* The largest probability that surely `rank` of one label's cases reach: where some are left out,
 * of the next case that is kept. truth [kept] of n cases. */
static double of_label(const double *truth, size_t kept, size_t n, size_t rank)
{
    size_t i = 0;
    while (i + 1 < kept && rank_of(i, n, kept) < rank) {
        i++;
    }
    return truth[i];
}

/* How many cases of all labels surely have at least p. */
static size_t count_above(const mdf_doubt_config *d, double p)
{
    size_t sum = 0;
    const double *truth = d->truth;
    for (int k = 0; k < d->label_count; k++) {
        const size_t n = (size_t)d->label_cases[k];
        const size_t kept = (size_t)mdf_config_truths((int)n, d->label_count);
        size_t above = 0;
        while (above < kept && truth[above] >= p) {
            above++;
        }
        sum += above == 0 ? 0 : rank_of(above - 1, n, kept);
        truth += kept;
    }
    return sum;
}

/* The largest probability that surely `rank` cases of all labels reach. */
static double of_all(const mdf_doubt_config *d, size_t rank)
{
    double best = 0;
    for (int i = 0; i < d->truth_count; i++) {
        const double p = d->truth[i];
        best = p > best && count_above(d, p) >= rank ? p : best;
    }
    return best;
}

mdf_status mdf_conformal_new(mdf_conformal *out, const mdf_doubt_config *d, double coverage,
                             mdf_error *err)
{
    size_t all = 0;
    bool by_label = true;
    if (d->label_count == 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "the model was not calibrated for sets of labels; mdf calibrate does it, "
                        "with cases that it was not trained on");
    }
    for (int k = 0; k < d->label_count; k++) {
        const size_t n = (size_t)d->label_cases[k];
        all += n;
        by_label = by_label && wanted_rank(n, coverage) <= n;
    }
    if (wanted_rank(all, coverage) > all) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "a coverage of %g takes %zu cases to calibrate with, and there were %zu",
                        coverage, fewest(coverage), all);
    }
    *out = (mdf_conformal){
        .coverage = coverage, .classes = (size_t)d->label_count, .by_label = by_label};
    const double *truth = d->truth;
    const double least = by_label ? 0 : of_all(d, wanted_rank(all, coverage));
    for (int k = 0; k < d->label_count; k++) {
        const size_t n = (size_t)d->label_cases[k];
        const size_t kept = (size_t)mdf_config_truths((int)n, d->label_count);
        out->least[k] = by_label ? of_label(truth, kept, n, wanted_rank(n, coverage)) : least;
        truth += kept;
    }
    return MDF_OK;
}

size_t mdf_conformal_set(bool *in, const mdf_conformal *c, const float *prob)
{
    size_t count = 0;
    for (size_t k = 0; k < c->classes; k++) {
        in[k] = (double)prob[k] >= c->least[k];
        count += in[k] ? 1 : 0;
    }
    return count;
}
