/* Who sees what in the masks of the model, as the attention kernels ask for it (kernel/kernel.h,
 * mdf_attention_sight). */
#ifndef MDF_TENSOR_ATTENTION_SIGHT_H
#define MDF_TENSOR_ATTENTION_SIGHT_H

#include "tensor/op.h"

/* A segment of a plan: the context of the first two functions. */
typedef struct mdf_segment_sight {
    const mdf_attn_plan *plan;
    const mdf_attn_segment *segment;
} mdf_segment_sight;

mdf_key_span mdf_sight_span(const void *context, int64_t query, int64_t queries);

/* Forbids what a query may not see of some keys. */
void mdf_sight_mask(const void *context, int64_t query, int64_t key, int64_t keys, mdf_real *score,
                    int64_t stride);

/* Keys from..to-1 of what a segment sees: the context of mdf_piece_span() and, as its first member
 * is the segment's, of mdf_sight_mask(). */
typedef struct mdf_piece_sight {
    mdf_segment_sight whole;
    int64_t from, to;
} mdf_piece_sight;

mdf_key_span mdf_piece_span(const void *context, int64_t query, int64_t queries);

#endif
