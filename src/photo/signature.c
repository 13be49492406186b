/* Statistics of the lit field, by rings around its middle. */
#include "photo/signature.h"

#include <math.h>

#include "base/alloc.h"
#include "photo/fov.h"
#include "photo/resize.h"

enum { SIDE = 128, RINGS = 3 };

/* Sums over pixels. */
typedef struct sums {
    double n, red, green, blue, grey, grey2;
} sums;

typedef struct field {
    mdf_image px; /* SIDE x SIDE */
    mdf_fov fov;
    float *grey;      /* [SIDE,SIDE] */
    uint8_t *in;      /* [SIDE,SIDE] 1 = lit, and not at the very rim of a disc */
    sums ring[RINGS]; /* the middle, between, the rim */
} field;

static void field_free(field *f)
{
    mdf_image_free(&f->px);
    mdf_free(f->grey);
    mdf_free(f->in);
}

/* Reduced as samples are, then to SIDE. */
static mdf_status reduce(mdf_image *out, const mdf_image *crop, int side, mdf_error *err)
{
    mdf_image middle = {0};
    const mdf_image *from = crop;
    mdf_status status = MDF_OK;
    if (crop->width > side) {
        status = mdf_image_new(&middle, side, side, err);
        if (status == MDF_OK) {
            status = mdf_resize_bilinear(middle.rgb, side, side, crop->rgb, crop->width,
                                         crop->height, 3, err);
        }
        from = &middle;
    }
    if (status == MDF_OK) {
        status = mdf_image_new(out, SIDE, SIDE, err);
    }
    if (status == MDF_OK) {
        status =
            mdf_resize_bilinear(out->rgb, SIDE, SIDE, from->rgb, from->width, from->height, 3, err);
    }
    mdf_image_free(&middle);
    return status;
}

static void add_pixel(sums *s, const uint8_t *p, float grey)
{
    s->n += 1;
    s->red += p[0];
    s->green += p[1];
    s->blue += p[2];
    s->grey += (double)grey;
    s->grey2 += (double)grey * (double)grey;
}

/* Rings end at 0.4 and 0.7 of the radius; a disc's outermost 6 % are its blurred edge. */
static void measure(field *f)
{
    const bool disc = f->fov.kind == MDF_FOV_CIRCLE;
    const double r = disc ? (double)f->fov.r : SIDE / 2.0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        const uint8_t *p = f->px.rgb + (size_t)3 * (size_t)i;
        const uint8_t brightest =
            p[0] > p[1] ? (p[0] > p[2] ? p[0] : p[2]) : (p[1] > p[2] ? p[1] : p[2]);
        const int row = i / SIDE;
        const double dx = i % SIDE + 0.5 - (double)f->fov.cx;
        const double dy = row + 0.5 - (double)f->fov.cy;
        const double from_middle = sqrt(dx * dx + dy * dy) / r;
        f->grey[i] = 0.299F * (float)p[0] + 0.587F * (float)p[1] + 0.114F * (float)p[2];
        f->in[i] = brightest > f->fov.threshold && (!disc || from_middle < 0.94);
        if (f->in[i]) {
            add_pixel(&f->ring[from_middle < 0.4 ? 0 : from_middle < 0.7 ? 1 : 2], p, f->grey[i]);
        }
    }
}

/* Mean absolute difference over d pixels, both ways, inside the field. */
static double mean_step(const field *f, int d)
{
    double sum = 0;
    double n = 0;
    for (int y = 0; y < SIDE - d; y++) {
        for (int x = 0; x < SIDE - d; x++) {
            const int i = y * SIDE + x;
            const int right = i + d;
            const int below = i + d * SIDE;
            if (f->in[i] && f->in[right] && f->in[below]) {
                sum += fabs((double)f->grey[right] - (double)f->grey[i]) +
                       fabs((double)f->grey[below] - (double)f->grey[i]);
                n += 2;
            }
        }
    }
    return n < 1 ? 0 : sum / n;
}

/* log of a ratio of two sums over n pixels; four grey levels keep black from being infinitely
 * far. */
static float log_ratio(double a, double b, double n)
{
    const double many = n < 1 ? 1 : n;
    return (float)log((a / many + 4) / (b / many + 4));
}

static void compute(float out[MDF_SIGNATURE], const field *f)
{
    sums all = {0};
    for (int k = 0; k < RINGS; k++) {
        const sums *s = &f->ring[k];
        all = (sums){all.n + s->n,       all.red + s->red,   all.green + s->green,
                     all.blue + s->blue, all.grey + s->grey, all.grey2 + s->grey2};
    }
    const sums *in = &f->ring[0];
    const sums *rim = &f->ring[RINGS - 1];
    const double n = all.n < 1 ? 1 : all.n;
    const double mean = all.grey / n;
    const double variance = all.grey2 / n - mean * mean;
    const double in_green = in->green / (in->n < 1 ? 1 : in->n);
    const double rim_green = rim->green / (rim->n < 1 ? 1 : rim->n);
    out[MDF_SIG_RED] = log_ratio(all.red, all.green, n);
    out[MDF_SIG_GREEN] = log_ratio(all.green, all.blue, n);
    out[MDF_SIG_LIGHT] = (float)log(mean + 4);
    out[MDF_SIG_CONTRAST] = (float)log((sqrt(variance > 0 ? variance : 0) + 1) / (mean + 4));
    out[MDF_SIG_FINE] = (float)log((mean_step(f, 1) + 0.1) / (mean_step(f, 3) + 0.1));
    out[MDF_SIG_RIM] = (float)log((rim_green + 4) / (in_green + 4));
    out[MDF_SIG_RIM_HUE] =
        log_ratio(rim->red, rim->green, rim->n) - log_ratio(in->red, in->green, in->n);
    out[MDF_SIG_SHAPE] = (float)log((double)(f->fov.bottom - f->fov.top + 1) /
                                    (double)(f->fov.right - f->fov.left + 1));
}

mdf_status mdf_signature(float out[MDF_SIGNATURE], const mdf_image *crop, int side, mdf_error *err)
{
    const size_t n = (size_t)SIDE * SIDE;
    field f = {.grey = mdf_alloc(n, sizeof *f.grey), .in = mdf_alloc(n, 1)};
    mdf_status status = f.grey == NULL || f.in == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for measuring a picture")
                            : reduce(&f.px, crop, side, err);
    if (status == MDF_OK) {
        status = mdf_fov_find(&f.fov, &f.px, err);
    }
    if (status == MDF_OK) {
        measure(&f);
        compute(out, &f);
    }
    field_free(&f);
    return status;
}
