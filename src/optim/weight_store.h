/* How weights are kept between steps. Rules compute in floats; a store makes floats of what is kept
 * and keeps what comes out, and only there is anything rounded.
 *
 *     MDF_WEIGHTS_F32              4 bytes, what rules change
 *     MDF_WEIGHTS_BF16_MASTER      2 bytes that a model computes with, 4 beside: the float
 *     MDF_WEIGHTS_BF16_STOCHASTIC  2 bytes, rounded by chance, so that small steps count on average
 *     MDF_WEIGHTS_BF16_SPLIT       2 bytes that a model computes with, 2 beside: the float's rest
 *
 * Master and split are as exact as floats. Rounding to the nearest bfloat16 alone does not train: a
 * step below half of a weight's last place, at 2e-5 that of two in three weights, is lost every
 * time (tests/unit/optim/test_weight_store.c). */
#ifndef MDF_OPTIM_WEIGHT_STORE_H
#define MDF_OPTIM_WEIGHT_STORE_H

#include "optim/optimizer_rule.h"

typedef enum mdf_weight_format {
    MDF_WEIGHTS_F32,
    MDF_WEIGHTS_BF16_MASTER,
    MDF_WEIGHTS_BF16_STOCHASTIC,
    MDF_WEIGHTS_BF16_SPLIT
} mdf_weight_format;
enum { MDF_WEIGHT_FORMATS = 4 };

const char *mdf_weight_format_name(mdf_weight_format f); /* "bf16_split" */
size_t mdf_weight_bytes(mdf_weight_format f);            /* of a weight */
size_t mdf_weight_bytes_beside(mdf_weight_format f);     /* of what is kept beside it; 0: nothing */

/* n weights of one tensor. */
typedef struct mdf_weight_store {
    mdf_weight_format format;
    void *weights; /* [n] floats or bfloat16 */
    void *beside;  /* [n] floats or 16-bit rests; NULL where there is nothing */
} mdf_weight_store;

/* w = the weights, as exactly as they are kept. */
void mdf_weight_store_load(const mdf_kernels *k, const mdf_weight_store *s, float *w, int64_t n);
/* Keeps w. key: of this tensor and step, from mdf_rounding_key(); read by BF16_STOCHASTIC only. */
void mdf_weight_store_keep(const mdf_kernels *k, const mdf_weight_store *s, const float *w,
                           int64_t n, uint64_t key);

/* What the noise of rounding depends on besides a weight's place in its tensor: neither threads nor
 * ranks, nor steps that were taken in another run. tensor: a number of its own, as a hash of its
 * name. */
uint64_t mdf_rounding_key(uint64_t seed, uint64_t tensor, int64_t step);

/* One update of kept weights: t->w is not looked at. scratch: mdf_weight_store_scratch_bytes()
 * bytes, aligned to 64. */
size_t mdf_weight_store_scratch_bytes(mdf_weight_format f, const mdf_optimizer_rule *rule,
                                      const mdf_rule_shape *shape);
void mdf_weight_store_update(const mdf_kernels *k, const mdf_weight_store *s,
                             const mdf_optimizer_rule *rule, const mdf_rule_tensor *t,
                             const mdf_rule_step *step, uint64_t key, void *scratch);

#endif
