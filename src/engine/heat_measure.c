/* What a heat-map is worth. */
#include "engine/heat_measure.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "report/heatmap.h"

void mdf_heat_truth_free(mdf_heat_truth *t)
{
    mdf_free(t->pixel);
    *t = (mdf_heat_truth){0};
}

/* The cell or pixel, of `cells` along a side, that holds the centre of pixel p of `side`. */
static int holds(int p, int side, int cells)
{
    return (int)((2 * (int64_t)p + 1) * cells / (2 * (int64_t)side));
}

static bool mark_cells(mdf_heat_truth *t, const mdf_grey *mask)
{
    bool any = false;
    for (int y = 0; y < mask->height; y++) {
        const int row = holds(y, mask->height, MDF_OCCLUSION_SIDE) * MDF_OCCLUSION_SIDE;
        for (int x = 0; x < mask->width; x++) {
            const int at = row + holds(x, mask->width, MDF_OCCLUSION_SIDE);
            if (mask->px[(size_t)y * (size_t)mask->width + (size_t)x] != 0 && t->seen[at]) {
                t->cell[at] = any = true;
            }
        }
    }
    return any;
}

static void mark_pixels(mdf_heat_truth *t, const mdf_grey *mask, bool round_view)
{
    size_t seen = 0;
    size_t on = 0;
    for (int i = 0; i < MDF_HEAT_PIXELS * MDF_HEAT_PIXELS; i++) {
        const size_t y = (size_t)holds(i / MDF_HEAT_PIXELS, MDF_HEAT_PIXELS, mask->height);
        const size_t x = (size_t)holds(i % MDF_HEAT_PIXELS, MDF_HEAT_PIXELS, mask->width);
        const bool inside = !round_view || mdf_heat_in_disc(i, MDF_HEAT_PIXELS);
        const bool hit = inside && mask->px[y * (size_t)mask->width + x] != 0;
        t->pixel[i] = (uint8_t)(inside ? 1 + hit : 0);
        seen += inside;
        on += hit;
    }
    t->area = (double)on / (double)seen;
}

mdf_status mdf_heat_truth_of(mdf_heat_truth *out, const mdf_grey *mask, bool round_view,
                             mdf_error *err)
{
    *out = (mdf_heat_truth){0};
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        out->seen[i] = !round_view || mdf_heat_in_disc(i, MDF_OCCLUSION_SIDE);
    }
    if (mask == NULL || mask->px == NULL || !mark_cells(out, mask)) {
        return MDF_OK;
    }
    out->pixel = mdf_alloc((size_t)MDF_HEAT_PIXELS * MDF_HEAT_PIXELS, 1);
    if (out->pixel == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a mask");
    }
    int seen = 0;
    int on = 0;
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        seen += out->seen[i];
        on += out->cell[i];
    }
    out->chance = (double)on / seen;
    mark_pixels(out, mask, round_view);
    return MDF_OK;
}

double mdf_heat_hit(const float heat[MDF_HEAT_CELLS], const mdf_heat_truth *t)
{
    float most = 0;
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        most = t->seen[i] && heat[i] > most ? heat[i] : most;
    }
    int equal = 0;
    int on = 0;
    for (int i = 0; most > 0 && i < MDF_HEAT_CELLS; i++) {
        const bool hottest = t->seen[i] && heat[i] >= most;
        equal += hottest;
        on += hottest && t->cell[i];
    }
    return equal == 0 ? 0 : (double)on / equal;
}

