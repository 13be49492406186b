/* DCT hash. */
#include "photo/phash.h"

#include <math.h>
#include <stdlib.h>

#include "photo/resize.h"

enum { SIDE = 32, LOW = 8, BITS = LOW * LOW };

static int compare_floats(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Frequencies 1..LOW in both directions of an unnormalised DCT-II. */
static void low_frequencies(double out[BITS], double grey[SIDE][SIDE])
{
    const double pi = 3.14159265358979323846;
    double wave[LOW][SIDE];
    double rows[SIDE][LOW]; /* horizontal transform of every row */
    for (int k = 0; k < LOW; k++) {
        for (int x = 0; x < SIDE; x++) {
            wave[k][x] = cos(pi * (double)(k + 1) * ((double)x + 0.5) / (double)SIDE);
        }
    }
    for (int y = 0; y < SIDE; y++) {
        for (int k = 0; k < LOW; k++) {
            rows[y][k] = 0.0;
            for (int x = 0; x < SIDE; x++) {
                rows[y][k] += grey[y][x] * wave[k][x];
            }
        }
    }
    for (int i = 0; i < BITS; i++) {
        out[i] = 0.0;
        for (int y = 0; y < SIDE; y++) {
            out[i] += rows[y][i % LOW] * wave[i / LOW][y];
        }
    }
}

mdf_status mdf_phash(uint64_t *hash, const mdf_image *im, mdf_error *err)
{
    uint8_t small[SIDE * SIDE * 3];
    double grey[SIDE][SIDE];
    double freq[BITS];
    double sorted[BITS];
    MDF_TRY(mdf_resize_bilinear(small, SIDE, SIDE, im->rgb, im->width, im->height, 3, err));
    for (int i = 0; i < SIDE * SIDE; i++) {
        const uint8_t *p = small + 3 * i;
        grey[i / SIDE][i % SIDE] =
            0.299 * (double)p[0] + 0.587 * (double)p[1] + 0.114 * (double)p[2];
    }
    low_frequencies(freq, grey);
    for (int i = 0; i < BITS; i++) {
        sorted[i] = freq[i];
    }
    qsort(sorted, BITS, sizeof sorted[0], compare_floats);
    const double median = 0.5 * (sorted[BITS / 2 - 1] + sorted[BITS / 2]);
    uint64_t bits = 0;
    for (int i = 0; i < BITS; i++) {
        bits |= (uint64_t)(freq[i] > median) << i;
    }
    *hash = bits;
    return MDF_OK;
}

int mdf_phash_distance(uint64_t a, uint64_t b)
{
    int n = 0;
    for (uint64_t d = a ^ b; d != 0; d &= d - 1) {
        n++;
    }
    return n;
}
