/* A model folder rewritten: other number formats, this project's or Hugging Face's names. */
#ifndef MDF_CONVERT_MODEL_REWRITE_H
#define MDF_CONVERT_MODEL_REWRITE_H

#include "config/config.h"
#include "convert/model_stream.h"
#include "convert/precision.h"
#include "nn/params.h"

struct mdf_lora;

/* What a rewriting does. */
typedef struct mdf_rewrite {
    mdf_precision precision;
    bool refuse_quantised;       /* of something that is quantised already */
    bool hugging_face;           /* config.json, names and tensors that transformers loads */
    const struct mdf_lora *lora; /* merged into the weights; NULL: none */
    const char *weights;         /* a file or index of weights; NULL: those of the folder */
    const mdf_config *config;    /* written in place of the folder's; NULL: that one */
    const mdf_params *fixed;     /* statistics of norms (MDF_GROUP_FIXED) in place of the folder's,
                                    written as 32-bit floats; NULL: those */
} mdf_rewrite;

typedef struct mdf_rewritten {
    char name[MDF_WEIGHT_NAME];
    mdf_part part;
    mdf_dtype from, to;
    double error; /* relative root mean square */
} mdf_rewritten;

typedef struct mdf_rewrite_result {
    mdf_rewritten *tensor; /* [tensors]; the caller's, mdf_rewrite_result_free() */
    size_t tensors;
    size_t left_out; /* tensors that the target has no place for */
    size_t bytes_before, bytes;
    mdf_error remark; /* what of the source's files is no tensor; text "": nothing */
} mdf_rewrite_result;

/* Reads the model of folder `from` (its weights mapped) and writes folder `to`, which must not hold
 * a model: weights, config.json, and the tokenizer's and preparation's files. Nothing stays on
 * failure. */
mdf_status mdf_model_rewrite(const char *from, const char *to, const mdf_rewrite *how,
                             const mdf_stream_watch *watch, mdf_rewrite_result *result,
                             mdf_error *err) MDF_NODISCARD;
void mdf_rewrite_result_free(mdf_rewrite_result *r);

#endif
