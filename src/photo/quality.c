/* Statistics of the field of view, a logistic model for "is a fundus", thresholds for the rest. */
#include "photo/quality.h"

#include <math.h>

#include "base/alloc.h"
#include "photo/resize.h"

enum { SIDE = 160, FINE_SIDE = 256 };

/* Fitted by tools/fit_quality.py on half of the pictures and measured on the other half, see
 * docs/QUALITY.md. In the order of the features. */
static const double bias = -11.9666;
static const double weight[MDF_QF_COUNT] = {2.4155,   4.4643, 6.9234, 4.6494,
                                            -82.4777, 8.4176, 1.0213, -7.5474};
/* Smoother than this is drawn, not photographed: the least of 2,514 photographs is 0.303. */
static const float fine_of_any_camera = 0.29F;

/* Limits of the warnings, from the distributions in docs/QUALITY.md: each is passed by the worst
 * few per cent of the photographs of daily practice. */
static const float dark_below = 25.0F;
static const float burnt_above = 0.12F;
static const float sharp_above = 0.8F;
static const float visible_above = 0.7F;
static const float pixels_above = 128.0F; /* across: half of what sharpness is measured at */

/* The crop to the field of view, reduced. */
typedef struct view {
    int side;
    uint8_t *rgb; /* [side, side, 3] */
    float *grey;  /* [side, side] */
    uint8_t *in;  /* [side, side] 1 = well inside the field of view */
} view;

static void view_free(view *v)
{
    mdf_free(v->rgb);
    mdf_free(v->grey);
    mdf_free(v->in);
}

/* Stays 6 % away from the rim, whose edge is the camera's, and from what lies outside the picture.
 */
static void mark_inside(view *v, const mdf_image *im, const mdf_fov *fov, mdf_square at)
{
    const double step = (double)at.side / (double)v->side;
    const double r = (fov->kind == MDF_FOV_CIRCLE ? (double)fov->r : 0.75 * (double)at.side) * 0.94;
    for (int y = 0; y < v->side; y++) {
        for (int x = 0; x < v->side; x++) {
            const double px = (double)at.left + ((double)x + 0.5) * step;
            const double py = (double)at.top + ((double)y + 0.5) * step;
            const double dx = px - (double)fov->cx;
            const double dy = py - (double)fov->cy;
            const bool framed = px > 2.0 * step && py > 2.0 * step &&
                                px < (double)im->width - 2.0 * step &&
                                py < (double)im->height - 2.0 * step;
            v->in[y * v->side + x] = framed && dx * dx + dy * dy < r * r;
        }
    }
}

static mdf_status view_new(view *v, int side, const mdf_image *im, const mdf_fov *fov,
                           mdf_error *err)
{
    const size_t n = (size_t)side * (size_t)side;
    *v = (view){.side = side,
                .rgb = mdf_alloc(n, 3),
                .grey = mdf_alloc(n, sizeof(float)),
                .in = mdf_alloc(n, 1)};
    if (v->rgb == NULL || v->grey == NULL || v->in == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for measuring a picture");
    }
    const mdf_square at = mdf_fov_square(fov);
    mdf_image crop = {0};
    MDF_TRY(mdf_crop(&crop, im, at, err));
    const mdf_status status =
        mdf_resize_bilinear(v->rgb, side, side, crop.rgb, crop.width, crop.height, 3, err);
    mdf_image_free(&crop);
    if (status == MDF_OK) {
        for (size_t i = 0; i < n; i++) {
            const uint8_t *p = v->rgb + 3 * i;
            v->grey[i] = 0.299F * (float)p[0] + 0.587F * (float)p[1] + 0.114F * (float)p[2];
        }
        mark_inside(v, im, fov, at);
    }
    return status;
}

/* ---- colour -----------------------------------------------------------------------------------
 */

static int brightest(const uint8_t *p)
{
    const int v = p[0] > p[1] ? p[0] : p[1];
    return v > p[2] ? v : p[2];
}

