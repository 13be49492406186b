/* Accuracy against coverage, and counts of sets. */
#include "train/doubt.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "train/calibration.h"

typedef struct answer {
    float confidence;
    bool right;
} answer;

static int surest_first(const void *a, const void *b)
{
    const float x = ((const answer *)a)->confidence;
    const float y = ((const answer *)b)->confidence;
    return (x < y) - (x > y);
}

/* accuracy [n] of the first 1, 2, ... n answers, which are sorted. */
static void accumulate(double *accuracy, const answer *a, size_t n)
{
    double hits = 0; /* before the tie that begins at i */
    for (size_t i = 0, end = 0; i < n; i = end) {
        double tie = 0;
        for (end = i; end < n && a[end].confidence == a[i].confidence; end++) {
            tie += a[end].right ? 1 : 0;
        }
        for (size_t k = i; k < end; k++) {
            accuracy[k] = (hits + tie * (double)(k + 1 - i) / (double)(end - i)) / (double)(k + 1);
        }
        hits += tie;
    }
}

mdf_status mdf_doubt_new(mdf_doubt *d, const float *prob, const int *label, size_t n,
                         size_t classes, mdf_error *err)
{
    *d = (mdf_doubt){.n = n, .classes = classes};
    answer *a = mdf_alloc(n, sizeof *a);
    d->accuracy = mdf_alloc(n, sizeof *d->accuracy);
    if (a == NULL || d->accuracy == NULL) {
        mdf_free(a);
        mdf_doubt_free(d);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %zu answers", n);
    }
    for (size_t i = 0; i < n; i++) {
        const float *p = prob + i * classes;
        const int best = mdf_argmax(p, classes);
        a[i] = (answer){p[best], best == label[i]};
    }
    qsort(a, n, sizeof *a, surest_first);
    accumulate(d->accuracy, a, n);
    for (size_t i = 0; i < n; i++) {
        d->risk_area += (1 - d->accuracy[i]) / (double)n;
    }
    mdf_free(a);
    return MDF_OK;
}

void mdf_doubt_free(mdf_doubt *d)
{
    mdf_free(d->accuracy);
    mdf_free(d->sets);
    mdf_free(d->of_label);
    mdf_free(d->unlike);
    *d = (mdf_doubt){0};
}

static void count_set(mdf_set_count *c, size_t size, bool covered, size_t classes)
{
    c->n++;
    c->covered += covered ? 1 : 0;
    c->labels += size;
    c->empty += size == 0 ? 1 : 0;
    c->single += size == 1 ? 1 : 0;
    c->full += size == classes ? 1 : 0;
}

mdf_status mdf_doubt_sets(mdf_doubt *d, const mdf_doubt_config *c, double coverage,
                          const float *prob, const int *label, mdf_error *err)
{
    mdf_conformal *sets = mdf_alloc(1, sizeof *sets);
    mdf_set_count *of_label = mdf_alloc(d->classes, sizeof *of_label);
    mdf_status status = sets == NULL || of_label == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for sets of labels")
                            : mdf_conformal_new(sets, c, coverage, err);
    if (status != MDF_OK) {
        mdf_free(sets);
        mdf_free(of_label);
        return status;
    }
    for (size_t i = 0; i < d->n; i++) {
        bool in[MDF_MAX_CLASSES];
        const size_t size = mdf_conformal_set(in, sets, prob + i * d->classes);
        count_set(&d->all, size, in[label[i]], d->classes);
        count_set(&of_label[label[i]], size, in[label[i]], d->classes);
    }
    d->sets = sets;
    d->of_label = of_label;
    return MDF_OK;
}

mdf_doubt_point mdf_doubt_at(const mdf_doubt *d, int point)
{
    static const double coverage[MDF_DOUBT_POINTS] = {1, 0.9, 0.8, 0.7, 0.5};
    const size_t n = (size_t)ceil(coverage[point] * (double)d->n - 1e-9);
    const double accuracy = d->accuracy[n - 1];
    return (mdf_doubt_point){coverage[point], n, accuracy,
                             mdf_wilson((size_t)llround(accuracy * (double)n), n)};
}
