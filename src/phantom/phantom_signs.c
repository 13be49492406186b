/* Which signs of disease an eye has and how they look. The number of signs grows with the severity
 * and the first ones stay, so a worse eye of the same seed shows all of the better one. */
#include <math.h>

#include "phantom/phantom_draw.h"

#define TWO_PI 6.2831853F

static void add(mdf_phantom_case *c, mdf_phantom_lesion lesion)
{
    const float dx = lesion.x - c->fov_x;
    const float dy = lesion.y - c->fov_y;
    const float reach = c->fov_radius - lesion.radius - 0.008F;
    const float ex = (lesion.x - c->disc_x) / (c->disc_rx + lesion.radius);
    const float ey = (lesion.y - c->disc_y) / (c->disc_ry + lesion.radius);
    const bool in_view = dx * dx + dy * dy < reach * reach &&
                         fabsf(dy) < c->fov_half_height - lesion.radius - 0.008F;
    if (in_view && ex * ex + ey * ey > 1.0F && c->lesion_count < MDF_PHANTOM_MAX_LESIONS) {
        c->lesions[c->lesion_count++] = lesion;
    }
}

static mdf_phantom_lesion draw_lesion(mdf_rng *r, mdf_phantom_sign sign, float x, float y,
                                      float radius_min, float radius_max)
{
    /* One statement a number: C does not say in which order initialisers run. */
    mdf_phantom_lesion lesion = {.sign = sign, .x = x, .y = y, .aspect = 1.0F};
    lesion.radius = mdf_phantom_range(r, radius_min, radius_max);
    lesion.angle = mdf_phantom_range(r, 0.0F, TWO_PI);
    lesion.shape = mdf_rng_u32(r);
    return lesion;
}

/* A point between two distances from (x, y), evenly spread over the area. */
static void draw_ring(mdf_rng *r, float x, float y, float inner, float outer, float *px, float *py)
{
    const float rho = sqrtf(mdf_phantom_range(r, inner * inner, outer * outer));
    const float phi = mdf_phantom_range(r, 0.0F, TWO_PI);
    *px = x + rho * cosf(phi);
    *py = y + rho * sinf(phi);
}

static int count(float least, float most, float severity)
{
    return (int)(least + (most - least) * severity + 0.5F);
}

static void add_red_spots(mdf_phantom_case *c)
{
    mdf_rng r = mdf_rng_new(c->seed, PHANTOM_STREAM_SIGNS);
    for (int i = count(8, 60, c->severity); i > 0; i--) {
        float x, y;
        draw_ring(&r, c->macula_x, c->macula_y, 0.03F, 0.34F, &x, &y);
        add(c, draw_lesion(&r, MDF_PHANTOM_MICROANEURYSM, x, y, 0.0035F, 0.0060F));
    }
    r = mdf_rng_new(mdf_rng_mix(c->seed, 1), PHANTOM_STREAM_SIGNS);
    for (int i = count(2, 26, c->severity); i > 0; i--) {
        float x, y;
        draw_ring(&r, c->macula_x, c->macula_y, 0.05F, 0.38F, &x, &y);
        mdf_phantom_lesion blot = draw_lesion(&r, MDF_PHANTOM_HAEMORRHAGE, x, y, 0.007F, 0.019F);
        blot.aspect = mdf_phantom_range(&r, 1.0F, 2.2F);
        add(c, blot);
    }
}

/* Hard exudates lie in rings and clumps around leaking spots; cotton wool near the arcades. */
static void add_pale_spots(mdf_phantom_case *c)
{
    mdf_rng r = mdf_rng_new(mdf_rng_mix(c->seed, 2), PHANTOM_STREAM_SIGNS);
    for (int i = count(0, 6, c->severity); i > 0; i--) {
        float x, y;
        draw_ring(&r, c->macula_x, c->macula_y, 0.04F, 0.22F, &x, &y);
        const float size = mdf_phantom_range(&r, 0.018F, 0.045F);
        const float start = mdf_phantom_range(&r, 0.0F, TWO_PI);
        const float arc = mdf_phantom_range(&r, 2.0F, 6.0F);
        for (int k = 0; k < 16; k++) {
            const float phi = start + arc * mdf_phantom_range(&r, 0.0F, 1.0F);
            const float rho = size * mdf_phantom_range(&r, 0.65F, 1.15F);
            mdf_phantom_lesion speck = draw_lesion(&r, MDF_PHANTOM_EXUDATE, x + rho * cosf(phi),
                                                   y + rho * sinf(phi), 0.0025F, 0.0075F);
            speck.aspect = mdf_phantom_range(&r, 1.0F, 1.8F);
            add(c, speck);
        }
    }
    r = mdf_rng_new(mdf_rng_mix(c->seed, 3), PHANTOM_STREAM_SIGNS);
    for (int i = count(-1, 4, c->severity); i > 0; i--) {
        float x, y;
        draw_ring(&r, c->disc_x, c->disc_y, 0.10F, 0.30F, &x, &y);
        mdf_phantom_lesion wool = draw_lesion(&r, MDF_PHANTOM_COTTON_WOOL, x, y, 0.013F, 0.024F);
        wool.aspect = mdf_phantom_range(&r, 1.1F, 1.8F);
        add(c, wool);
    }
}

