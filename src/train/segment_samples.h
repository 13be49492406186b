/* What masks are learned from by crops, alone (train_config.task = "segment") or beside labels:
 * which pictures are kept, which apart for validation, and which crops make an epoch. */
#ifndef MDF_TRAIN_SEGMENT_SAMPLES_H
#define MDF_TRAIN_SEGMENT_SAMPLES_H

#include "base/strbuf.h"
#include "config/config.h"
#include "train/sampler.h"

/* Leaves in train and val the cases that have a mask of the model, with or without a label. Where
 * val has no mask of a name that train has, a tenth of the patients with one, always the same, goes
 * over from train with all their cases; what was done is appended to said as a sentence, nothing
 * otherwise. out_of_use: cases of train without a mask.
 *
 * MDF_ERR_ARG: no case of train has a mask of the model, or none is left for val. */
mdf_status mdf_segment_cases(mdf_manifest *train, mdf_manifest *val, const mdf_config *c,
                             size_t *out_of_use, mdf_strbuf *said, mdf_error *err) MDF_NODISCARD;

/* Leaves the cases that have a mask of the model or are free of its lesions. MDF_ERR_ARG: nobody
 * drew a mask of the model. */
mdf_status mdf_segment_keep(mdf_manifest *m, const mdf_config *c, mdf_error *err) MDF_NODISCARD;

/* Sets `healthy` of the cases whose label is one of train_config.healthy_labels. */
void mdf_segment_mark_healthy(mdf_manifest *m, const mdf_train_config *c);

/* train_config.crop.per_epoch crops: every mask of crop.focus (or of the model) that train has
 * equally often, of each the data folders equally often, of those the pictures in turn; of a
 * lesion's crops a quarter are of healthy eyes, if there are any. A function of seed and epoch.
 * p->focus names the mask of every crop. */
mdf_status mdf_segment_plan_make(mdf_epoch_plan *p, const mdf_samples *s, const mdf_config *c,
                                 int epoch, mdf_error *err) MDF_NODISCARD;

#endif
