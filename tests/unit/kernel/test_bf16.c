/* bfloat16 weights by chance and with a rest: bits that are known, equal at every level, and the
 * noise's statistics. */
#include "kernel_test.h"

static const char *const every_level[] = {"ref", "avx2", "avx512"};
enum { EVERY = 3, MANY = 1 << 20 };

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Every upper half with lower halves at the ends and around the tie: NaN and infinity too. */
static void halves_and_rests_make_the_float_again(void **state)
{
    static const uint32_t low[] = {0, 1, 0x1234, 0x7fff, 0x8000, 0x8001, 0xffff};
    enum { LOWS = sizeof low / sizeof low[0] };
    (void)state;
    for (int l = 0; l < EVERY; l++) {
        mdf_kernels *k = level(every_level[l]);
        for (uint32_t upper = 0; upper < 0x10000; upper++) {
            float x[LOWS], back[LOWS], wide[LOWS];
            uint16_t h[LOWS];
            int16_t rest[LOWS];
            for (int i = 0; i < LOWS; i++) {
                x[i] = of_bits(upper << 16 | low[i]);
            }
            k->bf16_split(h, rest, x, LOWS);
            k->bf16_join(back, h, rest, LOWS);
            k->bf16_widen(wide, h, LOWS);
            for (int i = 0; i < LOWS; i++) {
                if (x[i] != x[i]) {
                    assert_true(back[i] != back[i] && wide[i] != wide[i]);
                    continue;
                }
                assert_int_equal(bits_of(back[i]), bits_of(x[i]));
                assert_int_equal(h[i], low[i] < 0x8000 ? upper : upper + 1);
                assert_int_equal(bits_of(wide[i]), (uint32_t)h[i] << 16);
            }
        }
        mdf_kernels_free(k);
    }
}

