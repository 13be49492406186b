/* Metrics against scikit-learn (tests/golden/metrics) and, for the bootstrap, against theory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "support/near.h"
#include "train/metrics.h"

/* Both sides compute in double from the same exactly representable inputs. */
static const double EXACT = 1e-12;

static double get(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static void expect(double got, const json_t *want, double tolerance)
{
    if (json_is_null(want)) {
        assert_true(isnan(got));
    } else {
        assert_near(got, json_number_value(want), tolerance);
    }
}

static float *floats(const json_t *array)
{
    float *v = mdf_alloc(json_array_size(array), sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < json_array_size(array); i++) {
        v[i] = (float)json_number_value(json_array_get(array, i));
    }
    return v;
}

static void check_case(const json_t *want)
{
    const size_t n = (size_t)get(want, "n");
    const size_t k = (size_t)get(want, "classes");
    float *prob = floats(json_object_get(want, "prob"));
    float *logits = floats(json_object_get(want, "logits"));
    int label[64];
    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++) {
        label[i] = (int)json_integer_value(json_array_get(json_object_get(want, "label"), i));
    }
    mdf_metrics m;
    const mdf_metrics_input in = {
        .prob = prob, .label = label, .n = n, .classes = k, .resamples = 10};
    assert_int_equal(mdf_metrics_compute(&m, &in, NULL), MDF_OK);
    assert_near(m.accuracy, get(want, "accuracy"), EXACT);
    assert_near(m.balanced_accuracy, get(want, "balanced_accuracy"), EXACT);
    assert_near(m.macro_f1, get(want, "macro_f1"), EXACT);
    assert_near(m.macro_auc, get(want, "macro_auc"), EXACT);
    assert_near(m.brier, get(want, "brier"), EXACT);
    for (size_t c = 0; c < k; c++) {
        expect(m.per_class[c].auc, json_array_get(json_object_get(want, "auc"), c), EXACT);
        expect(m.per_class[c].sensitivity, json_array_get(json_object_get(want, "sensitivity"), c),
               EXACT);
        expect(m.per_class[c].specificity, json_array_get(json_object_get(want, "specificity"), c),
               EXACT);
    }
    for (size_t c = 0; c < k * k; c++) {
        assert_int_equal(m.confusion[c],
                         json_integer_value(json_array_get(json_object_get(want, "confusion"), c)));
    }
    mdf_metrics_free(&m);
    double t = 0;
    assert_int_equal(mdf_temperature_fit(&t, logits, label, n, k, NULL), MDF_OK);
    /* Near the minimum NLL grows with the square, so 1e-16 of NLL is about 1e-8 of log T, and our
     * search stops at 1e-6. */
    assert_near(log(t), log(get(want, "temperature")), 2e-6);
    assert_near(mdf_nll(logits, label, n, k, t), get(want, "nll"), 1e-11);
    mdf_free(prob);
    mdf_free(logits);
}

static void values_agree_with_scikit_learn(void **state)
{
    (void)state;
    json_error_t je;
    json_t *golden = json_load_file(MDF_TEST_DATA "/golden/metrics/metrics.json", 0, &je);
    assert_non_null(golden);
    const json_t *cases = json_object_get(golden, "cases");
    assert_int_equal(json_array_size(cases), 3);
    for (size_t i = 0; i < 3; i++) {
        check_case(json_array_get(cases, i));
    }
    json_decref(golden);
}

enum { MANY = 400 };

/* Half of each class right: recall of each class is binomial, so balanced accuracy over n cases of
 * 2 classes has a standard deviation of 0.5 / sqrt(n). Doubling every case inside its patient must
 * not narrow the interval; treating the copies as patients must, by sqrt 2. */
static void the_bootstrap_resamples_patients_not_cases(void **state)
{
    (void)state;
    static float prob[2 * MANY * 2];
    static int label[2 * MANY];
    static int patient[2 * MANY];
    for (size_t i = 0; i < 2 * MANY; i++) {
        const size_t p = i / 2;
        patient[i] = 7 - (int)p; /* any numbers will do */
        label[i] = (int)(p % 2);
        const int answer = (p / 2) % 2 == 0 ? label[i] : 1 - label[i];
        prob[2 * i] = answer == 0 ? 0.75f : 0.25f;
        prob[2 * i + 1] = 1 - prob[2 * i];
    }
    const mdf_metrics_input by_patient = {
        .prob = prob, .label = label, .patient = patient, .n = 2 * MANY, .classes = 2, .seed = 3};
    mdf_metrics_input by_case = by_patient;
    by_case.patient = NULL;
    mdf_metrics m;
    mdf_metrics again;
    mdf_metrics narrow;
    assert_int_equal(mdf_metrics_compute(&m, &by_patient, NULL), MDF_OK);
    assert_int_equal(mdf_metrics_compute(&again, &by_patient, NULL), MDF_OK);
    assert_int_equal(mdf_metrics_compute(&narrow, &by_case, NULL), MDF_OK);
    assert_int_equal(m.patients, MANY);
    assert_int_equal(narrow.patients, 2 * MANY);
    const double width = m.balanced_accuracy_ci.high - m.balanced_accuracy_ci.low;
    const double half = narrow.balanced_accuracy_ci.high - narrow.balanced_accuracy_ci.low;
    /* 2 x 1.96 x 0.5 / sqrt(400) = 0.098. An end of 2000 resamples scatters by 4 %; 10 % is 2.5 of
     * those. */
    assert_near(width, 0.098, 0.0098);
    assert_near(half, 0.098 / sqrt(2.0), 0.0069);
    assert_true(m.balanced_accuracy_ci.low < 0.5 && m.balanced_accuracy_ci.high > 0.5);
    assert_memory_equal(&m.macro_auc_ci, &again.macro_auc_ci, sizeof m.macro_auc_ci);
    assert_memory_equal(&m.macro_f1_ci, &again.macro_f1_ci, sizeof m.macro_f1_ci);
    mdf_metrics_free(&m);
    mdf_metrics_free(&again);
    mdf_metrics_free(&narrow);
}

