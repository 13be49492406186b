/* The two lists that make tokenizer.json large, vocabulary and merges, read without a tree:
 * hundreds of thousands of strings that are only looked at. Everything else in the file is
 * jansson's. */
#ifndef MDF_LANGUAGE_TOKENIZER_LISTS_H
#define MDF_LANGUAGE_TOKENIZER_LISTS_H

#include "language/tokenizer_spec.h"

/* A part of the file; len 0 = not found. */
typedef struct mdf_json_part {
    size_t at, len;
} mdf_json_part;

/* Where the values of model.vocab and model.merges stand. Parts that are not there, or a file
 * that is no JSON, give len 0: whoever reads the rest finds out why. */
void mdf_tokenizer_find_lists(const uint8_t *data, size_t len, mdf_json_part *vocab,
                              mdf_json_part *merges);

/* {"token": id, ...} -> spec->token. part must lie in data, which must be valid UTF-8 and outlive
 * the spec. Names a token that is there twice, an id that is, or is too large. */
mdf_status mdf_tokenizer_read_vocab(mdf_tokenizer_spec *spec, const uint8_t *data,
                                    mdf_json_part part, mdf_error *err) MDF_NODISCARD;

/* ["a b", ...] or [["a", "b"], ...] -> spec->merge. */
mdf_status mdf_tokenizer_read_merges(mdf_tokenizer_spec *spec, const uint8_t *data,
                                     mdf_json_part part, mdf_error *err) MDF_NODISCARD;

/* "a b" -> its halves: exactly one blank, nothing empty. False otherwise. */
bool mdf_merge_split(mdf_merge_view *out, mdf_text_view both);

#endif
