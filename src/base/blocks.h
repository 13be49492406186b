/* Numbers in blocks with shared scales, in GGUF's layout; mdf_dtype_to_floats() and
 * mdf_dtype_from_floats() call these for the Q types.
 *
 * All fields are little-endian, scales d and m are half precision, a block has no padding:
 *     Q8_0  32 numbers  d, int8 q[32]                             d q (written: -127..127)
 *     Q4_0  32          d, 16 bytes of nibbles                    d (q - 8)
 *     Q4_1  32          d, m, nibbles                             d q + m
 *     Q5_0  32          d, 32 fifth bits, nibbles                 d (q - 16)
 *     Q5_1  32          d, m, 32 fifth bits, nibbles              d q + m
 *     Q4_K 256          d, m, 12 bytes of scales, nibbles         d s_j q - m t_j, j = i / 32
 *     Q5_K 256          d, m, scales, 32 bytes of fifth bits, nibbles
 *     Q6_K 256          nibbles, 64 bytes of upper bits, int8 s[16], d    d s_j (q - 32), j = i /
 * 16 In a block of 32, byte i holds numbers i (low nibble) and i + 16. In one of 256, 64 numbers
 * share 32 bytes: i and i + 32 of them (Q6_K: 128 numbers share 64 bytes, i and i + 64).
 *
 * All functions are pure: rows of a matrix may be converted by different threads. */
#ifndef MDF_BASE_BLOCKS_H
#define MDF_BASE_BLOCKS_H

#include "base/dtype.h"

/* n floats, a multiple of the block; false otherwise, or if d is no Q type. */
bool mdf_blocks_to_floats(mdf_dtype d, const void *src, size_t n, float *out) MDF_NODISCARD;

/* The nearest blocks that a short search over scales (and minima) finds: the squared error is
 * minimised, every number gets the nearest of its block's values. The same input gives the same
 * bytes on every machine. false: n is no multiple of the block, d is no Q type, or a number is NaN,
 * infinite or too large for a half-precision scale; out is then undefined. */
bool mdf_blocks_from_floats(mdf_dtype d, const float *x, size_t n, void *out) MDF_NODISCARD;

/* The eight scales and eight minima (0..63) of a Q4_K or Q5_K block in their 12 bytes. */
void mdf_blocks_unpack_scales(const uint8_t packed[12], uint8_t scale[8], uint8_t minimum[8]);

#endif
