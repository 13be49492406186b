/* Which model this is: a sum over the files of its folder that say what it answers. */
#ifndef MDF_ENGINE_MODEL_IDENTITY_H
#define MDF_ENGINE_MODEL_IDENTITY_H

#include "base/sha256.h"
#include "base/status.h"

/* SHA-256 of config.json, tokenizer.json, tokenizer_config.json, special_tokens_map.json and the
 * chat template, as far as they are there, whole; and of every file of weights: its length, the
 * header of a safetensors file, and 64 KiB at the beginning, in the middle and at the end of what
 * follows. All of the weights would take as long as the answer: a model that differs in other
 * places alone, with all else the same, is taken for this one. lora: the adapter's folder, of which
 * adapter_config.json and adapter_model.safetensors count whole; chat_file: the template in place
 * of the folder's. Both may be NULL. */
mdf_status mdf_model_identity(char hex[MDF_SHA256_HEX + 1], const char *dir, const char *lora,
                              const char *chat_file, mdf_error *err) MDF_NODISCARD;

#endif
