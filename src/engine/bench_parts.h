/* The files of the benchmark among themselves. */
#ifndef MDF_ENGINE_BENCH_PARTS_H
#define MDF_ENGINE_BENCH_PARTS_H

#include "engine/bench.h"
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
mdf_status mdf_bench_attention(mdf_bench *b, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_bench_stages(mdf_bench *b, mdf_error *err) MDF_NODISCARD;

/* A prompt like those of the data sets: words of a sentence about case i. */
const char *mdf_bench_sentence(int64_t i);

#endif
