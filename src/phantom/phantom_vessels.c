/* The vessel tree of a phantom: an artery and a vein to each quadrant, growing out of the disc by
 * small steps. Growth happens in a frame with the disc at the origin, t towards the macula
 * (temporal) and s upwards, so one description serves both eyes; directions are angles from t. */
#include <math.h>

#include "phantom/phantom_draw.h"

#define STEP      0.006F /* of the side */
#define PI        3.14159265F
#define MAX_QUEUE 256

typedef struct sprout {
    float t, s;     /* where it starts */
    float from, to; /* direction at the start and at the end */
    float r0, r1;   /* half width at the start and at the end */
    float length;
    int depth; /* 0 = trunk */
} sprout;

typedef struct tree {
    mdf_phantom_canvas *v;
    const mdf_phantom_case *c;
    mdf_rng rng;
    float macula_t, macula_s;
    float temporal; /* +1 when t points right in the picture */
    float *plane;   /* coverage of the kind that is grown */
    sprout queue[MAX_QUEUE];
    int queued;
} tree;

static void push(tree *g, sprout p)
{
    if (g->queued < MAX_QUEUE) {
        g->queue[g->queued++] = p;
    }
}

static float from_macula(const tree *g, float t, float s)
{
    return hypotf(t - g->macula_t, s - g->macula_s);
}

/* A side branch at (t, s) of a vessel that runs in direction phi. Branches that leave towards the
 * macula turn to it, others follow their parent. */
static void branch(tree *g, const sprout *parent, float t, float s, float phi, float r, float side)
{
    mdf_rng *rng = &g->rng;
    const float spread = mdf_phantom_range(rng, 0.5F, 1.05F);
    const float ratio = mdf_phantom_range(rng, 0.52F, 0.76F);
    const float reach = mdf_phantom_range(rng, 0.6F, 1.3F);
    const float bend = mdf_phantom_range(rng, 0.15F, 0.55F);
    sprout child = {.t = t, .s = s, .depth = parent->depth + 1};
    child.from = phi + side * spread;
    child.to = child.from - side * bend;
    const float to_macula = atan2f(g->macula_s - s, g->macula_t - t);
    const float turn = remainderf(to_macula - child.from, 2.0F * PI);
    if (from_macula(g, t, s) < 0.30F && fabsf(turn) < 1.2F) {
        child.to = child.from + 0.7F * turn;
    }
    child.r0 = r * ratio;
    child.r1 = child.r0 * 0.45F;
    child.length = (parent->depth == 0 ? 0.20F : 0.11F) * reach;
    push(g, child);
}

static void line_to(const tree *g, float t0, float s0, float r0, float t1, float s1, float r1)
{
    const mdf_phantom_line line = {.x0 = g->c->disc_x + g->temporal * t0,
                                   .y0 = g->c->disc_y - s0,
                                   .r0 = r0,
                                   .x1 = g->c->disc_x + g->temporal * t1,
                                   .y1 = g->c->disc_y - s1,
                                   .r1 = r1};
    mdf_phantom_cover_line(g->v, &line, g->plane, g->v->vessel);
}

static void grow(tree *g, const sprout *p)
{
    mdf_rng *rng = &g->rng;
    const float swing = mdf_phantom_range(rng, 0.05F, 0.17F) * (p->depth == 0 ? 1.0F : 1.4F);
    const float wave = mdf_phantom_range(rng, 0.07F, 0.15F);
    const float phase = mdf_phantom_range(rng, 0.0F, 2.0F * PI);
    float side = mdf_rng_below(rng, 2) == 0 ? -1.0F : 1.0F;
    float next = mdf_phantom_range(rng, 0.07F, 0.13F) * (p->depth == 0 ? 1.0F : 0.6F);
    float t = p->t;
    float s = p->s;
    float jitter = 0.0F;
    const int steps = (int)(p->length / STEP);
    for (int i = 0; i < steps; i++) {
        const float l = (float)i * STEP;
        const float u = l / p->length;
        jitter = 0.85F * jitter + mdf_phantom_range(rng, -0.07F, 0.07F);
        const float phi = p->from +
                          (p->to - p->from) * mdf_phantom_step(0.0F, 1.0F, 0.08F + 0.92F * u) +
                          swing * sinf(2.0F * PI * l / wave + phase) + jitter;
        const float r = p->r0 + (p->r1 - p->r0) * u;
        const float t1 = t + STEP * cosf(phi);
        const float s1 = s + STEP * sinf(phi);
        if (from_macula(g, t1, s1) < 0.040F) {
            return; /* the fovea has no vessels */
        }
        line_to(g, t, s, r, t1, s1, p->r0 + (p->r1 - p->r0) * (u + STEP / p->length));
        t = t1;
        s = s1;
        if (l > next && p->depth < 3 && r > 0.0011F) {
            branch(g, p, t, s, phi, r, side);
            side = mdf_rng_uniform(rng) < 0.7 ? -side : side;
            next = l + mdf_phantom_range(rng, 0.060F, 0.125F) * (p->depth == 0 ? 1.0F : 0.8F);
        }
    }
}

