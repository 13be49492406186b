/* The tokenizer of a GGUF file in the format of Hugging Face: byte-level byte-pair encoding.
 *
 * A GGUF file has tokens, merges and the name of a pre-tokenizer; tokenizer.json has the
 * pre-tokenizer itself. Known are the names of Llama 3 (llama-bpe, llama3, llama-v3), SmolLM2 and
 * StarCoder (smollm, starcoder), gpt-2 and qwen2. A file that names none gets GPT-2's. */
#ifndef MDF_LANGUAGE_GGUF_TOKENIZER_H
#define MDF_LANGUAGE_GGUF_TOKENIZER_H

#include "base/strbuf.h"
#include "language/gguf_vocab.h"

/* Appends tokenizer.json. Control tokens become special added tokens, user-defined ones are found
 * in texts, too. Errors name the key, not the file: MDF_ERR_ARG for a kind of tokenizer or a
 * pre-tokenizer that is not known, MDF_ERR_FORMAT for tokens that are no text or stand twice, for
 * merges of what is no token and for a vocabulary without merges. remark: filled where the result
 * may split texts in another way than the original, else its text is empty. */
mdf_status mdf_gguf_tokenizer_json(const mdf_gguf_vocab *v, mdf_strbuf *out, mdf_error *remark,
                                   mdf_error *err) MDF_NODISCARD;

/* Appends tokenizer_config.json: which tokens begin and end a text. */
mdf_status mdf_gguf_tokenizer_config(const mdf_gguf_vocab *v, mdf_strbuf *out,
                                     mdf_error *err) MDF_NODISCARD;

#endif
