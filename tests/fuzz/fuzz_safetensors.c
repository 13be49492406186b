/* Any bytes as a safetensors file: no crash, and what is accepted lies inside the input, can be
 * found by its name and read to its last number. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const mdf_safetensors *st, const mdf_st_tensor *t, const uint8_t *data, size_t size)
{
    const size_t at = (size_t)(t->data - data);
    if (t->data < data || at > size || t->bytes > size - at || t->rank > MDF_MAX_RANK ||
        t->bytes != t->count / mdf_dtype_block(t->dtype) * mdf_dtype_bytes(t->dtype) ||
        mdf_safetensors_find(st, t->name) != t) {
        abort();
    }
    float *x = mdf_alloc(t->count, sizeof *x);
    if (x != NULL) {
        const mdf_status status = mdf_safetensors_floats(st, t, x, NULL);
        if (mdf_dtype_is_float(t->dtype) && status != MDF_OK) {
            abort();
        }
    }
    mdf_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_safetensors st;
    if (mdf_safetensors_parse(&st, data, size, "fuzz", NULL) == MDF_OK) {
        for (size_t i = 0; i < st.count; i++) {
            use(&st, &st.tensor[i], data, size);
        }
        for (size_t i = 0; i < st.metadata_count; i++) {
            if (mdf_safetensors_metadata(&st, st.metadata[i].key) != st.metadata[i].value) {
                abort();
            }
        }
        mdf_safetensors_close(&st);
    } else if (st.tensor != NULL || st.count != 0) {
        abort();
    }
    return 0;
}
