/* Intervals of numbers made of means, where they can be worked out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "support/near.h"
#include "train/bootstrap.h"

static double first(double a, double b)
{
    (void)b;
    return a;
}

static double ratio(double a, double b)
{
    return a / b;
}

static mdf_estimate estimate(const double *a, const double *b, const int *group, size_t n,
                             mdf_of_means *of)
{
    mdf_estimate e;
    assert_int_equal(
        mdf_bootstrap(
            &e,
            &(mdf_bootstrap_input){
                .a = a, .b = b, .group = group, .n = n, .of = of, .resamples = 2000, .seed = 1},
            NULL),
        MDF_OK);
    return e;
}

/* Two of {0, 1} drawn with replacement have the mean 0, 1/2, 1 in 1/4, 1/2, 1/4 of the draws. */
static void two_groups_span_both_values(void **state)
{
    (void)state;
    const mdf_estimate e = estimate((double[]){0, 1}, (double[]){1, 1}, (int[]){7, 3}, 2, first);
    assert_int_equal(e.n, 2);
    assert_near(e.value, 0.5, 0);
    assert_near(e.ci.low, 0, 0);
    assert_near(e.ci.high, 1, 0);
}

static void equal_cases_have_no_width(void **state)
{
    (void)state;
    const double a[] = {3, 3, 3, 3};
    const double b[] = {2, 2, 2, 2};
    const mdf_estimate e = estimate(a, b, (int[]){1, 2, 3, 4}, 4, ratio);
    assert_near(e.value, 1.5, 0);
    assert_near(e.ci.low, 1.5, 0);
    assert_near(e.ci.high, 1.5, 0);
}

/* A ratio of means, not a mean of ratios: (4 + 1) / (2 + 3) = 1, where ratios would give 7/6. */
static void means_come_first(void **state)
{
    (void)state;
    const mdf_estimate e = estimate((double[]){4, 1}, (double[]){2, 3}, (int[]){1, 2}, 2, ratio);
    assert_near(e.value, 1, 1e-15);
}

static void what_is_not_measured_is_left_out(void **state)
{
    (void)state;
    const double nan = (double)NAN;
    const double a[] = {1, nan, 5, 9};
    const double b[] = {1, 1, nan, 1};
    mdf_estimate e = estimate(a, b, (int[]){1, 2, 3, 4}, 4, first);
    assert_int_equal(e.n, 2);
    assert_near(e.value, 5, 0);
    e = estimate(a, b, (int[]){1, 2, 3, 1}, 4, first); /* one patient: nothing to draw among */
    assert_int_equal(e.n, 2);
    assert_near(e.value, 5, 0);
    assert_true(isnan(e.ci.low) && isnan(e.ci.high));
    e = estimate((double[]){nan}, (double[]){1}, (int[]){1}, 1, first);
    assert_int_equal(e.n, 0);
    assert_true(isnan(e.value));
}

/* Of a patient with many cases all or none are drawn: the mean is 0, 1/12 or 1. */
static void cases_of_a_patient_go_together(void **state)
{
    (void)state;
    double a[12];
    double b[12];
    int group[12];
    for (int i = 0; i < 12; i++) {
        a[i] = i == 0;
        b[i] = 1;
        group[i] = i == 0;
    }
    const mdf_estimate e = estimate(a, b, group, 12, first);
    assert_near(e.value, 1.0 / 12, 1e-15);
    assert_near(e.ci.low, 0, 0);
    assert_near(e.ci.high, 1, 0); /* the one case twice: 1/4 of the draws */
}

static void memory_that_ends_is_reported(void **state)
{
    (void)state;
    for (long n = 1; n <= 2; n++) {
        mdf_estimate e;
        mdf_error err = {0};
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_bootstrap(&e,
                                                &(mdf_bootstrap_input){.a = (double[]){1},
                                                                       .b = (double[]){1},
                                                                       .group = (int[]){1},
                                                                       .n = 1,
                                                                       .of = first,
                                                                       .resamples = 10},
                                                &err);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_groups_span_both_values),
        cmocka_unit_test(equal_cases_have_no_width),
        cmocka_unit_test(means_come_first),
        cmocka_unit_test(what_is_not_measured_is_left_out),
        cmocka_unit_test(cases_of_a_patient_go_together),
        cmocka_unit_test(memory_that_ends_is_reported),
    };
    return cmocka_run_group_tests_name("train/bootstrap", tests, NULL, NULL);
}
