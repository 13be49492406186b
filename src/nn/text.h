/* The text model of Llama 3.2 Vision: self-attention layers and, at some depths, gated
 * cross-attention layers that read image tokens (docs/MODEL.md section 3). */
#ifndef MDF_NN_TEXT_H
#define MDF_NN_TEXT_H

#include "config/config.h"
#include "nn/fusion.h"
#include "nn/kv_cache.h"
#include "nn/params.h"
#include "nn/vision.h"

typedef struct mdf_text_layer {
    bool cross;
    mdf_tensor *norm1_w, *norm2_w;    /* [D] */
    mdf_tensor *q, *k, *v, *o;        /* [D,D] [Dkv,D] [Dkv,D] [D,D] */
    mdf_tensor *q_norm, *k_norm;      /* cross: [hd] */
    mdf_tensor *attn_gate, *mlp_gate; /* cross: [1] */
    mdf_tensor *gate, *up, *down;     /* [F,D] [F,D] [D,F] */
} mdf_text_layer;

typedef struct mdf_text {
    const mdf_config *config;
    mdf_tensor *embed_tokens; /* [V+8, D] */
    mdf_text_layer *layer;
    mdf_tensor *norm_w;  /* [D] */
    mdf_tensor *lm_head; /* [V,D]; NULL when tied, see mdf_text_logits() */
    mdf_real *inv_freq;  /* [hd/2] */
} mdf_text;

/* Everything a forward of packed text needs besides the weights. Arrays are caller-owned. */
typedef struct mdf_text_input {
    int64_t rows;
    const int32_t *token, *position; /* [N] */
    const mdf_attn_segment *self;    /* [self_segments] tree masks, one segment a case */
    int64_t self_segments;
    const uint8_t *tree; /* [nodes,nodes] */
    int64_t tree_nodes;
    const mdf_attn_segment *cross; /* [cross_segments] which rows see which image tokens; rows
                                      without a segment see none */
    int64_t cross_segments;        /* 0: no pictures */
    const uint8_t *row_mask;       /* [N] 0 for rows that no picture stands before (trap 4) */
    uint64_t dropout_seed;         /* 0 = no dropout */
    mdf_kv_cache *cache;           /* of the one case, or NULL; not while training */
    mdf_real *trace;               /* [layers, N, D] takes every layer's output, or NULL */
} mdf_text_input;

/* Logits [N,V] of hidden states h [N,D]: the image token and the rows behind it, which the table
 * has but the vocabulary has not, are no answers (trap 6). */
mdf_tensor *mdf_text_logits(mdf_graph *g, const mdf_text *t, mdf_tensor *h);

void mdf_text_declare(mdf_text *t, const mdf_config *c, mdf_params *p);

/* Final hidden states [N,D], normalised. image->count 0: cross layers are skipped (trap 5). */
mdf_tensor *mdf_text_forward(mdf_graph *g, const mdf_text *t, const mdf_text_input *in,
                             const mdf_image_tokens *image, const mdf_fusion *fusion,
                             mdf_fusion_state *state);

#endif
