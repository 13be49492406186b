/* Distance to the nearest signature that is known. */
#include "train/distance.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/rng.h"

/* Added to a deviation: what another JPEG or a pixel more at the edge may change. */
static const double floor_deviation = 0.01;

static const double usual_share = 0.95;

/* To the nearest one but that at `self` (-1: to any). */
static double nearest(const mdf_doubt_config *d, const float *signature, int self)
{
    double best = (double)INFINITY;
    for (int i = 0; i < d->signature_count; i += MDF_SIGNATURE) {
        double sum = 0;
        for (int k = 0; k < MDF_SIGNATURE; k++) {
            const double by = ((double)signature[k] - d->signature[i + k]) / d->signature_scale[k];
            sum += by * by;
        }
        best = sum < best && i != self ? sum : best;
    }
    return sqrt(best);
}

double mdf_distance_of(const mdf_doubt_config *d, const float signature[MDF_SIGNATURE])
{
    return nearest(d, signature, -1);
}

static void measure_scale(mdf_doubt_config *d, const float *signature, size_t n)
{
    for (size_t k = 0; k < MDF_SIGNATURE; k++) {
        double mean = 0;
        double squares = 0;
        for (size_t i = 0; i < n; i++) {
            mean += (double)signature[i * MDF_SIGNATURE + k] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            const double by = (double)signature[i * MDF_SIGNATURE + k] - mean;
            squares += by * by / (double)n;
        }
        d->signature_scale[k] = round(1e6 * (sqrt(squares) + floor_deviation)) / 1e6;
    }
    d->scale_count = MDF_SIGNATURE;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The first of a random order [n] are kept, to a thousandth (their deviations are a hundredth at
 * least). distance [n]: of each to the nearest kept one that is not itself. */
static void keep(mdf_doubt_config *d, size_t *order, double *distance, const float *signature,
                 size_t n)
{
    const size_t kept = n < MDF_MAX_SIGNATURES ? n : MDF_MAX_SIGNATURES;
    mdf_rng rng = mdf_rng_new(n, 0x6c696b65);
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (size_t i = 0; i < kept; i++) {
        const size_t j = i + mdf_rng_below(&rng, (uint32_t)(n - i));
        const size_t chosen = order[j];
        order[j] = order[i];
        order[i] = chosen;
        for (size_t k = 0; k < MDF_SIGNATURE; k++) {
            d->signature[i * MDF_SIGNATURE + k] =
                round(1e3 * (double)signature[chosen * MDF_SIGNATURE + k]) / 1e3 + 0.0;
        }
    }
    d->signature_count = (int)(kept * MDF_SIGNATURE);
    for (size_t i = 0; i < n; i++) {
        distance[i] = nearest(d, signature + order[i] * MDF_SIGNATURE,
                              i < kept ? (int)(i * MDF_SIGNATURE) : -1);
    }
}

mdf_status mdf_distance_fit(mdf_doubt_config *d, const float *signature, size_t n, double share,
                            mdf_error *err)
{
    const double wanted = share > 0 ? share : usual_share;
    const size_t rank = (size_t)ceil((double)(n + 1) * wanted - 1e-9 * (double)(n + 1));
    d->pictures = 0;
    d->scale_count = d->signature_count = 0;
    d->distance_share = d->distance_limit = 0;
    if (rank > n) {
        return share > 0
                   ? mdf_fail(err, MDF_ERR_ARG,
                              "a distance within which %g of the photographs lie takes %.0f of "
                              "them, and there were %zu",
                              share, ceil(wanted / (1 - wanted) - 1e-9 / (1 - wanted)), n)
                   : MDF_OK;
    }
    size_t *order = mdf_alloc(n, sizeof *order);
    double *distance = mdf_alloc(n, sizeof *distance);
    mdf_status status = MDF_OK;
    if (order == NULL || distance == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the distances of %zu pictures", n);
    } else {
        measure_scale(d, signature, n);
        keep(d, order, distance, signature, n);
        qsort(distance, n, sizeof *distance, ascending);
        d->pictures = (int)n;
        d->distance_share = wanted;
        d->distance_limit = ceil(1e4 * distance[rank - 1]) / 1e4;
    }
    mdf_free(order);
    mdf_free(distance);
    return status;
}
