/* Measures of masks. */
#include "photo/biometry.h"

#include <math.h>
#include <string.h>

#include "photo/box_dimension.h"
#include "photo/spots.h"

/* Where a mask is hardly what it claims to be; reasons in docs/BIOMETRY.md. */
#define LEAST_VESSELS 0.005 /* of the field of view: no tree whose dimension means something */
#define MOST_VESSELS  0.35
#define LEAST_DISC    0.02 /* diameter: smaller areas are no disc */
#define SMALL_DISC    0.05 /* heights that no camera shows a disc at */
#define LARGE_DISC    0.4
#define SECOND_DISC   0.1  /* of the largest area's: no crumb */
#define CUP_OUTSIDE   0.05 /* of the cup */
#define DETAIL_OF_LESION                                                                           \
    650                   /* pixels across: a microaneurysm of 60 um has 3 (45 degrees, 13 mm)     \
                           */
#define LESION_SIDE   500 /* least lesions to a field's diameter */
#define LESION_PIXELS 4

void mdf_caution(mdf_cautions *w, const char *text)
{
    for (int i = 0; i < w->count; i++) {
        if (strcmp(w->text[i], text) == 0) {
            return;
        }
    }
    if (w->count < MDF_MAX_CAUTIONS) {
        w->text[w->count++] = text;
    }
}

void mdf_caution_of_photo(mdf_cautions *w, const mdf_fov *fov, const mdf_quality *q)
{
    for (unsigned bit = 1; bit < 1U << MDF_QUALITY_REASONS; bit <<= 1) {
        if ((q->reasons & bit) != 0) {
            mdf_caution(w, bit == MDF_QUALITY_CUT_OFF
                               ? "the field of view is cut off: areas are shares of what is left"
                               : mdf_quality_reason_text(bit));
        }
    }
    if (fov->kind != MDF_FOV_CIRCLE) {
        mdf_caution(w, "no round field of view found: shares are of the lit area's box");
    }
}

void mdf_caution_of_detail(mdf_cautions *w, double detail)
{
    if (detail < DETAIL_OF_LESION) {
        mdf_caution(w, "resolution too low for microaneurysms: the smallest lesions are missed");
    }
}

mdf_status mdf_measure_vessels(mdf_vessel_measures *out, mdf_cautions *w, const uint8_t *mask,
                               const mdf_field *f, double detail, mdf_error *err)
{
    int64_t box[MDF_BOX_FINEST + 1];
    int64_t pixels = 0;
    MDF_TRY(mdf_box_count(box, mask, f, err));
    for (int y = f->top; y < f->bottom; y++) {
        const uint8_t *px = mask + (size_t)y * (size_t)f->width;
        int x = 0;
        int end = 0;
        mdf_field_row(f, y, &x, &end);
        for (; x < end; x++) {
            pixels += px[x] != 0 ? 1 : 0;
        }
    }
    const double area = (double)pixels / (double)f->area;
    *out = (mdf_vessel_measures){.area = area, .dimension = (double)NAN};
    if (area < LEAST_VESSELS) {
        mdf_caution(w, "too few vessel pixels for a fractal dimension");
    } else if (detail < MDF_BOX_DETAIL) {
        mdf_caution(w, "resolution too low for a fractal dimension");
    } else {
        out->dimension = mdf_box_slope(box);
    }
    if (area > MOST_VESSELS) {
        mdf_caution(w, "more vessel pixels than an eye has");
    }
    return MDF_OK;
}

/* ---- disc and cup -----------------------------------------------------------------------------
 */

typedef struct largest {
    mdf_spot first, second; /* area 0: none */
} largest;

static void keep_largest(void *user, const mdf_spot *spot)
{
    largest *l = user;
    if (spot->area > l->first.area) {
        l->second = l->first;
        l->first = *spot;
    } else if (spot->area > l->second.area) {
        l->second = *spot;
    }
}

/* Diameter of the circle of equal area, in diameters of the field of view. */
static double diameter_of(const mdf_spot *s, const mdf_field *f)
{
    const double pi = 3.14159265358979323846;
    return 2 * sqrt((double)s->area / pi) / f->diameter;
}

