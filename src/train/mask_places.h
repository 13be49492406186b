/* Where drawn masks lie, beside how well they cover (train/mask_scores.h): is the optic disc where
 * it should be, are lesions found. */
#ifndef MDF_TRAIN_MASK_PLACES_H
#define MDF_TRAIN_MASK_PLACES_H

#include <jansson.h>

#include "base/strbuf.h"
#include "data/samples.h"

typedef struct mdf_disc_places {
    size_t n;      /* pictures with a mask of the disc */
    size_t within; /* of them those whose centre is less than half a disc diameter away */
    double sum;    /* of the distances, in diameters of the true disc: of a circle of its area, or,
                      where only its centre is known, a 7th of the field of view */
} mdf_disc_places;

typedef struct mdf_lesion_places {
    size_t n;      /* pictures with a lesion, of whatever kind */
    size_t hits;   /* of them those whose likeliest cell has one: the pointing game on 16 x 16 cells
                      without neighbours (Zhang et al. 2016) */
    double chance; /* sum of the shares of cells that have one */
    double precision; /* sum of average precisions: area under precision and recall of the pixels */
    double area; /* sum of the lesions' shares of the field of view, what chance gives for it */
} mdf_lesion_places;

/* map [side,side,stride]: probabilities of the disc, side that of the sample's crop. The centre is
 * that of the largest area above one half; without any, the likeliest pixel. */
mdf_status mdf_disc_places_add(mdf_disc_places *out, const float *map, int stride,
                               const mdf_sample *s, mdf_error *err) MDF_NODISCARD;

/* map [side,side]: probabilities of a lesion. truth (data/lesions.h) without a pixel: not counted.
 */
mdf_status mdf_lesion_places_add(mdf_lesion_places *out, const float *map, const mdf_grey *truth,
                                 const mdf_sample *s, mdf_error *err) MDF_NODISCARD;

/* {"n", "within", "within_ci", "distance"}, {"n", "pointing", "pointing_ci", "chance", "auprc",
 * "area"}; NULL when out of memory. */
json_t *mdf_disc_places_json(const mdf_disc_places *d);
json_t *mdf_lesion_places_json(const mdf_lesion_places *l);

/* A line for each that has pictures. */
void mdf_mask_places_text(mdf_strbuf *out, const mdf_disc_places *d, const mdf_lesion_places *l);

#endif
