/* What a heat-map is worth: its numbers against a mask of what it should show, and against another
 * map. Nothing here knows a model. */
#ifndef MDF_ENGINE_HEAT_MEASURE_H
#define MDF_ENGINE_HEAT_MEASURE_H

#include <stddef.h>

#include "base/status.h"
#include "engine/occlude.h"
#include "photo/image.h"

enum {
    MDF_HEAT_CELLS = MDF_OCCLUSION_CELLS,
    MDF_HEAT_PIXELS = 256 /* along a side where maps and masks are compared pixel by pixel */
};

/* A mask over the square that the model saw; what lies outside of the disc that fills a round
 * picture is no part of anything. Caller frees with mdf_heat_truth_free(). */
typedef struct mdf_heat_truth {
    bool seen[MDF_HEAT_CELLS]; /* 16 x 16: the middle is inside the field of view */
    bool cell[MDF_HEAT_CELLS]; /* seen, and a pixel of the mask lies in it */
    uint8_t *pixel;            /* [P,P]: 0 outside of the field of view, 1 in it, 2 on the mask;
                                  NULL without a mask */
    double chance;             /* share of the seen cells with a pixel of the mask */
    double area;               /* share of the field of view's pixels on the mask: the prevalence */
} mdf_heat_truth;

/* mask NULL, or one without a pixel of it in the field of view: only seen is set. */
mdf_status mdf_heat_truth_of(mdf_heat_truth *out, const mdf_grey *mask, bool round_view,
                             mdf_error *err) MDF_NODISCARD;
void mdf_heat_truth_free(mdf_heat_truth *t);

/* The pointing game (Zhang et al. 2016) on 16 x 16 cells without neighbours: 1 if the hottest seen
 * cell is on the mask, else 0; of several that are equally hot the share. A map without heat points
 * at nothing: 0. */
double mdf_heat_hit(const float heat[MDF_HEAT_CELLS], const mdf_heat_truth *t);

/* map [side,side] as it is drawn, bilinear, over the pixels of the truth. */
typedef struct mdf_heat_pixels {
    double auprc; /* average precision of the heat as a score for being on the mask; equal heat is
                     one step */
    double mass;  /* share of the heat that lies on the mask; 0 of a map without heat */
} mdf_heat_pixels;
mdf_status mdf_heat_against(mdf_heat_pixels *out, const float *map, int side,
                            const mdf_heat_truth *t, mdf_error *err) MDF_NODISCARD;

/* Average precision: sum over falling scores of the step in recall times the precision there. NAN
 * without a positive. Reorders the pairs. */
typedef struct mdf_scored {
    float score;
    bool positive;
} mdf_scored;
double mdf_average_precision(mdf_scored *item, size_t n);

/* Spearman's rank correlation over the seen cells, mean ranks for ties. NAN if a map is flat. */
double mdf_heat_correlation(const float a[MDF_HEAT_CELLS], const float b[MDF_HEAT_CELLS],
                            const bool seen[MDF_HEAT_CELLS]);

/* Area under n points (x ascending, y), straight between them. */
double mdf_area_under(const double *x, const double *y, size_t n);

/* Cells in falling order of heat, those that are not seen last; ties in an order drawn by seed. */
void mdf_heat_order(int order[MDF_HEAT_CELLS], const float heat[MDF_HEAT_CELLS],
                    const bool seen[MDF_HEAT_CELLS], uint64_t seed);

#endif
