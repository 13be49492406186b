/* Which cases an epoch draws: classes and data folders get the share that the settings say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "train/sampler.h"

/* Folder 0: 100 of class 0, 20 of class 1. Folder 1: 25 of class 0. Folder 2: 4 of class 0 and 75
 * of class 1. Two more have no label, one of them a mask. */
enum { CASES = 226, SOURCES = 3, CLASSES = 2 };

typedef struct data {
    mdf_manifest_case info[CASES];
    mdf_sample item[CASES];
    mdf_samples samples;
} data;

static void make(data *d)
{
    static const struct {
        int source, label, count;
    } group[] = {{0, 0, 100}, {0, 1, 20}, {1, 0, 25}, {2, 0, 4}, {2, 1, 75}, {1, -1, 2}};
    size_t n = 0;
    *d = (data){0};
    for (size_t i = 0; i < sizeof group / sizeof group[0]; i++) {
        for (int j = 0; j < group[i].count; j++, n++) {
            d->info[n] = (mdf_manifest_case){.source = group[i].source, .label = group[i].label};
            d->item[n] = (mdf_sample){.label = group[i].label, .info = &d->info[n]};
        }
    }
    assert_int_equal(n, CASES);
    d->item[CASES - 1].has_mask = true;
    d->samples = (mdf_samples){.item = d->item, .count = CASES};
}

/* Draws of an epoch by folder and class. */
static void count(data *d, const mdf_draw *how, int epoch, size_t drawn[SOURCES][CLASSES])
{
    mdf_epoch_plan p;
    memset(drawn, 0, sizeof(size_t[SOURCES][CLASSES]));
    assert_int_equal(mdf_epoch_plan_make(&p, &d->samples, CLASSES, 16, how, 7, epoch, NULL),
                     MDF_OK);
    assert_int_equal(p.begin[p.batches], p.count);
    for (size_t i = 0; i < p.count; i++) {
        const mdf_sample *c = &d->item[p.index[i]];
        if (c->label >= 0) {
            drawn[c->info->source][c->label]++;
        }
    }
    mdf_epoch_plan_free(&p);
}

static void without_balance_every_labelled_case_once(void **state)
{
    (void)state;
    data d;
    size_t n[SOURCES][CLASSES];
    make(&d);
    count(&d, &(mdf_draw){.balanced = false, .set_power = 0}, 0, n);
    const size_t want[SOURCES][CLASSES] = {{100, 20}, {25, 0}, {4, 75}};
    assert_memory_equal(n, want, sizeof n);
}

/* 224 labelled cases: 112 draws a class. */
static void power_one_shares_by_cases(void **state)
{
    (void)state;
    data d;
    size_t n[SOURCES][CLASSES];
    make(&d);
    count(&d, &(mdf_draw){.balanced = true, .set_power = 1}, 0, n);
    assert_int_equal(n[0][0] + n[1][0] + n[2][0], 112);
    assert_int_equal(n[0][1] + n[2][1], 112);
    /* less than one pass over class 0's 129: nobody twice */
    assert_true(n[0][0] <= 100 && n[1][0] <= 25 && n[2][0] <= 4);
}

/* Class 0: roots 10, 5 and 2 of 17, so 65.9, 32.9 and 13.2 of 112, rounded where the sum so far is.
 * Class 1: roots 4.47 and 8.66. */
static void power_a_half_shares_by_roots(void **state)
{
    (void)state;
    data d;
    size_t n[SOURCES][CLASSES];
    make(&d);
    count(&d, &(mdf_draw){.balanced = true, .set_power = 0.5}, 3, n);
    const size_t want[SOURCES][CLASSES] = {{66, 38}, {33, 0}, {13, 74}};
    assert_memory_equal(n, want, sizeof n);
}

static void power_nought_shares_by_folders(void **state)
{
    (void)state;
    data d;
    size_t n[SOURCES][CLASSES];
    make(&d);
    count(&d, &(mdf_draw){.balanced = true, .set_power = 0}, 1, n);
    const size_t want[SOURCES][CLASSES] = {{37, 56}, {38, 0}, {37, 56}};
    assert_memory_equal(n, want, sizeof n);
}

