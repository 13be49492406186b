/* How fast the dense kernels are at the shapes of the U-Net, as a share of what this machine can
 * do.
 *
 *     build/bench_kernels [--threads N] [--base C] [--isa NAME] [--only WORD]
 *     build/bench_kernels --only error   (how exact the convolutions are)
 *
 * Prints CSV: what, shape, milliseconds, GFLOP/s (or GB/s), share of the measured FMA peak, and for
 * convolutions the time of oneDNN's direct algorithm, measured in turns with ours. GFLOP/s count
 * the operations of the definition, so that an algorithm that needs fewer can exceed the peak. Best
 * of several runs: other work on the machine only ever makes a run slower. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "kernel/kernel.h"

typedef struct bench {
    mdf_kernels *k;
    mdf_kernels plain; /* oneDNN alone */
    double peak;       /* GFLOP/s of all threads */
    const char *only;
    float *x, *y, *z, *w;
} bench;

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
static double peak_gflops(int threads)
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

/* GB/s of y = a x + y over arrays that no cache holds: two read, one written. */
static double memory_rate(const bench *b, int threads, int64_t n)
{
    double best = 0;
    for (int r = 0; r < REPEATS; r++) {
        const double start = mdf_clock_seconds();
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < 64; i++) {
            const int64_t at = n * i / 64;
            b->k->axpy(b->y + at, 0.5f, b->x + at, n * (i + 1) / 64 - at);
        }
        const double rate = 12.0 * (double)n / (mdf_clock_seconds() - start) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}

static bool wanted(const bench *b, const char *what)
{
    return b->only == NULL || strstr(what, b->only) != NULL;
}

static void print_row(const bench *b, const char *what, const char *shape, double flops, double s)
{
    const double rate = flops / s * 1e-9;
    printf("%s,%s,%.2f,%.1f,%.0f%%\n", what, shape, s * 1e3, rate, 100 * rate / b->peak);
    fflush(stdout);
}

static void bench_gemm(const bench *b, int64_t m, int64_t n, int64_t k)
{
    if (!wanted(b, "gemm")) {
        return;
    }
    double best = 1e9;
    for (int r = 0; r < REPEATS + 1; r++) {
        const double start = mdf_clock_seconds();
        b->k->gemm(false, true, m, n, k, 1, b->x, k, b->w, k, 0, b->y, n);
        const double s = mdf_clock_seconds() - start;
        best = r > 0 && s < best ? s : best;
    }
    char shape[96];
    snprintf(shape, sizeof shape, "%lldx%lldx%lld", (long long)m, (long long)n, (long long)k);
    print_row(b, "gemm", shape, 2.0 * (double)(m * n * k), best);
}

/* which: 0 forward, 1 backward-data, 2 backward-weights, 3 backward-data that adds */
static bool run_conv(const bench *b, const mdf_kernels *k, const mdf_conv_shape *s, int which)
{
    switch (which) {
    case 0:
        return k->conv2d_fwd(k->conv_cache, s, b->y, b->x, b->w, NULL);
    case 2:
        return k->conv2d_bwd_weights(k->conv_cache, s, b->w, NULL, b->x, b->y);
    default:
        return k->conv2d_bwd_data(k->conv_cache, s, b->z, b->y, b->w, which == 3);
    }
}

/* total: ours and oneDNN's seconds, += count layers of this shape. */
static void bench_conv(const bench *b, const mdf_conv_shape *s, int which, int count,
                       double total[2])
{
    static const char *const names[] = {"conv_fwd", "conv_bwd_data", "conv_bwd_weights"};
    if (!wanted(b, names[which]) || count == 0 || (which == 1 && s->cin == 3)) {
        return;
    }
    double best[2] = {1e9, 1e9};
    for (int r = 0; r < 2 * (REPEATS + 1); r++) {
        const double start = mdf_clock_seconds();
        if (!run_conv(b, r % 2 == 0 ? b->k : &b->plain, s, which)) {
            fprintf(stderr, "bench_kernels: out of memory\n");
            exit(1);
        }
        const double t = mdf_clock_seconds() - start;
        best[r % 2] = r > 1 && t < best[r % 2] ? t : best[r % 2];
    }
    char shape[96];
    snprintf(shape, sizeof shape, "%lldx%lldx%lldx%lld-%lld k%lld", (long long)s->n,
             (long long)s->h, (long long)s->w, (long long)s->cin, (long long)s->cout,
             (long long)s->kernel);
    const int64_t products = s->n * s->h * s->w * s->cin * s->cout * s->kernel * s->kernel;
    print_row(b, names[which], shape, 2.0 * (double)products, best[0]);
    printf("%s,  oneDNN takes,%.2f,,%.2f times\n", names[which], best[1] * 1e3, best[1] / best[0]);
    fflush(stdout);
    total[0] += best[0] * count;
    total[1] += best[1] * count;
}

