/* The hash tables of language/bpe.h, for its own files: open addressing, linear probing. */
#ifndef MDF_LANGUAGE_BPE_TABLE_H
#define MDF_LANGUAGE_BPE_TABLE_H

#include "language/bpe.h"

struct mdf_bpe_word {
    uint32_t tag; /* upper half of the hash */
    uint32_t id_plus_1;
};

struct mdf_bpe_pair {
    uint64_t key; /* 0 = free */
    uint32_t rank;
    int32_t id;
};

enum { MDF_BPE_LETTERS = 0x144 }; /* U+0000..U+0143 hold the byte alphabet */

#define MDF_BPE_HASH 0xCBF29CE484222325u /* of nothing */

/* FNV-1a, which goes on where it stopped: hash(ab) from hash(a) and b. */
uint64_t mdf_bpe_hash(uint64_t h, const uint8_t *bytes, size_t n);

/* The token with these bytes, -1 = none. */
int32_t mdf_bpe_find(const mdf_bpe *b, uint64_t hash, const uint8_t *bytes, size_t n);

/* Never 0. */
static inline uint64_t mdf_bpe_pair_key(int32_t left, int32_t right)
{
    return ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1;
}

static inline size_t mdf_bpe_pair_slot(uint64_t key)
{
    key *= 0x9E3779B97F4A7C15u;
    return (size_t)(key >> 32);
}

#endif
