/* The shape of a tensor that a rule updates. */
#include "optim/rule_shape.h"

int64_t mdf_rule_count(const mdf_rule_shape *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) {
        n *= s->dim[i];
    }
    return n;
}
