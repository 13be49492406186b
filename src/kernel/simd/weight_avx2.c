/* Products with frozen weights for AVX2: see weight.h. Built with that set's flags. */
#define MDF_SIMD_FILL mdf_kernels_fill_weight_avx2
#include "kernel/simd/weight.h"
