/* The files of the benchmark among themselves. */
#ifndef MDF_BENCH_BENCH_PARTS_H
#define MDF_BENCH_BENCH_PARTS_H

#include "bench/bench.h"
#include "kernel/kernel.h"

/* What every part needs. */
typedef struct mdf_bench {
    const mdf_bench_options *opt;
    mdf_config config; /* with labels */
    mdf_kernels *kernels;
    mdf_bench_report *report;
} mdf_bench;

/* Says what comes next; MDF_ERR_STOPPED if the user wants to end. */
mdf_status mdf_bench_next(const mdf_bench *b, const char *what, mdf_error *err) MDF_NODISCARD;

/* Sorts and returns the middle. */
double mdf_bench_median(double *seconds, int n);

/* A new row; further ones than MDF_BENCH_ROWS overwrite the last. */
mdf_bench_row *mdf_bench_add(const mdf_bench *b, const char *what, double flops, double seconds,
                             const char *shape, ...) MDF_PRINTF(5, 6);

/* The row moves `bytes`, which memory alone takes plain_seconds for. */
void mdf_bench_set_reading(mdf_bench_row *row, double bytes, double plain_seconds);

/* What a plain read is to read; pieces are shared out among the threads. Zeroed: nothing. */
typedef struct mdf_bench_piece {
    const uint8_t *data;
    size_t bytes;
} mdf_bench_piece;
typedef struct mdf_bench_reads {
    mdf_bench_piece *piece;
    size_t count, capacity, bytes;
} mdf_bench_reads;
mdf_status mdf_bench_reads_add(mdf_bench_reads *r, const void *data, size_t bytes,
                               mdf_error *err) MDF_NODISCARD;
double mdf_bench_reads_seconds(const mdf_bench_reads *r);
void mdf_bench_reads_free(mdf_bench_reads *r);

/* Multiplications and additions of the vision tower, its projector and the keys and values of its
 * tokens, for one picture of `tiles` tiles. */
double mdf_bench_vision_flops(const mdf_config *c, int tiles);
/* Of `rows` rows of text behind a picture: the dense products, with the logits of `answers` rows,
 * and the attention over image tokens, which is the largest of the rest. tiles 0: no picture. */
double mdf_bench_text_flops(const mdf_config *c, double rows, double answers, int tiles);

/* Fused multiply-adds in registers, GFLOP/s. */
double mdf_bench_peak(int threads);
/* GB/s of y = a x + y over n numbers. */
double mdf_bench_memory(const mdf_kernels *k, int threads, float *y, const float *x, int64_t n);

mdf_status mdf_bench_machine(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_unet(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_model(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_gemm(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_weights(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_conv(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_depthwise(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_attention(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_optimizer(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_stages(mdf_bench *b, mdf_error *err) MDF_NODISCARD;

/* A prompt like those of the data sets: words of a sentence about case i. */
const char *mdf_bench_sentence(int64_t i);

#endif
