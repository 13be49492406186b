/* The settings of a Llama model from the values of a GGUF file. Only gguf_*.c use it. */
#ifndef MDF_WEIGHTS_GGUF_CONFIG_H
#define MDF_WEIGHTS_GGUF_CONFIG_H

#include "weights/gguf_model.h"

/* "llama" or "mllama" in *vision; another architecture is MDF_ERR_FORMAT. */
mdf_status mdf_gguf_architecture(const mdf_gguf_files *f, bool *vision,
                                 mdf_error *err) MDF_NODISCARD;

mdf_status mdf_gguf_text_config(mdf_text_config *c, const mdf_gguf_files *f, bool vision,
                                mdf_error *err) MDF_NODISCARD;
mdf_status mdf_gguf_vision_config(mdf_vision_config *c, const mdf_gguf_files *f,
                                  mdf_error *err) MDF_NODISCARD;

/* rope_freqs.weight -> the numbers of Llama 3's rule that give it. */
mdf_status mdf_gguf_rope_scaling(mdf_text_config *c, const mdf_gguf_files *f, bool vision,
                                 mdf_error *err) MDF_NODISCARD;

#endif
