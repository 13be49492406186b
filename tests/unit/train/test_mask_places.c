/* Where drawn masks lie: expected values by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "train/mask_places.h"

enum { SIDE = 64 };

static uint8_t truth[SIDE * SIDE];
static float map[SIDE * SIDE];
static mdf_sample sample;

static void begin(void)
{
    memset(truth, 0, sizeof truth);
    memset(map, 0, sizeof map);
    sample = (mdf_sample){.image = {.width = SIDE, .height = SIDE}}; /* every pixel counts */
}

static void fill(int left, int top, int width, int height, float p)
{
    for (int y = top; y < top + height; y++) {
        for (int x = left; x < left + width; x++) {
            map[y * SIDE + x] = p;
        }
    }
}

static void mark(int left, int top, int width, int height)
{
    for (int y = top; y < top + height; y++) {
        memset(truth + y * SIDE + left, 255, (size_t)width);
    }
}

static mdf_disc_places add_disc(mdf_disc_places d)
{
    sample.mask[MDF_MASK_DISC] = (mdf_grey){.width = SIDE, .height = SIDE, .px = truth};
    assert_int_equal(mdf_disc_places_add(&d, map, 1, &sample, NULL), MDF_OK);
    return d;
}

/* Single precision of nothing here: a distance is one root and one division in double. */
static void assert_near(double value, double want)
{
    assert_true(fabs(value - want) < 1e-12);
}

static void the_largest_area_is_the_disc(void **state)
{
    (void)state;
    const double diameter = sqrt(4 * 64 / 3.14159265358979323846);
    begin();
    mark(20, 30, 8, 8);
    fill(24, 30, 8, 8, 0.9F); /* four pixels aside */
    fill(2, 2, 3, 3, 1);      /* surer, but a crumb */
    mdf_disc_places d = add_disc((mdf_disc_places){0});
    assert_int_equal(d.n, 1);
    assert_int_equal(d.within, 1);
    assert_near(d.sum, 4 / diameter);
    fill(0, 0, 12, 12, 1); /* larger */
    d = add_disc((mdf_disc_places){0});
    assert_int_equal(d.within, 0);
    assert_near(d.sum, sqrt(18.0 * 18 + 28.0 * 28) / diameter);
}

static void without_an_area_the_likeliest_pixel_is_the_disc(void **state)
{
    (void)state;
    begin();
    mark(20, 30, 8, 8);
    fill(24, 33, 1, 1, 0.4F);
    fill(40, 33, 9, 9, 0.3F);
    const mdf_disc_places d = add_disc((mdf_disc_places){.n = 1, .sum = 1});
    assert_int_equal(d.n, 2);
    assert_int_equal(d.within, 1);
    assert_near(d.sum, 1 + sqrt(0.5) / sqrt(4 * 64 / 3.14159265358979323846));
    begin(); /* no disc on it */
    assert_int_equal(add_disc((mdf_disc_places){0}).n, 0);
}

/* Of a centre alone the diameter is a 7th of the field of view. */
static void a_centre_alone_has_a_usual_diameter(void **state)
{
    (void)state;
    begin();
    sample.only_centre = true;
    memset(truth + 35 * SIDE, MDF_MASK_UNKNOWN, SIDE); /* says nothing */
    mark(20, 30, 4, 4);
    fill(23, 30, 4, 4, 0.9F);
    const mdf_disc_places d = add_disc((mdf_disc_places){0});
    assert_int_equal(d.within, 1);
    assert_near(d.sum, 3 / (SIDE / 7.0));
}

static mdf_lesion_places add_lesions(void)
{
    mdf_lesion_places l = {0};
    const mdf_grey mask = {.width = SIDE, .height = SIDE, .px = truth};
    assert_int_equal(mdf_lesion_places_add(&l, map, &mask, &sample, NULL), MDF_OK);
    return l;
}

