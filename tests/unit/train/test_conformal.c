/* Sets of labels: thresholds by hand, the guarantee against its exact expectation, too few cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "train/conformal.h"

enum { MOST = 3000, CLASSES = 3 };

static mdf_doubt_config doubt;
static float prob[MOST * CLASSES];
static int label[MOST];

/* A case whose true label has probability p; the others share the rest. */
static void put(size_t i, int truth, double p)
{
    label[i] = truth;
    for (int k = 0; k < CLASSES; k++) {
        prob[i * CLASSES + (size_t)k] = (float)(k == truth ? p : (1 - p) / (CLASSES - 1));
    }
}

static void fit(size_t n)
{
    memset(&doubt, 0, sizeof doubt);
    assert_int_equal(mdf_conformal_fit(&doubt, prob, label, n, CLASSES, NULL), MDF_OK);
}

/* counts[k] cases of label k, with true probabilities of (i + 0.5) / counts[k]. */
static void fit_even(const size_t counts[CLASSES])
{
    size_t n = 0;
    for (int k = 0; k < CLASSES; k++) {
        for (size_t i = 0; i < counts[k]; i++) {
            put(n++, k, ((double)i + 0.5) / (double)counts[k]);
        }
    }
    fit(n);
}

static void near(double a, double b)
{
    if (!(fabs(a - b) < 2e-6)) { /* rounded down to a millionth, from a float */
        fail_msg("%.9g, want %.9g", a, b);
    }
}

static void every_label_has_its_own_threshold(void **state)
{
    (void)state;
    mdf_conformal c;
    fit_even((const size_t[]){9, 19, 20});
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.9, NULL), MDF_OK);
    assert_true(c.by_label);
    near(c.least[0], 0.5 / 9);  /* the 9th of 9: (9 + 1) 0.9 = 9 */
    near(c.least[1], 1.5 / 19); /* the 18th of 19 */
    near(c.least[2], 1.5 / 20); /* the 19th of 20: 18.9 */
    bool in[CLASSES];
    const float some[CLASSES] = {0.05F, 0.08F, 0.87F};
    assert_int_equal(mdf_conformal_set(in, &c, some), 2);
    assert_false(in[0]);
    assert_true(in[1] && in[2]);
    const float none[CLASSES] = {0.05F, 0.07F, 0.07F};
    assert_int_equal(mdf_conformal_set(in, &c, none), 0);
}

static void a_label_with_too_few_cases_makes_one_threshold(void **state)
{
    (void)state;
    mdf_conformal c;
    fit_even((const size_t[]){8, 11, 0}); /* 0.9 takes nine of each */
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.9, NULL), MDF_OK);
    assert_false(c.by_label);
    near(c.least[0], 0.5 / 8); /* the 18th of 19, falling: 0.5/11, 0.5/8, 1.5/11, ... from below */
    near(c.least[2], c.least[0]);
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.5, NULL), MDF_OK);
    assert_false(c.by_label); /* one label has none at all */
}

static void too_few_cases_are_refused_with_their_number(void **state)
{
    (void)state;
    mdf_conformal c;
    mdf_error err = {0};
    fit_even((const size_t[]){4, 4, 0});
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.9, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "takes 9 cases"));
    assert_non_null(strstr(err.text, "were 8"));
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.99, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "takes 99 cases"));
    fit_even((const size_t[]){4, 5, 0});
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.9, &err), MDF_OK);
    memset(&doubt, 0, sizeof doubt);
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.5, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "not calibrated"));
}

static void of_many_cases_every_so_manieth_is_kept(void **state)
{
    (void)state;
    mdf_conformal c;
    fit_even((const size_t[]){1000, 1000, 1000});
    assert_int_equal(doubt.truth_count, 3 * MDF_MAX_LABEL_TRUTH);
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.9, NULL), MDF_OK);
    near(c.least[1], (1000 - 905 + 0.5) / 1000); /* rank 901; kept are 5, 10, ... 905 */
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.999, NULL), MDF_OK);
    near(c.least[1], 0.5 / 1000);              /* the least of all is kept */
    fit_even((const size_t[]){1000, 1000, 8}); /* 0.9 for all: rank 1808.1 -> 1809 of 2008 */
    assert_int_equal(mdf_conformal_new(&c, &doubt, 0.9, NULL), MDF_OK);
    assert_false(c.by_label);
    near(c.least[0], 0.0955); /* 901 of each label would do; kept are the 900th and the 905th */
}

