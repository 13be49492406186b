/* Field of view: drawn discs whose place is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "photo/fov.h"
#include "support/eye.h"

static mdf_fov fov_of_eye(int w, int h, double cx, double cy, double r)
{
    mdf_image im = {0};
    mdf_fov fov = {0};
    assert_int_equal(mdf_image_new(&im, w, h, NULL), MDF_OK);
    eye_draw(&im, cx, cy, r, 1.0);
    assert_int_equal(mdf_fov_find(&fov, &im, NULL), MDF_OK);
    mdf_image_free(&im);
    return fov;
}

/* 1.5 % of the radius: the search works at 256 pixels, one of which is 0.8 % of such a radius. */
static void check_circle(const mdf_fov *fov, double cx, double cy, double r)
{
    assert_int_equal(fov->kind, MDF_FOV_CIRCLE);
    assert_true(fabs((double)fov->cx - cx) < 0.015 * r);
    assert_true(fabs((double)fov->cy - cy) < 0.015 * r);
    assert_true(fabs((double)fov->r - r) < 0.015 * r);
    assert_true(fov->confidence > 0.8F);
}

static void a_whole_disc_is_found(void **state)
{
    (void)state;
    mdf_fov fov = fov_of_eye(600, 500, 310.0, 240.0, 210.0);
    check_circle(&fov, 310.0, 240.0, 210.0);
    assert_true(fov.visible > 0.99F);
    assert_in_range(fov.left, 96, 104);
    assert_in_range(fov.bottom, 446, 454);
    fov = fov_of_eye(90, 100, 44.0, 52.0, 38.0);
    assert_int_equal(fov.kind, MDF_FOV_CIRCLE);
    assert_true(fabs((double)fov.r - 38.0) < 1.5);
}

static void a_disc_cut_off_above_and_below_keeps_its_centre_and_radius(void **state)
{
    (void)state;
    const mdf_fov fov = fov_of_eye(768, 512, 360.0, 256.0, 310.0);
    check_circle(&fov, 360.0, 256.0, 310.0);
    assert_int_equal(fov.top, 0);
    assert_int_equal(fov.bottom, 512);
    assert_true(fov.visible > 0.85F && fov.visible < 0.96F);
    const mdf_square at = mdf_fov_square(&fov);
    assert_in_range(at.side, 611, 629);
    assert_true(at.top < -45 && at.top > -63); /* 256 - 310 */
}

static void a_disc_whose_bottom_is_missing_is_still_a_disc(void **state)
{
    (void)state;
    const mdf_fov fov = fov_of_eye(500, 400, 250.0, 260.0, 220.0);
    check_circle(&fov, 250.0, 260.0, 220.0);
    assert_true(fov.visible < 0.95F);
}

static void a_picture_without_dark_ground_is_full(void **state)
{
    (void)state;
    const mdf_fov fov = fov_of_eye(300, 300, 150.0, 150.0, 400.0);
    assert_int_equal(fov.kind, MDF_FOV_FULL);
    assert_int_equal(fov.left, 0);
    assert_int_equal(fov.right, 300);
    assert_int_equal(mdf_fov_square(&fov).side, 300);
}

static void a_lit_box_is_a_box_and_a_blank_picture_is_nothing(void **state)
{
    (void)state;
    mdf_image im = {0};
    mdf_fov fov;
    assert_int_equal(mdf_image_new(&im, 200, 150, NULL), MDF_OK);
    assert_int_equal(mdf_fov_find(&fov, &im, NULL), MDF_OK);
    assert_int_equal(fov.kind, MDF_FOV_NONE);
    for (int y = 30; y < 110; y++) {
        memset(im.rgb + (y * 200 + 50) * 3, 180, 300); /* x 50..149 */
    }
    assert_int_equal(mdf_fov_find(&fov, &im, NULL), MDF_OK);
    assert_int_equal(fov.kind, MDF_FOV_BOX);
    assert_int_equal(fov.left, 50);
    assert_int_equal(fov.right, 150);
    assert_int_equal(fov.top, 30);
    assert_int_equal(fov.bottom, 110);
    const mdf_square at = mdf_fov_square(&fov);
    assert_int_equal(at.side, 100);
    assert_int_equal(at.top, 20);
    memset(im.rgb, 90, 200 * 150 * 3);
    assert_int_equal(mdf_fov_find(&fov, &im, NULL), MDF_OK);
    assert_int_equal(fov.kind, MDF_FOV_NONE);
    mdf_image_free(&im);
}

