/* Temperature, reliability bins, Brier score: by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "nn/answer.h"
#include "support/near.h"
#include "train/calibration.h"

/* Two classes, logits (+-a, 0), answers right in a share r of the cases: the best temperature makes
 * the confidence equal the share, a / T = ln(r / (1 - r)). Here a = 3, r = 3/4: T = 3 / ln 3. */
static void the_temperature_makes_confidence_equal_accuracy(void **state)
{
    (void)state;
    static const float logits[] = {3, 0, 3, 0, 3, 0, 3, 0};
    static const int label[] = {0, 0, 0, 1};
    double t = 0;
    assert_int_equal(mdf_temperature_fit(&t, logits, label, 4, 2, NULL), MDF_OK);
    assert_near(t, 3 / log(3), 1e-5); /* the search stops at 1e-6 of log T */
    float prob[8];
    mdf_softmax_temperature(prob, logits, 4, 2, t);
    assert_near((double)prob[0], 0.75, 1e-6);
    mdf_reliability_bin bin[MDF_ECE_BINS];
    mdf_reliability(bin, prob, label, 4, 2);
    assert_near(mdf_ece(bin), 0, 1e-6);
}

static void the_temperature_stays_in_its_range(void **state)
{
    (void)state;
    static const float logits[] = {1, 0, 0, 1};
    static const int right[] = {0, 1};
    static const int wrong[] = {1, 0};
    double t = 0;
    assert_int_equal(mdf_temperature_fit(&t, logits, right, 2, 2, NULL), MDF_OK);
    assert_near(t, 0.05, 1e-6);
    assert_int_equal(mdf_temperature_fit(&t, logits, wrong, 2, 2, NULL), MDF_OK);
    assert_near(t, 20, 1e-4);
}

static void nothing_to_fit_is_an_error(void **state)
{
    (void)state;
    float logits[] = {1, 0};
    int label[] = {-1};
    double t = 7;
    mdf_error err = {0};
    assert_int_equal(mdf_temperature_fit(&t, logits, label, 1, 2, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "no labelled case to fit the temperature on");
    logits[1] = NAN;
    label[0] = 0;
    assert_int_equal(mdf_temperature_fit(&t, logits, label, 1, 2, &err), MDF_ERR_NUMERIC);
    logits[1] = 0;
    label[0] = 2;
    assert_int_equal(mdf_temperature_fit(&t, logits, label, 1, 2, &err), MDF_ERR_ARG);
    assert_near(t, 7, 0);
}

static void large_logits_do_not_overflow(void **state)
{
    (void)state;
    static const float logits[] = {30000.0f, 29999.0f, -30000.0f};
    float prob[3];
    mdf_softmax_temperature(prob, logits, 1, 3, 1);
    assert_near((double)prob[0], 1 / (1 + exp(-1)), 1e-7);
    assert_near((double)prob[2], 0, 0);
}

/* Three cases: 0.9 right, 0.88 wrong (bin 14 of 15: 0.8667 to 0.9333], 0.5 right (bin 8).
 * Bin 14: |0.89 - 0.5| * 2/3, bin 8: |0.5 - 1| / 3. */
static void bins_are_weighted_by_their_cases(void **state)
{
    (void)state;
    static const float prob[] = {0.9f, 0.1f, 0.88f, 0.12f, 0.5f, 0.5f};
    static const int label[] = {0, 1, 0};
    mdf_reliability_bin bin[MDF_ECE_BINS];
    mdf_reliability(bin, prob, label, 3, 2);
    assert_int_equal(bin[13].n, 2);
    assert_int_equal(bin[7].n, 1);
    /* float probabilities carry 6e-8 each */
    assert_near(mdf_ece(bin), (0.39 * 2 + 0.5) / 3, 1e-7);
    assert_near(mdf_brier(prob, label, 3, 2), (0.02 + 2 * 0.88 * 0.88 + 0.5) / 3, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_temperature_makes_confidence_equal_accuracy),
        cmocka_unit_test(the_temperature_stays_in_its_range),
        cmocka_unit_test(nothing_to_fit_is_an_error),
        cmocka_unit_test(large_logits_do_not_overflow),
        cmocka_unit_test(bins_are_weighted_by_their_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
