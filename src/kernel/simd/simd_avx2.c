/* The float hot loops for AVX2: see simd.h. Built with that instruction set's flags. */
#define MDF_SIMD_FILL mdf_kernels_fill_avx2
#include "kernel/simd/simd_fill.h"
