/* First values of parameters that are made piece by piece. */
#include "convert/random_weights.h"

#include <assert.h>
#include <math.h>

#include "base/rng.h"

/* Sum of the four 16-bit quarters of a hash of (key, index): mean 131070, variance 4 (2^32 - 1)
 * / 12.
 */
static void fill_normal(float *out, size_t n, uint64_t key, uint64_t at, double deviation)
{
    const float scale = (float)(deviation / sqrt(4 * (4294967296.0 - 1) / 12));
    for (size_t i = 0; i < n; i++) {
        const uint64_t h = mdf_rng_mix(key, at + i);
        const int32_t sum =
            (int32_t)((h & 0xffff) + (h >> 16 & 0xffff) + (h >> 32 & 0xffff) + (h >> 48));
        out[i] = scale * (float)(sum - 131070);
    }
}

static void fill(float *out, size_t n, float value)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = value;
    }
}

void mdf_random_weights(const mdf_param *p, uint64_t seed, size_t at, size_t n, float *out)
{
    const double fan_in = (double)mdf_tensor_count(&p->tensor) / (double)p->tensor.dim[0];
    const uint64_t key = mdf_rng_mix(seed, mdf_rng_hash(p->tensor.name));
    switch (p->init) {
    case MDF_INIT_ZERO:
        fill(out, n, 0);
        break;
    case MDF_INIT_ONE:
        fill(out, n, 1);
        break;
    case MDF_INIT_CONST:
        fill(out, n, (float)p->init_arg);
        break;
    case MDF_INIT_UNIFORM: /* of adapters, which no model folder has */
        assert(false);
        break;
    case MDF_INIT_NORMAL:
        fill_normal(out, n, key, at, p->init_arg);
        break;
    case MDF_INIT_HE:
        fill_normal(out, n, key, at, sqrt(2 / fan_in));
        break;
    }
}
