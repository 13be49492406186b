/* AdamW with a learning rate per group, warm-up and cosine, gradient clipping, averaged weights. */
#ifndef MDF_TRAIN_OPTIMIZER_H
#define MDF_TRAIN_OPTIMIZER_H

#include "config/config.h"
#include "nn/params.h"

typedef struct mdf_optimizer {
    mdf_real *m, *v; /* [total] first and second moments */
    mdf_real *ema;   /* [total] averaged weights, NULL = off */
    int64_t total;
    int64_t step; /* steps done */
} mdf_optimizer;

mdf_status mdf_optimizer_new(mdf_optimizer *o, const mdf_params *p, bool ema,
                             mdf_error *err) MDF_NODISCARD;
void mdf_optimizer_free(mdf_optimizer *o);

/* Factor on every learning rate at a step of total: linear warm-up, then half a cosine down to
 * min_lr. */
double mdf_schedule(const mdf_train_config *t, int64_t step, int64_t total);

/* Root of the sum of squares of all gradients. */
double mdf_grad_norm(const mdf_kernels *k, const mdf_params *p);

/* One step with gradients p->grad, clipped to clip_norm when that is above 0 (norm = their norm).
 * Parameters of rank 2 and more decay. */
void mdf_optimizer_step(mdf_optimizer *o, const mdf_kernels *k, mdf_params *p,
                        const mdf_train_config *t, double factor, double norm);

/* Exchanges the weights with their average; a second call undoes it. No-op without average. */
void mdf_optimizer_swap(mdf_optimizer *o, mdf_params *p);

#endif
