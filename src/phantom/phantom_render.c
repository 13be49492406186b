/* Paints a phantom case: retina, disc, vessels and signs as reflectances, then haze, lens, light
 * and camera on top. */
#include <math.h>
#include <string.h>

#include "phantom/phantom_draw.h"

typedef struct sign_row {
    mdf_phantom_ink ink;
    float wobble, soft;
    bool above; /* painted over the vessels */
} sign_row;

static const sign_row signs[MDF_PHANTOM_SIGN_COUNT] = {
    [MDF_PHANTOM_MICROANEURYSM] = {{{0.50F, 0.14F, 0.14F}, 0.85F, true}, 0.0F, 0.15F, true},
    [MDF_PHANTOM_HAEMORRHAGE] = {{{0.46F, 0.16F, 0.18F}, 0.85F, true}, 0.22F, 0.20F, true},
    [MDF_PHANTOM_EXUDATE] = {{{0.99F, 0.88F, 0.46F}, 0.92F, false}, 0.20F, 0.10F, true},
    [MDF_PHANTOM_COTTON_WOOL] = {{{0.95F, 0.85F, 0.70F}, 0.75F, false}, 0.25F, 0.45F, true},
    [MDF_PHANTOM_DEPOSIT] = {{{0.96F, 0.78F, 0.40F}, 0.72F, false}, 0.12F, 0.30F, false},
    [MDF_PHANTOM_ATROPHY] = {{{0.93F, 0.66F, 0.40F}, 0.55F, false}, 0.18F, 0.12F, false},
    [MDF_PHANTOM_PIGMENT] = {{{0.42F, 0.34F, 0.34F}, 0.80F, true}, 0.30F, 0.20F, true},
    [MDF_PHANTOM_SPICULE] = {{{0.24F, 0.20F, 0.24F}, 0.92F, true}, 0.0F, 0.0F, true},
};

/* A star of three to five tapering arms, as the pigment lies around small vessels. */
static void paint_spicule(mdf_phantom_canvas *v, const mdf_phantom_lesion *l)
{
    mdf_rng r = mdf_rng_new(l->shape, PHANTOM_STREAM_SIGNS);
    const int arms = 3 + (int)mdf_rng_below(&r, 3);
    for (int i = 0; i < arms; i++) {
        const float phi =
            l->angle + 6.2831853F * ((float)i + mdf_phantom_range(&r, -0.25F, 0.25F)) / (float)arms;
        const float bend = phi + mdf_phantom_range(&r, -0.7F, 0.7F);
        const float reach = l->radius * mdf_phantom_range(&r, 0.5F, 1.0F);
        const float mx = l->x + 0.5F * reach * cosf(phi);
        const float my = l->y + 0.5F * reach * sinf(phi);
        mdf_phantom_cover_line(v,
                               &(mdf_phantom_line){.x0 = l->x,
                                                   .y0 = l->y,
                                                   .r0 = 0.16F * l->radius,
                                                   .x1 = mx,
                                                   .y1 = my,
                                                   .r1 = 0.10F * l->radius},
                               v->plane, v->lesion);
        mdf_phantom_cover_line(v,
                               &(mdf_phantom_line){.x0 = mx,
                                                   .y0 = my,
                                                   .r0 = 0.10F * l->radius,
                                                   .x1 = mx + 0.5F * reach * cosf(bend),
                                                   .y1 = my + 0.5F * reach * sinf(bend),
                                                   .r1 = 0.03F * l->radius},
                               v->plane, v->lesion);
    }
}