static void measure_colour(mdf_quality *q, const view *v)
{
    double n = 0.0;
    double order = 0.0;
    double warmth = 0.0;
    double burnt = 0.0;
    double sum_a = 0.0;
    double sum_b = 0.0;
    double length = 0.0;
    for (int i = 0; i < v->side * v->side; i++) {
        if (!v->in[i]) {
            continue;
        }
        const uint8_t *p = v->rgb + 3 * i;
        const double a = (double)p[0] - 0.5 * ((double)p[1] + (double)p[2]);
        const double b = 0.8660254 * ((double)p[1] - (double)p[2]);
        n += 1.0;
        order += p[0] + 6 >= p[1] && p[1] + 6 >= p[2];
        warmth += (double)(p[0] - p[2]) / (double)(brightest(p) + 8);
        burnt += p[0] >= 250 && p[1] >= 240;
        sum_a += a;
        sum_b += b;
        length += sqrt(a * a + b * b);
    }
    n = n < 1.0 ? 1.0 : n;
    q->overexposed = (float)(burnt / n);
    q->feature[MDF_QF_WARM_ORDER] = (float)(order / n);
    q->feature[MDF_QF_WARMTH] = (float)(warmth / n);
    q->feature[MDF_QF_ONE_HUE] = (float)(sqrt(sum_a * sum_a + sum_b * sum_b) / (length + 4.0 * n));
}

/* ---- structure --------------------------------------------------------------------------------
 */

/* Mean absolute difference over a distance of d pixels, both ways, inside the field of view. */
static double mean_step(const view *v, int d)
{
    double sum = 0.0;
    double n = 0.0;
    for (int y = 0; y < v->side - d; y++) {
        for (int x = 0; x < v->side - d; x++) {
            const int i = y * v->side + x;
            const int right = i + d;
            const int below = i + d * v->side;
            if (v->in[i] && v->in[right] && v->in[below]) {
                sum += fabs((double)v->grey[right] - (double)v->grey[i]) +
                       fabs((double)v->grey[below] - (double)v->grey[i]);
                n += 2.0;
            }
        }
    }
    return n < 1.0 ? 0.0 : sum / n;
}

static void measure_structure(mdf_quality *q, const view *v)
{
    double n = 0.0;
    double sum = 0.0;
    double squares = 0.0;
    for (int i = 0; i < v->side * v->side; i++) {
        if (v->in[i]) {
            n += 1.0;
            sum += (double)v->grey[i];
            squares += (double)v->grey[i] * (double)v->grey[i];
        }
    }
    n = n < 1.0 ? 1.0 : n;
    const double mean = sum / n;
    const double variance = squares / n - mean * mean;
    const double one = mean_step(v, 1);
    const double three = mean_step(v, 3);
    q->brightness = (float)mean;
    q->feature[MDF_QF_CONTRAST] = (float)(sqrt(variance > 0.0 ? variance : 0.0) / (mean + 8.0));
    q->feature[MDF_QF_ROUGHNESS] = (float)(one / (mean + 8.0));
    q->feature[MDF_QF_FINE] = (float)(one / (three + 0.25));
}

/* What is left of the green channel (vessels are darkest there) after a 5 x 5 mean: root mean
 * square, relative to a mean brightness of 100. Vessels and lesions give it, blur removes it. */
static double sharpness_of(const view *v)
{
    double sum = 0.0;
    double level = 0.0;
    double n = 0.0;
    for (int y = 2; y < v->side - 2; y++) {
        for (int x = 2; x < v->side - 2; x++) {
            const int i = y * v->side + x;
            if (!v->in[i] || !v->in[i - 2 * v->side] || !v->in[i + 2 * v->side] || !v->in[i - 2] ||
                !v->in[i + 2]) {
                continue;
            }
            int around = 0;
            for (int dy = -2; dy <= 2; dy++) {
                for (int dx = -2; dx <= 2; dx++) {
                    around += v->rgb[3 * (i + dy * v->side + dx) + 1];
                }
            }
            const double rest = (double)v->rgb[3 * i + 1] - (double)around / 25.0;
            sum += rest * rest;
            level += (double)v->rgb[3 * i + 1];
            n += 1.0;
        }
    }
    return n < 1.0 ? 0.0 : sqrt(sum / n) * 100.0 / (level / n + 16.0);
}

