/* The detail path: a U-Net whose encoder skips are fused into the language model and whose decoder
 * draws masks (docs/MODEL.md section 2). */
#ifndef MDF_NN_UNET_H
#define MDF_NN_UNET_H

#include "config/config.h"
#include "nn/params.h"

enum { MDF_UNET_LEVELS = 4 };

typedef struct mdf_unet_block {
    mdf_tensor *conv1, *conv2;     /* [C,Cin,3,3], [C,C,3,3] */
    mdf_tensor *norm1_w, *norm1_b; /* [C] */
    mdf_tensor *norm2_w, *norm2_b; /* [C] */
} mdf_unet_block;

typedef struct mdf_unet {
    int64_t groups;
    mdf_unet_block enc[MDF_UNET_LEVELS + 1]; /* 1..4 */
    mdf_unet_block mid;
    mdf_tensor *up_w[MDF_UNET_LEVELS + 1], *up_b[MDF_UNET_LEVELS + 1]; /* [2C,C,2,2], [C] */
    mdf_unet_block dec[MDF_UNET_LEVELS + 1];
    mdf_tensor *head_w, *head_b; /* [M,base,1,1], [M]; NULL without a decoder */
} mdf_unet;

typedef struct mdf_unet_features {
    mdf_tensor *skip[MDF_UNET_LEVELS + 1]; /* 1..4: [B, S/2^(l-1), S/2^(l-1), C_l] */
    mdf_tensor *mid;                       /* [B, S/16, S/16, 16 base] */
} mdf_unet_features;

/* Channels of level l = 1..5 (5 = bottleneck). */
int64_t mdf_unet_channels(const mdf_config *c, int level);

void mdf_unet_declare(mdf_unet *u, const mdf_config *c, mdf_params *p);

/* image [B,S,S,3] */
mdf_unet_features mdf_unet_encode(mdf_graph *g, const mdf_unet *u, mdf_tensor *image);

/* skip[l] as the decoder shall see it -> mask logits [B,S,S,M]. */
mdf_tensor *mdf_unet_decode(mdf_graph *g, const mdf_unet *u, const mdf_unet_features *f);

#endif
