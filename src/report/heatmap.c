/* A map of where the model looked, over the photograph. */
#include "report/heatmap.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static uint8_t gamma_byte(double linear)
{
    const double v = clamp(linear, 0, 1);
    const double s = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
    return (uint8_t)(s * 255 + 0.5);
}

/* OKLab to linear sRGB: Bjorn Ottosson, "A perceptual color space for image processing" (2020). */
static void oklab_to_rgb(uint8_t rgb[3], double lightness, double a, double b)
{
    const double l3 = lightness + 0.3963377774 * a + 0.2158037573 * b;
    const double m3 = lightness - 0.1055613458 * a - 0.0638541728 * b;
    const double s3 = lightness - 0.0894841775 * a - 1.2914855480 * b;
    const double l = l3 * l3 * l3;
    const double m = m3 * m3 * m3;
    const double s = s3 * s3 * s3;
    rgb[0] = gamma_byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
    rgb[1] = gamma_byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
    rgb[2] = gamma_byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
}

void mdf_colormap(uint8_t rgb[3], double t)
{
    t = clamp(t, 0, 1);
    /* Hue runs from violet (300 degrees) through blue and green to yellow (105); the chroma dips in
     * the middle, where sRGB has less teal to give. */
    const double hue = (300 - 195 * t) * 0.017453292519943295;
    const double chroma = 0.125 - 0.03 * sin(3.141592653589793 * t) + 0.04 * t;
    oklab_to_rgb(rgb, 0.28 + 0.66 * t, chroma * cos(hue), chroma * sin(hue));
}

void mdf_map_upsample(float *dst, int width, int height, const float *src, int columns, int rows)
{
    for (int y = 0; y < height; y++) {
        const double v = clamp((y + 0.5) * rows / height - 0.5, 0, rows - 1);
        const int y0 = (int)v;
        const int y1 = y0 + 1 < rows ? y0 + 1 : y0;
        const double fy = v - y0;
        for (int x = 0; x < width; x++) {
            const double u = clamp((x + 0.5) * columns / width - 0.5, 0, columns - 1);
            const int x0 = (int)u;
            const int x1 = x0 + 1 < columns ? x0 + 1 : x0;
            const double fx = u - x0;
            const double top =
                (double)src[y0 * columns + x0] * (1 - fx) + (double)src[y0 * columns + x1] * fx;
            const double low =
                (double)src[y1 * columns + x0] * (1 - fx) + (double)src[y1 * columns + x1] * fx;
            dst[(size_t)y * (size_t)width + (size_t)x] = (float)(top * (1 - fy) + low * fy);
        }
    }
}

static mdf_status check_map(const mdf_heatmap_options *o, double *largest, mdf_error *err)
{
    *largest = 0;
    if (o->width < 1 || o->height < 1 || o->columns < 1 || o->rows < 1) {
        return mdf_fail(err, MDF_ERR_ARG, "a heat-map needs a picture and a map");
    }
    for (int i = 0; i < o->columns * o->rows; i++) {
        if (!isfinite(o->map[i]) || o->map[i] < 0) {
            return mdf_fail(err, MDF_ERR_NUMERIC, "cell %d of the heat-map is not a number >= 0",
                            i);
        }
        *largest = fmax(*largest, (double)o->map[i]);
    }
    return MDF_OK;
}

