/* mdf's half of race_products. */
#include "race_products.h"

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
    thread_count = threads;
    omp_set_num_threads(threads);
    return mdf_kernels_new(&kernels, NULL, &err) == MDF_OK ? 0 : 1;
}

void mdf_product_run(int q8, const void *w, int64_t m, int64_t n, int64_t k, const float *x,
                     float *y)
{
    const mdf_weight weight = {w, q8 != 0 ? MDF_DTYPE_Q8_0 : MDF_DTYPE_Q4_0, n, k};
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
