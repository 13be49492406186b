/* Weights between a model and a safetensors file. */
#ifndef MDF_NN_WEIGHTS_H
#define MDF_NN_WEIGHTS_H

#include "io/safetensors.h"
#include "nn/params.h"

/* Sets every parameter from the file; names and shapes must agree, and every number must be finite.
 * Tensors that the model does not have are an error too, unless they belong to training
 * ("mdf.aux.", "optimizer.", "train."). The error names file and tensor. */
mdf_status mdf_weights_read(mdf_params *p, const mdf_safetensors *file,
                            mdf_error *err) MDF_NODISCARD;

/* The same from a path (memory-mapped). */
mdf_status mdf_weights_load(mdf_params *p, const char *path, mdf_error *err) MDF_NODISCARD;

#endif
