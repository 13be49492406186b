/* Which part of a photograph a training case of train_config.task = "segment" shows. */
#include "data/crop.h"

#include <math.h>

/* A random pixel of the foreground, as a place in 0..1; false: there is none. */
static bool pick(double *x, double *y, const mdf_grey *mask, mdf_rng *r)
{
    const size_t n = mask->px == NULL ? 0 : (size_t)mask->width * (size_t)mask->height;
    size_t set = 0;
    for (size_t i = 0; i < n; i++) {
        set += mask->px[i] != 0;
    }
    if (set == 0) {
        return false;
    }
    size_t left = (size_t)(mdf_rng_uniform(r) * (double)set);
    size_t at = 0;
    while (mask->px[at] == 0 || left-- > 0) {
        at++;
    }
    const size_t width = (size_t)mask->width;
    *x = ((double)(at % width) + 0.5) / mask->width;
    const size_t row = at / width;
    *y = ((double)row + 0.5) / mask->height;
    return true;
}

static double within(double x, double margin)
{
    return x < margin ? margin : x > 1 - margin ? 1 - margin : x;
}

/* A place whose crop shows something of the disc that fills the square. */
static void pull_in(double *x, double *y, double part)
{
    const double dx = *x - 0.5;
    const double dy = *y - 0.5;
    const double most = 0.5 - part / 4;
    const double away = sqrt(dx * dx + dy * dy);
    if (away > most) {
        *x = 0.5 + dx * most / away;
        *y = 0.5 + dy * most / away;
    }
}

static bool is_cut(const mdf_config *c)
{
    return c->train.crop.side > c->unet.image_size;
}

bool mdf_crop_is_whole(const mdf_config *c, mdf_mask_name focus)
{
    return is_cut(c) && mdf_mask_is_region(focus);
}

int mdf_crop_side(const mdf_config *c, mdf_mask_name focus)
{
    return mdf_crop_is_whole(c, focus) ? mdf_config_region_side(c) : c->unet.image_size;
}

bool mdf_crop_shows(const mdf_config *c, mdf_mask_name focus, mdf_mask_name name)
{
    return !is_cut(c) || mdf_mask_is_region(focus) == mdf_mask_is_region(name);
}

/* Shows 1/(1 + scale) of the field's side or more, around a pixel of the mask: a camera that sees
 * less of the retina shows its discs larger, and zooming about the middle would lose them. */
static void come_near(mdf_augment_options *o, const mdf_grey *mask, mdf_rng *r)
{
    double x;
    double y;
    const double part = exp(-mdf_rng_uniform(r) * log(1 + o->scale));
    const double aside_x = mdf_rng_range(r, -part / 3, part / 3);
    const double aside_y = mdf_rng_range(r, -part / 3, part / 3);
    if (mdf_rng_uniform(r) < 0.5 && pick(&x, &y, mask, r)) {
        o->crop = part;
        o->crop_x = within(x + aside_x, part / 2);
        o->crop_y = within(y + aside_y, part / 2);
        o->scale /= 2;
        o->shift = 0;
    }
}

/* Shows a square of the side of unet.image_size pixels in one of crop.side. */
static void cut(mdf_augment_options *o, const mdf_config *c, const mdf_grey *mask, mdf_rng *r)
{
    const double whole = (double)c->unet.image_size / c->train.crop.side;
    const double part = whole < 1 ? whole : 1;
    double x = mdf_rng_uniform(r);
    double y = mdf_rng_uniform(r);
    const double aside_x = mdf_rng_range(r, -part / 3, part / 3);
    const double aside_y = mdf_rng_range(r, -part / 3, part / 3);
    if (mdf_rng_uniform(r) < 0.5 && pick(&x, &y, mask, r)) {
        x += aside_x;
        y += aside_y;
    } else {
        pull_in(&x, &y, part);
    }
    o->crop = part;
    o->crop_x = within(x, part / 2);
    o->crop_y = within(y, part / 2);
    o->shift = 0;
}

void mdf_crop_choose(mdf_augment_options *o, const mdf_config *c, const mdf_sample *s,
                     mdf_mask_name focus, mdf_rng *r)
{
    o->scale = c->train.crop.scale;
    if (mdf_crop_is_whole(c, focus)) {
        come_near(o, &s->mask[focus], r);
    } else {
        cut(o, c, &s->mask[focus], r);
    }
}
