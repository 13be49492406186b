/* EfficientNet-lite0 as the encoder of a U-Net: mobile inverted residual blocks without
 * squeeze-and-excitation (Tan and Le 2019, arXiv 1905.11946; the lite family 2020). */
#ifndef MDF_NN_EFFICIENTNET_H
#define MDF_NN_EFFICIENTNET_H

#include "nn/params.h"
#include "nn/tap.h"

enum { MDF_EFFICIENTNET_BLOCKS = 16, MDF_EFFICIENTNET_STRIDE = 32 };

/* A convolution and the batch norm behind it, whose mean and variance are fixed. */
typedef struct mdf_normed_conv {
    mdf_tensor *w;            /* [O,I,K,K]; depthwise [O,1,K,K] */
    mdf_tensor *gamma, *beta; /* [O] */
    mdf_tensor *mean, *var;   /* [O], no gradient */
    double momentum;          /* above 0: a forward normalises with the statistics of its batch, and
                                 moves mean and var towards them by this share */
} mdf_normed_conv;

typedef struct mdf_efficientnet_block {
    mdf_normed_conv expand; /* empty in the first block */
    mdf_normed_conv depthwise, project;
    int64_t stride;
    bool shortcut;
} mdf_efficientnet_block;

typedef struct mdf_efficientnet {
    mdf_normed_conv stem; /* 3x3, stride 2 */
    mdf_efficientnet_block block[MDF_EFFICIENTNET_BLOCKS];
} mdf_efficientnet;

void mdf_normed_conv_declare(mdf_normed_conv *c, mdf_params *p, int64_t out, int64_t in,
                             int64_t kernel, const char *name);
/* A 1x1 convolution: x [..,I] -> clip(norm(x w^T)) [..,O]. */
mdf_tensor *mdf_normed_conv_run(mdf_graph *g, const mdf_normed_conv *c, mdf_tensor *x,
                                mdf_clip clip);

/* Channels of level l = 1..5, whose pixels are 2^l wide: 16, 24, 40, 112, 320. */
int64_t mdf_efficientnet_channels(int level);

/* Names: unet.encoder.stem, unet.encoder.block.N.{expand,depthwise,project}, each with .weight and
 * .norm.{weight,bias,mean,var}. */
void mdf_efficientnet_declare(mdf_efficientnet *e, mdf_params *p);

/* Sets momentum of all layers; 0: the norms are fixed. A layer whose weights are frozen stays as it
 * is in a graph that trains. */
void mdf_efficientnet_by_batch(mdf_efficientnet *e, double momentum);

/* image [B,S,S,3], S a multiple of 32 -> level[l] [B, S/2^l, S/2^l, channels(l)], l = 1..5. tap
 * [6]: where levels are read, or NULL. */
void mdf_efficientnet_encode(mdf_graph *g, const mdf_efficientnet *e, mdf_tensor *image,
                             mdf_tap *tap, mdf_tensor *level[6]);

#endif
