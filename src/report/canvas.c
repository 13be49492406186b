/* A Cairo picture that ends as PNG bytes. */
#include "report/canvas.h"

#include "base/alloc.h"
#include "base/strbuf.h"
#include "report/png_mark.h"

enum { MAX_PNG_BYTES = 64 << 20 };

void mdf_png_bytes_free(mdf_png_bytes *p)
{
    mdf_free(p->data);
    *p = (mdf_png_bytes){0};
}

mdf_status mdf_canvas_new(mdf_canvas *c, double width, double height, double scale, mdf_error *err)
{
    *c = (mdf_canvas){0};
    c->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)(width * scale + 0.5),
                                            (int)(height * scale + 0.5));
    c->cr = cairo_create(c->surface);
    if (cairo_status(c->cr) != CAIRO_STATUS_SUCCESS) {
        mdf_canvas_free(c);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a picture of %g x %g", width,
                        height);
    }
    cairo_scale(c->cr, scale, scale);
    cairo_set_source_rgb(c->cr, 1, 1, 1);
    cairo_paint(c->cr);
    cairo_select_font_face(c->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    return MDF_OK;
}

static cairo_status_t append(void *user, const unsigned char *data, unsigned int n)
{
    mdf_strbuf *b = user;
    mdf_strbuf_add(b, data, n);
    return b->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

mdf_status mdf_canvas_png(mdf_canvas *c, mdf_png_bytes *out, mdf_error *err)
{
    mdf_strbuf b = mdf_strbuf_new(MAX_PNG_BYTES);
    const cairo_status_t drawn = cairo_status(c->cr);
    const cairo_status_t status = drawn != CAIRO_STATUS_SUCCESS
                                      ? drawn
                                      : cairo_surface_write_to_png_stream(c->surface, append, &b);
    if (status != CAIRO_STATUS_SUCCESS) {
        mdf_strbuf_free(&b);
        return mdf_fail(err, MDF_ERR_NOMEM, "a picture can't be drawn: %s",
                        cairo_status_to_string(status));
    }
    mdf_strbuf named = mdf_strbuf_new(MAX_PNG_BYTES);
    mdf_png_mark(&named, b.data, b.len);
    mdf_strbuf_free(&b);
    if (named.failed) {
        mdf_strbuf_free(&named);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a picture");
    }
    *out = (mdf_png_bytes){(uint8_t *)named.data, named.len};
    return MDF_OK;
}

void mdf_canvas_free(mdf_canvas *c)
{
    if (c->cr != NULL) {
        cairo_destroy(c->cr);
    }
    if (c->surface != NULL) {
        cairo_surface_destroy(c->surface);
    }
    *c = (mdf_canvas){0};
}

void mdf_canvas_text(mdf_canvas *c, double x, double y, double size, double align, const char *text)
{
    cairo_text_extents_t e;
    cairo_set_font_size(c->cr, size);
    cairo_text_extents(c->cr, text, &e);
    cairo_move_to(c->cr, x - align * e.x_advance, y);
    cairo_show_text(c->cr, text);
    cairo_new_path(c->cr);
}

void mdf_canvas_series_style(mdf_canvas *c, size_t index)
{
    static const unsigned char colour[8][3] = {{0, 114, 178},   {213, 94, 0},   {0, 158, 115},
                                               {204, 121, 167}, {86, 180, 233}, {230, 159, 0},
                                               {0, 0, 0},       {150, 140, 30}};
    const unsigned char *rgb = colour[index % 8];
    static const double dash[] = {6, 3};
    cairo_set_source_rgb(c->cr, rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0);
    cairo_set_dash(c->cr, dash, index / 8 % 2 == 1 ? 2 : 0, 0);
}
