/* Sets of labels that hold the true one in a chosen share of cases: split-conformal prediction
 * (Vovk et al. 2005; sets by thresholds on the probability: Sadinle, Lei and Wasserman 2019).
 *
 * How strange a label is of a case is 1 - its calibrated probability. Cases that the model was not
 * trained on tell how strange true labels are; a label is in the set of a new case if it is no
 * stranger than the ceil((n + 1) coverage)-th of n such. Whatever the model, the set then holds the
 * true label with at least that probability, over cases that are drawn as those were. n counts the
 * cases of the label itself where every label has enough of them, so that rare labels are covered
 * as often as frequent ones, and else all cases together. */
#ifndef MDF_TRAIN_CONFORMAL_H
#define MDF_TRAIN_CONFORMAL_H

#include "config/config.h"

/* Takes note of the cases [n] in d: prob [n,classes], label -1 = not known, which is passed over.
 * Probabilities are rounded down to a millionth, and of a label with more cases than fit only every
 * so manieth is kept: both only make sets larger. */
mdf_status mdf_conformal_fit(mdf_doubt_config *d, const float *prob, const int *label, size_t n,
                             size_t classes, mdf_error *err) MDF_NODISCARD;

typedef struct mdf_conformal {
    double coverage;
    size_t classes;
    bool by_label;                 /* holds for every label by itself */
    double least[MDF_MAX_CLASSES]; /* probability with which a label is in the set */
} mdf_conformal;

/* coverage in (0, 1). MDF_ERR_ARG: nothing is known, or too few cases for this coverage; err says
 * what to do, or how many it takes. */
mdf_status mdf_conformal_new(mdf_conformal *out, const mdf_doubt_config *d, double coverage,
                             mdf_error *err) MDF_NODISCARD;

/* in [classes] for prob [classes], calibrated and of all labels. Returns how many there are: the
 * set may be empty, where no label fits. */
size_t mdf_conformal_set(bool *in, const mdf_conformal *c, const float *prob);

#endif
