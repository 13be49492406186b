/* Finding the lit disc: threshold from the corners, largest lit area, edge points, circle. */
#include "photo/fov.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "photo/fov_circle.h"
#include "photo/resize.h"

enum { WORK_SIDE = 256 };

/* Small copy of the picture and everything that is derived from it. */
typedef struct work {
    int w, h;
    uint8_t *rgb;         /* [h, w, 3] */
    uint8_t *v;           /* [h, w] brightest channel */
    uint8_t *lit;         /* [h, w] 1 = largest lit area */
    int *queue;           /* [h * w] of the area search */
    mdf_edge_point *edge; /* [2 * (w + h)] */
    size_t edge_count;
} work;

static void work_free(work *k)
{
    mdf_free(k->rgb);
    mdf_free(k->v);
    mdf_free(k->lit);
    mdf_free(k->queue);
    mdf_free(k->edge);
}

static mdf_status work_new(work *k, const mdf_image *im, mdf_error *err)
{
    const int longest = im->width > im->height ? im->width : im->height;
    const double shrink = longest > WORK_SIDE ? (double)WORK_SIDE / (double)longest : 1.0;
    const int w = (int)lround((double)im->width * shrink);
    const int h = (int)lround((double)im->height * shrink);
    *k = (work){.w = w < 1 ? 1 : w, .h = h < 1 ? 1 : h};
    const size_t n = (size_t)k->w * (size_t)k->h;
    k->rgb = mdf_alloc(n, 3);
    k->v = mdf_alloc(n, 1);
    k->lit = mdf_alloc(n, 1);
    k->queue = mdf_alloc(n, sizeof *k->queue);
    k->edge = mdf_alloc(2 * ((size_t)k->w + (size_t)k->h), sizeof *k->edge);
    if (k->rgb == NULL || k->v == NULL || k->lit == NULL || k->queue == NULL || k->edge == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for finding the field of view");
    }
    MDF_TRY(mdf_resize_bilinear(k->rgb, k->w, k->h, im->rgb, im->width, im->height, 3, err));
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = k->rgb + 3 * i;
        uint8_t v = p[0] > p[1] ? p[0] : p[1];
        v = v > p[2] ? v : p[2];
        k->v[i] = v;
    }
    return MDF_OK;
}

/* ---- brightness -------------------------------------------------------------------------------
 */

static void histogram_of(int64_t histogram[256], const work *k, int x0, int y0, int x1, int y1)
{
    memset(histogram, 0, 256 * sizeof *histogram);
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            histogram[k->v[y * k->w + x]]++;
        }
    }
}

/* The value below which a share q of the pixels lies. */
static int quantile(const int64_t histogram[256], double q)
{
    int64_t total = 0;
    for (int i = 0; i < 256; i++) {
        total += histogram[i];
    }
    int64_t seen = 0;
    for (int i = 0; i < 256; i++) {
        seen += histogram[i];
        if ((double)seen >= q * (double)total && seen > 0) {
            return i;
        }
    }
    return 255;
}

/* Median of the darkest corner: the ground, if there is one. */
static int darkest_corner(const work *k)
{
    const int shorter = k->w < k->h ? k->w : k->h;
    const int side = shorter / 25 > 1 ? shorter / 25 : 1;
    int darkest = 255;
    for (int i = 0; i < 4; i++) {
        const int x = i % 2 == 0 ? 0 : k->w - side;
        const int y = i / 2 == 0 ? 0 : k->h - side;
        int64_t histogram[256];
        histogram_of(histogram, k, x, y, x + side, y + side);
        const int median = quantile(histogram, 0.5);
        darkest = median < darkest ? median : darkest;
    }
    return darkest;
}

/* ---- the lit area -----------------------------------------------------------------------------
 */

/* Marks the 4-connected area of value 1 around `start` as `mark` and returns its size. */
static int flood(work *k, int start, uint8_t mark)
{
    int count = 1;
    k->queue[0] = start;
    k->lit[start] = mark;
    for (int at = 0; at < count; at++) {
        const int i = k->queue[at];
        const int x = i % k->w;
        const int next[4] = {x > 0 ? i - 1 : -1, x + 1 < k->w ? i + 1 : -1, i - k->w, i + k->w};
        for (int d = 0; d < 4; d++) {
            const int j = next[d];
            if (j >= 0 && j < k->w * k->h && k->lit[j] == 1) {
                k->lit[j] = mark;
                k->queue[count++] = j;
            }
        }
    }
    return count;
}

