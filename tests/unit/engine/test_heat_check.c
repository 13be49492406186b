/* The heat-map check on masks drawn by hand: which cells of a map are on the lesion. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/heat_check.h"

enum { SIDE = 8, CELL = 5, PIXELS = SIDE * CELL };

/* One lesion pixel in the middle of cell (3, 4) of 8 x 8. */
static void a_cell_and_its_neighbours_hit_a_dot(void **state)
{
    (void)state;
    uint8_t mask[PIXELS * PIXELS];
    memset(mask, 0, sizeof mask);
    mask[(3 * CELL + 2) * PIXELS + 4 * CELL + 2] = 255;
    for (int row = 0; row < SIDE; row++) {
        for (int column = 0; column < SIDE; column++) {
            const bool near = row >= 2 && row <= 4 && column >= 3 && column <= 5;
            assert_int_equal(mdf_heat_cell_hits(row * SIDE + column, SIDE, mask, PIXELS), near);
        }
    }
}

static void a_lesion_at_the_edge_does_not_wrap_around(void **state)
{
    (void)state;
    uint8_t mask[PIXELS * PIXELS];
    memset(mask, 0, sizeof mask);
    mask[PIXELS - 1] = 255; /* the last pixel of the first row: cell (0, 7) */
    assert_true(mdf_heat_cell_hits(7, SIDE, mask, PIXELS));
    assert_true(mdf_heat_cell_hits(SIDE + 6, SIDE, mask, PIXELS));
    assert_false(mdf_heat_cell_hits(SIDE, SIDE, mask, PIXELS));     /* (1, 0), next in memory */
    assert_false(mdf_heat_cell_hits(5, SIDE, mask, PIXELS));        /* (0, 5) */
    assert_false(mdf_heat_cell_hits(7 * SIDE, SIDE, mask, PIXELS)); /* (7, 0) */
}

static void an_empty_mask_is_never_hit(void **state)
{
    (void)state;
    uint8_t mask[PIXELS * PIXELS];
    memset(mask, 0, sizeof mask);
    for (int i = 0; i < SIDE * SIDE; i++) {
        assert_false(mdf_heat_cell_hits(i, SIDE, mask, PIXELS));
    }
}

/* 10 pixels under 8 cells: pixel 5 has its centre at 5.5 * 0.8 = 4.4, so in cell 4. */
static void cells_need_not_be_whole_pixels(void **state)
{
    (void)state;
    uint8_t mask[100];
    memset(mask, 0, sizeof mask);
    mask[5 * 10 + 5] = 255;
    assert_true(mdf_heat_cell_hits(3 * SIDE + 3, SIDE, mask, 10));
    assert_true(mdf_heat_cell_hits(5 * SIDE + 5, SIDE, mask, 10));
    assert_false(mdf_heat_cell_hits(2 * SIDE + 4, SIDE, mask, 10));
    assert_false(mdf_heat_cell_hits(4 * SIDE + 6, SIDE, mask, 10));
}

static void a_check_without_cases_has_no_rate(void **state)
{
    (void)state;
    json_t *none = mdf_heat_check_json(&(mdf_heat_check){.masks = 3});
    assert_non_null(none);
    assert_int_equal(json_integer_value(json_object_get(none, "n")), 0);
    assert_true(json_is_null(json_object_get(none, "rate")));
    assert_true(json_is_null(json_object_get(none, "rate_ci")));
    json_decref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cell_and_its_neighbours_hit_a_dot),
        cmocka_unit_test(a_lesion_at_the_edge_does_not_wrap_around),
        cmocka_unit_test(an_empty_mask_is_never_hit),
        cmocka_unit_test(cells_need_not_be_whole_pixels),
        cmocka_unit_test(a_check_without_cases_has_no_rate),
    };
    return cmocka_run_group_tests_name("heat_check", tests, NULL, NULL);
}
