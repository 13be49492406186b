/* Perceptual hash: pictures that look the same have hashes that differ in few bits, whatever their
 * size, compression or small changes of brightness. */
#ifndef MDF_PHOTO_PHASH_H
#define MDF_PHOTO_PHASH_H

#include "photo/image.h"

enum { MDF_PHASH_SAME = 4 };

/* The signs of the 64 lowest frequencies (without the mean) of the grey 32 x 32 picture, against
 * their median. Hash the crop to the field of view, not the whole photograph: the black frame
 * makes all fundus photographs alike. At a distance of at most MDF_PHASH_SAME, 4 of 100,000 pairs
 * of different eyes are taken for one picture (docs/QUALITY.md). Fails with MDF_ERR_NOMEM,
 * MDF_ERR_ARG (empty picture). */
mdf_status mdf_phash(uint64_t *hash, const mdf_image *im, mdf_error *err) MDF_NODISCARD;

/* Differing bits, 0..64. */
int mdf_phash_distance(uint64_t a, uint64_t b);

#endif
