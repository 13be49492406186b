/* All 65,536 values of both formats, and every midpoint between neighbours, against ldexp() on the
 * fields: exact arithmetic in double, so no tolerance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/dtype.h"

typedef struct format {
    int fraction_bits, exponent_bits;
    float (*up)(uint16_t);
    uint16_t (*down)(float);
} format;

static const format formats[] = {{10, 5, mdf_f16_to_float, mdf_f16_from_float},
                                 {7, 8, mdf_bf16_to_float, mdf_bf16_from_float}};

/* The value that the fields of h stand for; h is finite, or the first value past the largest. */
static double value_of(const format *f, unsigned h)
{
    const int fraction = (int)(h & ((1U << f->fraction_bits) - 1));
    const int exponent = (int)(h >> f->fraction_bits & ((1U << f->exponent_bits) - 1));
    const int bias = (1 << (f->exponent_bits - 1)) - 1;
    const int one = exponent == 0 ? 0 : 1 << f->fraction_bits;
    const double v =
        ldexp((double)(one + fraction), (exponent == 0 ? 1 : exponent) - bias - f->fraction_bits);
    return (h & 0x8000U) != 0 ? -v : v;
}

static unsigned infinity_of(const format *f)
{
    return ((1U << f->exponent_bits) - 1) << f->fraction_bits;
}

static void every_value_becomes_the_float_of_its_fields(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const format *f = &formats[k];
        for (unsigned h = 0; h < 0x10000; h++) {
            const double got = (double)f->up((uint16_t)h);
            const unsigned magnitude = h & 0x7FFF;
            assert_int_equal(signbit(got) != 0, h >> 15);
            if (magnitude > infinity_of(f)) {
                assert_true(isnan(got));
            } else if (magnitude == infinity_of(f)) {
                assert_true(isinf(got));
            } else {
                assert_true(got == value_of(f, h));
            }
        }
    }
}

static void every_value_survives_the_way_there_and_back(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const format *f = &formats[k];
        for (unsigned h = 0; h < 0x10000; h++) {
            const uint16_t back = f->down(f->up((uint16_t)h));
            const bool nan = (h & 0x7FFF) > infinity_of(f);
            const unsigned quiet = nan ? 1U << (f->fraction_bits - 1) : 0;
            assert_int_equal(back, h | quiet);
        }
    }
}

static void floats_between_two_values_round_to_the_nearest_and_ties_to_even(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const format *f = &formats[k];
        for (unsigned h = 0; h < infinity_of(f); h++) {
            const unsigned next = h + 1; /* past the largest: the infinity's fields as a number */
            const double middle = (value_of(f, h) + value_of(f, next)) / 2;
            const float tie = (float)middle; /* one bit more than the format: a float holds it */
            assert_true((double)tie == middle);
            const unsigned even = (h & 1) == 0 ? h : next;
            for (unsigned sign = 0; sign < 2; sign++) {
                const float s = sign == 0 ? 1.0F : -1.0F;
                assert_int_equal(f->down(s * tie), even | sign << 15);
                assert_int_equal(f->down(s * nextafterf(tie, 0.0F)), h | sign << 15);
                assert_int_equal(f->down(s * nextafterf(tie, INFINITY)), next | sign << 15);
            }
        }
    }
}

static void what_is_too_large_or_too_small_goes_to_the_end(void **state)
{
    (void)state;
    float tiny;
    const uint32_t one = 1;
    memcpy(&tiny, &one, sizeof tiny); /* the smallest subnormal float */
    assert_int_equal(mdf_f16_from_float(3e38F), 0x7C00);
    assert_int_equal(mdf_f16_from_float(-3e38F), 0xFC00);
    assert_int_equal(mdf_f16_from_float(65536.0F), 0x7C00);
    assert_int_equal(mdf_f16_from_float(65504.0F), 0x7BFF); /* the largest F16 */
    assert_int_equal(mdf_f16_from_float(tiny), 0);
    assert_int_equal(mdf_f16_from_float(-tiny), 0x8000);
    assert_int_equal(mdf_bf16_from_float(tiny), 0);
    assert_int_equal(mdf_f16_from_float(INFINITY), 0x7C00);
    assert_int_equal(mdf_bf16_from_float(-INFINITY), 0xFF80);
}

static void a_nan_with_low_bits_only_stays_a_nan(void **state)
{
    (void)state;
    float nan;
    const uint32_t bits = 0x7F800001;
    memcpy(&nan, &bits, sizeof nan);
    assert_int_equal(mdf_f16_from_float(nan), 0x7E00);
    assert_int_equal(mdf_bf16_from_float(nan), 0x7FC0);
}

static void rows_are_whole_blocks(void **state)
{
    (void)state;
    assert_int_equal(mdf_dtype_row_bytes(MDF_DTYPE_BF16, 5), 10);
    assert_int_equal(mdf_dtype_row_bytes(MDF_DTYPE_Q8_0, 64), 2 * 34);
    assert_int_equal(mdf_dtype_row_bytes(MDF_DTYPE_Q8_0, 65), 0);
    assert_int_equal(mdf_dtype_row_bytes(MDF_DTYPE_Q4_K, 128), 0);
    assert_int_equal(mdf_dtype_row_bytes(MDF_DTYPE_Q6_K, 512), 2 * 210);
    assert_int_equal(mdf_dtype_row_bytes(MDF_DTYPE_F64, SIZE_MAX / 4), 0);
    mdf_dtype d = MDF_DTYPE_F32;
    assert_true(mdf_dtype_from_name("Q5_1", &d) && d == MDF_DTYPE_Q5_1 && mdf_dtype_is_block(d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_whole_blocks),
        cmocka_unit_test(every_value_becomes_the_float_of_its_fields),
        cmocka_unit_test(every_value_survives_the_way_there_and_back),
        cmocka_unit_test(floats_between_two_values_round_to_the_nearest_and_ties_to_even),
        cmocka_unit_test(what_is_too_large_or_too_small_goes_to_the_end),
        cmocka_unit_test(a_nan_with_low_bits_only_stays_a_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
