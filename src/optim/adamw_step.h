/* What both forms of AdamW share. */
#ifndef MDF_OPTIM_ADAMW_STEP_H
#define MDF_OPTIM_ADAMW_STEP_H

#include "optim/optimizer_rule.h"

/* The kernels' constants of a step. */
mdf_adamw_step mdf_adamw_constants(const mdf_rule_step *s);

/* The whole of AdamW with m and v [n] in full precision, one behind the other, in state. */
size_t mdf_adamw_state_bytes(const mdf_rule_shape *s);
void mdf_adamw_init(void *state, const mdf_rule_shape *s);
void mdf_adamw_update(const mdf_kernels *k, const mdf_rule_tensor *t, const mdf_rule_step *s,
                      void *scratch);

#endif
