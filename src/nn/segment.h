/* Masks of a whole field of view by the U-Net's encoder and decoder (docs/MODEL.md section 2): of
 * regions (config/masks.h) from one look at all of it, of detail from overlapping tiles of it. No
 * text takes part. */
#ifndef MDF_NN_SEGMENT_H
#define MDF_NN_SEGMENT_H

#include "nn/mdf_mllm.h"
#include "photo/image.h"

/* Pixels along the side of the field of view at which m draws detail: unet_config.mask_side, or
 * what one tile shows. */
int mdf_segment_side(const mdf_config *c);

/* maps [side,side,M], probabilities 0..1 of unet_config.masks in their order, for crop, a square
 * field of view of side x side pixels (photo/fov.h); masks that are not wanted ([M]; NULL: all are)
 * stay as they are, and no look is taken that only they need. For detail the crop is brought to
 * mdf_segment_side() pixels and cut into tiles of unet_config.image_size that overlap by a quarter,
 * whose logits are blended; for regions it is brought to unet_config.region_side. The logits are
 * brought back to side. One tile is in memory at a time, beside maps at mdf_segment_side().
 *
 * g must not train and is reset; its stop flag ends the work between tiles (MDF_ERR_STOPPED).
 * MDF_ERR_ARG: the model has no decoder, or the crop is no square. On failure maps are undefined.
 */
mdf_status mdf_segment_crop(float *maps, const bool *wanted, mdf_graph *g, const mdf_mllm *m,
                            const mdf_image *crop, mdf_error *err) MDF_NODISCARD;

#endif
