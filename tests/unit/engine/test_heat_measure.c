/* Numbers of heat-maps in cases that can be worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/heat_compare.h"
#include "support/near.h"

enum { CELLS = MDF_HEAT_CELLS, SIDE = 64 };

static void average_precision_of_small_rankings(void **state)
{
    (void)state;
    mdf_scored perfect[] = {{0.9f, true}, {0.8f, true}, {0.1f, false}, {0.2f, false}};
    mdf_scored mixed[] = {{4, true}, {3, false}, {2, true}, {1, false}};
    mdf_scored last[] = {{4, false}, {3, false}, {2, false}, {1, true}};
    mdf_scored equal[] = {{1, true}, {1, false}, {1, false}, {1, true}, {1, false}};
    mdf_scored none[] = {{1, false}};
    assert_near(mdf_average_precision(perfect, 4), 1, 1e-15);
    assert_near(mdf_average_precision(mixed, 4), (1 + 2.0 / 3) / 2, 1e-15);
    assert_near(mdf_average_precision(last, 4), 0.25, 1e-15);
    assert_near(mdf_average_precision(equal, 5), 0.4, 1e-15); /* the prevalence */
    assert_true(isnan(mdf_average_precision(none, 1)));
}

/* A random order has the prevalence on average: here of every order of 2 of 4, weighted equally.
 * The sum over the six is worked out by hand: 1, 5/6, 3/4, 7/12, 1/2, 5/12. */
static void average_precision_over_all_orders(void **state)
{
    (void)state;
    static const double want[] = {1, 5.0 / 6, 3.0 / 4, 7.0 / 12, 1.0 / 2, 5.0 / 12};
    int at = 0;
    for (int i = 0; i < 4; i++) {
        for (int j = i + 1; j < 4; j++) {
            mdf_scored item[4];
            for (int k = 0; k < 4; k++) {
                item[k] = (mdf_scored){(float)-k, k == i || k == j};
            }
            assert_near(mdf_average_precision(item, 4), want[at++], 1e-15);
        }
    }
}

/* A mask of one cell: pixels 4..7 along both axes of 64, which is cell (1, 1). */
static mdf_heat_truth one_cell(uint8_t px[SIDE * SIDE], bool round_view)
{
    mdf_error err = {0};
    mdf_heat_truth t;
    memset(px, 0, (size_t)SIDE * SIDE);
    for (int y = 4; y < 8; y++) {
        memset(px + y * SIDE + 4, 255, 4);
    }
    const mdf_grey mask = {.width = SIDE, .height = SIDE, .px = px};
    assert_int_equal(mdf_heat_truth_of(&t, &mask, round_view, &err), MDF_OK);
    return t;
}

static void chance_and_prevalence_come_from_the_mask(void **state)
{
    (void)state;
    uint8_t px[SIDE * SIDE];
    mdf_heat_truth t = one_cell(px, false);
    assert_near(t.chance, 1.0 / 256, 1e-15);
    assert_near(t.area, 1.0 / 256, 1e-15);
    for (int i = 0; i < CELLS; i++) {
        assert_true(t.seen[i] && t.cell[i] == (i == 17));
    }
    mdf_heat_truth_free(&t);
    t = one_cell(px, true); /* (1, 1) lies outside of the disc: (1.5 / 8 - 1)^2 * 2 = 1.3 */
    assert_null(t.pixel);
    assert_false(t.seen[17] || t.cell[17]);
    int seen = 0;
    for (int i = 0; i < CELLS; i++) {
        const double x = i % 16 - 7.5;
        const double y = i / 16 - 7.5;
        assert_int_equal(t.seen[i], x * x + y * y <= 64);
        seen += t.seen[i];
    }
    assert_int_equal(seen, 208); /* the integer points of a circle, counted apart */
    mdf_heat_truth_free(&t);
}

