/* Rows of the weight eight blocks at a time, without VNNI, in registers of 256 bits: products of
 * bytes add up in 16 bits for as long as they fit, the sums of eight blocks then meet in one
 * register, and so do their scales. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_STEPS_H
#define MDF_KERNEL_SIMD_WEIGHT_STEPS_H

#include "kernel/simd/weight_types.h"

/* A step of x: the numbers in the order of the weight's, then of each lane of a register the scale
 * d of its block, then what it is added: factor * sum of q or, to meet the minima, that * d as a
 * float; with halves two registers of sums. */
enum { STEP_BLOCKS = 8, STEP_NUMBERS = STEP_BLOCKS * BLOCK, STEP_SCALES = 32 };

ALWAYS_INLINE int64_t step_bytes(const block_type is)
{
    return STEP_NUMBERS + STEP_SCALES + (is.halves ? 64 : 32);
}

/* Blocks go two by two, but those of Q8_0 and Q6_K: the first 16 numbers of both in one register,
 * the others in the next. Block 2 i is in lane i of the sums then, block 2 i + 1 in lane 4 + i. */
ALWAYS_INLINE bool goes_by_pairs(const block_type is)
{
    return is.bytes != 34 && !is.halves;
}

static int64_t row_bytes_of(int64_t k, const block_type is)
{
    return (k + STEP_NUMBERS - 1) / STEP_NUMBERS * step_bytes(is);
}

/* Blocks behind the end are zero. */
static void round_row(int8_t *out, const float *x, int64_t k, const block_type is)
{
    const int64_t bytes = step_bytes(is);
    const bool pairs = goes_by_pairs(is);
    memset(out + row_bytes_of(k, is) - bytes, 0, (size_t)bytes);
    for (int64_t b = 0; b < k / BLOCK; b++) {
        const int64_t i = b % STEP_BLOCKS;
        const int64_t lane = pairs ? i % 2 * 4 + i / 2 : i;
        int8_t *step = out + b / STEP_BLOCKS * bytes;
        int8_t *to = step + (pairs ? i / 2 * 64 + i % 2 * 16 : i * 32);
        float *d = (float *)(void *)(step + STEP_NUMBERS);
        int32_t *sum = (int32_t *)(void *)(step + STEP_NUMBERS + STEP_SCALES);
        int8_t q[BLOCK];
        const rounded r = round_block(q, x + b * BLOCK);
        memcpy(to, q, 16);
        memcpy(to + (pairs ? 32 : 16), q + 16, 16);
        d[lane] = r.d;
        if (is.minimum) {
            d[STEP_BLOCKS + lane] = r.d * (float)(is.factor * r.sum);
        } else if (is.halves) {
            const int32_t first = sum_of_half(q);
            sum[i / 4 * 8 + i % 4] = is.factor * first;
            sum[i / 4 * 8 + i % 4 + 4] = is.factor * (r.sum - first);
        } else {
            sum[lane] = is.factor * r.sum;
        }
    }
}

/* Eight blocks' scales d and minima m, in the order of the lanes. */
typedef struct step_scales {
    __m256 d, m;
} step_scales;

/* The half-precision numbers at p and at p + s: the second is the upper half of a word. */
ALWAYS_INLINE uint32_t two_halves(const uint8_t *p, const int s)
{
    uint16_t first;
    memcpy(&first, p, sizeof first);
    return (word_at(p + s - 2) & 0xffff0000U) | first;
}

/* Those at the begin of count blocks, s bytes apart. By general registers: what vectors load and
 * shuffle is the bound. */
ALWAYS_INLINE __m128i halves_of_blocks(const uint8_t *p, const int s, const int count)
{
    if (count == 1) {
        return load16(p);
    }
    const uint32_t low = two_halves(p, s);
    const uint64_t high = count > 2 ? two_halves(p + 2 * s, s) : 0;
    return _mm_cvtsi64_si128((int64_t)(low | high << 32));
}

/* The words at the begin of count blocks. */
ALWAYS_INLINE __m128i words_of_blocks(const uint8_t *p, const int s, const int count)
{
    if (count == 1) {
        return load16(p);
    }
    const __m128i low = _mm_unpacklo_epi32(load16(p), load16(p + s));
    return count == 2
               ? low
               : _mm_unpacklo_epi64(low, _mm_unpacklo_epi32(load16(p + 2 * s), load16(p + 3 * s)));
}

