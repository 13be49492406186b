/* Measures of drawn masks whose sizes are known, and every warning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/alloc.h"
#include "photo/biometry.h"
#include "support/near.h"
#include "support/sheet.h"

static sheet disc;
static sheet cup;

/* The cautions are those texts, in that order. */
static void expect(const mdf_cautions *c, const char *const *text, int count)
{
    for (int i = 0; i < c->count && i < count; i++) {
        assert_string_equal(c->text[i], text[i]);
    }
    assert_int_equal(c->count, count);
}

static mdf_disc_measures measure(const mdf_field *f, bool with_cup, mdf_cautions *w)
{
    mdf_disc_measures m;
    *w = (mdf_cautions){0};
    assert_int_equal(mdf_measure_disc(&m, w, disc.px, with_cup ? cup.px : NULL, f, NULL), MDF_OK);
    return m;
}

/* A field of diameter 800; disc of 96 x 120 at (-100, +40); a cup half as high. Areas by the
 * formula of the ellipse: along an edge of length L pixels half a pixel at most is wrong, about L /
 * 2 at random, so 1 %. Extents: a pixel. */
static void ellipses_are_measured(void **state)
{
    (void)state;
    const mdf_field f = field_round(1000, 500, 480, 400);
    mdf_cautions w;
    sheet_clear(&disc, 1000);
    sheet_clear(&cup, 1000);
    sheet_ellipse(&disc, 400, 520, 48, 60);
    sheet_ellipse(&cup, 404, 522, 20, 30);
    const mdf_disc_measures m = measure(&f, true, &w);
    expect(&w, NULL, 0);
    assert_near(m.x, 400, 1e-9); /* symmetric */
    assert_near(m.y, 520, 1e-9);
    assert_near(m.offset_x, -100.0 / 800, 1e-9);
    assert_near(m.offset_y, 40.0 / 800, 1e-9);
    assert_near(m.area, 48 * 60 / 160000.0, 0.01 * 48 * 60 / 160000.0);
    assert_near(m.diameter, 2 * sqrt(48.0 * 60) / 800, 0.005 * m.diameter);
    assert_near(m.width, 96.0 / 800, 1.0 / 800);
    assert_near(m.height, 120.0 / 800, 1.0 / 800);
    assert_near(m.cup_area, 20 * 30 / 160000.0, 0.01 * 20 * 30 / 160000.0);
    assert_near(m.cup_height, 60.0 / 800, 1.0 / 800);
    assert_near(m.cup_disc_ratio, 0.5, 1.5 / 120);
    assert_true(isnan(measure(&f, false, &w).cup_disc_ratio));
    expect(&w, NULL, 0);
}

static void no_disc_is_said(void **state)
{
    (void)state;
    static const char *const none[] = {"no optic disc found"};
    const mdf_field f = field_round(1000, 500, 500, 400);
    mdf_cautions w;
    sheet_clear(&disc, 1000);
    assert_true(isnan(measure(&f, true, &w).height));
    expect(&w, none, 1);
    sheet_ellipse(&disc, 500, 500, 7, 7); /* 14 of 800: below 2 % */
    assert_true(isnan(measure(&f, true, &w).x));
    expect(&w, none, 1);
    sheet_ellipse(&disc, 50, 50, 40, 40); /* outside of the field of view */
    assert_true(isnan(measure(&f, true, &w).area));
    expect(&w, none, 1);
}

