/* What the phantom files share: streams of random numbers, the float canvas and its brushes. */
#ifndef MDF_PHANTOM_PHANTOM_DRAW_H
#define MDF_PHANTOM_PHANTOM_DRAW_H

#include "base/rng.h"
#include "phantom/phantom.h"

/* One stream of random numbers per purpose, so that drawing more of one thing leaves the others as
 * they were. */
enum {
    PHANTOM_STREAM_PATIENT = 1, /* of the patient's seed: colours, severity */
    PHANTOM_STREAM_PERSON,      /* of the patient's seed: age, sex, history */
    PHANTOM_STREAM_GEOMETRY,    /* the rest: of the eye's seed */
    PHANTOM_STREAM_LOOK,
    PHANTOM_STREAM_SIGNS,
    PHANTOM_STREAM_VESSELS,
    PHANTOM_STREAM_TEXTURE,
    PHANTOM_STREAM_GRAIN,
    PHANTOM_STREAM_SILENCE /* whether the text is empty */
};

typedef enum mdf_phantom_text_group {
    PHANTOM_TEXT_SCREENING,
    PHANTOM_TEXT_PRESSURE,
    PHANTOM_TEXT_OLD_AGE,
    PHANTOM_TEXT_NIGHT,
    PHANTOM_TEXT_YOUNG,
    PHANTOM_TEXT_GROUP_COUNT
} mdf_phantom_text_group;

/* Age, sex and sentence of a case whose eye, seed and patient are set. Uses nothing else of it, so
 * that labels of one text group cannot be told apart. */
void mdf_phantom_write_text(mdf_phantom_case *c, mdf_phantom_text_group group,
                            uint64_t patient_seed, bool every_text);

/* Adds the signs of c->label to c->lesions. flecks < 0: the shape of macular deposits is drawn. */
void mdf_phantom_add_signs(mdf_phantom_case *c, float flecks);

static inline float mdf_phantom_range(mdf_rng *r, float lo, float hi)
{
    return (float)mdf_rng_range(r, (double)lo, (double)hi);
}

static inline float mdf_phantom_clamp(float x, float lo, float hi)
{
    return x < lo ? lo : (x > hi ? hi : x);
}

/* 0 below lo, 1 above hi, smooth between. */
static inline float mdf_phantom_step(float lo, float hi, float x)
{
    const float t = mdf_phantom_clamp((x - lo) / (hi - lo), 0.0F, 1.0F);
    return t * t * (3.0F - 2.0F * t);
}

/* Reflectance before light, lens and camera. All planes belong to the canvas. */
typedef struct mdf_phantom_canvas {
    int side;            /* S */
    float *rgb;          /* [S,S,3], 0..1 */
    float *plane;        /* [S,S] scratch */
    uint8_t *vessel;     /* [S,S] 0 or 255 */
    uint8_t *lesion;     /* [S,S] 0 or 255 */
    uint8_t *disc, *cup; /* [S,S] 0 or 255 */
} mdf_phantom_canvas;

mdf_status mdf_phantom_canvas_init(mdf_phantom_canvas *v, int side, mdf_error *err) MDF_NODISCARD;
void mdf_phantom_canvas_free(mdf_phantom_canvas *v);

/* How a brush changes a pixel: colour = mix(colour, ink, alpha), or colour *= mix(1, ink, alpha).
 */
typedef struct mdf_phantom_ink {
    float rgb[3];
    float alpha;
    bool multiply;
} mdf_phantom_ink;

/* A closed outline around (x, y): an ellipse with a wobbling edge. Coverage goes from 1 to 0 over
 * `soft` pixels beyond the anti-aliasing pixel. Pixels that are at least half covered are set in
 * mask [S,S] (NULL = none). Radii below a pixel are widened and thinned out, so that nothing is
 * lost in small pictures. */
typedef struct mdf_phantom_blob {
    float x, y, radius_x, radius_y; /* fractions of the side */
    float angle;                    /* of radius_x, radians */
    float wobble;                   /* 0 = smooth outline .. 0.5 */
    float soft;                     /* fraction of the radius that fades, 0..1 */
    uint32_t shape;
} mdf_phantom_blob;

void mdf_phantom_paint_blob(mdf_phantom_canvas *v, const mdf_phantom_blob *b,
                            const mdf_phantom_ink *ink, uint8_t *mask);

/* A tapering line with round ends; r0 and r1 are its half widths. */
typedef struct mdf_phantom_line {
    float x0, y0, r0;
    float x1, y1, r1;
} mdf_phantom_line;

/* Raises plane [S,S] to the line's coverage where that is more (so overlapping pieces of one vessel
 * do not darken twice), and sets mask as mdf_phantom_paint_blob() does. */
void mdf_phantom_cover_line(const mdf_phantom_canvas *v, const mdf_phantom_line *line, float *plane,
                            uint8_t *mask);

/* Changes every pixel by the ink, with plane [S,S] as a further alpha. */
void mdf_phantom_paint_plane(mdf_phantom_canvas *v, const float *plane, const mdf_phantom_ink *ink);

/* Adds amp * noise in [-1,1] to plane [S,S]: value noise of cells_x by cells_y cells. */
void mdf_phantom_add_noise(float *plane, int side, int cells_x, int cells_y, float amp,
                           mdf_rng *rng);

/* Blurs rgb with about a Gaussian of sigma pixels. Uses v->plane. */
void mdf_phantom_blur(mdf_phantom_canvas *v, float sigma);

/* Grows the vessel tree of a case and paints it, veins under arteries. Sets v->vessel. */
void mdf_phantom_paint_vessels(mdf_phantom_canvas *v, const mdf_phantom_case *c);

/* Paints the signs that lie under the vessels, or those above them. Sets v->lesion. */
void mdf_phantom_paint_signs(mdf_phantom_canvas *v, const mdf_phantom_case *c, bool above);

#endif
