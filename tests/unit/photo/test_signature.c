/* Signatures of drawn fields of view, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "photo/resize.h"
#include "photo/signature.h"
#include "support/eye.h"

/* A disc that fills the square, cut off above and below `half` of its radius, in one colour; its
 * rim beyond 0.7 in another. */
static mdf_image disc(int side, double half, const uint8_t middle[3], const uint8_t rim[3])
{
    mdf_image im = {0};
    assert_int_equal(mdf_image_new(&im, side, side, NULL), MDF_OK);
    for (int i = 0; i < side * side; i++) {
        const double x = 2 * (i % side + 0.5) / side - 1;
        const double y = 2 * (i / side + 0.5) / side - 1;
        const double r = sqrt(x * x + y * y);
        if (r < 1 && fabs(y) < half) {
            memcpy(im.rgb + (size_t)3 * (size_t)i, r < 0.7 ? middle : rim, 3);
        }
    }
    return im;
}

static void measure(float out[MDF_SIGNATURE], const mdf_image *im)
{
    assert_int_equal(mdf_signature(out, im, 4096, NULL), MDF_OK);
}

static void near(float a, double b, double tolerance)
{
    if (!(fabs((double)a - b) <= tolerance)) {
        fail_msg("%g, want %g +- %g", (double)a, b, tolerance);
    }
}

static const uint8_t orange[3] = {160, 80, 40};

static void one_colour_has_its_ratios_and_nothing_else(void **state)
{
    (void)state;
    float s[MDF_SIGNATURE];
    for (int side = 100; side <= 1000; side += 450) { /* enlarged, and reduced */
        mdf_image im = disc(side, 1, orange, orange);
        measure(s, &im);
        const double grey = 0.299 * 160 + 0.587 * 80 + 0.114 * 40;
        near(s[MDF_SIG_RED], log(164.0 / 84), 1e-4); /* sums of floats */
        near(s[MDF_SIG_GREEN], log(84.0 / 44), 1e-4);
        near(s[MDF_SIG_LIGHT], log(grey + 4), 1e-4);
        near(s[MDF_SIG_CONTRAST], log(1 / (grey + 4)), 1e-2); /* deviation of 0, by cancellation */
        near(s[MDF_SIG_FINE], 0, 1e-4);
        near(s[MDF_SIG_RIM], 0, 1e-4);
        near(s[MDF_SIG_RIM_HUE], 0, 1e-4);
        near(s[MDF_SIG_SHAPE], 0, 0.02); /* a pixel of 128 more or less */
        mdf_image_free(&im);
    }
}

static void a_rim_of_another_colour_shows(void **state)
{
    (void)state;
    float s[MDF_SIGNATURE];
    const uint8_t rim[3] = {160, 40, 40};
    mdf_image im = disc(256, 1, orange, rim);
    measure(s, &im);
    /* pixels at the border between the two are a mixture: 2 pi 0.7 64 of about 5,000 */
    near(s[MDF_SIG_RIM], log(44.0 / 84), 0.05);
    near(s[MDF_SIG_RIM_HUE], log(164.0 / 44) - log(164.0 / 84), 0.05);
    mdf_image_free(&im);
}

static void a_cut_field_is_less_high(void **state)
{
    (void)state;
    float s[MDF_SIGNATURE];
    mdf_image im = disc(400, 0.7, orange, orange);
    measure(s, &im);
    near(s[MDF_SIG_SHAPE], log(0.7), 0.03); /* a pixel of 90 at both ends */
    mdf_image_free(&im);
}

static void blur_shows_in_what_is_fine(void **state)
{
    (void)state;
    float sharp[MDF_SIGNATURE];
    float soft[MDF_SIGNATURE];
    mdf_image im = {0};
    mdf_image small = {0};
    assert_int_equal(mdf_image_new(&im, 256, 256, NULL), MDF_OK);
    assert_int_equal(mdf_image_new(&small, 48, 48, NULL), MDF_OK);
    eye_draw(&im, 128, 128, 127, 1);
    measure(sharp, &im);
    assert_int_equal(mdf_resize_bilinear(small.rgb, 48, 48, im.rgb, 256, 256, 3, NULL), MDF_OK);
    measure(soft, &small);
    /* a line through 48 samples is straight over about three pixels of 128: the step over three
     * nears three times that over one */
    assert_true((double)soft[MDF_SIG_FINE] < (double)sharp[MDF_SIG_FINE] - 0.1);
    near(soft[MDF_SIG_RED], (double)sharp[MDF_SIG_RED], 0.02); /* and colours stay */
    near(soft[MDF_SIG_LIGHT], (double)sharp[MDF_SIG_LIGHT], 0.02);
    mdf_image_free(&im);
    mdf_image_free(&small);
}

static void a_sample_has_the_signature_of_its_photograph(void **state)
{
    (void)state;
    float whole[MDF_SIGNATURE];
    float sample[MDF_SIGNATURE];
    mdf_image im = {0};
    mdf_image reduced = {0};
    assert_int_equal(mdf_image_new(&im, 500, 500, NULL), MDF_OK);
    assert_int_equal(mdf_image_new(&reduced, 80, 80, NULL), MDF_OK);
    eye_draw(&im, 250, 250, 249, 1);
    assert_int_equal(mdf_resize_bilinear(reduced.rgb, 80, 80, im.rgb, 500, 500, 3, NULL), MDF_OK);
    assert_int_equal(mdf_signature(whole, &im, 80, NULL), MDF_OK);
    assert_int_equal(mdf_signature(sample, &reduced, 80, NULL), MDF_OK);
    assert_memory_equal(whole, sample, sizeof whole);
    mdf_image_free(&im);
    mdf_image_free(&reduced);
}

static void black_and_tiny_pictures_have_finite_ones(void **state)
{
    (void)state;
    for (int side = 1; side < 200; side += 66) {
        float s[MDF_SIGNATURE];
        mdf_image im = {0};
        assert_int_equal(mdf_image_new(&im, side, side, NULL), MDF_OK);
        measure(s, &im);
        for (int k = 0; k < MDF_SIGNATURE; k++) {
            assert_true(isfinite(s[k]));
        }
        mdf_image_free(&im);
    }
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    float s[MDF_SIGNATURE];
    mdf_image im = disc(200, 1, orange, orange);
    int failed = 0;
    for (long n = 1; n < 100; n++) {
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_signature(s, &im, 150, NULL);
        mdf_alloc_fail_after(0);
        if (status == MDF_OK) {
            break;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
        failed++;
    }
    assert_true(failed > 5);
    mdf_image_free(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_colour_has_its_ratios_and_nothing_else),
        cmocka_unit_test(a_rim_of_another_colour_shows),
        cmocka_unit_test(a_cut_field_is_less_high),
        cmocka_unit_test(blur_shows_in_what_is_fine),
        cmocka_unit_test(a_sample_has_the_signature_of_its_photograph),
        cmocka_unit_test(black_and_tiny_pictures_have_finite_ones),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
