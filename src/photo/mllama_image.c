/* Llama 3.2 Vision's picture preprocessing. */
#include "photo/mllama_image.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "photo/resize.h"

mdf_mllama_norm mdf_mllama_norm_default(void)
{
    return (mdf_mllama_norm){.mean = {0.48145466F, 0.4578275F, 0.40821073F},
                             .std = {0.26862954F, 0.26130258F, 0.27577711F}};
}

/* A canvas that a picture may go to. */
typedef struct canvas {
    int high, wide; /* tiles */
    int id;         /* its place among all of the model, from 1 */
    double scale;   /* of the picture in it */
} canvas;

/* Does a make a better place than b? The canvas that enlarges least is best; if all would shrink,
 * the one that shrinks least; of equals the one with fewest tiles, then the first. */
static bool is_better(const canvas *a, const canvas *b)
{
    const bool up = a->scale >= 1.0;
    if (up != (b->scale >= 1.0)) {
        return up;
    }
    if (a->scale < b->scale || a->scale > b->scale) {
        return (a->scale < b->scale) == up;
    }
    return a->high * a->wide < b->high * b->wide;
}

static canvas choose_canvas(int width, int height, const mdf_mllama_grid *g)
{
    canvas best = {.id = 0};
    int id = 0;
    for (int h = 1; h <= g->tiles; h++) {
        for (int w = 1; h * w <= g->tiles; w++) {
            const double sh = (double)(h * g->tile) / (double)height;
            const double sw = (double)(w * g->tile) / (double)width;
            const canvas at = {h, w, ++id, sh < sw ? sh : sw};
            if (h * w <= g->most && (best.id == 0 || is_better(&at, &best))) {
                best = at;
            }
        }
    }
    return best;
}

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* floor(length * scale), at least 1, at most limit. */
static int scaled(int length, double scale, int limit)
{
    const double v = floor((double)length * scale);
    if (v < 1.0) {
        return 1 < limit ? 1 : limit;
    }
    return v > (double)limit ? limit : (int)v;
}

mdf_mllama_layout mdf_mllama_layout_for(int width, int height, const mdf_mllama_grid *g)
{
    const canvas best = choose_canvas(width, height, g);
    const int tile = g->tile;
    mdf_mllama_layout out = {
        .tiles_high = best.high, .tiles_wide = best.wide, .aspect_ratio_id = best.id};
    const int tw = clamp(width, tile, out.tiles_wide * tile);
    const int th = clamp(height, tile, out.tiles_high * tile);
    const double sw = (double)tw / (double)width;
    const double sh = (double)th / (double)height;
    if (sw < sh) {
        out.resized_w = tw;
        out.resized_h = scaled(height, sw, th);
    } else {
        out.resized_h = th;
        out.resized_w = scaled(width, sh, tw);
    }
    return out;
}

/* The 256 values that a channel can take: rescaled in double, stored in float, normalised in
 * float, as the reference does. */
static void make_table(float table[256], float mean, float std)
{
    for (int v = 0; v < 256; v++) {
        const float unit = (float)((double)v * (1.0 / 255.0));
        table[v] = (unit - mean) / std;
    }
}

/* One tile, channels first. (x0, y0) is its corner in the canvas; beyond the picture is 0. */
static void write_tile(float *restrict dst, const uint8_t *restrict px, const mdf_mllama_layout *at,
                       int x0, int y0, int tile, float table[3][256])
{
    const int filled_w = clamp(at->resized_w - x0, 0, tile);
    const int filled_h = clamp(at->resized_h - y0, 0, tile);
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < tile; y++) {
            float *row = dst + ((size_t)c * (size_t)tile + (size_t)y) * (size_t)tile;
            int x = 0;
            if (y < filled_h) {
                const uint8_t *p =
                    px + ((size_t)(y0 + y) * (size_t)at->resized_w + (size_t)x0) * 3 + c;
                for (; x < filled_w; x++) {
                    row[x] = table[c][p[3 * x]];
                }
            }
            for (; x < tile; x++) {
                row[x] = table[c][0];
            }
        }
    }
}

mdf_status mdf_mllama_image(float *pixel_values, int *mask, mdf_mllama_layout *layout,
                            const mdf_image *im, const mdf_mllama_grid *g,
                            const mdf_mllama_norm *norm, mdf_error *err)
{
    const int tile = g->tile;
    if (tile < 1 || tile > 4096 || im->width < 1 || im->height < 1 || g->most < 1 ||
        g->most > g->tiles || g->tiles > MDF_MLLAMA_MOST_TILES) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "cannot cut a picture of %d x %d into %d of %d tiles of %d", im->width,
                        im->height, g->most, g->tiles, tile);
    }
    const mdf_mllama_layout at = mdf_mllama_layout_for(im->width, im->height, g);
    uint8_t *px = mdf_alloc((size_t)at.resized_w * (size_t)at.resized_h, 3);
    if (px == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the tiles of a picture");
    }
    mdf_status status =
        mdf_resize_bilinear(px, at.resized_w, at.resized_h, im->rgb, im->width, im->height, 3, err);
    if (status != MDF_OK) {
        mdf_free(px);
        return status;
    }
    float table[3][256];
    for (int c = 0; c < 3; c++) {
        make_table(table[c], norm->mean[c], norm->std[c]);
    }
    const size_t tile_floats = (size_t)tile * (size_t)tile * 3;
    for (int i = 0; i < g->tiles; i++) {
        mask[i] = i < at.tiles_high * at.tiles_wide;
        float *dst = pixel_values + (size_t)i * tile_floats;
        if (mask[i]) {
            write_tile(dst, px, &at, i % at.tiles_wide * tile, i / at.tiles_wide * tile, tile,
                       table);
        } else {
            memset(dst, 0, tile_floats * sizeof *dst);
        }
    }
    *layout = at;
    mdf_free(px);
    return MDF_OK;
}
