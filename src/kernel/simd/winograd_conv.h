/* The Winograd convolution around its transforms and products; see kernel/winograd.h. Every thread
 * takes blocks of tiles that fit its cache: pixels to points, 36 products, points to results. */
#ifndef MDF_KERNEL_SIMD_WINOGRAD_CONV_H
#define MDF_KERNEL_SIMD_WINOGRAD_CONV_H

#include <string.h>

#include "kernel/simd/winograd_product.h"
#include "kernel/simd/winograd_transform.h"
#include "kernel/winograd.h"

#if defined(_OPENMP)
#include <omp.h>
static int mdf_thread(void)
{
    return omp_get_thread_num();
}
static int mdf_threads(void)
{
    return omp_get_num_threads();
}
#else
static int mdf_thread(void)
{
    return 0;
}
static int mdf_threads(void)
{
    return 1;
}
#endif

enum { SKEW = 16 }; /* numbers between the points' planes, so that they don't share a cache set */

/* One side of a convolution as tiles. */
typedef struct tiling {
    int64_t h, w, c;      /* of the picture [N,H,W,C] */
    int64_t down, across; /* tiles */
    int64_t count;        /* tiles of all pictures */
} tiling;

static tiling tiling_of(const mdf_conv_shape *s, int64_t channels)
{
    const int64_t down = (s->h + TILE - 1) / TILE;
    const int64_t across = (s->w + TILE - 1) / TILE;
    return (tiling){s->h, s->w, channels, down, across, s->n * down * across};
}

/* Where points of tiles go: point p, tile t, channel j is at
 *     p * plane + (j / panel) * panel_step + t * row + j % panel */
typedef struct points_layout {
    int64_t plane, panel, panel_step, row;
} points_layout;

static points_layout layout_rows(int64_t tiles, int64_t channels)
{
    return (points_layout){tiles * channels + SKEW, channels, 0, channels};
}

static int64_t panel_count(int64_t channels)
{
    return (channels + PANEL - 1) / PANEL;
}

static points_layout layout_panels(int64_t tiles, int64_t channels)
{
    return (points_layout){panel_count(channels) * PANEL * tiles + SKEW, PANEL, tiles * PANEL,
                           PANEL};
}

/* First pixel of a tile; y and x are its corner in the picture. */
static const float *tile_corner(const tiling *g, const float *picture, int64_t tile, int64_t *y,
                                int64_t *x)
{
    const int64_t n = tile / (g->down * g->across);
    *y = tile / g->across % g->down * TILE;
    *x = tile % g->across * TILE;
    return picture + ((n * g->h + *y) * g->w + *x) * g->c;
}

/* A patch of a picture for VEC channels. At the border (!inside) pixels outside are zero. */
typedef struct patch {
    const float *at; /* first pixel, maybe outside */
    int64_t row, column;
    int64_t top, left, h, w;
} patch;

__attribute__((always_inline)) static inline vec patch_load(const patch *p, const float *at,
                                                            int64_t r, int64_t q, const bool inside)
{
    const bool in =
        inside || (p->top + r >= 0 && p->top + r < p->h && p->left + q >= 0 && p->left + q < p->w);
    return in ? vec_load(at) : vec_all(0);
}

/* B' d B */
__attribute__((always_inline)) static inline void patch_to_points(float *out, int64_t plane,
                                                                  const patch *p, const bool inside)
{
    vec mid[PATCH][PATCH]; /* [point down][pixel across] */
    const float *column = p->at;
    for (int64_t q = 0; q < PATCH; q++, column += p->column) {
        vec d[PATCH];
        vec t[PATCH];
        const float *at = column;
#pragma GCC unroll 6
        for (int r = 0; r < PATCH; r++, at += p->row) {
            d[r] = patch_load(p, at, r, q, inside);
        }
        pixels_to_points(t, d);
#pragma GCC unroll 6
        for (int r = 0; r < PATCH; r++) {
            mid[r][q] = t[r];
        }
    }
    for (int64_t r = 0; r < PATCH; r++) {
        vec t[PATCH];
        pixels_to_points(t, mid[r]);
#pragma GCC unroll 6
        for (int q = 0; q < PATCH; q++, out += plane) {
            vec_store(out, t[q]);
        }
    }
}

