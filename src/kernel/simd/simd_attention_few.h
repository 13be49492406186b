/* Attention of a few rows, as of a generated token: they pass over the keys once, together. Rows
 * are as they lie: a score is a product along a key, y a sum of values. */
#ifndef MDF_KERNEL_SIMD_SIMD_ATTENTION_FEW_H
#define MDF_KERNEL_SIMD_SIMD_ATTENTION_FEW_H

#include "kernel/simd/simd_attention_load.h"

enum {
    FEW_ROWS = 4,                /* side by side */
    FEW_KEYS = 64,               /* keys of a block */
    FEW_TOGETHER = 4,            /* keys whose scores are added up together */
    FEW_MOST = 8,                /* rows that are taken this way */
    FEW_VECS = VEC == 16 ? 4 : 2 /* vectors of a value: x FEW_ROWS sums */
};

/* Rows on their way over the keys. Scores are times log2(e). */
typedef struct few_state {
    int64_t row;   /* of the task */
    int64_t width; /* head_dim in whole vectors */
    float *q, *y;  /* [FEW_ROWS, width], q scaled; zeros behind head_dim */
    float score[FEW_ROWS][FEW_KEYS];
    float max[FEW_ROWS], sum[FEW_ROWS], keep[FEW_ROWS];
} few_state;

#if defined(__AVX512F__)

/* The sums of four vectors. */
static inline __m128 vec_sums(const vec a[4])
{
    __m256 half[4];
    VEC_UNROLL
    for (int i = 0; i < 4; i++) {
        half[i] = _mm256_add_ps(_mm512_castps512_ps256(a[i]), _mm512_extractf32x8_ps(a[i], 1));
    }
    const __m256 pair =
        _mm256_hadd_ps(_mm256_hadd_ps(half[0], half[1]), _mm256_hadd_ps(half[2], half[3]));
    return _mm_add_ps(_mm256_castps256_ps128(pair), _mm256_extractf128_ps(pair, 1));
}

static inline float vec_first(vec a)
{
    return _mm512_cvtss_f32(a);
}

static inline float vec_largest(vec a)
{
    return _mm512_reduce_max_ps(a);
}

#else

static inline __m128 vec_sums(const vec a[4])
{
    const __m256 pair = _mm256_hadd_ps(_mm256_hadd_ps(a[0], a[1]), _mm256_hadd_ps(a[2], a[3]));
    return _mm_add_ps(_mm256_castps256_ps128(pair), _mm256_extractf128_ps(pair, 1));
}

static inline float vec_first(vec a)
{
    return _mm256_cvtss_f32(a);
}

