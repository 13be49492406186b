/* A map as a mask, a row of the photograph at a time. */
#include "photo/map_mask.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

/* Between cells i and i + 1, t of the way. */
typedef struct place {
    int i;
    float t;
} place;

/* Where the centre of pixel `at` lies on a map of `cells` across that covers pixels begin to
 * begin + side - 1. */
static place place_of(int at, int begin, int side, int cells)
{
    const double v = ((double)at - (double)begin + 0.5) * cells / side - 0.5;
    const double inside = v < 0 ? 0 : v > cells - 1 ? cells - 1 : v;
    const int i = (int)inside >= cells - 1 ? cells - 2 : (int)inside;
    return i < 0 ? (place){0, 0} : (place){i, (float)(inside - i)};
}

/* The map's row at y. */
static void mix_rows(float *row, const mdf_map_channel *m, place y)
{
    const int n = m->side;
    const size_t line = (size_t)n * (size_t)m->channels;
    const float *a = m->map + (size_t)y.i * line + m->channel;
    const float *b = n > 1 ? a + line : a;
    for (int x = 0; x < n; x++) {
        const size_t at = (size_t)x * (size_t)m->channels;
        row[x] = a[at] + y.t * (b[at] - a[at]);
    }
    row[n] = row[n - 1]; /* where a map of one cell looks */
}

mdf_status mdf_map_mask(uint8_t *px, const mdf_field *f, const mdf_map_channel *m, float threshold,
                        mdf_error *err)
{
    const int n = m->side;
    float *row = mdf_alloc((size_t)n + 1, sizeof *row);
    place *column = mdf_alloc((size_t)f->width, sizeof *column);
    mdf_status status = MDF_OK;
    if (row == NULL || column == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a mask");
    }
    for (int x = 0; status == MDF_OK && x < f->width; x++) {
        column[x] = place_of(x, m->at.left, m->at.side, n);
    }
    for (int y = 0; status == MDF_OK && y < f->height; y++) {
        uint8_t *out = px + (size_t)y * (size_t)f->width;
        int x = 0;
        int end = 0;
        memset(out, 0, (size_t)f->width);
        mdf_field_row(f, y, &x, &end);
        if (x < end) {
            mix_rows(row, m, place_of(y, m->at.top, m->at.side, n));
        }
        for (; x < end; x++) {
            const float *v = row + column[x].i;
            out[x] = v[0] + column[x].t * (v[1] - v[0]) >= threshold ? 255 : 0;
        }
    }
    mdf_free(row);
    mdf_free(column);
    return status;
}
