/* Charts: ticks, and pixels where the data say they must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "report/plot.h"
#include "support/near.h"

typedef struct source {
    const mdf_png_bytes *png;
    size_t at;
} source;

static cairo_status_t feed(void *user, unsigned char *data, unsigned int n)
{
    source *s = user;
    if (n > s->png->len - s->at) {
        return CAIRO_STATUS_READ_ERROR;
    }
    memcpy(data, s->png->data + s->at, n);
    s->at += n;
    return CAIRO_STATUS_SUCCESS;
}

/* Pixels of exactly this colour, 0xRRGGBB. */
static size_t count_colour(const mdf_png_bytes *png, uint32_t rgb, int *width, int *height)
{
    source s = {png, 0};
    cairo_surface_t *im = cairo_image_surface_create_from_png_stream(feed, &s);
    assert_int_equal(cairo_surface_status(im), CAIRO_STATUS_SUCCESS);
    *width = cairo_image_surface_get_width(im);
    *height = cairo_image_surface_get_height(im);
    const unsigned char *data = cairo_image_surface_get_data(im);
    size_t n = 0;
    for (int y = 0; y < *height; y++) {
        for (int x = 0; x < *width; x++) {
            uint32_t pixel = 0;
            memcpy(&pixel, data + y * cairo_image_surface_get_stride(im) + 4 * x, sizeof pixel);
            n += (pixel & 0xFFFFFF) == rgb ? 1 : 0;
        }
    }
    cairo_surface_destroy(im);
    return n;
}

static void ticks_are_one_two_five(void **state)
{
    (void)state;
    assert_near(mdf_plot_step(1, 6), 0.2, 1e-12);
    assert_near(mdf_plot_step(6, 6), 1, 1e-12);
    assert_near(mdf_plot_step(61, 6), 20, 1e-12);
    assert_near(mdf_plot_step(0.03, 7), 0.005, 1e-15);
}

static void a_line_is_drawn_and_a_gap_is_not(void **state)
{
    (void)state;
    static const double x[] = {0, 1, 2, 3, 4, 5};
    static const double whole[] = {1, 1, 1, 1, 1, 2};
    static const double gap[] = {1, 1, (double)NAN, (double)NAN, 1, 2};
    const mdf_plot_options o = {
        .title = "t", .x_label = "x", .y_label = "y", .width = 400, .height = 300};
    const double *const y[2] = {whole, gap};
    size_t drawn[2];
    for (int i = 0; i < 2; i++) {
        const mdf_plot_series s = {"s", x, y[i], 6};
        mdf_png_bytes png;
        int width = 0;
        int height = 0;
        assert_int_equal(mdf_plot_lines(&png, &s, 1, &o, NULL), MDF_OK);
        drawn[i] = count_colour(&png, 0x0072B2, &width, &height); /* the first series' blue */
        assert_int_equal(width, 800);                             /* two pixels a unit */
        assert_int_equal(height, 600);
        /* Behind signature, IHDR and a length: who drew it. */
        assert_memory_equal(png.data + 8 + 25 + 4, "tEXtSoftware\0mdf ", 17);
        mdf_png_bytes_free(&png);
    }
    assert_true(drawn[1] > 0);
    /* Three of five parts are missing, each some 60 units long and more than one unit thick. */
    assert_true(drawn[0] > drawn[1] + 200);
}

static void no_finite_point_is_no_crash(void **state)
{
    (void)state;
    static const double x[] = {0, 1};
    static const double y[] = {(double)NAN, (double)INFINITY};
    const mdf_plot_series s = {"s", x, y, 2};
    const mdf_plot_options o = {.title = "t", .x_label = "x", .y_label = "y"};
    mdf_png_bytes png;
    int width = 0;
    int height = 0;
    assert_int_equal(mdf_plot_lines(&png, &s, 1, &o, NULL), MDF_OK);
    assert_int_equal(count_colour(&png, 0x0072B2, &width, &height), 0);
    mdf_png_bytes_free(&png);
}

static void classes_without_a_curve_are_left_out(void **state)
{
    (void)state;
    static const float prob[] = {0.8f, 0.1f, 0.1f, 0.2f, 0.7f, 0.1f};
    static const int label[] = {0, 1};
    static const char *const labels[] = {"a", "b", "never"};
    const mdf_metrics_input in = {
        .prob = prob, .calibrated = prob, .label = label, .n = 2, .classes = 3};
    mdf_png_bytes png;
    int width = 0;
    int height = 0;
    assert_int_equal(mdf_plot_roc(&png, &in, labels, NULL), MDF_OK);
    assert_true(count_colour(&png, 0xD55E00, &width, &height) > 0);     /* b: second colour */
    assert_int_equal(count_colour(&png, 0x009E73, &width, &height), 0); /* no third */
    mdf_png_bytes_free(&png);
    assert_int_equal(mdf_plot_reliability(&png, &in, NULL), MDF_OK);
    assert_true(count_colour(&png, 0xD55E00, &width, &height) > 0);
    mdf_png_bytes_free(&png);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_one_two_five),
        cmocka_unit_test(a_line_is_drawn_and_a_gap_is_not),
        cmocka_unit_test(no_finite_point_is_no_crash),
        cmocka_unit_test(classes_without_a_curve_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
