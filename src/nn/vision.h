/* The vision tower of Llama 3.2 Vision: pictures of 1 to max_num_tiles tiles, any number per case,
 * with unused tiles and padding tokens computed once (docs/MODEL.md section 3, arXiv 2407.21783).
 */
#ifndef MDF_NN_VISION_H
#define MDF_NN_VISION_H

#include "config/config.h"
#include "nn/params.h"
#include "nn/tiles.h"

typedef struct mdf_vision_layer {
    mdf_tensor *norm1_w, *norm1_b, *norm2_w, *norm2_b; /* [Dv] */
    mdf_tensor *q, *k, *v, *o;                         /* [Dv,Dv] */
    mdf_tensor *fc1_w, *fc1_b, *fc2_w, *fc2_b;         /* [F,Dv] [F] [Dv,F] [Dv] */
    mdf_tensor *gate_attn, *gate_ffn;                  /* [1]; NULL in local layers */
} mdf_vision_layer;

typedef struct mdf_vision {
    const mdf_config *config;                    /* borrowed */
    mdf_tensor *class_embedding;                 /* [Dv] */
    mdf_tensor *patch_embedding;                 /* [Dv,3,p,p] */
    mdf_tensor *position_gate, *position;        /* [1], [P,Dv] */
    mdf_tensor *tile_position;                   /* [A+1, T*P*Dv] */
    mdf_tensor *pre_tile_gate, *pre_tile;        /* [1], [A+1, T*Dv] */
    mdf_tensor *post_tile_gate, *post_tile;      /* [1], [A+1, T*Dv] */
    mdf_tensor *pre_w, *pre_b, *post_w, *post_b; /* [Dv] */
    mdf_vision_layer *local, *global;            /* in the parameters' arena */
    mdf_tensor *projector_w, *projector_b;       /* [D, Dv*(1+k)], [D] */
} mdf_vision;

/* Image tokens of a batch, and how they are laid out. */
typedef struct mdf_image_tokens {
    mdf_tensor *v;        /* [count, D]; NULL: no pictures, or their keys are cached */
    mdf_tensor *features; /* [count, Dv*(1+k)] what the projector saw; NULL unless the tape
                             has it */
    int64_t count;        /* 0: no pictures */
    const mdf_real *bias; /* [count] ln of how many tokens each stands for */
    const mdf_case_tokens *of_case; /* [B] */
    const mdf_picture *picture;     /* [pictures] */
} mdf_image_tokens;

void mdf_vision_declare(mdf_vision *v, const mdf_config *c, mdf_params *p);

/* The image tokens of b's pictures; count 0 without any, or without a tower. */
mdf_image_tokens mdf_vision_forward(mdf_graph *g, const mdf_vision *v, const mdf_batch *b);

#endif