/* ---- verdict ----------------------------------------------------------------------------------
 */

static float fundus_probability(const float feature[MDF_QF_COUNT])
{
    double z = bias;
    for (int i = 0; i < MDF_QF_COUNT; i++) {
        z += weight[i] * (double)feature[i];
    }
    const float p = (float)(1.0 / (1.0 + exp(-z)));
    return feature[MDF_QF_FINE] < fine_of_any_camera ? 0.1F * p : p;
}

/* 1 when value is at or beyond good, 0.5 at the limit, falling to 0. */
static float part_score(float value, float limit, float good)
{
    const float t = 0.5F + 0.5F * (value - limit) / (good - limit);
    return t < 0.0F ? 0.0F : t > 1.0F ? 1.0F : t;
}

static void judge(mdf_quality *q, const mdf_fov *fov)
{
    q->fundus_prob = fov->kind == MDF_FOV_NONE ? 0.0F : fundus_probability(q->feature);
    q->score = part_score(q->fundus_prob, 0.5F, 0.9F);
    const float across = (float)mdf_fov_square(fov).side;
    const struct {
        unsigned reason;
        float score;
    } part[] = {
        {MDF_QUALITY_DARK, part_score(q->brightness, dark_below, 2.0F * dark_below)},
        {MDF_QUALITY_OVEREXPOSED, part_score(-q->overexposed, -burnt_above, 0.0F)},
        {MDF_QUALITY_BLURRED, part_score(q->sharpness, sharp_above, 2.0F * sharp_above)},
        {MDF_QUALITY_CUT_OFF, part_score(fov->visible, visible_above, 0.85F)},
        {MDF_QUALITY_SMALL, part_score(across, pixels_above, 2.0F * pixels_above)},
    };
    q->reasons = q->score < 0.5F ? MDF_QUALITY_NO_FUNDUS : 0U;
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        q->score = part[i].score < q->score ? part[i].score : q->score;
        q->reasons |= part[i].score < 0.5F ? part[i].reason : 0U;
    }
}

mdf_status mdf_quality_score(mdf_quality *out, const mdf_image *im, const mdf_fov *fov,
                             mdf_error *err)
{
    mdf_quality q = {0};
    view coarse;
    mdf_status status = view_new(&coarse, SIDE, im, fov, err);
    if (status == MDF_OK) {
        measure_colour(&q, &coarse);
        measure_structure(&q, &coarse);
        view fine;
        status = view_new(&fine, FINE_SIDE, im, fov, err);
        q.sharpness = status == MDF_OK ? (float)sharpness_of(&fine) : 0.0F;
        view_free(&fine);
    }
    view_free(&coarse);
    if (status == MDF_OK) {
        q.feature[MDF_QF_CIRCLE] = fov->confidence;
        q.feature[MDF_QF_GROUND] = fov->dark_ground;
        judge(&q, fov);
        *out = q;
    }
    return status;
}

const char *mdf_quality_reason_text(unsigned reason)
{
    switch (reason) {
    case MDF_QUALITY_DARK:
        return "too dark";
    case MDF_QUALITY_OVEREXPOSED:
        return "overexposed";
    case MDF_QUALITY_BLURRED:
        return "blurred";
    case MDF_QUALITY_CUT_OFF:
        return "cut off";
    case MDF_QUALITY_NO_FUNDUS:
        return "not a fundus photograph";
    case MDF_QUALITY_SMALL:
        return "few pixels";
    default:
        return "unknown";
    }
}

void mdf_quality_reasons(unsigned reasons, mdf_strbuf *out)
{
    const char *comma = "";
    for (unsigned i = MDF_QUALITY_REASONS; i-- > 0;) {
        if ((reasons & (1U << i)) != 0) {
            mdf_strbuf_puts(out, comma);
            mdf_strbuf_puts(out, mdf_quality_reason_text(1U << i));
            comma = ", ";
        }
    }
}