void mdf_phantom_paint_signs(mdf_phantom_canvas *v, const mdf_phantom_case *c, bool above)
{
    bool spicules = false;
    memset(v->plane, 0, (size_t)v->side * (size_t)v->side * sizeof(float));
    for (size_t i = 0; i < c->lesion_count; i++) {
        const mdf_phantom_lesion *l = &c->lesions[i];
        const sign_row *row = &signs[l->sign];
        if (row->above != above) {
            continue;
        }
        if (l->sign == MDF_PHANTOM_SPICULE) {
            paint_spicule(v, l);
            spicules = true;
            continue;
        }
        const float stretch = sqrtf(l->aspect); /* the area does not depend on the aspect */
        mdf_phantom_paint_blob(v,
                               &(mdf_phantom_blob){.x = l->x,
                                                   .y = l->y,
                                                   .radius_x = l->radius * stretch,
                                                   .radius_y = l->radius / stretch,
                                                   .angle = l->angle,
                                                   .wobble = row->wobble,
                                                   .soft = row->soft,
                                                   .shape = l->shape},
                               &row->ink, v->lesion);
    }
    if (spicules) {
        mdf_phantom_paint_plane(v, v->plane, &signs[MDF_PHANTOM_SPICULE].ink);
    }
}

/* Two noises: cloudy unevenness, and the choroid's ridges shining through thinly pigmented retina.
 */
static void paint_retina(mdf_phantom_canvas *v, const mdf_phantom_case *c)
{
    const mdf_phantom_look *look = &c->look;
    const size_t pixels = (size_t)v->side * (size_t)v->side;
    mdf_rng r = mdf_rng_new(c->seed, PHANTOM_STREAM_TEXTURE);

    mdf_phantom_add_noise(v->plane, v->side, 22, 13, 0.8F, &r);
    mdf_phantom_add_noise(v->plane, v->side, 44, 29, 0.4F, &r);
    for (size_t i = 0; i < pixels; i++) {
        const float ridge = 1.0F - fminf(fabsf(v->plane[i]) * 2.2F, 1.0F);
        const float shade = look->texture * (ridge * ridge - 0.3F);
        v->rgb[3 * i] = look->colour[0] * (1.0F + 0.10F * shade);
        v->rgb[3 * i + 1] = look->colour[1] * (1.0F + 0.20F * shade);
        v->rgb[3 * i + 2] = look->colour[2] * (1.0F + 0.16F * shade);
        v->plane[i] = 0.0F;
    }
    mdf_phantom_add_noise(v->plane, v->side, 4, 4, 0.06F, &r);
    mdf_phantom_add_noise(v->plane, v->side, 10, 10, 0.04F, &r);
    mdf_phantom_add_noise(v->plane, v->side, 60, 60, 0.035F, &r);
    for (size_t i = 0; i < pixels; i++) {
        for (size_t k = 0; k < 3; k++) {
            v->rgb[3 * i + k] *= 1.0F + v->plane[i] * (k == 0 ? 0.7F : 1.2F);
        }
    }
}

/* Slow changes of colour: the nerve fibres' sheen around disc and arcades, the yellow-dark macula
 * with its fovea, and the grey outer retina of retinitis pigmentosa. */
static void paint_regions(mdf_phantom_canvas *v, const mdf_phantom_case *c)
{
    const float grey[3] = {0.40F, 0.33F, 0.29F};
    for (int y = 0; y < v->side; y++) {
        for (int x = 0; x < v->side; x++) {
            float *rgb = v->rgb + 3 * ((size_t)y * (size_t)v->side + (size_t)x);
            const float px = ((float)x + 0.5F) / (float)v->side;
            const float py = ((float)y + 0.5F) / (float)v->side;
            const float dx = px - c->disc_x;
            const float dy = py - c->disc_y;
            const float mx = px - c->macula_x;
            const float my = py - c->macula_y;
            const float disc2 = dx * dx + 0.5F * dy * dy;
            const float mac2 = mx * mx + my * my;
            const float sheen = 0.16F * expf(-disc2 / 0.020F);
            const float macula = expf(-mac2 / 0.0085F);
            const float fovea = expf(-mac2 / 0.00055F);
            const float out = hypotf(px - c->fov_x, py - c->fov_y) + 0.3F * sqrtf(mac2);
            const float loss = c->look.periphery_loss * mdf_phantom_step(0.22F, 0.44F, out) * 0.8F;
            const float weight[3] = {0.20F, 0.34F, 0.36F};
            for (int k = 0; k < 3; k++) {
                rgb[k] *= (1.0F + sheen) * (1.0F - weight[k] * macula) * (1.0F - 0.22F * fovea);
                rgb[k] += loss * (grey[k] * (rgb[0] / c->look.colour[0]) - rgb[k]);
            }
        }
    }
}

