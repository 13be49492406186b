/* The outline of a mask. */
#include "report/outline.h"

#include <stdbool.h>
#include <stddef.h>

/* Is a pixel outside within `line` steps of x, y? What is beyond the picture is inside, so that its
 * frame is no edge. */
static bool is_edge(const uint8_t *mask, int width, int height, int x, int y, int line)
{
    const uint8_t *px = mask + (ptrdiff_t)y * width + x;
    for (int d = 1; d <= line; d++) {
        const ptrdiff_t row = (ptrdiff_t)d * width;
        if ((x >= d && px[-d] == 0) || (x + d < width && px[d] == 0) || (y >= d && px[-row] == 0) ||
            (y + d < height && px[row] == 0)) {
            return true;
        }
    }
    return false;
}

void mdf_outline_draw(uint8_t *rgb, const uint8_t *mask, int width, int height, int line,
                      const uint8_t colour[3])
{
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const size_t i = (size_t)y * (size_t)width + (size_t)x;
            if (mask[i] != 0 && is_edge(mask, width, height, x, y, line)) {
                rgb[3 * i] = colour[0];
                rgb[3 * i + 1] = colour[1];
                rgb[3 * i + 2] = colour[2];
            }
        }
    }
}
