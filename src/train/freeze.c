/* train_config.freeze: weights that stay as they are. */
#include "train/freeze.h"

#include <string.h>

#include "nn/adapters.h"
#include "nn/mdf_mllm.h"

static bool fits(const char *name, const char *beginning)
{
    const size_t len = strlen(beginning);
    return strncmp(name, beginning, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

mdf_status mdf_freeze(mdf_params *p, const mdf_train_config *c, mdf_error *err)
{
    bool used[MDF_MAX_FREEZE] = {false};
    size_t left = 0;
    for (size_t i = 0; i < p->count; i++) {
        mdf_param *param = p->item[i];
        bool frozen =
            param->group == MDF_GROUP_FIXED || (c->lora.r > 0 && mdf_adapters_freeze(param));
        for (int j = 0; j < c->freeze_count; j++) {
            const bool hit = fits(param->tensor.name, c->freeze[j]);
            used[j] = used[j] || hit;
            frozen = frozen || hit;
        }
        param->tensor.needs_grad = param->tensor.needs_grad && !frozen;
        left += frozen ? 0 : 1;
    }
    for (int j = 0; j < c->freeze_count; j++) {
        if (!used[j]) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "train_config.freeze: the model has no weight that begins with \"%s\"",
                            c->freeze[j]);
        }
    }
    return left > 0 ? MDF_OK
                    : mdf_fail(err, MDF_ERR_ARG, "train_config.freeze leaves nothing to train");
}

mdf_status mdf_freeze_check(const mdf_config *c, mdf_error *err)
{
    mdf_mllm *m = NULL;
    MDF_TRY(mdf_mllm_declare(&m, c, err));
    mdf_status status = mdf_adapters_declare(&m->params, c, err);
    if (status == MDF_OK) {
        status = mdf_freeze(&m->params, &c->train, err);
    }
    mdf_mllm_free(m);
    return status;
}
