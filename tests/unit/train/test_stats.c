/* Numbers worked out by hand or taken from published tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "support/near.h"
#include "train/stats.h"

/* 81 of 263: Newcombe 1998 (Statistics in Medicine 17:857), table I, Wilson without continuity
 * correction: 0.2553 to 0.3662, and 0 of 20: 0 to 0.1611. Four decimals are printed. */
static void wilson_matches_newcombes_table(void **state)
{
    (void)state;
    const mdf_interval a = mdf_wilson(81, 263);
    assert_near(a.low, 0.2553, 5e-5);
    assert_near(a.high, 0.3662, 5e-5);
    const mdf_interval b = mdf_wilson(0, 20);
    assert_near(b.low, 0.0, 0.0);
    assert_near(b.high, 0.1611, 5e-5);
    const mdf_interval c = mdf_wilson(20, 20);
    assert_near(c.low, 1 - 0.1611, 5e-5);
    assert_near(c.high, 1.0, 0.0);
    assert_true(isnan(mdf_wilson(0, 0).low));
}

static void quantiles_interpolate_between_ranks(void **state)
{
    (void)state;
    static const double v[] = {1, 2, 4, 8, 16};
    assert_near(mdf_quantile(v, 5, 0.0), 1, 0);
    assert_near(mdf_quantile(v, 5, 0.5), 4, 0);
    assert_near(mdf_quantile(v, 5, 0.625), 6, 0); /* h = 2.5 */
    assert_near(mdf_quantile(v, 5, 1.0), 16, 0);
    assert_true(isnan(mdf_quantile(v, 0, 0.5)));
}

/* Positives 0.9 0.5 0.5, negatives 0.5 0.1: of the 6 pairs 4 are right and 2 tied: 5 / 6. */
static void ties_count_half(void **state)
{
    (void)state;
    static const float score[] = {0.9f, 0.5f, 0.5f, 0.5f, 0.1f};
    static const int label[] = {1, 1, 0, 1, 0};
    mdf_ranking r;
    assert_int_equal(mdf_ranking_new(&r, score, 1, label, 1, 5, NULL), MDF_OK);
    assert_near(mdf_ranking_auc(&r, NULL), 5.0 / 6.0, 1e-15);
    double fpr[6];
    double tpr[6];
    size_t count = 0;
    mdf_ranking_roc(&r, fpr, tpr, &count);
    static const double want_fpr[] = {0, 0, 0.5, 1};
    static const double want_tpr[] = {0, 1.0 / 3.0, 1, 1};
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        assert_near(fpr[i], want_fpr[i], 1e-15);
        assert_near(tpr[i], want_tpr[i], 1e-15);
    }
    mdf_ranking_free(&r);
}

/* A weight of 2 must do what a second copy of the case does. */
static void a_weight_is_a_number_of_copies(void **state)
{
    (void)state;
    static const float score[] = {0.3f, 0.6f, 0.2f, 0.6f};
    static const int label[] = {0, 1, 1, 0};
    static const uint32_t weight[] = {2, 1, 3, 0};
    static const float copies[] = {0.3f, 0.3f, 0.6f, 0.2f, 0.2f, 0.2f};
    static const int copied[] = {0, 0, 1, 1, 1, 1};
    mdf_ranking r;
    assert_int_equal(mdf_ranking_new(&r, score, 1, label, 1, 4, NULL), MDF_OK);
    const double weighted = mdf_ranking_auc(&r, weight);
    mdf_ranking_free(&r);
    assert_int_equal(mdf_ranking_new(&r, copies, 1, copied, 1, 6, NULL), MDF_OK);
    assert_near(weighted, mdf_ranking_auc(&r, NULL), 0);
    assert_near(weighted, 2.0 / 8.0, 0); /* 2 of the 2 x 4 pairs are right */
    mdf_ranking_free(&r);
}

static void one_side_alone_has_no_area(void **state)
{
    (void)state;
    static const float score[] = {0.3f, 0.6f};
    static const int label[] = {1, 1};
    mdf_ranking r;
    assert_int_equal(mdf_ranking_new(&r, score, 1, label, 1, 2, NULL), MDF_OK);
    assert_true(isnan(mdf_ranking_auc(&r, NULL)));
    mdf_ranking_free(&r);
}

static void dice_collects_over_images(void **state)
{
    (void)state;
    static const uint8_t a[] = {1, 1, 0, 0};
    static const uint8_t b[] = {255, 0, 0, 1};
    mdf_dice_count d = {0};
    assert_true(isnan(mdf_dice_value(&d)));
    mdf_dice_add(&d, a, b, 4);
    assert_near(mdf_dice_value(&d), 2.0 * 1 / 4, 0);
    mdf_dice_add(&d, a, a, 4);
    assert_near(mdf_dice_value(&d), 2.0 * 3 / 8, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_matches_newcombes_table),
        cmocka_unit_test(quantiles_interpolate_between_ranks),
        cmocka_unit_test(ties_count_half),
        cmocka_unit_test(a_weight_is_a_number_of_copies),
        cmocka_unit_test(one_side_alone_has_no_area),
        cmocka_unit_test(dice_collects_over_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
