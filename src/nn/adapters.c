/* Adapters of a model that is trained by LoRA. */
#include "nn/adapters.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WEIGHT ".weight"

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s);
    const size_t m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool begins_with(const char *s, const char *beginning)
{
    return strncmp(s, beginning, strlen(beginning)) == 0;
}

/* The name of the linear module whose matrix t is; false: it is none that PEFT would change. */
static bool module_of(const mdf_tensor *t, char module[256])
{
    static const char *const linear[] = {"_proj" WEIGHT, ".fc1" WEIGHT, ".fc2" WEIGHT,
                                         ".multi_modal_projector" WEIGHT};
    for (size_t i = 0; i < sizeof linear / sizeof *linear; i++) {
        if (t->rank == 2 && begins_with(t->name, "model.") && ends_with(t->name, linear[i])) {
            (void)snprintf(module, 256, "%.*s", (int)(strlen(t->name) - strlen(WEIGHT)), t->name);
            return true;
        }
    }
    return false;
}

/* The module's name, or its last parts. */
static bool fits(const char *module, const char *target)
{
    const size_t n = strlen(module);
    const size_t m = strlen(target);
    return strcmp(target, "all-linear") == 0 ||
           (ends_with(module, target) && (n == m || module[n - m - 1] == '.'));
}

static void add(mdf_params *p, mdf_tensor *w, const char *module, const mdf_lora_options *o)
{
    const mdf_group group = MDF_GROUP_ADAPTER;
    mdf_adapter *l = mdf_arena_zalloc(&p->arena, 1, sizeof *l);
    const double reach = 1 / sqrt((double)w->dim[1]);
    if (l == NULL) {
        (void)mdf_fail(&p->error, MDF_ERR_NOMEM, "out of memory for the list of parameters");
        return;
    }
    l->a = mdf_param_add(p, group, MDF_INIT_UNIFORM, reach, 2, (int64_t[]){o->r, w->dim[1]},
                         "%s.lora_A.weight", module);
    l->b = mdf_param_add(p, group, MDF_INIT_ZERO, 0, 2, (int64_t[]){w->dim[0], o->r},
                         "%s.lora_B.weight", module);
    l->scale = (mdf_real)(o->alpha / (o->rslora ? sqrt((double)o->r) : (double)o->r));
    l->dropout = (mdf_real)o->dropout;
    l->seed = mdf_rng_hash(module);
    w->adapter = l;
}

mdf_status mdf_adapters_declare(mdf_params *p, const mdf_config *c, mdf_error *err)
{
    const mdf_lora_options *o = &c->train.lora;
    const size_t count = p->count;
    bool used[MDF_MAX_TARGETS] = {false};
    char module[256];
    for (size_t i = 0; i < count && o->r > 0; i++) {
        mdf_tensor *w = &p->item[i]->tensor;
        bool wanted = false;
        for (int k = 0; module_of(w, module) && k < o->target_count; k++) {
            const bool hit = fits(module, o->targets[k]);
            used[k] = used[k] || hit;
            wanted = wanted || hit;
        }
        if (wanted) {
            add(p, w, module, o);
        }
    }
    for (int k = 0; k < o->target_count && o->r > 0; k++) {
        if (!used[k]) {
            return mdf_fail(
                err, MDF_ERR_ARG,
                "train_config.lora.target_modules: the model has no linear module whose name "
                "ends with \"%s\"",
                o->targets[k]);
        }
    }
    if (o->r > 0 && o->target_count == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "train_config.lora.target_modules is empty");
    }
    return mdf_params_status(p, err);
}

bool mdf_adapters_freeze(const mdf_param *p)
{
    return p->group != MDF_GROUP_ADAPTER &&
           (begins_with(p->tensor.name, "model.") || begins_with(p->tensor.name, "lm_head"));
}
