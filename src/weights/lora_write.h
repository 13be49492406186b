/* LoRA adapters of a model, written as PEFT writes them. */
#ifndef MDF_WEIGHTS_LORA_WRITE_H
#define MDF_WEIGHTS_LORA_WRITE_H

#include "config/config.h"
#include "weights/lora.h"

/* The adapters of parameters (mdf_tensor.adapter) as pairs: what merges them. Errors: out of
 * memory. mdf_lora_free(). */
mdf_status mdf_lora_of_params(mdf_lora *l, const mdf_params *p, mdf_error *err) MDF_NODISCARD;

/* Makes dir and writes adapter_config.json and adapter_model.safetensors, each whole or not at all:
 * numbers as 32-bit floats, names behind "base_model.model." as those of transformers from 4.52 on,
 * or with c->train.lora.old_names of those before (of a text model alone both have the same). base:
 * base_model_name_or_path, may be NULL. */
mdf_status mdf_lora_write(const char *dir, const mdf_params *p, const mdf_config *c,
                          const char *base, mdf_error *err) MDF_NODISCARD;

#endif
