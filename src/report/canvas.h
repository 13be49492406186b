/* A Cairo picture of white paper that ends as PNG bytes. Internal to src/report. */
#ifndef MDF_REPORT_CANVAS_H
#define MDF_REPORT_CANVAS_H

#include <cairo.h>

#include "base/status.h"

/* PNG bytes; mdf_png_bytes_free(). */
typedef struct mdf_png_bytes {
    uint8_t *data;
    size_t len;
} mdf_png_bytes;

void mdf_png_bytes_free(mdf_png_bytes *p);

typedef struct mdf_canvas {
    cairo_surface_t *surface;
    cairo_t *cr; /* in units of the given width and height */
} mdf_canvas;

/* scale: pixels per unit, 2 for sharp print. */
mdf_status mdf_canvas_new(mdf_canvas *c, double width, double height, double scale,
                          mdf_error *err) MDF_NODISCARD;
mdf_status mdf_canvas_png(mdf_canvas *c, mdf_png_bytes *out, mdf_error *err) MDF_NODISCARD;
void mdf_canvas_free(mdf_canvas *c);

/* Text of the given size; align 0 = left, 0.5 = centred, 1 = right of x; y is the base line. */
void mdf_canvas_text(mdf_canvas *c, double x, double y, double size, double align,
                     const char *text);

/* Eight colours that colour-blind readers tell apart (Okabe and Ito 2008), then the same dashed. */
void mdf_canvas_series_style(mdf_canvas *c, size_t index);

#endif
