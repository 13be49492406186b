/* mdf's half of race_products. */
#include "race_products.h"

#include <ctype.h>
#include <omp.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "kernel/kernel.h"

static mdf_kernels *kernels;
static void *scratch;
static size_t scratch_bytes;
static int thread_count;

int mdf_product_open(int threads)
{
    mdf_error err;
    const char *isa = getenv("ISA"); /* the best one that this processor has, else */
    thread_count = threads;
    omp_set_num_threads(threads);
    return mdf_kernels_new(&kernels, isa, &err) == MDF_OK ? 0 : 1;
}

const char *mdf_product_isa(void)
{
    return kernels->isa;
}

/* ggml writes its names with small letters. */
static mdf_dtype dtype_of(const char *name)
{
    char large[16] = {0};
    mdf_dtype type = MDF_DTYPE_Q8_0;
    for (size_t i = 0; i + 1 < sizeof large && name[i] != '\0'; i++) {
        large[i] = (char)toupper((unsigned char)name[i]);
    }
    if (!mdf_dtype_from_name(large, &type)) {
        abort();
    }
    return type;
}

void mdf_product_run(const char *type, const void *w, int64_t m, int64_t n, int64_t k,
                     const float *x, float *y)
{
    const mdf_weight weight = {w, dtype_of(type), n, k};
    const size_t need = kernels->gemm_weight_scratch(&weight, m, thread_count);
    if (need > scratch_bytes) {
        mdf_free(scratch);
        scratch = mdf_alloc(need, 1);
        scratch_bytes = need;
        if (scratch == NULL) {
            abort();
        }
    }
    kernels->gemm_weight(&weight, m, x, y, scratch, thread_count);
}
