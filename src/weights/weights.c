/* Weights between a model and safetensors files: finding, converting, mapping. */
#include "weights/weights.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

enum { CHUNK = 65536 }; /* numbers checked at a time; a multiple of every block */

static mdf_status fail_not_finite(const mdf_model_weight *from, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NUMERIC, "%s: tensor %s holds a number that is not finite",
                    from->file->path, from->tensor->name);
}

static mdf_status read_numbers(mdf_real *out, const mdf_model_weight *from, size_t n,
                               mdf_error *err)
{
#ifdef MDF_REAL_DOUBLE
    MDF_TRY(mdf_safetensors_doubles(from->file, from->tensor, out, err));
#else
    MDF_TRY(mdf_safetensors_floats(from->file, from->tensor, out, err));
#endif
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(out[i])) {
            return fail_not_finite(from, err);
        }
    }
    return MDF_OK;
}

/* The tensor of a parameter, its shape checked. */
static mdf_status find_param(const mdf_weights *w, const mdf_tensor *t,
                             const mdf_model_weight **out, mdf_error *err)
{
    const mdf_model_weight *from = mdf_weights_find(w, t->name);
    if (from == NULL) {
        const char *path = w->shards.files == 1 ? w->shards.file[0].path : w->shards.path;
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\" is missing", path, t->name);
    }
    MDF_TRY(mdf_safetensors_check_shape(from->file, from->tensor, t->rank, t->dim, err));
    *out = from;
    return MDF_OK;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s);
    const size_t m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

bool mdf_weights_may_be_extra(const mdf_params *p, const char *name)
{
    static const char *const prefix[] = {"mdf.aux.", "optimizer.", "train."};
    for (size_t i = 0; i < sizeof prefix / sizeof prefix[0]; i++) {
        if (strncmp(name, prefix[i], strlen(prefix[i])) == 0) {
            return true;
        }
    }
    return ends_with(name, ".rotary_emb.inv_freq") ||
           (strcmp(name, "lm_head.weight") == 0 &&
            mdf_params_find(p, "model.language_model.embed_tokens.weight") != NULL);
}

static bool is_extra(const mdf_params *p, const mdf_model_weight *t)
{
    return mdf_params_find(p, t->name) == NULL && !mdf_weights_may_be_extra(p, t->name) &&
           !mdf_safetensors_is_scale(t->file, t->tensor);
}

static bool begins_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool has_part(const mdf_params *p, const char *prefix)
{
    for (size_t i = 0; i < p->count; i++) {
        if (begins_with(p->item[i]->tensor.name, prefix)) {
            return true;
        }
    }
    return false;
}

/* Of a part that a model may lack: some or all of the fusion, the U-Net as a whole, the U-Net's
 * classifier of the picture as a whole. */
static bool may_be_left(const mdf_params *p, const mdf_model_weight *t)
{
    static const char *const whole[] = {"unet.", "unet.encoder.head."};
    if (begins_with(t->name, "mdf.")) {
        return true;
    }
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        if (begins_with(t->name, whole[i]) && !has_part(p, whole[i])) {
            return true;
        }
    }
    return false;
}

/* left NULL: tensors of parts that the model lacks are as wrong as others, else they are counted.
 */
static mdf_status check_extra(const mdf_params *p, const mdf_weights *w, size_t *left,
                              mdf_error *err)
{
    for (size_t i = 0; i < w->count; i++) {
        const mdf_model_weight *t = &w->item[i];
        if (!is_extra(p, t)) {
            continue;
        }
        if (left != NULL && may_be_left(p, t)) {
            ++*left;
        } else {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "%s: tensor %s does not belong to this configuration", t->file->path,
                            t->tensor->name);
        }
    }
    return MDF_OK;
}

mdf_status mdf_weights_check_extra(const mdf_params *p, const mdf_weights *w, mdf_error *err)
{
    return check_extra(p, w, NULL, err);
}

mdf_status mdf_weights_set(mdf_params *p, const mdf_weights *w, mdf_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        mdf_tensor *t = &p->item[i]->tensor;
        const mdf_model_weight *from = NULL;
        MDF_TRY(find_param(w, t, &from, err));
        MDF_TRY(read_numbers(t->data, from, (size_t)mdf_tensor_count(t), err));
    }
    return mdf_weights_check_extra(p, w, err);
}

mdf_status mdf_weights_set_known(mdf_params *p, const mdf_weights *w, mdf_weights_taken *taken,
                                 mdf_error *err)
{
    *taken = (mdf_weights_taken){0};
    for (size_t i = 0; i < p->count; i++) {
        mdf_tensor *t = &p->item[i]->tensor;
        const mdf_model_weight *from = NULL;
        if (mdf_weights_find(w, t->name) != NULL) {
            MDF_TRY(find_param(w, t, &from, err));
            MDF_TRY(read_numbers(t->data, from, (size_t)mdf_tensor_count(t), err));
            taken->set++;
        }
    }
    return check_extra(p, w, &taken->left, err);
}

bool mdf_weights_stays(const mdf_tensor *t)
{
    return t->rank == 2;
}

