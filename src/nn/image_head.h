/* A classifier of the picture alone, on the U-Net's deepest features: its logits help the U-Net to
 * learn (train_config.aux_weight) and, if answer_config.image_head says so, are added to the label
 * scores that the language model gives (docs/MODEL.md section 5). */
#ifndef MDF_NN_IMAGE_HEAD_H
#define MDF_NN_IMAGE_HEAD_H

#include "config/config.h"
#include "nn/unet.h"

typedef struct mdf_image_head {
    mdf_normed_conv wide; /* 1x1 to 1280 channels, with efficientnet_lite0; empty with a plain
                             encoder */
    mdf_tensor *w, *b;    /* [K,F], [K]; NULL without a head */
} mdf_image_head;

void mdf_image_head_declare(mdf_image_head *h, const mdf_config *c, mdf_params *p);

/* mid [B,S,S,C] -> logits [B,K]: mean over the pixels, then a linear layer. */
mdf_tensor *mdf_image_head_logits(mdf_graph *g, const mdf_image_head *h, mdf_tensor *mid);

#endif
