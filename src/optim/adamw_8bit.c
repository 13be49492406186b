/* AdamW with moments of 8 bits. State of n >= 4096 numbers in b blocks of 256: the largest
 * magnitudes of m [b] and of v [b] as floats, then codes of m [n] and of v [n]. */
#include <string.h>

#include "kernel/moment_code.h"
#include "optim/adamw_step.h"

enum { FEWEST = 4096 }; /* below, eight bits would save nothing and cost precision */

static bool is_small(const mdf_rule_shape *s)
{
    return mdf_rule_count(s) < FEWEST;
}

static int64_t blocks_of(int64_t n)
{
    return (n + MDF_MOMENT_BLOCK - 1) / MDF_MOMENT_BLOCK;
}

/* The parts of a state from number `at`, the beginning of a block, on. */
static mdf_moments_8bit parts_at(void *state, int64_t n, int64_t at)
{
    const int64_t b = blocks_of(n);
    float *most = state;
    uint8_t *code = (uint8_t *)(most + 2 * b);
    return (mdf_moments_8bit){code + at, code + n + at, most + at / MDF_MOMENT_BLOCK,
                              most + b + at / MDF_MOMENT_BLOCK};
}

static size_t state_bytes(const mdf_rule_shape *s)
{
    const int64_t n = mdf_rule_count(s);
    return is_small(s) ? mdf_adamw_state_bytes(s)
                       : 2 * ((size_t)blocks_of(n) * sizeof(float) + (size_t)n);
}

static void init(void *state, const mdf_rule_shape *s)
{
    if (is_small(s)) {
        mdf_adamw_init(state, s);
        return;
    }
    const int64_t n = mdf_rule_count(s);
    const mdf_moments_8bit p = parts_at(state, n, 0);
    memset(state, 0, state_bytes(s));
    memset(p.m, MDF_MOMENT_ZERO, (size_t)n);
}

static size_t no_scratch(const mdf_rule_shape *s)
{
    (void)s;
    return 0;
}

static void update(const mdf_kernels *k, const mdf_rule_tensor *t, const mdf_rule_step *s,
                   void *scratch)
{
    if (is_small(&t->shape)) {
        mdf_adamw_update(k, t, s, scratch);
        return;
    }
    _Static_assert((int)MDF_RULE_PIECE % (int)MDF_MOMENT_BLOCK == 0, "pieces are whole blocks");
    const int64_t n = mdf_rule_count(&t->shape);
    const mdf_adamw_step a = mdf_adamw_constants(s);
#pragma omp parallel for schedule(static) if (n > MDF_RULE_PIECE)
    for (int64_t at = 0; at < n; at += MDF_RULE_PIECE) {
        const int64_t count = n - at < MDF_RULE_PIECE ? n - at : MDF_RULE_PIECE;
        const mdf_moments_8bit p = parts_at(t->state, n, at);
        k->adamw_8bit(t->w + at, &p, t->g + at, count, &a);
    }
}

const mdf_optimizer_rule mdf_rule_adamw_8bit = {.name = "adamw_8bit",
                                                .state_bytes = state_bytes,
                                                .init = init,
                                                .scratch_bytes = no_scratch,
                                                .update = update};
