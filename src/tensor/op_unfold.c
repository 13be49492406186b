/* Overlapping patches of a picture, each a row in the order of a convolution weight. */
#include "tensor/op.h"

typedef struct unfold_saved {
    int64_t k, stride, pad_y, pad_x;
} unfold_saved;

/* Copies (add = false) pixels to patches or adds patches' numbers back to pixels; pictures are cut
 * among the threads, so that no two add to the same pixel. */
static void move_patches(mdf_real *picture, mdf_real *patch, const int64_t *dim, const int64_t *out,
                         const unfold_saved *s, bool add)
{
    const int64_t c = dim[3];
    const int64_t taps = s->k * s->k;
    const int64_t pieces = add ? dim[0] : dim[0] * out[1];
#pragma omp parallel for schedule(static)
    for (int64_t piece = 0; piece < pieces; piece++) {
        const int64_t b = add ? piece : piece / out[1];
        const int64_t first = add ? 0 : piece % out[1];
        const int64_t last = add ? out[1] : first + 1;
        for (int64_t o = first * out[2]; o < last * out[2]; o++) {
            mdf_real *row = patch + (b * out[1] * out[2] + o) * c * taps;
            for (int64_t t = 0; t < taps; t++) {
                const int64_t y = o / out[2] * s->stride - s->pad_y + t / s->k;
                const int64_t x = o % out[2] * s->stride - s->pad_x + t % s->k;
                const bool inside = y >= 0 && y < dim[1] && x >= 0 && x < dim[2];
                mdf_real *pixel = inside ? picture + ((b * dim[1] + y) * dim[2] + x) * c : NULL;
                for (int64_t j = 0; j < c; j++) {
                    if (add && inside) {
                        pixel[j] += row[j * taps + t];
                    } else if (!add) {
                        row[j * taps + t] = inside ? pixel[j] : 0;
                    }
                }
            }
        }
    }
}

static void unfold_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_real *dx = mdf_grad_add_target(g, x);
    if (dx != NULL) {
        move_patches(dx, node->out->grad, x->dim, node->out->dim, node->saved, true);
    }
}

static const mdf_op op_unfold = {"unfold", unfold_backward};

mdf_tensor *mdf_unfold(mdf_graph *g, mdf_tensor *x, int64_t k, int64_t stride)
{
    if (x == NULL) {
        return NULL;
    }
    if (x->rank != 4 || k < 1 || k > MDF_DEPTHWISE_MAX || stride < 1 ||
        stride > MDF_DEPTHWISE_MAX) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_unfold.name,
                              "want x [B,H,W,C], k and stride 1 to %d", MDF_DEPTHWISE_MAX);
    }
    const mdf_same_axis h = mdf_same(x->dim[1], k, stride);
    const mdf_same_axis w = mdf_same(x->dim[2], k, stride);
    mdf_tensor *y = mdf_graph_tensor(g, 4, (int64_t[]){x->dim[0], h.out, w.out, x->dim[3] * k * k});
    unfold_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    if (y == NULL || s == NULL) {
        return NULL;
    }
    *s = (unfold_saved){k, stride, h.pad, w.pad};
    move_patches(x->data, y->data, x->dim, y->dim, s, false);
    return mdf_graph_record(g, &op_unfold, y, &x, 1, s);
}
