/* Is a photograph like those that the model knows? The distance of its signature
 * (photo/signature.h) to the nearest of up to MDF_MAX_SIGNATURES of theirs, every number measured
 * in its standard deviation among them. A list of pictures, not their mean and covariance, since
 * several cameras are several heaps (docs/MODEL.md has both, measured). */
#ifndef MDF_TRAIN_DISTANCE_H
#define MDF_TRAIN_DISTANCE_H

#include "config/config.h"

/* Takes note of n signatures [n,MDF_SIGNATURE] in d, and of the limit within which the given share
 * of them lies, each measured against the others: so many new pictures of the same kind will be
 * within, too. share 0: 0.95, or nothing at all (d then knows no pictures) when n is too small for
 * that; else too small an n is MDF_ERR_ARG, with the number that it takes. MDF_ERR_NOMEM. */
mdf_status mdf_distance_fit(mdf_doubt_config *d, const float *signature, size_t n, double share,
                            mdf_error *err) MDF_NODISCARD;

/* d must know pictures. More than d->distance_limit: it is unlike them. */
double mdf_distance_of(const mdf_doubt_config *d, const float signature[MDF_SIGNATURE]);

#endif
