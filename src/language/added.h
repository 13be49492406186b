/* Tokens that are looked for in a text before anything else: the special ones and what a user added
 * to the vocabulary. */
#ifndef MDF_LANGUAGE_ADDED_H
#define MDF_LANGUAGE_ADDED_H

#include "language/tokenizer_spec.h"

typedef struct mdf_added {
    mdf_added_token *token; /* [count] pass 0 first, then by content */
    size_t count, pass_start[3];
    int32_t lowest_id;
    bool first[2][256]; /* pass, byte: begins a token */
} mdf_added;

/* Copies everything into arena. Names a token that is there twice. */
mdf_status mdf_added_new(mdf_added *out, const mdf_added_token *token, size_t count,
                         mdf_arena *arena, mdf_error *err) MDF_NODISCARD;

/* The longest token of the pass (0, or 1 for normalized ones) that text begins with; NULL = none.
 */
const mdf_added_token *mdf_added_match(const mdf_added *a, int pass, const uint8_t *text,
                                       size_t len);

/* NULL = no token has this content. */
const mdf_added_token *mdf_added_find(const mdf_added *a, const char *content);
const mdf_added_token *mdf_added_by_id(const mdf_added *a, int32_t id);

#endif