/* Leaves 1 in the largest lit area and 0 elsewhere; returns its size in pixels. */
static int keep_largest(work *k, int threshold)
{
    const int n = k->w * k->h;
    for (int i = 0; i < n; i++) {
        k->lit[i] = k->v[i] > threshold;
    }
    int best = 0;
    int best_start = 0;
    for (int i = 0; i < n; i++) {
        if (k->lit[i] == 1) {
            const int size = flood(k, i, 2);
            best_start = size > best ? i : best_start;
            best = size > best ? size : best;
        }
    }
    for (int i = 0; i < n; i++) {
        k->lit[i] = k->lit[i] != 0;
    }
    if (best > 0) {
        flood(k, best_start, 2);
    }
    for (int i = 0; i < n; i++) {
        k->lit[i] = k->lit[i] == 2;
    }
    return best;
}

/* First and last lit pixel of a line of n pixels `step` apart; false if none is lit. */
static bool ends_of_line(const uint8_t *line, int n, int step, int *first, int *last)
{
    *first = 0;
    *last = n - 1;
    while (*first < n && !line[(ptrdiff_t)*first * step]) {
        (*first)++;
    }
    while (*last >= 0 && !line[(ptrdiff_t)*last * step]) {
        (*last)--;
    }
    return *first <= *last;
}

static void add_edge(work *k, int x, int y)
{
    k->edge[k->edge_count++] = (mdf_edge_point){(float)x, (float)y};
}

/* Outermost lit pixels of every row and column, unless the frame itself ends there. */
static void collect_edge(work *k, mdf_fov *fov)
{
    int first = 0;
    int last = 0;
    *fov = (mdf_fov){.left = k->w, .top = k->h};
    for (int y = 0; y < k->h; y++) {
        if (ends_of_line(k->lit + y * k->w, k->w, 1, &first, &last)) {
            fov->left = first < fov->left ? first : fov->left;
            fov->right = last + 1 > fov->right ? last + 1 : fov->right;
            if (first > 1) {
                add_edge(k, first, y);
            }
            if (last < k->w - 2) {
                add_edge(k, last + 1, y);
            }
        }
    }
    for (int x = 0; x < k->w; x++) {
        if (ends_of_line(k->lit + x, k->h, k->w, &first, &last)) {
            fov->top = first < fov->top ? first : fov->top;
            fov->bottom = last + 1 > fov->bottom ? last + 1 : fov->bottom;
            if (first > 1) {
                add_edge(k, x, first);
            }
            if (last < k->h - 2) {
                add_edge(k, x, last + 1);
            }
        }
    }
}

/* ---- the circle -------------------------------------------------------------------------------
 */

enum { DIRECTIONS = 72 };

/* Share of the circle's directions, of those that stay inside the frame, that have an edge point.
 */
static double edge_on_circle(const work *k, const mdf_circle *c, double tolerance)
{
    bool seen[DIRECTIONS] = {false};
    const double turn = 2.0 * 3.14159265358979323846;
    for (size_t i = 0; i < k->edge_count; i++) {
        const double dx = (double)k->edge[i].x - c->cx;
        const double dy = (double)k->edge[i].y - c->cy;
        if (fabs(sqrt(dx * dx + dy * dy) - c->r) <= tolerance) {
            const double part = atan2(dy, dx) / turn + 1.0;
            seen[(int)(part * DIRECTIONS) % DIRECTIONS] = true;
        }
    }
    int inside = 0;
    int covered = 0;
    for (int i = 0; i < DIRECTIONS; i++) {
        const double angle = ((double)i + 0.5) / DIRECTIONS * turn;
        const double x = c->cx + c->r * cos(angle);
        const double y = c->cy + c->r * sin(angle);
        if (x > 2.0 && y > 2.0 && x < (double)k->w - 3.0 && y < (double)k->h - 3.0) {
            inside++;
            covered += seen[i];
        }
    }
    return inside < DIRECTIONS / 18 ? 0.0 : (double)covered / (double)inside;
}

/* Shares of the frame outside of the circle that are dark, and of the circle that is in the frame.
 */
static void measure_circle(mdf_fov *fov, const work *k, const mdf_circle *c, int threshold,
                           double *dark_outside)
{
    const double outer = c->r * 1.03 + 1.0;
    int64_t outside = 0;
    int64_t dark = 0;
    int64_t inside = 0;
    for (int y = 0; y < k->h; y++) {
        for (int x = 0; x < k->w; x++) {
            const double dx = (double)x + 0.5 - c->cx;
            const double dy = (double)y + 0.5 - c->cy;
            const double d2 = dx * dx + dy * dy;
            inside += d2 <= c->r * c->r;
            outside += d2 > outer * outer;
            dark += d2 > outer * outer && k->v[y * k->w + x] <= threshold;
        }
    }
    const double area = 3.14159265358979323846 * c->r * c->r;
    fov->visible = (float)fmin(1.0, (double)inside / area);
    *dark_outside = outside == 0 ? 0.0 : (double)dark / (double)outside;
}

