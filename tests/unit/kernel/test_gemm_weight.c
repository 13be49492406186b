/* Products with frozen weights: every level, every format, every tail of rows and columns, against
 * the reference. */
#include <float.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/ref/ref.h"
#include "kernel_test.h"

enum { M_MAX = 27, N_MAX = 71, K_MAX = 1056 };

#if defined(__SANITIZE_THREAD__)
enum { THREADS_MAX = 1 }; /* TSan cannot see libgomp's barriers */
#else
enum { THREADS_MAX = 2 };
#endif

static const mdf_dtype types[] = {MDF_DTYPE_F32,  MDF_DTYPE_F16,  MDF_DTYPE_BF16, MDF_DTYPE_Q8_0,
                                  MDF_DTYPE_Q4_0, MDF_DTYPE_Q4_1, MDF_DTYPE_Q5_0, MDF_DTYPE_Q5_1,
                                  MDF_DTYPE_Q4_K, MDF_DTYPE_Q5_K, MDF_DTYPE_Q6_K};
enum { TYPES = sizeof types / sizeof types[0] };

static const char *const all_levels[] = {"avx2", "avx512", "avx512vnni"};
enum { ALL_LEVELS = sizeof all_levels / sizeof all_levels[0] };

/* Weights of about unit size. The bytes stand at an odd address and end where the memory ends, so
 * that a sanitizer sees what is read behind them. */
static uint8_t *random_weight(mdf_weight *w, mdf_dtype dtype, int64_t n, int64_t k, uint32_t seed)
{
    const size_t bytes = (size_t)n * mdf_dtype_row_bytes(dtype, (size_t)k);
    const size_t block = mdf_dtype_block(dtype);
    uint8_t *p = mdf_alloc(bytes + 1, 1);
    assert_non_null(p);
    for (size_t i = 0; i * mdf_dtype_bytes(dtype) < bytes; i++) {
        float x[256];
        fill(x, (int64_t)block, 1, seed * 1000 + (uint32_t)i);
        assert_true(mdf_dtype_from_floats(dtype, x, block, p + 1 + i * mdf_dtype_bytes(dtype)));
    }
    *w = (mdf_weight){p + 1, dtype, n, k};
    return p;
}

/* The types whose products round x to eight bits. */
static bool rounds(mdf_dtype dtype)
{
    return mdf_dtype_is_block(dtype);
}

/* Bytes of a block that are no scales: from, and how many. */
static size_t quants(mdf_dtype dtype, size_t *count)
{
    size_t from = 2;
    if (dtype == MDF_DTYPE_Q6_K) {
        *count = 192;
        return 0;
    }
    if (dtype == MDF_DTYPE_Q4_1 || dtype == MDF_DTYPE_Q5_1) {
        from = 4;
    } else if (dtype == MDF_DTYPE_Q4_K || dtype == MDF_DTYPE_Q5_K) {
        from = 16;
    }
    *count = mdf_dtype_bytes(dtype) - from;
    return from;
}

/* out [k] = what every number of a row is when its quants are least: minima, or - offset * scale.
 */
static void minima(const mdf_weight *w, int64_t row, float *out)
{
    static uint8_t copy[K_MAX * 4];
    const size_t bytes = mdf_dtype_row_bytes(w->dtype, (size_t)w->k);
    size_t count = 0;
    const size_t from = quants(w->dtype, &count);
    assert_true(bytes <= sizeof copy);
    memcpy(copy, (const uint8_t *)w->raw + (size_t)row * bytes, bytes);
    for (size_t at = 0; at < bytes; at += mdf_dtype_bytes(w->dtype)) {
        memset(copy + at + from, w->dtype == MDF_DTYPE_Q8_0 ? 0x80 : 0, count);
    }
    mdf_weight_floats(&(mdf_weight){copy, w->dtype, 1, w->k}, 0, 0, w->k, out);
}

static bool is_length(mdf_dtype dtype, int64_t k)
{
    return k % (int64_t)mdf_dtype_block(dtype) == 0;
}

