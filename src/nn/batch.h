/* What the model reads: pictures as float arrays, text as packed tokens with offsets. Plain data,
 * borrowed; made by the data layer. */
#ifndef MDF_NN_BATCH_H
#define MDF_NN_BATCH_H

#include "nn/tap.h"

/* The label strings of a task as a prefix tree behind the prompt (docs/MODEL.md section 5). */
typedef struct mdf_tree_view {
    int64_t nodes;         /* fed tokens; may be 0 when every label is one token */
    const int32_t *token;  /* [nodes] */
    const int32_t *depth;  /* [nodes], 0 = directly behind the prompt */
    const uint8_t *mask;   /* [nodes,nodes] row sees column: ancestor or self */
    int64_t labels;        /* K */
    const int32_t *offset; /* [K+1] into source and target */
    const int32_t *source; /* node whose logits predict the token; -1 = the prompt's last token */
    const int32_t *target; /* token */
} mdf_tree_view;

/* Pictures of the vision tower come as tiles: what Llama 3.2 Vision's image processor cuts out of a
 * picture (photo/mllama_image.h), used tiles only, channels last. A case may have any number of
 * pictures; cases with and without may share a batch, and each gives what it would give alone. */
typedef struct mdf_batch {
    int64_t cases;                  /* B */
    mdf_real *unet_image;           /* [B,S,S,3] or NULL: no pictures in this batch */
    int unet_side;                  /* S; 0: unet_config.image_size */
    mdf_real *vision_image;         /* [tiles of all pictures,t,t,3] or NULL: no pictures */
    const int32_t *image_count;     /* [B] pictures of every case; NULL: one each */
    const int32_t *aspect_ratio_id; /* [pictures] 1.. (nn/tiles.h); NULL: one tile each */
    const int32_t *image_at; /* [pictures] index of its image token in its case's prompt, ascending
                                in a case; not read without pictures */
    const int32_t *prompt;   /* the cases' prompt tokens, one after the other */
    const int32_t *prompt_len;   /* [B], at least 1 */
    const mdf_tree_view *tree;   /* NULL: no labels, only hidden states are wanted */
    const int32_t *label;        /* [B], -1 = unknown; NULL: no losses wanted */
    const uint8_t *allowed;      /* [B,K] labels that a case's label is one of; NULL: all */
    const mdf_real *mask;        /* [B,S,S,M] in 0..1 or NULL */
    const mdf_real *mask_there;  /* [B,M] 0 or 1 */
    const mdf_real *mask_weight; /* [B,S,S,M] what a pixel counts in the loss; NULL: 1 */
    bool crops;                  /* of masks: encoder and decoder alone look at them */
    mdf_taps *taps;              /* what an explanation wants to read, or NULL */
    uint64_t dropout_seed;       /* of train_config.dropout; 0 = none in this forward */
    mdf_real *trace;             /* [layers, N, D] takes every text layer's output, or NULL */
} mdf_batch;

#endif
