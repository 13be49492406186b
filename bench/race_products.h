/* mdf's half of race_products: C, as its headers are. */
#ifndef RACE_PRODUCTS_H
#define RACE_PRODUCTS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int mdf_product_open(int threads); /* 0: fine. Environment ISA: at most this instruction set */
const char *mdf_product_isa(void);
/* y [m,n] = x [m,k] w^T, w [n,k] in blocks of a type by its name. */
void mdf_product_run(const char *type, const void *w, int64_t m, int64_t n, int64_t k,
                     const float *x, float *y);

#ifdef __cplusplus
}
#endif

#endif
