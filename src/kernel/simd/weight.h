/* Products with frozen weights that stay in their file's format: which way a call goes, its memory
 * and its threads. Included by one file for each instruction set. */
#ifndef MDF_KERNEL_SIMD_WEIGHT_H
#define MDF_KERNEL_SIMD_WEIGHT_H

#include "kernel/kernel.h"

enum {
    ROW_PIECE = 32768 /* fewest bytes of the weight that a thread takes at a time */
};

#include "kernel/simd/weight_int8.h"
#include "kernel/simd/weight_rows_int8.h"

#include "kernel/simd/weight_float.h"

#if defined(_OPENMP)
#include <omp.h>
static int weight_thread(void)
{
    return omp_get_thread_num();
}
#else
static int weight_thread(void)
{
    return 0;
}
#endif

enum { PASS_TOKENS = 768 }; /* rows of x in one pass over the weight: their sums stay in cache */

/* How a call's scratch is cut: tokens of all threads, then each thread's own part. */
typedef struct weight_layout {
    bool int8, few;
    int64_t group_tokens, group_bytes, groups; /* rows of x side by side */
    int64_t panel_rows, panel_bytes;           /* rows of the weight, a chunk of them repacked */
    int64_t sums_bytes;
    int64_t own_bytes; /* of a thread */
} weight_layout;

static int64_t round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static weight_layout layout_of(const mdf_weight *w, int64_t m)
{
    weight_layout l = {.int8 = mdf_dtype_is_block(w->dtype), .few = m <= FEW};
    if (l.few) {
        l.own_bytes = l.int8 ? round_up(m * row_bytes_of(w->k, block_type_of(w->dtype)), 64) : 0;
        return l;
    }
    l.group_tokens = l.int8 ? TOKENS : FLOAT_TOKENS;
    l.groups = (m + l.group_tokens - 1) / l.group_tokens;
    l.panel_rows = FLOAT_PANEL;
    if (l.int8) {
        l.panel_rows = INT8_PANEL;
        l.group_bytes = w->k / BLOCK * (int64_t)sizeof(token_block);
        l.panel_bytes = round_up(CHUNK * (int64_t)sizeof(panel_block), 64);
    } else {
        l.group_bytes = w->k * FLOAT_TOKENS * (int64_t)sizeof(float);
        l.panel_bytes = (FLOAT_CHUNK + 4) * FLOAT_PANEL * (int64_t)sizeof(float);
    }
    const int64_t pass = m < PASS_TOKENS ? l.groups * l.group_tokens : PASS_TOKENS;
    l.sums_bytes = round_up(pass, l.group_tokens) * l.panel_rows * (int64_t)sizeof(float);
    l.own_bytes = l.panel_bytes + l.sums_bytes;
    return l;
}

static size_t gemm_weight_scratch(const mdf_weight *w, int64_t m, int threads)
{
    const weight_layout l = layout_of(w, m);
    return (size_t)(round_up(l.groups * l.group_bytes, 64) + threads * l.own_bytes);
}

typedef struct weight_call {
    const mdf_weight *w;
    weight_layout l;
    int64_t m;
    const float *x;
    float *y;
    uint8_t *tokens; /* groups */
} weight_call;

static void prepare_group(const weight_call *c, int64_t g)
{
    const int64_t first = g * c->l.group_tokens;
    const int64_t rows = c->m - first < c->l.group_tokens ? c->m - first : c->l.group_tokens;
    const float *x = c->x + first * c->w->k;
    if (c->l.int8) {
        round_tokens((token_block *)c->tokens, c->l.groups, g, x, rows, c->w->k, c->w->dtype);
    } else {
        interleave_tokens((float *)(c->tokens + g * c->l.group_bytes), x, rows, c->w->k);
    }
}

