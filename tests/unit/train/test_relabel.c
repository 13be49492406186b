/* A list of cases meets a model's labels: what is left out is counted, by name where there is one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "train/relabel.h"

/* The data know amd, dr, normal; the cases are two of each, one without a label, and one without a
 * label but with masks. */
typedef struct data {
    const char *label[3];
    mdf_manifest_case item[8];
    mdf_manifest manifest;
} data;

static void make(data *d)
{
    static const char *const name[] = {"amd", "dr", "normal"};
    *d = (data){.label = {name[0], name[1], name[2]}};
    for (int i = 0; i < 8; i++) {
        d->item[i] = (mdf_manifest_case){.label = i < 6 ? i / 2 : -1};
    }
    d->item[0].mask[MDF_MASK_VESSEL] = "a.png";
    d->item[7].mask[MDF_MASK_LESION] = "b.png";
    d->manifest =
        (mdf_manifest){.cases = d->item, .case_count = 8, .labels = d->label, .label_count = 3};
}

static void expect_text(const mdf_left_out *l, const char *want)
{
    mdf_strbuf text = mdf_strbuf_new(4096);
    mdf_left_out_text(&text, l);
    assert_string_equal(text.data == NULL ? "" : text.data, want);
    mdf_strbuf_free(&text);
}

static const char *const model[] = {"normal", "glaucoma", "dr"};

static void unknown_labels_are_counted_by_name(void **state)
{
    (void)state;
    data d;
    mdf_left_out l;
    make(&d);
    const mdf_relabel_options opt = {.labels = model, .label_count = 3};
    assert_int_equal(mdf_relabel(&l, &d.manifest, &opt), 4);
    assert_int_equal(d.manifest.case_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(d.item[i].label, i < 2 ? 2 : 0); /* dr, normal in the model's order */
    }
    assert_int_equal(l.unknown, 2);
    assert_int_equal(l.unlabelled, 2);
    assert_int_equal(l.masks_only, 0);
    assert_int_equal(mdf_left_out_cases(&l), 4);
    expect_text(&l, "2 cases have a label that the model does not know (amd 2); 2 cases have no "
                    "label; no case has the label glaucoma");
}

static void cases_with_masks_stay_without_a_label(void **state)
{
    (void)state;
    data d;
    mdf_left_out l;
    make(&d);
    const mdf_relabel_options opt = {
        .labels = model,
        .label_count = 3,
        .keep_mask = {[MDF_MASK_VESSEL] = true, [MDF_MASK_LESION] = true}};
    assert_int_equal(mdf_relabel(&l, &d.manifest, &opt), 4);
    assert_int_equal(d.manifest.case_count, 6);
    assert_int_equal(d.item[0].label, -1); /* amd, with a vessel mask */
    assert_int_equal(d.item[5].label, -1);
    assert_int_equal(l.unknown, 2); /* the numbers do not speak of the one that stays either */
    assert_int_equal(l.unlabelled, 1);
    assert_int_equal(l.masks_only, 1);
    expect_text(&l, "2 cases have a label that the model does not know (amd 2); 1 case has no "
                    "label; 1 case has no label, but a mask; no case has the label glaucoma");
}

static void what_is_not_asked_for_is_no_fault(void **state)
{
    (void)state;
    data d;
    mdf_left_out l;
    make(&d);
    const bool asked[] = {true, false, false};
    const mdf_relabel_options opt = {.labels = model, .label_count = 3, .asked = asked};
    d.manifest.case_count = 6;
    assert_int_equal(mdf_relabel(&l, &d.manifest, &opt), 2);
    assert_int_equal(l.not_asked, 2);
    assert_int_equal(l.unknown, 2);
    assert_int_equal(l.empty_count, 0); /* nor is it missed */
    assert_int_equal(mdf_left_out_cases(&l), 2);
}

static void a_list_that_fits_says_nothing(void **state)
{
    (void)state;
    data d;
    mdf_left_out l;
    make(&d);
    const mdf_relabel_options opt = {.labels = d.label, .label_count = 3};
    d.manifest.case_count = 6;
    assert_int_equal(mdf_relabel(&l, &d.manifest, &opt), 6);
    expect_text(&l, "");
    json_t *json = mdf_left_out_json(&l);
    json_t *want = json_pack("{s:{}, s:i, s:i, s:i, s:[]}", "unknown_labels", "unlabelled", 0,
                             "not_asked", 0, "masks_only", 0, "labels_without_cases");
    assert_true(json_equal(json, want));
    json_decref(json);
    json_decref(want);
}

static void a_long_list_is_cut_in_words_but_not_in_json(void **state)
{
    (void)state;
    char text[12][4];
    const char *label[12];
    mdf_manifest_case item[12];
    mdf_left_out l;
    for (int i = 0; i < 12; i++) {
        (void)snprintf(text[i], sizeof text[i], "%c", 'a' + i);
        label[i] = text[i];
        item[i] = (mdf_manifest_case){.label = i};
    }
    mdf_manifest m = {.cases = item, .case_count = 12, .labels = label, .label_count = 12};
    assert_int_equal(mdf_relabel(&l, &m, &(mdf_relabel_options){.labels = model, .label_count = 1}),
                     0);
    expect_text(&l, "12 cases have a label that the model does not know (a 1, b 1, c 1, d 1, e 1, "
                    "f 1, g 1, h 1 and 4 more); no case has the label normal");
    json_t *json = mdf_left_out_json(&l);
    assert_int_equal(json_object_size(json_object_get(json, "unknown_labels")), 12);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_labels_are_counted_by_name),
        cmocka_unit_test(cases_with_masks_stay_without_a_label),
        cmocka_unit_test(what_is_not_asked_for_is_no_fault),
        cmocka_unit_test(a_list_that_fits_says_nothing),
        cmocka_unit_test(a_long_list_is_cut_in_words_but_not_in_json),
    };
    return cmocka_run_group_tests_name("relabel", tests, NULL, NULL);
}
