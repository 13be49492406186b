/* Stratified split by patient. */
#include "data/split.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "data/manifest_build.h"

static mdf_status check_options(const mdf_split_options *o, mdf_error *err)
{
    if (o->count == 0 || o->count > MDF_SPLIT_MAX_SIDES) {
        return mdf_fail(err, MDF_ERR_ARG, "a split has 1 to %d sides, not %zu", MDF_SPLIT_MAX_SIDES,
                        o->count);
    }
    double sum = 0;
    for (size_t s = 0; s < o->count; s++) {
        if (!(o->shares[s] > 0 && o->shares[s] <= 1)) {
            return mdf_fail(err, MDF_ERR_ARG, "the share of %s must lie between 0 and 1",
                            o->names[s]);
        }
        sum += o->shares[s];
    }
    if (fabs(sum - 1) > 1e-6) {
        return mdf_fail(err, MDF_ERR_ARG, "the shares of the split sum to %g, not to 1", sum);
    }
    return MDF_OK;
}

typedef struct patient {
    int stratum; /* label + 1; 0 = no labelled case */
    size_t cases;
    int side;
} patient;

/* The rarest class of each patient; ties go to the smaller label. */
static void find_strata(const mdf_manifest *m, patient *p)
{
    size_t frequency[MDF_MAX_CLASSES + 1] = {0};
    for (size_t i = 0; i < m->case_count; i++) {
        frequency[m->cases[i].label + 1]++;
    }
    for (size_t i = 0; i < m->case_count; i++) {
        const int mine = m->cases[i].label + 1;
        patient *owner = &p[m->cases[i].patient];
        const int now = owner->stratum;
        const bool is_rarer =
            frequency[mine] < frequency[now] || (frequency[mine] == frequency[now] && mine < now);
        if (mine != 0 && (now == 0 || is_rarer)) {
            owner->stratum = mine;
        }
        owner->cases++;
    }
}

static void shuffle(size_t *order, size_t n, mdf_rng *rng)
{
    for (size_t i = n; i > 1; i--) {
        const size_t k = mdf_rng_below(rng, (uint32_t)i);
        const size_t swap = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swap;
    }
}

/* order [n]: the patients of one stratum. */
static void deal(patient *p, const size_t *order, size_t n, const mdf_split_options *o)
{
    double dealt = 0;
    double have[MDF_SPLIT_MAX_SIDES] = {0};
    for (size_t i = 0; i < n; i++) {
        const double cases = (double)p[order[i]].cases;
        dealt += cases;
        size_t best = 0;
        for (size_t s = 1; s < o->count; s++) {
            const double lack = o->shares[s] * dealt - have[s];
            /* A hair above, so that rounding doesn't decide between equal sides. */
            if (lack > o->shares[best] * dealt - have[best] + 1e-9) {
                best = s;
            }
        }
        have[best] += cases;
        p[order[i]].side = (int)best;
    }
}

mdf_status mdf_split_assign(mdf_manifest *m, const mdf_split_options *o, mdf_error *err)
{
    MDF_TRY(check_options(o, err));
    const size_t count = (size_t)m->patient_count;
    patient *p = mdf_alloc(count, sizeof *p);
    size_t *order = mdf_alloc(count, sizeof *order);
    const char *names[MDF_SPLIT_MAX_SIDES] = {NULL};
    mdf_manifest_builder b = {.m = m};
    bool ok = p != NULL && order != NULL;
    for (size_t s = 0; ok && s < o->count; s++) {
        names[s] = mdf_manifest_string(&b, o->names[s]);
        ok = names[s] != NULL;
    }
    if (ok) {
        mdf_rng rng = mdf_rng_new(o->seed, 0x73706c69);
        find_strata(m, p);
        for (int stratum = 0; stratum <= m->label_count; stratum++) {
            size_t n = 0;
            for (size_t i = 0; i < count; i++) {
                if (p[i].stratum == stratum && p[i].cases != 0) {
                    order[n++] = i;
                }
            }
            shuffle(order, n, &rng);
            deal(p, order, n, o);
        }
        for (size_t i = 0; i < m->case_count; i++) {
            m->cases[i].split = names[p[m->cases[i].patient].side];
        }
    }
    mdf_free(p);
    mdf_free(order);
    return ok ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %zu patients", count);
}
