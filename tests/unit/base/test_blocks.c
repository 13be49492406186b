/* Blocks of quantised numbers against the gguf package (tests/golden/blocks), and the quantisers'
 * promises: every number gets the nearest value that its block has, the error is below the plain
 * rule's, and what has no blocks is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/blocks.h"
#include "io/safetensors.h"

enum { BLOCK = 256, MANY = 8192 };

static const mdf_dtype types[] = {MDF_DTYPE_Q8_0, MDF_DTYPE_Q4_0, MDF_DTYPE_Q4_1, MDF_DTYPE_Q5_0,
                                  MDF_DTYPE_Q5_1, MDF_DTYPE_Q4_K, MDF_DTYPE_Q5_K, MDF_DTYPE_Q6_K};

enum { TYPES = sizeof types / sizeof types[0] };

static int open_golden(void **state)
{
    static mdf_safetensors file;
    mdf_error err = {0};
    *state = &file;
    return mdf_safetensors_open(&file, MDF_TEST_DATA "/golden/blocks/blocks.safetensors", &err) ==
                   MDF_OK
               ? 0
               : -1;
}

static int close_golden(void **state)
{
    mdf_safetensors_close(*state);
    return 0;
}

static const mdf_st_tensor *golden(const mdf_safetensors *file, mdf_dtype d, const char *what)
{
    char name[32];
    (void)snprintf(name, sizeof name, "%s.%s", mdf_dtype_name(d), what);
    const mdf_st_tensor *t = mdf_safetensors_find(file, name);
    assert_non_null(t);
    return t;
}

static void blocks_become_the_floats_of_the_reference(void **state)
{
    static float got[MANY];
    static double wide[MANY];
    for (int k = 0; k < TYPES; k++) {
        const mdf_st_tensor *blocks = golden(*state, types[k], "blocks");
        const mdf_st_tensor *floats = golden(*state, types[k], "floats");
        assert_int_equal(blocks->bytes, mdf_dtype_row_bytes(types[k], floats->count));
        assert_true(mdf_dtype_to_floats(types[k], blocks->data, floats->count, got));
        assert_true(mdf_dtype_to_doubles(types[k], blocks->data, floats->count, wide));
        for (size_t i = 0; i < floats->count; i++) {
            float want;
            memcpy(&want, floats->data + 4 * i, 4);
            if (got[i] != want || wide[i] != (double)want) {
                fail_msg("%s, number %zu: %.9g, not %.9g", mdf_dtype_name(types[k]), i,
                         (double)got[i], (double)want);
            }
        }
    }
}

static double rms(const float *a, const float *b, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++) {
        s += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    return sqrt(s / (double)n);
}

static void the_error_is_below_the_plain_rules(void **state)
{
    static float x[MANY];
    static float back[MANY];
    static uint8_t bytes[2 * MANY];
    const mdf_st_tensor *t = mdf_safetensors_find(*state, "x");
    assert_non_null(t);
    assert_int_equal(t->count, MANY);
    memcpy(x, t->data, sizeof x);
    for (int k = 0; k < TYPES; k++) {
        const mdf_dtype d = types[k];
        double plain = 0;
        memcpy(&plain, golden(*state, d, "rms")->data, sizeof plain);
        assert_true(mdf_dtype_from_floats(d, x, MANY, bytes));
        assert_true(mdf_dtype_to_floats(d, bytes, MANY, back));
        const double ours = rms(x, back, MANY);
        print_message("%s: rms error %.4g, plain %.4g (%+.1f %%)\n", mdf_dtype_name(d), ours, plain,
                      100 * (ours / plain - 1));
        assert_true(ours < plain * (d == MDF_DTYPE_Q8_0 ? 1.0 : 0.96));
    }
}

/* Numbers of many sizes: what blocks of weights look like, and what they never look like. */
static void fill(float *x, int kind)
{
    uint32_t seed = 12345U + (uint32_t)kind;
    for (int i = 0; i < BLOCK; i++) {
        seed = seed * 1664525U + 1013904223U;
        const float u = (float)(seed >> 8) / 8388608.0f - 1; /* -1 .. 1 */
        switch (kind) {
        case 0:
            x[i] = u;
            break;
        case 1:
            x[i] = u * u * u * 100; /* a few large ones */
            break;
        case 2:
            x[i] = 5 + u / 100; /* far from zero */
            break;
        case 3:
            x[i] = -5 - u * u;
            break;
        case 4:
            x[i] = i % 64 < 32 ? 0 : u * 1e-6f; /* subnormal scales */
            break;
        case 5:
            x[i] = u * 3e-9f; /* below every scale */
            break;
        case 6:
            x[i] = i < 32 ? u : u * 1e-4f; /* one sub-block dwarfs the others */
            break;
        case 7:
            x[i] = 0.25f;
            break;
        default:
            x[i] = i == 77 ? -3.0f : 0.0f;
            break;
        }
    }
}

enum { KINDS = 9 };

