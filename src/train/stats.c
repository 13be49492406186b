/* Statistics of a classifier that need no model: intervals, rank curves, overlap. */
#include "train/stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

/* The 97.5 % point of the normal distribution. */
static const double NORMAL_975 = 1.959963984540054;

mdf_interval mdf_wilson(size_t hits, size_t n)
{
    if (n == 0) {
        return (mdf_interval){(double)NAN, (double)NAN};
    }
    const double count = (double)n;
    const double p = (double)hits / count;
    const double z2 = NORMAL_975 * NORMAL_975;
    const double middle = (p + z2 / (2 * count)) / (1 + z2 / count);
    const double half =
        NORMAL_975 / (1 + z2 / count) * sqrt(p * (1 - p) / count + z2 / (4 * count * count));
    /* At 0 and n the ends are exactly 0 and 1; rounding must not push them over. */
    return (mdf_interval){hits == 0 ? 0 : fmax(0, middle - half),
                          hits == n ? 1 : fmin(1, middle + half)};
}

double mdf_quantile(const double *sorted, size_t n, double q)
{
    if (n == 0) {
        return (double)NAN;
    }
    const double h = (double)(n - 1) * q;
    const size_t below = (size_t)h;
    if (below + 1 >= n) {
        return sorted[n - 1];
    }
    return sorted[below] + (h - (double)below) * (sorted[below + 1] - sorted[below]);
}

typedef struct scored {
    float score;
    uint32_t number;
} scored;

static int compare_scored(const void *a, const void *b)
{
    const scored *x = a;
    const scored *y = b;
    if (x->score != y->score) {
        return x->score < y->score ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

mdf_status mdf_ranking_new(mdf_ranking *r, const float *score, size_t stride, const int *label,
                           int positive_label, size_t n, mdf_error *err)
{
    *r = (mdf_ranking){.n = n};
    scored *items = mdf_alloc(n, sizeof *items);
    r->order = mdf_alloc(n, sizeof *r->order);
    r->positive = mdf_alloc(n, 1);
    r->tied = mdf_alloc(n, 1);
    if (items == NULL || r->order == NULL || r->positive == NULL || r->tied == NULL) {
        mdf_free(items);
        mdf_ranking_free(r);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory to rank %zu cases", n);
    }
    for (size_t i = 0; i < n; i++) {
        items[i] = (scored){score[i * stride], (uint32_t)i};
    }
    qsort(items, n, sizeof *items, compare_scored);
    for (size_t i = 0; i < n; i++) {
        r->order[i] = items[i].number;
        r->positive[i] = label[items[i].number] == positive_label ? 1 : 0;
        r->tied[i] = i > 0 && items[i].score == items[i - 1].score ? 1 : 0;
    }
    mdf_free(items);
    return MDF_OK;
}

void mdf_ranking_free(mdf_ranking *r)
{
    mdf_free(r->order);
    mdf_free(r->positive);
    mdf_free(r->tied);
    *r = (mdf_ranking){0};
}

double mdf_ranking_auc(const mdf_ranking *r, const uint32_t *weight)
{
    double positives = 0;
    double negatives = 0;
    double pairs = 0; /* positive above negative: 1, equal: 1/2 */
    for (size_t i = 0; i < r->n;) {
        double group_positives = 0;
        double group_negatives = 0;
        do {
            const double w = weight == NULL ? 1.0 : (double)weight[r->order[i]];
            if (r->positive[i]) {
                group_positives += w;
            } else {
                group_negatives += w;
            }
            i++;
        } while (i < r->n && r->tied[i]);
        pairs += group_positives * (negatives + group_negatives / 2);
        positives += group_positives;
        negatives += group_negatives;
    }
    return positives > 0 && negatives > 0 ? pairs / (positives * negatives) : (double)NAN;
}

void mdf_ranking_roc(const mdf_ranking *r, double *fpr, double *tpr, size_t *count)
{
    double positives = 0;
    for (size_t i = 0; i < r->n; i++) {
        positives += r->positive[i];
    }
    const double negatives = (double)r->n - positives;
    double hit = 0;
    double alarm = 0;
    size_t k = 0;
    fpr[k] = 0;
    tpr[k] = 0;
    k++;
    for (size_t i = r->n; i-- > 0;) {
        hit += r->positive[i];
        alarm += r->positive[i] ? 0 : 1;
        if (i == 0 || !r->tied[i]) {
            fpr[k] = negatives > 0 ? alarm / negatives : 0;
            tpr[k] = positives > 0 ? hit / positives : 0;
            k++;
        }
    }
    *count = k;
}

void mdf_dice_add(mdf_dice_count *d, const uint8_t *predicted, const uint8_t *truth, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        d->both += predicted[i] != 0 && truth[i] != 0 ? 1 : 0;
        d->predicted += predicted[i] != 0 ? 1 : 0;
        d->truth += truth[i] != 0 ? 1 : 0;
    }
}

double mdf_dice_value(const mdf_dice_count *d)
{
    const uint64_t sum = d->predicted + d->truth;
    return sum == 0 ? (double)NAN : 2.0 * (double)d->both / (double)sum;
}
