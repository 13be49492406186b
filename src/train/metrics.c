/* Classification metrics with intervals. Everything that the bootstrap repeats is a function of
 * integer case weights, so that the point estimate and the resamples share one code. */
#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"

/* The three numbers that get a bootstrap interval. */
typedef struct macro {
    double balanced_accuracy;
    double f1;
    double auc;
} macro;

typedef struct workspace {
    const mdf_metrics_input *in;
    int *answer;           /* [N] */
    mdf_ranking *ranking;  /* [K] */
    double *truth_weight;  /* [K] */
    double *answer_weight; /* [K] */
    double *hit_weight;    /* [K] */
    int *unit;             /* [N] patients renumbered 0..units-1 */
    size_t units;
    uint32_t *unit_weight; /* [units] */
    uint32_t *case_weight; /* [N] */
    double *drawn;         /* [3, resamples] */
} workspace;

static void workspace_free(workspace *w)
{
    for (size_t k = 0; w->ranking != NULL && k < w->in->classes; k++) {
        mdf_ranking_free(&w->ranking[k]);
    }
    mdf_free(w->answer);
    mdf_free(w->ranking);
    mdf_free(w->truth_weight);
    mdf_free(w->answer_weight);
    mdf_free(w->hit_weight);
    mdf_free(w->unit);
    mdf_free(w->unit_weight);
    mdf_free(w->case_weight);
    mdf_free(w->drawn);
}

static mdf_status check_input(const mdf_metrics_input *in, mdf_error *err)
{
    if (in->n == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "no labelled cases to evaluate");
    }
    if (in->classes == 0 || in->classes > MDF_MAX_CLASSES || in->n > MDF_MAX_CASES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%zu cases of %zu classes can't be evaluated", in->n,
                        in->classes);
    }
    for (size_t i = 0; i < in->n; i++) {
        if (in->label[i] < 0 || in->label[i] >= (int)in->classes) {
            return mdf_fail(err, MDF_ERR_ARG, "case %zu has label %d of %zu classes", i,
                            in->label[i], in->classes);
        }
    }
    for (size_t i = 0; i < in->n * in->classes; i++) {
        const float p = in->prob[i];
        const float q = in->calibrated == NULL ? 0 : in->calibrated[i];
        /* Rounding of a float softmax may pass 1 by an ulp or two. */
        if (!(p >= 0 && p <= 1.00001f) || !(q >= 0 && q <= 1.00001f)) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "case %zu has a probability outside 0..1",
                            i / in->classes);
        }
    }
    return MDF_OK;
}

typedef struct patient_entry {
    int patient;
    uint32_t number;
} patient_entry;

