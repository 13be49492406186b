/* Transposed 2x2 convolution with stride 2: every input pixel becomes its own 2x2 square of output
 * pixels, so a picture of P pixels is one dense product [P,Cin] x [Cin, 2*2*Cout] and a copy into
 * place. Picture by picture, so that the squares of only one are kept. */
#include <string.h>

#include "tensor/op.h"

typedef struct conv_transpose_saved {
    mdf_real *w;    /* [Cin, 2,2,Cout]: w with the output channels last */
    mdf_real *t;    /* [H*W, 2,2,Cout]: the squares of one picture, or their gradients */
    mdf_real *dw;   /* [Cin, 2,2,Cout] */
    mdf_real *bias; /* [MDF_ROW_BLOCKS * Cout] */
} conv_transpose_saved;

/* Moves squares [P,2,2,C] to (or from) their places in the picture [B,2H,2W,C]. Two neighbours of
 * one output row are adjacent in both. */
static void move_squares(mdf_real *picture, mdf_real *squares, int64_t rows, int64_t w, int64_t c,
                         bool to_picture)
{
    const size_t bytes = (size_t)(2 * c) * sizeof *picture;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t a = 0; a < 2; a++) {
            mdf_real *line = picture + (2 * r + a) * 2 * w * c;
            mdf_real *square = squares + r * w * 4 * c + a * 2 * c;
            for (int64_t j = 0; j < w; j++) {
                if (to_picture) {
                    memcpy(line + j * 2 * c, square + j * 4 * c, bytes);
                } else {
                    memcpy(square + j * 4 * c, line + j * 2 * c, bytes);
                }
            }
        }
    }
}

/* dw [Cin,Cout,2,2] += packed [Cin,2,2,Cout] */
static void add_unpacked(mdf_real *dw, const mdf_real *packed, int64_t cin, int64_t cout)
{
    for (int64_t i = 0; i < cin; i++) {
        for (int64_t o = 0; o < cout; o++) {
            for (int64_t t = 0; t < 4; t++) {
                dw[(i * cout + o) * 4 + t] += packed[(i * 4 + t) * cout + o];
            }
        }
    }
}

static void conv_transpose_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_tensor *w = node->in[1];
    mdf_tensor *b = node->in[2];
    const conv_transpose_saved *s = node->saved;
    const int64_t cin = w->dim[0];
    const int64_t wide = 4 * w->dim[1];
    const int64_t p = x->dim[1] * x->dim[2];
    bool acc = false;
    mdf_real *dx = mdf_grad_target(g, x, &acc);
    mdf_real *dw = mdf_grad_add_target(g, w);
    for (int64_t i = 0; i < x->dim[0] && (dx != NULL || dw != NULL); i++) {
        move_squares(node->out->grad + i * p * wide, s->t, x->dim[1], x->dim[2], w->dim[1], false);
        if (dx != NULL) {
            g->kernels->gemm(false, true, p, cin, wide, 1, s->t, wide, s->w, wide, acc ? 1 : 0,
                             dx + i * p * cin, cin);
        }
        if (dw != NULL) {
            g->kernels->gemm(true, false, cin, wide, p, 1, x->data + i * p * cin, cin, s->t, wide,
                             i == 0 ? 0 : 1, s->dw, wide);
        }
    }
    if (dw != NULL) {
        add_unpacked(dw, s->dw, cin, w->dim[1]);
    }
    mdf_real *db = mdf_grad_add_target(g, b);
    if (db != NULL) {
        mdf_bias_grad(g, db, node->out->grad, 4 * p * x->dim[0], w->dim[1], s->bias);
    }
}

static const mdf_op op_conv_transpose = {"conv_transpose2x2", conv_transpose_backward};

mdf_tensor *mdf_conv_transpose2x2(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b)
{
    if (x == NULL || w == NULL || b == NULL) {
        return NULL;
    }
    if (x->rank != 4 || w->rank != 4 || w->dim[0] != x->dim[3] || w->dim[2] != 2 ||
        w->dim[3] != 2 || b->rank != 1 || b->dim[0] != w->dim[1]) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_conv_transpose.name,
                              "want x [B,H,W,Cin], w [Cin,Cout,2,2], b [Cout]");
    }
    const int64_t cin = w->dim[0];
    const int64_t cout = w->dim[1];
    const int64_t p = x->dim[1] * x->dim[2];
    mdf_tensor *y =
        mdf_graph_tensor(g, 4, (int64_t[]){x->dim[0], 2 * x->dim[1], 2 * x->dim[2], cout});
    conv_transpose_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    mdf_real *packed = mdf_graph_alloc(g, cin * 4 * cout, sizeof *packed);
    mdf_real *squares = mdf_graph_alloc(g, p * 4 * cout, sizeof *squares);
    mdf_real *dw = g->train ? mdf_graph_alloc(g, cin * 4 * cout, sizeof *dw) : NULL;
    mdf_real *bias = g->train ? mdf_graph_alloc(g, MDF_ROW_BLOCKS * cout, sizeof *bias) : NULL;
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    *s = (conv_transpose_saved){packed, squares, dw, bias};
    for (int64_t i = 0; i < cin; i++) {
        for (int64_t o = 0; o < cout; o++) {
            for (int64_t t = 0; t < 4; t++) {
                packed[(i * 4 + t) * cout + o] = w->data[(i * cout + o) * 4 + t];
            }
        }
    }
    for (int64_t i = 0; i < x->dim[0]; i++) {
        mdf_real *picture = y->data + i * p * 4 * cout;
        g->kernels->gemm(false, false, p, 4 * cout, cin, 1, x->data + i * p * cin, cin, packed,
                         4 * cout, 0, squares, 4 * cout);
        move_squares(picture, squares, x->dim[1], x->dim[2], cout, true);
#pragma omp parallel for schedule(static)
        for (int64_t r = 0; r < x->dim[1]; r++) {
            g->kernels->bias_fwd(picture + r * 4 * x->dim[2] * cout, b->data, 4 * x->dim[2], cout);
        }
    }
    return mdf_graph_record(g, &op_conv_transpose, y, (mdf_tensor *[]){x, w, b}, 3, s);
}
