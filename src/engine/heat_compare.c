/* Every heat-map method on the same cases: which cases, and the numbers over all of them. */
#include "engine/heat_compare.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "data/lesions.h"
#include "engine/heat_case.h"
#include "engine/shuffled.h"

void mdf_heat_compare_free(mdf_heat_compare *c)
{
    for (size_t i = 0; i < c->rows; i++) {
        for (int k = 0; k < MDF_HEAT_MEASURES; k++) {
            mdf_free(c->row[i].value[k]);
        }
    }
    mdf_free(c->label);
    mdf_free(c->patient);
    mdf_free(c->chance);
    mdf_free(c->area);
    *c = (mdf_heat_compare){0};
}

/* A rightly answered case. */
typedef struct candidate {
    const mdf_manifest_case *info;
    size_t index; /* of the evaluation */
} candidate;

/* list [ev->n]: the rightly answered cases, only those with a mask if there are any, in an
 * order drawn by seed. */
static size_t draw_cases(candidate *list, mdf_heat_compare *out, const mdf_manifest *m,
                         const mdf_evaluation *ev)
{
    size_t n = 0;
    for (size_t i = 0; i < ev->n; i++) {
        const mdf_manifest_case *c = mdf_evaluation_case(ev, i, m);
        if (c != NULL && mdf_argmax(ev->prob + i * ev->classes, ev->classes) == ev->label[i]) {
            out->right++;
            out->masks += mdf_case_has_lesions(c);
            list[n++] = (candidate){c, i};
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (out->masks == 0 || mdf_case_has_lesions(list[i].info)) {
            list[kept++] = list[i];
        }
    }
    mdf_rng r = mdf_rng_new(out->seed, 0x68656174);
    for (size_t i = kept; i > 1; i--) {
        const size_t j = mdf_rng_below(&r, (uint32_t)i);
        const candidate last = list[i - 1];
        list[i - 1] = list[j];
        list[j] = last;
    }
    return kept;
}

static mdf_status reserve(mdf_heat_compare *out, size_t room, mdf_error *err)
{
    out->label = mdf_alloc(room + 1, sizeof *out->label);
    out->patient = mdf_alloc(room + 1, sizeof *out->patient);
    out->chance = mdf_alloc(room + 1, sizeof *out->chance);
    out->area = mdf_alloc(room + 1, sizeof *out->area);
    if (out->label == NULL || out->patient == NULL || out->chance == NULL || out->area == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory to compare heat-maps");
    }
    return MDF_OK;
}

static mdf_status run_cases(const mdf_heat_bench *b, const candidate *list, size_t count,
                            const mdf_evaluation *ev, mdf_error *err)
{
    mdf_heat_compare *out = b->out;
    for (size_t i = 0; i < count && out->n < b->room; i++) {
        const int label = ev->label[list[i].index];
        bool counted = false;
        MDF_TRY(mdf_heat_case_run(b, list[i].info, ev->label_name[label], &counted, err));
        if (counted) {
            out->label[out->n] = label;
            out->patient[out->n++] = ev->patient[list[i].index];
        }
    }
    for (size_t i = 0; i < out->rows; i++) {
        out->row[i].ms = out->row[i].known ? out->row[i].ms / (double)out->n : (double)NAN;
    }
    return MDF_OK;
}

static mdf_status open_session(mdf_session **out, mdf_engine *e, const mdf_evaluation *ev,
                               mdf_error *err)
{
    MDF_TRY(mdf_session_new(out, e, err));
    return mdf_session_restrict(*out, ev->label_name, ev->classes, err);
}

/* The engine itself, and copies with parts shuffled, where that can be done. */
static mdf_status open_all(mdf_heat_bench *b, mdf_engine model[MDF_HEAT_MODELS],
                           const mdf_evaluation *ev, mdf_error *err)
{
    static const mdf_shuffled_part part[] = {MDF_SHUFFLED_HEAD, MDF_SHUFFLED_ENCODER};
    MDF_TRY(open_session(&b->session[0], &model[0], ev, err));
    b->out->shuffled = mdf_can_shuffle(&model[0]);
    for (int k = 1; b->out->shuffled && k < MDF_HEAT_MODELS; k++) {
        MDF_TRY(mdf_shuffled_new(&model[k], &model[0], part[k - 1], b->opt->seed, err));
        MDF_TRY(open_session(&b->session[k], &model[k], ev, err));
    }
    return MDF_OK;
}

mdf_status mdf_heat_compare_run(mdf_heat_compare *out, const mdf_engine *e, const mdf_manifest *m,
                                const mdf_evaluation *ev, const mdf_heat_compare_options *opt,
                                mdf_error *err)
{
    *out = (mdf_heat_compare){.seed = opt->seed, .limit = opt->limit};
    mdf_engine model[MDF_HEAT_MODELS] = {*e};
    mdf_heat_bench b = {.out = out, .opt = opt};
    candidate *list = mdf_alloc(ev->n + 1, sizeof *list);
    mdf_status status = MDF_OK;
    size_t count = 0;
    if (list == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory to compare heat-maps");
    } else {
        count = draw_cases(list, out, m, ev);
        b.room = count < opt->limit ? count : opt->limit;
        b.masks_wanted = out->masks > 0;
        status = reserve(out, b.room, err);
    }
    if (status == MDF_OK) {
        status = open_all(&b, model, ev, err);
    }
    if (status == MDF_OK) {
        status = run_cases(&b, list, count, ev, err);
    }
    for (int k = 0; k < MDF_HEAT_MODELS; k++) {
        mdf_session_free(b.session[k]);
    }
    for (int k = 1; k < MDF_HEAT_MODELS; k++) {
        mdf_shuffled_free(&model[k]);
    }
    mdf_free(list);
    if (status != MDF_OK) {
        mdf_heat_compare_free(out);
    }
    return status;
}

static double mean_of(double a, double b)
{
    (void)b;
    return a;
}

static double skill_of(double hit, double chance)
{
    return (hit - chance) / (1 - chance);
}

static double ratio_of(double part, double whole)
{
    return part / whole;
}

/* Which measures a number is made of, and how. */
static const struct {
    mdf_heat_measure measure;
    mdf_of_means *of;
} numbers[MDF_HEAT_SAYS] = {
    {MDF_HEAT_HIT, mean_of},   {MDF_HEAT_HIT, skill_of},     {MDF_HEAT_AUPRC, mean_of},
    {MDF_HEAT_MASS, ratio_of}, {MDF_HEAT_DELETION, mean_of}, {MDF_HEAT_INSERTION, mean_of},
    {MDF_HEAT_HEAD, mean_of},  {MDF_HEAT_ENCODER, mean_of},
};

mdf_status mdf_heat_estimate(mdf_estimate *out, const mdf_heat_compare *c, size_t row,
                             mdf_heat_number number, int label, size_t resamples, mdf_error *err)
{
    const double *all = c->row[row].value[numbers[number].measure];
    const double *beside = number == MDF_HEAT_SAYS_SKILL  ? c->chance
                           : number == MDF_HEAT_SAYS_GAIN ? c->area
                                                          : all;
    double *a = mdf_alloc(c->n + 1, sizeof *a);
    if (a == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for intervals");
    }
    for (size_t i = 0; i < c->n; i++) {
        a[i] = label < 0 || c->label[i] == label ? all[i] : (double)NAN;
    }
    const mdf_status status = mdf_bootstrap(out,
                                            &(mdf_bootstrap_input){.a = a,
                                                                   .b = beside,
                                                                   .group = c->patient,
                                                                   .n = c->n,
                                                                   .of = numbers[number].of,
                                                                   .resamples = resamples,
                                                                   .seed = c->seed},
                                            err);
    mdf_free(a);
    return status;
}
