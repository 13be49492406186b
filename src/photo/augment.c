/* Affine and colour augmentation. */
#include "photo/augment.h"

#include <math.h>

#include "photo/resize.h"

/* The random choices of one sample. */
typedef struct draw {
    double angle; /* radians */
    double zoom;
    double shift_x; /* of the side */
    double shift_y;
    bool flip;
    float gain[3]; /* brightness times channel */
    float contrast;
    float saturation;
    mdf_camera camera;
} draw;

mdf_augment_options mdf_augment_none(void)
{
    return (mdf_augment_options){.mean = {0.5F, 0.5F, 0.5F}, .std = {0.5F, 0.5F, 0.5F}};
}

mdf_augment_options mdf_augment_defaults(void)
{
    mdf_augment_options opt = mdf_augment_none();
    opt.rotate_deg = 20.0;
    opt.scale = 0.12;
    opt.shift = 0.06;
    opt.flip_prob = 0.5;
    opt.brightness = 0.15;
    opt.contrast = 0.15;
    opt.saturation = 0.15;
    opt.channel_gain = 0.05;
    return opt;
}

static double symmetric(mdf_rng *r, double range)
{
    return mdf_rng_range(r, -1.0, 1.0) * range;
}

static draw draw_one(const mdf_augment_options *opt, mdf_rng *r)
{
    draw d;
    d.angle = symmetric(r, opt->rotate_deg) * 3.14159265358979323846 / 180.0;
    d.zoom = exp(symmetric(r, log(1.0 + opt->scale)));
    d.shift_x = symmetric(r, opt->shift);
    d.shift_y = symmetric(r, opt->shift);
    d.flip = mdf_rng_uniform(r) < opt->flip_prob;
    const double brightness = 1.0 + symmetric(r, opt->brightness);
    d.contrast = (float)(1.0 + symmetric(r, opt->contrast));
    d.saturation = (float)(1.0 + symmetric(r, opt->saturation));
    for (int c = 0; c < 3; c++) {
        d.gain[c] = (float)(brightness * (1.0 + symmetric(r, opt->channel_gain)));
    }
    d.camera = mdf_camera_draw(&opt->camera, r);
    return d;
}

/* Output pixel centre, in units of the side and about the middle, to a place in the unit square of
 * the source: u = m * [x, y] + t. */
typedef struct affine {
    double m[2][2];
    double t[2];
} affine;

static double shown_part(const mdf_augment_options *opt)
{
    return opt->crop > 0.0 ? opt->crop : 1.0;
}

static affine affine_of(const draw *d, const mdf_augment_options *opt)
{
    const double part = shown_part(opt);
    const double c = part * cos(d->angle) / d->zoom;
    const double s = part * sin(d->angle) / d->zoom;
    const double mirror = d->flip ? -1.0 : 1.0;
    const double x = opt->crop > 0.0 ? opt->crop_x : 0.5;
    const double y = opt->crop > 0.0 ? opt->crop_y : 0.5;
    return (affine){.m = {{mirror * c, -s}, {mirror * s, c}},
                    .t = {x + part * d->shift_x, y + part * d->shift_y}};
}

static void source_place(const affine *a, int x, int y, int side, double *u, double *v)
{
    const double px = ((double)x + 0.5) / (double)side - 0.5;
    const double py = ((double)y + 0.5) / (double)side - 0.5;
    *u = a->m[0][0] * px + a->m[0][1] * py + a->t[0];
    *v = a->m[1][0] * px + a->m[1][1] * py + a->t[1];
}

/* Bilinear at (fx, fy) in pixels, 0..255; beyond the outermost pixel centres the edge is repeated
 * for half a pixel, beyond that it is black. */
static void sample(float rgb[3], const mdf_image *im, double fx, double fy)
{
    if (!(fx > 0.0 && fy > 0.0 && fx < (double)im->width && fy < (double)im->height)) {
        rgb[0] = rgb[1] = rgb[2] = 0.0F;
        return;
    }
    const double x = fmin(fmax(fx - 0.5, 0.0), (double)(im->width - 1));
    const double y = fmin(fmax(fy - 0.5, 0.0), (double)(im->height - 1));
    const int x0 = (int)x;
    const int y0 = (int)y;
    const int x1 = x0 + 1 < im->width ? x0 + 1 : x0;
    const int y1 = y0 + 1 < im->height ? y0 + 1 : y0;
    const float ax = (float)(x - (double)x0);
    const float ay = (float)(y - (double)y0);
    const uint8_t *top = im->rgb + (size_t)y0 * (size_t)im->width * 3;
    const uint8_t *low = im->rgb + (size_t)y1 * (size_t)im->width * 3;
    for (int c = 0; c < 3; c++) {
        const float t0 = (float)top[3 * x0 + c];
        const float l0 = (float)low[3 * x0 + c];
        const float t = t0 + ax * ((float)top[3 * x1 + c] - t0);
        const float l = l0 + ax * ((float)low[3 * x1 + c] - l0);
        rgb[c] = t + ay * (l - t);
    }
}

