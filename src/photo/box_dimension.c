/* Box counting. The boxes are fractions of the field of view, not of pixels, so that photographs of
 * different sizes are measured alike; each level's boxes are four of the next finer one's. */
#include "photo/box_dimension.h"

#include <math.h>

#include "base/alloc.h"

enum { SIDE = 1 << MDF_BOX_FINEST };

/* Index of the finest box that holds the centre of pixel at; -1: outside of the square. */
static int box_of(int at, int begin, int side)
{
    const int64_t twice = 2 * ((int64_t)at - begin) + 1; /* from the square's edge to the centre */
    const int64_t box = twice * SIDE / (2 * (int64_t)side);
    return twice < 0 || box >= SIDE ? -1 : (int)box;
}

static void mark(uint8_t *box, const uint8_t *mask, const mdf_field *f)
{
    const mdf_square at = mdf_field_square(f);
    for (int y = f->top; y < f->bottom; y++) {
        const uint8_t *px = mask + (size_t)y * (size_t)f->width;
        const int row = box_of(y, at.top, at.side);
        int x = 0;
        int end = 0;
        mdf_field_row(f, y, &x, &end);
        for (; row >= 0 && x < end; x++) {
            const int column = px[x] == 0 ? -1 : box_of(x, at.left, at.side);
            if (column >= 0) {
                box[row * SIDE + column] = 1;
            }
        }
    }
}

/* [side, side] boxes become [side/2, side/2]: 1 where one of the four is. */
static void halve(uint8_t *box, int side)
{
    const int half = side / 2;
    for (int y = 0; y < half; y++) {
        for (int x = 0; x < half; x++) {
            const uint8_t *from = box + (ptrdiff_t)(2 * y) * side + 2 * x;
            const uint8_t any = from[0] | from[1] | from[side] | from[side + 1];
            box[y * half + x] = any; /* behind all that is still to be read */
        }
    }
}

mdf_status mdf_box_count(int64_t count[MDF_BOX_FINEST + 1], const uint8_t *mask, const mdf_field *f,
                         mdf_error *err)
{
    uint8_t *box = mdf_alloc((size_t)SIDE * SIDE, 1);
    if (box == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for counting boxes");
    }
    mark(box, mask, f);
    for (int k = MDF_BOX_FINEST; k >= 0; k--) {
        const int side = 1 << k;
        count[k] = 0;
        for (int i = 0; i < side * side; i++) {
            count[k] += box[i];
        }
        halve(box, side);
    }
    mdf_free(box);
    return MDF_OK;
}

double mdf_box_slope(const int64_t count[MDF_BOX_FINEST + 1])
{
    const int n = MDF_BOX_FINEST - MDF_BOX_COARSEST + 1;
    double mean = 0;
    if (count[0] == 0) {
        return (double)NAN;
    }
    for (int k = MDF_BOX_COARSEST; k <= MDF_BOX_FINEST; k++) {
        mean += log2((double)count[k]) / n;
    }
    const double middle = 0.5 * (MDF_BOX_COARSEST + MDF_BOX_FINEST);
    double up = 0;
    double across = 0;
    for (int k = MDF_BOX_COARSEST; k <= MDF_BOX_FINEST; k++) {
        up += (k - middle) * (log2((double)count[k]) - mean);
        across += (k - middle) * (k - middle);
    }
    return up / across;
}