/* A dy A' */
__attribute__((always_inline)) static inline void
results_to_plane(float *out, int64_t plane, const patch *p, const bool inside)
{
    vec mid[PATCH][TILE];
    const float *column = p->at;
    for (int64_t q = 0; q < TILE; q++, column += p->column) {
        vec d[TILE];
        vec t[PATCH];
        const float *at = column;
#pragma GCC unroll 4
        for (int r = 0; r < TILE; r++, at += p->row) {
            d[r] = patch_load(p, at, r, q, inside);
        }
        results_to_points(t, d);
#pragma GCC unroll 6
        for (int r = 0; r < PATCH; r++) {
            mid[r][q] = t[r];
        }
    }
    for (int64_t r = 0; r < PATCH; r++) {
        vec t[PATCH];
        results_to_points(t, mid[r]);
#pragma GCC unroll 6
        for (int q = 0; q < PATCH; q++, out += plane) {
            vec_store(out, t[q]);
        }
    }
}

/* B' d B of one tile, all channels. */
static void tile_to_points(float *points, const points_layout *l, const tiling *g,
                           const float *picture, int64_t tile)
{
    int64_t y = 0;
    int64_t x = 0;
    const float *corner = tile_corner(g, picture, tile, &y, &x);
    const int64_t row = g->w * g->c;
    patch p = {corner - row - g->c, row, g->c, y - 1, x - 1, g->h, g->w};
    const bool inside = y > 0 && x > 0 && y + TILE < g->h && x + TILE < g->w;
    for (int64_t j = 0; j < g->c; j += VEC, p.at += VEC) {
        float *out = points + j / l->panel * l->panel_step + j % l->panel;
        if (inside) {
            patch_to_points(out, l->plane, &p, true);
        } else {
            patch_to_points(out, l->plane, &p, false);
        }
    }
}

/* A dy A' of one tile, all channels. */
static void results_tile_to_points(float *points, const points_layout *l, const tiling *g,
                                   const float *picture, int64_t tile)
{
    int64_t y = 0;
    int64_t x = 0;
    const float *corner = tile_corner(g, picture, tile, &y, &x);
    patch p = {corner, g->w * g->c, g->c, y, x, g->h, g->w};
    const bool inside = y + TILE <= g->h && x + TILE <= g->w;
    for (int64_t j = 0; j < g->c; j += VEC, p.at += VEC) {
        float *out = points + j / l->panel * l->panel_step + j % l->panel;
        if (inside) {
            results_to_plane(out, l->plane, &p, true);
        } else {
            results_to_plane(out, l->plane, &p, false);
        }
    }
}

/* A' m A of one tile into the picture. */
static void points_to_tile(float *picture, const tiling *g, int64_t tile, const float *points,
                           int64_t plane, const float *bias, bool acc)
{
    int64_t y = 0;
    int64_t x = 0;
    const int64_t at = tile_corner(g, picture, tile, &y, &x) - picture;
    const int64_t rows = g->h - y < TILE ? g->h - y : TILE;
    const int64_t columns = g->w - x < TILE ? g->w - x : TILE;
    for (int64_t j = 0; j < g->c; j += VEC) {
        vec mid[TILE][PATCH];
        for (int64_t q = 0; q < PATCH; q++) {
            vec m[PATCH];
            vec t[TILE];
            const float *from = points + q * plane + j;
#pragma GCC unroll 6
            for (int r = 0; r < PATCH; r++, from += PATCH * plane) {
                m[r] = vec_load(from);
            }
            points_to_results(t, m);
#pragma GCC unroll 4
            for (int r = 0; r < TILE; r++) {
                mid[r][q] = t[r];
            }
        }
        const vec add = bias == NULL ? vec_all(0) : vec_load(bias + j);
        for (int64_t r = 0; r < rows; r++) {
            vec t[TILE];
            points_to_results(t, mid[r]);
            float *out = picture + at + r * g->w * g->c + j;
            for (int64_t q = 0; q < columns; q++, out += g->c) {
                vec_store(out, vec_add(t[q], acc ? vec_load(out) : add));
            }
        }
    }
}

/* G w G' for VEC result channels at a time: u [POINTS][panels][Cin][PANEL] of product channels
 * (in, out); the weight of (out, in, tap) is w[out * out_step + in * in_step + tap], the taps
 * turned by 180 degrees when turn. */
static void window_to_points(float *u, int64_t plane, int64_t in, int64_t first_out, int64_t cin,
                             const float *w, int64_t out_step, int64_t in_step, bool turn)
{
    float tap[9][VEC];
    for (int64_t v = 0; v < VEC; v++) {
        const float *from = w + (first_out + v) * out_step + in * in_step;
        for (int t = 0; t < 9; t++) {
            tap[turn ? 8 - t : t][v] = from[t];
        }
    }
    vec mid[PATCH][3];
    for (int q = 0; q < 3; q++) {
        const vec g[3] = {vec_load(tap[q]), vec_load(tap[3 + q]), vec_load(tap[6 + q])};
        vec t[PATCH];
        weights_to_points(t, g);
        for (int r = 0; r < PATCH; r++) {
            mid[r][q] = t[r];
        }
    }
    float *out = u + first_out / PANEL * PANEL * cin + in * PANEL + first_out % PANEL;
    for (int64_t r = 0; r < PATCH; r++) {
        vec t[PATCH];
        weights_to_points(t, mid[r]);
        for (int64_t q = 0; q < PATCH; q++) {
            vec_store(out + (r * PATCH + q) * plane, t[q]);
        }
    }
}