/* Group norm with ReLU over a batch, forward and backward, as the tensor layer calls it. */
static double bench_norm(const bench *b, int64_t n, int64_t size, int64_t c, bool backward)
{
    if (!wanted(b, "group_norm")) {
        return 0;
    }
    const int64_t p = size * size;
    double best = 1e9;
    for (int r = 0; r < REPEATS; r++) {
        const double start = mdf_clock_seconds();
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = i * p * c;
            float stats[16] = {0};
            float scratch[2 * 2048];
            float dw[2 * 2048];
            if (backward) {
                b->k->group_norm_bwd(b->z + at, dw, dw + 2048, b->y + at, b->x + at, b->y + at,
                                     b->w, stats, p, c, 8, true, false, scratch);
            } else {
                b->k->group_norm_fwd(b->y + at, stats, b->x + at, b->w, b->w + c, p, c, 8, 1e-5f,
                                     true);
            }
        }
        const double s = mdf_clock_seconds() - start;
        best = s < best ? s : best;
    }
    printf("%s,%lldx%lldx%lldx%lld,%.2f,%.1f GB/s,\n",
           backward ? "group_norm_bwd" : "group_norm_fwd", (long long)n, (long long)size,
           (long long)size, (long long)c, best * 1e3,
           4.0 * (double)(n * p * c) * (backward ? 4 : 2) / best * 1e-9);
    return best;
}

static void bench_unet(const bench *b, int64_t n, int64_t base, int64_t size)
{
    static const char *const names[] = {"conv_fwd", "conv_bwd_data", "conv_bwd_weights"};
    double norm = 0;
    for (int which = 0; which < 3; which++) {
        double total[2] = {0};
        for (int64_t l = 0; l < 5; l++) {
            const int64_t c = base << l;
            const int64_t in = l == 0 ? 3 : c / 2;
            mdf_conv_shape s = {n, size >> l, size >> l, in, c, 3};
            bench_conv(b, &s, which, 1, total);
            s.cin = c;
            bench_conv(b, &s, which, l < 4 ? 2 : 1, total); /* the decoder's second too */
            s.cin = 2 * c;
            bench_conv(b, &s, which, l < 4 ? 1 : 0, total);
        }
        printf("%s,U-Net %lld all levels,%.1f,,\n", names[which], (long long)base, total[0] * 1e3);
        printf("%s,  oneDNN takes,%.1f,,%.2f times\n", names[which], total[1] * 1e3,
               total[1] / total[0]);
    }
    for (int64_t l = 0; l < 5; l++) {
        const double layers = l < 4 ? 4 : 2;
        norm += layers * bench_norm(b, n, size >> l, base << l, false);
        norm += layers * bench_norm(b, n, size >> l, base << l, true);
    }
    printf("group_norm,U-Net %lld all levels,%.1f,,\n", (long long)base, norm * 1e3);
}

typedef struct difference {
    double worst,
        mean; /* largest and root mean square, as a share of the values' root mean square */
} difference;

static difference compare(const float *got, const float *want, int64_t n)
{
    double square = 0;
    double sum = 0;
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)got[i] - (double)want[i]);
        square += (double)want[i] * (double)want[i];
        sum += d * d;
        worst = d > worst ? d : worst;
    }
    return (difference){worst / sqrt(square / (double)n), sqrt(sum / square)};
}

/* Sums of 12 uniform numbers: nearly normal. */
static void fill_normal(float *x, int64_t n, uint32_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        float sum = -6;
        for (int j = 0; j < 12; j++) {
            seed = seed * 1664525u + 1013904223u;
            sum += (float)(seed >> 8) * 0x1p-24f;
        }
        x[i] = sum;
    }
}

