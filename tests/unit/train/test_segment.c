/* Trainings of masks alone: which pictures, which crops, and that a run can be resumed. */
#include <math.h>

#include "support/training.h"
#include "train/mask_scores.h"
#include "train/segment_samples.h"

static const char *const drawing[] = {"task=segment",
                                      "masks=vessel,disc,lesion",
                                      "crop.side=48",
                                      "crop.per_epoch=20",
                                      "ema=0.9",
                                      "lr_unet=0.01",
                                      NULL};

static void a_stopped_run_resumes_to_the_same_bits(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch whole = {0};
    watch part = {.stop_at = 7}; /* in the middle of the second epoch */
    watch rest = {0};
    must(train("whole", drawing, "val", false, &whole, &err), &err);
    assert_int_equal(train("parts", drawing, "val", false, &part, &err), MDF_ERR_STOPPED);
    must(train("parts", drawing, "val", true, &rest, &err), &err);
    assert_same_file("whole", "parts", "model.safetensors");
    assert_same_file("whole", "parts", "checkpoint.safetensors");
    assert_string_equal(whole.note, ""); /* the validation split has all masks */
    uint8_t *text = NULL;
    size_t len = 0;
    read_file("whole", "config.json", &text, &len);
    assert_non_null(strstr((const char *)text, "\"mask_side\": 48"));
    assert_non_null(strstr((const char *)text, "\"dr\"")); /* labels for who trains on */
    mdf_free(text);
}

/* Labels do not matter: without any the same weights come out. */
static void no_label_is_needed(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    const int first = cases.cases[0].label;
    int *label = mdf_alloc(cases.case_count, sizeof *label);
    assert_non_null(label);
    for (size_t i = 0; i < cases.case_count; i++) {
        label[i] = cases.cases[i].label;
        cases.cases[i].label = -1;
    }
    const mdf_status status = train("unlabelled", drawing, "val", false, &w, &err);
    for (size_t i = 0; i < cases.case_count; i++) {
        cases.cases[i].label = label[i];
    }
    mdf_free(label);
    must(status, &err);
    assert_int_equal(cases.cases[0].label, first);
    assert_same_file("whole", "unlabelled", "model.safetensors");
}

static void without_a_validation_split_patients_are_kept_apart(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    must(train("apart", drawing, "nowhere", false, &w, &err), &err);
    /* Four patients of the training, two eyes each: a tenth, rounded up, is one. With that one all
     * masks are there. */
    assert_string_equal(w.note, "split \"nowhere\": it has no mask of vessel: for that 1 of 4 "
                                "patients (2 of 8 pictures) of the training are kept apart\n");
}

/* Labels from whole pictures and masks from crops of cases that have no label, in one training. */
static void masks_beside_labels_resume_to_the_same_bits(void **state)
{
    (void)state;
    static const char *const both[] = {"task=picture",
                                       "image_head=true",
                                       "masks=vessel,lesion",
                                       "mask_crops=true",
                                       "healthy_labels=normal",
                                       "crop.side=48",
                                       "crop.per_epoch=12",
                                       "crop.focus=vessel,lesion,vessel",
                                       NULL};
    mdf_error err = {0};
    watch whole = {0};
    watch part = {.stop_at = 4};
    watch rest = {0};
    must(train("both", both, "val", false, &whole, &err), &err);
    assert_int_equal(train("both-parts", both, "val", false, &part, &err), MDF_ERR_STOPPED);
    must(train("both-parts", both, "val", true, &rest, &err), &err);
    assert_same_file("both", "both-parts", "model.safetensors");
    assert_same_file("both", "both-parts", "checkpoint.safetensors");
    assert_true(whole.val_auc > 0); /* labels choose the best epoch */
    assert_string_equal(whole.note, "");
    uint8_t *text = NULL;
    size_t len = 0;
    read_file("both", "config.json", &text, &len);
    assert_non_null(strstr((const char *)text, "\"mask_side\": 48"));
    mdf_free(text);
}

