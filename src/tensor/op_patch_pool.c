/* Patch-wise averaging: a picture becomes a grid of patches, each averaged down to a few cells. */
#include <string.h>

#include "tensor/op.h"

typedef struct patch_pool_saved {
    int64_t grid, cells;
} patch_pool_saved;

/* One row of cells at a time: pixels [ph,W,C] are averaged into grid*cells cells, or the cells'
 * gradients are spread over them. */
static void pool_line(const mdf_real *x, mdf_real *rows, const int64_t *dim, int64_t line,
                      const patch_pool_saved *s, mdf_real *dx)
{
    const int64_t w = dim[2];
    const int64_t c = dim[3];
    const int64_t side = s->grid * s->cells;
    const int64_t ph = dim[1] / side;
    const int64_t pw = w / side;
    const int64_t b = line / side;
    const int64_t cy = line % side;
    const mdf_real scale = 1 / (mdf_real)(ph * pw);
    for (int64_t cx = 0; cx < side; cx++) {
        const int64_t patch = (b * s->grid + cy / s->cells) * s->grid + cx / s->cells;
        const int64_t cell = cy % s->cells * s->cells + cx % s->cells;
        mdf_real *out = rows + (patch * s->cells * s->cells + cell) * c;
        if (dx == NULL) {
            memset(out, 0, (size_t)c * sizeof *out);
        }
        for (int64_t i = 0; i < ph * pw; i++) {
            const int64_t at = ((b * dim[1] + cy * ph + i / pw) * w + cx * pw + i % pw) * c;
            for (int64_t j = 0; j < c; j++) {
                if (dx == NULL) {
                    out[j] += scale * x[at + j];
                } else {
                    dx[at + j] += scale * out[j];
                }
            }
        }
    }
}

static void patch_pool_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    const patch_pool_saved *s = node->saved;
    mdf_real *dx = mdf_grad_add_target(g, x);
    const int64_t lines = x->dim[0] * s->grid * s->cells;
    if (dx == NULL) {
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < lines; i++) {
        pool_line(x->data, node->out->grad, x->dim, i, s, dx);
    }
}

static const mdf_op op_patch_pool = {"patch_pool", patch_pool_backward};

mdf_tensor *mdf_patch_pool(mdf_graph *g, mdf_tensor *x, int64_t grid, int64_t cells)
{
    if (x == NULL) {
        return NULL;
    }
    const int64_t side = grid * cells;
    if (x->rank != 4 || side < 1 || x->dim[1] % side != 0 || x->dim[2] % side != 0) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_patch_pool.name,
                              "want x [B,H,W,C] with H and W multiples of %lld", (long long)side);
    }
    mdf_tensor *y =
        mdf_graph_tensor(g, 2, (int64_t[]){x->dim[0] * grid * grid, cells * cells * x->dim[3]});
    patch_pool_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    if (y == NULL || s == NULL) {
        return NULL;
    }
    *s = (patch_pool_saved){grid, cells};
    const int64_t lines = x->dim[0] * side;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < lines; i++) {
        pool_line(x->data, y->data, x->dim, i, s, NULL);
    }
    return mdf_graph_record(g, &op_patch_pool, y, &x, 1, s);
}