static void an_epoch_is_a_function_of_seed_and_number(void **state)
{
    (void)state;
    data d;
    make(&d);
    const mdf_draw how = {.balanced = true, .set_power = 0.5};
    mdf_epoch_plan a;
    mdf_epoch_plan b;
    mdf_epoch_plan c;
    assert_int_equal(mdf_epoch_plan_make(&a, &d.samples, CLASSES, 16, &how, 7, 2, NULL), MDF_OK);
    assert_int_equal(mdf_epoch_plan_make(&b, &d.samples, CLASSES, 16, &how, 7, 2, NULL), MDF_OK);
    assert_int_equal(mdf_epoch_plan_make(&c, &d.samples, CLASSES, 16, &how, 7, 3, NULL), MDF_OK);
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.index, b.index, a.count * sizeof *a.index);
    assert_true(a.count != c.count || memcmp(a.index, c.index, a.count * sizeof *a.index) != 0);
    mdf_epoch_plan_free(&a);
    mdf_epoch_plan_free(&b);
    mdf_epoch_plan_free(&c);
}

static void a_mask_without_label_comes_once(void **state)
{
    (void)state;
    data d;
    mdf_epoch_plan p;
    size_t seen = 0;
    make(&d);
    const mdf_draw how = {.balanced = true, .set_power = 0.5};
    assert_int_equal(mdf_epoch_plan_make(&p, &d.samples, CLASSES, 16, &how, 7, 0, NULL), MDF_OK);
    for (size_t i = 0; i < p.count; i++) {
        assert_int_not_equal(p.index[i], CASES - 2);
        seen += p.index[i] == CASES - 1;
    }
    assert_int_equal(seen, 1);
    mdf_epoch_plan_free(&p);
}

static void folders_know_the_labels_that_they_have(void **state)
{
    (void)state;
    data d;
    make(&d);
    assert_int_equal(mdf_samples_know_labels(&d.samples, CLASSES, NULL), MDF_OK);
    const uint8_t want[SOURCES * CLASSES] = {1, 1, 1, 0, 1, 1};
    assert_memory_equal(d.samples.known, want, sizeof want);
    mdf_free(d.samples.known);
}

/* Pictures and crops in one epoch: every batch once, as it was, of one kind. */
static void two_plans_are_mixed_batch_by_batch(void **state)
{
    (void)state;
    static size_t whole_index[] = {5, 6, 7};
    static size_t whole_begin[] = {0, 2, 3};
    static size_t crop_index[] = {1, 2, 3, 4};
    static size_t crop_begin[] = {0, 1, 3, 4};
    static mdf_mask_name crop_focus[] = {MDF_MASK_CUP, MDF_MASK_VESSEL, MDF_MASK_DISC,
                                         MDF_MASK_CUP};
    const mdf_epoch_plan whole = {
        .index = whole_index, .begin = whole_begin, .count = 3, .batches = 2};
    const mdf_epoch_plan crops = {
        .index = crop_index, .begin = crop_begin, .focus = crop_focus, .count = 4, .batches = 3};
    bool seen[8] = {false};
    mdf_epoch_plan p;
    mdf_epoch_plan q;
    assert_int_equal(mdf_epoch_plan_mix(&p, &whole, &crops, 7, 1, NULL), MDF_OK);
    assert_int_equal(p.count, 7);
    assert_int_equal(p.batches, 5);
    assert_int_equal(p.begin[5], 7);
    for (size_t n = 0; n < p.batches; n++) {
        const size_t first = p.index[p.begin[n]];
        const mdf_mask_name *focus = mdf_epoch_plan_focus(&p, n);
        assert_int_equal(focus == NULL, first >= 5);
        assert_int_equal(p.begin[n + 1] - p.begin[n], first == 5 || first == 2 ? 2 : 1);
        for (size_t i = p.begin[n]; i < p.begin[n + 1]; i++) {
            assert_false(seen[p.index[i]]);
            seen[p.index[i]] = true;
            if (focus != NULL) {
                assert_int_equal(focus[i - p.begin[n]], crop_focus[p.index[i] - 1]);
            }
        }
    }
    assert_null(mdf_epoch_plan_focus(&whole, 0));
    assert_int_equal(mdf_epoch_plan_mix(&q, &whole, &crops, 7, 1, NULL), MDF_OK);
    assert_memory_equal(p.index, q.index, 7 * sizeof *p.index);
    mdf_epoch_plan_free(&q);
    mdf_epoch_plan_free(&p);
    for (long n = 1; n <= 4; n++) {
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_epoch_plan_mix(&q, &whole, &crops, 7, 1, NULL);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_balance_every_labelled_case_once),
        cmocka_unit_test(power_one_shares_by_cases),
        cmocka_unit_test(power_a_half_shares_by_roots),
        cmocka_unit_test(power_nought_shares_by_folders),
        cmocka_unit_test(an_epoch_is_a_function_of_seed_and_number),
        cmocka_unit_test(a_mask_without_label_comes_once),
        cmocka_unit_test(folders_know_the_labels_that_they_have),
        cmocka_unit_test(two_plans_are_mixed_batch_by_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