static void run(const mdf_kernels *k, const mdf_weight *w, int64_t m, const float *x, float *y,
                int threads)
{
    const size_t bytes = k->gemm_weight_scratch(w, m, threads);
    uint8_t *scratch = bytes == 0 ? NULL : mdf_alloc(bytes, 1);
    assert_true(bytes == 0 || scratch != NULL);
    k->gemm_weight(w, m, x, y, scratch, threads);
    mdf_free(scratch);
}

/* The most that rounding x to eight bits can change one result: half a step of every block's scale
 * (largest / 127) times that block's weights. */
static double rounding_bound(const float *x, const float *w, int64_t k)
{
    double bound = 0;
    for (int64_t at = 0; at < k; at += 32) {
        double largest = 0;
        double sum = 0;
        for (int64_t i = at; i < at + 32; i++) {
            largest = fmax(largest, fabs((double)x[i]));
            sum += fabs((double)w[i]);
        }
        bound += largest / 254 * sum;
    }
    return bound;
}

/* Sums of k floats in another order: k roundings of at most 6e-8 of the sum of magnitudes are never
 * reached; a tenth of that is. In blocks, with m the least value, (w - m) x and m x are summed
 * apart. */
static double float_bound(const float *x, const float *w, const float *m, int64_t k)
{
    double sum = 0;
    for (int64_t i = 0; i < k; i++) {
        sum += fabs((double)x[i]) * (fabs((double)w[i] - (double)m[i]) + fabs((double)m[i]));
    }
    return sum * (6e-9 * (double)k + 3e-7);
}

/* Every number within its bound; x_exact: eight bits hold x. Returns the worst share of a bound. */
static double check(const mdf_kernels *k, const mdf_weight *w, int64_t m, const float *x,
                    const float *got, const float *want, bool x_exact)
{
    static float row[K_MAX], least[K_MAX];
    double worst = 0;
    for (int64_t j = 0; j < w->n; j++) {
        mdf_weight_floats(w, j, 0, w->k, row);
        memset(least, 0, sizeof least);
        if (rounds(w->dtype)) {
            minima(w, j, least);
        }
        for (int64_t i = 0; i < m; i++) {
            double bound = float_bound(x + i * w->k, row, least, w->k);
            bound += x_exact ? 0 : rounding_bound(x + i * w->k, row, w->k);
            const double error = fabs((double)got[i * w->n + j] - (double)want[i * w->n + j]);
            worst = fmax(worst, error / bound);
            if (!(error <= bound)) {
                fail_msg("%s %s, %lld x %lld x %lld: y[%lld,%lld] is %.9g, want %.9g", k->isa,
                         mdf_dtype_name(w->dtype), (long long)m, (long long)w->n, (long long)w->k,
                         (long long)i, (long long)j, (double)got[i * w->n + j],
                         (double)want[i * w->n + j]);
            }
        }
    }
    return worst;
}

static void compare(const mdf_kernels *ref, const mdf_kernels *k, const mdf_weight *w, int64_t m)
{
    static float x[M_MAX * K_MAX], got[M_MAX * N_MAX + 1], want[M_MAX * N_MAX];
    fill(x, m * w->k, 2, (uint32_t)(m + w->n));
    got[m * w->n] = 42;
    run(ref, w, m, x, want, 1);
    run(k, w, m, x, got, 1);
    assert_true(got[m * w->n] == 42);
    const double worst = check(k, w, m, x, got, want, !rounds(w->dtype));
    /* x was rounded: the test can see an error */
    assert_true(!rounds(w->dtype) || m == 0 || worst > 0);
}

typedef void weight_test(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype);

