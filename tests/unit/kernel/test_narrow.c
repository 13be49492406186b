/* Rounding to 16 and 8 bits at every level: halves against base/dtype.h, which has tests of its
 * own, and against cases that are known; blocks of eight bits against their bound. */
#include "kernel_test.h"

enum { MOST = 256, BLOCK = 32, BLOCK_BYTES = 34 };

static const char *const every_level[] = {"ref", "avx2", "avx512"};

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* n numbers in type F16 or BF16; nothing behind them is written. */
static void check_halves(const mdf_kernels *k, mdf_dtype type, const float *x, int64_t n)
{
    uint16_t got[MOST + 8];
    memset(got, 0xa5, sizeof got);
    assert_true(n <= MOST);
    k->narrow(got, type, x, n);
    for (int64_t i = 0; i < n; i++) {
        const uint16_t want =
            type == MDF_DTYPE_F16 ? mdf_f16_from_float(x[i]) : mdf_bf16_from_float(x[i]);
        if (got[i] != want) {
            fail_msg("%s %s: %.9g is %04x, want %04x", k->isa, mdf_dtype_name(type), (double)x[i],
                     got[i], want);
        }
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(got[n + i], 0xa5a5);
    }
}

/* Every upper half with lower halves on, beside and between the ties, so NaN and infinity too. */
static void halves_round_to_nearest_even(void **state)
{
    static const uint32_t low[] = {0, 1, 0x0fff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001, 0xffff};
    enum { LOWS = sizeof low / sizeof low[0] };
    (void)state;
    for (size_t l = 0; l < sizeof every_level / sizeof every_level[0]; l++) {
        mdf_kernels *k = level(every_level[l]);
        float x[64];
        int64_t n = 0;
        for (uint32_t i = 0; i < 0x10000 * LOWS; i++) {
            x[n++] = of_bits(i / LOWS << 16 | low[i % LOWS]);
            if (n == 64 || i == 0x10000 * LOWS - 1) {
                check_halves(k, MDF_DTYPE_F16, x, n);
                check_halves(k, MDF_DTYPE_BF16, x, n);
                n = 0;
            }
        }
        mdf_kernels_free(k);
    }
}

static void known_halves(void **state)
{
    /* 2049 and 2051 lie between halves, 257 and 259 between bfloats: to the even one */
    static const float x[] = {2049, 2051, 65504, 65520, -INFINITY, 1e-8f, 1};
    static const uint16_t half[] = {0x6800, 0x6802, 0x7bff, 0x7c00, 0xfc00, 0, 0x3c00};
    static const float z[] = {257, 259, 3.4e38f, INFINITY, 1};
    static const uint16_t bfloat[] = {0x4380, 0x4382, 0x7f80, 0x7f80, 0x3f80};
    (void)state;
    for (size_t l = 0; l < sizeof every_level / sizeof every_level[0]; l++) {
        mdf_kernels *k = level(every_level[l]);
        uint16_t got[8];
        k->narrow(got, MDF_DTYPE_F16, x, 7);
        assert_memory_equal(got, half, sizeof half);
        k->narrow(got, MDF_DTYPE_BF16, z, 5);
        assert_memory_equal(got, bfloat, sizeof bfloat);
        const float nan[] = {NAN, -NAN, of_bits(0x7f800001), of_bits(0xffffffff)};
        k->narrow(got, MDF_DTYPE_F16, nan, 4);
        k->narrow(got + 4, MDF_DTYPE_BF16, nan, 4);
        for (int i = 0; i < 4; i++) {
            const float f = mdf_f16_to_float(got[i]);
            const float b = mdf_bf16_to_float(got[4 + i]);
            assert_true(f != f && b != b);
        }
        mdf_kernels_free(k);
    }
}

static void every_tail(void **state)
{
    float x[TAIL_MAX];
    (void)state;
    fill(x, TAIL_MAX, 3, 1);
    for (size_t l = 0; l < sizeof every_level / sizeof every_level[0]; l++) {
        mdf_kernels *k = level(every_level[l]);
        for (int64_t n = 0; n <= TAIL_MAX; n++) {
            check_halves(k, MDF_DTYPE_F16, x, n);
            check_halves(k, MDF_DTYPE_BF16, x, n);
            float out[TAIL_MAX + 1];
            out[n] = 77;
            k->narrow(out, MDF_DTYPE_F32, x, n);
            assert_memory_equal(out, x, (size_t)n * sizeof *x);
            assert_true(out[n] == 77);
        }
        mdf_kernels_free(k);
    }
}