/* Whole pictures of a part of the U-Net's pixels: what a U-Net of so many pixels learns. */
static void a_smaller_picture_side_is_a_smaller_model(void **state)
{
    (void)state;
    static const char *const small[] = {"task=picture", "image_head=true", "mask_weight=0", NULL};
    static const char *const part[] = {"task=picture",    "image_head=true",
                                       "mask_weight=0",   "unet_config.image_size=64",
                                       "picture_side=32", NULL};
    mdf_error err = {0};
    watch a = {0};
    watch b = {0};
    must(train("small", small, "val", false, &a, &err), &err);
    must(train("part", part, "val", false, &b, &err), &err);
    assert_same_file("small", "part", "model.safetensors");
    assert_true(a.val_loss == b.val_loss);
}

/* A folder of masks: its labels are none of the training's. */
static void labels_of_mask_data_are_not_learned(void **state)
{
    (void)state;
    mdf_manifest m;
    mdf_error err = {0};
    must(mdf_manifest_copy(&m, &cases, &err), &err);
    const size_t all = m.case_count;
    m.cases[0].source = 1;
    m.cases[3].source = 2;
    mdf_manifest_masks_only(&m, 1);
    assert_int_equal(m.cases[0].label, -1);
    assert_int_equal(m.cases[1].label, cases.cases[1].label);
    assert_true(m.cases[3].masks_only && !m.cases[2].masks_only);
    mdf_manifest_drop_masks_only(&m);
    assert_int_equal(m.case_count, all - 2);
    assert_string_equal(m.cases[0].path, cases.cases[1].path);
    mdf_manifest_free(&m);
}

/* Eyes of a healthy label have an empty mask of what is a lesion, and of nothing else. */
static void healthy_eyes_have_empty_masks_of_lesions(void **state)
{
    (void)state;
    mdf_manifest m;
    mdf_samples s;
    mdf_error err = {0};
    mdf_config *c = config((const char *const[]){"healthy_labels=normal", NULL});
    static const mdf_mask_name names[] = {MDF_MASK_VESSEL, MDF_MASK_LESION, MDF_MASK_HAEMORRHAGE};
    must(mdf_manifest_copy(&m, &cases, &err), &err);
    for (size_t i = 0; i < m.case_count; i++) {
        m.cases[i].mask[MDF_MASK_LESION] = NULL;
        m.cases[i].mask[MDF_MASK_VESSEL] = NULL;
    }
    mdf_segment_mark_healthy(&m, &c->train);
    must(mdf_samples_load(
             &s, &m,
             &(mdf_samples_options){.side = 32, .use_image = true, .masks = names, .mask_count = 3},
             NULL, NULL, &err),
         &err);
    size_t healthy = 0;
    for (size_t i = 0; i < s.count; i++) {
        const mdf_sample *k = &s.item[i];
        const bool normal = strcmp(m.labels[k->label], "normal") == 0;
        healthy += normal;
        assert_int_equal(k->has_mask, normal);
        assert_null(k->mask[MDF_MASK_VESSEL].px);
        for (int j = 1; j < 3; j++) {
            assert_int_equal(k->mask[names[j]].px != NULL, normal);
            assert_true(!normal || k->mask[names[j]].px[0] == 0);
            assert_false(k->partial[names[j]]);
        }
    }
    assert_true(healthy > 0 && healthy < s.count);
    mdf_samples_free(&s);
    mdf_manifest_free(&m);
    mdf_free(c);
}

