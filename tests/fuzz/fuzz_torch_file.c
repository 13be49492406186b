/* Any bytes as a file of torch.save: no crash, and what is accepted lies inside the input or in the
 * table's own memory, can be found by its name and read to its last number. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "io/torch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_tensor(const mdf_safetensors *st, const mdf_st_tensor *t)
{
    if (t->rank > MDF_MAX_RANK || t->bytes != t->count * mdf_dtype_bytes(t->dtype) ||
        mdf_safetensors_find(st, t->name) != t) {
        abort();
    }
    double *x = mdf_alloc(t->count, sizeof *x);
    int64_t *whole = mdf_alloc(t->count, sizeof *whole);
    if (x != NULL && whole != NULL && !mdf_dtype_to_doubles(t->dtype, t->data, t->count, x) &&
        !mdf_dtype_to_int64(t->dtype, t->data, t->count, whole)) {
        abort();
    }
    mdf_free(x);
    mdf_free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_safetensors st;
    if (mdf_torch_parse(&st, data, size, "fuzz", NULL) == MDF_OK) {
        size_t copied = 0;
        for (size_t i = 0; i < st.count && i < 1000; i++) { /* many may look into one storage */
            const mdf_st_tensor *t = &st.tensor[i];
            const bool inside = t->data >= data && t->data <= data + size;
            copied += inside ? 0 : t->bytes;
            if (inside && t->bytes > (size_t)(data + size - t->data)) {
                abort();
            }
            use_tensor(&st, t);
        }
        if (copied > size || st.count == 0) {
            abort();
        }
        mdf_safetensors_close(&st);
    } else if (st.tensor != NULL || st.count != 0) {
        abort();
    }
    return 0;
}
