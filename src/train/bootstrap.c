/* Intervals of numbers that are made of means over cases. */
#include "train/bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/rng.h"

/* Sums over a group's cases. */
typedef struct group_sums {
    double a, b, count;
    int name;
} group_sums;

static int by_name(const void *x, const void *y)
{
    const int a = ((const group_sums *)x)->name;
    const int b = ((const group_sums *)y)->name;
    return (a > b) - (a < b);
}

static int ascending(const void *x, const void *y)
{
    const double a = *(const double *)x;
    const double b = *(const double *)y;
    return (a > b) - (a < b);
}

/* sums [n]: one per group, ascending names. Returns how many; *cases that count. */
static size_t sum_groups(group_sums *sums, const mdf_bootstrap_input *in, size_t *cases)
{
    size_t n = 0;
    for (size_t i = 0; i < in->n; i++) {
        if (!isnan(in->a[i]) && !isnan(in->b[i])) {
            sums[n++] = (group_sums){in->a[i], in->b[i], 1, in->group[i]};
        }
    }
    *cases = n;
    qsort(sums, n, sizeof *sums, by_name);
    size_t groups = 0;
    for (size_t i = 0; i < n; i++) {
        if (groups > 0 && sums[groups - 1].name == sums[i].name) {
            sums[groups - 1].a += sums[i].a;
            sums[groups - 1].b += sums[i].b;
            sums[groups - 1].count += 1;
        } else {
            sums[groups++] = sums[i];
        }
    }
    return groups;
}

static double drawn_value(const mdf_bootstrap_input *in, const group_sums *sums, size_t groups,
                          mdf_rng *r)
{
    group_sums all = {0};
    for (size_t i = 0; i < groups; i++) {
        const group_sums *s = &sums[r == NULL ? i : mdf_rng_below(r, (uint32_t)groups)];
        all.a += s->a;
        all.b += s->b;
        all.count += s->count;
    }
    return in->of(all.a / all.count, all.b / all.count);
}

mdf_status mdf_bootstrap(mdf_estimate *out, const mdf_bootstrap_input *in, mdf_error *err)
{
    *out = (mdf_estimate){(double)NAN, {(double)NAN, (double)NAN}, 0};
    group_sums *sums = mdf_alloc(in->n + 1, sizeof *sums);
    double *drawn = mdf_alloc(in->resamples + 1, sizeof *drawn);
    if (sums == NULL || drawn == NULL) {
        mdf_free(sums);
        mdf_free(drawn);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for intervals");
    }
    const size_t groups = sum_groups(sums, in, &out->n);
    if (groups > 0) {
        out->value = drawn_value(in, sums, groups, NULL);
    }
    mdf_rng r = mdf_rng_new(in->seed, 0x626f6f74);
    size_t n = 0;
    for (size_t i = 0; groups > 1 && i < in->resamples; i++) {
        drawn[n] = drawn_value(in, sums, groups, &r);
        n += isnan(drawn[n]) ? 0 : 1;
    }
    if (n > 0) {
        qsort(drawn, n, sizeof *drawn, ascending);
        out->ci = (mdf_interval){mdf_quantile(drawn, n, 0.025), mdf_quantile(drawn, n, 0.975)};
    }
    mdf_free(sums);
    mdf_free(drawn);
    return MDF_OK;
}