/* Puts every value of its nibble or byte in the place of a number: none may come nearer. */
static void check_nearest(mdf_dtype d, const float *x, int kind)
{
    uint8_t bytes[BLOCK * 34 / 32];
    float back[BLOCK];
    float other[BLOCK];
    const size_t n = mdf_dtype_row_bytes(d, BLOCK);
    assert_true(mdf_dtype_from_floats(d, x, BLOCK, bytes));
    assert_true(mdf_dtype_to_floats(d, bytes, BLOCK, back));
    for (size_t at = 0; at < n; at++) {
        const size_t within = at % mdf_dtype_bytes(d);
        const bool number = d == MDF_DTYPE_Q8_0   ? within >= 2
                            : d == MDF_DTYPE_Q4_0 ? within >= 2
                            : d == MDF_DTYPE_Q4_1 ? within >= 4
                            : d == MDF_DTYPE_Q5_0 ? within >= 2
                            : d == MDF_DTYPE_Q5_1 ? within >= 4
                            : d == MDF_DTYPE_Q6_K ? within < 192
                                                  : within >= 16;
        const uint8_t old = bytes[at];
        for (int v = 0; number && v < 255; v += 5) { /* every nibble, many bytes */
            bytes[at] = (uint8_t)v;
            assert_true(mdf_dtype_to_floats(d, bytes, BLOCK, other));
            for (int i = 0; i < BLOCK; i++) {
                const float gain = fabsf(back[i] - x[i]) - fabsf(other[i] - x[i]);
                if (gain > 2e-6f * (fabsf(x[i]) + fabsf(other[i]))) { /* rounding of x / d */
                    fail_msg("%s, kind %d: %.9g became %.9g, but %.9g is nearer", mdf_dtype_name(d),
                             kind, (double)x[i], (double)back[i], (double)other[i]);
                }
            }
        }
        bytes[at] = old;
    }
}

static void every_number_gets_the_nearest_value_of_its_block(void **state)
{
    (void)state;
    float x[BLOCK];
    for (int k = 0; k < TYPES; k++) {
        for (int kind = 0; kind < KINDS; kind++) {
            fill(x, kind);
            check_nearest(types[k], x, kind);
        }
    }
}

/* An error of at most half a step of the plain rule, of the block (Q4_K: of 256) as a whole. */
static void no_kind_of_numbers_breaks_a_type(void **state)
{
    (void)state;
    static const float levels[TYPES] = {127, 8, 15, 16, 31, 15, 31, 32};
    float x[BLOCK];
    float back[BLOCK];
    uint8_t bytes[BLOCK * 34 / 32];
    for (int k = 0; k < TYPES; k++) {
        for (int kind = 0; kind < KINDS; kind++) {
            fill(x, kind);
            float largest = 0;
            for (int i = 0; i < BLOCK; i++) {
                largest = fmaxf(largest, fabsf(x[i]));
            }
            assert_true(mdf_dtype_from_floats(types[k], x, BLOCK, bytes));
            assert_true(mdf_dtype_to_floats(types[k], bytes, BLOCK, back));
            const double bound = (double)(largest / levels[k] + 0x1p-24f * levels[k]);
            if (rms(x, back, BLOCK) > bound) {
                fail_msg("%s, kind %d: rms error %g above %g", mdf_dtype_name(types[k]), kind,
                         rms(x, back, BLOCK), bound);
            }
        }
    }
}

static void zeros_stay_zeros(void **state)
{
    (void)state;
    const float x[BLOCK] = {0};
    float back[BLOCK];
    uint8_t bytes[BLOCK * 34 / 32];
    for (int k = 0; k < TYPES; k++) {
        assert_true(mdf_dtype_from_floats(types[k], x, BLOCK, bytes));
        assert_true(mdf_dtype_to_floats(types[k], bytes, BLOCK, back));
        for (int i = 0; i < BLOCK; i++) {
            assert_true(back[i] == 0);
        }
    }
}

static void what_no_block_can_hold_is_refused(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f, 1.7e7f};
    float x[BLOCK];
    uint8_t bytes[BLOCK * 34 / 32];
    for (int k = 0; k < TYPES; k++) {
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
            fill(x, 0);
            x[200] = bad[b];
            assert_false(mdf_dtype_from_floats(types[k], x, BLOCK, bytes));
        }
        fill(x, 0);
        assert_false(mdf_dtype_from_floats(types[k], x, mdf_dtype_block(types[k]) / 2, bytes));
        assert_false(mdf_dtype_to_floats(types[k], bytes, mdf_dtype_block(types[k]) + 1, x));
    }
    x[0] = 1e6f; /* 1e6 / 7 is above half precision's largest number */
    assert_false(mdf_dtype_from_floats(MDF_DTYPE_Q4_0, x, BLOCK, bytes));
    x[0] = 4e6f;
    assert_true(mdf_dtype_from_floats(MDF_DTYPE_Q8_0, x, BLOCK, bytes));
    assert_false(mdf_blocks_from_floats(MDF_DTYPE_F32, x, 1, bytes));
    assert_false(mdf_blocks_to_floats(MDF_DTYPE_I8, bytes, 1, x));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_become_the_floats_of_the_reference),
        cmocka_unit_test(the_error_is_below_the_plain_rules),
        cmocka_unit_test(every_number_gets_the_nearest_value_of_its_block),
        cmocka_unit_test(no_kind_of_numbers_breaks_a_type),
        cmocka_unit_test(zeros_stay_zeros),
        cmocka_unit_test(what_no_block_can_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
