/* Attention with running softmax: scores of a block of queries with a block of keys stay in the
 * first-level cache.
 *
 * A vector holds one number of VEC queries. Queries are transposed once, then scores [key][query]
 * = K Q' and values y [d][query] = V' P are the same product: numbers of K and V are read one at a
 * time from where they lie, in TILE_ROWS rows, each for up to three vectors of queries. So neither
 * keys nor values are packed, maxima and sums need no sums across a vector, and a few blocks of
 * queries share what the second-level cache holds of K and V. */
#ifndef MDF_KERNEL_SIMD_SIMD_ATTENTION_LANES_H
#define MDF_KERNEL_SIMD_SIMD_ATTENTION_LANES_H

#include "kernel/simd/simd_attention_load.h"

enum {
    LANE_VECS = 3,
    LANE_QUERIES = LANE_VECS * VEC,  /* queries of a block */
    TILE_ROWS = VEC == 16 ? 8 : 4,   /* x LANE_VECS accumulators, of 32 or 16 registers */
    LANE_KEYS = 96,                  /* keys of a block */
    LANE_BLOCKS = 384 / LANE_QUERIES /* blocks of queries that pass over the keys together */
};

/* A block of queries on its way over the keys. Scores are times log2(e). */
typedef struct lanes {
    int64_t row, rows; /* of the task */
    int vectors;
    mdf_key_span span;
    float *q; /* [head_dim, LANE_QUERIES], scaled */
    float *y; /* [head_dim, LANE_QUERIES] */
    float max[LANE_QUERIES], sum[LANE_QUERIES],
        keep[LANE_QUERIES]; /* keep: the last step's factor for what was before */
} lanes;

/* C [rows][LANE_QUERIES] = .. sum over l of a[row * row_step + l * l_step] * b[l][LANE_QUERIES] */
typedef struct lane_product {
    int64_t count; /* of l */
    const float *a;
    int64_t row_step, l_step;
    const float *b;
    float *c;
    const float *bias; /* scores: one number a row, or NULL; C = bias log2(e) + A B */
    const float *keep; /* values: C = C keep + A B */
} lane_product;

/* Always inlined with constants for rows, vectors and one of the steps, so that the sums stay in
 * registers. */
__attribute__((always_inline)) static inline void lane_tile(const int rows, const int vectors,
                                                            const lane_product *p,
                                                            const int64_t row_step,
                                                            const int64_t l_step)
{
    vec sum[TILE_ROWS][LANE_VECS];
    VEC_UNROLL
    for (int r = 0; r < rows; r++) {
        const vec first = vec_all(p->bias == NULL ? 0 : p->bias[r] * ATTENTION_LOG2E);
        VEC_UNROLL
        for (int v = 0; v < vectors; v++) {
            sum[r][v] = first;
        }
    }
    /* three rows share an address register: base, base + step, base + 2 step */
    const float *a[(TILE_ROWS + 2) / 3];
    VEC_UNROLL
    for (int q = 0; q < (rows + 2) / 3; q++) {
        a[q] = p->a + 3 * q * row_step;
    }
    const float *b = p->b;
    for (int64_t l = p->count; l > 0; l--, b += LANE_QUERIES) {
        vec x[LANE_VECS];
        VEC_UNROLL
        for (int v = 0; v < vectors; v++) {
            x[v] = vec_load(b + v * VEC);
        }
        VEC_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec one = vec_all(a[r / 3][r % 3 * row_step]);
            VEC_UNROLL
            for (int v = 0; v < vectors; v++) {
                sum[r][v] = vec_fma(one, x[v], sum[r][v]);
            }
        }
        VEC_UNROLL
        for (int q = 0; q < (rows + 2) / 3; q++) {
            a[q] += l_step;
        }
    }
    VEC_UNROLL
    for (int r = 0; r < rows; r++) {
        VEC_UNROLL
        for (int v = 0; v < vectors; v++) {
            float *c = p->c + r * LANE_QUERIES + v * VEC;
            const vec old = p->keep == NULL
                                ? sum[r][v]
                                : vec_fma(vec_load(c), vec_load(p->keep + v * VEC), sum[r][v]);
            vec_store(c, old);
        }
    }
}