/* The scales and minima of blocks. What stands in the lanes of missing ones is anything. */
ALWAYS_INLINE step_scales scales_of_blocks(const block_type is, const uint8_t *p, const int blocks)
{
    const bool pairs = goes_by_pairs(is);
    const int s = pairs ? 2 * is.bytes : is.bytes; /* from a lane's block to the next lane's */
    const int count = pairs ? blocks / 2 : 4;
    const uint8_t *q = p + (pairs ? is.bytes : 4 * is.bytes); /* of the other half */
    if (!is.minimum) {
        const __m128i a = halves_of_blocks(p, s, count);
        const __m128i b = pairs || blocks > 4 ? halves_of_blocks(q, s, count) : a;
        const __m256 d = _mm256_cvtph_ps(_mm_unpacklo_epi64(a, b));
        return (step_scales){d, d};
    }
    const __m128i a = words_of_blocks(p, s, count);
    const __m128i b = words_of_blocks(q, s, count);
    const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const __m128i low = _mm_shuffle_epi8(a, order);
    const __m128i high = _mm_shuffle_epi8(b, order);
    return (step_scales){_mm256_cvtph_ps(_mm_unpacklo_epi64(low, high)),
                         _mm256_cvtph_ps(_mm_unpackhi_epi64(low, high))};
}

/* Of a Q4_K or Q5_K group. */
static inline step_scales scales_of_group(const uint8_t *p)
{
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
    const __m128i packed = _mm_shuffle_epi8(packed_scales(p), order);
    const __m256 d = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(packed));
    const __m256 m = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(packed, packed)));
    const __m256 both = _mm256_cvtph_ps(_mm_set1_epi32((int)word_at(p))); /* d, m, d, m .. */
    return (step_scales){_mm256_mul_ps(d, _mm256_moveldup_ps(both)),
                         _mm256_mul_ps(m, _mm256_movehdup_ps(both))};
}

ALWAYS_INLINE step_scales scales_of_step(const mdf_dtype type, const uint8_t *p, const int blocks,
                                         int64_t count)
{
    const block_type is = block_type_of(type);
    if (is.blocks > 1) {
        return scales_of_group(p);
    }
    step_scales s = scales_of_blocks(is, p, blocks);
    if (count < blocks || (is.minimum && blocks < STEP_BLOCKS)) {
        const __m256i lanes = goes_by_pairs(is) ? _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7)
                                                : _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        const __m256i there = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lanes);
        s.d = _mm256_and_ps(s.d, _mm256_castsi256_ps(there));
        s.m = _mm256_and_ps(s.m, _mm256_castsi256_ps(there));
    }
    return s;
}

/* 32 bytes, loaded once: a compiler would load them again for every use, which costs double where
 * they cross a line of the cache. */
ALWAYS_INLINE __m256i load32_once(const uint8_t *p)
{
    __m256i a = load32(p);
    __asm__("" : "+x"(a));
    return a;
}

/* 16 bytes each at p and q. */
static inline __m256i both16(const uint8_t *p, const uint8_t *q)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load16(p)), load16(q), 1);
}

static inline __m256i twice16(const uint8_t *p)
{
    return _mm256_broadcastsi128_si256(load16(p));
}

/* Bit i of two bytes in each half of h, first and the next one, as 16 in byte i. */
ALWAYS_INLINE __m256i bits_of_pair(__m256i h, const char first)
{
    const char i = first;
    const char j = (char)(first + 1);
    const __m256i which = _mm256_setr_epi8(i, i, i, i, i, i, i, i, j, j, j, j, j, j, j, j, i, i, i,
                                           i, i, i, i, i, j, j, j, j, j, j, j, j);
    const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    const __m256i set =
        _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(h, which), bit), bit);
    return _mm256_and_si256(set, _mm256_set1_epi8(16));
}

/* The fifth bits of blocks 2 i and 2 i + 1 of a Q5_K group, 16 numbers each, from the bytes at p:
 * bit j belongs to block j. */