static void each_level_and_type(weight_test *test)
{
    mdf_kernels *ref = level("ref");
    for (int i = 0; i < ALL_LEVELS; i++) {
        mdf_kernels *k = level(all_levels[i]);
        for (int t = 0; t < TYPES; t++) {
            test(ref, k, types[t]);
        }
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

static void tails_of_rows(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    mdf_weight w;
    uint8_t *bytes = random_weight(&w, dtype, 35, is_length(dtype, 96) ? 96 : 256, 1);
    for (int64_t m = 0; m <= M_MAX; m++) {
        compare(ref, k, &w, m);
    }
    mdf_free(bytes);
}

static void every_number_of_rows_of_x(void **state)
{
    (void)state;
    each_level_and_type(tails_of_rows);
}

static void tails_of_columns(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    for (int64_t n = 1; n <= N_MAX && is_length(dtype, 32); n++) {
        mdf_weight w;
        uint8_t *bytes = random_weight(&w, dtype, n, 32, (uint32_t)n);
        compare(ref, k, &w, 1);
        compare(ref, k, &w, 7);
        mdf_free(bytes);
    }
}

static void every_number_of_rows_of_w(void **state)
{
    (void)state;
    each_level_and_type(tails_of_columns);
}

/* Multiples of a block, and of what is taken at a time: 128 numbers, 256, 512. */
static void lengths(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    static const int64_t length[] = {32,  64,  96,  128, 160, 224, 256,  288,
                                     480, 512, 544, 576, 768, 800, 1024, 1056};
    for (size_t i = 0; i < sizeof length / sizeof length[0]; i++) {
        mdf_weight w;
        if (!is_length(dtype, length[i])) {
            continue;
        }
        uint8_t *bytes = random_weight(&w, dtype, 5, length[i], (uint32_t)i);
        for (int64_t m = 1; m <= 5; m += 2) {
            compare(ref, k, &w, m);
        }
        mdf_free(bytes);
    }
}

static void every_kind_of_length(void **state)
{
    (void)state;
    each_level_and_type(lengths);
}

/* Rows of floats need not be a multiple of anything. */
static void odd_lengths(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    for (int64_t length = 1; length <= 67 && !mdf_dtype_is_block(dtype); length++) {
        static float x[6 * 67], got[6 * 19], want[6 * 19];
        mdf_weight w;
        uint8_t *bytes = random_weight(&w, dtype, 19, length, (uint32_t)length);
        fill(x, 6 * length, 1, 5);
        for (int64_t m = 1; m <= 6; m += 5) {
            run(ref, &w, m, x, want, 1);
            run(k, &w, m, x, got, 1);
            assert_close(got, want, m * 19, 2e-6, 1, k->isa); /* up to 67 roundings of 6e-8 */
        }
        mdf_free(bytes);
    }
}

static void floats_of_any_length(void **state)
{
    (void)state;
    each_level_and_type(odd_lengths);
}

/* More rows of x than one pass over the weight takes. */
static void passes(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    enum { M = 1541, N = 3, K = 256 };
    static float x[M * K], got[M * N], want[M * N];
    mdf_weight w;
    uint8_t *bytes = random_weight(&w, dtype, N, K, 9);
    fill(x, M * K, 1, 6);
    run(ref, &w, M, x, want, 1);
    run(k, &w, M, x, got, THREADS_MAX);
    /* half a step of at most 1/127 on each of 256 numbers adds up to sqrt(256) / 254 or so; the
     * exact bound is checked above */
    assert_close(got, want, M * N, rounds(dtype) ? 0.1 : 1.5e-5, 1, k->isa);
    mdf_free(bytes);
}

static void more_rows_than_a_pass(void **state)
{
    (void)state;
    each_level_and_type(passes);
}

static void threads(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    enum { K = 256 };
    static float x[M_MAX * K], one[M_MAX * N_MAX], two[M_MAX * N_MAX];
    static const int64_t rows[] = {1, 3, 4, M_MAX};
    (void)ref;
    mdf_weight w;
    uint8_t *bytes = random_weight(&w, dtype, N_MAX, K, 4);
    fill(x, M_MAX * K, 1, 8);
    for (int i = 0; i < 4; i++) {
        run(k, &w, rows[i], x, one, 1);
        run(k, &w, rows[i], x, two, THREADS_MAX);
        assert_memory_equal(one, two, (size_t)(rows[i] * N_MAX) * sizeof one[0]);
    }
    mdf_free(bytes);
}

static void one_thread_and_two_give_the_same_bits(void **state)
{
    (void)state;
    each_level_and_type(threads);
}

/* A broken number of x must be seen in its row, and there only; zeros give zeros. */
static void broken(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    enum { K = 256 };
    static const int64_t rows[] = {2, 7};
    static const float bad[] = {NAN, INFINITY};
    (void)ref;
    mdf_weight w;
    uint8_t *bytes = random_weight(&w, dtype, 18, K, 4);
    for (int i = 0; i < 4; i++) {
        float x[7 * K];
        float y[7 * 18];
        fill(x, 7 * K, 1, 8);
        memset(x + K, 0, K * sizeof x[0]);
        for (int64_t at = 0; at < K; at += 3) {
            const float old = x[at];
            x[at] = bad[i % 2];
            run(k, &w, rows[i / 2], x, y, 1);
            for (int64_t j = 0; j < 18; j++) {
                assert_true(!(fabsf(y[j]) <= FLT_MAX));
                assert_true(y[18 + j] == 0);
            }
            x[at] = old;
        }
    }
    mdf_free(bytes);
}

static void broken_numbers_are_seen(void **state)
{
    (void)state;
    each_level_and_type(broken);
}

/* One of two, without a pattern. */
static bool coin(uint32_t i)
{
    i = (i ^ (i >> 7)) * 2654435761u;
    return (i >> 16 & 1) != 0;
}

/* The largest magnitudes of everything, scales of scales included: sums must not wrap. The last of
 * all mixes the least and the largest numbers, and signs of x. */
static void extremes(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    static const uint8_t byte[] = {0x80, 0x7f, 0x00, 0xff};
    enum { MIXED = sizeof byte / sizeof byte[0] };
    static float x[7 * 512];
    const size_t step = mdf_dtype_bytes(dtype);
    const bool two = dtype == MDF_DTYPE_Q4_1 || dtype == MDF_DTYPE_Q5_1 ||
                     dtype == MDF_DTYPE_Q4_K || dtype == MDF_DTYPE_Q5_K;
    const size_t halves = two ? 4 : 2; /* bytes that stay: before the rest, or after it */
    const size_t at = dtype == MDF_DTYPE_Q6_K ? 0 : halves;
    for (int q = 0; q <= MIXED && rounds(dtype); q++) {
        float got[7 * 18];
        float want[7 * 18];
        mdf_weight w;
        uint8_t *bytes = random_weight(&w, dtype, 18, 512, 4);
        for (size_t i = 0; i < 18 * 512 / mdf_dtype_block(dtype); i++) {
            uint8_t *quants = bytes + 1 + i * step + at;
            for (size_t j = 0; j < step - halves; j++) {
                quants[j] = q < MIXED ? byte[q] : byte[2 + coin((uint32_t)(i * step + j))];
            }
        }
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int i = 0; i < 7 * 512; i++) {
                x[i] = (float)(q == MIXED && coin((uint32_t)i) ? -sign : sign);
            }
            for (int64_t m = 1; m <= 7; m += 2) {
                run(ref, &w, m, x, want, 1);
                run(k, &w, m, x, got, 1);
                (void)check(k, &w, m, x, got, want, true);
            }
        }
        mdf_free(bytes);
    }
}