/* Scores: the rows are keys, each contiguous. Values: the rows are numbers of a value. */
__attribute__((always_inline)) static inline void lane_rows(const int vectors, const bool values,
                                                            lane_product p, int64_t rows)
{
    int64_t step = 0;
    for (int64_t left = rows; left > 0; left -= step) {
        step = left >= TILE_ROWS ? TILE_ROWS : left >= TILE_ROWS / 2 ? TILE_ROWS / 2 : 1;
        if (step == TILE_ROWS) {
            lane_tile(TILE_ROWS, vectors, &p, values ? 1 : p.row_step, values ? p.l_step : 1);
        } else if (step == TILE_ROWS / 2) {
            lane_tile(TILE_ROWS / 2, vectors, &p, values ? 1 : p.row_step, values ? p.l_step : 1);
        } else {
            lane_tile(1, vectors, &p, values ? 1 : p.row_step, values ? p.l_step : 1);
        }
        p.a += step * p.row_step;
        p.c += step * LANE_QUERIES;
        p.bias = p.bias == NULL ? NULL : p.bias + step;
    }
}

static void lane_scores(int vectors, const lane_product *p, int64_t keys)
{
    if (vectors == 3) {
        lane_rows(3, false, *p, keys);
    } else if (vectors == 2) {
        lane_rows(2, false, *p, keys);
    } else {
        lane_rows(1, false, *p, keys);
    }
}

static void lane_values(int vectors, const lane_product *p, int64_t head_dim)
{
    if (vectors == 3) {
        lane_rows(3, true, *p, head_dim);
    } else if (vectors == 2) {
        lane_rows(2, true, *p, head_dim);
    } else {
        lane_rows(1, true, *p, head_dim);
    }
}

/* Scores become weights relative to the largest so far. */
__attribute__((always_inline)) static inline void lane_softmax(const int vectors, lanes *b,
                                                               float *score, int64_t keys)
{
    const exp2_table table = exp2_table_make();
    vec max[LANE_VECS], sum[LANE_VECS];
    VEC_UNROLL
    for (int v = 0; v < vectors; v++) {
        max[v] = vec_load(b->max + v * VEC);
        sum[v] = vec_all(0);
    }
    for (int64_t j = 0; j < keys; j++) {
        VEC_UNROLL
        for (int v = 0; v < vectors; v++) {
            max[v] = vec_max(vec_load(score + j * LANE_QUERIES + v * VEC), max[v]);
        }
    }
    for (int64_t j = 0; j < keys; j++) {
        VEC_UNROLL
        for (int v = 0; v < vectors; v++) {
            float *s = score + j * LANE_QUERIES + v * VEC;
            const vec p = vec_exp2(table, vec_sub(vec_load(s), max[v]));
            vec_store(s, p);
            sum[v] = vec_add(sum[v], p);
        }
    }
    VEC_UNROLL
    for (int v = 0; v < vectors; v++) {
        const vec keep = vec_exp2(table, vec_sub(vec_load(b->max + v * VEC), max[v]));
        vec_store(b->max + v * VEC, max[v]);
        vec_store(b->sum + v * VEC, vec_fma(vec_load(b->sum + v * VEC), keep, sum[v]));
        vec_store(b->keep + v * VEC, keep);
    }
}

/* Queries r.. of the task; lanes behind the last hold it again. */
static void lanes_open(const mdf_attention_task *t, lanes *b, int64_t row, int64_t rows)
{
    const float *q[LANE_QUERIES];
    const vec scale = vec_all(ATTENTION_LOG2E / sqrtf((float)t->head_dim));
    *b = (lanes){
        .row = row, .rows = rows, .vectors = (int)((rows + VEC - 1) / VEC), .q = b->q, .y = b->y};
    for (int64_t r = 0; r < LANE_QUERIES; r++) {
        q[r] = t->q + row_of(t, row + (r < rows ? r : rows - 1), t->ldq);
        b->max[r] = -FLT_MAX;
    }
    memset(b->y, 0, (size_t)(t->head_dim * LANE_QUERIES) * sizeof *b->y);
    for (int v = 0; v < b->vectors; v++) {
        float *out = b->q + v * VEC;
        int64_t d = 0;
        for (; d + 4 <= t->head_dim; d += 4) {
            words word[4];
            words_transpose(word, (const uint8_t *const *)(q + v * VEC), d * 4);
            for (int64_t i = 0; i < 4; i++) {
                words_store(out + (d + i) * LANE_QUERIES, word[i]);
                vec_store(out + (d + i) * LANE_QUERIES,
                          vec_mul(vec_load(out + (d + i) * LANE_QUERIES), scale));
            }
        }
        for (; d < t->head_dim; d++) {
            for (int64_t r = 0; r < VEC; r++) {
                out[d * LANE_QUERIES + r] = q[v * VEC + r][d];
            }
            vec_store(out + d * LANE_QUERIES, vec_mul(vec_load(out + d * LANE_QUERIES), scale));
        }
    }
    const int64_t first = row / t->heads;
    b->span = t->sight.span(t->sight.context, first, (row + rows - 1) / t->heads - first + 1);
}

