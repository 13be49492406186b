/* Quality: drawn eyes with one thing wrong at a time, and drawings that are no eyes. Rates on real
 * photographs are in docs/QUALITY.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "photo/quality.h"
#include "support/eye.h"

enum { SIDE = 384 };

static mdf_quality score(const mdf_image *im)
{
    mdf_fov fov;
    mdf_quality q = {0};
    assert_int_equal(mdf_fov_find(&fov, im, NULL), MDF_OK);
    assert_int_equal(mdf_quality_score(&q, im, &fov, NULL), MDF_OK);
    assert_true(q.score >= 0.0F && q.score <= 1.0F);
    assert_true((q.score < 0.5F) == (q.reasons != 0));
    return q;
}

static mdf_quality score_eye(double cy, double light)
{
    mdf_image im = {0};
    assert_int_equal(mdf_image_new(&im, SIDE, SIDE, NULL), MDF_OK);
    eye_draw(&im, SIDE / 2.0, cy, 170.0, light);
    const mdf_quality q = score(&im);
    mdf_image_free(&im);
    return q;
}

static void a_clear_eye_has_no_reasons(void **state)
{
    (void)state;
    const mdf_quality q = score_eye(SIDE / 2.0, 1.0);
    assert_int_equal(q.reasons, 0);
    assert_true(q.score >= 0.5F);
    assert_true(q.fundus_prob > 0.8F);
}

static void a_dark_eye_is_dark_and_still_an_eye(void **state)
{
    (void)state;
    const mdf_quality q = score_eye(SIDE / 2.0, 0.18);
    assert_true((q.reasons & MDF_QUALITY_DARK) != 0);
    assert_true((q.reasons & MDF_QUALITY_NO_FUNDUS) == 0);
}

static void an_eye_beyond_the_frame_is_cut_off(void **state)
{
    (void)state;
    const mdf_quality q = score_eye(SIDE - 20.0, 1.0);
    assert_true((q.reasons & MDF_QUALITY_CUT_OFF) != 0);
}

static void burnt_out_pixels_are_counted(void **state)
{
    (void)state;
    const mdf_quality q = score_eye(SIDE / 2.0, 3.5);
    assert_true((q.reasons & MDF_QUALITY_OVEREXPOSED) != 0);
}

/* Limits of docs/QUALITY.md: a warning below 128 pixels across. */
static void a_small_eye_has_few_pixels(void **state)
{
    (void)state;
    static const int side[] = {96, 160};
    for (int i = 0; i < 2; i++) {
        mdf_image im = {0};
        assert_int_equal(mdf_image_new(&im, side[i], side[i], NULL), MDF_OK);
        eye_draw(&im, side[i] / 2.0, side[i] / 2.0, side[i] * 0.46, 1.0);
        const mdf_quality q = score(&im);
        assert_int_equal((q.reasons & MDF_QUALITY_SMALL) != 0, i == 0);
        assert_true((q.reasons & MDF_QUALITY_NO_FUNDUS) == 0);
        mdf_image_free(&im);
    }
}

/* A running mean over 2 * r + 1 pixels, both ways. */
static void blur(mdf_image *im, int r)
{
    mdf_image copy = {0};
    assert_int_equal(mdf_image_new(&copy, im->width, im->height, NULL), MDF_OK);
    memcpy(copy.rgb, im->rgb, (size_t)im->width * (size_t)im->height * 3);
    for (int y = r; y < im->height - r; y++) {
        for (int x = r; x < im->width - r; x++) {
            for (int c = 0; c < 3; c++) {
                int sum = 0;
                for (int dy = -r; dy <= r; dy++) {
                    for (int dx = -r; dx <= r; dx++) {
                        sum += copy.rgb[3 * ((y + dy) * im->width + x + dx) + c];
                    }
                }
                im->rgb[3 * (y * im->width + x) + c] = (uint8_t)(sum / ((2 * r + 1) * (2 * r + 1)));
            }
        }
    }
    mdf_image_free(&copy);
}

static void a_blurred_eye_is_blurred_and_still_an_eye(void **state)
{
    (void)state;
    mdf_image im = {0};
    assert_int_equal(mdf_image_new(&im, SIDE, SIDE, NULL), MDF_OK);
    eye_draw(&im, SIDE / 2.0, SIDE / 2.0, 170.0, 1.0);
    blur(&im, 10);
    blur(&im, 10);
    const mdf_quality q = score(&im);
    assert_true((q.reasons & MDF_QUALITY_BLURRED) != 0);
    assert_true((q.reasons & MDF_QUALITY_NO_FUNDUS) == 0);
    mdf_image_free(&im);
}

static void drawings_are_no_fundus(void **state)
{
    (void)state;
    mdf_image im = {0};
    mdf_rng r = mdf_rng_new(1, 1);
    assert_int_equal(mdf_image_new(&im, SIDE, SIDE, NULL), MDF_OK);
    for (int kind = 0; kind < 5; kind++) {
        for (int i = 0; i < SIDE * SIDE; i++) {
            const int x = i % SIDE;
            const int y = i / SIDE;
            uint8_t *p = im.rgb + 3 * i;
            const uint8_t values[5] = {
                (uint8_t)mdf_rng_below(&r, 256),                 /* noise */
                (uint8_t)((x / 7 + y / 12) % 3 == 0 ? 20 : 250), /* text-like */
                (uint8_t)(x * 255 / SIDE),                       /* gradient */
                (uint8_t)((x / 16) % 2 == 0 ? 200 : 30),         /* stripes */
                128,                                             /* blank */
            };
            p[0] = values[kind];
            p[1] = kind == 0 ? (uint8_t)mdf_rng_below(&r, 256) : values[kind];
            p[2] = kind == 2 ? 200 : values[kind];
        }
        const mdf_quality q = score(&im);
        if ((q.reasons & MDF_QUALITY_NO_FUNDUS) == 0) {
            fail_msg("drawing %d passes with %f", kind, (double)q.fundus_prob);
        }
    }
    mdf_image_free(&im);
}

static void reasons_read_as_a_list(void **state)
{
    (void)state;
    mdf_strbuf b = mdf_strbuf_new(200);
    mdf_quality_reasons(MDF_QUALITY_DARK | MDF_QUALITY_NO_FUNDUS, &b);
    assert_string_equal(b.data, "not a fundus photograph, too dark");
    mdf_strbuf_clear(&b);
    mdf_quality_reasons(0, &b);
    assert_int_equal(b.len, 0);
    mdf_strbuf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clear_eye_has_no_reasons),
        cmocka_unit_test(a_dark_eye_is_dark_and_still_an_eye),
        cmocka_unit_test(an_eye_beyond_the_frame_is_cut_off),
        cmocka_unit_test(burnt_out_pixels_are_counted),
        cmocka_unit_test(a_small_eye_has_few_pixels),
        cmocka_unit_test(a_blurred_eye_is_blurred_and_still_an_eye),
        cmocka_unit_test(drawings_are_no_fundus),
        cmocka_unit_test(reasons_read_as_a_list),
    };
    return cmocka_run_group_tests_name("data/quality", tests, NULL, NULL);
}
