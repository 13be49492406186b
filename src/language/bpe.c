/* The tables of a byte-pair vocabulary. */
#include "language/bpe.h"

#include <string.h>

#include "language/bpe_table.h"

/* GPT-2's alphabet: printable bytes stand for themselves, the 68 others, in order, for the letters
 * from U+0100 on. Gives the byte of a letter, or -1. */
static void fill_alphabet(int16_t *byte_of)
{
    int next = 0x100;
    for (int i = 0; i < MDF_BPE_LETTERS; i++) {
        byte_of[i] = -1;
    }
    for (int b = 0; b < 256; b++) {
        const bool itself = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        byte_of[itself ? b : next] = (int16_t)b;
        next += itself ? 0 : 1;
    }
}

/* Letters -> bytes at out (room for text.len). False if one is not of the alphabet. */
static bool spell(const int16_t *byte_of, mdf_text_view text, uint8_t *out, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned letter = (uint8_t)text.text[i];
        if (letter >= 0x80) { /* letters of the alphabet have at most two bytes */
            if ((letter & 0xE0) != 0xC0 || i + 1 == text.len) {
                return false;
            }
            letter = (letter & 0x1F) << 6 | ((uint8_t)text.text[++i] & 0x3F);
        }
        if (letter >= MDF_BPE_LETTERS || byte_of[letter] < 0) {
            return false;
        }
        out[(*n)++] = (uint8_t)byte_of[letter];
    }
    return true;
}

uint64_t mdf_bpe_hash(uint64_t h, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        h = (h ^ bytes[i]) * 0x100000001B3u;
    }
    return h;
}

static size_t word_slot(const mdf_bpe *b, uint64_t hash)
{
    return (size_t)(hash ^ hash >> 29) & b->word_mask;
}

int32_t mdf_bpe_find(const mdf_bpe *b, uint64_t hash, const uint8_t *bytes, size_t n)
{
    const uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = word_slot(b, hash); b->word[i].id_plus_1 != 0; i = (i + 1) & b->word_mask) {
        const uint32_t id = b->word[i].id_plus_1 - 1;
        if (b->word[i].tag == tag && b->offset[id + 1] - b->offset[id] == n &&
            memcmp(b->bytes + b->offset[id], bytes, n) == 0) {
            return (int32_t)id;
        }
    }
    return -1;
}

static void put_word(mdf_bpe *b, uint64_t hash, size_t id)
{
    size_t i = word_slot(b, hash);
    while (b->word[i].id_plus_1 != 0) {
        i = (i + 1) & b->word_mask;
    }
    b->word[i] = (struct mdf_bpe_word){(uint32_t)(hash >> 32), (uint32_t)id + 1};
}

/* A power of two with a third of its slots free. */
static size_t slots_for(size_t count)
{
    size_t slots = 16;
    while (slots / 3 * 2 < count) {
        slots *= 2;
    }
    return slots;
}

typedef struct builder {
    mdf_bpe *b;
    const mdf_tokenizer_spec *spec;
    int16_t byte_of[MDF_BPE_LETTERS];
    uint8_t *hidden; /* [token_count] special tokens, which no text becomes */
    mdf_error *err;
} builder;

static mdf_status reserve(builder *m, mdf_arena *arena)
{
    mdf_bpe *b = m->b;
    size_t bytes = 1;
    for (size_t i = 0; i < m->spec->token_count; i++) {
        bytes += m->spec->token[i].len;
    }
    b->token_count = m->spec->token_count;
    if (bytes > UINT32_MAX) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "model.vocab: the tokens have more than 4 GiB");
    }
    const size_t words = slots_for(b->token_count);
    const size_t pairs = slots_for(m->spec->merge_count);
    b->word_mask = words - 1;
    b->pair_mask = pairs - 1;
    b->offset = mdf_arena_alloc(arena, b->token_count + 1, sizeof *b->offset);
    b->bytes = mdf_arena_alloc(arena, bytes, 1);
    b->word = mdf_arena_zalloc(arena, words, sizeof *b->word);
    b->pair = mdf_arena_zalloc(arena, pairs, sizeof *b->pair);
    m->hidden = mdf_arena_zalloc(arena, b->token_count, 1);
    if (b->offset == NULL || b->bytes == NULL || b->word == NULL || b->pair == NULL ||
        m->hidden == NULL) {
        return mdf_fail(m->err, MDF_ERR_NOMEM, "out of memory for the tokenizer");
    }
    return MDF_OK;
}

static mdf_status fill_words(builder *m)
{
    mdf_bpe *b = m->b;
    uint32_t at = 0;
    for (size_t i = 0; i < b->token_count; i++) {
        const mdf_text_view text = m->spec->token[i];
        uint8_t *bytes = b->bytes + at;
        size_t n = 0;
        b->offset[i] = at;
        if (text.len > 0 && !spell(m->byte_of, text, bytes, &n)) {
            memcpy(bytes, text.text, text.len); /* never found in a text, but can be shown */
            n = text.len;
        } else if (text.len > 0 && m->hidden[i] == 0) {
            const uint64_t hash = mdf_bpe_hash(MDF_BPE_HASH, bytes, n);
            b->offset[i + 1] = at + (uint32_t)n;
            if (mdf_bpe_find(b, hash, bytes, n) >= 0) {
                return mdf_fail(m->err, MDF_ERR_FORMAT,
                                "model.vocab: token \"%.*s\" is there twice",
                                (int)(text.len > 80 ? 80 : text.len), text.text);
            }
            put_word(b, hash, i);
        }
        at += (uint32_t)n;
    }
    b->offset[b->token_count] = at;
    return MDF_OK;
}