/* The painted cup is the lesion of glaucoma; as a mask it ends where the disc does. */
static void mark_cup(mdf_phantom_canvas *v, bool is_lesion)
{
    const size_t pixels = (size_t)v->side * (size_t)v->side;
    for (size_t i = 0; i < pixels; i++) {
        v->lesion[i] |= is_lesion ? v->cup[i] : 0;
        v->cup[i] &= v->disc[i];
    }
}

static void paint_disc(mdf_phantom_canvas *v, const mdf_phantom_case *c)
{
    const float temporal = c->eye == MDF_PHANTOM_RIGHT ? -1.0F : 1.0F;
    const float pallor = c->look.disc_pallor;
    const uint32_t shape = (uint32_t)(c->seed >> 7);
    mdf_phantom_blob b = {.x = c->disc_x, .y = c->disc_y, .wobble = 0.03F, .shape = shape};
    if (c->look.crescent > 0.0F) {
        b.x += temporal * 0.20F * c->disc_rx;
        b.radius_x = c->disc_rx * 1.10F;
        b.radius_y = c->disc_ry * 1.06F;
        b.soft = 0.12F;
        mdf_phantom_paint_blob(
            v, &b,
            &(mdf_phantom_ink){.rgb = {0.90F, 0.70F, 0.48F}, .alpha = 0.55F * c->look.crescent},
            NULL);
        b.x = c->disc_x;
    }
    b.radius_x = c->disc_rx;
    b.radius_y = c->disc_ry;
    b.soft = 0.06F;
    mdf_phantom_paint_blob(
        v, &b,
        &(mdf_phantom_ink){.rgb = {1.06F, 0.70F + 0.18F * pallor, 0.40F + 0.22F * pallor},
                           .alpha = 0.94F},
        v->disc);

    /* The cup sits a little to the temporal side; glaucoma opens it downwards. */
    const mdf_phantom_ink cup = {.rgb = {1.14F, 1.04F, 0.78F}, .alpha = 0.93F};
    const float room = 1.0F - c->cup_ratio;
    b.radius_x = c->disc_rx * c->cup_ratio * 0.97F;
    b.radius_y = c->disc_ry * c->cup_ratio;
    b.x += temporal * 0.25F * room * c->disc_rx;
    b.soft = 0.14F;
    mdf_phantom_paint_blob(v, &b, &cup, v->cup);
    if (c->notch > 0.0F) {
        b.radius_x *= 0.45F;
        b.radius_y *= 0.5F;
        b.x += temporal * 0.25F * b.radius_x;
        b.y += c->disc_ry * (c->cup_ratio * 0.5F + fminf(c->notch, 0.8F * room));
        mdf_phantom_paint_blob(v, &b, &cup, v->cup);
    }
    mark_cup(v, c->label == MDF_PHANTOM_GLAUCOMA);
}

/* Haze scatters light: everything moves towards one pale yellow, evenly over the picture. */
static void add_haze(mdf_phantom_canvas *v, const mdf_phantom_case *c)
{
    const float veil[3] = {0.70F, 0.53F, 0.32F};
    const size_t pixels = (size_t)v->side * (size_t)v->side;
    for (size_t i = 0; i < pixels; i++) {
        for (size_t k = 0; k < 3; k++) {
            const float tint = 0.75F * veil[k] + 0.25F * c->look.colour[k];
            v->rgb[3 * i + k] += c->look.haze * (tint - v->rgb[3 * i + k]);
        }
    }
}

