/* 128 consecutive numbers of a row of the weight in two registers, for AVX-512-VNNI: the types that
 * weight_lanes.h leaves. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_UNITS_H
#define MDF_KERNEL_SIMD_WEIGHT_UNITS_H

#include "kernel/simd/weight_types.h"

enum { UNIT_BLOCKS = 4 }; /* blocks of 32 numbers in a unit */

/* 16 numbers of each of four blocks in u[0], the other 16 in u[1]: four lanes of both belong to a
 * block. Four scales d; with halves eight, both of the first block before those of the second. m:
 * four, with minima only. */
typedef struct unit {
    __m512i u[2];
    __m256 d;
    __m128 m;
} unit;

/* The half-precision numbers at the begin of four blocks, the first of each, then the second.
 * Nothing behind the blocks is read. */
ALWAYS_INLINE __m256 unit_halves(const uint8_t *p, const int step)
{
    const bool one_load = 3 * step + 4 <= 64;
    const int at = 4 * step - 64; /* of a second load, for the last block */
    int i[UNIT_BLOCKS];
#pragma GCC unroll 4
    for (int b = 0; b < UNIT_BLOCKS; b++) {
        i[b] = (b * step - (!one_load && b == 3 ? at : 0)) / 2;
    }
    const __m512i index = _mm512_castsi128_si512(
        _mm_setr_epi16((short)i[0], (short)i[1], (short)i[2], (short)i[3], (short)(i[0] + 1),
                       (short)(i[1] + 1), (short)(i[2] + 1), (short)(i[3] + 1)));
    __m512i h = _mm512_permutexvar_epi16(index, _mm512_loadu_si512(p));
    if (!one_load) {
        h = _mm512_mask_permutexvar_epi16(h, 0x88, index, _mm512_loadu_si512(p + at));
    }
    return _mm256_cvtph_ps(_mm512_castsi512_si128(h));
}

/* 16 bytes of each of four blocks. */
ALWAYS_INLINE __m512i unit_bytes(const uint8_t *p, const int step)
{
    __m512i w = _mm512_castsi128_si512(load16(p));
    w = _mm512_inserti32x4(w, load16(p + step), 1);
    w = _mm512_inserti32x4(w, load16(p + 2 * step), 2);
    return _mm512_inserti32x4(w, load16(p + 3 * step), 3);
}

/* 16 bits of each of four blocks. */
ALWAYS_INLINE __mmask64 unit_bits(const uint8_t *p, const int step)
{
    uint64_t bits = 0;
#pragma GCC unroll 4
    for (int b = 0; b < UNIT_BLOCKS; b++) {
        uint16_t some;
        memcpy(&some, p + b * step, sizeof some);
        bits |= (uint64_t)some << (16 * b);
    }
    return bits;
}

static inline __m512i lower_nibbles(__m512i w)
{
    return _mm512_and_si512(w, _mm512_set1_epi8(15));
}

static inline __m512i upper_nibbles(__m512i w)
{
    return lower_nibbles(_mm512_srli_epi16(w, 4));
}

/* Four blocks of Q4_1, Q5_0 or Q5_1. */
ALWAYS_INLINE unit unit_of_blocks(const mdf_dtype type, const uint8_t *p)
{
    const block_type t = block_type_of(type);
    const bool fifth = type == MDF_DTYPE_Q5_0 || type == MDF_DTYPE_Q5_1;
    const int scales = t.minimum ? 4 : 2;
    unit r;
    r.d = unit_halves(p, t.bytes);
    r.m = _mm256_extractf128_ps(r.d, 1);
    const __m512i w = unit_bytes(p + scales + (fifth ? 4 : 0), t.bytes);
    r.u[0] = lower_nibbles(w);
    r.u[1] = upper_nibbles(w);
    if (fifth) {
        const __m512i bit = _mm512_set1_epi8(16);
        r.u[0] = _mm512_mask_add_epi8(r.u[0], unit_bits(p + scales, t.bytes), r.u[0], bit);
        r.u[1] = _mm512_mask_add_epi8(r.u[1], unit_bits(p + scales + 2, t.bytes), r.u[1], bit);
    }
    return r;
}