static int compare_patients(const void *a, const void *b)
{
    const patient_entry *x = a;
    const patient_entry *y = b;
    if (x->patient != y->patient) {
        return x->patient < y->patient ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

static mdf_status number_units(workspace *w, mdf_error *err)
{
    const mdf_metrics_input *in = w->in;
    w->unit = mdf_alloc(in->n, sizeof *w->unit);
    patient_entry *order = mdf_alloc(in->n, sizeof *order);
    if (w->unit == NULL || order == NULL) {
        mdf_free(order);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the metrics of %zu cases", in->n);
    }
    for (size_t i = 0; i < in->n; i++) {
        order[i] = (patient_entry){in->patient == NULL ? (int)i : in->patient[i], (uint32_t)i};
    }
    qsort(order, in->n, sizeof *order, compare_patients);
    for (size_t i = 0; i < in->n; i++) {
        w->units += i == 0 || order[i].patient != order[i - 1].patient ? 1 : 0;
        w->unit[order[i].number] = (int)w->units - 1;
    }
    mdf_free(order);
    return MDF_OK;
}

static mdf_status workspace_init(workspace *w, size_t resamples, mdf_error *err)
{
    const mdf_metrics_input *in = w->in;
    MDF_TRY(number_units(w, err));
    w->answer = mdf_alloc(in->n, sizeof *w->answer);
    w->ranking = mdf_alloc(in->classes, sizeof *w->ranking);
    w->truth_weight = mdf_alloc(in->classes, sizeof *w->truth_weight);
    w->answer_weight = mdf_alloc(in->classes, sizeof *w->answer_weight);
    w->hit_weight = mdf_alloc(in->classes, sizeof *w->hit_weight);
    w->unit_weight = mdf_alloc(w->units, sizeof *w->unit_weight);
    w->case_weight = mdf_alloc(in->n, sizeof *w->case_weight);
    w->drawn = mdf_alloc(3 * resamples, sizeof *w->drawn);
    if (w->answer == NULL || w->ranking == NULL || w->truth_weight == NULL ||
        w->answer_weight == NULL || w->hit_weight == NULL || w->unit_weight == NULL ||
        w->case_weight == NULL || w->drawn == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the metrics of %zu cases", in->n);
    }
    for (size_t i = 0; i < in->n; i++) {
        w->answer[i] = mdf_argmax(in->prob + i * in->classes, in->classes);
    }
    for (size_t k = 0; k < in->classes; k++) {
        MDF_TRY(mdf_ranking_new(&w->ranking[k], in->prob + k, in->classes, in->label, (int)k, in->n,
                                err));
    }
    return MDF_OK;
}

/* weight: [N], NULL = 1 each. */
static macro macro_numbers(workspace *w, const uint32_t *weight)
{
    const size_t classes = w->in->classes;
    for (size_t k = 0; k < classes; k++) {
        w->truth_weight[k] = w->answer_weight[k] = w->hit_weight[k] = 0;
    }
    for (size_t i = 0; i < w->in->n; i++) {
        const double one = weight == NULL ? 1.0 : (double)weight[i];
        w->truth_weight[w->in->label[i]] += one;
        w->answer_weight[w->answer[i]] += one;
        w->hit_weight[w->answer[i]] += w->answer[i] == w->in->label[i] ? one : 0;
    }
    macro sum = {0};
    size_t present = 0;
    size_t seen = 0;
    size_t ranked = 0;
    for (size_t k = 0; k < classes; k++) {
        const double both = w->truth_weight[k] + w->answer_weight[k];
        const double auc = mdf_ranking_auc(&w->ranking[k], weight);
        if (w->truth_weight[k] > 0) {
            sum.balanced_accuracy += w->hit_weight[k] / w->truth_weight[k];
            present++;
        }
        if (both > 0) {
            sum.f1 += 2 * w->hit_weight[k] / both;
            seen++;
        }
        if (!isnan(auc)) {
            sum.auc += auc;
            ranked++;
        }
    }
    sum.balanced_accuracy /= (double)present;
    sum.f1 /= (double)seen;
    sum.auc = ranked == 0 ? (double)NAN : sum.auc / (double)ranked;
    return sum;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static mdf_interval percentile_interval(double *value, size_t n)
{
    size_t finite = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(value[i])) {
            value[finite++] = value[i];
        }
    }
    qsort(value, finite, sizeof *value, compare_doubles);
    return (mdf_interval){mdf_quantile(value, finite, 0.025), mdf_quantile(value, finite, 0.975)};
}

/* Draws as many patients as there are, with replacement; all cases of a drawn patient come along.
 */
static void bootstrap(mdf_metrics *m, workspace *w)
{
    const size_t count = m->resamples;
    mdf_rng rng = mdf_rng_new(w->in->seed, 0x626f6f74);
    for (size_t r = 0; r < count; r++) {
        for (size_t u = 0; u < w->units; u++) {
            w->unit_weight[u] = 0;
        }
        for (size_t u = 0; u < w->units; u++) {
            w->unit_weight[mdf_rng_below(&rng, (uint32_t)w->units)]++;
        }
        for (size_t i = 0; i < w->in->n; i++) {
            w->case_weight[i] = w->unit_weight[w->unit[i]];
        }
        const macro drawn = macro_numbers(w, w->case_weight);
        w->drawn[r] = drawn.balanced_accuracy;
        w->drawn[count + r] = drawn.f1;
        w->drawn[2 * count + r] = drawn.auc;
    }
    m->balanced_accuracy_ci = percentile_interval(w->drawn, count);
    m->macro_f1_ci = percentile_interval(w->drawn + count, count);
    m->macro_auc_ci = percentile_interval(w->drawn + 2 * count, count);
}

static double ratio(size_t part, size_t whole)
{
    return whole == 0 ? (double)NAN : (double)part / (double)whole;
}

static void class_numbers(mdf_metrics *m, const workspace *w)
{
    for (size_t k = 0; k < m->classes; k++) {
        mdf_class_metrics *c = &m->per_class[k];
        for (size_t j = 0; j < m->classes; j++) {
            c->n += m->confusion[k * m->classes + j];
            c->answered += m->confusion[j * m->classes + k];
        }
        const size_t hits = m->confusion[k * m->classes + k];
        const size_t others = m->n - c->n;
        const size_t false_alarms = c->answered - hits;
        c->sensitivity = ratio(hits, c->n);
        c->sensitivity_ci = mdf_wilson(hits, c->n);
        c->specificity = ratio(others - false_alarms, others);
        c->specificity_ci = mdf_wilson(others - false_alarms, others);
        c->precision = ratio(hits, c->answered);
        c->f1 = ratio(2 * hits, c->n + c->answered);
        c->auc = mdf_ranking_auc(&w->ranking[k], NULL);
    }
}

static void all_numbers(mdf_metrics *m, workspace *w)
{
    const mdf_metrics_input *in = w->in;
    size_t hits = 0;
    for (size_t i = 0; i < in->n; i++) {
        m->confusion[(size_t)in->label[i] * in->classes + (size_t)w->answer[i]]++;
        hits += w->answer[i] == in->label[i] ? 1 : 0;
    }
    m->patients = w->units;
    m->accuracy = ratio(hits, in->n);
    m->accuracy_ci = mdf_wilson(hits, in->n);
    const macro point = macro_numbers(w, NULL);
    m->balanced_accuracy = point.balanced_accuracy;
    m->macro_f1 = point.f1;
    m->macro_auc = point.auc;
    class_numbers(m, w);
    bootstrap(m, w);
    mdf_reliability_bin bin[MDF_ECE_BINS];
    m->brier = mdf_brier(in->prob, in->label, in->n, in->classes);
    mdf_reliability(bin, in->prob, in->label, in->n, in->classes);
    m->ece = mdf_ece(bin);
    m->ece_calibrated = m->brier_calibrated = (double)NAN;
    if (in->calibrated != NULL) {
        m->brier_calibrated = mdf_brier(in->calibrated, in->label, in->n, in->classes);
        mdf_reliability(bin, in->calibrated, in->label, in->n, in->classes);
        m->ece_calibrated = mdf_ece(bin);
    }
}

mdf_status mdf_metrics_compute(mdf_metrics *out, const mdf_metrics_input *in, mdf_error *err)
{
    *out = (mdf_metrics){0};
    MDF_TRY(check_input(in, err));
    mdf_metrics m = {.n = in->n, .classes = in->classes};
    m.resamples = in->resamples == 0 ? MDF_BOOTSTRAP_DEFAULT : in->resamples;
    m.per_class = mdf_alloc(in->classes, sizeof *m.per_class);
    m.confusion = mdf_alloc(in->classes * in->classes, sizeof *m.confusion);
    workspace w = {.in = in};
    mdf_status status = m.per_class == NULL || m.confusion == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the metrics")
                            : workspace_init(&w, m.resamples, err);
    if (status == MDF_OK) {
        all_numbers(&m, &w);
        *out = m;
    } else {
        mdf_metrics_free(&m);
    }
    workspace_free(&w);
    return status;
}

void mdf_metrics_free(mdf_metrics *m)
{
    mdf_free(m->per_class);
    mdf_free(m->confusion);
    *m = (mdf_metrics){0};
}
