/* The parts that a training by crops has its own way of: train_config.task = "segment", and
 * mask_crops beside the other tasks. */
#ifndef MDF_TRAIN_SEGMENT_TRAIN_H
#define MDF_TRAIN_SEGMENT_TRAIN_H

#include "train/mask_scores.h"
#include "train/trainer.h"

/* The cases of both splits that have masks (train/segment_samples.h), of which val need not exist;
 * labels that the training split has become c's, unless c has some or there are fewer than two.
 * What is left out or put apart is told by o->note. c->unet.mask_side becomes the side that crops
 * are taken from. val's strings belong to train, which must outlive it. */
mdf_status mdf_segment_choose(mdf_manifest *train, mdf_manifest *val, mdf_config *c,
                              const mdf_train_options *o, mdf_error *err) MDF_NODISCARD;

/* mask_crops: the cases of the training split that have masks, with or without a label. None is
 * kept apart: the validation of the labels chooses the best epoch. Sets c->unet.mask_side as above.
 */
mdf_status mdf_segment_beside(mdf_manifest *crops, mdf_config *c, const mdf_train_options *o,
                              mdf_error *err) MDF_NODISCARD;

/* val_dice and val_vessel_dice of *e; its other numbers of the validation become NAN. */
mdf_status mdf_segment_validate(mdf_train_event *e, mdf_graph *g, const mdf_mllm *m,
                                const mdf_samples *val, mdf_samples_progress *progress, void *user,
                                mdf_error *err) MDF_NODISCARD;

#endif
