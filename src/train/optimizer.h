/* The rule of optim/ over all parameters: a learning rate per group, warm-up and cosine, gradient
 * clipping, averaged weights. */
#ifndef MDF_TRAIN_OPTIMIZER_H
#define MDF_TRAIN_OPTIMIZER_H

#include "config/config.h"
#include "nn/params.h"
#include "optim/optimizer_rule.h"

/* What is kept of one parameter. */
typedef struct mdf_optimizer_slot {
    void *state;        /* of the rule; NULL: the parameter has no gradient */
    size_t state_bytes; /* 0: none */
    mdf_real *ema;      /* its average; NULL: off, or it never changes */
} mdf_optimizer_slot;

typedef struct mdf_optimizer {
    const mdf_optimizer_rule *rule;
    mdf_optimizer_slot *slot; /* [count], in the parameters' order */
    size_t count;
    uint8_t *states;  /* all states */
    mdf_real *emas;   /* all averages, NULL = off */
    uint8_t *scratch; /* of a large parameter, or of a small one for each thread */
    size_t small_scratch;
    int threads;
    int64_t step; /* steps done */
} mdf_optimizer;

/* For t->optimizer and t->ema, of the parameters that have a gradient now (train/freeze.h). */
mdf_status mdf_optimizer_new(mdf_optimizer *o, const mdf_params *p, const mdf_train_config *t,
                             mdf_error *err) MDF_NODISCARD;
void mdf_optimizer_free(mdf_optimizer *o);

/* Factor on every learning rate at a step of total: linear warm-up, then half a cosine down to
 * min_lr. */
double mdf_schedule(const mdf_train_config *t, int64_t step, int64_t total);

/* Root of the sum of squares of all gradients. */
double mdf_grad_norm(const mdf_kernels *k, const mdf_params *p);

/* One step with gradients p->grad, clipped to clip_norm when that is above 0: all of them, whose
 * norm is `norm`, or with clip_per_tensor each parameter's by its own. Parameters of rank 2 and
 * more decay. */
void mdf_optimizer_step(mdf_optimizer *o, const mdf_kernels *k, mdf_params *p,
                        const mdf_train_config *t, double factor, double norm);

/* Exchanges the weights with their average; a second call undoes it. No-op without average. */
void mdf_optimizer_swap(mdf_optimizer *o, mdf_params *p);

#endif
