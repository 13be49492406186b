/* A training in stages (train_config.stages): one run after the other, each with some settings of
 * its own and the best weights of the one before.
 *
 * The run folder holds stage-1, stage-2 and so on, each a run folder and a model of its own; the
 * last stage is the folder itself. */
#ifndef MDF_TRAIN_STAGES_H
#define MDF_TRAIN_STAGES_H

#include "train/trainer.h"

/* The stages of opt->config from opt->first_stage to last_stage; without any it is mdf_train().
 * encoder_path and init_dir are for the first of them; MDF_ERR_ARG: a later one than config's first
 * needs init_dir, which the stage before has left. resume: goes on with the last stage that has
 * begun, and then with the others; a stage that was finished is not trained again. *summary is the
 * last stage's. Errors are mdf_train()'s; those of a stage name it. */
mdf_status mdf_train_stages(const mdf_train_options *opt, mdf_train_summary *summary,
                            mdf_error *err) MDF_NODISCARD;

/* Has a training begun in the folder, in whatever stage? */
bool mdf_stages_begun(const char *dir);

#endif