static void doubtful_discs_are_said(void **state)
{
    (void)state;
    static const char *const several[] = {
        "several areas look like an optic disc: the largest was measured"};
    static const char *const border[] = {
        "the optic disc touches the border of the field of view: it may be cut"};
    static const char *const size[] = {"the optic disc has an unlikely size"};
    static const char *const no_cup[] = {"no cup found in the disc"};
    static const char *const outside[] = {
        "the cup reaches out of the disc: the cup/disc ratio is not to be trusted"};
    const mdf_field f = field_round(1000, 500, 500, 400);
    mdf_cautions w;
    sheet_clear(&disc, 1000);
    sheet_ellipse(&disc, 400, 500, 50, 50);
    sheet_ellipse(&disc, 700, 500, 15, 15); /* 9 % of the first */
    assert_near(measure(&f, false, &w).x, 400, 1e-9);
    expect(&w, NULL, 0);
    sheet_ellipse(&disc, 700, 500, 17, 17); /* 12 % */
    assert_near(measure(&f, false, &w).x, 400, 1e-9);
    expect(&w, several, 1);

    sheet_clear(&cup, 1000);
    sheet_clear(&disc, 1000);
    sheet_ellipse(&disc, 400, 500, 50, 50);
    const mdf_disc_measures m = measure(&f, true, &w);
    expect(&w, no_cup, 1);
    assert_true(isnan(m.cup_disc_ratio) && isnan(m.cup_area) && !isnan(m.height));
    sheet_ellipse(&cup, 435, 500, 25, 25);
    assert_near(measure(&f, true, &w).cup_disc_ratio, 0.5, 0.02);
    expect(&w, outside, 1);

    sheet_clear(&disc, 1000);
    sheet_ellipse(&disc, 120, 500, 50, 50); /* the field begins at 100 */
    (void)measure(&f, false, &w);
    expect(&w, border, 1);
    sheet_clear(&disc, 1000);
    sheet_ellipse(&disc, 500, 500, 200, 170); /* 340 of 800 high */
    (void)measure(&f, false, &w);
    expect(&w, size, 1);
    sheet_clear(&disc, 1000);
    sheet_ellipse(&disc, 500, 500, 60, 18); /* 36 of 800 */
    (void)measure(&f, false, &w);
    expect(&w, size, 1);
}

static void vessels_are_measured(void **state)
{
    (void)state;
    static const char *const few[] = {"too few vessel pixels for a fractal dimension"};
    static const char *const coarse[] = {"resolution too low for a fractal dimension"};
    static const char *const many[] = {"more vessel pixels than an eye has"};
    const mdf_field f = field_full(512);
    mdf_vessel_measures m;
    mdf_cautions w = {0};
    sheet_clear(&disc, 512);
    for (int i = 0; i < 4; i++) {
        sheet_box(&disc, 0, 64 + 128 * i, 512, 66 + 128 * i); /* in the middle of coarsest boxes */
    }
    assert_int_equal(mdf_measure_vessels(&m, &w, disc.px, &f, 512, NULL), MDF_OK);
    assert_near(m.area, 8.0 / 512, 1e-12);
    assert_near(m.dimension, 1, 1e-12);
    assert_int_equal(mdf_measure_vessels(&m, &w, disc.px, &f, 192, NULL), MDF_OK);
    assert_near(m.dimension, 1, 1e-12);
    expect(&w, NULL, 0);
    assert_int_equal(mdf_measure_vessels(&m, &w, disc.px, &f, 191, NULL), MDF_OK);
    assert_true(isnan(m.dimension));
    assert_near(m.area, 8.0 / 512, 1e-12);
    expect(&w, coarse, 1);
    w.count = 0;
    sheet_clear(&disc, 512);
    sheet_box(&disc, 0, 64, 512, 66);
    assert_int_equal(mdf_measure_vessels(&m, &w, disc.px, &f, 512, NULL), MDF_OK);
    assert_true(isnan(m.dimension));
    assert_near(m.area, 2.0 / 512, 1e-12); /* 0.4 % */
    expect(&w, few, 1);
    w.count = 0;
    sheet_box(&disc, 0, 0, 512, 256);
    assert_int_equal(mdf_measure_vessels(&m, &w, disc.px, &f, 512, NULL), MDF_OK);
    assert_near(m.area, 0.5, 1e-12);
    expect(&w, many, 1);
}