static void sample_picture(float *out, const mdf_image *im, const draw *d, const affine *a,
                           int side)
{
    const double low = 1.0 - d->camera.cut_bottom;
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            double u = 0.0;
            double v = 0.0;
            source_place(a, x, y, side, &u, &v);
            const bool cut = v < d->camera.cut_top || v > low;
            sample(out, im, cut ? -1.0 : u * (double)im->width, v * (double)im->height);
            out += 3;
        }
    }
}

static void sample_mask(uint8_t *out, const mdf_grey *mask, const affine *a, int side)
{
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            double u = 0.0;
            double v = 0.0;
            source_place(a, x, y, side, &u, &v);
            const double fx = floor(u * (double)mask->width);
            const double fy = floor(v * (double)mask->height);
            const bool inside =
                fx >= 0.0 && fy >= 0.0 && fx < (double)mask->width && fy < (double)mask->height;
            *out++ = inside ? mask->px[(size_t)fy * (size_t)mask->width + (size_t)fx] : 0;
        }
    }
}

static float grey_of(const float p[3])
{
    return 0.299F * p[0] + 0.587F * p[1] + 0.114F * p[2];
}

/* Mean grey of what is not the black frame, so that contrast does not depend on the frame. */
static float mean_grey(const float *px, size_t n)
{
    double sum = 0.0;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const float g = grey_of(px + 3 * i);
        if (g > 12.0F) {
            sum += (double)g;
            count++;
        }
    }
    return count == 0 ? 0.0F : (float)(sum / (double)count);
}

/* The frame stays black whatever the colours do. */
static void colour(float *px, size_t n, const draw *d)
{
    const float middle = mean_grey(px, n);
    for (size_t i = 0; i < n; i++) {
        float *p = px + 3 * i;
        const float g = grey_of(p);
        const float lift = g > 12.0F ? middle * (1.0F - d->contrast) : 0.0F;
        for (int c = 0; c < 3; c++) {
            float v = g + (p[c] - g) * d->saturation;
            v = (v * d->contrast + lift) * d->gain[c];
            p[c] = v < 0.0F ? 0.0F : v > 255.0F ? 255.0F : v;
        }
    }
}

/* 0..255 to what the network reads. */
static void normalise(float *px, size_t n, const mdf_augment_options *opt)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < 3; c++) {
            px[3 * i + c] = (px[3 * i + c] / 255.0F - opt->mean[c]) / opt->std[c];
        }
    }
}

/* A picture much larger than wanted, reduced into memory of scratch; else the picture itself. What
 * is magnified must not be reduced before, or large would always mean blurred. */
static mdf_status reduced(mdf_image *out, const mdf_image *im, double wanted, mdf_arena *scratch,
                          mdf_error *err)
{
    *out = *im;
    if ((double)im->width <= 1.5 * wanted && (double)im->height <= 1.5 * wanted) {
        return MDF_OK;
    }
    const int side = (int)lround(wanted);
    out->width = im->width < side ? im->width : side;
    out->height = im->height < side ? im->height : side;
    out->rgb = mdf_arena_alloc(scratch, (size_t)out->width * (size_t)out->height, 3);
    if (out->rgb == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a picture of %d x %d", out->width,
                        out->height);
    }
    return mdf_resize_bilinear_in(scratch, out->rgb, out->width, out->height, im->rgb, im->width,
                                  im->height, 3, err);
}

mdf_status mdf_augment(float *out, uint8_t *mask_out, bool *flipped, const mdf_image *im,
                       const mdf_grey *mask, int side, const mdf_augment_options *opt, mdf_rng *r,
                       mdf_arena *scratch, mdf_error *err)
{
    const bool bad_crop = !(opt->crop >= 0.0 && opt->crop <= 1.0);
    if (side < 1 || side > 16384 || im->width < 1 || im->height < 1 || bad_crop) {
        return mdf_fail(err, MDF_ERR_ARG, "cannot sample a picture of %d x %d at %d", im->width,
                        im->height, side);
    }
    const draw d = draw_one(opt, r);
    const affine a = affine_of(&d, opt);
    mdf_image from = *im;
    mdf_arena_reset(scratch);
    if (out != NULL) {
        MDF_TRY(reduced(&from, im, (double)side / shown_part(opt) * d.zoom, scratch, err));
    }
    float *line = mdf_arena_alloc(scratch, 6 * (size_t)side, sizeof *line);
    if (line == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a picture %d pixels wide", side);
    }
    if (out != NULL) {
        sample_picture(out, &from, &d, &a, side);
        colour(out, (size_t)side * (size_t)side, &d);
        mdf_camera_apply(&d.camera, out, side, line, line + 3 * side);
        normalise(out, (size_t)side * (size_t)side, opt);
    }
    if (mask != NULL && mask_out != NULL) {
        sample_mask(mask_out, mask, &a, side);
    }
    if (flipped != NULL) {
        *flipped = d.flip;
    }
    return MDF_OK;
}
