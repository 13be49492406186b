/* What the machine can do at most: multiply-adds in registers, and memory. */
#include <omp.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/bench_parts.h"

enum { REPEATS = 5, PEAK_ROUNDS = 2000000 };

#if defined(__x86_64__)
__attribute__((target("avx512f"), noinline)) static double fma_avx512(long rounds)
{
    __m512 a[12];
    for (int i = 0; i < 12; i++) {
        a[i] = _mm512_set1_ps((float)i);
    }
    const __m512 m = _mm512_set1_ps(0.999f);
    for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) {
            a[i] = _mm512_fmadd_ps(a[i], m, m);
        }
    }
    __m512 sum = a[0];
    for (int i = 1; i < 12; i++) {
        sum = _mm512_add_ps(sum, a[i]);
    }
    return (double)_mm512_reduce_add_ps(sum);
}

__attribute__((target("avx2,fma"), noinline)) static double fma_avx2(long rounds)
{
    __m256 a[12];
    for (int i = 0; i < 12; i++) {
        a[i] = _mm256_set1_ps((float)i);
    }
    const __m256 m = _mm256_set1_ps(0.999f);
    for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) {
            a[i] = _mm256_fmadd_ps(a[i], m, m);
        }
    }
    float out[8];
    _mm256_storeu_ps(out, a[0]);
    for (int i = 1; i < 12; i++) {
        float part[8];
        _mm256_storeu_ps(part, a[i]);
        out[0] += part[0];
    }
    return (double)out[0];
}
#endif

/* One thread's multiply-adds; returns how many floating-point operations that was. The value goes
 * to *sink, so that the compiler can't leave the work out. */
static double spin_fma(double *sink)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        *sink = fma_avx512(PEAK_ROUNDS);
        return 12.0 * 16 * 2 * PEAK_ROUNDS;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        *sink = fma_avx2(PEAK_ROUNDS);
        return 12.0 * 8 * 2 * PEAK_ROUNDS;
    }
#endif
    float a[8] = {0};
    for (long r = 0; r < PEAK_ROUNDS; r++) {
        for (int i = 0; i < 8; i++) {
            a[i] = a[i] * 0.999f + 0.999f;
        }
    }
    *sink = (double)(a[0] + a[7]);
    return 8.0 * 2 * PEAK_ROUNDS;
}

/* GFLOP/s of `threads` threads that do nothing but fused multiply-adds in registers. */
double mdf_bench_peak(int threads)
{
    double best = 0;
    for (int r = 0; r < REPEATS; r++) {
        double flops = 0;
        const double start = mdf_clock_seconds();
#pragma omp parallel num_threads(threads) reduction(+ : flops)
        {
            double sink = 0;
            flops += spin_fma(&sink);
            flops += sink > 1e300 ? 1 : 0;
        }
        const double rate = flops / (mdf_clock_seconds() - start) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}

double mdf_bench_memory(const mdf_kernels *k, int threads, float *y, const float *x, int64_t n)
{
    enum { PIECES = 64 };
    double best = 0;
    for (int r = 0; r < REPEATS; r++) {
        const double start = mdf_clock_seconds();
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < PIECES; i++) {
            const int64_t at = n * i / PIECES;
            k->axpy(y + at, 0.5f, x + at, n * (i + 1) / PIECES - at);
        }
        const double rate = 12.0 * (double)n / (mdf_clock_seconds() - start) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}

mdf_status mdf_bench_machine(mdf_bench *b, mdf_error *err)
{
    const int64_t n = 1 << 25; /* 128 MiB, more than any cache here */
    MDF_TRY(mdf_bench_next(b, "the machine", err));
    float *x = mdf_alloc((size_t)n, sizeof *x);
    float *y = mdf_alloc((size_t)n, sizeof *y);
    if (x != NULL && y != NULL) {
        const int threads[2] = {1, b->report->threads};
        for (int i = 0; i < 2; i++) {
            b->report->peak[i] = mdf_bench_peak(threads[i]);
            b->report->memory[i] = mdf_bench_memory(b->kernels, threads[i], y, x, n);
        }
    }
    const bool good = x != NULL && y != NULL;
    mdf_free(x);
    mdf_free(y);
    return good ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
}