/* Floats as the machine has them, at an address that it may read them from. */
static bool is_ready(const mdf_st_tensor *t)
{
    const union {
        uint8_t byte;
        uint16_t word;
    } little = {.word = 1};
    return sizeof(mdf_real) == 4 && t->dtype == MDF_DTYPE_F32 && little.byte == 1 &&
           (uintptr_t)t->data % sizeof(float) == 0;
}

/* Leaves the tensor in its file if that can be; *left says whether. */
static mdf_status map_param(mdf_param *param, const mdf_model_weight *from, bool *left,
                            mdf_error *err)
{
    mdf_tensor *t = &param->tensor;
    const mdf_st_tensor *s = from->tensor;
    *left = false;
    if (!mdf_weights_stays(t) || s->dtype == MDF_DTYPE_I8 || s->dtype == MDF_DTYPE_F64) {
        return MDF_OK;
    }
    if (!mdf_dtype_is_float(s->dtype) && !mdf_dtype_is_block(s->dtype)) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\" has type %s, but floating-point numbers are needed",
                        from->file->path, s->name, mdf_dtype_name(s->dtype));
    }
    *left = true;
    if (is_ready(s)) {
        t->data = (mdf_real *)(uintptr_t)s->data; /* read-only: nothing writes a frozen weight */
        return MDF_OK;
    }
    t->raw = s->data;
    t->dtype = s->dtype;
    return MDF_OK;
}

/* Room for what is converted, then the numbers. */
static mdf_status convert_rest(mdf_params *p, const mdf_weights *w, int64_t total, mdf_error *err)
{
    int64_t at = 0;
    p->data = mdf_alloc((size_t)total, sizeof *p->data);
    if (p->data == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %lld parameters", (long long)total);
    }
    for (size_t i = 0; i < p->count; i++) {
        mdf_tensor *t = &p->item[i]->tensor;
        const mdf_model_weight *from = NULL;
        if (t->data != NULL || t->raw != NULL) {
            continue;
        }
        t->data = p->data + at;
        at += (mdf_tensor_count(t) + 15) / 16 * 16;
        MDF_TRY(find_param(w, t, &from, err));
        MDF_TRY(read_numbers(t->data, from, (size_t)mdf_tensor_count(t), err));
    }
    return MDF_OK;
}

mdf_status mdf_weights_map(mdf_params *p, const mdf_weights *w, bool check_all, mdf_error *err)
{
    int64_t total = 0;
    MDF_TRY(mdf_params_status(p, err));
    for (size_t i = 0; i < p->count; i++) {
        const mdf_model_weight *from = NULL;
        bool left = false;
        MDF_TRY(find_param(w, &p->item[i]->tensor, &from, err));
        MDF_TRY(map_param(p->item[i], from, &left, err));
        total += left ? 0 : (mdf_tensor_count(&p->item[i]->tensor) + 15) / 16 * 16;
    }
    MDF_TRY(mdf_weights_check_extra(p, w, err));
    MDF_TRY(convert_rest(p, w, total, err));
    return check_all ? mdf_weights_check(w, err) : MDF_OK;
}

static mdf_status check_tensor(const mdf_model_weight *from, float *numbers, mdf_error *err)
{
    const mdf_st_tensor *t = from->tensor;
    const size_t block = mdf_dtype_block(t->dtype);
    if (!mdf_dtype_is_float(t->dtype) && !mdf_dtype_is_block(t->dtype)) {
        return MDF_OK; /* whole numbers */
    }
    for (size_t at = 0; at < t->count; at += CHUNK) {
        const size_t n = t->count - at < CHUNK ? t->count - at : CHUNK;
        const uint8_t *bytes = t->data + at / block * mdf_dtype_bytes(t->dtype);
        if (!mdf_dtype_to_floats(t->dtype, bytes, n, numbers)) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"%.120s\": can't read type %s",
                            from->file->path, t->name, mdf_dtype_name(t->dtype));
        }
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(numbers[i])) {
                return fail_not_finite(from, err);
            }
        }
    }
    return MDF_OK;
}

mdf_status mdf_weights_check(const mdf_weights *w, mdf_error *err)
{
    float *numbers = mdf_alloc_raw(CHUNK * sizeof *numbers);
    mdf_status status = MDF_OK;
    if (numbers == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a check");
    }
    for (size_t i = 0; status == MDF_OK && i < w->count; i++) {
        status = check_tensor(&w->item[i], numbers, err);
    }
    mdf_free(numbers);
    return status;
}

mdf_status mdf_weights_read(mdf_params *p, const mdf_safetensors *file, mdf_error *err)
{
    mdf_weights w;
    mdf_safetensors one = *file;
    MDF_TRY(mdf_weights_borrow(&w, &one, err));
    const mdf_status status = mdf_weights_set(p, &w, err);
    mdf_weights_close(&w);
    return status;
}

mdf_status mdf_weights_load(mdf_params *p, const char *path, mdf_error *err)
{
    mdf_weights w;
    MDF_TRY(mdf_weights_open(&w, path, err));
    const mdf_status status = mdf_weights_set(p, &w, err);
    mdf_weights_close(&w);
    return status;
}
