/* LoRA adapters added to a loaded model. */
#include "weights/lora_apply.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dtype.h"

/* One matrix on its way. */
typedef struct change {
    const mdf_lora_pair *pair;
    const mdf_tensor *from;
    mdf_dtype type; /* that the numbers are rounded to */
    uint8_t *bytes; /* in that format, or NULL */
    mdf_real *data; /* as numbers, or NULL */
} change;

void mdf_lora_copies_free(mdf_lora_copies *c)
{
    for (size_t i = 0; i < c->count; i++) {
        mdf_free(c->bytes[i]);
    }
    mdf_free(c->bytes);
    *c = (mdf_lora_copies){0};
}

static bool read_row(const mdf_tensor *t, size_t row, size_t n, float *x)
{
    if (t->raw != NULL) {
        const uint8_t *at = (const uint8_t *)t->raw + row * mdf_dtype_row_bytes(t->dtype, n);
        return mdf_dtype_to_floats(t->dtype, at, n, x);
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)t->data[row * n + i];
    }
    return true;
}

/* One row with the change, rounded. x is scratch of n numbers, bytes of a row. false: a number that
 * the format can't hold. */
static bool write_row(const change *c, size_t row, size_t n, float *x, uint8_t *bytes)
{
    uint8_t *to = c->bytes == NULL ? bytes : c->bytes + row * mdf_dtype_row_bytes(c->type, n);
    if (!read_row(c->from, row, n, x) || !mdf_lora_add(c->pair, row * n, n, x) ||
        !mdf_dtype_from_floats(c->type, x, n, to) || !mdf_dtype_to_floats(c->type, to, n, x)) {
        return false;
    }
    bool finite = true;
    for (size_t i = 0; i < n; i++) { /* half precision ends at 65504 */
        finite = finite && isfinite(x[i]);
        if (c->data != NULL) {
            c->data[row * n + i] = (mdf_real)x[i];
        }
    }
    return finite;
}

static mdf_status write_rows(const change *c, mdf_error *err)
{
    const int64_t rows = c->pair->out;
    const size_t n = (size_t)c->pair->in;
    atomic_int failed = 0;
#pragma omp parallel
    {
        float *x = mdf_alloc_raw(n * sizeof *x);
        uint8_t *bytes = mdf_alloc_raw(mdf_dtype_row_bytes(c->type, n));
        const bool room = x != NULL && bytes != NULL;
#pragma omp for schedule(static)
        for (int64_t i = 0; i < rows; i++) {
            if (!room || !write_row(c, (size_t)i, n, x, bytes)) {
                atomic_store(&failed, room ? 1 : 2);
            }
        }
        mdf_free(x);
        mdf_free(bytes);
    }
    const int how = atomic_load(&failed);
    return how == 0   ? MDF_OK
           : how == 2 ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the adapter")
                      : mdf_fail(err, MDF_ERR_NUMERIC,
                                 "%.120s with the adapter's change can't be written as %s",
                                 c->pair->name, mdf_dtype_name(c->type));
}

/* The format of the file, or eight bits for what is quantised; rows that make no whole blocks stay
 * floats. Numbers that are in memory as floats already stay as exact as they are. */
static mdf_dtype choose_type(const mdf_tensor *t, const mdf_st_tensor *file, size_t n)
{
    if (mdf_dtype_is_block(file->dtype) || file->dtype == MDF_DTYPE_I8) {
        const bool blocks = t->raw != NULL && n % mdf_dtype_block(MDF_DTYPE_Q8_0) == 0;
        return blocks ? MDF_DTYPE_Q8_0 : MDF_DTYPE_F32;
    }
    return file->dtype == MDF_DTYPE_F16 || file->dtype == MDF_DTYPE_BF16 ? file->dtype
                                                                         : MDF_DTYPE_F32;
}

static mdf_status apply_one(mdf_lora_copies *out, mdf_tensor *t, const mdf_model_weight *file,
                            const mdf_lora_pair *pair, mdf_error *err)
{
    const size_t n = (size_t)pair->in;
    const size_t rows = (size_t)pair->out;
    change c = {.pair = pair, .from = t, .type = choose_type(t, file->tensor, n)};
    const bool stays = t->raw != NULL && c.type != MDF_DTYPE_F32;
    void *memory = stays ? mdf_alloc_raw(rows * mdf_dtype_row_bytes(c.type, n))
                         : mdf_alloc_raw(rows * n * sizeof(mdf_real));
    if (memory == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %.120s with the adapter's change",
                        pair->name);
    }
    out->bytes[out->count++] = memory;
    c.bytes = stays ? memory : NULL;
    c.data = stays ? NULL : memory;
    MDF_TRY(write_rows(&c, err));
    t->raw = c.bytes;
    t->data = c.data;
    t->dtype = stays ? c.type : MDF_DTYPE_F32;
    return MDF_OK;
}

mdf_status mdf_lora_apply(mdf_lora_copies *out, mdf_params *p, const mdf_weights *w,
                          const mdf_lora *l, mdf_error *err)
{
    *out = (mdf_lora_copies){0};
    MDF_TRY(mdf_lora_check(l, w, err));
    out->bytes = mdf_alloc(l->count + 1, sizeof *out->bytes);
    if (out->bytes == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the adapter");
    }
    for (size_t i = 0; i < l->count; i++) {
        mdf_param *param = mdf_params_find(p, l->pair[i].name);
        const mdf_model_weight *file = mdf_weights_find(w, l->pair[i].name);
        const mdf_status status =
            param == NULL ? mdf_fail(err, MDF_ERR_FORMAT,
                                     "the adapter changes %.120s, which the model does not use",
                                     l->pair[i].name)
                          : apply_one(out, &param->tensor, file, &l->pair[i], err);
        if (status != MDF_OK) {
            mdf_lora_copies_free(out);
            return status;
        }
    }
    return MDF_OK;
}