/* Yellow deposits under the macula, from round drusen (flecks = 0) to fish-tailed flecks (1). Uses
 * nothing that depends on the label. */
static void add_deposits(mdf_phantom_case *c, float flecks)
{
    mdf_rng r = mdf_rng_new(mdf_rng_mix(c->seed, 4), PHANTOM_STREAM_SIGNS);
    const float drawn = mdf_rng_uniform(&r) < 0.5 ? mdf_phantom_range(&r, 0.0F, 0.25F)
                                                  : mdf_phantom_range(&r, 0.75F, 1.0F);
    const float shape = flecks < 0.0F ? drawn : flecks;
    const float inner = 0.050F * shape;
    const float outer = 0.135F + 0.045F * shape;
    const bool atrophic = mdf_rng_uniform(&r) < 0.6;
    const mdf_phantom_lesion patch =
        draw_lesion(&r, MDF_PHANTOM_ATROPHY, c->macula_x, c->macula_y, 0.022F, 0.030F);
    if (atrophic || flecks > 0.0F) {
        mdf_phantom_lesion grown = patch;
        grown.radius += 0.035F * c->severity;
        grown.aspect = 1.25F;
        grown.angle = 0.0F;
        add(c, grown);
    }
    for (int i = count(26, 130, c->severity); i > 0; i--) {
        float x, y;
        draw_ring(&r, c->macula_x, c->macula_y, inner, outer, &x, &y);
        if (mdf_rng_uniform(&r) < 0.5) { /* thicker towards the centre */
            x = c->macula_x + (x - c->macula_x) * 0.72F;
            y = c->macula_y + (y - c->macula_y) * 0.72F;
        }
        mdf_phantom_lesion d = draw_lesion(&r, MDF_PHANTOM_DEPOSIT, x, y, 0.0035F, 0.0085F);
        d.aspect = 1.0F + 2.4F * shape * mdf_phantom_range(&r, 0.75F, 1.0F);
        add(c, d);
    }
    for (int i = count(-2, 7, c->severity); i > 0; i--) {
        float x, y;
        draw_ring(&r, c->macula_x, c->macula_y, 0.0F, 0.08F, &x, &y);
        mdf_phantom_lesion clump = draw_lesion(&r, MDF_PHANTOM_PIGMENT, x, y, 0.004F, 0.009F);
        clump.aspect = mdf_phantom_range(&r, 1.0F, 1.7F);
        add(c, clump);
    }
}

static void add_spicules(mdf_phantom_case *c)
{
    mdf_rng r = mdf_rng_new(mdf_rng_mix(c->seed, 5), PHANTOM_STREAM_SIGNS);
    for (int i = count(30, 150, c->severity); i > 0; i--) {
        float x, y;
        draw_ring(&r, c->fov_x, c->fov_y, 0.25F, 0.46F, &x, &y);
        const float from_macula = hypotf(x - c->macula_x, y - c->macula_y);
        const mdf_phantom_lesion star = draw_lesion(&r, MDF_PHANTOM_SPICULE, x, y, 0.010F, 0.021F);
        if (from_macula > 0.20F) {
            add(c, star);
        }
    }
}

void mdf_phantom_add_signs(mdf_phantom_case *c, float flecks)
{
    switch (c->label) {
    case MDF_PHANTOM_DR:
        add_red_spots(c);
        add_pale_spots(c);
        break;
    case MDF_PHANTOM_AMD:
    case MDF_PHANTOM_STARGARDT:
        add_deposits(c, flecks);
        break;
    case MDF_PHANTOM_RETINITIS_PIGMENTOSA:
        add_spicules(c);
        break;
    case MDF_PHANTOM_NORMAL:
    case MDF_PHANTOM_GLAUCOMA:
    case MDF_PHANTOM_CATARACT:
    case MDF_PHANTOM_LABEL_COUNT:
        break;
    }
}