/* A number for each of four blocks, in all of its lanes. */
ALWAYS_INLINE __m512i of_blocks(int a, int b, int c, int d)
{
    return _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d);
}

/* 16 bytes, turned right by another number of bits for each block, and masked: their bits stay
 * within the bytes. */
ALWAYS_INLINE __m512i turned(const uint8_t *p, __m512i by, int mask)
{
    const __m512i w = _mm512_rorv_epi32(_mm512_broadcast_i32x4(load16(p)), by);
    return _mm512_and_si512(w, _mm512_set1_epi8((char)mask));
}

/* One half of a Q4_K or Q5_K group. */
ALWAYS_INLINE unit unit_q45_k(const mdf_dtype type, const uint8_t *p, const int half)
{
    unit r;
    const __m512 packed = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(packed_scales(p)));
    const __m128i halves = _mm_cvtsi32_si128((int)word_at(p));
    const __m512 both = _mm512_castps128_ps512(_mm_cvtph_ps(halves)); /* d, m */
    const __m512i which = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const __m512 all = _mm512_mul_ps(packed, _mm512_permutexvar_ps(which, both));
    r.d = _mm512_castps512_ps256(all);
    r.m = half == 0 ? _mm512_extractf32x4_ps(all, 2) : _mm512_extractf32x4_ps(all, 3);
    if (half != 0) {
        r.d = _mm256_castps128_ps256(_mm512_extractf32x4_ps(all, 1));
    }
    const __m512i w = _mm512_loadu_si512(p + (type == MDF_DTYPE_Q5_K ? 48 : 16) + 64 * half);
    const __m512i low = lower_nibbles(w); /* both halves of blocks 0 and 2 */
    const __m512i high = upper_nibbles(w);
    r.u[0] = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), high);
    r.u[1] = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15), high);
    if (type == MDF_DTYPE_Q5_K) {
        const __m512i by = half == 0 ? of_blocks(28, 29, 30, 31) : of_blocks(0, 1, 2, 3);
        r.u[0] = _mm512_or_si512(r.u[0], turned(p + 16, by, 0x10));
        r.u[1] = _mm512_or_si512(r.u[1], turned(p + 32, by, 0x10));
    }
    return r;
}

/* One half of a Q6_K group. */
ALWAYS_INLINE unit unit_q6_k(const uint8_t *p, const int half)
{
    unit r;
    const __m128i eight = _mm_loadl_epi64((const __m128i *)(p + 192 + 8 * half));
    const __m256 scale = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
    r.d = _mm256_mul_ps(scale, _mm256_set1_ps(half_at(p + 208)));
    r.m = _mm_setzero_ps();
    const __m512i w = _mm512_loadu_si512(p + 64 * half);
    const __m512i low = lower_nibbles(w); /* both halves of blocks 0 and 1 */
    const __m512i high = upper_nibbles(w);
    const uint8_t *top = p + 128 + 32 * half;
    const __m512i by = of_blocks(28, 30, 0, 2);
    r.u[0] = _mm512_or_si512(_mm512_shuffle_i32x4(low, high, 0x88), turned(top, by, 0x30));
    r.u[1] = _mm512_or_si512(_mm512_shuffle_i32x4(low, high, 0xdd), turned(top + 16, by, 0x30));
    return r;
}

/* Unit number half of the group at p, or the four blocks at p. */
ALWAYS_INLINE unit unit_of(const mdf_dtype type, const uint8_t *p, const int half)
{
    switch ((int)type) {
    case MDF_DTYPE_Q4_K:
    case MDF_DTYPE_Q5_K:
        return unit_q45_k(type, p, half);
    case MDF_DTYPE_Q6_K:
        return unit_q6_k(p, half);
    default:
        return unit_of_blocks(type, p);
    }
}

#endif
