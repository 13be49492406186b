/* Which part of a photograph a training case of train_config.task = "segment" shows. */
#ifndef MDF_DATA_CROP_H
#define MDF_DATA_CROP_H

#include "base/rng.h"
#include "config/config.h"
#include "data/samples.h"
#include "photo/augment.h"

/* Makes o show a square of the crop, unet_config.image_size / train_config.crop.side of its side
 * (times or by up to 1 + train_config.crop.scale): in half of the draws it lies around a random
 * pixel of the mask `focus`, if there is one, else anywhere in the field of view. */
void mdf_crop_choose(mdf_augment_options *o, const mdf_config *c, const mdf_sample *s,
                     mdf_mask_name focus, mdf_rng *r);

#endif
