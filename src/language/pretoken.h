/* Text -> pieces, which are encoded one by one: the pre-tokenizers of a tokenizer.json, compiled by
 * PCRE2.
 *
 * The patterns are written for Oniguruma, the engine of the reference. What both engines read the
 * same way is allowed, everything else refused by name; \s, \p{L} and \p{N} become the sets of the
 * reference (Unicode 16), whatever PCRE2 was built with. */
#ifndef MDF_LANGUAGE_PRETOKEN_H
#define MDF_LANGUAGE_PRETOKEN_H

#include "base/strbuf.h"
#include "language/tokenizer_spec.h"

typedef struct mdf_pretoken mdf_pretoken; /* immutable; may be used by several threads */

mdf_status mdf_pretoken_new(mdf_pretoken **out, const mdf_tokenizer_spec *spec,
                            mdf_error *err) MDF_NODISCARD;
void mdf_pretoken_free(mdf_pretoken *p); /* NULL is allowed */

/* Receives the pieces in order. False: out of memory. */
typedef bool mdf_piece_sink(void *user, const uint8_t *piece, size_t n);

/* text must be valid UTF-8. MDF_ERR_LIMIT when a pattern takes too many steps on this text. */
mdf_status mdf_pretoken_split(const mdf_pretoken *p, const uint8_t *text, size_t n,
                              mdf_arena *scratch, mdf_piece_sink *sink, void *user,
                              mdf_error *err) MDF_NODISCARD;

/* A pattern of Oniguruma as one of PCRE2, appended to out. MDF_ERR_FORMAT names what may not be in
 * it. */
mdf_status mdf_pretoken_translate(mdf_strbuf *out, mdf_text_view pattern,
                                  mdf_error *err) MDF_NODISCARD;

#endif