/* sums [tokens of groups g0..g1, PANEL] of the weight's rows first.. */
static void int8_panel(const weight_call *c, int64_t first, int64_t g0, int64_t g1,
                       panel_block *panel, float *sums)
{
    const block_type is = block_type_of(c->w->dtype);
    const int64_t blocks = c->w->k / BLOCK;
    const uint8_t *row[INT8_PANEL];
    for (int64_t r = 0; r < INT8_PANEL; r++) {
        const int64_t j = first + r < c->w->n ? first + r : c->w->n - 1;
        row[r] = (const uint8_t *)c->w->raw + j * (blocks / is.blocks) * is.bytes;
    }
    for (int64_t at = 0; at < blocks; at += CHUNK) {
        const int64_t count = blocks - at < CHUNK ? blocks - at : CHUNK;
        pack_panel(panel, row, count, c->w->dtype);
        for (int64_t g = g0; g < g1; g++) {
            const token_block *x = (const token_block *)c->tokens;
            const int64_t left = c->m - g * TOKENS;
            x += place_of_chunk(blocks, c->l.groups, g, at);
            int8_tokens(left < TOKENS ? (int)left : TOKENS, x, panel, count,
                        sums + (g - g0) * TOKENS * INT8_PANEL, c->w->dtype, at > 0);
        }
        for (int r = 0; r < INT8_PANEL; r++) {
            row[r] += count / is.blocks * is.bytes;
        }
    }
}

static void float_panels(const weight_call *c, int64_t first, int64_t g0, int64_t g1, float *panel,
                         float *sums)
{
    for (int64_t at = 0; at < c->w->k; at += FLOAT_CHUNK) {
        const int64_t count = c->w->k - at < FLOAT_CHUNK ? c->w->k - at : FLOAT_CHUNK;
        float_panel(panel, c->w, first, at, count);
        for (int64_t g = g0; g < g1; g++) {
            const float *x = (const float *)(c->tokens + g * c->l.group_bytes);
            float_tokens(c->m - g * FLOAT_TOKENS, x + at * FLOAT_TOKENS, panel, count,
                         sums + (g - g0) * FLOAT_TOKENS * FLOAT_PANEL, at > 0);
        }
    }
}

/* One panel of the weight's rows times one pass of x's rows. */
static void panel_product(const weight_call *c, int64_t first, int64_t g0, int64_t g1, uint8_t *own)
{
    float *sums = (float *)(own + c->l.panel_bytes);
    if (c->l.int8) {
        int8_panel(c, first, g0, g1, (panel_block *)own, sums);
    } else {
        float_panels(c, first, g0, g1, (float *)own, sums);
    }
    const int64_t rows = c->l.panel_rows;
    const int64_t width = c->w->n - first < rows ? c->w->n - first : rows;
    const int64_t t0 = g0 * c->l.group_tokens;
    const int64_t t1 = g1 * c->l.group_tokens < c->m ? g1 * c->l.group_tokens : c->m;
    for (int64_t t = t0; t < t1; t++) {
        float *y = c->y + t * c->w->n + first;
        const float *from = sums + (t - t0) * rows;
        if (width == rows) {
            for (int64_t j = 0; j < rows; j += VEC) {
                vec_store(y + j, vec_load(from + j));
            }
        } else {
            memcpy(y, from, (size_t)width * sizeof *y);
        }
    }
}

/* A generated token and the weights that it meets at once. */
typedef struct few_call {
    const mdf_weight *w;
    int64_t m;
    const float *x;
    float *const *y;
    int64_t x_at[MDF_WEIGHTS_MAX];       /* in a thread's scratch: x, rounded for that weight */
    int64_t own_bytes;                   /* of a thread */
    int64_t rows[MDF_WEIGHTS_MAX];       /* in a piece */
    int64_t pieces[MDF_WEIGHTS_MAX + 1]; /* of all weights before */
} few_call;

