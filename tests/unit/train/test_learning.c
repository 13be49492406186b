/* A model that can learn at all learns a few cases by heart. */
#include "support/training.h"

enum { CASES = 8 };

/* Eight cases, four of each label, trained and looked at without augmentation: their negative
 * log-likelihood gets to zero, up to what a softmax needs: 0.001 is a mean probability of 0.999 for
 * the right label, where guessing gives 0.693. */
static void eight_cases_are_learnt_by_heart(void **state)
{
    (void)state;
    const char *const set[] = {"epochs=40",
                               "label_smoothing=0",
                               "lm_weight=0",
                               "mask_weight=0",
                               "augment.rotate=0",
                               "augment.scale=0",
                               "augment.shift=0",
                               "augment.flip=false",
                               "augment.color=0",
                               "weight_decay=0",
                               "eval_every=40",
                               "ema=0",
                               "lr=0.003",
                               "text_drop=0",
                               "dropout=0",
                               "aux_weight=0",
                               NULL};
    size_t of_label[2] = {0, 0};
    size_t n = 0;
    for (size_t i = 0; i < cases.case_count; i++) {
        mdf_manifest_case c = cases.cases[i];
        if (of_label[c.label]++ < CASES / 2) {
            c.split = "train";
            cases.cases[n++] = c;
        }
    }
    cases.case_count = n;
    assert_int_equal(n, CASES);
    mdf_error err = {0};
    watch w = {0};
    must(train("heart", set, "train", false, &w, &err), &err);
    print_message("validation loss %.3g\n", w.val_loss);
    assert_true(w.val_loss < 0.001);
    assert_true(w.val_auc == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_cases_are_learnt_by_heart),
    };
    return cmocka_run_group_tests_name("learning", tests, set_up, tear_down);
}
