/* Does the model look where the disease is? The usual heat-map against lesion masks by the pointing
 * game of engine/heat_measure.h. */
#ifndef MDF_ENGINE_HEAT_CHECK_H
#define MDF_ENGINE_HEAT_CHECK_H

#include "engine/evaluation.h"

/* Over the rightly classified cases whose lesion mask is not empty. */
typedef struct mdf_heat_check {
    size_t masks;         /* cases with a mask of signs, whatever the answer; 0: nothing to say */
    size_t n;             /* cases that count */
    size_t hits;          /* of them, with the hottest cell on the lesion */
    double rate;          /* hits / n; NAN when n = 0 */
    mdf_interval rate_ci; /* Wilson 95 % */
    double chance;        /* mean rate of a cell drawn from all cells; NAN when n = 0 */
    const char *example;  /* file of the hit that chance makes most rarely, borrowed from the
                             manifest; NULL: no hits */
} mdf_heat_check;

/* Explains every case that counts, one by one. m: what mdf_evaluate() was given and made of it; ev:
 * its result. A map without any heat is a miss. */
mdf_status mdf_heat_check_run(mdf_heat_check *out, mdf_engine *e, const mdf_manifest *m,
                              const mdf_evaluation *ev, mdf_samples_progress *progress, void *user,
                              mdf_error *err) MDF_NODISCARD;

/* {"masks", "n", "hits", "rate", "rate_ci", "chance", "example"}; NULL when out of memory. */
json_t *mdf_heat_check_json(const mdf_heat_check *h);

#endif
