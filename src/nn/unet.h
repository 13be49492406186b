/* The detail path: a U-Net whose encoder skips are fused into the language model and whose decoder
 * draws masks (docs/MODEL.md section 2). */
#ifndef MDF_NN_UNET_H
#define MDF_NN_UNET_H

#include "config/config.h"
#include "nn/efficientnet.h"
#include "nn/params.h"
#include "photo/mllama_image.h"

enum { MDF_UNET_LEVELS = 4 };

typedef struct mdf_unet_block {
    mdf_tensor *conv1, *conv2;     /* [C,Cin,3,3], [C,C,3,3] */
    mdf_tensor *norm1_w, *norm1_b; /* [C] */
    mdf_tensor *norm2_w, *norm2_b; /* [C] */
} mdf_unet_block;

typedef struct mdf_unet {
    mdf_unet_encoder encoder;
    int64_t groups;
    mdf_unet_block enc[MDF_UNET_LEVELS + 1]; /* 1..4; 0: pixels as they are, for a decoder behind
                                                an encoder whose level 1 is half as wide */
    mdf_unet_block mid;
    mdf_efficientnet net; /* instead of enc[1..4] and mid */
    /* Stage l of the decoder: 4..1, and 0 with enc[0]. [C_(l+1),C_l,2,2], [C_l] */
    mdf_tensor *up_w[MDF_UNET_LEVELS + 1], *up_b[MDF_UNET_LEVELS + 1];
    mdf_unet_block dec[MDF_UNET_LEVELS + 1];
    mdf_tensor *head_w, *head_b; /* [M,base,1,1], [M]; NULL without a decoder */
} mdf_unet;

typedef struct mdf_unet_features {
    mdf_tensor *image;                     /* [B,S,S,3] */
    mdf_tensor *skip[MDF_UNET_LEVELS + 1]; /* 1..4: [B, side(l), side(l), C_l] */
    mdf_tensor *mid;                       /* [B, side(5), side(5), C_5] */
} mdf_unet_features;

/* Channels C_l of level l = 1..5 (5 = bottleneck); their sides: mdf_config_unet_side(). */
int64_t mdf_unet_channels(const mdf_config *c, int level);

/* Mean and deviation, of pixels in [0, 1], with which the U-Net's pictures are normalised: the
 * vision tower's, or those that the encoder's published weights were trained with. */
mdf_mllama_norm mdf_unet_norm(const mdf_config *c);

void mdf_unet_declare(mdf_unet *u, const mdf_config *c, mdf_params *p);

/* image [B,S,S,3]; taps NULL: none */
mdf_unet_features mdf_unet_encode(mdf_graph *g, const mdf_unet *u, mdf_tensor *image,
                                  mdf_taps *taps);

/* skip[l] as the decoder shall see it -> mask logits [B,S,S,M]. */
mdf_tensor *mdf_unet_decode(mdf_graph *g, const mdf_unet *u, const mdf_unet_features *f);

#endif
