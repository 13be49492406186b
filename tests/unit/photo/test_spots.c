/* Connected areas against a flood fill, and shapes that are joined late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "photo/spots.h"
#include "support/sheet.h"

enum { MOST = 4096 };

typedef struct list {
    mdf_spot spot[MOST];
    size_t count;
} list;

static sheet mask;
static list found;
static list want;

static void take(void *user, const mdf_spot *spot)
{
    list *l = user;
    assert_true(l->count < MOST);
    l->spot[l->count++] = *spot;
}

static void find(const mdf_field *f)
{
    found.count = 0;
    assert_int_equal(mdf_spots_find(mask.px, f, take, &found, NULL), MDF_OK);
}

/* Draws what is in a text: a line a row, # inside. */
static void draw(const char *const *line, int side)
{
    sheet_clear(&mask, side);
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            if (line[y][x] == '#') {
                sheet_set(&mask, x, y);
            }
        }
    }
}

static void corners_join_and_rings_are_one(void **state)
{
    (void)state;
    static const char *const text[] = {"#.......#", /* */
                                       ".#.....#.", "..#...#..", "...#.#...", "....#....",
                                       ".........", "###.#####", "#.#.#...#", "###.#.#.#"};
    const mdf_field f = field_full(9);
    draw(text, 9);
    find(&f);
    assert_int_equal(found.count, 4); /* a V, a ring, an arch, the dot below it */
    assert_int_equal(found.spot[0].area, 9);
    assert_int_equal(found.spot[0].right, 9);
    assert_int_equal(found.spot[0].bottom, 5);
    assert_true(found.spot[0].at_border);
    assert_true(fabs(mdf_spot_x(&found.spot[0]) - 4.5) < 1e-12);
    assert_true(fabs(mdf_spot_y(&found.spot[0]) - (2 * (0.5 + 1.5 + 2.5 + 3.5) + 4.5) / 9) < 1e-12);
}

/* A comb's teeth are areas of their own until its last row. */
static void a_comb_is_one_area(void **state)
{
    (void)state;
    const mdf_field f = field_full(101);
    sheet_clear(&mask, 101);
    for (int x = 0; x < 101; x += 2) {
        sheet_box(&mask, x, 0, x + 1, 100);
    }
    find(&f);
    assert_int_equal(found.count, 51);
    sheet_box(&mask, 0, 100, 101, 101);
    find(&f);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.spot[0].area, 51 * 100 + 101);
}

static void what_is_outside_of_the_field_does_not_count(void **state)
{
    (void)state;
    const mdf_field f = field_round(100, 50, 50, 30);
    sheet_clear(&mask, 100);
    sheet_box(&mask, 0, 0, 100, 100);
    find(&f);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.spot[0].area, f.area);
    assert_true(found.spot[0].at_border);
    sheet_clear(&mask, 100);
    sheet_ellipse(&mask, 50, 50, 28, 28);
    find(&f);
    assert_false(found.spot[0].at_border);
}

/* The area around x, y, whose pixels become 0. */
static mdf_spot fill(uint8_t *px, const mdf_field *f, int x, int y)
{
    static int queue[SHEET * SHEET];
    size_t count = 1;
    mdf_spot s = {.left = x, .top = y, .right = x + 1, .bottom = y + 1};
    queue[0] = y * f->width + x;
    px[queue[0]] = 0;
    for (size_t at = 0; at < count; at++) {
        const int cx = queue[at] % f->width;
        const int cy = queue[at] / f->width;
        s.area++;
        s.sum_x += cx;
        s.sum_y += cy;
        s.left = cx < s.left ? cx : s.left;
        s.right = cx + 1 > s.right ? cx + 1 : s.right;
        s.bottom = cy + 1 > s.bottom ? cy + 1 : s.bottom;
        for (int d = 0; d < 9; d++) {
            const int nx = cx + d % 3 - 1;
            const int ny = cy + d / 3 - 1;
            if (nx < 0 || ny < 0 || nx >= f->width || ny >= f->height) {
                s.at_border = s.at_border || d % 2 == 1;
            } else if (px[ny * f->width + nx] != 0) {
                px[ny * f->width + nx] = 0;
                queue[count++] = ny * f->width + nx;
            }
        }
    }
    return s;
}

static int compare(const void *a, const void *b)
{
    const mdf_spot *x = a;
    const mdf_spot *y = b;
    const int64_t order[] = {x->area - y->area, x->sum_x - y->sum_x, x->sum_y - y->sum_y};
    for (int i = 0; i < 3; i++) {
        if (order[i] != 0) {
            return order[i] < 0 ? -1 : 1;
        }
    }
    return 0;
}

static void noise_of_any_density_is_as_a_flood_fill_says(void **state)
{
    (void)state;
    static uint8_t copy[SHEET * SHEET];
    mdf_rng r = mdf_rng_new(1, 1);
    for (int percent = 5; percent < 100; percent += 10) {
        const int side = 60 + percent;
        const mdf_field f = field_full(side);
        sheet_clear(&mask, side);
        for (int i = 0; i < side * side; i++) {
            mask.px[i] = mdf_rng_uniform(&r) * 100 < percent ? 1 : 0;
        }
        find(&f);
        want.count = 0;
        memcpy(copy, mask.px, sizeof copy);
        for (int i = 0; i < side * side; i++) {
            if (copy[i] != 0) {
                take(&want, &(mdf_spot){0});
                want.spot[want.count - 1] = fill(copy, &f, i % side, i / side);
            }
        }
        assert_int_equal(found.count, want.count);
        qsort(found.spot, found.count, sizeof *found.spot, compare);
        qsort(want.spot, want.count, sizeof *want.spot, compare);
        for (size_t i = 0; i < want.count; i++) {
            assert_int_equal(compare(&found.spot[i], &want.spot[i]), 0);
            assert_int_equal(found.spot[i].left, want.spot[i].left);
            assert_int_equal(found.spot[i].top, want.spot[i].top);
            assert_int_equal(found.spot[i].right, want.spot[i].right);
            assert_int_equal(found.spot[i].bottom, want.spot[i].bottom);
            assert_int_equal(found.spot[i].at_border, want.spot[i].at_border);
        }
    }
}

/* Runs in every second pixel of every row: as many as there is room for. */
static void a_chequered_mask_fits(void **state)
{
    (void)state;
    for (int side = 1; side < 12; side++) {
        const mdf_field f = field_full(side);
        sheet_clear(&mask, side);
        for (int i = 0; i < side * side; i++) {
            mask.px[i] = (i % side + i / side) % 2 == 0 ? 255 : 0;
        }
        find(&f);
        assert_int_equal(found.count, 1);
        assert_int_equal(found.spot[0].area, (side * side + 1) / 2);
        for (int y = 1; y < side; y += 2) { /* dots in every second row only */
            memset(mask.px + y * side, 0, (size_t)side);
        }
        find(&f);
        assert_int_equal(found.count, ((side + 1) / 2) * ((side + 1) / 2));
    }
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    const mdf_field f = field_full(8);
    mdf_error err = {0};
    for (long n = 1; n <= 6; n++) {
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_spots_find(mask.px, &f, take, &found, &err);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corners_join_and_rings_are_one),
        cmocka_unit_test(a_comb_is_one_area),
        cmocka_unit_test(what_is_outside_of_the_field_does_not_count),
        cmocka_unit_test(noise_of_any_density_is_as_a_flood_fill_says),
        cmocka_unit_test(a_chequered_mask_fits),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
