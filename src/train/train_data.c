/* What a training reads: the cases of its splits, then their pictures. */
#include "train/train_data.h"

#include <stdio.h>

#include "base/strbuf.h"
#include "train/segment_samples.h"
#include "train/segment_train.h"

static bool segments(const mdf_config *c)
{
    return c->train.task == MDF_TASK_SEGMENT;
}

/* One split by the model's labels; says what it leaves out. */
static mdf_status apply_labels(mdf_manifest *m, mdf_left_out *left, const mdf_config *c,
                               const mdf_train_options *o, const char *split, bool keep_masks,
                               mdf_error *err)
{
    const mdf_answer_config *a = &c->answer;
    const char *label[MDF_MAX_CLASSES];
    for (int k = 0; k < a->label_count; k++) {
        label[k] = a->labels[k];
    }
    mdf_relabel_options how = {.labels = label, .label_count = (size_t)a->label_count};
    for (int k = 0; keep_masks && k < c->unet.mask_channels; k++) {
        how.keep_mask[c->unet.masks[k]] = true;
    }
    (void)mdf_relabel(left, m, &how);
    mdf_strbuf text = mdf_strbuf_new(1 << 16);
    mdf_left_out_text(&text, left);
    mdf_status status = MDF_OK;
    if (m->case_count == 0) {
        status = mdf_fail(err, MDF_ERR_ARG, "split \"%s\": no case has one of the model's labels",
                          split);
    } else if (o->strict && mdf_left_out_cases(left) > 0) {
        status = mdf_fail(err, MDF_ERR_ARG, "--strict: split \"%s\": %s", split,
                          text.data != NULL ? text.data : "cases are left out");
    } else if (text.len > 0 && o->note != NULL) {
        char said[1024];
        (void)snprintf(said, sizeof said, "split \"%s\": %s", split, text.data);
        o->note(o->user, said);
    }
    mdf_strbuf_free(&text);
    return status;
}

mdf_status mdf_train_data_choose(mdf_train_data *d, mdf_config *c, const mdf_train_options *o,
                                 mdf_error *err)
{
    if (segments(c)) {
        return mdf_segment_choose(&d->train_cases, &d->val_cases, c, o, err);
    }
    if (c->train.mask_crops) {
        MDF_TRY(mdf_segment_beside(&d->crop_cases, c, o, err));
    }
    MDF_TRY(mdf_manifest_copy(&d->train_cases, o->manifest, err));
    MDF_TRY(mdf_manifest_keep_split(&d->train_cases, o->train_split, err));
    if (c->train.several_labels) {
        const char *known[MDF_MAX_CLASSES];
        for (int k = 0; k < c->answer.label_count; k++) {
            known[k] = c->answer.labels[k];
        }
        MDF_TRY(mdf_manifest_separate_labels(&d->train_cases, known, (size_t)c->answer.label_count,
                                             err));
    }
    const bool masks = c->unet.mask_channels > 0 && c->train.mask_weight > 0 &&
                       c->train.use_image && !c->train.mask_crops;
    if (!masks) {
        mdf_manifest_drop_masks_only(&d->train_cases); /* of use as crops, or not at all */
    }
    MDF_TRY(mdf_manifest_copy(&d->val_cases, o->manifest, err));
    MDF_TRY(mdf_manifest_keep_split(&d->val_cases, o->val_split, err));
    mdf_manifest_drop_masks_only(&d->val_cases);
    MDF_TRY(mdf_labels_of_cases(&c->answer, &d->train_cases, o->train_split, err));
    MDF_TRY(apply_labels(&d->train_cases, &d->left_out[0], c, o, o->train_split, masks, err));
    return apply_labels(&d->val_cases, &d->left_out[1], c, o, o->val_split, false, err);
}

mdf_status mdf_train_data_read(mdf_train_data *d, const mdf_config *c,
                               mdf_samples_progress *progress, void *user, mdf_error *err)
{
    const mdf_samples_options crops = {.side = c->train.crop.side,
                                       .use_image = true,
                                       .masks = c->unet.masks,
                                       .mask_count = c->unet.mask_channels};
    const mdf_samples_options whole = {.side = mdf_config_crop_side(c),
                                       .use_image = c->train.use_image,
                                       .masks = c->unet.masks,
                                       .mask_count =
                                           c->train.mask_crops ? 0 : c->unet.mask_channels};
    const mdf_samples_options *how = segments(c) ? &crops : &whole;
    if (c->train.mask_crops) {
        MDF_TRY(mdf_samples_load(&d->crops, &d->crop_cases, &crops, progress, user, err));
    }
    MDF_TRY(mdf_samples_load(&d->train, &d->train_cases, how, progress, user, err));
    if (c->train.partial_labels && !segments(c)) {
        MDF_TRY(mdf_samples_know_labels(&d->train, c->answer.label_count, err));
    }
    return mdf_samples_load(&d->val, &d->val_cases, how, progress, user, err);
}

mdf_status mdf_train_data_plan(const mdf_train_data *d, mdf_epoch_plan *plan, const mdf_config *c,
                               int epoch, mdf_error *err)
{
    const mdf_train_config *t = &c->train;
    const mdf_draw draw = {.balanced = t->balanced, .set_power = t->set_power};
    const uint64_t seed = (uint64_t)t->seed;
    if (segments(c)) {
        return mdf_segment_plan_make(plan, &d->train, c, epoch, err);
    }
    if (!t->mask_crops) {
        return mdf_epoch_plan_make(plan, &d->train, c->answer.label_count, (size_t)t->batch_size,
                                   &draw, seed, epoch, err);
    }
    mdf_epoch_plan pictures;
    mdf_epoch_plan crops;
    MDF_TRY(mdf_epoch_plan_make(&pictures, &d->train, c->answer.label_count, (size_t)t->batch_size,
                                &draw, seed, epoch, err));
    mdf_status status = mdf_segment_plan_make(&crops, &d->crops, c, epoch, err);
    if (status == MDF_OK) {
        status = mdf_epoch_plan_mix(plan, &pictures, &crops, seed, epoch, err);
        mdf_epoch_plan_free(&crops);
    }
    mdf_epoch_plan_free(&pictures);
    return status;
}

void mdf_train_data_free(mdf_train_data *d)
{
    mdf_samples_free(&d->train);
    mdf_samples_free(&d->val);
    mdf_samples_free(&d->crops);
    mdf_manifest_free(&d->train_cases);
    mdf_manifest_free(&d->val_cases);
    mdf_manifest_free(&d->crop_cases);
}
