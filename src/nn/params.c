/* Parameters: one table that binds name, shape, initial value and learning-rate group. */
#include "nn/params.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

mdf_status mdf_params_init(mdf_params *p, mdf_error *err)
{
    *p = (mdf_params){0};
    return mdf_arena_init(&p->arena, 0, 0, err);
}

void mdf_params_free(mdf_params *p)
{
    mdf_free((void *)p->item);
    mdf_free(p->data);
    mdf_free(p->grad);
    mdf_arena_free(&p->arena);
    *p = (mdf_params){0};
}

static bool grow(mdf_params *p)
{
    if (p->count < p->capacity) {
        return true;
    }
    const size_t capacity = p->capacity == 0 ? 128 : p->capacity * 2;
    mdf_param **item = mdf_grow((void *)p->item, p->count, capacity, sizeof(mdf_param *));
    if (item == NULL) {
        return false;
    }
    p->item = item;
    p->capacity = capacity;
    return true;
}

mdf_tensor *mdf_param_add(mdf_params *p, mdf_group group, mdf_init init, double arg, int rank,
                          const int64_t *dim, const char *fmt, ...)
{
    if (p->error.code != MDF_OK) {
        return NULL;
    }
    char name[256];
    va_list ap;
    va_start(ap, fmt);
    const int len = vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    mdf_param *param = mdf_arena_zalloc(&p->arena, 1, sizeof *param);
    char *copy = mdf_arena_strndup(&p->arena, name, len < 0 ? 0 : strlen(name));
    if (param == NULL || copy == NULL || !grow(p)) {
        (void)mdf_fail(&p->error, MDF_ERR_NOMEM, "out of memory for the list of parameters");
        return NULL;
    }
    param->tensor = (mdf_tensor){.name = copy, .rank = rank, .parameter = true};
    memcpy(param->tensor.dim, dim, (size_t)rank * sizeof *dim);
    param->init = init;
    param->init_arg = arg;
    param->group = group;
    param->offset = p->total;
    /* every parameter starts on a cache line */
    p->total += (mdf_tensor_count(&param->tensor) + 15) / 16 * 16;
    p->item[p->count++] = param;
    return &param->tensor;
}

mdf_status mdf_params_status(const mdf_params *p, mdf_error *err)
{
    if (p->error.code != MDF_OK && err != NULL) {
        *err = p->error;
    }
    return p->error.code;
}

mdf_status mdf_params_allocate(mdf_params *p, bool train, mdf_error *err)
{
    MDF_TRY(mdf_params_status(p, err));
    p->data = mdf_alloc((size_t)p->total, sizeof *p->data);
    p->grad = train ? mdf_alloc((size_t)p->total, sizeof *p->grad) : NULL;
    if (p->data == NULL || (train && p->grad == NULL)) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %lld parameters",
                        (long long)p->total);
    }
    for (size_t i = 0; i < p->count; i++) {
        mdf_param *param = p->item[i];
        param->tensor.data = p->data + param->offset;
        param->tensor.grad = train ? p->grad + param->offset : NULL;
        param->tensor.needs_grad = train && param->group != MDF_GROUP_FIXED;
    }
    return MDF_OK;
}

void mdf_params_initialise(mdf_params *p, uint64_t seed)
{
    for (size_t i = 0; i < p->count; i++) {
        mdf_param *param = p->item[i];
        mdf_tensor *t = &param->tensor;
        const int64_t n = mdf_tensor_count(t);
        mdf_rng rng = mdf_rng_new(seed, mdf_rng_hash(t->name));
        const double fan_in = (double)n / (double)t->dim[0];
        const double deviation = param->init == MDF_INIT_HE ? sqrt(2.0 / fan_in) : param->init_arg;
        for (int64_t j = 0; j < n; j++) {
            double v = 0;
            switch (param->init) {
            case MDF_INIT_ZERO:
                break;
            case MDF_INIT_ONE:
                v = 1;
                break;
            case MDF_INIT_CONST:
                v = param->init_arg;
                break;
            case MDF_INIT_UNIFORM:
                v = mdf_rng_range(&rng, -param->init_arg, param->init_arg);
                break;
            case MDF_INIT_NORMAL:
            case MDF_INIT_HE:
                v = deviation * mdf_rng_normal(&rng);
                break;
            }
            t->data[j] = (mdf_real)v;
        }
    }
}

void mdf_params_zero_grad(mdf_params *p)
{
    if (p->grad != NULL) {
        memset(p->grad, 0, (size_t)p->total * sizeof *p->grad);
    }
}

mdf_param *mdf_params_find(const mdf_params *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->item[i]->tensor.name, name) == 0) {
            return p->item[i];
        }
    }
    return NULL;
}
