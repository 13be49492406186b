/* Text <-> token ids.
 *
 *     mdf_tokenizer *t = NULL;
 *     MDF_TRY(mdf_tokenizer_load(&t, "model/tokenizer.json", 128256, err));
 *     MDF_TRY(mdf_tokenizer_encode(t, text, strlen(text), MDF_ENCODE_PLAIN, id, room, &count,
 * err)); mdf_tokenizer_free(t);
 *
 * Two kinds share the interface: the bytes of the text, which needs no file, and byte-level
 * byte-pair encoding (Llama 3, GPT-2, SmolLM2). Immutable once made: several threads may use one.
 *
 * A text that is not valid UTF-8 becomes what Python's and Rust's decoders make of it before the
 * reference sees it: every ill-formed sequence, as long as it can still become a character, is one
 * U+FFFD. The byte tokenizer takes the bytes as they are. */
#ifndef MDF_LANGUAGE_TOKENIZER_H
#define MDF_LANGUAGE_TOKENIZER_H

#include "base/strbuf.h"
#include "language/tokenizer_spec.h"

typedef struct mdf_tokenizer mdf_tokenizer;

/* Names and ids of the byte tokenizer: 0..255 are bytes. */
enum {
    MDF_TOKEN_BEGIN_OF_TEXT = 256,
    MDF_TOKEN_START_HEADER = 257,
    MDF_TOKEN_END_HEADER = 258,
    MDF_TOKEN_END_OF_TURN = 259,
    MDF_TOKEN_PAD = 260,
};

#define MDF_IMAGE_TOKEN "<|image|>"

/* What happens to a text before and behind its pieces. */
enum {
    MDF_ENCODE_PLAIN = 0,    /* names of special tokens are text like any other: for users' texts */
    MDF_ENCODE_SPECIALS = 1, /* they are the special tokens */
    MDF_ENCODE_TEMPLATE = 2, /* with the tokens that the file's template puts around a text */
    MDF_ENCODE_SHIELDED = 4  /* MDF_SHIELD is left out, after it has kept names apart */
};

/* U+FDD0, which is no character and so in no text. */
#define MDF_SHIELD "\xEF\xB7\x90"

/* The bytes of the text; image_token is the id of <|image|>. */
mdf_status mdf_tokenizer_new_bytes(mdf_tokenizer **out, int32_t image_token,
                                   mdf_error *err) MDF_NODISCARD;

/* Copies what it needs of the spec. A spec without <|image|> gets one with the id image_token (-1:
 * none); one that has another id for it is an error. */
mdf_status mdf_tokenizer_new(mdf_tokenizer **out, const mdf_tokenizer_spec *spec,
                             int32_t image_token, mdf_error *err) MDF_NODISCARD;

/* The same from a tokenizer.json; errors name the path. */
mdf_status mdf_tokenizer_load(mdf_tokenizer **out, const char *path, int32_t image_token,
                              mdf_error *err) MDF_NODISCARD;

void mdf_tokenizer_free(mdf_tokenizer *t); /* NULL is allowed */

/* Ids are below. */
int32_t mdf_tokenizer_size(const mdf_tokenizer *t);

/* Id of a special or added token by name, -1 = there is none. */
int32_t mdf_tokenizer_special(const mdf_tokenizer *t, const char *name);

/* No text of this many bytes has more tokens (without a template). */
size_t mdf_tokenizer_most(const mdf_tokenizer *t, size_t bytes);

/* Writes the tokens to id[0..capacity-1] and their number to *count. MDF_ERR_LIMIT when there are
 * more, or for a text above MDF_MAX_ENCODE_BYTES; *count is 0 then. */
mdf_status mdf_tokenizer_encode(const mdf_tokenizer *t, const char *text, size_t len, int how,
                                int32_t *id, size_t capacity, size_t *count,
                                mdf_error *err) MDF_NODISCARD;

/* A copy of text, in memory of the arena, with MDF_SHIELD inside of every name of a special token;
 * text itself if it has none. With MDF_ENCODE_SPECIALS | MDF_ENCODE_SHIELDED those names stay text.
 * MDF_ERR_ARG: it has such a name and U+FDD0 too, or the name
 * has one character only. */
mdf_status mdf_tokenizer_shield(const mdf_tokenizer *t, const char *text, mdf_arena *a,
                                const char **out, mdf_error *err) MDF_NODISCARD;

bool mdf_tokenizer_has(const mdf_tokenizer *t, int32_t id);

/* Appends the bytes of the tokens; special tokens by name, or not at all. MDF_ERR_ARG for an id
 * that no token has. The bytes of a cut sequence need not be valid UTF-8. */
mdf_status mdf_tokenizer_decode(const mdf_tokenizer *t, const int32_t *id, size_t count,
                                bool keep_specials, mdf_strbuf *out, mdf_error *err) MDF_NODISCARD;

#endif