static void the_hottest_cell_hits_or_not(void **state)
{
    (void)state;
    uint8_t px[SIDE * SIDE];
    mdf_heat_truth t = one_cell(px, false);
    float heat[CELLS] = {0};
    assert_near(mdf_heat_hit(heat, &t), 0, 0); /* points at nothing */
    heat[17] = 1;
    assert_near(mdf_heat_hit(heat, &t), 1, 0);
    heat[18] = 1; /* a neighbour is no hit */
    assert_near(mdf_heat_hit(heat, &t), 0.5, 0);
    heat[18] = 2;
    assert_near(mdf_heat_hit(heat, &t), 0, 0);
    for (int i = 0; i < CELLS; i++) {
        heat[i] = 3;
    }
    assert_near(mdf_heat_hit(heat, &t), t.chance, 1e-15);
    t.seen[18] = false;
    heat[17] = 4;
    heat[18] = 5; /* hotter, but outside */
    assert_near(mdf_heat_hit(heat, &t), 1, 0);
    mdf_heat_truth_free(&t);
}

/* An even map is worth what chance is. One that is hot only on the mask's cell is bilinear between
 * the middles of cells of 16 x 16 pixels: its mean over the cell along an axis is 3/4 at the
 * centre's side, so 9/16 of 1 on 256 pixels, of a whole mass of 256: 0.5625. */
static void pixels_are_compared_with_the_drawn_map(void **state)
{
    (void)state;
    uint8_t px[SIDE * SIDE];
    mdf_error err = {0};
    mdf_heat_pixels p;
    float heat[CELLS];
    mdf_heat_truth t = one_cell(px, false);
    for (int i = 0; i < CELLS; i++) {
        heat[i] = 0.5f;
    }
    assert_int_equal(mdf_heat_against(&p, heat, 16, &t, &err), MDF_OK);
    assert_near(p.auprc, 1.0 / 256, 1e-12);
    assert_near(p.mass, 1.0 / 256, 1e-12);
    memset(heat, 0, sizeof heat);
    assert_int_equal(mdf_heat_against(&p, heat, 16, &t, &err), MDF_OK);
    assert_near(p.mass, 0, 0);
    heat[17] = 1;
    assert_int_equal(mdf_heat_against(&p, heat, 16, &t, &err), MDF_OK);
    assert_near(p.mass, 0.5625, 1e-6);
    float fine[64 * 64] = {0}; /* hot on exactly the mask's pixels, but for the edges */
    for (int y = 4; y < 8; y++) {
        for (int x = 4; x < 8; x++) {
            fine[y * 64 + x] = 1;
        }
    }
    assert_int_equal(mdf_heat_against(&p, fine, 64, &t, &err), MDF_OK);
    assert_near(p.auprc, 1, 1e-12); /* whatever lies outside is at most half as hot */
    mdf_heat_truth_free(&t);
}

static void rank_correlation(void **state)
{
    (void)state;
    float a[CELLS] = {0};
    float b[CELLS] = {0};
    bool seen[CELLS] = {false};
    /* Five cells; the usual example: 1 - 6 sum d^2 / (n (n^2 - 1)) with d = 0, 0, 1, 1, 0. */
    const float x[] = {1, 2, 3, 4, 50};
    const float y[] = {10, 20, 40, 30, 50};
    for (int i = 0; i < 5; i++) {
        seen[40 + i] = true;
        a[40 + i] = x[i];
        b[40 + i] = y[i];
    }
    a[0] = 1000; /* not seen */
    assert_near(mdf_heat_correlation(a, b, seen), 1 - 6.0 * 2 / (5 * 24), 1e-12);
    assert_near(mdf_heat_correlation(a, a, seen), 1, 1e-12);
    for (int i = 0; i < 5; i++) {
        b[40 + i] = -x[i] * x[i] * x[i];
    }
    assert_near(mdf_heat_correlation(a, b, seen), -1, 1e-12);
    /* Ties: ranks 1.5 1.5 3.5 3.5 5 against 1 2 3 4 5: cov 9.0, variances 9 and 10. */
    const float tied[] = {7, 7, 8, 8, 9};
    for (int i = 0; i < 5; i++) {
        b[40 + i] = tied[i];
    }
    assert_near(mdf_heat_correlation(a, b, seen), 9 / sqrt(9.0 * 10.0), 1e-12);
    memset(b, 0, sizeof b);
    assert_true(isnan(mdf_heat_correlation(a, b, seen)));
}

