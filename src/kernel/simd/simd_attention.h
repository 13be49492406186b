/* Attention with running softmax: of many rows in simd_attention_lanes.h, of a few in
 * simd_attention_few.h. */
#ifndef MDF_KERNEL_SIMD_SIMD_ATTENTION_H
#define MDF_KERNEL_SIMD_SIMD_ATTENTION_H

#include "kernel/simd/simd_attention_few.h"
#include "kernel/simd/simd_attention_lanes.h"

static size_t attention_scratch(mdf_dtype kv_type, int64_t head_dim, int64_t nk)
{
    (void)nk;
    const int64_t rows = LANE_BLOCKS * 2 * head_dim * LANE_QUERIES;
    return (size_t)(rows + LANE_KEYS * LANE_QUERIES + lanes_room(kv_type, head_dim)) *
           sizeof(float);
}

/* LANE_BLOCKS blocks of queries at a time. */
static void lanes_rows(const mdf_attention_task *t, void *scratch)
{
    lanes block[LANE_BLOCKS];
    float *score = scratch;
    float *room = score + LANE_KEYS * LANE_QUERIES;
    for (int b = 0; b < LANE_BLOCKS; b++) {
        block[b].q = room + 2 * b * t->head_dim * LANE_QUERIES;
        block[b].y = block[b].q + t->head_dim * LANE_QUERIES;
    }
    float *widened = room + LANE_BLOCKS * 2 * t->head_dim * LANE_QUERIES;
    for (int64_t at = 0; at < t->rows; at += LANE_BLOCKS * LANE_QUERIES) {
        int blocks = 0;
        int64_t from = INT64_MAX;
        int64_t to = 0;
        for (; blocks < LANE_BLOCKS && at + blocks * LANE_QUERIES < t->rows; blocks++) {
            lanes *b = &block[blocks];
            const int64_t left = t->rows - at - blocks * LANE_QUERIES;
            lanes_open(t, b, t->first + at + blocks * LANE_QUERIES,
                       left < LANE_QUERIES ? left : LANE_QUERIES);
            from = b->span.from < from ? b->span.from : from;
            to = b->span.to > to ? b->span.to : to;
        }
        for (int64_t key = from / LANE_KEYS * LANE_KEYS; key < to; key += LANE_KEYS) {
            const lane_keys keys =
                lanes_keys(t, key, key + LANE_KEYS < to ? key + LANE_KEYS : to, widened);
            for (int b = 0; b < blocks; b++) {
                const int64_t next = key + LANE_KEYS + LANE_KEYS * b / blocks;
                const int64_t end = key + LANE_KEYS + LANE_KEYS * (b + 1) / blocks;
                lanes_fetch(t, next, end < to ? end : to);
                lanes_step(t, &block[b], &keys, score);
            }
        }
        for (int b = 0; b < blocks; b++) {
            lanes_close(t, &block[b]);
        }
    }
}

static void attention(const mdf_attention_task *t, void *scratch)
{
    if (t->rows > FEW_MOST) {
        lanes_rows(t, scratch);
        return;
    }
    for (int64_t r = 0; r < t->rows; r += FEW_ROWS) {
        few_rows(t, t->first + r, t->rows - r < FEW_ROWS ? t->rows - r : FEW_ROWS, scratch);
    }
}

#endif
