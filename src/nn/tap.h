/* Places of a forward pass where an explanation reads numbers and their gradient. */
#ifndef MDF_NN_TAP_H
#define MDF_NN_TAP_H

#include "config/config.h"
#include "tensor/tensor.h"

enum { MDF_TAP_LEVELS = MDF_CONFIG_LEVELS + 1 }; /* four skips and the bottleneck */

/* x becomes x + push. With a push of zeros that changes nothing, and the gradient at push is the
 * one at x, which outlives the backward pass. */
typedef struct mdf_tap {
    mdf_tensor *push; /* given, or NULL: zeros are made */
    mdf_real *value;  /* the numbers of x + push; NULL: the pass did not come by. The graph's */
} mdf_tap;

/* Which of them there are; one case at a time. */
typedef struct mdf_taps {
    bool levels; /* the U-Net's features at their own resolution, with all that follows from them */
    bool fused;  /* the same where they leave the U-Net: averaged for the fusion, and the bottleneck
                    as the classifier reads it */
    bool values; /* of the fusion blocks' keys */
    mdf_tap level[MDF_TAP_LEVELS + 1];  /* 1..5: [1,side,side,C] */
    mdf_tap pooled[MDF_TAP_LEVELS + 1]; /* 1..4: [g*g, q*q*C]; 5: the bottleneck */
    mdf_tap block[MDF_MAX_LEVEL_MAP];   /* [map length] of [g*g, kv_heads*head_dim] */
} mdf_taps;

/* The place itself. tap NULL: x. */
mdf_tensor *mdf_tap_into(mdf_graph *g, mdf_tap *tap, mdf_tensor *x);

#endif
