/* Cuts a picture into non-overlapping patches, each a row in the order of a convolution weight. */
#include "tensor/op.h"

/* Copies (add = false) pictures to rows or adds rows' numbers back to pictures. */
static void move_patches(mdf_real *picture, mdf_real *rows, const int64_t *dim, int64_t p, bool add)
{
    const int64_t h = dim[1];
    const int64_t w = dim[2];
    const int64_t c = dim[3];
    const int64_t across = w / p;
    const int64_t count = dim[0] * (h / p) * across;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < count; n++) {
        const int64_t b = n / ((h / p) * across);
        const int64_t i = n / across % (h / p);
        const int64_t j = n % across;
        for (int64_t ch = 0; ch < c; ch++) {
            for (int64_t y = 0; y < p; y++) {
                for (int64_t x = 0; x < p; x++) {
                    mdf_real *pixel = picture + ((b * h + i * p + y) * w + j * p + x) * c + ch;
                    mdf_real *cell = rows + ((n * c + ch) * p + y) * p + x;
                    if (add) {
                        *pixel += *cell;
                    } else {
                        *cell = *pixel;
                    }
                }
            }
        }
    }
}

static void patchify_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_real *dx = mdf_grad_add_target(g, x);
    if (dx != NULL) {
        move_patches(dx, node->out->grad, x->dim, *(const int64_t *)node->saved, true);
    }
}

static const mdf_op op_patchify = {"patchify", patchify_backward};

mdf_tensor *mdf_patchify(mdf_graph *g, mdf_tensor *x, int64_t p)
{
    if (x == NULL) {
        return NULL;
    }
    if (x->rank != 4 || p < 1 || x->dim[1] % p != 0 || x->dim[2] % p != 0) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_patchify.name,
                              "want x [B,H,W,C] with H and W multiples of %lld", (long long)p);
    }
    const int64_t count = x->dim[0] * (x->dim[1] / p) * (x->dim[2] / p);
    mdf_tensor *y = mdf_graph_tensor(g, 2, (int64_t[]){count, x->dim[3] * p * p});
    int64_t *saved = mdf_graph_alloc(g, 1, sizeof *saved);
    if (y == NULL || saved == NULL) {
        return NULL;
    }
    *saved = p;
    move_patches(x->data, y->data, x->dim, p, false);
    return mdf_graph_record(g, &op_patchify, y, &x, 1, saved);
}
