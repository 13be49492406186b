/* LoRA adapters of PEFT for these models: W' = W + scale * B A for the matrices that they name.
 *
 * adapter_config.json (lora_config.h) and adapter_model.safetensors, names in any of the models'
 * namings behind "base_model.model."; scale = lora_alpha / r, or lora_alpha / sqrt(r) with
 * use_rslora; rank_pattern and alpha_pattern as in PEFT. Which modules are changed is what the file
 * has tensors for; every tensor must be used, and there must be one. */
#ifndef MDF_WEIGHTS_LORA_H
#define MDF_WEIGHTS_LORA_H

#include "io/safetensors.h"
#include "weights/weights.h"

/* One matrix's change. */
typedef struct mdf_lora_pair {
    const char *name; /* of the weight, this project's */
    float *a;         /* [r, in] */
    float *b;         /* [out, r], times the scale */
    int64_t r, in, out;
} mdf_lora_pair;

typedef struct mdf_lora {
    mdf_lora_pair *pair; /* [count], sorted by name */
    size_t count;
    mdf_arena arena;
} mdf_lora;

/* bytes: adapter_config.json, called name in errors; file: the matrices. On failure there is
 * nothing to free. */
mdf_status mdf_lora_parse(mdf_lora *l, const char *bytes, size_t len, const char *name,
                          const mdf_safetensors *file, mdf_error *err) MDF_NODISCARD;

/* dir: the adapter's folder. Errors name file and key or tensor. */
mdf_status mdf_lora_load(mdf_lora *l, const char *dir, mdf_error *err) MDF_NODISCARD;
void mdf_lora_free(mdf_lora *l);

/* Every pair's weight is in w with the shape [out, in]; those that are not are named. */
mdf_status mdf_lora_check(const mdf_lora *l, const mdf_weights *w, mdf_error *err) MDF_NODISCARD;

const mdf_lora_pair *mdf_lora_find(const mdf_lora *l, const char *name); /* or NULL */

/* Adds the change of numbers [at, at + n), row-major, of the weight to w [n]. Sums in double.
 * false: one is not finite. */
bool mdf_lora_add(const mdf_lora_pair *p, size_t at, size_t n, float *w) MDF_NODISCARD;

#endif