static int falling(const void *a, const void *b)
{
    const mdf_scored *x = a;
    const mdf_scored *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

double mdf_average_precision(mdf_scored *item, size_t n)
{
    size_t positives = 0;
    for (size_t i = 0; i < n; i++) {
        positives += item[i].positive;
    }
    if (positives == 0) {
        return (double)NAN;
    }
    qsort(item, n, sizeof *item, falling);
    double sum = 0;
    size_t found = 0;
    for (size_t i = 0; i < n;) {
        const float score = item[i].score;
        size_t more = 0;
        for (; i < n && item[i].score >= score; i++) {
            more += item[i].positive;
        }
        found += more;
        sum += (double)more * (double)found / (double)i;
    }
    return sum / (double)positives;
}

mdf_status mdf_heat_against(mdf_heat_pixels *out, const float *map, int side,
                            const mdf_heat_truth *t, mdf_error *err)
{
    enum { COUNT = MDF_HEAT_PIXELS * MDF_HEAT_PIXELS };
    float *drawn = mdf_alloc(COUNT, sizeof *drawn);
    mdf_scored *item = mdf_alloc(COUNT, sizeof *item);
    if (drawn == NULL || item == NULL) {
        mdf_free(drawn);
        mdf_free(item);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory to compare a heat-map");
    }
    mdf_map_upsample(drawn, MDF_HEAT_PIXELS, MDF_HEAT_PIXELS, map, side, side);
    double all = 0;
    double on = 0;
    size_t n = 0;
    for (int i = 0; i < COUNT; i++) {
        if (t->pixel[i] > 0) {
            all += (double)drawn[i];
            on += t->pixel[i] > 1 ? (double)drawn[i] : 0;
            item[n++] = (mdf_scored){drawn[i], t->pixel[i] > 1};
        }
    }
    *out = (mdf_heat_pixels){mdf_average_precision(item, n), all > 0 ? on / all : 0};
    mdf_free(drawn);
    mdf_free(item);
    return MDF_OK;
}

double mdf_area_under(const double *x, const double *y, size_t n)
{
    double sum = 0;
    for (size_t i = 1; i < n; i++) {
        sum += (y[i - 1] + y[i]) / 2 * (x[i] - x[i - 1]);
    }
    return sum;
}

/* A cell and what it is sorted by. */
typedef struct placed {
    float heat;
    uint32_t tie;
    int cell;
} placed;

static int hotter_first(const void *a, const void *b)
{
    const placed *x = a;
    const placed *y = b;
    if (x->heat < y->heat || x->heat > y->heat) {
        return x->heat < y->heat ? 1 : -1;
    }
    return x->tie < y->tie ? -1 : x->tie > y->tie;
}

void mdf_heat_order(int order[MDF_HEAT_CELLS], const float heat[MDF_HEAT_CELLS],
                    const bool seen[MDF_HEAT_CELLS], uint64_t seed)
{
    placed item[MDF_HEAT_CELLS];
    mdf_rng r = mdf_rng_new(seed, 0x74696573);
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        item[i] = (placed){seen[i] ? heat[i] : -1, mdf_rng_u32(&r), i};
    }
    qsort(item, MDF_HEAT_CELLS, sizeof *item, hotter_first);
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        order[i] = item[i].cell;
    }
}

/* rank [n] of the seen cells, from 1; ties share their mean. */
static void ranks_of(double *rank, const float *heat, const bool *seen)
{
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        int below = 0;
        int equal = 0;
        for (int j = 0; j < MDF_HEAT_CELLS; j++) {
            below += seen[j] && heat[j] < heat[i];
            equal += seen[j] && !(heat[j] < heat[i]) && !(heat[j] > heat[i]);
        }
        rank[i] = below + (equal + 1) / 2.0;
    }
}

double mdf_heat_correlation(const float a[MDF_HEAT_CELLS], const float b[MDF_HEAT_CELLS],
                            const bool seen[MDF_HEAT_CELLS])
{
    double ra[MDF_HEAT_CELLS];
    double rb[MDF_HEAT_CELLS];
    int n = 0;
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        n += seen[i];
    }
    ranks_of(ra, a, seen);
    ranks_of(rb, b, seen);
    const double mean = (n + 1) / 2.0;
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < MDF_HEAT_CELLS; i++) {
        if (seen[i]) {
            ab += (ra[i] - mean) * (rb[i] - mean);
            aa += (ra[i] - mean) * (ra[i] - mean);
            bb += (rb[i] - mean) * (rb[i] - mean);
        }
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : (double)NAN;
}
