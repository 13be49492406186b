/* Numbers of a safetensors file as floats or doubles, 8-bit storage included. */
#include <string.h>

#include "base/alloc.h"
#include "io/safetensors.h"

static const char suffix[] = ".scale";

/* "<name>.scale", or NULL: not there (or out of memory, which then reads the same). */
static const mdf_st_tensor *scale_of(const mdf_safetensors *st, const mdf_st_tensor *t)
{
    const size_t n = strlen(t->name);
    char *name = mdf_alloc(n + sizeof suffix, 1);
    if (name == NULL) {
        return NULL;
    }
    memcpy(name, t->name, n);
    memcpy(name + n, suffix, sizeof suffix);
    const mdf_st_tensor *scale = mdf_safetensors_find(st, name);
    mdf_free(name);
    return scale;
}

static bool fits(const mdf_st_tensor *t, const mdf_st_tensor *scale)
{
    return scale != NULL && scale->dtype == MDF_DTYPE_F32 && scale->rank == 1 && t->rank >= 1 &&
           scale->dim[0] == t->dim[0];
}

static mdf_status fail_type(const mdf_safetensors *st, const mdf_st_tensor *t, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_FORMAT,
                    "%s: tensor \"%.120s\" has type %s, but floating-point numbers are needed",
                    st->path, t->name, mdf_dtype_name(t->dtype));
}

/* The companion of an I8 tensor. */
static mdf_status scale_needed(const mdf_safetensors *st, const mdf_st_tensor *t,
                               const mdf_st_tensor **scale, mdf_error *err)
{
    *scale = scale_of(st, t);
    if (!fits(t, *scale)) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\" has type I8 and needs \"%.120s%s\", F32, one number "
                        "per row",
                        st->path, t->name, t->name, suffix);
    }
    return MDF_OK;
}

static double scaled(const mdf_st_tensor *t, const mdf_st_tensor *scale, size_t i, size_t cols)
{
    int64_t q = 0;
    float s = 0;
    (void)!mdf_dtype_to_int64(MDF_DTYPE_I8, t->data + i, 1, &q);
    (void)!mdf_dtype_to_floats(MDF_DTYPE_F32, scale->data + 4 * (i / cols), 1, &s);
    return (double)q * (double)s; /* exact in double; one rounding as a float */
}

mdf_status mdf_safetensors_floats(const mdf_safetensors *st, const mdf_st_tensor *t, float *out,
                                  mdf_error *err)
{
    if (t->dtype != MDF_DTYPE_I8) {
        return mdf_dtype_to_floats(t->dtype, t->data, t->count, out) ? MDF_OK
                                                                     : fail_type(st, t, err);
    }
    const mdf_st_tensor *scale = NULL;
    MDF_TRY(scale_needed(st, t, &scale, err));
    for (size_t i = 0; i < t->count; i++) {
        out[i] = (float)scaled(t, scale, i, t->count / (size_t)t->dim[0]);
    }
    return MDF_OK;
}

bool mdf_safetensors_floats_at(const mdf_safetensors *st, const mdf_st_tensor *t, size_t at,
                               size_t n, float *out)
{
    const mdf_st_tensor *scale = scale_of(st, t);
    if (!fits(t, scale)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)scaled(t, scale, at + i, t->count / (size_t)t->dim[0]);
    }
    return true;
}

mdf_status mdf_safetensors_doubles(const mdf_safetensors *st, const mdf_st_tensor *t, double *out,
                                   mdf_error *err)
{
    if (t->dtype != MDF_DTYPE_I8) {
        return mdf_dtype_to_doubles(t->dtype, t->data, t->count, out) ? MDF_OK
                                                                      : fail_type(st, t, err);
    }
    const mdf_st_tensor *scale = NULL;
    MDF_TRY(scale_needed(st, t, &scale, err));
    for (size_t i = 0; i < t->count; i++) {
        out[i] = scaled(t, scale, i, t->count / (size_t)t->dim[0]);
    }
    return MDF_OK;
}

bool mdf_safetensors_is_scale(const mdf_safetensors *st, const mdf_st_tensor *t)
{
    const size_t n = strlen(t->name);
    const size_t m = sizeof suffix - 1;
    if (n <= m || strcmp(t->name + n - m, suffix) != 0) {
        return false;
    }
    char *name = mdf_strndup(t->name, n - m);
    const mdf_st_tensor *q = name == NULL ? NULL : mdf_safetensors_find(st, name);
    mdf_free(name);
    return q != NULL && q->dtype == MDF_DTYPE_I8 && fits(q, t);
}
