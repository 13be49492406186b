/* AdamW with moments in full precision: state is m [n], then v [n]. */
#include <math.h>
#include <string.h>

#include "optim/adamw_step.h"

mdf_adamw_step mdf_adamw_constants(const mdf_rule_step *s)
{
    const double c1 = 1 - pow(s->beta1, (double)s->step);
    const double c2 = 1 - pow(s->beta2, (double)s->step);
    return (mdf_adamw_step){.beta1 = (mdf_real)s->beta1,
                            .beta2 = (mdf_real)s->beta2,
                            .eps = (mdf_real)s->eps,
                            .step_size = (mdf_real)(s->lr / c1),
                            .inv_sqrt_c2 = (mdf_real)(1 / sqrt(c2)),
                            .decay = (mdf_real)(s->lr * s->weight_decay),
                            .grad_scale = (mdf_real)s->grad_scale};
}

size_t mdf_adamw_state_bytes(const mdf_rule_shape *s)
{
    return 2 * (size_t)mdf_rule_count(s) * sizeof(mdf_real);
}

void mdf_adamw_init(void *state, const mdf_rule_shape *s)
{
    memset(state, 0, mdf_adamw_state_bytes(s));
}

static size_t no_scratch(const mdf_rule_shape *s)
{
    (void)s;
    return 0;
}

void mdf_adamw_update(const mdf_kernels *k, const mdf_rule_tensor *t, const mdf_rule_step *s,
                      void *scratch)
{
    (void)scratch;
    const int64_t n = mdf_rule_count(&t->shape);
    const mdf_adamw_step a = mdf_adamw_constants(s);
    mdf_real *m = t->state;
    mdf_real *v = m + n;
#pragma omp parallel for schedule(static) if (n > MDF_RULE_PIECE)
    for (int64_t at = 0; at < n; at += MDF_RULE_PIECE) {
        const int64_t count = n - at < MDF_RULE_PIECE ? n - at : MDF_RULE_PIECE;
        k->adamw(t->w + at, m + at, v + at, t->g + at, count, &a);
    }
}

const mdf_optimizer_rule mdf_rule_adamw = {.name = "adamw",
                                           .state_bytes = mdf_adamw_state_bytes,
                                           .init = mdf_adamw_init,
                                           .scratch_bytes = no_scratch,
                                           .update = mdf_adamw_update};