/* Tiles of a thread's block: with few channels as many as fit the second-level cache beside the
 * weights; with many, enough to use often what is loaded of the weights. Not more than leave every
 * thread a block; a multiple of ROWS_MAX. Measured, see docs/SPEED.md. */
static int64_t block_tiles(const mdf_conv_shape *s, int threads)
{
    const int64_t cache = 192 * 1024 / (POINTS * (s->cin + s->cout));
    const int64_t few = cache < 24 ? 24 : cache;
    const int64_t tiles = s->cin * s->cout > 64 * 128 ? 72 : (few > 72 ? 72 : few);
    const int64_t total = tiling_of(s, 1).count;
    const int64_t share = (total + threads - 1) / threads;
    const int64_t rounded = (share + ROWS_MAX - 1) / ROWS_MAX * ROWS_MAX;
    return rounded < tiles ? rounded : tiles / ROWS_MAX * ROWS_MAX;
}

static int64_t weight_plane(int64_t cin, int64_t cout)
{
    return panel_count(cout) * PANEL * cin + SKEW;
}

static size_t winograd_scratch(const mdf_conv_shape *s, mdf_conv_kind kind, int threads)
{
    const bool back = kind == MDF_CONV_BACKWARD_DATA;
    const int64_t cin = back ? s->cout : s->cin;
    const int64_t cout = back ? s->cin : s->cout;
    const int64_t tiles = block_tiles(s, threads);
    const int64_t in = POINTS * layout_rows(tiles, cin).plane;
    const int64_t out = POINTS * layout_panels(tiles, cout).plane;
    const int64_t weights = POINTS * weight_plane(cin, cout);
    const int64_t numbers = kind == MDF_CONV_BACKWARD_WEIGHTS ? threads * (in + out + weights)
                                                              : threads * (in + out) + weights;
    return (size_t)numbers;
}

/* The 36 products of one block of tiles. */
static void block_products(const float *in, const points_layout *l, float *out, int64_t out_plane,
                           int64_t tiles, const float *u, int64_t cin, int64_t cout)
{
    const int64_t rows = (tiles + ROWS_MAX - 1) / ROWS_MAX * ROWS_MAX;
    for (int64_t i = 0; i < POINTS; i++) {
        for (int64_t j = 0; j < cout; j += PANEL) {
            const product p = {.k = cin,
                               .a = in + i * l->plane,
                               .row_step = cin,
                               .k_step = 1,
                               .b = u + i * weight_plane(cin, cout) + j * cin,
                               .c = out + i * out_plane + j,
                               .ldc = cout};
            product_set(&p, rows, cout - j >= PANEL ? 2 : (int)((cout - j) / VEC));
        }
    }
}

static void winograd_data(const mdf_conv_shape *s, mdf_conv_kind kind, float *out, const float *in,
                          const float *w, const float *bias, bool acc, float *scratch, int threads)
{
    const bool back = kind == MDF_CONV_BACKWARD_DATA;
    const int64_t cin = back ? s->cout : s->cin;
    const int64_t cout = back ? s->cin : s->cout;
    const tiling from = tiling_of(s, cin);
    const tiling to = tiling_of(s, cout);
    const int64_t tiles = block_tiles(s, threads);
    const points_layout l = layout_rows(tiles, cin);
    const int64_t out_plane = tiles * cout + SKEW;
    const int64_t plane = weight_plane(cin, cout);
    const int64_t out_step = (back ? 1 : s->cin) * 9;
    const int64_t in_step = (back ? s->cin : 1) * 9;
    float *u = scratch;
    float *own = scratch + POINTS * plane;
    const int64_t own_step = POINTS * (l.plane + out_plane);
    const int64_t blocks = (from.count + tiles - 1) / tiles;
#pragma omp parallel num_threads(threads)
    {
        float *points = own + mdf_thread() * own_step;
        float *results = points + POINTS * l.plane;
#pragma omp for schedule(static)
        for (int64_t k = 0; k < cout / VEC * (cin / 16); k++) { /* neighbours of i share pages */
            const int64_t j = k / (cin / 16) * VEC;
            const int64_t first = k % (cin / 16) * 16;
            for (int64_t i = first; i < first + 16; i++) {
                window_to_points(u, plane, i, j, cin, w, out_step, in_step, back);
            }
        }
#pragma omp for schedule(dynamic)
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t first = b * tiles;
            const int64_t count = from.count - first < tiles ? from.count - first : tiles;
            for (int64_t t = 0; t < count; t++) {
                tile_to_points(points + t * l.row, &l, &from, in, first + t);
            }
            block_products(points, &l, results, out_plane, count, u, cin, cout);
            for (int64_t t = 0; t < count; t++) {
                points_to_tile(out, &to, first + t, results + t * cout, out_plane, bias, acc);
            }
        }
    }
}