ALWAYS_INLINE __m256i bits_of_group(const uint8_t *p, const int i)
{
    const __m256i h = _mm256_srlv_epi64(twice16(p), _mm256_setr_epi64x(0, 0, 1, 1));
    const __m256i moved = i < 2 ? _mm256_slli_epi64(h, 4 - 2 * i) : _mm256_srli_epi64(h, 2 * i - 4);
    return _mm256_and_si256(moved, _mm256_set1_epi8(16));
}

/* u of blocks 2 i and 2 i + 1 of the step at p. */
ALWAYS_INLINE void numbers_of_pair(__m256i u[2], const mdf_dtype type, const uint8_t *p,
                                   const int i)
{
    const block_type is = block_type_of(type);
    const __m256i low = _mm256_set1_epi8(15);
    const bool fifth = is.wide;
    if (is.blocks > 1) {
        const uint8_t *q = p + (fifth ? 48 : 16) + 32 * i;
        const __m256i by = _mm256_setr_epi64x(0, 0, 4, 4);
        u[0] = _mm256_and_si256(_mm256_srlv_epi64(twice16(q), by), low);
        u[1] = _mm256_and_si256(_mm256_srlv_epi64(twice16(q + 16), by), low);
        if (fifth) {
            u[0] = _mm256_or_si256(u[0], bits_of_group(p + 16, i));
            u[1] = _mm256_or_si256(u[1], bits_of_group(p + 32, i));
        }
        return;
    }
    const int scales = is.minimum ? 4 : 2;
    const uint8_t *a = p + 2 * i * is.bytes;
    const uint8_t *b = a + is.bytes;
    const int at = scales + (fifth ? 4 : 0);
    const __m256i w = both16(a + at, b + at);
    u[0] = _mm256_and_si256(w, low);
    u[1] = _mm256_and_si256(_mm256_srli_epi16(w, 4), low);
    if (fifth) {
        const __m256i h = both16(a, b);
        u[0] = _mm256_or_si256(u[0], bits_of_pair(h, (char)scales));
        u[1] = _mm256_or_si256(u[1], bits_of_pair(h, (char)(scales + 2)));
    }
}

static inline __m256i sums_of_words(__m256i a)
{
    return _mm256_madd_epi16(a, _mm256_set1_epi16(1));
}

/* Of lanes 0 and 1, 2 and 3 of a, then of b, in both halves. */
static inline __m256i sums_of_lanes(__m256i a, __m256i b)
{
    const __m256 x = _mm256_castsi256_ps(a);
    const __m256 y = _mm256_castsi256_ps(b);
    return _mm256_add_epi32(_mm256_castps_si256(_mm256_shuffle_ps(x, y, 0x88)),
                            _mm256_castps_si256(_mm256_shuffle_ps(x, y, 0xdd)));
}

/* The sums of eight blocks. pair: a block in each half, sums of 16-bit numbers of two. At most
 * 31 * 127 * 8 = 31496 is packed to 16 bits, and where u is below 16, 15 * 127 * 16 = 30480. */
ALWAYS_INLINE __m256i sums_of_blocks(const __m256i pair[4], const bool wide)
{
    const __m256i a = _mm256_packs_epi32(sums_of_words(pair[0]), sums_of_words(pair[1]));
    const __m256i b = _mm256_packs_epi32(sums_of_words(pair[2]), sums_of_words(pair[3]));
    if (wide) {
        return sums_of_lanes(sums_of_words(a), sums_of_words(b));
    }
    return sums_of_words(_mm256_packs_epi32(sums_of_words(a), sums_of_words(b)));
}

/* sum[t] += the first count of the blocks at p * the step of each row of x. */
ALWAYS_INLINE void pairs_step(__m256 sum[FEW], const int tokens, const mdf_dtype type,
                              const uint8_t *p, const int8_t *const x[FEW], const int64_t from,
                              const int blocks, int64_t count)
{
    const block_type is = block_type_of(type);
    const step_scales s = scales_of_step(type, p, blocks, count);
    __m256i pair[FEW][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m256i u[2];
        if (2 * i < blocks) {
            numbers_of_pair(u, type, p, i);
        }
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            const uint8_t *q = (const uint8_t *)x[t] + from + 64 * i;
            pair[t][i] = 2 * i < blocks
                             ? _mm256_add_epi16(_mm256_maddubs_epi16(u[0], load32(q)),
                                                _mm256_maddubs_epi16(u[1], load32(q + 32)))
                             : _mm256_setzero_si256();
        }
    }
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const int8_t *scales = x[t] + from + STEP_NUMBERS;
        const float *d = (const float *)(const void *)scales;
        __m256i i = blocks > 2 ? sums_of_blocks(pair[t], is.wide) : sums_of_words(pair[t][0]);
        __m256 both = _mm256_mul_ps(s.d, _mm256_loadu_ps(d));
        if (blocks == 2) { /* each in four lanes */
            both = _mm256_permute_ps(both, 0x00);
        }
        if (is.minimum) {
            sum[t] = _mm256_fmadd_ps(s.m, _mm256_loadu_ps(d + STEP_BLOCKS), sum[t]);
        } else {
            i = _mm256_add_epi32(i, load32((const uint8_t *)scales + STEP_SCALES));
        }
        sum[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(i), both, sum[t]);
    }
}

