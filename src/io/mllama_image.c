/* Llama 3.2 Vision's picture preprocessing. */
#include "io/mllama_image.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "io/resize.h"

/* Every canvas of at most four tiles, (high, wide); the id of one is its place plus 1. */
enum { CANVAS_COUNT = 8 };
static const int canvas_list[CANVAS_COUNT][2] = {{1, 1}, {1, 2}, {1, 3}, {1, 4},
                                                 {2, 1}, {2, 2}, {3, 1}, {4, 1}};

mdf_mllama_norm mdf_mllama_norm_default(void)
{
    return (mdf_mllama_norm){.mean = {0.48145466F, 0.4578275F, 0.40821073F},
                             .std = {0.26862954F, 0.26130258F, 0.27577711F}};
}

static double canvas_scale(int i, int width, int height, int tile)
{
    const double sh = (double)(canvas_list[i][0] * tile) / (double)height;
    const double sw = (double)(canvas_list[i][1] * tile) / (double)width;
    return sh < sw ? sh : sw;
}

/* The canvas that enlarges least; if all would shrink, the one that shrinks least; of equals the
 * one with fewest tiles, then the first. */
static int choose_canvas(int width, int height, int tile)
{
    double up = HUGE_VAL;
    double down = 0.0;
    for (int i = 0; i < CANVAS_COUNT; i++) {
        const double s = canvas_scale(i, width, height, tile);
        if (s >= 1.0) {
            up = s < up ? s : up;
        } else {
            down = s > down ? s : down;
        }
    }
    const double want = isfinite(up) ? up : down;
    int best = -1;
    int best_area = 0;
    for (int i = 0; i < CANVAS_COUNT; i++) {
        const int area = canvas_list[i][0] * canvas_list[i][1];
        const double s = canvas_scale(i, width, height, tile);
        if (s <= want && s >= want && (best < 0 || area < best_area)) {
            best = i;
            best_area = area;
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

mdf_mllama_layout mdf_mllama_layout_for(int width, int height, int tile)
{
    const int canvas = choose_canvas(width, height, tile);
    mdf_mllama_layout out = {.tiles_high = canvas_list[canvas][0],
                             .tiles_wide = canvas_list[canvas][1],
                             .aspect_ratio_id = canvas + 1};
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

mdf_status mdf_mllama_image(float *pixel_values, int mask[MDF_MLLAMA_TILES],
                            mdf_mllama_layout *layout, const mdf_image *im, int tile,
                            const mdf_mllama_norm *norm, mdf_error *err)
{
    if (tile < 1 || tile > 4096 || im->width < 1 || im->height < 1) {
        return mdf_fail(err, MDF_ERR_ARG, "cannot cut a picture of %d x %d into tiles of %d",
                        im->width, im->height, tile);
    }
    const mdf_mllama_layout at = mdf_mllama_layout_for(im->width, im->height, tile);
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
    for (int i = 0; i < MDF_MLLAMA_TILES; i++) {
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
