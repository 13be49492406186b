/* The small files beside a model's weights that Hugging Face keeps apart from config.json: how
 * pictures are prepared and how an answer is drawn. */
#ifndef MDF_CONFIG_MODEL_FILES_H
#define MDF_CONFIG_MODEL_FILES_H

#include "config/config.h"

/* preprocessor_config.json, or the image_processor of processor_config.json. */
typedef struct mdf_preprocessor {
    float mean[3], std[3]; /* of pixels in [0, 1] */
} mdf_preprocessor;

/* Are mean and deviation the published ones, to 1e-6? Pictures of training are always normalised
 * with those. */
bool mdf_preprocessor_is_usual(const mdf_preprocessor *p);

/* generation_config.json; what it leaves out is as in transformers. */
typedef struct mdf_generation {
    bool sample;                      /* false: the likeliest token */
    double temperature, top_p;        /* 1: as they are */
    int top_k;                        /* 0: all; 50 unless given, null is 0 */
    int eos_token_id[MDF_CONFIG_EOS]; /* [eos_count] */
    int eos_count;
} mdf_generation;

/* dir: the model's folder. A file that is not there leaves the defaults: the published mean and
 * deviation; greedy, with the end tokens of the config. What the file says must fit the config
 * (tile size and count) and what this project computes (bilinear, 1/255, all steps on). Errors name
 * file and key; unknown keys are of no concern. */
mdf_status mdf_preprocessor_load(mdf_preprocessor *p, const char *dir, const mdf_config *c,
                                 mdf_error *err) MDF_NODISCARD;
mdf_status mdf_generation_load(mdf_generation *g, const char *dir, const mdf_config *c,
                               mdf_error *err) MDF_NODISCARD;

/* The same from bytes; name stands in errors. */
mdf_status mdf_preprocessor_parse(mdf_preprocessor *p, const char *bytes, size_t len,
                                  const char *name, const mdf_config *c,
                                  mdf_error *err) MDF_NODISCARD;
mdf_status mdf_generation_parse(mdf_generation *g, const char *bytes, size_t len, const char *name,
                                const mdf_config *c, mdf_error *err) MDF_NODISCARD;

#endif