static void json_has_every_key_and_null_for_the_unknowable(void **state)
{
    (void)state;
    static const float prob[] = {0.7f, 0.2f, 0.1f, 0.3f, 0.6f, 0.1f};
    static const int label[] = {0, 0};
    static const char *const names[] = {"normal", "dr", "amd"};
    static const char *const files[] = {"a.jpg", "b.jpg"};
    const mdf_metrics_input in = {
        .prob = prob, .label = label, .n = 2, .classes = 3, .resamples = 20};
    mdf_metrics m;
    assert_int_equal(mdf_metrics_compute(&m, &in, NULL), MDF_OK);
    mdf_mask_scores masks = {0};
    mdf_mask_score_add(&masks.of[MDF_MASK_VESSEL], 0.25, false);
    mdf_mask_score_add(&masks.of[MDF_MASK_VESSEL], 0.75, true);
    json_t *j = mdf_metrics_json(
        &m,
        &(mdf_metrics_naming){.labels = names, .cases = &in, .file_names = files, .masks = &masks});
    assert_non_null(j);
    static const char *const keys[] = {
        "n",         "accuracy",  "accuracy_ci",  "balanced_accuracy", "macro_f1", "labels",
        "macro_auc", "per_class", "macro_auc_ci", "confusion",         "brier",    "ece_calibrated",
        "ece",       "masks",     "cases"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_non_null(json_object_get(j, keys[i]));
    }
    assert_true(json_is_null(json_object_get(j, "macro_auc"))); /* one class only: no area */
    assert_true(json_is_null(json_object_get(j, "macro_auc_ci")));
    assert_true(json_is_null(json_object_get(j, "ece_calibrated")));
    assert_near(get(j, "accuracy"), 0.5, 0);
    const json_t *vessel = json_object_get(json_object_get(j, "masks"), "vessel");
    assert_near(get(vessel, "dice"), 0.5, 0);
    assert_near(get(vessel, "sd"), sqrt(0.125), 1e-15); /* 2 (1/4)^2 / (2 - 1), one rounding */
    assert_int_equal(json_integer_value(json_object_get(vessel, "n")), 2);
    assert_int_equal(json_integer_value(json_object_get(vessel, "from_boxes")), 1);
    assert_null(json_object_get(json_object_get(j, "masks"), "lesion"));
    const json_t *normal = json_object_get(json_object_get(j, "per_class"), "normal");
    assert_near(get(normal, "sensitivity"), 0.5, 0);
    assert_true(json_is_null(json_object_get(normal, "specificity")));
    const json_t *row = json_array_get(json_object_get(j, "cases"), 1);
    assert_string_equal(json_string_value(json_object_get(row, "file_name")), "b.jpg");
    assert_string_equal(json_string_value(json_object_get(row, "answer")), "dr");
    json_decref(j);
    mdf_strbuf text = mdf_strbuf_new(1 << 16);
    mdf_metrics_text(&text, &m, &(mdf_metrics_naming){.labels = names});
    assert_false(text.failed);
    assert_non_null(strstr(text.data, "2 cases of 2 patients"));
    mdf_strbuf_free(&text);
    mdf_metrics_free(&m);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    float prob[] = {0.5f, 0.5f};
    int label[] = {0};
    mdf_metrics_input in = {.prob = prob, .label = label, .n = 1, .classes = 2, .resamples = 1};
    mdf_metrics m;
    mdf_error err = {0};
    in.n = 0;
    assert_int_equal(mdf_metrics_compute(&m, &in, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "no labelled cases to evaluate");
    in.n = 1;
    label[0] = 2;
    assert_int_equal(mdf_metrics_compute(&m, &in, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "case 0 has label 2 of 2 classes");
    label[0] = 1;
    prob[1] = NAN;
    assert_int_equal(mdf_metrics_compute(&m, &in, &err), MDF_ERR_NUMERIC);
    assert_string_equal(err.text, "case 0 has a probability outside 0..1");
    prob[1] = 0.5f;
    mdf_status status = MDF_ERR_NOMEM;
    long n = 0;
    while (status == MDF_ERR_NOMEM) {
        mdf_alloc_fail_after(++n);
        status = mdf_metrics_compute(&m, &in, &err);
        mdf_alloc_fail_after(0);
    }
    assert_int_equal(status, MDF_OK);
    assert_true(n > 10); /* each of the blocks has failed once */
    mdf_metrics_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_agree_with_scikit_learn),
        cmocka_unit_test(the_bootstrap_resamples_patients_not_cases),
        cmocka_unit_test(json_has_every_key_and_null_for_the_unknowable),
        cmocka_unit_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
