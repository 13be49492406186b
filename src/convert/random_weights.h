/* First values of parameters that are made piece by piece: every number follows from (seed, name,
 * index) alone. */
#ifndef MDF_CONVERT_RANDOM_WEIGHTS_H
#define MDF_CONVERT_RANDOM_WEIGHTS_H

#include "nn/params.h"

/* Numbers [at, at + n) of the parameter. Distributions are those that training starts from, normal
 * ones as a sum of four uniform numbers (at most 3.46 deviations). */
void mdf_random_weights(const mdf_param *p, uint64_t seed, size_t at, size_t n, float *out);

#endif
