/* A model with a part of it shuffled: does an explanation depend on what that part has learned?
 * (Adebayo et al. 2018, with the numbers of every tensor in another order in place of new ones, so
 * that their spread stays.) */
#ifndef MDF_ENGINE_SHUFFLED_H
#define MDF_ENGINE_SHUFFLED_H

#include "engine/engine.h"

typedef enum mdf_shuffled_part {
    MDF_SHUFFLED_HEAD,   /* the last matrix of the text model, the classifier of the picture */
    MDF_SHUFFLED_ENCODER /* of the U-Net, and the vision tower */
} mdf_shuffled_part;

/* False where weights stay in their files (large models), which would take too much memory. */
bool mdf_can_shuffle(const mdf_engine *e);

/* *out borrows everything of e but the model. Caller frees with mdf_shuffled_free(). */
mdf_status mdf_shuffled_new(mdf_engine *out, const mdf_engine *e, mdf_shuffled_part part,
                            uint64_t seed, mdf_error *err) MDF_NODISCARD;
void mdf_shuffled_free(mdf_engine *e);

#endif
