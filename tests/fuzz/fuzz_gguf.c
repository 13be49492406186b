/* Any bytes as a GGUF file: no crash, and what is accepted lies inside the input, can be found by
 * its name and read to its last number; as a model, its rows can be put in order; as a tokenizer,
 * its texts can be read and become JSON. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "language/gguf_tokenizer.h"
#include "weights/gguf_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_tensor(const mdf_gguf *g, const mdf_gguf_tensor *t, const uint8_t *data,
                       size_t size)
{
    const size_t at = (size_t)(t->data - data);
    if (t->data < data || at > size || t->bytes > size - at || t->rank > MDF_MAX_RANK ||
        mdf_gguf_find(g, t->name) != t) {
        abort();
    }
    float *x = mdf_alloc(t->count, sizeof *x);
    if (x != NULL) {
        const bool read = mdf_dtype_to_floats(t->dtype, t->data, t->count, x);
        if ((mdf_dtype_is_float(t->dtype) || mdf_dtype_is_block(t->dtype)) && !read) {
            abort();
        }
    }
    mdf_free(x);
}

static void use_value(const mdf_gguf *g, const mdf_gguf_value *v, const uint8_t *data, size_t size)
{
    const size_t at = (size_t)(v->data - data);
    if (v->data < data || at > size || v->bytes > size - at || mdf_gguf_value_of(g, v->key) != v) {
        abort();
    }
    mdf_gguf_string *text = mdf_alloc(v->count, sizeof *text);
    double x = 0;
    bool b = false;
    size_t bytes = 0;
    if (text != NULL && mdf_gguf_texts(v, text)) {
        for (size_t i = 0; i < v->count; i++) {
            bytes += text[i].len + 8;
        }
        if (bytes != v->bytes) {
            abort();
        }
    } else if (v->count > 0 && v->type != MDF_GGUF_STRING && v->type != MDF_GGUF_ARRAY &&
               v->type != MDF_GGUF_U64 && !mdf_gguf_number(v, v->count - 1, &x) &&
               !mdf_gguf_bool(v, v->count - 1, &b)) {
        abort();
    }
    mdf_free(text);
}

static void use_model(const mdf_gguf_files *f)
{
    mdf_gguf_model m;
    if (mdf_gguf_model_read(&m, f, NULL) != MDF_OK) {
        return;
    }
    for (size_t i = 0; i < m.count; i++) {
        const mdf_gguf_tensor *t = &m.weight[i].tensor;
        void *out = mdf_alloc_raw(t->bytes);
        if (out != NULL) {
            mdf_gguf_weight_copy(&m.weight[i], 0, t->rank == 0 ? 1 : t->dim[0], out);
        }
        if (mdf_gguf_model_find(&m, t->name) != &m.weight[i]) {
            abort();
        }
        mdf_free(out);
    }
    mdf_gguf_model_free(&m);
}

static void use_tokenizer(const mdf_gguf_vocab *v)
{
    mdf_error remark;
    mdf_strbuf out = mdf_strbuf_new((size_t)64 << 20);
    if (mdf_gguf_tokenizer_json(v, &out, &remark, NULL) == MDF_OK) {
        json_t *root = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
        if (root == NULL) {
            abort();
        }
        json_decref(root);
    }
    mdf_strbuf_free(&out);
}

static void use_vocab(const mdf_gguf_files *f)
{
    mdf_gguf_vocab v;
    size_t sum = 0;
    if (mdf_gguf_vocab_read(&v, f, NULL) != MDF_OK) {
        return;
    }
    for (size_t i = 0; i < v.tokens; i++) {
        sum += v.token[i].len > 0 ? (uint8_t)v.token[i].text[v.token[i].len - 1] : v.type[i];
    }
    for (size_t i = 0; i < v.merges; i++) {
        sum += v.merge[i].len > 0 ? (uint8_t)v.merge[i].text[v.merge[i].len - 1] : 0;
    }
    if (sum == SIZE_MAX) { /* so that the loops stay */
        abort();
    }
    use_tokenizer(&v);
    mdf_gguf_vocab_free(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_gguf g;
    if (mdf_gguf_parse(&g, data, size, "fuzz", NULL) == MDF_OK) {
        for (size_t i = 0; i < g.count; i++) {
            use_tensor(&g, &g.tensor[i], data, size);
        }
        for (size_t i = 0; i < g.values; i++) {
            use_value(&g, &g.value[i], data, size);
        }
        const mdf_gguf_files files = {&g, 1};
        use_model(&files);
        use_vocab(&files);
        mdf_gguf_close(&g);
    } else if (g.tensor != NULL || g.count != 0) {
        abort();
    }
    return 0;
}
