/* The masks of a batch (data/batch_fill.h), with what each pixel of them counts in the loss. */
#ifndef MDF_DATA_BATCH_MASKS_H
#define MDF_DATA_BATCH_MASKS_H

#include "data/batch_fill.h"
#include "photo/augment.h"

/* Fills mask, mask_weight and mask_there of case `at` of the batch with the masks of s, transformed
 * by o and seed as its picture was. */
mdf_status mdf_batch_fill_masks(mdf_batch_buffer *b, const mdf_config *c, const mdf_sample *s,
                                size_t at, const mdf_batch_options *opt,
                                const mdf_augment_options *o, uint64_t seed,
                                mdf_error *err) MDF_NODISCARD;

#endif
