/* The canvas of the phantoms and its brushes: blobs, lines, noise and blur. */
#include "phantom/phantom_draw.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

#define THINNEST_PX 0.55F /* half width below which a shape is widened and thinned out instead */

mdf_status mdf_phantom_canvas_init(mdf_phantom_canvas *v, int side, mdf_error *err)
{
    const size_t pixels = (size_t)side * (size_t)side;
    memset(v, 0, sizeof *v);
    v->side = side;
    v->rgb = mdf_alloc(pixels * 3, sizeof(float));
    v->plane = mdf_alloc(pixels, sizeof(float));
    v->vessel = mdf_alloc(pixels, 1);
    v->lesion = mdf_alloc(pixels, 1);
    v->disc = mdf_alloc(pixels, 1);
    v->cup = mdf_alloc(pixels, 1);
    if (v->rgb == NULL || v->plane == NULL || v->vessel == NULL || v->lesion == NULL ||
        v->disc == NULL || v->cup == NULL) {
        mdf_phantom_canvas_free(v);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a phantom of %d x %d pixels", side,
                        side);
    }
    return MDF_OK;
}

void mdf_phantom_canvas_free(mdf_phantom_canvas *v)
{
    mdf_free(v->rgb);
    mdf_free(v->plane);
    mdf_free(v->vessel);
    mdf_free(v->lesion);
    mdf_free(v->disc);
    mdf_free(v->cup);
    memset(v, 0, sizeof *v);
}

static void ink_pixel(float *rgb, const mdf_phantom_ink *ink, float cover)
{
    const float a = cover * ink->alpha;
    for (int k = 0; k < 3; k++) {
        const float target = ink->multiply ? rgb[k] * ink->rgb[k] : ink->rgb[k];
        rgb[k] += a * (target - rgb[k]);
    }
}

/* First and last pixel that a span of the picture touches, clamped to it. */
static int first_px(float x, int side)
{
    return (int)mdf_phantom_clamp(floorf(x), 0.0F, (float)(side - 1));
}

static int last_px(float x, int side)
{
    return (int)mdf_phantom_clamp(ceilf(x), 0.0F, (float)(side - 1));
}

void mdf_phantom_paint_blob(mdf_phantom_canvas *v, const mdf_phantom_blob *b,
                            const mdf_phantom_ink *ink, uint8_t *mask)
{
    const float s = (float)v->side;
    const float cx = b->x * s;
    const float cy = b->y * s;
    const float rx = fmaxf(b->radius_x * s, THINNEST_PX);
    const float ry = fmaxf(b->radius_y * s, THINNEST_PX);
    const float thin = fminf(b->radius_x * s / rx, 1.0F) * fminf(b->radius_y * s / ry, 1.0F);
    const float reach = fmaxf(rx, ry) * (1.0F + b->wobble + b->soft) + 1.5F;
    const float ca = cosf(b->angle);
    const float sa = sinf(b->angle);
    const float phase2 = (float)(b->shape & 0xff) * 0.0246F;
    const float phase3 = (float)(b->shape >> 8 & 0xff) * 0.0246F;
    const float phase5 = (float)(b->shape >> 16 & 0xff) * 0.0246F;

    for (int y = first_px(cy - reach, v->side); y <= last_px(cy + reach, v->side); y++) {
        for (int x = first_px(cx - reach, v->side); x <= last_px(cx + reach, v->side); x++) {
            const float dx = (float)x + 0.5F - cx;
            const float dy = (float)y + 0.5F - cy;
            const float u = (dx * ca + dy * sa) / rx;
            const float w = (dy * ca - dx * sa) / ry;
            const float rho = sqrtf(u * u + w * w);
            float edge = 1.0F;
            if (b->wobble > 0.0F) {
                const float phi = atan2f(w, u);
                edge += b->wobble *
                        (0.5F * sinf(2.0F * phi + phase2) + 0.35F * sinf(3.0F * phi + phase3) +
                         0.3F * sinf(5.0F * phi + phase5));
            }
            /* Distance beyond the outline in pixels; exact for circles, near enough for others. */
            const float local = rho > 1e-6F ? sqrtf(dx * dx + dy * dy) / rho : fminf(rx, ry);
            const float beyond = (rho - edge) * local;
            const float fade = 1.0F + 2.0F * b->soft * local;
            const float cover = mdf_phantom_clamp(0.5F - beyond / fade, 0.0F, 1.0F);
            if (cover <= 0.0F) {
                continue;
            }
            const size_t at = (size_t)y * (size_t)v->side + (size_t)x;
            const float smooth = b->soft > 0.0F ? cover * cover * (3.0F - 2.0F * cover) : cover;
            ink_pixel(v->rgb + 3 * at, ink, smooth * thin);
            if (mask != NULL && cover >= 0.5F) {
                mask[at] = 255;
            }
        }
    }
}