/* Two pixels of a lesion, first and third of all: (1/1 + 2/3) / 2. */
static void precision_and_the_likeliest_cell(void **state)
{
    (void)state;
    begin();
    mark(8, 8, 1, 1);
    mark(40, 40, 1, 1);
    fill(8, 8, 1, 1, 0.9F);
    fill(20, 20, 1, 1, 0.8F);
    fill(40, 40, 1, 1, 0.7F);
    mdf_lesion_places l = add_lesions();
    assert_int_equal(l.n, 1);
    assert_int_equal(l.hits, 1);
    assert_near(l.precision, (1 + 2.0 / 3) / 2);
    assert_near(l.area, 2.0 / (SIDE * SIDE));
    assert_near(l.chance, 2.0 / 256);
    fill(20, 20, 2, 1, 0.8F); /* now the cell of 4 x 4 pixels there is the likeliest */
    l = add_lesions();
    assert_int_equal(l.hits, 0);
    assert_near(l.precision, (1 + 2.0 / 4) / 2);
    begin();
    assert_int_equal(add_lesions().n, 0);
}

/* Weights that are no numbers draw nothing. */
static void what_is_no_number_points_nowhere(void **state)
{
    (void)state;
    begin();
    mark(8, 8, 1, 1);
    fill(0, 0, SIDE, SIDE, NAN);
    fill(8, 8, 1, 1, 0.5F);
    const mdf_lesion_places l = add_lesions();
    assert_int_equal(l.hits, 1);
    assert_near(l.precision, 1);
}

/* A mask of half the size, and a round field of view that hides the corner's pixels. */
static void only_the_field_of_view_counts(void **state)
{
    (void)state;
    begin();
    sample.fov = (mdf_fov){
        .kind = MDF_FOV_CIRCLE, .cx = 32, .cy = 32, .r = 32, .right = SIDE, .bottom = SIDE};
    mdf_lesion_places l = {0};
    const mdf_grey half = {.width = SIDE / 2, .height = SIDE / 2, .px = truth};
    truth[0] = 1;                    /* in the dark */
    truth[16 * (SIDE / 2) + 16] = 1; /* pixels 32, 33 of both */
    fill(0, 0, 4, 4, 1);             /* in the dark */
    fill(32, 32, 2, 2, 0.5F);
    assert_int_equal(mdf_lesion_places_add(&l, map, &half, &sample, NULL), MDF_OK);
    assert_int_equal(l.hits, 1);
    assert_near(l.precision, 1);
}

static void what_is_said(void **state)
{
    (void)state;
    mdf_strbuf text = mdf_strbuf_new(1000);
    mdf_mask_places_text(&text, &(mdf_disc_places){0}, &(mdf_lesion_places){0});
    assert_int_equal(text.len, 0);
    mdf_mask_places_text(
        &text, &(mdf_disc_places){.n = 4, .within = 3, .sum = 1},
        &(mdf_lesion_places){.n = 2, .hits = 1, .chance = 0.25, .precision = 0.75, .area = 0.01});
    /* Wilson's intervals of 3 of 4 and 1 of 2 are known: [0.301, 0.954] and [0.095, 0.905] */
    assert_string_equal(text.data,
                        "disc centre found     0.750  [0.301, 0.954]  (4 pictures, within half a "
                        "disc's diameter; mean distance 0.25)\n"
                        "lesion pointed at     0.500  [0.095, 0.905]  (2 pictures, 16 x 16 cells, "
                        "chance 0.125)\n"
                        "lesion AUPRC          0.375  (share of the area 0.005)\n");
    mdf_strbuf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_area_is_the_disc),
        cmocka_unit_test(without_an_area_the_likeliest_pixel_is_the_disc),
        cmocka_unit_test(a_centre_alone_has_a_usual_diameter),
        cmocka_unit_test(precision_and_the_likeliest_cell),
        cmocka_unit_test(what_is_no_number_points_nowhere),
        cmocka_unit_test(only_the_field_of_view_counts),
        cmocka_unit_test(what_is_said),
    };
    return cmocka_run_group_tests_name("mask_places", tests, NULL, NULL);
}
