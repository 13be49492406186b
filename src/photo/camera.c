/* Random cameras. */
#include "photo/camera.h"

#include <math.h>
#include <string.h>

/* A factor within [1/(1+most), 1+most], evenly in its logarithm. */
static double factor(mdf_rng *r, double most)
{
    return exp(mdf_rng_range(r, -1.0, 1.0) * log(1.0 + most));
}

mdf_camera mdf_camera_draw(const mdf_camera_options *opt, mdf_rng *r)
{
    mdf_camera c = {0};
    const bool change = mdf_rng_uniform(r) < 0.8;
    for (int i = 0; i < 3; i++) {
        c.gain[i] = (float)factor(r, opt->tint);
    }
    c.gamma = (float)factor(r, opt->gamma);
    const double angle = mdf_rng_range(r, -1.0, 1.0) * 3.14159265358979323846;
    const double slope = mdf_rng_uniform(r) * opt->shade;
    c.slope_x = (float)(cos(angle) * slope);
    c.slope_y = (float)(sin(angle) * slope);
    c.outward = (float)(mdf_rng_uniform(r) * opt->shade);
    const bool soft = mdf_rng_uniform(r) < opt->blur;
    const int passes = 1 + (int)(mdf_rng_uniform(r) * 3);
    c.blur = soft ? passes : 0;
    const bool cut = mdf_rng_uniform(r) < 0.5;
    c.cut_top = mdf_rng_uniform(r) * opt->cut * (cut ? 1 : 0);
    c.cut_bottom = mdf_rng_uniform(r) * opt->cut * (cut ? 1 : 0);
    c.plain = !change || (opt->tint == 0 && opt->gamma == 0 && opt->shade == 0);
    return c;
}

enum { CURVE = 256 };

/* Intensities 0..255 through the exposure curve, read between its points. */
static float bend(const float curve[CURVE + 1], float v)
{
    const float x = v < 0 ? 0 : v > 255 ? 255 : v;
    const int at = (int)x;
    return curve[at] + (x - (float)at) * (curve[at + 1] - curve[at]);
}

static void relight(const mdf_camera *c, float *px, int side)
{
    float curve[CURVE + 1];
    for (int i = 0; i <= CURVE; i++) {
        curve[i] = 255.0F * powf((float)(i < 255 ? i : 255) / 255.0F, c->gamma);
    }
    const float step = 2.0F / (float)side;
    for (int y = 0; y < side; y++) {
        const float v = ((float)y + 0.5F) * step - 1;
        for (int x = 0; x < side; x++) {
            const float u = ((float)x + 0.5F) * step - 1;
            const float light =
                1 - 0.5F * (c->slope_x * u + c->slope_y * v) - 0.5F * c->outward * (u * u + v * v);
            float *p = px + 3 * (y * side + x);
            for (int i = 0; i < 3; i++) {
                p[i] = bend(curve, p[i] * light * c->gain[i]);
            }
        }
    }
}

/* One pass of 1 2 1 / 4 along the rows and down the columns; the edge is repeated. */
static void soften(float *px, int side, float *row, float *above)
{
    const size_t line = 3 * (size_t)side;
    for (int y = 0; y < side; y++) {
        float *p = px + (size_t)y * line;
        memcpy(row, p, line * sizeof *row);
        for (size_t i = 0; i < line; i++) {
            const float left = i < 3 ? row[i] : row[i - 3];
            const float right = i + 3 < line ? row[i + 3] : row[i];
            p[i] = 0.25F * (left + 2 * row[i] + right);
        }
    }
    memcpy(above, px, line * sizeof *above);
    for (int y = 0; y < side; y++) {
        float *p = px + (size_t)y * line;
        const float *below = y + 1 < side ? p + line : p;
        for (size_t i = 0; i < line; i++) {
            const float old = p[i];
            p[i] = 0.25F * (above[i] + 2 * old + below[i]);
            above[i] = old;
        }
    }
}

void mdf_camera_apply(const mdf_camera *c, float *px, int side, float *row, float *above)
{
    for (int i = 0; i < c->blur; i++) {
        soften(px, side, row, above);
    }
    if (!c->plain) {
        relight(c, px, side);
    }
}
