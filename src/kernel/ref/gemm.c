/* The specification of the dense product: three loops. */
#include "kernel/ref/ref.h"

void mdf_gemm_ref(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, mdf_real alpha,
                  const mdf_real *a, int64_t lda, const mdf_real *b, int64_t ldb, mdf_real beta,
                  mdf_real *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++) {
                const mdf_real x = trans_a ? a[l * lda + i] : a[i * lda + l];
                const mdf_real y = trans_b ? b[j * ldb + l] : b[l * ldb + j];
                sum += (double)x * (double)y;
            }
            const double old = beta == 0 ? 0.0 : (double)beta * (double)c[i * ldc + j];
            c[i * ldc + j] = (mdf_real)((double)alpha * sum + old);
        }
    }
}
