/* Pixels of the field of view: discs, discs cut off, boxes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "support/sheet.h"

static void a_disc_has_the_pixels_whose_centres_it_holds(void **state)
{
    (void)state;
    const mdf_field f = field_round(100, 50.3F, 47.8F, 31.7F);
    int64_t area = 0;
    for (int y = 0; y < 100; y++) {
        int begin = 0;
        int end = 0;
        mdf_field_row(&f, y, &begin, &end);
        for (int x = 0; x < 100; x++) {
            const double dx = x + 0.5 - f.cx;
            const double dy = y + 0.5 - f.cy;
            const bool inside = dx * dx + dy * dy <= f.r * f.r;
            assert_int_equal(x >= begin && x < end, inside);
            area += inside;
        }
    }
    assert_int_equal(f.area, area);
    assert_true(fabs(f.diameter - 63.4) < 1e-5); /* a float */
}

static void a_disc_ends_where_picture_and_lit_area_end(void **state)
{
    (void)state;
    const mdf_field f = mdf_field_of(&(mdf_fov){.kind = MDF_FOV_CIRCLE,
                                                .cx = 50,
                                                .cy = 50,
                                                .r = 60,
                                                .top = 10,
                                                .right = 100,
                                                .bottom = 90},
                                     100, 100);
    int begin = 0;
    int end = 0;
    mdf_field_row(&f, 50, &begin, &end);
    assert_int_equal(begin, 0);
    assert_int_equal(end, 100);
    for (int y = -200; y < 300; y++) {
        mdf_field_row(&f, y, &begin, &end);
        assert_int_equal(end > begin, y >= 10 && y < 90);
    }
    assert_true(fabs(f.diameter - 120) < 1e-9);
}

static void a_box_is_all_of_its_pixels(void **state)
{
    (void)state;
    const mdf_fov fov = {.kind = MDF_FOV_BOX, .left = 3, .top = 4, .right = 13, .bottom = 10};
    const mdf_field f = mdf_field_of(&fov, 20, 20);
    assert_int_equal(f.area, 60);
    assert_true(fabs(f.diameter - 10) < 1e-9);
    const mdf_square want = mdf_fov_square(&fov);
    const mdf_square at = mdf_field_square(&f);
    assert_int_equal(at.left, want.left);
    assert_int_equal(at.top, want.top);
    assert_int_equal(at.side, want.side);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disc_has_the_pixels_whose_centres_it_holds),
        cmocka_unit_test(a_disc_ends_where_picture_and_lit_area_end),
        cmocka_unit_test(a_box_is_all_of_its_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
