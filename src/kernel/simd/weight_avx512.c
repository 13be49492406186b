/* Products with frozen weights for AVX-512: see weight.h. Built with that set's flags. */
#define MDF_SIMD_FILL mdf_kernels_fill_weight_avx512
#include "kernel/simd/weight.h"