static void an_extreme_shape_does_not_trip_the_search(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 400}, {3000, 2}, {5, 5}, {256, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        mdf_image im = {0};
        mdf_image crop = {0};
        mdf_fov fov;
        assert_int_equal(mdf_image_new(&im, sizes[i][0], sizes[i][1], NULL), MDF_OK);
        im.rgb[0] = 255;
        assert_int_equal(mdf_fov_crop(&crop, &fov, &im, NULL), MDF_OK);
        assert_true(crop.width == crop.height && crop.width >= 1);
        mdf_image_free(&crop);
        mdf_image_free(&im);
    }
    const mdf_image empty = {0};
    mdf_fov fov;
    assert_int_equal(mdf_fov_find(&fov, &empty, NULL), MDF_ERR_ARG);
}

static void a_crop_is_black_beyond_the_picture(void **state)
{
    (void)state;
    uint8_t px[2 * 2 * 3];
    uint8_t mask_px[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < sizeof px; i++) {
        px[i] = (uint8_t)(i + 1);
    }
    const mdf_image im = {.width = 2, .height = 2, .rgb = px};
    const mdf_grey mask = {.width = 2, .height = 2, .px = mask_px};
    const mdf_square at = {.left = -1, .top = 0, .side = 4};
    mdf_image crop = {0};
    mdf_grey mask_crop = {0};
    assert_int_equal(mdf_crop(&crop, &im, at, NULL), MDF_OK);
    assert_int_equal(mdf_crop_grey(&mask_crop, &mask, at, NULL), MDF_OK);
    const uint8_t want[16] = {0, 1, 2, 0, 0, 3, 4, 0};
    assert_memory_equal(mask_crop.px, want, 16);
    assert_int_equal(crop.rgb[0], 0);
    assert_int_equal(crop.rgb[3], 1);
    assert_int_equal(crop.rgb[3 * 4 + 3], 7); /* second row, second column */
    assert_int_equal(crop.rgb[3 * 8], 0);
    mdf_image_free(&crop);
    mdf_grey_free(&mask_crop);
    assert_int_equal(mdf_crop(&crop, &im, (mdf_square){.side = 0}, NULL), MDF_ERR_FORMAT);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    mdf_image im = {0};
    mdf_fov fov;
    assert_int_equal(mdf_image_new(&im, 64, 64, NULL), MDF_OK);
    eye_draw(&im, 32.0, 32.0, 28.0, 1.0);
    long n = 1;
    for (; n < 100; n++) {
        mdf_image crop = {0};
        mdf_alloc_fail_after(n);
        const mdf_status s = mdf_fov_crop(&crop, &fov, &im, NULL);
        mdf_alloc_fail_after(0);
        mdf_image_free(&crop);
        if (s == MDF_OK) {
            break;
        }
        assert_int_equal(s, MDF_ERR_NOMEM);
    }
    assert_in_range(n, 5, 50);
    mdf_image_free(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_disc_is_found),
        cmocka_unit_test(a_disc_cut_off_above_and_below_keeps_its_centre_and_radius),
        cmocka_unit_test(a_disc_whose_bottom_is_missing_is_still_a_disc),
        cmocka_unit_test(a_picture_without_dark_ground_is_full),
        cmocka_unit_test(a_lit_box_is_a_box_and_a_blank_picture_is_nothing),
        cmocka_unit_test(an_extreme_shape_does_not_trip_the_search),
        cmocka_unit_test(a_crop_is_black_beyond_the_picture),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("data/fov", tests, NULL, NULL);
}
