/* tokenizer.json of a byte-level BPE model, as Hugging Face's tokenizers write it: Llama 3, GPT-2,
 * SmolLM2 and their like. What would make other tokens than this library knows how to make is
 * refused by its name. Truncation and padding are settings of a call, not of the tokenizer, and are
 * not looked at. */
#ifndef MDF_LANGUAGE_TOKENIZER_JSON_H
#define MDF_LANGUAGE_TOKENIZER_JSON_H

#include "language/tokenizer_spec.h"

/* Fills *out, whose strings lie in data (which must outlive it) or in its arena; caller frees it
 * with mdf_tokenizer_spec_free(). Errors name the key, not the file. On failure *out is empty. */
mdf_status mdf_tokenizer_json_parse(mdf_tokenizer_spec *out, const uint8_t *data, size_t len,
                                    mdf_error *err) MDF_NODISCARD;

#endif