static void without_masks_nothing_is_trained(void **state)
{
    (void)state;
    mdf_error err = {0};
    watch w = {0};
    const char *const set[] = {"task=segment", "masks=haemorrhage,hard_exudate", NULL};
    assert_int_equal(train("none", set, "val", false, &w, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "train_config.task = \"segment\": no training picture has a mask "
                                  "of haemorrhage, hard_exudate");
}

/* A model that draws, with so many crops an epoch. */
static void take_drawing(mdf_config *out, int per_epoch)
{
    mdf_config *set = config(drawing);
    *out = *set;
    mdf_free(set);
    out->train.crop.per_epoch = per_epoch;
}

/* Where crops are parts of the field of view, a batch shows parts or all of it: 15 crops of discs
 * and 15 of vessels are four batches of four at most each, in no order. */
static void a_batch_is_of_parts_or_of_wholes(void **state)
{
    (void)state;
    static uint8_t pixel[1] = {255};
    static mdf_config c;
    static mdf_manifest_case info[1];
    mdf_sample item[1] = {{.info = info}};
    mdf_epoch_plan plan;
    mdf_error err = {0};
    take_drawing(&c, 30);
    c.train.crop.side = 2 * c.unet.image_size;
    item[0].mask[MDF_MASK_VESSEL] = item[0].mask[MDF_MASK_DISC] = (mdf_grey){1, 1, pixel};
    const mdf_samples s = {.item = item, .count = 1};
    must(mdf_segment_plan_make(&plan, &s, &c, 3, &err), &err);
    assert_int_equal(plan.count, 30);
    assert_int_equal(plan.batches, 8);
    size_t discs = 0;
    size_t turns = 0;
    for (size_t n = 0; n < plan.batches; n++) {
        const mdf_mask_name first = plan.focus[plan.begin[n]];
        assert_in_range(plan.begin[n + 1] - plan.begin[n], 3, 4);
        turns += n > 0 && plan.focus[plan.begin[n - 1]] != first;
        for (size_t i = plan.begin[n]; i < plan.begin[n + 1]; i++) {
            assert_int_equal(plan.focus[i], first);
            discs += first == MDF_MASK_DISC;
        }
    }
    assert_int_equal(discs, 15);
    assert_true(turns > 1);
    mdf_epoch_plan_free(&plan);
}

/* Two folders, masks in some: every name the same number of crops, of it every folder. */
static void crops_are_shared_among_names_and_folders(void **state)
{
    (void)state;
    static uint8_t pixel[1] = {255};
    static mdf_config c;
    static mdf_manifest_case info[5];
    mdf_sample item[5] = {0};
    mdf_epoch_plan plan;
    mdf_epoch_plan again;
    mdf_error err = {0};
    take_drawing(&c, 30);
    for (int i = 0; i < 5; i++) {
        info[i].source = i == 4;
        item[i].info = &info[i];
        item[i].mask[MDF_MASK_VESSEL] = (mdf_grey){1, 1, pixel}; /* 4 in folder 0, 1 in folder 1 */
    }
    item[0].mask[MDF_MASK_DISC] = (mdf_grey){1, 1, pixel};
    item[1].mask[MDF_MASK_CUP] = (mdf_grey){1, 1, pixel}; /* not of this model */
    const mdf_samples s = {.item = item, .count = 5};
    must(mdf_segment_plan_make(&plan, &s, &c, 3, &err), &err);
    assert_int_equal(plan.count, 30);
    assert_int_equal(plan.batches, 8); /* of 4, the last of 2 */
    assert_int_equal(plan.begin[8], 30);
    size_t seen[MDF_MASK_NAMES][5] = {{0}};
    for (size_t i = 0; i < plan.count; i++) {
        seen[plan.focus[i]][plan.index[i]]++;
    }
    assert_int_equal(seen[MDF_MASK_DISC][0], 15);
    assert_int_equal(seen[MDF_MASK_VESSEL][4], 7);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(seen[MDF_MASK_VESSEL][i], 2);
    }
    /* A quarter of a lesion's crops are of healthy eyes, none of another mask's. */
    info[2].healthy = info[3].healthy = true;
    c.unet.masks[2] = MDF_MASK_LESION;
    item[2].mask[MDF_MASK_LESION] = item[3].mask[MDF_MASK_LESION] = (mdf_grey){1, 1, pixel};
    item[4].mask[MDF_MASK_LESION] = (mdf_grey){1, 1, pixel};
    info[0].mask[MDF_MASK_DISC] = "drawn";
    info[4].mask[MDF_MASK_LESION] = "drawn";
    c.train.crop.focus_count = 4;
    memcpy(c.train.crop.focus,
           (mdf_mask_name[]){MDF_MASK_VESSEL, MDF_MASK_LESION, MDF_MASK_VESSEL, MDF_MASK_LESION},
           4 * sizeof c.train.crop.focus[0]);
    c.train.crop.per_epoch = 32;
    mdf_epoch_plan mixed;
    must(mdf_segment_plan_make(&mixed, &s, &c, 3, &err), &err);
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < mixed.count; i++) {
        seen[mixed.focus[i]][mixed.index[i]]++;
    }
    assert_int_equal(seen[MDF_MASK_LESION][2] + seen[MDF_MASK_LESION][3], 4);
    assert_int_equal(seen[MDF_MASK_LESION][4], 12);
    assert_int_equal(seen[MDF_MASK_VESSEL][4], 8);
    assert_int_equal(seen[MDF_MASK_DISC][0], 0);
    mdf_epoch_plan_free(&mixed);
    info[2].healthy = info[3].healthy = false;
    item[2].mask[MDF_MASK_LESION] = item[3].mask[MDF_MASK_LESION] = (mdf_grey){0};
    item[4].mask[MDF_MASK_LESION] = (mdf_grey){0};
    c.train.crop.focus_count = 0;
    c.train.crop.per_epoch = 30;
    must(mdf_segment_plan_make(&again, &s, &c, 3, &err), &err);
    assert_memory_equal(plan.index, again.index, 30 * sizeof *plan.index);
    assert_memory_equal(plan.focus, again.focus, 30 * sizeof *plan.focus);
    mdf_epoch_plan_free(&again);
    must(mdf_segment_plan_make(&again, &s, &c, 4, &err), &err);
    assert_memory_not_equal(plan.index, again.index, 30 * sizeof *plan.index);
    mdf_epoch_plan_free(&again);
    mdf_epoch_plan_free(&plan);
    /* Index, focus and list; three arrays each of two parts; four of the mix. */
    for (long n = 1; n <= 13; n++) {
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_segment_plan_make(&plan, &s, &c, 3, &err);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
}

