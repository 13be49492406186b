/* Colours, interpolation and refusals of the heat-map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "report/heatmap.h"
#include "support/near.h"

/* Relative luminance of WCAG 2. */
static double luminance(const uint8_t rgb[3])
{
    double v[3];
    for (int k = 0; k < 3; k++) {
        const double s = rgb[k] / 255.0;
        v[k] = s <= 0.04045 ? s / 12.92 : pow((s + 0.055) / 1.055, 2.4);
    }
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
}

static void colours_get_lighter_all_the_way(void **state)
{
    (void)state;
    double before = -1;
    for (int i = 0; i <= 50; i++) {
        uint8_t rgb[3];
        mdf_colormap(rgb, i / 50.0);
        assert_true(luminance(rgb) > before);
        before = luminance(rgb);
    }
    uint8_t low[3];
    uint8_t clamped[3];
    mdf_colormap(low, 0);
    mdf_colormap(clamped, -3);
    assert_memory_equal(low, clamped, 3);
    assert_true(low[2] > low[1]); /* violet */
    uint8_t high[3];
    mdf_colormap(high, 1);
    assert_true(high[0] > 200 && high[1] > 200 && high[2] < 150); /* yellow */
}

/* Cells at 0.5 and 1.5 of 2; four pixels sit at 0.25, 0.75, 1.25, 1.75. */
static void cells_are_interpolated_between_their_centres(void **state)
{
    (void)state;
    static const float src[] = {0, 4};
    float dst[4 * 2];
    mdf_map_upsample(dst, 4, 2, src, 2, 1);
    static const double want[] = {0, 1, 3, 4, 0, 1, 3, 4};
    for (size_t i = 0; i < 8; i++) {
        assert_near((double)dst[i], want[i], 0);
    }
    float one[9];
    mdf_map_upsample(one, 3, 3, (const float[]){0.5f}, 1, 1);
    assert_near((double)one[8], 0.5, 0);
}

static void bad_maps_are_refused(void **state)
{
    (void)state;
    static const uint8_t rgb[12] = {0};
    float map[4] = {0, 1, 2, NAN};
    const mdf_heatmap_options o = {
        .rgb = rgb, .width = 2, .height = 2, .map = map, .columns = 2, .rows = 2};
    mdf_png_bytes png = {0};
    mdf_error err = {0};
    assert_int_equal(mdf_heatmap_draw(&png, &o, &err), MDF_ERR_NUMERIC);
    assert_string_equal(err.text, "cell 3 of the heat-map is not a number >= 0");
    assert_null(png.data);
    map[3] = 0;
    assert_int_equal(mdf_heatmap_draw(&png, &o, &err), MDF_OK);
    assert_memory_equal(png.data, "\x89PNG", 4);
    mdf_png_bytes_free(&png);
    memset(map, 0, sizeof map); /* nothing to see is still a picture */
    assert_int_equal(mdf_heatmap_draw(&png, &o, &err), MDF_OK);
    mdf_png_bytes_free(&png);
    mdf_heatmap_options empty = o;
    empty.width = 0;
    assert_int_equal(mdf_heatmap_draw(&png, &empty, &err), MDF_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_get_lighter_all_the_way),
        cmocka_unit_test(cells_are_interpolated_between_their_centres),
        cmocka_unit_test(bad_maps_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