static inline float vec_largest(vec a)
{
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#endif

/* Scores of up to FEW_KEYS keys from `from` on. */
__attribute__((always_inline)) static inline void few_scores(const mdf_dtype type, const int rows,
                                                             const mdf_attention_task *t,
                                                             few_state *f, int64_t from,
                                                             int64_t keys)
{
    for (int64_t j = 0; j < keys; j += FEW_TOGETHER) {
        const uint8_t *k[FEW_TOGETHER];
        vec sum[FEW_ROWS][FEW_TOGETHER];
        VEC_UNROLL
        for (int i = 0; i < FEW_TOGETHER; i++) { /* behind the last: it again, not used */
            k[i] = kv_at(type, t->k, (from + (j + i < keys ? j + i : keys - 1)) * t->ldk);
            VEC_UNROLL
            for (int r = 0; r < rows; r++) {
                sum[r][i] = vec_all(0);
            }
        }
        for (int64_t d = 0; d < t->head_dim; d += VEC) {
            vec x[FEW_TOGETHER];
            VEC_UNROLL
            for (int i = 0; i < FEW_TOGETHER; i++) {
                x[i] = kv_load(type, k[i], d, t->head_dim);
            }
            VEC_UNROLL
            for (int r = 0; r < rows; r++) {
                const vec q = vec_load(f->q + r * f->width + d);
                VEC_UNROLL
                for (int i = 0; i < FEW_TOGETHER; i++) {
                    sum[r][i] = vec_fma(q, x[i], sum[r][i]);
                }
            }
        }
        VEC_UNROLL
        for (int r = 0; r < rows; r++) {
            _mm_storeu_ps(f->score[r] + j, vec_sums(sum[r]));
        }
    }
}

/* Biases and masks; what is behind the last key weighs nothing. */
static void few_masks(const int rows, const mdf_attention_task *t, few_state *f, mdf_key_span span,
                      int64_t from, int64_t keys)
{
    const int64_t first = from > span.mask_from ? from : span.mask_from;
    const int64_t last = from + keys < span.mask_to ? from + keys : span.mask_to;
    for (int r = 0; r < rows; r++) {
        for (int64_t j = 0; t->key_bias != NULL && j < keys; j++) {
            f->score[r][j] += t->key_bias[from + j] * ATTENTION_LOG2E;
        }
        if (first < last) {
            t->sight.mask(t->sight.context, (f->row + r) / t->heads, first, last - first,
                          f->score[r] + (first - from), 1);
        }
        for (int64_t j = keys; j % VEC != 0; j++) {
            f->score[r][j] = -INFINITY;
        }
    }
}

static void few_softmax(const int rows, few_state *f, int64_t keys)
{
    const exp2_table table = exp2_table_make();
    for (int r = 0; r < rows; r++) {
        vec most = vec_all(f->max[r]);
        for (int64_t j = 0; j < keys; j += VEC) {
            most = vec_max(vec_load(f->score[r] + j), most);
        }
        const float max = vec_largest(most);
        vec sum = vec_all(0);
        for (int64_t j = 0; j < keys; j += VEC) {
            const vec p = vec_exp2(table, vec_sub(vec_load(f->score[r] + j), vec_all(max)));
            vec_store(f->score[r] + j, p);
            sum = vec_add(sum, p);
        }
        const vec keep = vec_exp2(table, vec_all(f->max[r] - max));
        f->keep[r] = vec_first(keep);
        f->sum[r] = f->sum[r] * f->keep[r] + vec_sum(sum);
        f->max[r] = max;
    }
}

/* y = y keep + weights times values: numbers d.. of them, that many vectors. */
__attribute__((always_inline)) static inline void
few_values(const mdf_dtype type, const int rows, const int vectors, const mdf_attention_task *t,
           const few_state *f, int64_t from, int64_t keys, int64_t d)
{
    vec sum[FEW_ROWS][FEW_VECS];
    VEC_UNROLL
    for (int r = 0; r < rows; r++) {
        VEC_UNROLL
        for (int v = 0; v < vectors; v++) {
            sum[r][v] = vec_all(0);
        }
    }
    const uint8_t *value = kv_at(type, t->v, from * t->ldk);
    const int64_t step = kv_bytes(type, t->ldk);
    for (int64_t j = 0; j < keys; j++, value += step) {
        vec x[FEW_VECS];
        VEC_UNROLL
        for (int v = 0; v < vectors; v++) {
            x[v] = vectors > 1 ? kv_load_whole(type, value, d + v * VEC)
                               : kv_load(type, value, d, t->head_dim);
        }
        VEC_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec p = vec_all(f->score[r][j]);
            VEC_UNROLL
            for (int v = 0; v < vectors; v++) {
                sum[r][v] = vec_fma(p, x[v], sum[r][v]);
            }
        }
    }
    VEC_UNROLL
    for (int r = 0; r < rows; r++) {
        VEC_UNROLL
        for (int v = 0; v < vectors; v++) {
            float *y = f->y + r * f->width + d + v * VEC;
            vec_store(y, vec_fma(vec_load(y), vec_all(f->keep[r]), sum[r][v]));
        }
    }
}

