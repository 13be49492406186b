/* In which order the cases of an epoch are seen: a function of seed and epoch alone, so that a
 * resumed run goes on where the killed one was. */
#ifndef MDF_TRAIN_SAMPLER_H
#define MDF_TRAIN_SAMPLER_H

#include "base/status.h"
#include "data/samples.h"

typedef struct mdf_epoch_plan {
    size_t *index;        /* [count] cases, batch after batch */
    size_t *begin;        /* [batches+1] */
    mdf_mask_name *focus; /* [count] of crops (train/segment_samples.h), MDF_MASK_NAMES of a whole
                             picture; NULL: whole pictures. A batch is of one kind. */
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

/* The batches of both, each as it was, in an order drawn from seed and epoch. */
mdf_status mdf_epoch_plan_mix(mdf_epoch_plan *out, const mdf_epoch_plan *pictures,
                              const mdf_epoch_plan *crops, uint64_t seed, int epoch,
                              mdf_error *err) MDF_NODISCARD;

/* What the crops of batch n look at, [cases of the batch]; NULL: it is of whole pictures. */
const mdf_mask_name *mdf_epoch_plan_focus(const mdf_epoch_plan *p, size_t n);
void mdf_epoch_plan_free(mdf_epoch_plan *p);

#endif
