/* What both ways of computing attention share. */
#ifndef MDF_KERNEL_SIMD_SIMD_ATTENTION_ROWS_H
#define MDF_KERNEL_SIMD_SIMD_ATTENTION_ROWS_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/simd/simd_exp2.h"
#include "kernel/simd/words.h"

/* Before a loop of constant length whose arrays shall be registers. clang ignores a number that is
 * not the loop's own. */
#if defined(__clang__)
#define VEC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define VEC_UNROLL _Pragma("GCC unroll 8")
#endif

#define ATTENTION_LOG2E 1.44269504f
#define ATTENTION_LN2   0.693147181f

/* Where row r of a task begins, queries lying step apart. */
static int64_t row_of(const mdf_attention_task *t, int64_t r, int64_t step)
{
    return r / t->heads * step + r % t->heads * t->head_dim;
}

/* Stores lse of a row, of scores that are times log2(e): max is the largest, -FLT_MAX of none, sum
 * that of 2^(score - max). Returns the factor for its sum of values. */
static float row_close(const mdf_attention_task *t, int64_t r, float max, float sum)
{
    const bool none = sum == 0;
    t->lse[r % t->heads * t->lse_step + r / t->heads] =
        none ? -INFINITY : ATTENTION_LN2 * max + (float)log((double)sum);
    return none ? 0 : 1 / sum;
}

#endif
