/* The float hot loops for AVX512: see simd.h. Built with that instruction set's flags. */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/ref/ref.h"

#define MDF_SIMD_FILL mdf_kernels_fill_avx512
#include "kernel/simd/simd.h"
#include "kernel/simd/simd_group_norm.h"
#include "kernel/simd/simd_norm.h"