/* The same of Q8_0: |w| * (x with w's sign); two products of at most 128 * 127 fit into 16 bits.
 * The scales come last, as memory is best read in its order. */
ALWAYS_INLINE void q8_step(__m256 sum[FEW], __m256 more[FEW], const int tokens, const uint8_t *p,
                           const int8_t *const x[FEW], const int64_t from, const int blocks,
                           int64_t count)
{
    __m256i i[FEW][STEP_BLOCKS];
#pragma GCC unroll 8
    for (int b = 0; b < blocks; b++) {
        const __m256i w = load32_once(p + 34 * b + 2);
        const __m256i u = _mm256_abs_epi8(w);
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            const __m256i q = load32((const uint8_t *)x[t] + from + 32 * b);
            i[t][b] = sums_of_words(_mm256_maddubs_epi16(u, _mm256_sign_epi8(q, w)));
        }
    }
    const step_scales s = scales_of_step(MDF_DTYPE_Q8_0, p, blocks, count);
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const float *d = (const float *)(const void *)(x[t] + from + STEP_NUMBERS);
        const __m256 both = _mm256_mul_ps(s.d, _mm256_loadu_ps(d));
        const __m256 low = _mm256_permute2f128_ps(both, both, 0x00);
        const __m256 high = _mm256_permute2f128_ps(both, both, 0x11);
#define BLOCK_OF(b, scales, to)                                                                    \
    if ((b) < blocks) {                                                                            \
        to[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(i[t][b]),                                       \
                                _mm256_permute_ps(scales, ((b) % 4) * 0x55), to[t]);               \
    }
        BLOCK_OF(0, low, sum)
        BLOCK_OF(1, low, more)
        BLOCK_OF(2, low, sum)
        BLOCK_OF(3, low, more)
        BLOCK_OF(4, high, sum)
        BLOCK_OF(5, high, more)
        BLOCK_OF(6, high, sum)
        BLOCK_OF(7, high, more)
#undef BLOCK_OF
    }
}

/* u of blocks 4 h .. 4 h + 3 of the Q6_K group at p. */
ALWAYS_INLINE void numbers_of_q6(__m256i u[4], const uint8_t *p, const int h)
{
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i two = _mm256_set1_epi8(0x30);
    const __m256i a = load32_once(p + 64 * h);
    const __m256i b = load32_once(p + 64 * h + 32);
    const __m256i top = load32_once(p + 128 + 32 * h);
    u[0] = _mm256_and_si256(_mm256_slli_epi16(top, 4), two);
    u[1] = _mm256_and_si256(_mm256_slli_epi16(top, 2), two);
    u[2] = _mm256_and_si256(top, two);
    u[3] = _mm256_and_si256(_mm256_srli_epi16(top, 2), two);
    u[0] = _mm256_or_si256(u[0], _mm256_and_si256(a, low));
    u[1] = _mm256_or_si256(u[1], _mm256_and_si256(b, low));
    u[2] = _mm256_or_si256(u[2], _mm256_and_si256(_mm256_srli_epi16(a, 4), low));
    u[3] = _mm256_or_si256(u[3], _mm256_and_si256(_mm256_srli_epi16(b, 4), low));
}

/* The same of a Q6_K group, 16 numbers to a scale. Four blocks meet in one register, the sums of
 * their first 16 numbers before those of the others; 63 * 127 * 4 = 32004 fits into 16 bits. */
