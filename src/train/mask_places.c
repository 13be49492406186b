/* Where drawn masks lie. */
#include "train/mask_places.h"

#include <math.h>

#include "base/alloc.h"
#include "photo/spots.h"
#include "train/stats.h"

enum { CELLS = 16, BINS = 4096 };

static const double pi = 3.14159265358979323846;

typedef struct place {
    double x, y; /* in pixels */
    int64_t area;
} place;

static void keep_largest(void *user, const mdf_spot *spot)
{
    place *p = user;
    if (spot->area > p->area) {
        *p = (place){mdf_spot_x(spot), mdf_spot_y(spot), spot->area};
    }
}

static mdf_field field_of(const mdf_sample *s)
{
    const int side = s->image.width;
    return s->fov.kind != MDF_FOV_NONE ? mdf_field_of(&s->fov, side, side)
                                       : (mdf_field){.width = side,
                                                     .height = side,
                                                     .right = side,
                                                     .bottom = side,
                                                     .diameter = side,
                                                     .area = (int64_t)side * side};
}

static mdf_status find_disc(place *out, const float *map, int stride, const mdf_sample *s,
                            mdf_error *err)
{
    const int side = s->image.width;
    const mdf_field field = field_of(s);
    uint8_t *drawn = mdf_alloc((size_t)side * (size_t)side, 1);
    float most = -1;
    place peak = {0};
    if (drawn == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a mask");
    }
    for (int y = 0; y < side; y++) {
        int x = 0;
        int end = 0;
        mdf_field_row(&field, y, &x, &end);
        for (; x < end; x++) {
            const size_t at = (size_t)y * (size_t)side + (size_t)x;
            const float p = map[at * (size_t)stride];
            drawn[at] = p > 0.5F;
            if (p > most) {
                most = p;
                peak = (place){x + 0.5, y + 0.5, 0};
            }
        }
    }
    *out = (place){0};
    const mdf_status status = mdf_spots_find(drawn, &field, keep_largest, out, err);
    mdf_free(drawn);
    if (out->area == 0) {
        *out = peak;
    }
    return status;
}

/* The middle of a mask's pixels; area in pixels of the mask. */
static place middle_of(const mdf_grey *mask)
{
    place p = {0};
    for (int y = 0; y < mask->height; y++) {
        for (int x = 0; x < mask->width; x++) {
            const uint8_t value = mask->px[(size_t)y * (size_t)mask->width + (size_t)x];
            if (value != 0 && value != MDF_MASK_UNKNOWN) {
                p.x += x + 0.5;
                p.y += y + 0.5;
                p.area++;
            }
        }
    }
    p.x /= p.area > 0 ? (double)p.area : 1;
    p.y /= p.area > 0 ? (double)p.area : 1;
    return p;
}

mdf_status mdf_disc_places_add(mdf_disc_places *out, const float *map, int stride,
                               const mdf_sample *s, mdf_error *err)
{
    const mdf_grey *mask = &s->mask[MDF_MASK_DISC];
    const place truth = mask->px == NULL ? (place){0} : middle_of(mask);
    place drawn = {0};
    if (truth.area == 0) {
        return MDF_OK;
    }
    MDF_TRY(find_disc(&drawn, map, stride, s, err));
    const double scale = (double)mask->width / s->image.width;
    const double x = drawn.x * scale - truth.x;
    const double y = drawn.y * scale - truth.y;
    const double diameter =
        s->only_centre ? (double)mask->width / MDF_DISC_SHARE : sqrt(4 * (double)truth.area / pi);
    const double distance = sqrt(x * x + y * y) / diameter;
    out->n++;
    out->within += distance < 0.5;
    out->sum += distance;
    return MDF_OK;
}

/* The field of view in cells, and its pixels by probability. */
typedef struct tally {
    double sum[CELLS * CELLS]; /* of probabilities */
    int64_t seen[CELLS * CELLS];
    bool sick[CELLS * CELLS];
    int64_t all[BINS], on[BINS]; /* pixels of a probability, and those of a lesion */
} tally;