/* Writes pixels for a Cairo RGB24 surface; map NULL = the photograph alone. */
static void fill_pixels(cairo_surface_t *surface, const mdf_heatmap_options *o, const float *map,
                        double largest)
{
    unsigned char *data = cairo_image_surface_get_data(surface);
    const size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    for (size_t y = 0; y < (size_t)o->height; y++) {
        for (size_t x = 0; x < (size_t)o->width; x++) {
            const size_t i = y * (size_t)o->width + x;
            double rgb[3] = {o->rgb[3 * i], o->rgb[3 * i + 1], o->rgb[3 * i + 2]};
            if (map != NULL) {
                const double t = largest > 0 ? (double)map[i] / largest : 0;
                const double opacity = 0.15 + 0.6 * t; /* the fundus stays visible throughout */
                uint8_t heat[3];
                mdf_colormap(heat, t);
                for (size_t k = 0; k < 3; k++) {
                    rgb[k] += opacity * (heat[k] - rgb[k]);
                }
            }
            const uint32_t pixel = (uint32_t)(rgb[0] + 0.5) << 16 | (uint32_t)(rgb[1] + 0.5) << 8 |
                                   (uint32_t)(rgb[2] + 0.5);
            memcpy(data + y * stride + 4 * x, &pixel, sizeof pixel);
        }
    }
    cairo_surface_mark_dirty(surface);
}

static void paint_picture(mdf_canvas *c, const mdf_heatmap_options *o, const float *map,
                          double largest, double x, double y, double scale)
{
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, o->width, o->height);
    if (cairo_surface_status(s) == CAIRO_STATUS_SUCCESS) {
        fill_pixels(s, o, map, largest);
        cairo_save(c->cr);
        cairo_translate(c->cr, x, y);
        cairo_scale(c->cr, scale, scale);
        cairo_set_source_surface(c->cr, s, 0, 0);
        cairo_pattern_set_filter(cairo_get_source(c->cr), CAIRO_FILTER_GOOD);
        cairo_paint(c->cr);
        cairo_restore(c->cr);
    }
    cairo_surface_destroy(s);
}

static void paint_bar(mdf_canvas *c, double x, double y, double height, double largest)
{
    enum { STEPS = 64 };
    for (int i = 0; i < STEPS; i++) {
        uint8_t rgb[3];
        mdf_colormap(rgb, 1 - (i + 0.5) / STEPS);
        cairo_set_source_rgb(c->cr, rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0);
        cairo_rectangle(c->cr, x, y + height * i / STEPS, 14, height / STEPS + 0.5);
        cairo_fill(c->cr);
    }
    char text[32];
    (void)snprintf(text, sizeof text, "%.2g", largest);
    cairo_set_source_rgb(c->cr, 0.15, 0.15, 0.15);
    mdf_canvas_text(c, x + 19, y + 10, 11, 0, text);
    mdf_canvas_text(c, x + 19, y + height, 11, 0, "0");
}

mdf_status mdf_heatmap_draw(mdf_png_bytes *out, const mdf_heatmap_options *o, mdf_error *err)
{
    double largest = 0;
    MDF_TRY(check_map(o, &largest, err));
    const double side_max = o->side_max > 0 ? o->side_max : 480;
    const double scale = side_max / (o->width > o->height ? o->width : o->height);
    const double w = o->width * scale;
    const double h = o->height * scale;
    const double top = o->caption == NULL ? 8 : 30;
    float *map = mdf_alloc((size_t)o->width * (size_t)o->height, sizeof *map);
    if (map == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a heat-map of %d x %d", o->width,
                        o->height);
    }
    mdf_map_upsample(map, o->width, o->height, o->map, o->columns, o->rows);
    mdf_canvas c;
    mdf_status status = mdf_canvas_new(&c, 2 * w + 8 + 24 + 66, h + top + 8, 1, err);
    if (status == MDF_OK) {
        if (o->caption != NULL) {
            cairo_set_source_rgb(c.cr, 0.1, 0.1, 0.1);
            mdf_canvas_text(&c, 8, 20, 13, 0, o->caption);
        }
        paint_picture(&c, o, NULL, 0, 8, top, scale);
        paint_picture(&c, o, map, largest, 16 + w, top, scale);
        paint_bar(&c, 24 + 2 * w + 4, top, h, largest);
        status = mdf_canvas_png(&c, out, err);
        mdf_canvas_free(&c);
    }
    mdf_free(map);
    return status;
}