__attribute__((always_inline)) static inline void few_block(const mdf_dtype type, const int rows,
                                                            const mdf_attention_task *t,
                                                            few_state *f, mdf_key_span span,
                                                            int64_t from)
{
    const int64_t keys = span.to - from < FEW_KEYS ? span.to - from : FEW_KEYS;
    few_scores(type, rows, t, f, from, keys);
    few_masks(rows, t, f, span, from, keys);
    few_softmax(rows, f, keys);
    int64_t d = 0;
    for (; d + FEW_VECS * VEC <= t->head_dim; d += FEW_VECS * VEC) {
        few_values(type, rows, FEW_VECS, t, f, from, keys, d);
    }
    for (; d < t->head_dim; d += VEC) {
        few_values(type, rows, 1, t, f, from, keys, d);
    }
}

/* All keys of a span; folds to constants where the type is one. */
__attribute__((always_inline)) static inline void few_span(const mdf_dtype type, int64_t rows,
                                                           const mdf_attention_task *t,
                                                           few_state *f, mdf_key_span span)
{
    for (int64_t key = span.from; key < span.to; key += FEW_KEYS) {
        if (rows == 4) {
            few_block(type, 4, t, f, span, key);
        } else if (rows == 3) {
            few_block(type, 3, t, f, span, key);
        } else if (rows == 2) {
            few_block(type, 2, t, f, span, key);
        } else {
            few_block(type, 1, t, f, span, key);
        }
    }
}

static void few_span_f16(int64_t rows, const mdf_attention_task *t, few_state *f, mdf_key_span span)
{
    few_span(MDF_DTYPE_F16, rows, t, f, span);
}

static void few_span_bf16(int64_t rows, const mdf_attention_task *t, few_state *f,
                          mdf_key_span span)
{
    few_span(MDF_DTYPE_BF16, rows, t, f, span);
}

static void few_span_q8_0(int64_t rows, const mdf_attention_task *t, few_state *f,
                          mdf_key_span span)
{
    few_span(MDF_DTYPE_Q8_0, rows, t, f, span);
}

static void few_span_f32(int64_t rows, const mdf_attention_task *t, few_state *f, mdf_key_span span)
{
    few_span(MDF_DTYPE_F32, rows, t, f, span);
}

/* Rows row.. of the task, at most FEW_ROWS. */
static void few_rows(const mdf_attention_task *t, int64_t row, int64_t rows, float *room)
{
    const vec scale = vec_all(ATTENTION_LOG2E / sqrtf((float)t->head_dim));
    few_state f = {.row = row, .width = (t->head_dim + VEC - 1) / VEC * VEC, .q = room};
    f.y = f.q + FEW_ROWS * f.width;
    for (int64_t r = 0; r < rows; r++) {
        const float *q = t->q + row_of(t, row + r, t->ldq);
        for (int64_t d = 0; d < t->head_dim; d += VEC) {
            vec_store(f.q + r * f.width + d,
                      vec_mul(kv_load(MDF_DTYPE_F32, q, d, t->head_dim), scale));
            vec_store(f.y + r * f.width + d, vec_all(0));
        }
        f.max[r] = -FLT_MAX;
    }
    const int64_t first = row / t->heads;
    const mdf_key_span span =
        t->sight.span(t->sight.context, first, (row + rows - 1) / t->heads - first + 1);
    if (t->kv_type == MDF_DTYPE_F16) {
        few_span_f16(rows, t, &f, span);
    } else if (t->kv_type == MDF_DTYPE_BF16) {
        few_span_bf16(rows, t, &f, span);
    } else if (t->kv_type == MDF_DTYPE_Q8_0) {
        few_span_q8_0(rows, t, &f, span);
    } else {
        few_span_f32(rows, t, &f, span);
    }
    for (int64_t r = 0; r < rows; r++) {
        const float inverse = row_close(t, row + r, f.max[r], f.sum[r]);
        float *y = t->y + row_of(t, row + r, t->ldq);
        for (int64_t d = 0; d < t->head_dim; d++) {
            y[d] = f.y[r * f.width + d] * inverse;
        }
    }
}

#endif