static mdf_status fill_byte_ids(builder *m)
{
    for (int i = 0; i < 256; i++) {
        const uint8_t byte = (uint8_t)i;
        m->b->byte_id[i] = mdf_bpe_find(m->b, mdf_bpe_hash(MDF_BPE_HASH, &byte, 1), &byte, 1);
        if (m->b->byte_id[i] < 0 && m->spec->has_unknown) {
            return mdf_fail(m->err, MDF_ERR_FORMAT,
                            "model.unk_token is set and byte %d has no token, which is not "
                            "supported",
                            i);
        }
    }
    return MDF_OK;
}

static mdf_status lost_merge(const builder *m, size_t rank, const char *what)
{
    const mdf_merge_view v = m->spec->merge[rank];
    return mdf_fail(m->err, MDF_ERR_FORMAT,
                    "model.merges: merge %zu, \"%.*s\" and \"%.*s\": %s is not a token of the "
                    "vocabulary",
                    rank, (int)(v.left.len > 60 ? 60 : v.left.len), v.left.text,
                    (int)(v.right.len > 60 ? 60 : v.right.len), v.right.text, what);
}

/* A pair that is there twice keeps its last rank, as in the reference. */
static void put_pair(mdf_bpe *b, int32_t left, int32_t right, size_t rank, int32_t id)
{
    const uint64_t key = mdf_bpe_pair_key(left, right);
    size_t i = mdf_bpe_pair_slot(key) & b->pair_mask;
    while (b->pair[i].key != 0 && b->pair[i].key != key) {
        i = (i + 1) & b->pair_mask;
    }
    b->pair[i] = (struct mdf_bpe_pair){key, (uint32_t)rank, id};
}

static mdf_status fill_pairs(builder *m)
{
    uint8_t bytes[2 * MDF_MAX_TOKEN_BYTES];
    for (size_t i = 0; i < m->spec->merge_count; i++) {
        const mdf_merge_view v = m->spec->merge[i];
        size_t n = 0;
        size_t k = 0;
        if (v.left.len > MDF_MAX_TOKEN_BYTES || !spell(m->byte_of, v.left, bytes, &n) || n == 0) {
            return lost_merge(m, i, "the first");
        }
        if (v.right.len > MDF_MAX_TOKEN_BYTES || !spell(m->byte_of, v.right, bytes + n, &k) ||
            k == 0) {
            return lost_merge(m, i, "the second");
        }
        const uint64_t hash = mdf_bpe_hash(MDF_BPE_HASH, bytes, n);
        const int32_t left = mdf_bpe_find(m->b, hash, bytes, n);
        const int32_t right =
            mdf_bpe_find(m->b, mdf_bpe_hash(MDF_BPE_HASH, bytes + n, k), bytes + n, k);
        const int32_t both = mdf_bpe_find(m->b, mdf_bpe_hash(hash, bytes + n, k), bytes, n + k);
        if (left < 0 || right < 0 || both < 0) {
            return lost_merge(m, i,
                              left < 0    ? "the first"
                              : right < 0 ? "the second"
                                          : "what they make");
        }
        put_pair(m->b, left, right, i, both);
    }
    return MDF_OK;
}

mdf_status mdf_bpe_new(mdf_bpe *out, const mdf_tokenizer_spec *spec, mdf_arena *arena,
                       mdf_error *err)
{
    builder m = {.b = out, .spec = spec, .err = err};
    *out = (mdf_bpe){.ignore_merges = spec->ignore_merges};
    if (spec->token_count > MDF_MAX_VOCAB || spec->merge_count > MDF_MAX_MERGES) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "%zu tokens and %zu merges, more than the limits of %zu and %zu",
                        spec->token_count, spec->merge_count, MDF_MAX_VOCAB, MDF_MAX_MERGES);
    }
    MDF_TRY(reserve(&m, arena));
    for (size_t i = 0; i < spec->added_count; i++) {
        const mdf_added_token *t = &spec->added[i];
        if (t->special && (size_t)t->id < spec->token_count) {
            m.hidden[t->id] = 1;
        }
    }
    fill_alphabet(m.byte_of);
    MDF_TRY(fill_words(&m));
    MDF_TRY(fill_byte_ids(&m));
    return fill_pairs(&m);
}

int32_t mdf_bpe_token_id(const mdf_bpe *b, mdf_text_view text)
{
    uint8_t bytes[MDF_MAX_TOKEN_BYTES];
    int16_t byte_of[MDF_BPE_LETTERS];
    size_t n = 0;
    fill_alphabet(byte_of);
    if (text.len == 0 || text.len > sizeof bytes || !spell(byte_of, text, bytes, &n)) {
        return -1;
    }
    return mdf_bpe_find(b, mdf_bpe_hash(MDF_BPE_HASH, bytes, n), bytes, n);
}