/* Share of the cup's pixels that are no disc. */
static double outside_of(const uint8_t *cup, const uint8_t *disc, const mdf_field *f)
{
    int64_t all = 0;
    int64_t outside = 0;
    for (int y = f->top; y < f->bottom; y++) {
        const size_t row = (size_t)y * (size_t)f->width;
        int x = 0;
        int end = 0;
        mdf_field_row(f, y, &x, &end);
        for (; x < end; x++) {
            all += cup[row + (size_t)x] != 0 ? 1 : 0;
            outside += cup[row + (size_t)x] != 0 && disc[row + (size_t)x] == 0 ? 1 : 0;
        }
    }
    return all == 0 ? 0 : (double)outside / (double)all;
}

static mdf_status measure_cup(mdf_disc_measures *out, mdf_cautions *w, const uint8_t *disc,
                              const uint8_t *cup, const mdf_field *f, mdf_error *err)
{
    largest found = {.first = {.area = 0}};
    MDF_TRY(mdf_spots_find(cup, f, keep_largest, &found, err));
    const mdf_spot *c = &found.first;
    if (c->area == 0) {
        mdf_caution(w, "no cup found in the disc");
        return MDF_OK;
    }
    out->cup_height = (double)(c->bottom - c->top) / f->diameter;
    out->cup_area = (double)c->area / (double)f->area;
    out->cup_disc_ratio = out->cup_height / out->height;
    if (outside_of(cup, disc, f) > CUP_OUTSIDE) {
        mdf_caution(w, "the cup reaches out of the disc: the cup/disc ratio is not to be trusted");
    }
    return MDF_OK;
}

mdf_status mdf_measure_disc(mdf_disc_measures *out, mdf_cautions *w, const uint8_t *disc,
                            const uint8_t *cup, const mdf_field *f, mdf_error *err)
{
    const double nothing = (double)NAN;
    largest found = {.first = {.area = 0}};
    mdf_disc_measures m = {nothing, nothing, nothing, nothing, nothing, nothing,
                           nothing, nothing, nothing, nothing, nothing};
    MDF_TRY(mdf_spots_find(disc, f, keep_largest, &found, err));
    const mdf_spot *d = &found.first;
    if (d->area == 0 || diameter_of(d, f) < LEAST_DISC) {
        mdf_caution(w, "no optic disc found");
        *out = m;
        return MDF_OK;
    }
    m.x = mdf_spot_x(d);
    m.y = mdf_spot_y(d);
    m.offset_x = (m.x - f->cx) / f->diameter;
    m.offset_y = (m.y - f->cy) / f->diameter;
    m.area = (double)d->area / (double)f->area;
    m.diameter = diameter_of(d, f);
    m.width = (double)(d->right - d->left) / f->diameter;
    m.height = (double)(d->bottom - d->top) / f->diameter;
    if ((double)found.second.area > SECOND_DISC * (double)d->area) {
        mdf_caution(w, "several areas look like an optic disc: the largest was measured");
    }
    if (d->at_border) {
        mdf_caution(w, "the optic disc touches the border of the field of view: it may be cut");
    }
    if (m.height < SMALL_DISC || m.height > LARGE_DISC) {
        mdf_caution(w, "the optic disc has an unlikely size");
    }
    if (cup != NULL) {
        MDF_TRY(measure_cup(&m, w, disc, cup, f, err));
    }
    *out = m;
    return MDF_OK;
}

/* ---- lesions ----------------------------------------------------------------------------------
 */

typedef struct tally {
    int64_t least;
    int64_t pixels;
    int count;
} tally;

static void count_spot(void *user, const mdf_spot *spot)
{
    tally *t = user;
    if (spot->area >= t->least) {
        t->pixels += spot->area;
        t->count++;
    }
}

int64_t mdf_lesion_least_area(const mdf_field *f)
{
    const double side = f->diameter / LESION_SIDE;
    const int64_t area = (int64_t)ceil(side * side);
    return area > LESION_PIXELS ? area : LESION_PIXELS;
}

mdf_status mdf_measure_lesions(mdf_lesion_measures *out, const uint8_t *mask, const mdf_field *f,
                               mdf_error *err)
{
    tally t = {.least = mdf_lesion_least_area(f)};
    MDF_TRY(mdf_spots_find(mask, f, count_spot, &t, err));
    *out = (mdf_lesion_measures){.count = t.count, .area = (double)t.pixels / (double)f->area};
    return MDF_OK;
}
