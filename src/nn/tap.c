/* Places of a forward pass where an explanation reads numbers and their gradient. */
#include "nn/tap.h"

#include <string.h>

mdf_tensor *mdf_tap_into(mdf_graph *g, mdf_tap *tap, mdf_tensor *x)
{
    if (tap == NULL || x == NULL) {
        return x;
    }
    if (tap->push == NULL) {
        tap->push = mdf_zeros(g, x->rank, x->dim);
    }
    if (tap->push == NULL) {
        return NULL;
    }
    tap->push->needs_grad = true;
    mdf_tensor *y = mdf_add(g, x, tap->push);
    mdf_real *value =
        y == NULL ? NULL : mdf_graph_alloc(g, mdf_tensor_count(y), sizeof *tap->value);
    if (value == NULL) {
        return NULL;
    }
    /* A copy: backward uses the memory of y for gradients. */
    memcpy(value, y->data, (size_t)mdf_tensor_count(y) * sizeof *value);
    tap->value = value;
    return y;
}
