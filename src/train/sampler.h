/* In which order the cases of an epoch are seen: a function of seed and epoch alone, so that a
 * resumed run goes on where the killed one was. */
#ifndef MDF_TRAIN_SAMPLER_H
#define MDF_TRAIN_SAMPLER_H

#include "base/status.h"
#include "data/samples.h"

typedef struct mdf_epoch_plan {
    size_t *index;        /* [count] cases, batch after batch */
    size_t *begin;        /* [batches+1] */
    mdf_mask_name *focus; /* [count] of crops (train/segment_samples.h); NULL: whole pictures */
    size_t count, batches;
} mdf_epoch_plan;

/* How often a case is drawn. */
typedef struct mdf_draw {
    bool balanced;    /* every class equally often */
    double set_power; /* balanced: a data set's share of a class goes with its cases there to this
                         power; 1: cases equally often, 0: data sets equally often */
} mdf_draw;

/* Labelled cases are drawn as often as there are labelled cases. Cases with masks (labelled or not)
 * form batches of their own, so that the decoder runs only there. */
mdf_status mdf_epoch_plan_make(mdf_epoch_plan *p, const mdf_samples *s, int classes, size_t batch,
                               const mdf_draw *draw, uint64_t seed, int epoch,
                               mdf_error *err) MDF_NODISCARD;
void mdf_epoch_plan_free(mdf_epoch_plan *p);

#endif