static void levels_have_the_same_noise_on_every_tail(void **state)
{
    (void)state;
    mdf_kernels *ref = level("ref");
    for (int l = 0; l < LEVELS; l++) {
        mdf_kernels *k = level(level_names[l]);
        for (int64_t n = 1; n <= TAIL_MAX; n++) {
            float x[TAIL_MAX];
            uint16_t got[TAIL_MAX + 1], want[TAIL_MAX + 1];
            fill(x, n, 3, (uint32_t)n);
            x[n / 2] = n % 3 == 0 ? NAN : x[n / 2];
            got[n] = want[n] = 0xa5a5;
            const uint64_t key = 0x123456789abcdefULL * (uint64_t)n;
            const uint64_t first = n % 2 == 0 ? 0xfffffff0ULL : (uint64_t)n; /* and over 2^32 */
            k->bf16_stochastic(got, x, n, key, first);
            ref->bf16_stochastic(want, x, n, key, first);
            assert_memory_equal(got, want, (size_t)(n + 1) * sizeof *got);
        }
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

static void a_number_becomes_one_of_its_two_neighbours(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    for (uint32_t upper = 0; upper < 0x10000; upper++) {
        uint16_t h[4];
        const float x[4] = {of_bits(upper << 16), of_bits(upper << 16 | 1),
                            of_bits(upper << 16 | 0x8000), of_bits(upper << 16 | 0xffff)};
        k->bf16_stochastic(h, x, 4, upper, upper);
        for (int i = 0; i < 4; i++) {
            if (x[i] != x[i]) {
                assert_true(mdf_bf16_to_float(h[i]) != mdf_bf16_to_float(h[i]));
            } else {
                assert_true(h[i] == upper || (i > 0 && h[i] == upper + 1));
            }
        }
    }
    mdf_kernels_free(k);
}

/* n roundings, each up with probability p: their number deviates from n p by more than five
 * standard deviations once in 1.7 million. */
static void expect_share(int64_t up, int64_t n, double p, const char *what)
{
    const double deviation = sqrt((double)n * p * (1 - p));
    if (fabs((double)up - (double)n * p) > 5 * deviation) {
        fail_msg("%s: %lld of %lld, want %.1f +- %.1f", what, (long long)up, (long long)n,
                 (double)n * p, deviation);
    }
}

static void rounding_is_unbiased_over_numbers_and_over_steps(void **state)
{
    static const uint32_t low[] = {1, 0x100, 0x1234, 0x4000, 0x8000, 0xc001, 0xfff0, 0xffff};
    (void)state;
    mdf_kernels *k = level("avx512");
    float *x = mdf_alloc(MANY, sizeof *x);
    uint16_t *h = mdf_alloc(MANY, sizeof *h);
    assert_true(x != NULL && h != NULL);
    for (size_t j = 0; j < sizeof low / sizeof low[0]; j++) {
        for (int sign = 0; sign < 2; sign++) {
            const uint32_t upper = sign == 0 ? 0x3f80U : 0xbb12U;
            int64_t up = 0;
            for (int64_t i = 0; i < MANY; i++) {
                x[i] = of_bits(upper << 16 | low[j]);
            }
            k->bf16_stochastic(h, x, MANY, 77 + j, 0);
            for (int64_t i = 0; i < MANY; i++) {
                up += h[i] == upper + 1;
            }
            expect_share(up, MANY, low[j] / 65536.0, "numbers");
            up = 0;
            for (uint64_t step = 0; step < MANY / 16; step++) { /* keys, as a step has its own */
                k->bf16_stochastic(h, x, 1, step * 0x9e3779b97f4a7c15ULL, 12345);
                up += h[0] == upper + 1;
            }
            expect_share(up, MANY / 16, low[j] / 65536.0, "steps");
        }
    }
    mdf_free(x);
    mdf_free(h);
    mdf_kernels_free(k);
}

/* Roundings of 0.5 are coins. Two series of n agree in half of the places, to five deviations. */
static void coins(const mdf_kernels *k, uint8_t *up, uint64_t key, uint64_t first)
{
    enum { PIECE = 1024 };
    float x[PIECE];
    uint16_t h[PIECE];
    for (int i = 0; i < PIECE; i++) {
        x[i] = of_bits(0x3f808000U);
    }
    for (int64_t at = 0; at < MANY; at += PIECE) {
        k->bf16_stochastic(h, x, PIECE, key, first + (uint64_t)at);
        for (int i = 0; i < PIECE; i++) {
            up[at + i] = h[i] == 0x3f81;
        }
    }
}

static void expect_unrelated(const uint8_t *a, const uint8_t *b, int64_t n, const char *what)
{
    int64_t same = 0;
    for (int64_t i = 0; i < n; i++) {
        same += a[i] == b[i];
    }
    expect_share(same, n, 0.5, what);
}

static void noise_of_neighbours_keys_and_pieces_is_unrelated(void **state)
{
    (void)state;
    mdf_kernels *k = level("avx512");
    uint8_t *a = mdf_alloc(MANY, 1);
    uint8_t *b = mdf_alloc(MANY, 1);
    assert_true(a != NULL && b != NULL);
    coins(k, a, 1, 0);
    for (int64_t lag = 1; lag <= 4096; lag *= 2) {
        expect_unrelated(a, a + lag, MANY - lag, "numbers that far apart");
    }
    for (int bit = 0; bit < 64; bit++) {
        coins(k, b, 1 ^ 1ULL << bit, 0);
        expect_unrelated(a, b, MANY, "a bit of the key");
        for (int64_t lag = 1; lag <= 1024 && bit < 11; lag *= 2) { /* no mere exchange of places */
            expect_unrelated(a, b + lag, MANY - lag, "a bit of the key, and numbers apart");
        }
    }
    coins(k, b, 1, MANY);
    expect_unrelated(a, b, MANY, "the next million");
    mdf_free(a);
    mdf_free(b);
    mdf_kernels_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_and_rests_make_the_float_again),
        cmocka_unit_test(levels_have_the_same_noise_on_every_tail),
        cmocka_unit_test(a_number_becomes_one_of_its_two_neighbours),
        cmocka_unit_test(rounding_is_unbiased_over_numbers_and_over_steps),
        cmocka_unit_test(noise_of_neighbours_keys_and_pieces_is_unrelated),
    };
    return cmocka_run_group_tests_name("kernel/bf16", tests, NULL, NULL);
}
