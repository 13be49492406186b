/* Random numbers: PCG32 (O'Neill 2014), one small state per user, never global. The same seed gives
 * the same numbers on every machine. */
#include "base/rng.h"

#include <math.h>

uint32_t mdf_rng_u32(mdf_rng *r)
{
    const uint64_t old = r->state;
    r->state = old * 6364136223846793005ULL + r->stream;
    const uint32_t x = (uint32_t)(((old >> 18) ^ old) >> 27);
    const uint32_t rot = (uint32_t)(old >> 59);
    return (x >> rot) | (x << ((32 - rot) & 31));
}

mdf_rng mdf_rng_new(uint64_t seed, uint64_t stream)
{
    mdf_rng r = {0, (stream << 1) | 1};
    (void)mdf_rng_u32(&r);
    r.state += seed;
    (void)mdf_rng_u32(&r);
    return r;
}

uint32_t mdf_rng_below(mdf_rng *r, uint32_t n)
{
    const uint32_t threshold = (0U - n) % n; /* reject the uneven part of the range */
    for (;;) {
        const uint32_t x = mdf_rng_u32(r);
        if (x >= threshold) {
            return x % n;
        }
    }
}

double mdf_rng_uniform(mdf_rng *r)
{
    return mdf_rng_u32(r) * 0x1p-32;
}

double mdf_rng_range(mdf_rng *r, double lo, double hi)
{
    return lo + (hi - lo) * mdf_rng_uniform(r);
}

double mdf_rng_normal(mdf_rng *r)
{
    /* Box-Muller; the second number is dropped so that no state hides between calls. */
    const double u = 1.0 - mdf_rng_uniform(r);
    const double v = mdf_rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

uint64_t mdf_rng_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a + 0x9e3779b97f4a7c15ULL * (b + 1); /* splitmix64 finaliser */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint64_t mdf_rng_hash(const char *name)
{
    uint64_t h = 1469598103934665603ULL;
    for (; *name != '\0'; name++) {
        h = (h ^ (uint8_t)*name) * 1099511628211ULL;
    }
    return h;
}

void mdf_rng_shuffle(size_t *list, size_t n, mdf_rng *r)
{
    for (size_t i = n; i > 1; i--) {
        const size_t j = mdf_rng_below(r, (uint32_t)i);
        const size_t keep = list[i - 1];
        list[i - 1] = list[j];
        list[j] = keep;
    }
}