static void count(tally *t, const float *map, const mdf_grey *truth, const mdf_sample *s)
{
    const int side = s->image.width;
    const mdf_field field = field_of(s);
    for (int y = 0; y < side; y++) {
        const int64_t row = (2 * (int64_t)y + 1) * truth->height / (2 * (int64_t)side);
        int x = 0;
        int end = 0;
        mdf_field_row(&field, y, &x, &end);
        for (; x < end; x++) {
            const int64_t column = (2 * (int64_t)x + 1) * truth->width / (2 * (int64_t)side);
            const float drawn = map[(size_t)y * (size_t)side + (size_t)x];
            const float p = drawn > 0 ? fminf(drawn, 1) : 0; /* what is no number is nothing */
            const bool on = truth->px[row * truth->width + column] != 0;
            const int64_t cell = (int64_t)y * CELLS / side * CELLS + (int64_t)x * CELLS / side;
            const int bin = (int)(p * (float)(BINS - 1) + 0.5F);
            t->sum[cell] += (double)p;
            t->seen[cell]++;
            t->sick[cell] = t->sick[cell] || on;
            t->all[bin]++;
            t->on[bin] += on;
        }
    }
}

/* Average precision; pixels of one bin are taken together. */
static double precision_of(const tally *t, int64_t positives)
{
    double sum = 0;
    int64_t taken = 0;
    int64_t found = 0;
    for (int i = BINS - 1; i >= 0; i--) {
        taken += t->all[i];
        found += t->on[i];
        sum += t->on[i] > 0 ? (double)t->on[i] * (double)found / (double)taken : 0;
    }
    return sum / (double)positives;
}

/* Cells of which less than half lies in the field of view are no choice. */
static void point(mdf_lesion_places *out, const tally *t, int64_t whole)
{
    double most = -1;
    bool hit = false;
    int cells = 0;
    int sick = 0;
    for (int i = 0; i < CELLS * CELLS; i++) {
        if (t->seen[i] == 0 || 2 * t->seen[i] < whole) {
            continue;
        }
        cells++;
        sick += t->sick[i];
        const double mean = t->sum[i] / (double)t->seen[i];
        if (mean > most) {
            most = mean;
            hit = t->sick[i];
        }
    }
    out->hits += hit;
    out->chance += cells > 0 ? (double)sick / cells : 0;
}

mdf_status mdf_lesion_places_add(mdf_lesion_places *out, const float *map, const mdf_grey *truth,
                                 const mdf_sample *s, mdf_error *err)
{
    if (truth->px == NULL) {
        return MDF_OK;
    }
    tally *t = mdf_alloc(1, sizeof *t);
    if (t == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory to compare masks");
    }
    count(t, map, truth, s);
    int64_t all = 0;
    int64_t on = 0;
    for (int i = 0; i < BINS; i++) {
        all += t->all[i];
        on += t->on[i];
    }
    if (on > 0) {
        const int64_t side = s->image.width;
        out->n++;
        out->precision += precision_of(t, on);
        out->area += (double)on / (double)all;
        point(out, t, side * side / (CELLS * CELLS));
    }
    mdf_free(t);
    return MDF_OK;
}

json_t *mdf_disc_places_json(const mdf_disc_places *d)
{
    const double n = (double)d->n;
    const mdf_interval i = mdf_wilson(d->within, d->n);
    return json_pack("{s:I, s:f, s:[f,f], s:f}", "n", (json_int_t)d->n, "within",
                     (double)d->within / n, "within_ci", i.low, i.high, "distance", d->sum / n);
}

json_t *mdf_lesion_places_json(const mdf_lesion_places *l)
{
    const double n = (double)l->n;
    const mdf_interval i = mdf_wilson(l->hits, l->n);
    return json_pack("{s:I, s:f, s:[f,f], s:f, s:f, s:f}", "n", (json_int_t)l->n, "pointing",
                     (double)l->hits / n, "pointing_ci", i.low, i.high, "chance", l->chance / n,
                     "auprc", l->precision / n, "area", l->area / n);
}

void mdf_mask_places_text(mdf_strbuf *out, const mdf_disc_places *d, const mdf_lesion_places *l)
{
    if (d->n > 0) {
        const mdf_interval i = mdf_wilson(d->within, d->n);
        mdf_strbuf_printf(out,
                          "disc centre found     %.3f  [%.3f, %.3f]  (%zu picture%s, within half a "
                          "disc's diameter; mean distance %.2f)\n",
                          (double)d->within / (double)d->n, i.low, i.high, d->n,
                          d->n == 1 ? "" : "s", d->sum / (double)d->n);
    }
    if (l->n > 0) {
        const double n = (double)l->n;
        const mdf_interval i = mdf_wilson(l->hits, l->n);
        mdf_strbuf_printf(
            out,
            "lesion pointed at     %.3f  [%.3f, %.3f]  (%zu picture%s, 16 x 16 cells, "
            "chance %.3f)\n"
            "lesion AUPRC          %.3f  (share of the area %.3f)\n",
            (double)l->hits / n, i.low, i.high, l->n, l->n == 1 ? "" : "s", l->chance / n,
            l->precision / n, l->area / n);
    }
}
