/* The rule of optim/ over all parameters: a learning rate per group, warm-up and cosine, gradient
 * clipping, averaged weights. */
#include "train/optimizer.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"

enum { ALIGNMENT = 64 };

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static const mdf_optimizer_rule *rule_of(mdf_optimizer_kind kind)
{
    switch (kind) {
    case MDF_OPTIMIZER_ADAMW:
        return &mdf_rule_adamw;
    case MDF_OPTIMIZER_ADAMW_8BIT:
        return &mdf_rule_adamw_8bit;
    case MDF_OPTIMIZER_ADAFACTOR:
        return &mdf_rule_adafactor;
    case MDF_OPTIMIZER_ADALOMO:
        return &mdf_rule_adalomo;
    }
    return &mdf_rule_adamw;
}

static mdf_rule_shape shape_of(const mdf_tensor *t)
{
    mdf_rule_shape s = {.rank = t->rank};
    memcpy(s.dim, t->dim, sizeof s.dim);
    return s;
}

/* Small parameters are shared out among the threads; a large one is cut by its rule. */
static bool is_large(const mdf_tensor *t)
{
    return mdf_tensor_count(t) > MDF_RULE_PIECE;
}

/* Statistics move without a gradient; frozen weights do not move. */
static bool moves(const mdf_param *p)
{
    return p->tensor.needs_grad || p->group == MDF_GROUP_FIXED;
}

/* Sizes of the blocks, and of each state. */
static void measure(mdf_optimizer *o, const mdf_params *p, size_t *states, size_t *emas,
                    size_t *large_scratch)
{
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        *emas += moves(p->item[i]) ? (size_t)mdf_tensor_count(t) : 0;
        if (!t->needs_grad) {
            continue;
        }
        const mdf_rule_shape s = shape_of(t);
        size_t *most = is_large(t) ? large_scratch : &o->small_scratch;
        const size_t scratch = aligned(o->rule->scratch_bytes(&s));
        *most = scratch > *most ? scratch : *most;
        o->slot[i].state_bytes = o->rule->state_bytes(&s);
        *states += aligned(o->slot[i].state_bytes);
    }
}

/* Every slot's place in the blocks, and what it begins with. */
static void place(mdf_optimizer *o, const mdf_params *p)
{
    uint8_t *state = o->states;
    mdf_real *ema = o->emas;
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        mdf_optimizer_slot *slot = &o->slot[i];
        if (t->needs_grad) {
            const mdf_rule_shape s = shape_of(t);
            slot->state = state;
            o->rule->init(state, &s);
            state += aligned(slot->state_bytes);
        }
        if (ema != NULL && moves(p->item[i])) {
            const size_t n = (size_t)mdf_tensor_count(t);
            slot->ema = ema;
            memcpy(ema, t->data, n * sizeof *ema);
            ema += n;
        }
    }
}

mdf_status mdf_optimizer_new(mdf_optimizer *o, const mdf_params *p, const mdf_train_config *t,
                             mdf_error *err)
{
    size_t states = 0;
    size_t emas = 0;
    size_t scratch = 0;
    *o = (mdf_optimizer){
        .rule = rule_of(t->optimizer), .count = p->count, .threads = omp_get_max_threads()};
    o->slot = mdf_alloc(p->count, sizeof *o->slot);
    if (o->slot != NULL) {
        measure(o, p, &states, &emas, &scratch);
        const size_t all = o->small_scratch * (size_t)o->threads;
        o->states = mdf_alloc(states, 1);
        o->scratch = mdf_alloc(scratch > all ? scratch : all, 1);
        o->emas = t->ema > 0 ? mdf_alloc(emas, sizeof *o->emas) : NULL;
    }
    if (o->slot == NULL || o->states == NULL || o->scratch == NULL ||
        (t->ema > 0 && o->emas == NULL)) {
        mdf_optimizer_free(o);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the optimiser");
    }
    place(o, p);
    return MDF_OK;
}