/* Adds the threads' sums of VEC result channels and one input channel and turns them into dw. */
static void points_to_window(float *dw, const float *sums, int64_t step, int threads, int64_t plane,
                             const mdf_conv_shape *s, int64_t in, int64_t out)
{
    vec mid[3][PATCH];
    const float *from = sums + out / PANEL * PANEL * s->cin + in * PANEL + out % PANEL;
    for (int64_t q = 0; q < PATCH; q++) {
        vec u[PATCH];
        vec g[3];
        for (int64_t r = 0; r < PATCH; r++) {
            u[r] = vec_load(from + (r * PATCH + q) * plane);
            for (int t = 1; t < threads; t++) {
                u[r] = vec_add(u[r], vec_load(from + t * step + (r * PATCH + q) * plane));
            }
        }
        points_to_weights(g, u);
        for (int r = 0; r < 3; r++) {
            mid[r][q] = g[r];
        }
    }
    for (int r = 0; r < 3; r++) {
        vec g[3];
        points_to_weights(g, mid[r]);
        for (int q = 0; q < 3; q++) {
            float value[VEC];
            vec_store(value, g[q]);
            for (int64_t v = 0; v < VEC; v++) {
                dw[((out + v) * s->cin + in) * 9 + r * 3 + q] += value[v];
            }
        }
    }
}

/* The sums of one block of tiles: sum [POINTS][panels][Cin][PANEL] += V' Z. */
static void block_sums(float *sum, int64_t plane, const float *v, const points_layout *lv,
                       const float *z, const points_layout *lz, int64_t tiles,
                       const mdf_conv_shape *s)
{
    for (int64_t i = 0; i < POINTS; i++) {
        for (int64_t j = 0; j < s->cout; j += PANEL) {
            const product p = {.k = tiles,
                               .a = v + i * lv->plane,
                               .row_step = 1,
                               .k_step = s->cin,
                               .b = z + i * lz->plane + j / PANEL * lz->panel_step,
                               .c = sum + i * plane + j * s->cin,
                               .ldc = PANEL};
            product_add(&p, s->cin, s->cout - j >= PANEL ? 2 : (int)((s->cout - j) / VEC));
        }
    }
}

static void winograd_weights(const mdf_conv_shape *s, float *dw, const float *x, const float *dy,
                             float *scratch, int threads)
{
    const tiling from = tiling_of(s, s->cin);
    const tiling to = tiling_of(s, s->cout);
    const int64_t tiles = block_tiles(s, threads);
    const points_layout lv = layout_rows(tiles, s->cin);
    const points_layout lz = layout_panels(tiles, s->cout);
    const int64_t plane = weight_plane(s->cin, s->cout);
    const int64_t own_step = POINTS * (lv.plane + lz.plane);
    const int64_t sum_step = POINTS * plane;
    float *sums = scratch + threads * own_step;
    const int64_t blocks = (from.count + tiles - 1) / tiles;
    int team = 1;
#pragma omp parallel num_threads(threads)
    {
        const int id = mdf_thread();
        float *v = scratch + id * own_step;
        float *z = v + POINTS * lv.plane;
        float *sum = sums + id * sum_step;
        memset(sum, 0, (size_t)sum_step * sizeof *sum);
        if (id == 0) {
            team = mdf_threads();
        }
#pragma omp for schedule(static)
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t first = b * tiles;
            const int64_t count = from.count - first < tiles ? from.count - first : tiles;
            for (int64_t t = 0; t < count; t++) {
                tile_to_points(v + t * lv.row, &lv, &from, x, first + t);
                results_tile_to_points(z + t * lz.row, &lz, &to, dy, first + t);
            }
            block_sums(sum, plane, v, &lv, z, &lz, count, s);
        }
#pragma omp for schedule(static)
        for (int64_t j = 0; j < s->cout; j += VEC) {
            for (int64_t i = 0; i < s->cin; i++) {
                points_to_window(dw, sums, sum_step, team, plane, s, i, j);
            }
        }
    }
}

#endif
