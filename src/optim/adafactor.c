/* Adafactor as torch.optim.Adafactor has it by default (beta2_decay -0.8, eps (2^-23, 1e-3), d 1):
 * steps of min(lr, 1 / sqrt(t)) times the weights' root mean square, at least 1e-3 of it; decay
 * with lr itself. */
#include <math.h>
#include <string.h>

#include "optim/factored.h"

static void pace(const mdf_rule_step *s, double rms, double *keep, double *move)
{
    const double most = 1 / sqrt((double)s->step);
    *keep = 1 - s->lr * s->weight_decay;
    *move = (rms > 1e-3 ? rms : 1e-3) * (s->lr < most ? s->lr : most);
}

static const mdf_factored_rule rule = {
    .least_mean = 0x1p-23, .least = 0x1p-46 /* the root is at least 2^-23 */, .pace = pace};

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

const mdf_optimizer_rule mdf_rule_adafactor = {.name = "adafactor",
                                               .state_bytes = state_bytes,
                                               .init = init,
                                               .scratch_bytes = scratch_bytes,
                                               .update = update};
