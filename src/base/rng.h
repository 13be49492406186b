/* Random numbers: PCG32 (O'Neill 2014), one small state per user, never global. The same seed gives
 * the same numbers on every machine. */
#ifndef MDF_BASE_RNG_H
#define MDF_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct mdf_rng {
    uint64_t state;
    uint64_t stream; /* odd */
} mdf_rng;

/* Streams of one seed are independent: use one per purpose (init, shuffle, augmentation, ...). */
mdf_rng mdf_rng_new(uint64_t seed, uint64_t stream);

uint32_t mdf_rng_u32(mdf_rng *r);
uint32_t mdf_rng_below(mdf_rng *r, uint32_t n); /* 0..n-1, unbiased; n >= 1 */
double mdf_rng_uniform(mdf_rng *r);             /* [0, 1), 32 bits */
double mdf_rng_range(mdf_rng *r, double lo, double hi);
double mdf_rng_normal(mdf_rng *r); /* mean 0, variance 1 */

/* Puts list [n] in random order, each equally likely; n below 2^32. */
void mdf_rng_shuffle(size_t *list, size_t n, mdf_rng *r);

/* A well-mixed 64-bit hash of a and b, e.g. for a per-case, per-epoch seed. */
uint64_t mdf_rng_mix(uint64_t a, uint64_t b);

/* A hash of a name (FNV-1a), e.g. for a parameter's own stream. */
uint64_t mdf_rng_hash(const char *name);

#endif