static void lanes_mask(const mdf_attention_task *t, const lanes *b, int64_t from, int64_t to,
                       float *score)
{
    const int64_t first = from > b->span.mask_from ? from : b->span.mask_from;
    const int64_t last = to < b->span.mask_to ? to : b->span.mask_to;
    for (int64_t r = 0; first < last && r < b->rows; r++) {
        t->sight.mask(t->sight.context, (b->row + r) / t->heads, first, last - first,
                      score + (first - from) * LANE_QUERIES + r, LANE_QUERIES);
    }
}

/* Keys from..to-1, at most LANE_KEYS, and their values, as floats step apart. */
typedef struct lane_keys {
    const float *k, *v;
    int64_t step, from, to;
} lane_keys;

/* Where they lie, if they are floats; else in room, which holds lanes_room() numbers. */
static lane_keys lanes_keys(const mdf_attention_task *t, int64_t from, int64_t to, float *room)
{
    if (t->kv_type == MDF_DTYPE_F32) {
        const int64_t at = from * t->ldk;
        return (lane_keys){(const float *)t->k + at, (const float *)t->v + at, t->ldk, from, to};
    }
    const int64_t step = (t->head_dim + VEC - 1) / VEC * VEC;
    float *v = room + LANE_KEYS * step;
    kv_widen(room, step, t->kv_type, t->k, t->ldk, from, to, t->head_dim);
    kv_widen(v, step, t->kv_type, t->v, t->ldk, from, to, t->head_dim);
    return (lane_keys){room, v, step, from, to};
}

/* Numbers of room that lanes_keys() needs. */
static int64_t lanes_room(mdf_dtype type, int64_t head_dim)
{
    return type == MDF_DTYPE_F32 ? 0 : 2 * LANE_KEYS * ((head_dim + VEC - 1) / VEC * VEC);
}

/* Fetches some keys and values into the second-level cache; those that are no floats lie one behind
 * the other, which the processor sees by itself. */
static void lanes_fetch(const mdf_attention_task *t, int64_t from, int64_t to)
{
    enum { LINE = 64 / sizeof(float) };
    for (int64_t j = from; t->kv_type == MDF_DTYPE_F32 && j < to; j++) {
        const float *k = (const float *)t->k + j * t->ldk;
        const float *v = (const float *)t->v + j * t->ldk;
        for (int64_t d = 0; d < t->head_dim; d += LINE) {
            _mm_prefetch((const char *)(k + d), _MM_HINT_T1);
            _mm_prefetch((const char *)(v + d), _MM_HINT_T1);
        }
    }
}

/* Of the keys those that the block sees. */
static void lanes_step(const mdf_attention_task *t, lanes *b, const lane_keys *keys, float *score)
{
    const int64_t from = keys->from > b->span.from ? keys->from : b->span.from;
    const int64_t to = keys->to < b->span.to ? keys->to : b->span.to;
    if (from >= to) {
        return;
    }
    const lane_product s = {.count = t->head_dim,
                            .a = keys->k + (from - keys->from) * keys->step,
                            .row_step = keys->step,
                            .l_step = 1,
                            .b = b->q,
                            .c = score,
                            .bias = t->key_bias == NULL ? NULL : t->key_bias + from};
    lane_scores(b->vectors, &s, to - from);
    lanes_mask(t, b, from, to, score);
    if (b->vectors == 3) {
        lane_softmax(3, b, score, to - from);
    } else if (b->vectors == 2) {
        lane_softmax(2, b, score, to - from);
    } else {
        lane_softmax(1, b, score, to - from);
    }
    const lane_product v = {.count = to - from,
                            .a = keys->v + (from - keys->from) * keys->step,
                            .row_step = 1,
                            .l_step = keys->step,
                            .b = score,
                            .c = b->y,
                            .keep = b->keep};
    lane_values(b->vectors, &v, t->head_dim);
}

/* y and lse of the block's rows. */
static void lanes_close(const mdf_attention_task *t, const lanes *b)
{
    for (int64_t r = 0; r < b->rows; r++) {
        const int64_t row = b->row + r;
        float *y = t->y + row_of(t, row, t->ldq);
        const float scale = row_close(t, row, b->max[r], b->sum[r]);
        for (int64_t d = 0; d < t->head_dim; d++) {
            y[d] = b->y[d * LANE_QUERIES + r] * scale;
        }
    }
}

#endif
