/* What is particular to the config.json of Hugging Face's models. Only the config_*.c files use it.
 */
#ifndef MDF_CONFIG_CONFIG_HF_H
#define MDF_CONFIG_CONFIG_HF_H

#include "config/config_schema.h"

typedef enum mdf_config_kind {
    MDF_CONFIG_OURS,
    MDF_CONFIG_MLLAMA, /* Llama 3.2 Vision as released */
    MDF_CONFIG_LLAMA   /* a text model of the Llama architecture */
} mdf_config_kind;

/* By its model_type, which is looked at before any other key; a model of another architecture is
 * refused by that name (MDF_ERR_ARG). */
mdf_status mdf_config_kind_of(mdf_config_kind *kind, const struct json_t *root,
                              mdf_error *err) MDF_NODISCARD;

/* Defaults of a released model in place of this project's. */
void mdf_config_hf_defaults(mdf_config *c, mdf_config_kind kind);

/* A key of a released file that says nothing about how the model computes. */
bool mdf_config_hf_harmless(const char *key);

/* A Llama file keeps the text model's keys at its top: gives an Mllama document that has them where
 * they are looked for, or NULL without memory. Caller frees with json_decref(). */
struct json_t *mdf_config_wrap_llama(struct json_t *root) MDF_NODISCARD;

/* transformers leaves out what is the default of its MllamaTextConfig, MllamaVisionConfig and
 * LlamaConfig, sizes included: puts those values where nothing, or null, stands. A Llama document
 * must have been wrapped. Fails without memory only. */
mdf_status mdf_config_hf_complete(struct json_t *root, mdf_config_kind kind,
                                  mdf_error *err) MDF_NODISCARD;

/* Keys of a released file that would make another model: sections is the whole document. */
mdf_status mdf_config_hf_check(const mdf_config *c, const struct json_t *root,
                               mdf_error *err) MDF_NODISCARD;

#endif
