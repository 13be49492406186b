/* AdamW with a learning rate per group, warm-up and cosine, gradient clipping, averaged weights. */
#include "train/optimizer.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

mdf_status mdf_optimizer_new(mdf_optimizer *o, const mdf_params *p, bool ema, mdf_error *err)
{
    *o = (mdf_optimizer){.total = p->total};
    o->m = mdf_alloc((size_t)p->total, sizeof *o->m);
    o->v = mdf_alloc((size_t)p->total, sizeof *o->v);
    o->ema = ema ? mdf_alloc((size_t)p->total, sizeof *o->ema) : NULL;
    if (o->m == NULL || o->v == NULL || (ema && o->ema == NULL)) {
        mdf_optimizer_free(o);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the optimiser");
    }
    if (ema) {
        memcpy(o->ema, p->data, (size_t)p->total * sizeof *o->ema);
    }
    return MDF_OK;
}

void mdf_optimizer_free(mdf_optimizer *o)
{
    mdf_free(o->m);
    mdf_free(o->v);
    mdf_free(o->ema);
    *o = (mdf_optimizer){0};
}

double mdf_schedule(const mdf_train_config *t, int64_t step, int64_t total)
{
    const double at = (double)step / (double)(total > 0 ? total : 1);
    if (at < t->warmup) {
        return ((double)step + 1) / (t->warmup * (double)total + 1);
    }
    const double rest = t->warmup < 1 ? (at - t->warmup) / (1 - t->warmup) : 1;
    const double cosine = 0.5 * (1 + cos(3.141592653589793 * (rest > 1 ? 1 : rest)));
    return t->min_lr + (1 - t->min_lr) * cosine;
}

double mdf_grad_norm(const mdf_kernels *k, const mdf_params *p)
{
    return sqrt(k->dot(p->grad, p->grad, p->total));
}

static double group_lr(const mdf_train_config *t, mdf_group group)
{
    switch (group) {
    case MDF_GROUP_TEXT:
        return t->lr;
    case MDF_GROUP_VISION:
        return t->lr_vision;
    case MDF_GROUP_UNET:
        return t->lr_unet;
    case MDF_GROUP_FUSION:
        return t->lr_fusion;
    case MDF_GROUP_ADAPTER:
        return t->lora.lr;
    case MDF_GROUP_FIXED:
        return 0;
    }
    return t->lr;
}

/* Moves the average of one parameter towards it. */
static void average(const mdf_optimizer *o, const mdf_params *p, const mdf_param *param, double ema)
{
    /* short runs: the average may not reach back before its own age */
    const double age = (1 + (double)o->step) / (10 + (double)o->step);
    const mdf_real decay = (mdf_real)(ema < age ? ema : age);
    const int64_t end = param->offset + mdf_tensor_count(&param->tensor);
    for (int64_t j = param->offset; o->ema != NULL && j < end; j++) {
        o->ema[j] += (1 - decay) * (p->data[j] - o->ema[j]);
    }
}

void mdf_optimizer_step(mdf_optimizer *o, const mdf_kernels *k, mdf_params *p,
                        const mdf_train_config *t, double factor, double norm)
{
    o->step++;
    const double clip = t->clip_norm > 0 && norm > t->clip_norm ? t->clip_norm / norm : 1.0;
    const double c1 = 1 - pow(t->beta1, (double)o->step);
    const double c2 = 1 - pow(t->beta2, (double)o->step);
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t i = 0; i < p->count; i++) {
        const mdf_param *param = p->item[i];
        if (!param->tensor.needs_grad) {
            average(o, p, param, t->ema); /* statistics move without a step */
            continue;
        }
        const double lr = factor * group_lr(t, param->group);
        const mdf_adamw_step s = {
            .beta1 = (mdf_real)t->beta1,
            .beta2 = (mdf_real)t->beta2,
            .eps = (mdf_real)t->eps,
            .step_size = (mdf_real)(lr / c1),
            .inv_sqrt_c2 = (mdf_real)(1 / sqrt(c2)),
            .decay = (mdf_real)(param->tensor.rank >= 2 ? lr * t->weight_decay : 0),
            .grad_scale = (mdf_real)clip,
        };
        const int64_t n = mdf_tensor_count(&param->tensor);
        const int64_t at = param->offset;
        k->adamw(p->data + at, o->m + at, o->v + at, p->grad + at, n, &s);
        average(o, p, param, t->ema);
    }
}

void mdf_optimizer_swap(mdf_optimizer *o, mdf_params *p)
{
    for (int64_t i = 0; o->ema != NULL && i < o->total; i++) {
        const mdf_real x = p->data[i];
        p->data[i] = o->ema[i];
        o->ema[i] = x;
    }
}
