/* The parts of a training that train_config.task = "segment" has its own way of. */
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

/* val_dice and val_vessel_dice of *e; its other numbers of the validation become NAN. */
mdf_status mdf_segment_validate(mdf_train_event *e, mdf_graph *g, const mdf_mllm *m,
                                const mdf_samples *val, mdf_samples_progress *progress, void *user,
                                mdf_error *err) MDF_NODISCARD;

#endif
