/* What a training reads: the cases of its splits, then their pictures. */
#ifndef MDF_TRAIN_TRAIN_DATA_H
#define MDF_TRAIN_TRAIN_DATA_H

#include "data/samples.h"
#include "train/relabel.h"
#include "train/sampler.h"
#include "train/trainer.h"

/* Zero-initialise; mdf_train_data_free(). */
typedef struct mdf_train_data {
    mdf_manifest train_cases, val_cases, crop_cases;
    mdf_samples train, val;
    mdf_samples crops;        /* of train_config.mask_crops */
    mdf_left_out left_out[2]; /* of the training and of the validation split */
} mdf_train_data;

/* The cases by the labels of *c, which takes those of the training split if it has none, or by
 * their masks (train/segment_train.h). What is left out is told by o->note. */
mdf_status mdf_train_data_choose(mdf_train_data *d, mdf_config *c, const mdf_train_options *o,
                                 mdf_error *err) MDF_NODISCARD;

/* Their pictures and masks. MDF_ERR_STOPPED if progress said so. */
mdf_status mdf_train_data_read(mdf_train_data *d, const mdf_config *c,
                               mdf_samples_progress *progress, void *user,
                               mdf_error *err) MDF_NODISCARD;

/* The batches of an epoch: of whole pictures, of crops (task "segment"), or of both. */
mdf_status mdf_train_data_plan(const mdf_train_data *d, mdf_epoch_plan *plan, const mdf_config *c,
                               int epoch, mdf_error *err) MDF_NODISCARD;
void mdf_train_data_free(mdf_train_data *d);

#endif