ALWAYS_INLINE void q6_step(__m256 sum[FEW], const int tokens, const uint8_t *p,
                           const int8_t *const x[FEW], const int64_t from)
{
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
    const __m128i scales = _mm_shuffle_epi8(load16(p + 192), order);
    const __m256 all = _mm256_set1_ps(half_at(p + 208));
    __m256 part[FEW];
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        const __m128i eight = h == 0 ? scales : _mm_unpackhi_epi64(scales, scales);
        const __m256 scale = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
        __m256i u[4];
        __m256i two[FEW][4];
        numbers_of_q6(u, p, h);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
#pragma GCC unroll 3
            for (int t = 0; t < tokens; t++) {
                const uint8_t *q = (const uint8_t *)x[t] + from + 128 * h + 32 * i;
                two[t][i] = sums_of_words(_mm256_maddubs_epi16(u[i], load32(q)));
            }
        }
#pragma GCC unroll 3
        for (int t = 0; t < tokens; t++) {
            const int8_t *step = x[t] + from + STEP_NUMBERS;
            const float *d = (const float *)(const void *)step;
            const __m256i a = sums_of_words(_mm256_packs_epi32(two[t][0], two[t][1]));
            const __m256i b = sums_of_words(_mm256_packs_epi32(two[t][2], two[t][3]));
            const __m256i i = _mm256_add_epi32(
                sums_of_lanes(a, b), load32((const uint8_t *)step + STEP_SCALES + 32 * h));
            const __m256 d4 = _mm256_mul_ps(
                scale, _mm256_broadcast_ps((const __m128 *)(const void *)(d + 4 * h)));
            part[t] = h == 0 ? _mm256_mul_ps(_mm256_cvtepi32_ps(i), d4)
                             : _mm256_fmadd_ps(_mm256_cvtepi32_ps(i), d4, part[t]);
        }
    }
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        sum[t] = _mm256_fmadd_ps(part[t], all, sum[t]);
    }
}

ALWAYS_INLINE void any_step(__m256 sum[2][FEW], const int tokens, const mdf_dtype type,
                            const uint8_t *p, const int8_t *const x[FEW], const int64_t from,
                            const int blocks, int64_t count)
{
    if (type == MDF_DTYPE_Q8_0) {
        q8_step(sum[0], sum[1], tokens, p, x, from, blocks, count);
    } else if (type == MDF_DTYPE_Q6_K) {
        q6_step(sum[0], tokens, p, x, from);
    } else {
        pairs_step(sum[0], tokens, type, p, x, from, blocks, count);
    }
}

/* y[t * w->n] = the row of the weight at p * each row of x. end: of the weight. */
ALWAYS_INLINE void row_products(const int tokens, const mdf_dtype type, const mdf_weight *w,
                                const uint8_t *p, const uint8_t *end, const int8_t *const x[FEW],
                                float *y)
{
    const block_type is = block_type_of(type);
    const int64_t step = is.bytes * STEP_BLOCKS / is.blocks;
    const int64_t left = w->k % STEP_NUMBERS / BLOCK;
    int64_t from = 0;
    __m256 sum[2][FEW];
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        sum[0][t] = sum[1][t] = _mm256_setzero_ps();
    }
    for (int64_t i = w->k / STEP_NUMBERS; i > 0; i--, from += step_bytes(is), p += step) {
        any_step(sum, tokens, type, p, x, from, STEP_BLOCKS, STEP_BLOCKS);
    }
    if (is.blocks == 1 && left > 0) {
        uint8_t rest[STEP_BLOCKS * 34];
        if (end - p < step) { /* nothing behind the weight may be read */
            memset(rest, 0, sizeof rest);
            memcpy(rest, p, (size_t)(left * is.bytes));
            p = rest;
        }
        if (left == 2) { /* 576 numbers */
            any_step(sum, tokens, type, p, x, from, 2, 2);
        } else if (left <= 4) {
            any_step(sum, tokens, type, p, x, from, 4, left);
        } else {
            any_step(sum, tokens, type, p, x, from, STEP_BLOCKS, left);
        }
    }
#pragma GCC unroll 3
    for (int t = 0; t < tokens; t++) {
        const __m256 a = _mm256_add_ps(sum[0][t], sum[1][t]);
        const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
        y[t * w->n] = _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
    }
}

#endif
