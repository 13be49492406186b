/* The text of a batch as packed rows: tokens, positions, and who sees what. */
#ifndef MDF_NN_PACK_H
#define MDF_NN_PACK_H

#include "nn/batch.h"
#include "nn/text.h"

typedef struct mdf_packed {
    mdf_text_input in;
    int32_t *row0;             /* [B] first row of every case */
    mdf_attn_segment *patches; /* [B] text rows against the U-Net's patches */
} mdf_packed;

/* Every case's prompt followed by the label tree. False: the graph has the error. */
bool mdf_pack(mdf_graph *g, const mdf_config *c, const mdf_batch *b, const mdf_image_tokens *image,
              mdf_packed *p);

/* The range of image tokens that rows behind a case's prompt see; {0, 0}: none. */
typedef struct mdf_key_range {
    int64_t first, count;
} mdf_key_range;
mdf_key_range mdf_pack_last_keys(const mdf_batch *b, const mdf_image_tokens *image, int64_t i);

/* Of one case whose first `known` tokens of `rows` are read: which of the others see which image
 * tokens, query 0 being token `known`. segment [pictures + 1]; returns how many there are. */
int64_t mdf_pack_rest(const mdf_config *c, const mdf_image_tokens *image, const int32_t *image_at,
                      int64_t known, int64_t rows, mdf_attn_segment *segment);

#endif
