/* What the products in eight-bit integers know of every block type: its numbers as small unsigned
 * ones. Layouts: base/blocks.h. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_TYPES_H
#define MDF_KERNEL_SIMD_WEIGHT_TYPES_H

#include "kernel/simd/weight_quantise.h"

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* A number is d u + factor m; m is d where there are no minima. */
typedef struct block_type {
    int bytes;  /* of a group of blocks in the file */
    int blocks; /* of 32 numbers in a group */
    int factor;
    bool minimum; /* every block of 32 has m */
    bool halves;  /* every 16 numbers have a d of their own */
    bool wide;    /* u may be 16 or more */
} block_type;

/* Folds to constants where the type is one. */
ALWAYS_INLINE block_type block_type_of(const mdf_dtype type)
{
    switch ((int)type) {
    case MDF_DTYPE_Q8_0:
        return (block_type){34, 1, -128, false, false, true};
    case MDF_DTYPE_Q4_0:
        return (block_type){18, 1, -8, false, false, false};
    case MDF_DTYPE_Q4_1:
        return (block_type){20, 1, 1, true, false, false};
    case MDF_DTYPE_Q5_0:
        return (block_type){22, 1, -16, false, false, true};
    case MDF_DTYPE_Q5_1:
        return (block_type){24, 1, 1, true, false, true};
    case MDF_DTYPE_Q4_K:
        return (block_type){144, 8, -1, true, false, false};
    case MDF_DTYPE_Q5_K:
        return (block_type){176, 8, -1, true, false, true};
    default: /* Q6_K */
        return (block_type){210, 8, -32, false, true, true};
    }
}

/* The scales and minima of one group of blocks. */
typedef struct block_scales {
    float d[16]; /* of a block; with halves, of 16 numbers */
    float m[8];
} block_scales;

static inline uint32_t word_at(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* The eight scales and then the eight minima (0..63) of a Q4_K or Q5_K group, in 16 bytes: of 12
 * bytes a b c, words a, c | a's upper bits, b, c's upper nibbles | b's upper bits. */
static inline __m128i packed_scales(const uint8_t *p)
{
    const __m128i abc = _mm_loadu_si128((const __m128i *)(p + 4));
    const __m128i low = _mm_srlv_epi32(_mm_shuffle_epi32(abc, 0x98), _mm_setr_epi32(0, 0, 0, 4));
    const __m128i high = _mm_srli_epi32(_mm_shuffle_epi32(abc, 0x50), 2);
    const int six = 0x3f3f3f3f;
    const int four = 0x0f0f0f0f;
    const int upper = 0x30303030;
    return _mm_or_si128(_mm_and_si128(low, _mm_setr_epi32(six, four, six, four)),
                        _mm_and_si128(high, _mm_setr_epi32(0, upper, 0, upper)));
}

ALWAYS_INLINE void scales_of(block_scales *s, const mdf_dtype type, const uint8_t *p)
{
    const block_type t = block_type_of(type);
    if (t.blocks == 1) {
        s->d[0] = half_at(p);
        s->m[0] = t.minimum ? half_at(p + 2) : 0;
    } else if (t.minimum) {
        const __m128i packed = packed_scales(p);
        const __m256 d = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(packed));
        const __m256 m = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(packed, 8)));
        _mm256_storeu_ps(s->d, _mm256_mul_ps(d, _mm256_set1_ps(half_at(p))));
        _mm256_storeu_ps(s->m, _mm256_mul_ps(m, _mm256_set1_ps(half_at(p + 2))));
    } else {
        const __m256 d = _mm256_set1_ps(half_at(p + 208));
        for (int i = 0; i < 16; i += 8) {
            const __m128i eight = _mm_loadl_epi64((const __m128i *)(p + 192 + i));
            const __m256 scale = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
            _mm256_storeu_ps(s->d + i, _mm256_mul_ps(scale, d));
        }
    }
}

static inline __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static inline __m256i load32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* 16 bytes of nibbles: the lower ones, then the upper ones. */
static inline __m256i nibbles32(const uint8_t *p)
{
    const __m128i w = load16(p);
    const __m256i both =
        _mm256_inserti128_si256(_mm256_castsi128_si256(w), _mm_srli_epi16(w, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/* Bit i of a word, as 16 in byte i. */
static inline __m256i fifth_bits(const uint8_t *p)
{
    const __m256i byte = _mm256_shuffle_epi8(
        _mm256_set1_epi32((int)word_at(p)),
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(byte, bit), bit);
    return _mm256_and_si256(set, _mm256_set1_epi8(16));
}

/* Bits shift.. of every byte. */
static inline __m256i bits_of_bytes(const uint8_t *p, int shift, int mask)
{
    const __m256i w = _mm256_srl_epi32(load32(p), _mm_cvtsi32_si128(shift));
    return _mm256_and_si256(w, _mm256_set1_epi8((char)mask));
}

/* u of block j of the group at p, but Q8_0's u - 128, as it stands in the file. */
ALWAYS_INLINE __m256i numbers_of(const mdf_dtype type, const uint8_t *p, int j)
{
    __m256i u;
    __m256i high;
    switch ((int)type) {
    case MDF_DTYPE_Q8_0:
        return load32(p + 2);
    case MDF_DTYPE_Q4_0:
        return nibbles32(p + 2);
    case MDF_DTYPE_Q4_1:
        return nibbles32(p + 4);
    case MDF_DTYPE_Q5_0:
        return _mm256_or_si256(nibbles32(p + 6), fifth_bits(p + 2));
    case MDF_DTYPE_Q5_1:
        return _mm256_or_si256(nibbles32(p + 8), fifth_bits(p + 4));
    case MDF_DTYPE_Q4_K:
        return bits_of_bytes(p + 16 + j / 2 * 32, j % 2 * 4, 15);
    case MDF_DTYPE_Q5_K:
        u = bits_of_bytes(p + 48 + j / 2 * 32, j % 2 * 4, 15);
        high = bits_of_bytes(p + 16, j, 1);
        break;
    default: /* Q6_K */
        u = bits_of_bytes(p + j / 4 * 64 + j % 2 * 32, j % 4 / 2 * 4, 15);
        high = bits_of_bytes(p + 128 + j / 4 * 32, j % 4 * 2, 3);
        break;
    }
    return _mm256_or_si256(u, _mm256_slli_epi32(high, 4));
}

#endif
