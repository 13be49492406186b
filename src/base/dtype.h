/* Numbers as they stand in weight files: types, sizes, and conversion to and from float.
 *
 * The Q types store blocks of 32 (Q8_0 .. Q5_1) or 256 numbers (Q4_K .. Q6_K) with scales in half
 * precision, in GGUF's layout. A row of a matrix is a whole number of blocks.
 *
 * All bytes are little-endian and need no alignment. */
#ifndef MDF_BASE_DTYPE_H
#define MDF_BASE_DTYPE_H

#include "base/status.h"

typedef enum mdf_dtype {
    MDF_DTYPE_F64,
    MDF_DTYPE_F32,
    MDF_DTYPE_F16,
    MDF_DTYPE_BF16, /* the upper half of a float */
    MDF_DTYPE_I64,
    MDF_DTYPE_I32,
    MDF_DTYPE_I8,
    MDF_DTYPE_U8,
    MDF_DTYPE_BOOL,
    MDF_DTYPE_Q8_0, /* from here: blocks, see below */
    MDF_DTYPE_Q4_0,
    MDF_DTYPE_Q4_1,
    MDF_DTYPE_Q5_0,
    MDF_DTYPE_Q5_1,
    MDF_DTYPE_Q4_K,
    MDF_DTYPE_Q5_K,
    MDF_DTYPE_Q6_K
} mdf_dtype;

const char *mdf_dtype_name(mdf_dtype d);                  /* "BF16" */
bool mdf_dtype_from_name(const char *name, mdf_dtype *d); /* false: not known */
size_t mdf_dtype_bytes(mdf_dtype d);                      /* of a number, or of a block */
size_t mdf_dtype_block(mdf_dtype d);                      /* numbers in a block; 1: no blocks */
bool mdf_dtype_is_block(mdf_dtype d);
/* Bytes of a row of cols numbers; 0: cols is no multiple of the block, or the size overflows. */
size_t mdf_dtype_row_bytes(mdf_dtype d, size_t cols);
bool mdf_dtype_is_float(mdf_dtype d);

/* Half precision (IEEE 754 binary16) and bfloat16; rounding is to nearest, ties to even. Too large
 * becomes infinity, NaN stays NaN. */
float mdf_f16_to_float(uint16_t h);
uint16_t mdf_f16_from_float(float x);
float mdf_bf16_to_float(uint16_t h);
uint16_t mdf_bf16_from_float(float x);

/* n numbers of type d from src; false: d is neither a floating-point type nor a Q type, or n is no
 * multiple of its block. F64 is rounded to float. */
bool mdf_dtype_to_floats(mdf_dtype d, const void *src, size_t n, float *out) MDF_NODISCARD;
bool mdf_dtype_to_doubles(mdf_dtype d, const void *src, size_t n, double *out) MDF_NODISCARD;
/* false: d is not an integer type (BOOL counts as one). */
bool mdf_dtype_to_int64(mdf_dtype d, const void *src, size_t n, int64_t *out) MDF_NODISCARD;

/* n floats to the bytes of type F32, F16, BF16 or a Q type (base/blocks.h); false: another type, or
 * numbers that a Q type can't hold: NaN, infinite, too large, n no multiple of the block. */
bool mdf_dtype_from_floats(mdf_dtype d, const float *x, size_t n, void *out) MDF_NODISCARD;

/* Eight-bit storage, one scale per row: x [rows,cols] ~ q * scale[row], with scale = largest
 * magnitude of the row / 127 and q in -127..127. The error is at most scale / 2. x must be finite.
 */
void mdf_int8_quantise(const float *x, size_t rows, size_t cols, int8_t *q, float *scale);

#endif
