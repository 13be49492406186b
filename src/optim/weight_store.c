/* How weights are kept between steps. */
#include "optim/weight_store.h"

#include <string.h>

#include "base/rng.h"

typedef struct format {
    const char *name;
    size_t bytes, beside;
} format;

static const format formats[MDF_WEIGHT_FORMATS] = {{"f32", sizeof(float), 0},
                                                   {"bf16_master", 2, sizeof(float)},
                                                   {"bf16_stochastic", 2, 0},
                                                   {"bf16_split", 2, 2}};

const char *mdf_weight_format_name(mdf_weight_format f)
{
    return formats[f].name;
}

size_t mdf_weight_bytes(mdf_weight_format f)
{
    return formats[f].bytes;
}

size_t mdf_weight_bytes_beside(mdf_weight_format f)
{
    return formats[f].beside;
}

uint64_t mdf_rounding_key(uint64_t seed, uint64_t tensor, int64_t step)
{
    return mdf_rng_mix(mdf_rng_mix(seed, tensor), (uint64_t)step);
}

/* Floats that are changed in place are there already. */
static void copy(float *to, const float *from, int64_t n)
{
    if (to != from) {
        memcpy(to, from, (size_t)n * sizeof *to);
    }
}

/* Weights at .. at + n - 1 as floats. */
static void load_piece(const mdf_kernels *k, const mdf_weight_store *s, float *w, int64_t at,
                       int64_t n)
{
    const uint16_t *half = s->weights;
    const float *full = s->format == MDF_WEIGHTS_F32 ? s->weights : s->beside;
    const int16_t *rest = s->beside;
    switch (s->format) {
    case MDF_WEIGHTS_F32:
    case MDF_WEIGHTS_BF16_MASTER:
        copy(w + at, full + at, n);
        break;
    case MDF_WEIGHTS_BF16_STOCHASTIC:
        k->bf16_widen(w + at, half + at, n);
        break;
    case MDF_WEIGHTS_BF16_SPLIT:
        k->bf16_join(w + at, half + at, rest + at, n);
        break;
    }
}

static void keep_piece(const mdf_kernels *k, const mdf_weight_store *s, const float *w, int64_t at,
                       int64_t n, uint64_t key)
{
    uint16_t *half = s->weights;
    float *full = s->format == MDF_WEIGHTS_F32 ? s->weights : s->beside;
    int16_t *rest = s->beside;
    switch (s->format) {
    case MDF_WEIGHTS_BF16_MASTER:
        k->narrow(half + at, MDF_DTYPE_BF16, w + at, n);
        copy(full + at, w + at, n);
        break;
    case MDF_WEIGHTS_F32:
        copy(full + at, w + at, n);
        break;
    case MDF_WEIGHTS_BF16_STOCHASTIC:
        k->bf16_stochastic(half + at, w + at, n, key, (uint64_t)at);
        break;
    case MDF_WEIGHTS_BF16_SPLIT:
        k->bf16_split(half + at, rest + at, w + at, n);
        break;
    }
}

void mdf_weight_store_load(const mdf_kernels *k, const mdf_weight_store *s, float *w, int64_t n)
{
#pragma omp parallel for schedule(static) if (n > MDF_RULE_PIECE)
    for (int64_t at = 0; at < n; at += MDF_RULE_PIECE) {
        load_piece(k, s, w, at, n - at < MDF_RULE_PIECE ? n - at : MDF_RULE_PIECE);
    }
}

void mdf_weight_store_keep(const mdf_kernels *k, const mdf_weight_store *s, const float *w,
                           int64_t n, uint64_t key)
{
#pragma omp parallel for schedule(static) if (n > MDF_RULE_PIECE)
    for (int64_t at = 0; at < n; at += MDF_RULE_PIECE) {
        keep_piece(k, s, w, at, n - at < MDF_RULE_PIECE ? n - at : MDF_RULE_PIECE, key);
    }
}

/* The floats that the format has anyway, which rules may change in place; NULL: it has none. */
static float *own_floats(const mdf_weight_store *s)
{
    if (s->format == MDF_WEIGHTS_F32) {
        return s->weights;
    }
    return s->format == MDF_WEIGHTS_BF16_MASTER ? s->beside : NULL;
}

/* Floats of the weights come first, then the rule's scratch. */
static size_t floats_bytes(mdf_weight_format f, const mdf_rule_shape *shape)
{
    const bool own = f == MDF_WEIGHTS_F32 || f == MDF_WEIGHTS_BF16_MASTER;
    return own ? 0 : ((size_t)mdf_rule_count(shape) * sizeof(float) + 63) / 64 * 64;
}

size_t mdf_weight_store_scratch_bytes(mdf_weight_format f, const mdf_optimizer_rule *rule,
                                      const mdf_rule_shape *shape)
{
    return floats_bytes(f, shape) + rule->scratch_bytes(shape);
}

void mdf_weight_store_update(const mdf_kernels *k, const mdf_weight_store *s,
                             const mdf_optimizer_rule *rule, const mdf_rule_tensor *t,
                             const mdf_rule_step *step, uint64_t key, void *scratch)
{
    const int64_t n = mdf_rule_count(&t->shape);
    float *own = own_floats(s);
    mdf_rule_tensor work = *t;
    work.w = own != NULL ? own : scratch;
    if (own == NULL) {
        mdf_weight_store_load(k, s, work.w, n);
    }
    rule->update(k, &work, step, (uint8_t *)scratch + floats_bytes(s->format, &t->shape));
    if (s->format != MDF_WEIGHTS_F32) {
        mdf_weight_store_keep(k, s, work.w, n, key);
    }
}