/* One trunk to each quadrant. `lead` turns arteries away from the veins beside them. */
static void grow_all(tree *g, float *plane, float half_width, float lead)
{
    g->plane = plane;
    mdf_rng *rng = &g->rng;
    const float crowd = 0.12F + 0.45F * mdf_phantom_clamp(g->c->cup_ratio - 0.3F, 0.0F, 1.0F);
    for (int quadrant = 0; quadrant < 4; quadrant++) {
        const float up = quadrant % 2 == 0 ? 1.0F : -1.0F;
        const bool temporal = quadrant < 2;
        sprout p = {.depth = 0};
        p.t = -g->c->disc_rx * (crowd + mdf_phantom_range(rng, -0.08F, 0.08F));
        p.s = up * g->c->disc_ry * mdf_phantom_range(rng, 0.0F, 0.18F);
        if (temporal) {
            p.from = up * (mdf_phantom_range(rng, 1.45F, 1.70F) + lead);
            p.to = up * mdf_phantom_range(rng, -0.55F, -0.25F);
            p.length = mdf_phantom_range(rng, 0.66F, 0.80F);
        } else {
            p.from = up * (mdf_phantom_range(rng, 1.85F, 2.30F) + lead);
            p.to = up * mdf_phantom_range(rng, 2.1F, 2.75F);
            p.length = mdf_phantom_range(rng, 0.28F, 0.42F);
        }
        p.r0 = half_width * (temporal ? 1.0F : 0.78F) * mdf_phantom_range(rng, 0.92F, 1.08F);
        p.r1 = p.r0 * 0.42F;
        push(g, p);
    }
    for (int i = 0; i < 3; i++) { /* fine vessels straight across the disc's edge */
        sprout p = {.depth = 2, .t = 0.0F, .s = 0.0F};
        p.from = mdf_phantom_range(rng, -0.7F, 0.7F) + (i == 2 ? PI : 0.0F);
        p.to = p.from + mdf_phantom_range(rng, -0.4F, 0.4F);
        p.length = mdf_phantom_range(rng, 0.12F, 0.24F);
        p.r0 = half_width * 0.36F;
        p.r1 = half_width * 0.18F;
        push(g, p);
    }
    while (g->queued > 0) {
        const sprout p = g->queue[--g->queued];
        grow(g, &p);
    }
}

static void clear_plane(float *plane, int side)
{
    const size_t pixels = (size_t)side * (size_t)side;
    for (size_t i = 0; i < pixels; i++) {
        plane[i] = 0.0F;
    }
}

/* Light from the white disc shines through what lies on it. */
static void thin_out_on_disc(float *plane, int side, const mdf_phantom_case *c)
{
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            const float u = (((float)x + 0.5F) / (float)side - c->disc_x) / c->disc_rx;
            const float w = (((float)y + 0.5F) / (float)side - c->disc_y) / c->disc_ry;
            const float off = mdf_phantom_step(0.7F, 1.3F, u * u + w * w);
            plane[(size_t)y * (size_t)side + (size_t)x] *= 0.55F + 0.45F * off;
        }
    }
}

void mdf_phantom_paint_vessels(mdf_phantom_canvas *v, const mdf_phantom_case *c)
{
    tree g = {.v = v, .c = c, .temporal = c->eye == MDF_PHANTOM_RIGHT ? -1.0F : 1.0F};
    g.macula_t = (c->macula_x - c->disc_x) * g.temporal;
    g.macula_s = c->disc_y - c->macula_y;
    const float w = c->look.vessel_width;

    /* A vein is about an eighth of the disc wide near it, an artery two thirds of the vein. */
    g.rng = mdf_rng_new(c->seed, PHANTOM_STREAM_VESSELS);
    clear_plane(v->plane, v->side);
    grow_all(&g, v->plane, 0.0062F * w, -0.06F);
    thin_out_on_disc(v->plane, v->side, c);
    mdf_phantom_paint_plane(
        v, v->plane,
        &(mdf_phantom_ink){.rgb = {0.62F, 0.32F, 0.34F}, .alpha = 0.9F, .multiply = true});

    g.rng = mdf_rng_new(mdf_rng_mix(c->seed, 1), PHANTOM_STREAM_VESSELS);
    clear_plane(v->plane, v->side);
    grow_all(&g, v->plane, 0.0044F * w, 0.12F);
    thin_out_on_disc(v->plane, v->side, c);
    mdf_phantom_paint_plane(
        v, v->plane,
        &(mdf_phantom_ink){.rgb = {0.84F, 0.50F, 0.42F}, .alpha = 0.9F, .multiply = true});
}
