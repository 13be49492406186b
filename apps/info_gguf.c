/* mdf info of GGUF files. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "info.h"
#include "weights/gguf_model.h"

enum {
    LISTED = 16,  /* items of an array that are shown */
    CHUNK = 65536 /* numbers checked at a time; a multiple of every block */
};

/* NULL: not UTF-8. */
static json_t *text_of(mdf_gguf_string s)
{
    return json_stringn(s.text, s.len);
}

static json_t *scalar(const mdf_gguf_value *v, size_t i)
{
    int64_t whole = 0;
    double number = 0;
    bool flag = false;
    if (mdf_gguf_bool(v, i, &flag)) {
        return json_boolean(flag);
    }
    if (mdf_gguf_integer(v, i, &whole)) {
        return json_integer((json_int_t)whole);
    }
    return mdf_gguf_number(v, i, &number) && isfinite(number) ? json_real(number) : NULL;
}

static json_t *items_of(const mdf_gguf_value *v)
{
    json_t *list = json_array();
    mdf_gguf_string text[LISTED];
    const bool texts = v->type == MDF_GGUF_STRING && mdf_gguf_texts(v, text);
    for (size_t i = 0; i < v->count; i++) {
        json_t *item = texts ? text_of(text[i]) : scalar(v, i);
        (void)json_array_append_new(list, item != NULL ? item : json_null());
    }
    return list;
}

/* What a key says; long lists only by their length. */
static json_t *value_of(const mdf_gguf_value *v)
{
    mdf_gguf_string text;
    json_t *out = NULL;
    if (v->is_array && (v->count > LISTED || v->type == MDF_GGUF_ARRAY)) {
        out = json_sprintf("%zu items", v->count);
    } else if (v->is_array) {
        out = items_of(v);
    } else {
        out = mdf_gguf_text(v, &text) ? text_of(text) : scalar(v, 0);
    }
    return out != NULL ? out : json_null();
}

static mdf_status check_tensor(const mdf_gguf *file, const mdf_gguf_tensor *t, float *number,
                               mdf_error *err)
{
    const size_t block = mdf_dtype_block(t->dtype);
    if (!mdf_dtype_is_float(t->dtype) && !mdf_dtype_is_block(t->dtype)) {
        return MDF_OK; /* whole numbers */
    }
    for (size_t at = 0; at < t->count; at += CHUNK) {
        const size_t n = t->count - at < CHUNK ? t->count - at : CHUNK;
        bool ok = mdf_dtype_to_floats(t->dtype, t->data + at / block * mdf_dtype_bytes(t->dtype), n,
                                      number);
        for (size_t i = 0; ok && i < n; i++) {
            ok = isfinite(number[i]);
        }
        if (!ok) {
            return mdf_fail(err, MDF_ERR_NUMERIC,
                            "%s: tensor %.120s holds a number that is not finite", file->path,
                            t->name);
        }
    }
    return MDF_OK;
}

static mdf_status check_all(const mdf_gguf_files *f, mdf_error *err)
{
    float *number = mdf_alloc_raw(CHUNK * sizeof *number);
    mdf_status status = number == NULL ? info_no_memory(err) : MDF_OK;
    for (size_t k = 0; k < f->files; k++) {
        for (size_t i = 0; status == MDF_OK && i < f->file[k].count; i++) {
            status = check_tensor(&f->file[k], &f->file[k].tensor[i], number, err);
        }
    }
    mdf_free(number);
    return status;
}

/* Parts under this project's names; a sentence for a model that can't be imported. */
static mdf_status add_parts(json_t *doc, const mdf_gguf_files *f, mdf_error *err)
{
    mdf_gguf_model model;
    mdf_error why = {0};
    const mdf_status status = mdf_gguf_model_read(&model, f, &why);
    if (status == MDF_ERR_NOMEM) {
        return mdf_fail(err, status, "%s", why.text);
    }
    if (status != MDF_OK) {
        (void)json_object_set_new(doc, "no_import", json_string(why.text));
        return MDF_OK;
    }
    mdf_part_count count[MDF_PARTS] = {{0}};
    mdf_cross_layers cross = {{false}};
    for (int i = 0; i < model.text.cross_count; i++) {
        const int layer = model.text.cross_attention_layers[i];
        if (layer < MDF_MAX_LAYERS) {
            cross.is[layer] = true;
        }
    }
    for (size_t i = 0; i < model.count; i++) {
        const mdf_gguf_tensor *t = &model.weight[i].tensor;
        mdf_part_count *n = &count[mdf_part_of(t->name, &cross)];
        n->tensors++;
        n->numbers += (int64_t)t->count;
        n->bytes += t->bytes;
    }
    (void)json_object_set_new(doc, "parts", info_parts(count));
    mdf_gguf_model_free(&model);
    return MDF_OK;
}

/* Keys come from outside: no commands to a terminal. */
static void add_key(json_t *keys, const mdf_gguf_value *v)
{
    char name[256];
    size_t n = 0;
    for (; v->key[n] != '\0' && n + 1 < sizeof name; n++) {
        const unsigned char c = (unsigned char)v->key[n];
        name[n] = c < 0x20 || c > 0x7e ? '?' : v->key[n];
    }
    name[n] = '\0';
    if (json_object_get(keys, name) == NULL) { /* the first file's counts */
        (void)json_object_set_new(keys, name, value_of(v));
    }
}

static void add_file(const mdf_gguf *file, bool tensors, json_t *keys, json_t *types, json_t *rows,
                     size_t *bytes)
{
    for (size_t i = 0; i < file->values; i++) {
        add_key(keys, &file->value[i]);
    }
    for (size_t i = 0; i < file->count; i++) {
        const mdf_gguf_tensor *t = &file->tensor[i];
        info_add_type(types, t->dtype, t->bytes);
        *bytes += t->bytes;
        if (tensors) {
            (void)json_array_append_new(rows, info_tensor(t->name, t->dtype, t->rank, t->dim));
        }
    }
}

static mdf_status describe(const mdf_gguf_files *f, bool tensors, json_t **doc, mdf_error *err)
{
    json_t *keys = json_object();
    json_t *types = json_object();
    json_t *rows = json_array();
    size_t count = 0;
    size_t bytes = 0;
    for (size_t k = 0; k < f->files; k++) {
        add_file(&f->file[k], tensors, keys, types, rows, &bytes);
        count += f->file[k].count;
    }
    *doc = json_pack("{s:i, s:o, s:I, s:I, s:I, s:o}", "version", f->file[0].version, "keys", keys,
                     "files", (json_int_t)f->files, "tensors", (json_int_t)count, "bytes",
                     (json_int_t)bytes, "types", types);
    mdf_status status = *doc == NULL ? info_no_memory(err) : add_parts(*doc, f, err);
    if (status == MDF_OK && json_object_set(*doc, "tensor", rows) != 0) {
        status = info_no_memory(err);
    }
    json_decref(rows);
    if (status != MDF_OK) {
        json_decref(*doc);
        *doc = NULL;
    }
    return status;
}

mdf_status info_gguf(const char *path, const info_flags *f, json_t **doc, mdf_error *err)
{
    mdf_gguf_files files;
    MDF_TRY(mdf_gguf_files_open(&files, &path, 1, err));
    mdf_status status = f->check_tensors ? check_all(&files, err) : MDF_OK;
    if (status == MDF_OK) {
        status = describe(&files, f->tensors, doc, err);
    }
    mdf_gguf_files_close(&files);
    return status;
}