/* The contract's bound: d / 2 + 2^-18, d = largest |x| / 127 to half an ulp of a half. */
static void blocks_keep_their_bound(void **state)
{
    (void)state;
    mdf_kernels *ref = level("ref");
    for (size_t l = 0; l < sizeof every_level / sizeof every_level[0]; l++) {
        mdf_kernels *k = level(every_level[l]);
        for (uint32_t i = 0; i < 400; i++) {
            const double scale = pow(10, (double)i / 400 * 16 - 10); /* to 1e6 */
            float x[4 * BLOCK];
            float back[4 * BLOCK];
            uint8_t got[4 * BLOCK_BYTES + 1];
            uint8_t want[4 * BLOCK_BYTES];
            fill(x, 4 * BLOCK, (float)scale, i);
            got[sizeof want] = 0xa5;
            k->narrow(got, MDF_DTYPE_Q8_0, x, 4 * BLOCK);
            ref->narrow(want, MDF_DTYPE_Q8_0, x, 4 * BLOCK);
            assert_memory_equal(got, want, sizeof want);
            assert_int_equal(got[sizeof want], 0xa5);
            assert_true(mdf_dtype_to_floats(MDF_DTYPE_Q8_0, got, 4 * BLOCK, back));
            for (int b = 0; b < 4; b++) {
                double largest = 0;
                for (int j = 0; j < BLOCK; j++) {
                    largest = fmax(largest, fabs((double)x[b * BLOCK + j]));
                }
                const double d = largest / 127 * (1 + 0x1p-11);
                for (int j = 0; j < BLOCK; j++) {
                    const int at = b * BLOCK + j;
                    const double error = fabs((double)back[at] - (double)x[at]);
                    if (!(error <= d / 2 + 0x1p-18)) {
                        fail_msg("%s: %.9g became %.9g", k->isa, (double)x[at], (double)back[at]);
                    }
                }
            }
        }
        mdf_kernels_free(k);
    }
    mdf_kernels_free(ref);
}

/* x = 0.5, -1, 1.5 .. of a block whose largest number is 127: d is 1, ties go to the even one. */
static void known_blocks(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof every_level / sizeof every_level[0]; l++) {
        mdf_kernels *k = level(every_level[l]);
        static const int8_t want[8] = {0, 2, 2, -2, -127, 3, 0, 127};
        float x[BLOCK] = {0.5f, 1.5f, 2.5f, -1.5f, -127, 2.75f, 0, 127};
        uint8_t got[BLOCK_BYTES];
        float back[BLOCK];
        k->narrow(got, MDF_DTYPE_Q8_0, x, BLOCK);
        assert_int_equal(got[0] | got[1] << 8, 0x3c00);
        assert_memory_equal(got + 2, want, sizeof want);
        memset(x, 0, sizeof x);
        k->narrow(got, MDF_DTYPE_Q8_0, x, BLOCK);
        for (int i = 0; i < BLOCK_BYTES; i++) {
            assert_int_equal(got[i], 0);
        }
        static const float bad[] = {NAN, INFINITY, -INFINITY, 9e6f, -3e38f};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            for (size_t at = 0; at < BLOCK; at++) {
                fill(x, BLOCK, 1, 5);
                x[at] = bad[i];
                k->narrow(got, MDF_DTYPE_Q8_0, x, BLOCK);
                assert_true(mdf_dtype_to_floats(MDF_DTYPE_Q8_0, got, BLOCK, back));
                for (int j = 0; j < BLOCK; j++) {
                    assert_true(back[j] != back[j]);
                }
            }
        }
        mdf_kernels_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(known_halves),
        cmocka_unit_test(every_tail),
        cmocka_unit_test(blocks_keep_their_bound),
        cmocka_unit_test(known_blocks),
    };
    return cmocka_run_group_tests_name("kernel/narrow", tests, NULL, NULL);
}
