/* Tokens to text as they come: a character may be spread over several of them.
 *
 *     mdf_detokeniser d = mdf_detokeniser_new(tokenizer);
 *     MDF_TRY(mdf_detokenise(&d, token, err));       d.text has whole characters only
 *     MDF_TRY(mdf_detokenise_end(&d, err)); */
#ifndef MDF_LANGUAGE_DETOKENISE_H
#define MDF_LANGUAGE_DETOKENISE_H

#include "language/tokenizer.h"

typedef struct mdf_detokeniser {
    const mdf_tokenizer *tokenizer;
    mdf_strbuf text; /* UTF-8 so far; special tokens are left out */
    mdf_strbuf held; /* bytes that may still become a character */
} mdf_detokeniser;

mdf_detokeniser mdf_detokeniser_new(const mdf_tokenizer *t);
void mdf_detokeniser_free(mdf_detokeniser *d);
void mdf_detokeniser_clear(mdf_detokeniser *d); /* keeps the memory */

/* Appends what the token says. Bytes that are not UTF-8 become U+FFFD, one for every ill-formed
 * sequence. An id that no token has says nothing: a model's vocabulary may be larger than its
 * tokenizer's. */
mdf_status mdf_detokenise(mdf_detokeniser *d, int32_t token, mdf_error *err) MDF_NODISCARD;

/* No more tokens: what is held can't become a character any more. */
mdf_status mdf_detokenise_end(mdf_detokeniser *d, mdf_error *err) MDF_NODISCARD;

#endif
