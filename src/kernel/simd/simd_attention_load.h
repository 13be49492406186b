/* Keys and values of every type, as floats. */
#ifndef MDF_KERNEL_SIMD_SIMD_ATTENTION_LOAD_H
#define MDF_KERNEL_SIMD_SIMD_ATTENTION_LOAD_H

#include "kernel/simd/simd_attention_rows.h"

enum { KV_BLOCK = 32, KV_BLOCK_BYTES = 34 }; /* of Q8_0, see base/blocks.h */

/* The functions below fold to constants where the type is one. */
#define KV_INLINE __attribute__((always_inline)) static inline

/* Bytes of n numbers, which are whole blocks. */
KV_INLINE int64_t kv_bytes(const mdf_dtype type, int64_t n)
{
    switch ((int)type) {
    case MDF_DTYPE_F16:
    case MDF_DTYPE_BF16:
        return n * 2;
    case MDF_DTYPE_Q8_0:
        return n / KV_BLOCK * KV_BLOCK_BYTES;
    default: /* F32 */
        return n * 4;
    }
}

KV_INLINE const uint8_t *kv_at(const mdf_dtype type, const void *first, int64_t n)
{
    return (const uint8_t *)first + kv_bytes(type, n);
}

/* Numbers d..d+VEC-1 of a key or value; of Q8_0 they are of one block. */
KV_INLINE vec kv_load_whole(const mdf_dtype type, const uint8_t *row, int64_t d)
{
    const uint8_t *block = row + d / KV_BLOCK * KV_BLOCK_BYTES;
    switch ((int)type) {
    case MDF_DTYPE_F16:
        return vec_of_halves(row + 2 * d);
    case MDF_DTYPE_BF16:
        return vec_of_bfloats(row + 2 * d);
    case MDF_DTYPE_Q8_0:
        return vec_mul(vec_of_int8(block + 2 + d % KV_BLOCK), vec_all(half_at(block)));
    default: /* F32 */
        return vec_load((const float *)(const void *)(row + 4 * d));
    }
}

/* Numbers d.. of a key or value of head_dim numbers, zeros behind the last. */
KV_INLINE vec kv_load(const mdf_dtype type, const void *row, int64_t d, int64_t head_dim)
{
    if (d + VEC <= head_dim || type == MDF_DTYPE_Q8_0) {
        return kv_load_whole(type, row, d);
    }
    if (type != MDF_DTYPE_F16 && type != MDF_DTYPE_BF16) {
        return vec_load_part((const float *)row + d, (int)(head_dim - d));
    }
    uint8_t rest[2 * VEC] = {0};
    memcpy(rest, (const uint8_t *)row + 2 * d, 2 * (size_t)(head_dim - d));
    return kv_load_whole(type, rest, 0);
}

KV_INLINE void kv_widen_as(const mdf_dtype type, float *out, int64_t step, const void *first,
                           int64_t ld, int64_t from, int64_t to, int64_t head_dim)
{
    for (int64_t j = from; j < to; j++, out += step) {
        const uint8_t *row = kv_at(type, first, j * ld);
        for (int64_t d = 0; d < head_dim; d += VEC) {
            vec_store(out + d, kv_load(type, row, d, head_dim));
        }
    }
}

/* out [to - from, step], step whole vectors: keys or values from..to-1 of those that begin at
 * first, ld apart. */
static void kv_widen(float *out, int64_t step, mdf_dtype type, const void *first, int64_t ld,
                     int64_t from, int64_t to, int64_t head_dim)
{
    if (type == MDF_DTYPE_F16) {
        kv_widen_as(MDF_DTYPE_F16, out, step, first, ld, from, to, head_dim);
    } else if (type == MDF_DTYPE_BF16) {
        kv_widen_as(MDF_DTYPE_BF16, out, step, first, ld, from, to, head_dim);
    } else {
        kv_widen_as(MDF_DTYPE_Q8_0, out, step, first, ld, from, to, head_dim);
    }
}

#endif
