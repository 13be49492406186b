/* Accuracy against coverage and counts of sets, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "train/doubt.h"

static void near(double a, double b)
{
    if (!(fabs(a - b) < 1e-12)) { /* sums of a few ratios */
        fail_msg("%.17g, want %.17g", a, b);
    }
}

/* Five cases of two labels: confidences 0.9 right, 0.8 wrong, 0.8 right, 0.7 right, 0.6 wrong. */
static const float prob[] = {0.8F, 0.2F, 0.1F, 0.9F, 0.3F, 0.7F, 0.2F, 0.8F, 0.6F, 0.4F};
static const int label[] = {1, 1, 1, 1, 1};

static void the_surest_come_first_and_ties_share(void **state)
{
    (void)state;
    mdf_doubt d;
    assert_int_equal(mdf_doubt_new(&d, prob, label, 5, 2, NULL), MDF_OK);
    near(d.accuracy[0], 1);
    near(d.accuracy[1], 1.5 / 2); /* half of the tie's one hit */
    near(d.accuracy[2], 2.0 / 3);
    near(d.accuracy[3], 3.0 / 4);
    near(d.accuracy[4], 3.0 / 5);
    near(d.risk_area, (0 + 0.25 + 1.0 / 3 + 0.25 + 0.4) / 5);
    const mdf_doubt_point all = mdf_doubt_at(&d, 0);
    near(all.accuracy, 0.6);
    assert_int_equal(all.n, 5);
    const mdf_doubt_point most = mdf_doubt_at(&d, 2); /* 80 % */
    near(most.coverage, 0.8);
    assert_int_equal(most.n, 4);
    near(most.accuracy, 0.75);
    assert_int_equal(mdf_doubt_at(&d, 1).n, 5); /* 4.5 */
    assert_int_equal(mdf_doubt_at(&d, 4).n, 3); /* 2.5 */
    mdf_doubt_free(&d);
}

/* Label 0 is in a set from 0.25 on, label 1 from 0.65. */
static void fill(mdf_doubt_config *c)
{
    memset(c, 0, sizeof *c);
    c->label_count = 2;
    c->label_cases[0] = c->label_cases[1] = 1;
    c->truth[0] = 0.25;
    c->truth[1] = 0.65;
    c->truth_count = 2;
}

static void sets_are_counted_by_true_label(void **state)
{
    (void)state;
    static mdf_doubt_config c;
    static const int mixed[] = {1, 1, 1, 0, 0};
    mdf_doubt d;
    fill(&c);
    assert_int_equal(mdf_doubt_new(&d, prob, mixed, 5, 2, NULL), MDF_OK);
    assert_int_equal(mdf_doubt_sets(&d, &c, 0.5, prob, mixed, NULL), MDF_OK); /* 1 case each */
    assert_true(d.sets->by_label);
    /* sets: {0}, {1}, {0,1}, {1}, {0} */
    assert_int_equal(d.all.n, 5);
    assert_int_equal(d.all.covered, 3);
    assert_int_equal(d.all.labels, 6);
    assert_int_equal(d.all.empty, 0);
    assert_int_equal(d.all.single, 4);
    assert_int_equal(d.all.full, 1);
    assert_int_equal(d.of_label[0].n, 2);
    assert_int_equal(d.of_label[0].covered, 1);
    assert_int_equal(d.of_label[1].n, 3);
    assert_int_equal(d.of_label[1].covered, 2);
    assert_int_equal(d.of_label[1].labels, 4);
    const char *const names[] = {"normal", "dr"};
    json_t *doc = json_object();
    assert_true(mdf_doubt_json(doc, &d, names));
    const json_t *sets = json_object_get(doc, "sets");
    near(json_number_value(json_object_get(json_object_get(sets, "all"), "covered")), 0.6);
    near(json_number_value(json_object_get(json_object_get(sets, "all"), "mean_size")), 1.2);
    assert_string_equal(json_string_value(json_object_get(sets, "holds_for")), "each label");
    assert_null(json_object_get(doc, "unlike"));
    json_decref(doc);
    mdf_doubt_free(&d);
}

static void a_model_without_calibration_is_refused(void **state)
{
    (void)state;
    static mdf_doubt_config c;
    mdf_doubt d;
    mdf_error err = {0};
    assert_int_equal(mdf_doubt_new(&d, prob, label, 5, 2, NULL), MDF_OK);
    assert_int_equal(mdf_doubt_sets(&d, &c, 0.5, prob, label, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "mdf calibrate"));
    assert_null(d.sets);
    mdf_doubt_free(&d);
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    static mdf_doubt_config c;
    mdf_doubt d;
    fill(&c);
    for (long n = 1; n <= 2; n++) {
        mdf_alloc_fail_after(n);
        assert_int_equal(mdf_doubt_new(&d, prob, label, 5, 2, NULL), MDF_ERR_NOMEM);
        mdf_alloc_fail_after(0);
        assert_int_equal(mdf_doubt_new(&d, prob, label, 5, 2, NULL), MDF_OK);
        mdf_alloc_fail_after(n);
        assert_int_equal(mdf_doubt_sets(&d, &c, 0.5, prob, label, NULL), MDF_ERR_NOMEM);
        mdf_alloc_fail_after(0);
        mdf_doubt_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_surest_come_first_and_ties_share),
        cmocka_unit_test(sets_are_counted_by_true_label),
        cmocka_unit_test(a_model_without_calibration_is_refused),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
