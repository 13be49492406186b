/* A model gets used to a camera: its U-Net's encoder takes the statistics of its batch norms from
 * photographs of that camera, which need no labels. Weights stay as they are. "AdaBN": Li et al.,
 * "Revisiting Batch Normalization For Practical Domain Adaptation", 2016; a share of the old
 * statistics kept: Schneider et al., "Improving robustness against common corruptions by covariate
 * shift adaptation", 2020. */
#ifndef MDF_ENGINE_ADAPT_H
#define MDF_ENGINE_ADAPT_H

#include "data/samples.h"
#include "engine/engine.h"

enum { MDF_ADAPT_LEAST = 8 }; /* photographs */

typedef struct mdf_adapt_options {
    double weight; /* of the new statistics, in (0, 1]; the rest is the model's own */
    double share;  /* of the photographs within the limit, as in mdf_distance_fit() */
    uint64_t seed; /* which photographs are in a batch together */
    mdf_samples_progress *progress; /* after every batch, in photographs; may be NULL */
    void *user;
} mdf_adapt_options;

typedef struct mdf_adapted {
    size_t pictures;
    int batches;
    double shift; /* mdf_norm_means_shift() */
} mdf_adapted;

/* Runs all photographs of m through e, whose statistics change (nothing else may use it), and
 * changes c, the configuration of its folder: e's photographs are those of m now, and its sets of
 * labels, which were measured with the old statistics, are gone. The temperature stays. Labels and
 * masks are not read. e and c are unchanged on failure. MDF_ERR_ARG: fewer than MDF_ADAPT_LEAST
 * photographs, a model without such norms. */
mdf_status mdf_adapt(mdf_adapted *out, mdf_engine *e, mdf_config *c, const mdf_manifest *m,
                     const mdf_adapt_options *opt, mdf_error *err) MDF_NODISCARD;

#endif
