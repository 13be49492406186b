/* A model of random weights, of any size, written to a folder. */
#ifndef MDF_CONVERT_MODEL_INIT_H
#define MDF_CONVERT_MODEL_INIT_H

#include "config/config.h"
#include "convert/model_stream.h"
#include "convert/precision.h"

typedef struct mdf_init_result {
    size_t tensors;
    int64_t numbers;
    size_t bytes; /* of all tensors */
} mdf_init_result;

/* Values as convert/random_weights.h makes them. */
mdf_status mdf_model_init(const char *dir, const mdf_config *c, const mdf_precision *precision,
                          uint64_t seed, const mdf_stream_watch *watch, mdf_init_result *result,
                          mdf_error *err) MDF_NODISCARD;

#endif
