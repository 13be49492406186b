/* The batches that a model reads (nn/batch.h), made of samples: pixels of both pictures, masks, and
 * the prompt in tokens. Training and prediction go the same way. */
#ifndef MDF_DATA_BATCH_FILL_H
#define MDF_DATA_BATCH_FILL_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "data/samples.h"
#include "language/prompt.h"
#include "nn/batch.h"
#include "nn/unet.h"
#include "photo/mllama_image.h"

/* Buffers of one batch; made once, filled again and again. */
typedef struct mdf_batch_buffer {
    mdf_batch batch; /* what the model reads; points into the arrays below */
    mdf_tree_view tree;
    const mdf_tokenizer *tokenizer;
    size_t capacity; /* cases */
    mdf_real *unet_image, *vision_image, *mask, *mask_there, *mask_weight;
    int32_t *prompt, *prompt_len, *image_at, *label;
    uint8_t *allowed;       /* [B,K] */
    size_t prompt_capacity; /* tokens in all */
    uint8_t *mask_pixels;   /* [S,S] of one case */
    float *pixels;          /* [side,side,3] of one case */
    mdf_arena scratch;      /* of the augmentation */
    mdf_strbuf mirrored;    /* a text with left and right exchanged, or sentences left out */
} mdf_batch_buffer;

/* The prompts are encoded by the tree's tokenizer, which must outlive the buffer. tree NULL:
 * batches of train_config.task = "segment", pixels and masks without a prompt. */
mdf_status mdf_batch_buffer_new(mdf_batch_buffer *b, const mdf_config *c,
                                const mdf_label_tree *tree, size_t capacity,
                                mdf_error *err) MDF_NODISCARD;
void mdf_batch_buffer_free(mdf_batch_buffer *b);

/* A crop as the model sees it at side x side pixels: out [side,side,3], as mdf_batch_fill() makes
 * it without augmentation. */
mdf_status mdf_crop_pixels(mdf_real *out, const mdf_image *crop, int side,
                           const mdf_mllama_norm *norm, mdf_error *err) MDF_NODISCARD;

/* How a batch is made of samples. */
typedef struct mdf_batch_options {
    bool augment;
    bool masks;    /* fill the masks that exist */
    uint64_t seed; /* a case's random choices depend on this and its place in the batch */
    const mdf_mask_name *focus; /* [n] a case is a crop (data/crop.h) that may be near such a mask;
                                   all of one mdf_crop_side(); NULL: the whole field of view */
} mdf_batch_options;

/* Fills b with the samples index[0..n-1]; n at most the capacity. */
mdf_status mdf_batch_fill(mdf_batch_buffer *b, const mdf_config *c, const mdf_samples *s,
                          const size_t *index, size_t n, const mdf_batch_options *opt,
                          mdf_error *err) MDF_NODISCARD;

#endif
