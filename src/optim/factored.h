/* What Adafactor and AdaLomo share: second moments of a matrix as the product of the means over its
 * rows and over its columns, and updates whose root mean square is at most 1. With t the step,
 * m = t^-0.8, and G the scaled gradient,
 *     R = R + m (mean of G^2 over columns + eps - R),  C the same over rows
 *     V = R C / mean(R),  U = G / sqrt(V),  w = w keep - move U / max(1, RMS(U))
 * Vectors have V itself. State: R of all matrices, then C of all matrices; or V. */
#ifndef MDF_OPTIM_FACTORED_H
#define MDF_OPTIM_FACTORED_H

#include "optim/optimizer_rule.h"

typedef struct mdf_factored_rule {
    bool one_matrix;          /* the first dimension times the rest; else one over the last two
                                 dimensions for every index of those before */
    double eps;               /* added to means of squares */
    double least_mean, least; /* of R's mean and of V */
    /* From the weights' root mean square before the step. */
    void (*pace)(const mdf_rule_step *s, double rms, double *keep, double *move);
} mdf_factored_rule;

size_t mdf_factored_state_bytes(const mdf_factored_rule *r, const mdf_rule_shape *s);
size_t mdf_factored_scratch_bytes(const mdf_factored_rule *r, const mdf_rule_shape *s);
/* Does nothing at all where the sum of the gradient's squares is no float. */
void mdf_factored_update(const mdf_kernels *k, const mdf_factored_rule *r, const mdf_rule_tensor *t,
                         const mdf_rule_step *s, void *scratch);

#endif
