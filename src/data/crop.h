/* Which part of a photograph a training case of train_config.task = "segment" shows. */
#ifndef MDF_DATA_CROP_H
#define MDF_DATA_CROP_H

#include "base/rng.h"
#include "config/config.h"
#include "data/samples.h"
#include "photo/augment.h"

/* Does a case that is drawn for the mask `focus` show the whole field of view? */
bool mdf_crop_is_whole(const mdf_config *c, mdf_mask_name focus);

/* Pixels along a side of what it shows. */
int mdf_crop_side(const mdf_config *c, mdf_mask_name focus);

/* Is the mask `name` learned from a case that is drawn for the mask `focus`? Regions are drawn from
 * the whole field of view and detail from parts of it (nn/segment.h), if parts are cut at all. */
bool mdf_crop_shows(const mdf_config *c, mdf_mask_name focus, mdf_mask_name name);

/* What o shows, larger or smaller by up to 1 + train_config.crop.scale. Of a detail: a square of
 * unet_config.image_size / train_config.crop.side of the picture's side, that in half of the draws
 * lies around a random pixel of the mask `focus`, if there is one, else anywhere. Of a region: the
 * whole field of view, or in half of the draws, if there is such a pixel, a square around it whose
 * side is 1 / (1 + crop.scale) of the picture's or more, zoomed by half as much. */
void mdf_crop_choose(mdf_augment_options *o, const mdf_config *c, const mdf_sample *s,
                     mdf_mask_name focus, mdf_rng *r);

#endif
