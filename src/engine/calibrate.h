/* A trained model learns how far it can be believed: temperature, sets of labels, distance.
 * Trainings end with the same; this is for a model that another program trained, that was changed
 * since (quantised, merged with an adapter), or that is used on other cases. */
#ifndef MDF_ENGINE_CALIBRATE_H
#define MDF_ENGINE_CALIBRATE_H

#include "data/samples.h"
#include "engine/engine.h"
#include "train/relabel.h"

typedef struct mdf_calibrate_options {
    const char *split;       /* cases that the model was not trained on */
    const char *train_split; /* whose photographs it knows as well; the data may have none */
    double share;            /* of known photographs within the limit, as in mdf_distance_fit() */
    bool strict;             /* a case that is left out is an error */
    void (*note)(void *user, const char *text); /* before the work; may be NULL */
    mdf_samples_progress *progress;             /* may be NULL */
    void *user;
} mdf_calibrate_options;

/* Measures e on m (all splits) and changes c, the configuration of its folder, in what belongs to
 * its temperature and its doubt; c is unchanged on failure. MDF_ERR_ARG: the split is not there,
 * has fewer than two of the labels, or too few photographs for the share. */
mdf_status mdf_calibrate(mdf_config *c, const mdf_engine *e, const mdf_manifest *m,
                         const mdf_calibrate_options *opt, mdf_error *err) MDF_NODISCARD;

/* Replaces dir/config.json, or leaves it as it was. */
mdf_status mdf_calibrate_write(const char *dir, const mdf_config *c, mdf_error *err) MDF_NODISCARD;

/* The most that sets of labels can promise after so many cases: n / (n + 1). */
double mdf_calibrate_most(size_t n);

#endif
