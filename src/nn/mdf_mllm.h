/* MDF-MLLM: the order of the whole (docs/MODEL.md section 1). */
#ifndef MDF_NN_MDF_MLLM_H
#define MDF_NN_MDF_MLLM_H

#include "config/config.h"
#include "nn/batch.h"
#include "nn/fusion.h"
#include "nn/image_head.h"
#include "nn/params.h"
#include "nn/text.h"
#include "nn/unet.h"
#include "nn/vision.h"

typedef struct mdf_mllm {
    mdf_config config;
    mdf_params params;
    mdf_unet unet;
    mdf_vision vision;
    mdf_text text;
    mdf_fusion fusion;
    mdf_image_head head;
} mdf_mllm;

/* What one forward leaves in the graph. */
typedef struct mdf_output {
    mdf_tensor *states;                              /* [N,D] packed rows before lm_head */
    const int32_t *row0;                             /* [B] first row of every case's prompt */
    mdf_image_tokens image;                          /* of the vision tower */
    mdf_tensor *scores;                              /* [B,K] label scores before the temperature;
                                                        NULL without a tree */
    mdf_tensor *image_logits;                        /* [B,K] of the picture alone, or NULL */
    mdf_tensor *mask_logits;                         /* [B,S,S,M] or NULL */
    mdf_tensor *loss;                                /* [1] or NULL without labels */
    double label_loss, lm_loss, mask_loss, aux_loss; /* parts, for the log */
    mdf_fusion_state fusion;                         /* for explanations: tokens per level */
} mdf_output;

/* Names, shapes and first values of all parameters, but no memory for them: to count, or for
 * weights that are mapped (weights/weights.h). The config is copied. */
mdf_status mdf_mllm_declare(mdf_mllm **out, const mdf_config *c, mdf_error *err) MDF_NODISCARD;

/* The same and reserves the parameters; their values are undefined until initialised or
 * loaded. */
mdf_status mdf_mllm_new(mdf_mllm **out, const mdf_config *c, bool train,
                        mdf_error *err) MDF_NODISCARD;
void mdf_mllm_free(mdf_mllm *m);

/* The middle part of a forward: U-Net and text for image tokens that are there. Gives the hidden
 * states [N,D] and sets out's fusion and row0. cache: of the batch's one case, or NULL. */
mdf_tensor *mdf_mllm_read(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b,
                          const mdf_image_tokens *image, mdf_kv_cache *cache, mdf_output *out,
                          bool want_masks);

/* want_masks: run the decoder; with train_config.task = "segment" it is all that runs, and scores
 * are NULL. Failures stay in the graph (mdf_graph_status). */
mdf_output mdf_mllm_forward(mdf_graph *g, const mdf_mllm *m, const mdf_batch *b, bool want_masks);

#endif
