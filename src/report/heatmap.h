/* A map of where the model looked, over the photograph. */
#ifndef MDF_REPORT_HEATMAP_H
#define MDF_REPORT_HEATMAP_H

#include "report/canvas.h"

/* Dark violet at 0 over teal to light yellow at 1. Lightness rises linearly in OKLab, so equal
 * steps of the map look like equal steps, also in grey print. t outside 0..1 is clamped. */
void mdf_colormap(uint8_t rgb[3], double t);

/* dst [height, width] from src [rows, columns], bilinear between the centres of the cells; flat
 * beyond the outermost centres. */
void mdf_map_upsample(float *dst, int width, int height, const float *src, int columns, int rows);

typedef struct mdf_heatmap_options {
    const uint8_t *rgb; /* [height, width, 3] */
    int width;
    int height;
    const float *map; /* [rows, columns] >= 0; drawn from 0 to its largest value */
    int columns;
    int rows;
    int side_max;        /* longest side of each picture in pixels; 0 = 480 */
    const char *caption; /* NULL = none */
} mdf_heatmap_options;

/* Photograph, overlay and colour bar side by side. MDF_ERR_NUMERIC: the map has a value that is
 * negative or not finite. */
mdf_status mdf_heatmap_draw(mdf_png_bytes *out, const mdf_heatmap_options *o,
                            mdf_error *err) MDF_NODISCARD;

#endif