/* How far ours and oneDNN's convolutions are from sums in double. */
static void bench_accuracy(const bench *b, const mdf_conv_shape *s)
{
    static const char *const names[] = {"conv_fwd", "conv_bwd_data", "conv_bwd_weights"};
    mdf_kernels ref;
    mdf_kernels_fill_ref(&ref);
    const mdf_kernels *table[3] = {&ref, b->k, &b->plain};
    const int64_t nx = s->n * s->h * s->w * s->cin;
    const int64_t ny = s->n * s->h * s->w * s->cout;
    const int64_t nw = s->cin * s->cout * 9;
    fill_normal(b->x, nx, 1);
    fill_normal(b->y, ny, 2);
    fill_normal(b->w, nw, 3);
    for (int which = 0; which < 3; which++) {
        const int64_t n = which == 0 ? ny : (which == 1 ? nx : nw);
        float *out[3] = {b->z, b->z + n, b->z + 2 * n};
        memset(b->z, 0, (size_t)(3 * n) * sizeof *b->z);
        for (int i = 0; i < 3; i++) {
            void *cache = i == 0 ? NULL : table[i]->conv_cache;
            const bool ok = which == 0 ? table[i]->conv2d_fwd(cache, s, out[i], b->x, b->w, NULL)
                            : which == 1
                                ? table[i]->conv2d_bwd_data(cache, s, out[i], b->y, b->w, false)
                                : table[i]->conv2d_bwd_weights(cache, s, out[i], NULL, b->x, b->y);
            if (!ok) {
                fprintf(stderr, "bench_kernels: out of memory\n");
                exit(1);
            }
        }
        for (int i = 1; i < 3; i++) {
            const difference d = compare(out[i], out[0], n);
            printf("%s error %s,%lldx%lldx%lld-%lld,worst %.1e,rms %.1e,\n", names[which],
                   i == 1 ? "ours" : "oneDNN", (long long)s->h, (long long)s->w, (long long)s->cin,
                   (long long)s->cout, d.worst, d.mean);
        }
    }
}

static const char *option(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return fallback;
}

int main(int argc, char **argv)
{
    const int threads = (int)strtol(option(argc, argv, "--threads", "2"), NULL, 10);
    const int64_t base = strtol(option(argc, argv, "--base", "32"), NULL, 10);
    const int64_t batch = 8;
    const int64_t size = 256;
    const int64_t n = batch * size * size * base * 2; /* the widest: a decoder's concatenation */
    if (threads < 1 || base < 8) {
        fprintf(stderr, "bench_kernels: --threads and --base want a positive number\n");
        return 2;
    }
    omp_set_num_threads(threads);
    mdf_error err = {0};
    bench b = {.only = option(argc, argv, "--only", NULL)};
    if (mdf_kernels_new(&b.k, option(argc, argv, "--isa", NULL), &err) != MDF_OK) {
        fprintf(stderr, "bench_kernels: %s\n", err.text);
        return 1;
    }
    mdf_kernels_fill_ref(&b.plain);
    if (!mdf_kernels_fill_dnnl(&b.plain)) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        return 1;
    }
    b.x = mdf_alloc((size_t)n, sizeof *b.x);
    b.y = mdf_alloc((size_t)n, sizeof *b.y);
    b.z = mdf_alloc((size_t)n, sizeof *b.z);
    b.w = mdf_alloc(1 << 24, sizeof *b.w);
    if (b.x == NULL || b.y == NULL || b.z == NULL || b.w == NULL) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        return 1;
    }
    for (int64_t i = 0; i < n; i++) {
        b.x[i] = (float)(i % 17) * 0.1f - 0.8f;
        b.y[i] = (float)(i % 13) * 0.1f - 0.6f;
    }
    for (int64_t i = 0; i < 1 << 24; i++) {
        b.w[i] = (float)(i % 11) * 0.01f - 0.05f;
    }
    b.peak = peak_gflops(threads);
    printf("what,shape,ms,GFLOP/s,share of peak\n");
    printf("fma peak,%d thread,,%.1f,\nfma peak,%d threads,,%.1f,\n", 1, peak_gflops(1), threads,
           b.peak);
    printf("memory,1 thread,,%.1f GB/s,\nmemory,%d threads,,%.1f GB/s,\n", memory_rate(&b, 1, n),
           threads, memory_rate(&b, threads, n));
    bench_gemm(&b, 1601, 5120, 1280);
    bench_gemm(&b, 256, 4096, 4096);
    bench_gemm(&b, 3136, 64, 576);
    bench_gemm(&b, 64, 576, 576);
    bench_unet(&b, batch, base, size);
    if (b.only != NULL && strcmp(b.only, "error") == 0) {
        for (int64_t c = 32; c <= 256; c *= 2) {
            bench_accuracy(&b, &(mdf_conv_shape){2, 1024 / c, 1024 / c, c, c, 3});
        }
    }
    mdf_kernels_free(b.k);
    b.plain.conv_cache_free(b.plain.conv_cache);
    mdf_free(b.x);
    mdf_free(b.y);
    mdf_free(b.z);
    mdf_free(b.w);
    return 0;
}
