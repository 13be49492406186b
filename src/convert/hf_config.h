/* A model as transformers wants it: config.json and tensor names. */
#ifndef MDF_CONVERT_HF_CONFIG_H
#define MDF_CONVERT_HF_CONFIG_H

#include "convert/model_folder.h"
#include "weights/weights.h"

/* The tensor's name there: the older form for Llama 3.2 Vision, which every version reads, and that
 * of Llama for a text model alone. false: transformers has no such tensor (U-Net, fusion). */
bool mdf_hf_name(const mdf_config *c, const char *name, char out[MDF_WEIGHT_NAME]);

/* config.json for MllamaForConditionalGeneration or LlamaForCausalLM. */
mdf_status mdf_hf_config_put(const mdf_config *c, mdf_model_folder *f,
                             mdf_error *err) MDF_NODISCARD;

#endif
