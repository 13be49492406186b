/* The float hot loops for AVX2: see simd.h. Built with that instruction set's flags. */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/ref/ref.h"

#define MDF_SIMD_FILL mdf_kernels_fill_avx2
#include "kernel/simd/simd.h"
#include "kernel/simd/simd_group_norm.h"
#include "kernel/simd/simd_norm.h"
