/* What every optimiser is: a rule that moves one tensor by its gradient.
 *
 *     const mdf_optimizer_rule *rule = mdf_optimizer_rule_find("adamw");
 *     mdf_rule_tensor t = {.shape = {2, {512, 64}}, .w = w, .g = g, .state = state};
 *     rule->init(state, &t.shape);              // rule->state_bytes(&t.shape) bytes
 *     for (step.step = 1; ...; step.step++) {
 *         rule->update(kernels, &t, &step, scratch); // rule->scratch_bytes(&t.shape) bytes
 *     }
 *
 * What a rule remembers of a tensor is one block of bytes without pointers, which can be written to
 * a file and read back at another place. A rule keeps nothing else, so tensors may be updated in
 * any order and at the same time, each with scratch of its own. An update starts threads of its own
 * unless it is called from inside of a parallel region; their number does not change a bit.
 *
 * All rules take the decay first, with the learning rate of the schedule or, where they say so, the
 * one that they scale it to: w = w (1 - lr weight_decay) - move. */
#ifndef MDF_OPTIM_OPTIMIZER_RULE_H
#define MDF_OPTIM_OPTIMIZER_RULE_H

#include "kernel/kernel.h"
#include "optim/rule_shape.h"

typedef struct mdf_rule_tensor {
    mdf_rule_shape shape;
    mdf_real *w;       /* weights, changed */
    const mdf_real *g; /* their gradient */
    void *state;       /* aligned to 16 */
} mdf_rule_tensor;

typedef struct mdf_rule_step {
    int64_t step;             /* of this tensor, from 1 */
    double lr;                /* learning rate, as the schedule has it */
    double weight_decay;      /* 0: none */
    double grad_scale;        /* the gradient is multiplied by this first, e.g. to clip it */
    double beta1, beta2, eps; /* AdamW's; the others' constants are in their files */
} mdf_rule_step;

typedef struct mdf_optimizer_rule {
    const char *name;
    size_t (*state_bytes)(const mdf_rule_shape *s);
    void (*init)(void *state, const mdf_rule_shape *s); /* before the first step */
    size_t (*scratch_bytes)(const mdf_rule_shape *s);
    /* scratch is aligned to 64. A gradient that is not finite never spreads to other tensors; what
     * becomes of its own, each rule's file says. */
    void (*update)(const mdf_kernels *k, const mdf_rule_tensor *t, const mdf_rule_step *s,
                   void *scratch);
} mdf_optimizer_rule;

/* Moments m and v in full precision (Loshchilov and Hutter 2019), as torch.optim.AdamW. 8 bytes for
 * a weight. Where g is not finite, m, v and the weight become NaN or infinite, for good. */
extern const mdf_optimizer_rule mdf_rule_adamw;
/* The same with moments of 8 bits (Dettmers et al. 2022) for tensors of 4096 numbers or more, in
 * blocks of 256 along the flat tensor, as bitsandbytes' AdamW8bit. 2.03 bytes for a weight. Where g
 * is not finite, both moments become zero and the weight stays; small tensors as AdamW's. */
extern const mdf_optimizer_rule mdf_rule_adamw_8bit;
/* Second moments as a product of rows and columns over the last two dimensions (Shazeer and Stern
 * 2018), as torch.optim.Adafactor. 4 bytes for a row and a column; a vector has all its moments. A
 * tensor whose gradient's sum of squares is no float stays as it is, and so does its state. */
extern const mdf_optimizer_rule mdf_rule_adafactor;
/* The same in the form of AdaLomo (Lv et al. 2024): one matrix of the first dimension times the
 * rest, steps and decay of lr times the weights' root mean square. Not finite: as Adafactor. */
extern const mdf_optimizer_rule mdf_rule_adalomo;

enum { MDF_RULES = 4 };
extern const mdf_optimizer_rule *const mdf_rules[MDF_RULES];

/* NULL: there is none of that name. */
const mdf_optimizer_rule *mdf_optimizer_rule_find(const char *name);

#endif
