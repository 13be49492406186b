/* A text in which the special tokens are marked, so that a user's text can hold their names without
 * becoming one. What lies between two of them is encoded as a whole, as the reference does. */
#ifndef MDF_LANGUAGE_MARKED_H
#define MDF_LANGUAGE_MARKED_H

#include "language/tokenizer.h"

typedef struct mdf_marked {
    mdf_strbuf text;
    mdf_strbuf marks; /* where in text the specials are */
} mdf_marked;

mdf_marked mdf_marked_new(size_t max_bytes);
void mdf_marked_special(mdf_marked *m, const char *name);
void mdf_marked_text(mdf_marked *m, const char *text, size_t len);
void mdf_marked_free(mdf_marked *m);

/* MDF_ERR_LIMIT when the text became too long or has more than capacity tokens; MDF_ERR_FORMAT
 * names a special token that the tokenizer does not have. *count is 0 then. */
mdf_status mdf_marked_encode(const mdf_marked *m, const mdf_tokenizer *t, int32_t *id,
                             size_t capacity, size_t *count, mdf_error *err) MDF_NODISCARD;

#endif
