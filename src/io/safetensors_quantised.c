/* Quantised tensors of this project's own files: bytes for other readers, blocks for us. */
#include <string.h>

#include "io/safetensors.h"
#include "io/safetensors_parts.h"

static mdf_st_tensor *find(mdf_safetensors *st, const char *name)
{
    /* the table is this object's own, so what find() gives may be changed */
    const mdf_st_tensor *t = mdf_safetensors_find(st, name);
    return t == NULL ? NULL : &st->tensor[t - st->tensor];
}

static mdf_status apply(mdf_safetensors *st, const char *name, const char *type, mdf_error *err)
{
    mdf_st_tensor *t = find(st, name);
    mdf_dtype dtype = MDF_DTYPE_U8;
    if (t == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: __metadata__ gives \"%.120s\" the type %.20s, but there is no such "
                        "tensor",
                        st->path, name, type);
    }
    if (!mdf_dtype_from_name(type, &dtype) ||
        (!mdf_dtype_is_block(dtype) && !mdf_dtype_is_float(dtype))) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": __metadata__ gives it the type \"%.20s\", which is "
                        "not known",
                        st->path, name, type);
    }
    if (t->dtype == dtype) {
        return MDF_OK; /* the format has a name for it */
    }
    const int64_t block = (int64_t)mdf_dtype_bytes(dtype);
    const int last = t->rank - 1;
    if (t->dtype != MDF_DTYPE_U8 || last < 0 || t->count == 0 || t->dim[last] % block != 0) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\": type %s needs U8 of shape [rows, bytes], bytes a "
                        "multiple of %lld",
                        st->path, name, type, (long long)block);
    }
    t->dtype = dtype;
    t->dim[last] = t->dim[last] / block * (int64_t)mdf_dtype_block(dtype);
    /* at most two numbers a byte, and the bytes are in memory: no overflow */
    t->count = t->bytes / (size_t)block * mdf_dtype_block(dtype);
    return MDF_OK;
}

mdf_status mdf_st_apply_types(mdf_safetensors *st, mdf_error *err)
{
    const size_t n = strlen(MDF_ST_TYPE_PREFIX);
    for (size_t i = 0; i < st->metadata_count; i++) {
        const mdf_st_pair *p = &st->metadata[i];
        if (strncmp(p->key, MDF_ST_TYPE_PREFIX, n) == 0) {
            MDF_TRY(apply(st, p->key + n, p->value, err));
        }
    }
    return MDF_OK;
}