/* 1 inside the field of view, 0 outside, anti-aliased. */
static float field(const mdf_phantom_case *c, int side, int x, int y)
{
    const float dx = ((float)x + 0.5F) / (float)side - c->fov_x;
    const float dy = ((float)y + 0.5F) / (float)side - c->fov_y;
    const float circle = (c->fov_radius - sqrtf(dx * dx + dy * dy)) * (float)side;
    const float bar = (c->fov_half_height - fabsf(dy)) * (float)side;
    return mdf_phantom_clamp(fminf(circle, bar) + 0.5F, 0.0F, 1.0F);
}

/* Light, field of view, grain and rounding. Masks end where the field does. */
static void expose(mdf_phantom_canvas *v, const mdf_phantom_case *c, uint8_t *out)
{
    const mdf_phantom_look *look = &c->look;
    mdf_rng r = mdf_rng_new(c->seed, PHANTOM_STREAM_GRAIN);
    for (int y = 0; y < v->side; y++) {
        for (int x = 0; x < v->side; x++) {
            const size_t at = (size_t)y * (size_t)v->side + (size_t)x;
            const float inside = field(c, v->side, x, y);
            const float dx = (((float)x + 0.5F) / (float)v->side - c->fov_x) / c->fov_radius;
            const float dy = (((float)y + 0.5F) / (float)v->side - c->fov_y) / c->fov_radius;
            const float rho2 = dx * dx + dy * dy;
            const float light = look->gain * (1.0F + look->tilt_x * dx + look->tilt_y * dy) *
                                (1.06F - look->vignette * rho2 * (0.45F + 0.55F * rho2));
            for (size_t k = 0; k < 3; k++) {
                const uint32_t u = mdf_rng_u32(&r);
                /* The sum of four bytes is near enough to normal; variance 4 * 255^2 / 12. */
                const float bell =
                    (float)((u & 0xff) + (u >> 8 & 0xff) + (u >> 16 & 0xff) + (u >> 24)) - 510.0F;
                const float lit = v->rgb[3 * at + k] * light + bell * (0.010F / 147.0F);
                const float dark = 0.012F + bell * (0.003F / 147.0F);
                const float value = dark + inside * (lit - dark);
                out[3 * at + k] = (uint8_t)(mdf_phantom_clamp(value, 0.0F, 1.0F) * 255.0F + 0.5F);
            }
            if (inside < 1.0F) {
                v->vessel[at] = 0;
                v->lesion[at] = 0;
                v->disc[at] = 0;
                v->cup[at] = 0;
            }
        }
    }
}

static void copy_mask(uint8_t *out, const uint8_t *mask, int side)
{
    if (out != NULL) {
        memcpy(out, mask, (size_t)side * (size_t)side);
    }
}

mdf_status mdf_phantom_render(const mdf_phantom_case *c, int side_px, uint8_t *rgb,
                              const mdf_phantom_masks *masks, mdf_error *err)
{
    if (side_px < MDF_PHANTOM_MIN_SIDE_PX || side_px > MDF_PHANTOM_MAX_SIDE_PX) {
        return mdf_fail(err, MDF_ERR_ARG, "a phantom's side of %d pixels is not in %d..%d", side_px,
                        MDF_PHANTOM_MIN_SIDE_PX, MDF_PHANTOM_MAX_SIDE_PX);
    }
    mdf_phantom_canvas v;
    MDF_TRY(mdf_phantom_canvas_init(&v, side_px, err));
    paint_retina(&v, c);
    paint_regions(&v, c);
    mdf_phantom_paint_signs(&v, c, false);
    paint_disc(&v, c);
    mdf_phantom_paint_vessels(&v, c);
    mdf_phantom_paint_signs(&v, c, true);
    mdf_phantom_blur(&v, c->look.blur * (float)side_px);
    add_haze(&v, c);
    expose(&v, c, rgb);

    if (masks != NULL) {
        copy_mask(masks->vessel, v.vessel, side_px);
        copy_mask(masks->lesion, v.lesion, side_px);
        copy_mask(masks->disc, v.disc, side_px);
        copy_mask(masks->cup, v.cup, side_px);
    }
    mdf_phantom_canvas_free(&v);
    return MDF_OK;
}