static void nothing_overflows(void **state)
{
    (void)state;
    each_level_and_type(extremes);
}

/* Weights that go together, of one type or of several, give the same bits as each alone, with one
 * thread and with two. */
static void together(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    enum { K = 256 };
    static const int64_t n[MDF_WEIGHTS_MAX] = {N_MAX, 1, 35};
    static float x[MDF_FEW_ROWS * K], y[MDF_WEIGHTS_MAX][MDF_FEW_ROWS * N_MAX];
    static float want[MDF_FEW_ROWS * N_MAX];
    (void)ref;
    fill(x, MDF_FEW_ROWS * K, 1, 11);
    for (int other = 0; other < TYPES; other++) {
        const mdf_dtype type[MDF_WEIGHTS_MAX] = {dtype, types[other], dtype};
        mdf_weight w[MDF_WEIGHTS_MAX];
        uint8_t *bytes[MDF_WEIGHTS_MAX];
        float *out[MDF_WEIGHTS_MAX];
        for (int i = 0; i < MDF_WEIGHTS_MAX; i++) {
            bytes[i] = random_weight(&w[i], type[i], n[i], K, (uint32_t)(4 + i));
            out[i] = y[i];
        }
        for (int64_t m = 0; m <= MDF_FEW_ROWS; m++) {
            for (int run_of = 0; run_of < THREADS_MAX * MDF_WEIGHTS_MAX; run_of++) {
                const int count = run_of / THREADS_MAX + 1;
                const int threads = run_of % THREADS_MAX + 1;
                size_t need = 0;
                for (int i = 0; i < count; i++) {
                    need += k->gemm_weight_scratch(&w[i], m, threads);
                }
                uint8_t *scratch = mdf_alloc(need + 1, 1);
                assert_non_null(scratch);
                memset(y, 0, sizeof y);
                k->gemm_weights(w, count, m, x, out, scratch, threads);
                mdf_free(scratch);
                for (int i = 0; i < count; i++) {
                    run(k, &w[i], m, x, want, 1);
                    assert_memory_equal(y[i], want, (size_t)(m * n[i]) * sizeof want[0]);
                }
            }
        }
        for (int i = 0; i < MDF_WEIGHTS_MAX; i++) {
            mdf_free(bytes[i]);
        }
    }
}

