/* Any bytes as a GGUF file: no crash, and what is accepted lies inside the input, can be found by
 * its name and read to its last number. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "io/gguf.h"

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
        mdf_gguf_close(&g);
    } else if (g.tensor != NULL || g.count != 0) {
        abort();
    }
    return 0;
}
