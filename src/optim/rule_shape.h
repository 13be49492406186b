/* The shape of a tensor that a rule updates, and how its work is cut for threads. */
#ifndef MDF_OPTIM_RULE_SHAPE_H
#define MDF_OPTIM_RULE_SHAPE_H

#include <stdint.h>

#include "base/limits.h"

/* Row-major. What has a rank below 2 is a vector. No dimension is 0. */
typedef struct mdf_rule_shape {
    int rank;
    int64_t dim[MDF_MAX_RANK];
} mdf_rule_shape;

int64_t mdf_rule_count(const mdf_rule_shape *s); /* numbers of the tensor */

/* Long work is done in pieces of about so many numbers, whatever the number of threads. */
enum { MDF_RULE_PIECE = 65536 };

#endif