static void few_plan(few_call *c, int count)
{
    for (int j = 0; j < count; j++) {
        const mdf_weight *w = &c->w[j];
        const int64_t bytes = (int64_t)mdf_dtype_row_bytes(w->dtype, (size_t)w->k);
        c->rows[j] = bytes < ROW_PIECE ? ROW_PIECE / bytes : 1;
        c->pieces[j + 1] = c->pieces[j] + (w->n + c->rows[j] - 1) / c->rows[j];
        if (j > 0 && w->dtype == w[-1].dtype) {
            c->x_at[j] = c->x_at[j - 1];
        } else {
            c->x_at[j] = c->own_bytes;
            c->own_bytes += layout_of(w, c->m).own_bytes;
        }
    }
}

static void few_round(const few_call *c, int count, int8_t *own)
{
    for (int j = 0; j < count; j++) {
        const mdf_weight *w = &c->w[j];
        if (!mdf_dtype_is_block(w->dtype) || (j > 0 && w->dtype == w[-1].dtype)) {
            continue;
        }
        const block_type is = block_type_of(w->dtype);
        for (int64_t t = 0; t < c->m; t++) {
            round_row(own + c->x_at[j] + t * row_bytes_of(w->k, is), c->x + t * w->k, w->k, is);
        }
    }
}

static void few_piece(const few_call *c, int64_t i, const int8_t *own)
{
    int j = 0;
    while (i >= c->pieces[j + 1]) {
        j++;
    }
    const mdf_weight *w = &c->w[j];
    const int64_t first = (i - c->pieces[j]) * c->rows[j];
    const int64_t count = w->n - first < c->rows[j] ? w->n - first : c->rows[j];
    if (mdf_dtype_is_block(w->dtype)) {
        rows_int8(w, c->m, own + c->x_at[j], first, count, c->y[j]);
    } else {
        rows_float(w, c->m, c->x, first, count, c->y[j]);
    }
}

/* Every thread rounds x for itself, which is cheaper than to wait. The weights are handed out in
 * long pieces first, as every jump costs what was fetched ahead (docs/SPEED.md). */
static void gemm_weights(const mdf_weight w[], int count, int64_t m, const float *x,
                         float *const y[], void *scratch, int threads)
{
    few_call c = {.w = w, .m = m, .x = x, .y = y};
    few_plan(&c, count);
    if (m == 0) {
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        int8_t *own = (int8_t *)scratch + weight_thread() * c.own_bytes;
        few_round(&c, count, own);
#pragma omp for schedule(guided)
        for (int64_t i = 0; i < c.pieces[count]; i++) {
            few_piece(&c, i, own);
        }
    }
}

static void gemm_weight(const mdf_weight *w, int64_t m, const float *x, float *y, void *scratch,
                        int threads)
{
    if (m == 0) {
        return;
    }
    const weight_call c = {w, layout_of(w, m), m, x, y, scratch};
    if (c.l.few) {
        gemm_weights(w, 1, m, x, &y, scratch, threads);
        return;
    }
    uint8_t *own = c.tokens + round_up(c.l.groups * c.l.group_bytes, 64);
    const int64_t panels = (w->n + c.l.panel_rows - 1) / c.l.panel_rows;
    const int64_t pass = PASS_TOKENS / c.l.group_tokens;
    const int64_t passes = (c.l.groups + pass - 1) / pass;
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int64_t g = 0; g < c.l.groups; g++) {
            prepare_group(&c, g);
        }
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < panels * passes; i++) {
            const int64_t g0 = i / panels * pass;
            const int64_t g1 = g0 + pass < c.l.groups ? g0 + pass : c.l.groups;
            panel_product(&c, i % panels * c.l.panel_rows, g0, g1,
                          own + weight_thread() * c.l.own_bytes);
        }
    }
}

/* The one exported function of an instruction set's file. */
void MDF_SIMD_FILL(mdf_kernels *k)
{
    k->gemm_weight = gemm_weight;
    k->gemm_weight_scratch = gemm_weight_scratch;
    k->gemm_weights = gemm_weights;
}

#endif
