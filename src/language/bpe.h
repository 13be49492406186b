/* Byte-level byte-pair encoding: the vocabulary, and pieces of text -> token ids. */
#ifndef MDF_LANGUAGE_BPE_H
#define MDF_LANGUAGE_BPE_H

#include "language/tokenizer_spec.h"

struct mdf_bpe_word; /* a slot of the vocabulary's hash table */
struct mdf_bpe_pair; /* a slot of the merges' */

/* Immutable once made. */
typedef struct mdf_bpe {
    size_t token_count;        /* ids are below */
    uint32_t *offset;          /* [token_count + 1] into bytes */
    uint8_t *bytes;            /* of all tokens */
    int32_t byte_id[256];      /* token of a single byte, -1 = none */
    struct mdf_bpe_word *word; /* [word_mask + 1] bytes -> id */
    size_t word_mask;
    struct mdf_bpe_pair *pair; /* [pair_mask + 1] (left, right) -> rank, id */
    size_t pair_mask;
    bool ignore_merges;
} mdf_bpe;

/* Where ids go. full: there was no room for one. */
typedef struct mdf_token_sink {
    int32_t *id;
    size_t count, capacity;
    bool full;
} mdf_token_sink;

static inline void mdf_token_put(mdf_token_sink *out, int32_t id)
{
    if (out->count < out->capacity) {
        out->id[out->count++] = id;
    } else {
        out->full = true;
    }
}

/* Copies what it needs into arena. Special tokens of spec->added are left out of what text can
 * become. Names the merge whose tokens are not in the vocabulary. */
mdf_status mdf_bpe_new(mdf_bpe *out, const mdf_tokenizer_spec *spec, mdf_arena *arena,
                       mdf_error *err) MDF_NODISCARD;

/* The token that the vocabulary writes like this, among those that text can become; -1 = none. */
int32_t mdf_bpe_token_id(const mdf_bpe *b, mdf_text_view text);

/* Appends the tokens of one piece, n bytes. Merges the pair of lowest rank first, the leftmost of
 * equal ones, in O(n log n). A byte without a token is dropped, as the reference does. scratch is
 * left as it was found. False when out of memory. */
bool mdf_bpe_encode(const mdf_bpe *b, const uint8_t *piece, size_t n, mdf_token_sink *out,
                    mdf_arena *scratch);

#endif
