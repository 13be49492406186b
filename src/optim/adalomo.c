/* AdaLomo (Lv et al. 2024, arXiv 2310.10195): Adafactor's moments with eps 1e-30 inside of them,
 * steps and decay of lr times the weights' root mean square, at least 1e-3 of it. The paper has
 * matrices; a tensor of higher rank is one of its first dimension times the rest. */
#include <string.h>

#include "optim/factored.h"

static void pace(const mdf_rule_step *s, double rms, double *keep, double *move)
{
    *move = (rms > 1e-3 ? rms : 1e-3) * s->lr;
    *keep = 1 - *move * s->weight_decay;
}

/* A row and a column without a gradient beside others would give a V that no float holds; its least
 * one only meets gradients that are zero or next to it. */
static const mdf_factored_rule rule = {
    .one_matrix = true, .eps = 1e-30, .least = 1e-37, .pace = pace};

static size_t state_bytes(const mdf_rule_shape *s)
{
    return mdf_factored_state_bytes(&rule, s);
}

static void init(void *state, const mdf_rule_shape *s)
{
    memset(state, 0, state_bytes(s));
}

static size_t scratch_bytes(const mdf_rule_shape *s)
{
    return mdf_factored_scratch_bytes(&rule, s);
}

static void update(const mdf_kernels *k, const mdf_rule_tensor *t, const mdf_rule_step *s,
                   void *scratch)
{
    mdf_factored_update(k, &rule, t, s, scratch);
}

const mdf_optimizer_rule mdf_rule_adalomo = {.name = "adalomo",
                                             .state_bytes = state_bytes,
                                             .init = init,
                                             .scratch_bytes = scratch_bytes,
                                             .update = update};
