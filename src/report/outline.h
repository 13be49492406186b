/* The outline of a mask over its photograph. */
#ifndef MDF_REPORT_OUTLINE_H
#define MDF_REPORT_OUTLINE_H

#include <stdint.h>

/* Paints the pixels of mask [height, width] (not 0: inside) that lie within `line` pixels of its
 * edge, sidewards, up or down, in rgb [height, width, 3]: what is outside of the mask stays as it
 * is, and what is thinner than two lines is painted all. */
void mdf_outline_draw(uint8_t *rgb, const uint8_t *mask, int width, int height, int line,
                      const uint8_t colour[3]);

#endif
