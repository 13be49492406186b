/* The float hot loops for AVX-512: see simd.h. Built with that instruction set's flags. */
#define MDF_SIMD_FILL mdf_kernels_fill_avx512
#include "kernel/simd/simd_fill.h"