static void circle_of_box(mdf_fov *fov)
{
    const float w = (float)(fov->right - fov->left);
    const float h = (float)(fov->bottom - fov->top);
    fov->cx = (float)fov->left + 0.5F * w;
    fov->cy = (float)fov->top + 0.5F * h;
    fov->r = 0.5F * (w < h ? w : h);
    fov->visible = 1.0F;
}

static void whole_frame(mdf_fov *fov, const work *k, mdf_fov_kind kind)
{
    *fov = (mdf_fov){.kind = kind,
                     .right = k->w,
                     .bottom = k->h,
                     .threshold = fov->threshold,
                     .dark_ground = fov->dark_ground};
    circle_of_box(fov);
}

static void try_circle(mdf_fov *fov, const work *k)
{
    const int longer = k->w > k->h ? k->w : k->h;
    const int shorter = k->w < k->h ? k->w : k->h;
    const double tolerance = 1.0 + 0.008 * (double)shorter;
    mdf_circle c;
    size_t on_circle = 0;
    fov->kind = MDF_FOV_BOX;
    circle_of_box(fov);
    if (!mdf_circle_fit(&c, &on_circle, k->edge, k->edge_count, tolerance, 0.15 * (double)shorter,
                        0.9 * (double)longer)) {
        return;
    }
    double dark_outside = 0.0;
    mdf_fov circle = *fov;
    measure_circle(&circle, k, &c, fov->threshold, &dark_outside);
    const double confidence = edge_on_circle(k, &c, tolerance) * dark_outside;
    if (confidence < 0.5 || circle.visible < 0.4F) {
        return;
    }
    fov->confidence = (float)confidence;
    const int box_w = fov->right - fov->left;
    const int box_h = fov->bottom - fov->top;
    if (2.0 * c.r > 1.12 * (double)(box_w > box_h ? box_w : box_h)) {
        return; /* one arc of a disc that somebody squeezed: the box is the better answer */
    }
    circle.kind = MDF_FOV_CIRCLE;
    circle.cx = (float)c.cx;
    circle.cy = (float)c.cy;
    circle.r = (float)c.r;
    circle.confidence = (float)confidence;
    *fov = circle;
}

/* All of it in pixels of the small copy. */
static void find_in_work(mdf_fov *fov, work *k)
{
    int64_t histogram[256];
    histogram_of(histogram, k, 0, 0, k->w, k->h);
    const int bright = quantile(histogram, 0.9);
    const int ground = darkest_corner(k);
    const int rise = bright - ground;
    *fov = (mdf_fov){0};
    if (quantile(histogram, 0.99) - quantile(histogram, 0.01) < 10) {
        whole_frame(fov, k, MDF_FOV_NONE);
        return;
    }
    if (ground > 60 || rise < 8) {
        whole_frame(fov, k, MDF_FOV_FULL);
        return;
    }
    const int step = (int)(0.12 * (double)rise);
    const int threshold = ground + (step < 4 ? 4 : step > 20 ? 20 : step);
    const int area = keep_largest(k, threshold);
    int64_t dark = 0;
    for (int i = 0; i <= threshold; i++) {
        dark += histogram[i];
    }
    const float dark_ground = (float)((double)dark / ((double)k->w * (double)k->h));
    collect_edge(k, fov);
    fov->threshold = (uint8_t)threshold;
    fov->dark_ground = dark_ground;
    if (area < k->w * k->h / 50) {
        whole_frame(fov, k, MDF_FOV_NONE);
    } else if (k->edge_count < 8) {
        whole_frame(fov, k, MDF_FOV_FULL);
    } else {
        try_circle(fov, k);
    }
}

const char *mdf_fov_kind_text(mdf_fov_kind kind)
{
    switch (kind) {
    case MDF_FOV_CIRCLE:
        return "a disc on dark ground";
    case MDF_FOV_BOX:
        return "a lit area that is no disc";
    case MDF_FOV_FULL:
        return "no dark ground, the picture fills its frame";
    case MDF_FOV_NONE:
        break;
    }
    return "nothing lit";
}

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static void scale_up(mdf_fov *fov, const work *k, const mdf_image *im)
{
    const double sx = (double)im->width / (double)k->w;
    const double sy = (double)im->height / (double)k->h;
    fov->cx = (float)((double)fov->cx * sx);
    fov->cy = (float)((double)fov->cy * sy);
    fov->r = (float)((double)fov->r * 0.5 * (sx + sy));
    fov->left = clamp((int)floor((double)fov->left * sx), 0, im->width - 1);
    fov->top = clamp((int)floor((double)fov->top * sy), 0, im->height - 1);
    fov->right = clamp((int)ceil((double)fov->right * sx), fov->left + 1, im->width);
    fov->bottom = clamp((int)ceil((double)fov->bottom * sy), fov->top + 1, im->height);
}

