/* Weights between a model and a safetensors file. */
#include "nn/weights.h"

#include <math.h>
#include <string.h>

static mdf_status read_param(mdf_param *param, const mdf_safetensors *file, mdf_error *err)
{
    mdf_tensor *t = &param->tensor;
    const mdf_st_tensor *from = NULL;
    MDF_TRY(mdf_safetensors_get(file, t->name, t->rank, t->dim, &from, err));
#ifdef MDF_REAL_DOUBLE
    MDF_TRY(mdf_safetensors_doubles(file, from, t->data, err));
#else
    MDF_TRY(mdf_safetensors_floats(file, from, t->data, err));
#endif
    const int64_t n = mdf_tensor_count(t);
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(t->data[i])) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "%s: tensor %s holds a number that is not finite",
                            file->path, t->name);
        }
    }
    return MDF_OK;
}

/* Parts of a file that are no weights of the inference graph. */
static bool may_be_extra(const char *name)
{
    static const char *const prefix[] = {"mdf.aux.", "optimizer.", "train."};
    for (size_t i = 0; i < sizeof prefix / sizeof prefix[0]; i++) {
        if (strncmp(name, prefix[i], strlen(prefix[i])) == 0) {
            return true;
        }
    }
    return false;
}

mdf_status mdf_weights_read(mdf_params *p, const mdf_safetensors *file, mdf_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        MDF_TRY(read_param(p->item[i], file, err));
    }
    for (size_t i = 0; i < file->count; i++) {
        const mdf_st_tensor *t = &file->tensor[i];
        if (!may_be_extra(t->name) && !mdf_safetensors_is_scale(file, t) &&
            mdf_params_find(p, t->name) == NULL) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "%s: tensor %s does not belong to this configuration", file->path,
                            t->name);
        }
    }
    return MDF_OK;
}

mdf_status mdf_weights_load(mdf_params *p, const char *path, mdf_error *err)
{
    mdf_safetensors file;
    MDF_TRY(mdf_safetensors_open(&file, path, err));
    const mdf_status status = mdf_weights_read(p, &file, err);
    mdf_safetensors_close(&file);
    return status;
}