static void means_are_over_pictures_and_then_over_names(void **state)
{
    (void)state;
    mdf_mask_scores m = {0};
    assert_true(isnan(mdf_mask_scores_mean(&m)) && !mdf_mask_scores_any(&m));
    mdf_mask_score_add(&m.of[MDF_MASK_VESSEL], 0.5, false);
    mdf_mask_score_add(&m.of[MDF_MASK_VESSEL], 1, false);
    mdf_mask_score_add(&m.of[MDF_MASK_CUP], 0.25, false);
    assert_true(mdf_mask_scores_any(&m));
    assert_true(mdf_mask_scores_mean(&m) == (0.75 + 0.25) / 2); /* exact in binary */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_run_resumes_to_the_same_bits),
        cmocka_unit_test(no_label_is_needed),
        cmocka_unit_test(without_a_validation_split_patients_are_kept_apart),
        cmocka_unit_test(masks_beside_labels_resume_to_the_same_bits),
        cmocka_unit_test(a_smaller_picture_side_is_a_smaller_model),
        cmocka_unit_test(labels_of_mask_data_are_not_learned),
        cmocka_unit_test(healthy_eyes_have_empty_masks_of_lesions),
        cmocka_unit_test(without_masks_nothing_is_trained),
        cmocka_unit_test(a_batch_is_of_parts_or_of_wholes),
        cmocka_unit_test(crops_are_shared_among_names_and_folders),
        cmocka_unit_test(means_are_over_pictures_and_then_over_names),
    };
    return cmocka_run_group_tests_name("segment", tests, set_up, tear_down);
}
