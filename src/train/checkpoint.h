/* What a run folder keeps: config.json, model.safetensors, checkpoint.safetensors.
 * Every file is replaced as a whole, never written in place. */
#ifndef MDF_TRAIN_CHECKPOINT_H
#define MDF_TRAIN_CHECKPOINT_H

#include "config/config.h"
#include "nn/params.h"
#include "train/optimizer.h"

/* Where a run is, besides weights and moments. */
typedef struct mdf_train_state {
    int epoch;     /* epochs finished */
    int64_t batch; /* batches of the current epoch that are done */
    int best_epoch;
    double best_score;
    int monitor;      /* mdf_monitor that best_score is of */
    double loss_mean; /* running mean of the training loss; NAN: none yet */
} mdf_train_state;

bool mdf_checkpoint_exists(const char *dir);

mdf_status mdf_checkpoint_save(const char *dir, const mdf_params *p, const mdf_optimizer *o,
                               const mdf_train_state *s, mdf_error *err) MDF_NODISCARD;
/* Names and shapes must agree with p, the error names the first that does not; so must the
 * optimiser, and what of it is frozen. A checkpoint of another version is refused. */
mdf_status mdf_checkpoint_load(const char *dir, mdf_params *p, mdf_optimizer *o, mdf_train_state *s,
                               mdf_error *err) MDF_NODISCARD;

/* The run as a model: config.json and model.safetensors. Both are on the disk before the first gets
 * its name. With train_config.lora.r the adapters are in the numbers of their matrices, and before,
 * in adapter/, as PEFT writes them; base: the model that they change, or NULL. */
mdf_status mdf_run_save(const char *dir, const mdf_config *c, const mdf_params *p, const char *base,
                        mdf_error *err) MDF_NODISCARD;

#endif