static void several_weights_are_each_alone(void **state)
{
    (void)state;
    each_level_and_type(together);
}

/* The weight ends where its pages end, so reading behind it is a crash; and all rows but the first
 * are broken numbers, which must not be taken for blocks of the first one. */
static void only_its_own_bytes(const mdf_kernels *ref, const mdf_kernels *k, mdf_dtype dtype)
{
    enum { N = 3, M = 4 }; /* one row of x at least goes another way than many */
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t most = (N * mdf_dtype_row_bytes(MDF_DTYPE_F32, K_MAX) / page + 1) * page;
    uint8_t *pages =
        mmap(NULL, most + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + most, page, PROT_NONE), 0);
    for (int64_t length = 32; length <= K_MAX; length += 32) {
        static float x[M * K_MAX], got[M * N], want[M * N];
        if (!is_length(dtype, length)) {
            continue;
        }
        mdf_weight w;
        uint8_t *bytes = random_weight(&w, dtype, N, length, 3);
        const size_t row = mdf_dtype_row_bytes(dtype, (size_t)length);
        uint8_t *at = pages + most - N * row;
        memcpy(at, w.raw, N * row);
        mdf_free(bytes);
        w.raw = at;
        fill(x, M * length, 1, (uint32_t)length);
        for (int64_t m = 1; m <= M; m++) {
            run(ref, &w, m, x, want, 1);
            run(k, &w, m, x, got, 1);
            (void)check(k, &w, m, x, got, want, !rounds(dtype));
        }
        memset(at + row, 0xff, (N - 1) * row);
        for (int64_t m = 1; m <= M; m++) {
            run(k, &w, m, x, got, 1);
            for (int64_t i = 0; i < m; i++) {
                assert_true(fabsf(got[i * N]) <= FLT_MAX);
            }
        }
    }
    assert_int_equal(munmap(pages, most + page), 0);
}

static void rows_read_only_their_own_bytes(void **state)
{
    (void)state;
    each_level_and_type(only_its_own_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_of_rows_of_x),
        cmocka_unit_test(every_number_of_rows_of_w),
        cmocka_unit_test(every_kind_of_length),
        cmocka_unit_test(floats_of_any_length),
        cmocka_unit_test(more_rows_than_a_pass),
        cmocka_unit_test(one_thread_and_two_give_the_same_bits),
        cmocka_unit_test(broken_numbers_are_seen),
        cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(several_weights_are_each_alone),
        cmocka_unit_test(rows_read_only_their_own_bytes),
    };
    return cmocka_run_group_tests_name("kernel/gemm_weight", tests, NULL, NULL);
}
