/* train_config.freeze: weights that stay as they are. */
#ifndef MDF_TRAIN_FREEZE_H
#define MDF_TRAIN_FREEZE_H

#include "config/config.h"
#include "nn/params.h"

/* Takes the weights out of training whose names are in c->freeze, or begin with one of them and go
 * on with a dot: no gradient, no step. p is allocated. A name that fits no weight, or nothing left
 * to train: MDF_ERR_ARG. */
mdf_status mdf_freeze(mdf_params *p, const mdf_train_config *c, mdf_error *err) MDF_NODISCARD;

/* Would mdf_freeze() fail for this model? Needs no memory for its weights. */
mdf_status mdf_freeze_check(const mdf_config *c, mdf_error *err) MDF_NODISCARD;

#endif