/* The field's diameter is 1,000: a lesion has 2 x 2 pixels at least. */
static void lesions_are_counted_from_their_least_size_on(void **state)
{
    (void)state;
    const mdf_field f = field_full(1000);
    mdf_lesion_measures m;
    assert_int_equal(mdf_lesion_least_area(&f), 4);
    sheet_clear(&disc, 1000);
    for (int i = 0; i < 30; i++) {
        sheet_box(&disc, 10 + 20 * i, 10, 12 + 20 * i, 12);
        sheet_box(&disc, 10 + 20 * i, 100, 13 + 20 * i, 101); /* 3 pixels */
    }
    sheet_box(&disc, 500, 500, 600, 510);
    assert_int_equal(mdf_measure_lesions(&m, disc.px, &f, NULL), MDF_OK);
    assert_near(m.count, 31, 0);
    assert_near(m.area, (30 * 4 + 1000) / 1e6, 1e-12);
    const mdf_field large = {.diameter = 2600};
    assert_int_equal(mdf_lesion_least_area(&large), 28); /* 5.2 x 5.2 = 27.04 */
    const mdf_field small = {.diameter = 100};
    assert_int_equal(mdf_lesion_least_area(&small), 4);
}

static void quality_and_detail_are_said_once(void **state)
{
    (void)state;
    static const char *const text[] = {
        "too dark", "the field of view is cut off: areas are shares of what is left",
        "no round field of view found: shares are of the lit area's box",
        "resolution too low for microaneurysms: the smallest lesions are missed"};
    const mdf_fov round = {.kind = MDF_FOV_CIRCLE};
    const mdf_fov box = {.kind = MDF_FOV_BOX};
    const mdf_quality good = {0};
    const mdf_quality bad = {.reasons = MDF_QUALITY_DARK | MDF_QUALITY_CUT_OFF};
    mdf_cautions w = {0};
    mdf_caution_of_photo(&w, &round, &good);
    mdf_caution_of_detail(&w, 650);
    expect(&w, NULL, 0);
    for (int time = 0; time < 2; time++) {
        mdf_caution_of_photo(&w, &box, &bad);
        mdf_caution_of_detail(&w, 649);
        expect(&w, text, 4);
    }
    static char many[MDF_MAX_CAUTIONS + 4][8];
    for (int i = 0; i < MDF_MAX_CAUTIONS + 4; i++) {
        many[i][0] = (char)('A' + i);
        mdf_caution(&w, many[i]);
    }
    assert_int_equal(w.count, MDF_MAX_CAUTIONS);
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    const mdf_field f = field_round(1000, 500, 500, 400);
    mdf_cautions w = {0};
    mdf_disc_measures d = {.x = 3};
    mdf_vessel_measures v = {.area = 3};
    mdf_lesion_measures l = {.area = 3};
    sheet_clear(&disc, 1000);
    sheet_ellipse(&disc, 400, 500, 50, 50);
    for (long n = 1; n <= 12; n++) { /* of disc and cup */
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_measure_disc(&d, &w, disc.px, disc.px, &f, NULL);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
    mdf_alloc_fail_after(1);
    assert_int_equal(mdf_measure_vessels(&v, &w, disc.px, &f, 512, NULL), MDF_ERR_NOMEM);
    mdf_alloc_fail_after(1);
    assert_int_equal(mdf_measure_lesions(&l, disc.px, &f, NULL), MDF_ERR_NOMEM);
    mdf_alloc_fail_after(0);
    assert_near(d.x + v.area + l.area, 9, 0); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ellipses_are_measured),
        cmocka_unit_test(no_disc_is_said),
        cmocka_unit_test(doubtful_discs_are_said),
        cmocka_unit_test(vessels_are_measured),
        cmocka_unit_test(lesions_are_counted_from_their_least_size_on),
        cmocka_unit_test(quality_and_detail_are_said_once),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