static void cases_without_a_label_do_not_count(void **state)
{
    (void)state;
    put(0, 0, 0.5);
    put(1, 1, 0.25);
    put(2, 2, 0.75);
    put(3, 0, 0.125);
    label[2] = -1;
    fit(4);
    assert_int_equal(doubt.label_cases[0], 2);
    assert_int_equal(doubt.label_cases[1], 1);
    assert_int_equal(doubt.label_cases[2], 0);
    assert_int_equal(doubt.truth_count, 3);
    near(doubt.truth[0], 0.5);
    near(doubt.truth[1], 0.125);
    near(doubt.truth[2], 0.25);
}

/* Share of `draws` new cases that their set covers, each with calibration cases of its own; the
 * probability of a true label is u^power[label], u uniform, so labels differ in difficulty. */
static double covered(const size_t counts[CLASSES], int truth, double coverage, size_t draws,
                      uint64_t seed)
{
    static const double power[CLASSES] = {0.2, 1, 3};
    mdf_rng r = mdf_rng_new(seed, 1);
    size_t hits = 0;
    for (size_t t = 0; t < draws; t++) {
        size_t n = 0;
        for (int k = 0; k < CLASSES; k++) {
            for (size_t i = 0; i < counts[k]; i++) {
                put(n++, k, pow(mdf_rng_uniform(&r), power[k]));
            }
        }
        fit(n);
        mdf_conformal c;
        bool in[CLASSES];
        assert_int_equal(mdf_conformal_new(&c, &doubt, coverage, NULL), MDF_OK);
        put(0, truth, pow(mdf_rng_uniform(&r), power[truth]));
        (void)mdf_conformal_set(in, &c, prob);
        hits += in[truth] ? 1 : 0;
    }
    return (double)hits / (double)draws;
}

/* The rank of a new case among n + 1 exchangeable ones is uniform: it is covered with probability
 * exactly k / (n + 1), k = ceil((n + 1) coverage). Four standard errors of so many draws; rounding
 * to a millionth is far below. */
static void the_guarantee_holds_for_every_label(void **state)
{
    (void)state;
    static const size_t counts[CLASSES] = {12, 20, 33};
    const size_t draws = 20000;
    for (int k = 0; k < CLASSES; k++) {
        const double n = (double)counts[k];
        const double want = ceil((n + 1) * 0.9) / (n + 1);
        assert_true(want >= 0.9);
        const double got = covered(counts, k, 0.9, draws, 7 + (uint64_t)k);
        const double error = sqrt(want * (1 - want) / (double)draws);
        if (!(fabs(got - want) < 4 * error)) {
            fail_msg("label %d: covered %.4f, want %.4f +- %.4f", k, got, want, 4 * error);
        }
    }
}

/* The same over all labels, where one alone has too few cases: the new case must be drawn as the
 * others are, so its label is drawn, too, and the calibration's counts are left to chance. */
static void the_guarantee_holds_for_all_together(void **state)
{
    (void)state;
    enum { N = 24, DRAWS = 20000 };
    mdf_rng r = mdf_rng_new(3, 1);
    size_t hits = 0;
    for (int t = 0; t < DRAWS; t++) {
        for (size_t i = 0; i <= N; i++) { /* the last one is the new case */
            const int k = mdf_rng_uniform(&r) < 0.6 ? 0 : 1;
            put(i, k, pow(mdf_rng_uniform(&r), k == 0 ? 0.2 : 3));
        }
        fit(N); /* no case of label 2 */
        mdf_conformal c;
        bool in[CLASSES];
        assert_int_equal(mdf_conformal_new(&c, &doubt, 0.85, NULL), MDF_OK);
        assert_false(c.by_label);
        (void)mdf_conformal_set(in, &c, prob + N * CLASSES);
        hits += in[label[N]] ? 1 : 0;
    }
    const double want = ceil((N + 1) * 0.85) / (N + 1); /* 22 of 25 */
    const double got = (double)hits / DRAWS;
    const double error = sqrt(want * (1 - want) / DRAWS);
    if (!(fabs(got - want) < 4 * error)) {
        fail_msg("covered %.4f, want %.4f +- %.4f", got, want, 4 * error);
    }
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    mdf_error err = {0};
    put(0, 0, 0.5);
    mdf_alloc_fail_after(1);
    assert_int_equal(mdf_conformal_fit(&doubt, prob, label, 1, CLASSES, &err), MDF_ERR_NOMEM);
    mdf_alloc_fail_after(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_label_has_its_own_threshold),
        cmocka_unit_test(a_label_with_too_few_cases_makes_one_threshold),
        cmocka_unit_test(too_few_cases_are_refused_with_their_number),
        cmocka_unit_test(of_many_cases_every_so_manieth_is_kept),
        cmocka_unit_test(cases_without_a_label_do_not_count),
        cmocka_unit_test(the_guarantee_holds_for_every_label),
        cmocka_unit_test(the_guarantee_holds_for_all_together),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
