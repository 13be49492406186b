/* The loader thread: fills the next batch while the model computes this one. */
#ifndef MDF_TRAIN_PREFETCH_H
#define MDF_TRAIN_PREFETCH_H

#include "data/batch_fill.h"
#include "train/sampler.h"

typedef struct mdf_prefetch mdf_prefetch;

/* One thread for the life of *out, two batch buffers. Batches of whole pictures are made of
 * `pictures`, those of crops of `crops`. config, samples and tree are borrowed. */
mdf_status mdf_prefetch_new(mdf_prefetch **out, const mdf_config *c, const mdf_samples *pictures,
                            const mdf_samples *crops, const mdf_label_tree *tree, size_t batch,
                            mdf_error *err) MDF_NODISCARD;
void mdf_prefetch_free(mdf_prefetch *p);

/* Begins with batch `first` of the plan (borrowed until the stop). A batch's random choices depend
 * on seed and its number only. */
mdf_status mdf_prefetch_start(mdf_prefetch *p, const mdf_epoch_plan *plan, size_t first,
                              uint64_t seed, mdf_error *err) MDF_NODISCARD;

/* Waits for the next batch; it is valid until the next take or stop. */
mdf_status mdf_prefetch_take(mdf_prefetch *p, const mdf_batch **batch,
                             mdf_error *err) MDF_NODISCARD;

/* Ends the epoch early or late; the thread waits for the next start. */
void mdf_prefetch_stop(mdf_prefetch *p);

#endif