void mdf_phantom_cover_line(const mdf_phantom_canvas *v, const mdf_phantom_line *line, float *plane,
                            uint8_t *mask)
{
    const float s = (float)v->side;
    const float x0 = line->x0 * s;
    const float y0 = line->y0 * s;
    const float ex = line->x1 * s - x0;
    const float ey = line->y1 * s - y0;
    const float len2 = fmaxf(ex * ex + ey * ey, 1e-9F);
    const float reach = fmaxf(fmaxf(line->r0, line->r1) * s, THINNEST_PX) + 1.0F;

    for (int y = first_px(fminf(y0, y0 + ey) - reach, v->side);
         y <= last_px(fmaxf(y0, y0 + ey) + reach, v->side); y++) {
        for (int x = first_px(fminf(x0, x0 + ex) - reach, v->side);
             x <= last_px(fmaxf(x0, x0 + ex) + reach, v->side); x++) {
            const float px = (float)x + 0.5F - x0;
            const float py = (float)y + 0.5F - y0;
            const float t = mdf_phantom_clamp((px * ex + py * ey) / len2, 0.0F, 1.0F);
            const float dx = px - t * ex;
            const float dy = py - t * ey;
            const float true_r = (line->r0 + t * (line->r1 - line->r0)) * s;
            const float r = fmaxf(true_r, THINNEST_PX);
            const float cover = mdf_phantom_clamp(r + 0.5F - sqrtf(dx * dx + dy * dy), 0.0F, 1.0F);
            if (cover <= 0.0F) {
                continue;
            }
            const size_t at = (size_t)y * (size_t)v->side + (size_t)x;
            plane[at] = fmaxf(plane[at], cover * true_r / r);
            if (mask != NULL && cover >= 0.5F) {
                mask[at] = 255;
            }
        }
    }
}

void mdf_phantom_paint_plane(mdf_phantom_canvas *v, const float *plane, const mdf_phantom_ink *ink)
{
    const size_t pixels = (size_t)v->side * (size_t)v->side;
    for (size_t i = 0; i < pixels; i++) {
        if (plane[i] > 0.0F) {
            ink_pixel(v->rgb + 3 * i, ink, plane[i]);
        }
    }
}

#define MAX_CELLS 64

void mdf_phantom_add_noise(float *plane, int side, int cells_x, int cells_y, float amp,
                           mdf_rng *rng)
{
    float lattice[(MAX_CELLS + 1) * (MAX_CELLS + 1)];
    const int stride = cells_x + 1;
    for (int i = 0; i < stride * (cells_y + 1); i++) {
        lattice[i] = mdf_phantom_range(rng, -amp, amp);
    }
    for (int y = 0; y < side; y++) {
        const float fy = ((float)y + 0.5F) / (float)side * (float)cells_y;
        const int iy = (int)fy;
        const float ty = mdf_phantom_step(0.0F, 1.0F, fy - (float)iy);
        const float *top = lattice + iy * stride;
        for (int x = 0; x < side; x++) {
            const float fx = ((float)x + 0.5F) / (float)side * (float)cells_x;
            const int ix = (int)fx;
            const float tx = mdf_phantom_step(0.0F, 1.0F, fx - (float)ix);
            const float a = top[ix] + tx * (top[ix + 1] - top[ix]);
            const float b = top[ix + stride] + tx * (top[ix + stride + 1] - top[ix + stride]);
            plane[(size_t)y * (size_t)side + (size_t)x] += a + ty * (b - a);
        }
    }
}

/* A running mean of 2 r + 1 samples, r a fraction: the outermost two count in part. The line is
 * continued with its end values. */
static void box_line(float *data, size_t step, int n, float radius, float *line)
{
    const int whole = (int)radius;
    const float part = radius - (float)whole;
    const float scale = 1.0F / (2.0F * radius + 1.0F);
    for (int i = 0; i < n; i++) {
        line[i] = data[(size_t)i * step];
    }
#define LINE_AT(i) line[(i) < 0 ? 0 : ((i) >= n ? n - 1 : (i))]
    float sum = 0.0F;
    for (int k = -whole; k <= whole; k++) {
        sum += LINE_AT(k);
    }
    for (int i = 0; i < n; i++) {
        const float ends = LINE_AT(i - whole - 1) + LINE_AT(i + whole + 1);
        data[(size_t)i * step] = (sum + part * ends) * scale;
        sum += LINE_AT(i + whole + 1) - LINE_AT(i - whole);
    }
#undef LINE_AT
}

void mdf_phantom_blur(mdf_phantom_canvas *v, float sigma)
{
    /* Two boxes of half width r have the variance 2 * ((2r+1)^2 - 1) / 12 = sigma^2. */
    const float radius = (sqrtf(6.0F * sigma * sigma + 1.0F) - 1.0F) / 2.0F;
    const size_t row = 3 * (size_t)v->side;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < v->side; i++) {
            for (size_t k = 0; k < 3; k++) {
                box_line(v->rgb + (size_t)i * row + k, 3, v->side, radius, v->plane);
            }
        }
        for (int i = 0; i < v->side; i++) {
            for (size_t k = 0; k < 3; k++) {
                box_line(v->rgb + (size_t)i * 3 + k, row, v->side, radius, v->plane);
            }
        }
    }
}
