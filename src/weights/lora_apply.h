/* LoRA adapters added to a loaded model: the changed matrices are copies in memory, the others stay
 * where they are. */
#ifndef MDF_WEIGHTS_LORA_APPLY_H
#define MDF_WEIGHTS_LORA_APPLY_H

#include "nn/params.h"
#include "weights/lora.h"

/* The memory of the changed matrices. */
typedef struct mdf_lora_copies {
    void **bytes; /* [count] */
    size_t count;
} mdf_lora_copies;

/* Adds the adapter's change to the parameters, which have been loaded or mapped from w. A changed
 * matrix has the number format of its file, in which mdf import --lora would write it, so that both
 * give the same; but of a quantised one Q8_0, which rounds less than the file's format may. The
 * copies must outlive p. Errors name file and tensor. */
mdf_status mdf_lora_apply(mdf_lora_copies *out, mdf_params *p, const mdf_weights *w,
                          const mdf_lora *l, mdf_error *err) MDF_NODISCARD;
void mdf_lora_copies_free(mdf_lora_copies *c);

#endif
