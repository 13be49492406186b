/* What the validation split says of a model: its numbers, the one that chooses the best epoch, and
 * how far it can be believed. */
#ifndef MDF_TRAIN_VALIDATION_H
#define MDF_TRAIN_VALIDATION_H

#include "config/config.h"
#include "train/evaluate.h"
#include "train/trainer.h"

/* How many different labels the samples have. */
int mdf_count_classes(const mdf_samples *val);

/* What chooses the best epoch: wanted, unless the split can't give it. A split of one label has no
 * AUC, so that the loss has to do. */
mdf_monitor mdf_monitor_possible(mdf_monitor wanted, const mdf_samples *val);

/* "macro_auc", as in the configuration. */
const char *mdf_monitor_name(mdf_monitor monitor);

/* The val_ numbers of *e from the scores of the samples, which all have labels. */
mdf_status mdf_validation_numbers(mdf_train_event *e, const mdf_scores *scores,
                                  const mdf_samples *val, mdf_error *err) MDF_NODISCARD;

/* Larger is better. A number that is none never wins. */
double mdf_validation_score(mdf_monitor monitor, const mdf_train_event *e);

/* What the scores of cases that the model was not trained on say of it: the temperature with which
 * their probabilities fit the labels best, into c->answer, and how probable true labels are then
 * (train/conformal.h), into c->doubt. Labels of -1 are passed over. */
mdf_status mdf_validation_calibrate(mdf_config *c, const mdf_scores *scores, const mdf_samples *val,
                                    mdf_error *err) MDF_NODISCARD;

/* The photographs of some splits become those that the model knows (train/distance.h). Samples
 * without a picture are passed over. */
mdf_status mdf_validation_pictures(mdf_config *c, const mdf_samples *const split[], size_t splits,
                                   double share, mdf_error *err) MDF_NODISCARD;

#endif