static void area_is_straight_between_points(void **state)
{
    (void)state;
    const double x[] = {0, 0.25, 1};
    assert_near(mdf_area_under(x, (double[]){2, 2, 2}, 3), 2, 1e-15);
    assert_near(mdf_area_under(x, (double[]){0, 0.25, 1}, 3), 0.5, 1e-15);
    assert_near(mdf_area_under(x, (double[]){1, 0, 0}, 3), 0.125, 1e-15);
}

/* Two cases of one label, one of another; hits 1, 0, 1 where chance is 0.2, 0.4, 0.5. */
static void numbers_are_means_over_cases(void **state)
{
    (void)state;
    double hit[] = {1, 0, 1};
    double mass[] = {0.2, 0.4, 0.6};
    mdf_heat_compare c = {.n = 3,
                          .label = (int[]){0, 0, 1},
                          .patient = (int[]){1, 2, 3},
                          .chance = (double[]){0.2, 0.4, 0.5},
                          .area = (double[]){0.1, 0.1, 0.3},
                          .rows = 1};
    c.row[0].value[MDF_HEAT_HIT] = hit;
    c.row[0].value[MDF_HEAT_MASS] = mass;
    mdf_estimate e;
    assert_int_equal(mdf_heat_estimate(&e, &c, 0, MDF_HEAT_SAYS_POINTING, -1, 9, NULL), MDF_OK);
    assert_near(e.value, 2.0 / 3, 1e-15);
    assert_int_equal(mdf_heat_estimate(&e, &c, 0, MDF_HEAT_SAYS_SKILL, -1, 9, NULL), MDF_OK);
    assert_near(e.value, (2.0 / 3 - 1.1 / 3) / (1 - 1.1 / 3), 1e-12);
    assert_int_equal(mdf_heat_estimate(&e, &c, 0, MDF_HEAT_SAYS_SKILL, 0, 9, NULL), MDF_OK);
    assert_int_equal(e.n, 2);
    assert_near(e.value, (0.5 - 0.3) / 0.7, 1e-12);
    assert_int_equal(mdf_heat_estimate(&e, &c, 0, MDF_HEAT_SAYS_GAIN, -1, 9, NULL), MDF_OK);
    assert_near(e.value, 1.2 / 0.5, 1e-12);
}

static void cells_are_ordered_hottest_first(void **state)
{
    (void)state;
    float heat[CELLS] = {0};
    bool seen[CELLS];
    int order[CELLS];
    int other[CELLS];
    for (int i = 0; i < CELLS; i++) {
        seen[i] = i != 9;
    }
    heat[200] = 3;
    heat[5] = 2;
    heat[9] = 7; /* not seen: last */
    mdf_heat_order(order, heat, seen, 1);
    mdf_heat_order(other, heat, seen, 2);
    assert_int_equal(order[0], 200);
    assert_int_equal(order[1], 5);
    assert_int_equal(order[CELLS - 1], 9);
    bool met[CELLS] = {false};
    for (int i = 0; i < CELLS; i++) {
        assert_false(met[order[i]]);
        met[order[i]] = true;
    }
    assert_memory_not_equal(order, other, sizeof order); /* ties have no fixed place */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(average_precision_of_small_rankings),
        cmocka_unit_test(average_precision_over_all_orders),
        cmocka_unit_test(chance_and_prevalence_come_from_the_mask),
        cmocka_unit_test(the_hottest_cell_hits_or_not),
        cmocka_unit_test(pixels_are_compared_with_the_drawn_map),
        cmocka_unit_test(rank_correlation),
        cmocka_unit_test(area_is_straight_between_points),
        cmocka_unit_test(numbers_are_means_over_cases),
        cmocka_unit_test(cells_are_ordered_hottest_first),
    };
    return cmocka_run_group_tests_name("engine/heat_measure", tests, NULL, NULL);
}
