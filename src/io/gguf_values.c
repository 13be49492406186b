/* Values of a GGUF file, whose bytes were proved when it was opened. */
#include <string.h>

#include "io/gguf.h"

static const uint8_t sizes[] = {
    [MDF_GGUF_U8] = 1,  [MDF_GGUF_I8] = 1,  [MDF_GGUF_U16] = 2, [MDF_GGUF_I16] = 2,
    [MDF_GGUF_U32] = 4, [MDF_GGUF_I32] = 4, [MDF_GGUF_F32] = 4, [MDF_GGUF_BOOL] = 1,
    [MDF_GGUF_U64] = 8, [MDF_GGUF_I64] = 8, [MDF_GGUF_F64] = 8,
};

size_t mdf_gguf_type_bytes(mdf_gguf_type type)
{
    return (size_t)type < sizeof sizes ? sizes[type] : 0;
}

static uint64_t little(const uint8_t *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = bytes; i > 0; i--) {
        x = x << 8 | p[i - 1];
    }
    return x;
}

/* The i-th of the values of fixed size. */
static bool item(const mdf_gguf_value *v, size_t i, const uint8_t **p)
{
    if (v == NULL || i >= v->count || mdf_gguf_type_bytes(v->type) == 0) {
        return false;
    }
    *p = v->data + i * mdf_gguf_type_bytes(v->type);
    return true;
}

bool mdf_gguf_integer(const mdf_gguf_value *v, size_t i, int64_t *out)
{
    const uint8_t *p = NULL;
    if (!item(v, i, &p) || v->type == MDF_GGUF_F32 || v->type == MDF_GGUF_F64 ||
        v->type == MDF_GGUF_BOOL) {
        return false;
    }
    const size_t bytes = mdf_gguf_type_bytes(v->type);
    const bool is_signed = v->type == MDF_GGUF_I8 || v->type == MDF_GGUF_I16 ||
                           v->type == MDF_GGUF_I32 || v->type == MDF_GGUF_I64;
    uint64_t raw = little(p, bytes);
    const uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
    if (!is_signed && raw > INT64_MAX) {
        return false;
    }
    if (is_signed && (raw & sign) != 0) {
        raw |= ~(sign | (sign - 1)); /* the sign goes on to the left */
    }
    memcpy(out, &raw, sizeof raw);
    return true;
}

bool mdf_gguf_number(const mdf_gguf_value *v, size_t i, double *out)
{
    const uint8_t *p = NULL;
    int64_t whole = 0;
    if (mdf_gguf_integer(v, i, &whole)) {
        *out = (double)whole;
        return true;
    }
    if (!item(v, i, &p) || (v->type != MDF_GGUF_F32 && v->type != MDF_GGUF_F64)) {
        return false;
    }
    return mdf_dtype_to_doubles(v->type == MDF_GGUF_F32 ? MDF_DTYPE_F32 : MDF_DTYPE_F64, p, 1, out);
}

bool mdf_gguf_bool(const mdf_gguf_value *v, size_t i, bool *out)
{
    const uint8_t *p = NULL;
    if (!item(v, i, &p) || v->type != MDF_GGUF_BOOL) {
        return false;
    }
    *out = *p == 1;
    return true;
}

bool mdf_gguf_texts(const mdf_gguf_value *v, mdf_gguf_string *out)
{
    if (v == NULL || v->type != MDF_GGUF_STRING) {
        return false;
    }
    const uint8_t *p = v->data;
    for (size_t i = 0; i < v->count; i++) {
        out[i] = (mdf_gguf_string){(const char *)p + 8, (size_t)little(p, 8)};
        p += 8 + out[i].len;
    }
    return true;
}

bool mdf_gguf_text(const mdf_gguf_value *v, mdf_gguf_string *out)
{
    return v != NULL && !v->is_array && mdf_gguf_texts(v, out);
}
