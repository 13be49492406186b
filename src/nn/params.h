/* Parameters: one table that binds name, shape, initial value and learning-rate group. Loading,
 * saving, counting, initialising and the optimiser walk it; there is no second list. */
#ifndef MDF_NN_PARAMS_H
#define MDF_NN_PARAMS_H

#include "base/rng.h"
#include "tensor/tensor.h"

typedef enum mdf_init {
    MDF_INIT_ZERO,
    MDF_INIT_ONE,
    MDF_INIT_CONST,   /* arg */
    MDF_INIT_NORMAL,  /* mean 0, deviation arg */
    MDF_INIT_UNIFORM, /* within -arg..arg */
    MDF_INIT_HE /* normal, deviation sqrt(2 / fan-in); fan-in = all dimensions but the first */
} mdf_init;

/* Groups have their own learning rates. */
typedef enum mdf_group {
    MDF_GROUP_TEXT,
    MDF_GROUP_VISION,
    MDF_GROUP_UNET,
    MDF_GROUP_FUSION,
    MDF_GROUP_ADAPTER,
    MDF_GROUP_FIXED /* statistics that come with weights: no gradient, never changed */
} mdf_group;

typedef struct mdf_param {
    mdf_tensor tensor; /* name, shape, data, grad */
    mdf_init init;
    double init_arg;
    mdf_group group;
    int64_t offset; /* of its first number in the blocks */
} mdf_param;

typedef struct mdf_params {
    mdf_param **item; /* in order of declaration; stable addresses */
    size_t count, capacity;
    int64_t total;         /* numbers of all parameters */
    mdf_real *data, *grad; /* one block each; grad NULL unless trained */
    mdf_arena arena;
    mdf_error error; /* the first failure while declaring */
} mdf_params;

mdf_status mdf_params_init(mdf_params *p, mdf_error *err) MDF_NODISCARD;
void mdf_params_free(mdf_params *p);

/* Declares a parameter; the name is printed from fmt. NULL after a failure, which stays in p. */
mdf_tensor *mdf_param_add(mdf_params *p, mdf_group group, mdf_init init, double arg, int rank,
                          const int64_t *dim, const char *fmt, ...) MDF_PRINTF(7, 8);

/* The first failure while declaring. */
mdf_status mdf_params_status(const mdf_params *p, mdf_error *err) MDF_NODISCARD;

/* Reserves the numbers (and gradients, if train) of everything declared. */
mdf_status mdf_params_allocate(mdf_params *p, bool train, mdf_error *err) MDF_NODISCARD;

/* Sets initial values. Every parameter draws from its own stream (seed, name), so that leaving a
 * part of the model out does not change the others. */
void mdf_params_initialise(mdf_params *p, uint64_t seed);

void mdf_params_zero_grad(mdf_params *p);

/* NULL: no such parameter. */
mdf_param *mdf_params_find(const mdf_params *p, const char *name);

#endif