void mdf_optimizer_free(mdf_optimizer *o)
{
    mdf_free(o->slot);
    mdf_free(o->states);
    mdf_free(o->emas);
    mdf_free(o->scratch);
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

/* Moves the average of one parameter, if there is one, towards it. */
static void average(const mdf_optimizer *o, const mdf_tensor *t, mdf_real *mean, double ema)
{
    /* short runs: the average may not reach back before its own age */
    const double age = (1 + (double)o->step) / (10 + (double)o->step);
    const mdf_real decay = (mdf_real)(ema < age ? ema : age);
    const int64_t n = mean == NULL ? 0 : mdf_tensor_count(t);
#pragma omp parallel for schedule(static) if (n > MDF_RULE_PIECE)
    for (int64_t j = 0; j < n; j++) {
        mean[j] += (1 - decay) * (t->data[j] - mean[j]);
    }
}

/* What a parameter's gradient is multiplied by so that its own norm is at most clip_norm. Its parts
 * are added in their order. */
static double own_clip(const mdf_kernels *k, const mdf_tensor *t, double clip_norm)
{
    enum { PARTS = 64 };
    double part[PARTS];
    double sum = 0;
    const int64_t n = mdf_tensor_count(t);
    const int64_t size = n > MDF_RULE_PIECE ? (n + PARTS - 1) / PARTS : n;
#pragma omp parallel for schedule(static) if (n > MDF_RULE_PIECE)
    for (int64_t i = 0; i < PARTS; i++) {
        const int64_t at = i * size < n ? i * size : n;
        const int64_t count = n - at < size ? n - at : size;
        part[i] = k->dot(t->grad + at, t->grad + at, count);
    }
    for (int i = 0; i < PARTS; i++) {
        sum += part[i];
    }
    return sqrt(sum) > clip_norm ? clip_norm / sqrt(sum) : 1.0;
}

/* Parameter i, whose group has the learning rate factor * its own. */
static void update(const mdf_optimizer *o, const mdf_kernels *k, const mdf_params *p, size_t i,
                   const mdf_train_config *t, double factor, double clip, void *scratch)
{
    const mdf_param *param = p->item[i];
    const mdf_tensor *tensor = &param->tensor;
    if (tensor->needs_grad) {
        const mdf_rule_tensor r = {.shape = shape_of(tensor),
                                   .w = tensor->data,
                                   .g = tensor->grad,
                                   .state = o->slot[i].state};
        const bool own = t->clip_per_tensor && t->clip_norm > 0;
        const mdf_rule_step s = {.step = o->step,
                                 .lr = factor * group_lr(t, param->group),
                                 .weight_decay = tensor->rank >= 2 ? t->weight_decay : 0,
                                 .grad_scale = own ? own_clip(k, tensor, t->clip_norm) : clip,
                                 .beta1 = t->beta1,
                                 .beta2 = t->beta2,
                                 .eps = t->eps};
        o->rule->update(k, &r, &s, scratch);
    }
    average(o, tensor, o->slot[i].ema, t->ema);
}

void mdf_optimizer_step(mdf_optimizer *o, const mdf_kernels *k, mdf_params *p,
                        const mdf_train_config *t, double factor, double norm)
{
    o->step++;
    const double clip = t->clip_norm > 0 && norm > t->clip_norm ? t->clip_norm / norm : 1.0;
#pragma omp parallel for schedule(dynamic, 4) num_threads(o->threads)
    for (size_t i = 0; i < p->count; i++) {
        if (!is_large(&p->item[i]->tensor)) {
            uint8_t *scratch = o->scratch + (size_t)omp_get_thread_num() * o->small_scratch;
            update(o, k, p, i, t, factor, clip, scratch);
        }
    }
    for (size_t i = 0; i < p->count; i++) {
        if (is_large(&p->item[i]->tensor)) {
            update(o, k, p, i, t, factor, clip, o->scratch);
        }
    }
}

void mdf_optimizer_swap(mdf_optimizer *o, mdf_params *p)
{
    for (size_t i = 0; i < o->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        mdf_real *ema = o->slot[i].ema;
        const int64_t n = ema == NULL ? 0 : mdf_tensor_count(t);
        for (int64_t j = 0; j < n; j++) {
            const mdf_real x = t->data[j];
            t->data[j] = ema[j];
            ema[j] = x;
        }
    }
}