mdf_status mdf_fov_find(mdf_fov *out, const mdf_image *im, mdf_error *err)
{
    if (im->width < 1 || im->height < 1) {
        return mdf_fail(err, MDF_ERR_ARG, "an empty picture has no field of view");
    }
    work k;
    const mdf_status status = work_new(&k, im, err);
    if (status == MDF_OK) {
        find_in_work(out, &k);
        scale_up(out, &k, im);
    }
    work_free(&k);
    return status;
}

/* ---- cropping ---------------------------------------------------------------------------------
 */

bool mdf_fov_holds(const mdf_fov *fov, double x, double y)
{
    if (fov->kind == MDF_FOV_NONE) {
        return true;
    }
    const bool in_box = x >= fov->left && x < fov->right && y >= fov->top && y < fov->bottom;
    const double dx = x - (double)fov->cx;
    const double dy = y - (double)fov->cy;
    const bool in_circle = dx * dx + dy * dy <= (double)fov->r * (double)fov->r;
    return in_box && (fov->kind != MDF_FOV_CIRCLE || in_circle);
}

mdf_square mdf_fov_square(const mdf_fov *fov)
{
    const int w = fov->right - fov->left;
    const int h = fov->bottom - fov->top;
    const int side = w > h ? w : h;
    if (fov->kind == MDF_FOV_CIRCLE) {
        return (mdf_square){.left = (int)lroundf(fov->cx - fov->r),
                            .top = (int)lroundf(fov->cy - fov->r),
                            .side = (int)lroundf(2.0F * fov->r)};
    }
    return (mdf_square){
        .left = fov->left - (side - w) / 2, .top = fov->top - (side - h) / 2, .side = side};
}

static void copy_square(uint8_t *dst, const uint8_t *src, int w, int h, int channels, mdf_square at)
{
    const int x0 = clamp(-at.left, 0, at.side);
    const int x1 = clamp(w - at.left, x0, at.side);
    for (int y = 0; y < at.side; y++) {
        const int sy = at.top + y;
        if (sy >= 0 && sy < h && x1 > x0) {
            memcpy(dst + ((size_t)y * (size_t)at.side + (size_t)x0) * (size_t)channels,
                   src + ((size_t)sy * (size_t)w + (size_t)(at.left + x0)) * (size_t)channels,
                   (size_t)(x1 - x0) * (size_t)channels);
        }
    }
}

mdf_status mdf_crop(mdf_image *out, const mdf_image *im, mdf_square at, mdf_error *err)
{
    mdf_image square = {0};
    if (at.side > MDF_MAX_IMAGE_SIDE || (size_t)at.side * (size_t)at.side > MDF_MAX_IMAGE_PIXELS) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "%d x %d pixels are no photograph: a square around them would have more "
                        "than %zu million",
                        im->width, im->height, MDF_MAX_IMAGE_PIXELS / 1000000);
    }
    MDF_TRY(mdf_image_new(&square, at.side, at.side, err));
    copy_square(square.rgb, im->rgb, im->width, im->height, 3, at);
    *out = square;
    return MDF_OK;
}

mdf_status mdf_crop_within(mdf_image *out, const mdf_image *im, mdf_square at, int most,
                           mdf_error *err)
{
    mdf_image crop = {0};
    mdf_image small = {0};
    MDF_TRY(mdf_crop(&crop, im, at, err));
    if (crop.width <= most) {
        *out = crop;
        return MDF_OK;
    }
    mdf_status status = mdf_image_new(&small, most, most, err);
    if (status == MDF_OK) {
        status =
            mdf_resize_bilinear(small.rgb, most, most, crop.rgb, crop.width, crop.height, 3, err);
    }
    mdf_image_free(&crop);
    if (status != MDF_OK) {
        mdf_image_free(&small);
        return status;
    }
    *out = small;
    return MDF_OK;
}

mdf_status mdf_crop_grey(mdf_grey *out, const mdf_grey *im, mdf_square at, mdf_error *err)
{
    if (at.side < 1) {
        return mdf_fail(err, MDF_ERR_ARG, "cannot crop to %d pixels", at.side);
    }
    uint8_t *px = mdf_alloc((size_t)at.side, (size_t)at.side);
    if (px == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a crop of %d pixels", at.side);
    }
    copy_square(px, im->px, im->width, im->height, 1, at);
    *out = (mdf_grey){.width = at.side, .height = at.side, .px = px};
    return MDF_OK;
}

mdf_status mdf_fov_crop(mdf_image *out, mdf_fov *fov, const mdf_image *im, mdf_error *err)
{
    mdf_fov found;
    MDF_TRY(mdf_fov_find(&found, im, err));
    MDF_TRY(mdf_crop(out, im, mdf_fov_square(&found), err));
    if (fov != NULL) {
        *fov = found;
    }
    return MDF_OK;
}
