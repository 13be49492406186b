/* What the paper adds: U-Net skips, modulated by the text (FiLM), projected patch by patch and
 * fused into the language model by gated cross-attention (docs/MODEL.md section 4). */
#ifndef MDF_NN_FUSION_H
#define MDF_NN_FUSION_H

#include "config/config.h"
#include "nn/kv_cache.h"
#include "nn/params.h"
#include "nn/unet.h"

typedef struct mdf_fusion_level {
    mdf_tensor *film1_w, *film1_b, *film2_w, *film2_b;
    mdf_tensor *proj_w, *proj_b;  /* [D, q*q*C], [D] */
    mdf_tensor *norm_w;           /* [D] */
    mdf_tensor *level, *position; /* [D], [g*g, D] */
} mdf_fusion_level;

typedef struct mdf_fusion_block {
    mdf_tensor *norm_w;          /* [D] */
    mdf_tensor *q, *k, *v, *o;   /* [D,D] [Dkv,D] [Dkv,D] [D,D] */
    mdf_tensor *q_norm, *k_norm; /* [hd] */
    mdf_tensor *gate;            /* [1] */
} mdf_fusion_block;

typedef struct mdf_fusion {
    const mdf_config *config;
    mdf_fusion_level level[MDF_UNET_LEVELS + 1]; /* 1..4; unused levels are empty */
    mdf_fusion_block *block;                     /* [map length] */
} mdf_fusion;

/* One batch's state: features computed once per level, and what the decoder will see. */
typedef struct mdf_fusion_state {
    int64_t cases;
    mdf_unet_features unet;
    mdf_tensor *seen_mid; /* the bottleneck as the picture's classifier reads it */
    mdf_tensor *normed[MDF_UNET_LEVELS + 1]; /* [B,H,W,C] group-normalised skip */
    mdf_tensor *pooled[MDF_UNET_LEVELS + 1]; /* [B*g*g, q*q*C] */
    mdf_tensor *film[MDF_UNET_LEVELS + 1];   /* [B,2C] of the last block that used the level */
    mdf_tensor *tokens[MDF_UNET_LEVELS + 1]; /* U of the last block: [B*g*g, D] */
    const int32_t *row0, *prompt_len;        /* [B] packed rows of each case's prompt */
    const mdf_attn_segment *segment;         /* [B] text rows against the g*g patches */
    mdf_real **map_out;                      /* [map length] or NULL: attention weights */
    mdf_kv_cache *cache;                     /* of the one case, or NULL: keys of its patches */
    mdf_taps *taps;                          /* or NULL */
} mdf_fusion_state;

void mdf_fusion_declare(mdf_fusion *f, const mdf_config *c, mdf_params *p);

/* image [B,S,S,3] -> U-Net encoder and pooled features. taps: what is read of them, or NULL. */
mdf_fusion_state mdf_fusion_begin(mdf_graph *g, const mdf_fusion *f, const mdf_unet *u,
                                  mdf_tensor *image, mdf_taps *taps);

/* U of map entry i for hidden states h [N,D]: [B*g*g, D]. */
mdf_tensor *mdf_fusion_tokens(mdf_graph *g, const mdf_fusion *f, mdf_fusion_state *s, int i,
                              mdf_tensor *h);

/* h + tanh(gate_i) * CrossAttn'(h, U): the branch of map entry i. */
mdf_tensor *mdf_fuse(mdf_graph *g, const mdf_fusion *f, mdf_fusion_state *s, int i, mdf_tensor *h);

/* Mask logits [B,S,S,M] from the modulated skips. */
mdf_tensor *mdf_fusion_masks(mdf_graph *g, const mdf_unet *u, const mdf_fusion_state *s);

#endif
