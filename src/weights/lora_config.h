/* adapter_config.json of PEFT's LoRA: rank and factor of every module. Keys that mean something
 * else than W + scale * B A are refused by name, and so is every other key that is set and not
 * known to leave the numbers alone. */
#ifndef MDF_WEIGHTS_LORA_CONFIG_H
#define MDF_WEIGHTS_LORA_CONFIG_H

#include <jansson.h>

#include "weights/module_map.h"

typedef struct mdf_lora_config {
    const char *path; /* borrowed; begins every error */
    json_t *root;
    double r, alpha; /* of modules that no pattern matches */
    bool rslora;
    mdf_module_map *ranks, *alphas;
} mdf_lora_config;

/* Whatever comes out, mdf_lora_config_free() frees it. */
mdf_status mdf_lora_config_read(mdf_lora_config *c, const char *bytes, size_t len, const char *path,
                                mdf_error *err) MDF_NODISCARD;
void mdf_lora_config_free(mdf_lora_config *c);

/* *scale: PEFT's factor of B A for this module, whose matrices have rank r. */
mdf_status mdf_lora_config_scale(const mdf_lora_config *c, const char *module, int64_t r,
                                 double *scale, mdf_error *err) MDF_NODISCARD;

/* Every pattern has matched one of the modules above. */
mdf_status mdf_lora_config_check_used(const mdf_lora_config *c, mdf_error *err) MDF_NODISCARD;

#endif
