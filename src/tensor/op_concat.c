/* Joining tensors: by channels, by rows, and Llama 3.2 Vision's interleaved features. */
#include <string.h>

#include "tensor/op.h"

/* y rows of ca + cb numbers <-> rows of a and rows of b. A NULL part is skipped. */
static void split_rows(const mdf_real *y, mdf_real *a, bool acc_a, int64_t ca, mdf_real *b,
                       bool acc_b, int64_t cb, int64_t n)
{
#pragma omp parallel for schedule(static) if (n > 64)
    for (int64_t i = 0; i < n; i++) {
        const mdf_real *row = y + i * (ca + cb);
        for (int64_t j = 0; a != NULL && j < ca; j++) {
            a[i * ca + j] = acc_a ? a[i * ca + j] + row[j] : row[j];
        }
        for (int64_t j = 0; b != NULL && j < cb; j++) {
            b[i * cb + j] = acc_b ? b[i * cb + j] + row[ca + j] : row[ca + j];
        }
    }
}

static void concat_channels_backward(mdf_graph *g, const mdf_node *node)
{
    bool acc_a = false;
    bool acc_b = false;
    mdf_real *da = mdf_grad_target(g, node->in[0], &acc_a);
    mdf_real *db = mdf_grad_target(g, node->in[1], &acc_b);
    split_rows(node->out->grad, da, acc_a, mdf_last_dim(node->in[0]), db, acc_b,
               mdf_last_dim(node->in[1]), mdf_row_count(node->in[0]));
}

static const mdf_op op_concat_channels = {"concat_channels", concat_channels_backward};

mdf_tensor *mdf_concat_channels(mdf_graph *g, mdf_tensor *a, mdf_tensor *b)
{
    if (a == NULL || b == NULL) {
        return NULL;
    }
    if (a->rank != 4 || b->rank != 4 || a->dim[0] != b->dim[0] || a->dim[1] != b->dim[1] ||
        a->dim[2] != b->dim[2]) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_concat_channels.name,
                              "want two pictures of equal size");
    }
    const int64_t ca = a->dim[3];
    const int64_t cb = b->dim[3];
    mdf_tensor *y = mdf_graph_tensor(g, 4, (int64_t[]){a->dim[0], a->dim[1], a->dim[2], ca + cb});
    if (y == NULL) {
        return NULL;
    }
    const int64_t n = mdf_row_count(a);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        mdf_real *row = y->data + i * (ca + cb);
        memcpy(row, a->data + i * ca, (size_t)ca * sizeof *row);
        memcpy(row + ca, b->data + i * cb, (size_t)cb * sizeof *row);
    }
    return mdf_graph_record(g, &op_concat_channels, y, (mdf_tensor *[]){a, b}, 2, NULL);
}

static void concat_rows_backward(mdf_graph *g, const mdf_node *node)
{
    const mdf_real *dy = node->out->grad;
    for (int i = 0; i < 2; i++) {
        bool acc = false;
        mdf_real *dx = mdf_grad_target(g, node->in[i], &acc);
        if (dx != NULL) {
            mdf_add_into(g, dx, dy, mdf_tensor_count(node->in[i]), acc);
        }
        dy += mdf_tensor_count(node->in[i]);
    }
}

static const mdf_op op_concat_rows = {"concat_rows", concat_rows_backward};

mdf_tensor *mdf_concat_rows(mdf_graph *g, mdf_tensor *a, mdf_tensor *b)
{
    if (a == NULL || b == NULL) {
        return NULL;
    }
    if (mdf_last_dim(a) != mdf_last_dim(b)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_concat_rows.name,
                              "rows of %lld and %lld numbers", (long long)mdf_last_dim(a),
                              (long long)mdf_last_dim(b));
    }
    mdf_tensor *y =
        mdf_graph_tensor(g, 2, (int64_t[]){mdf_row_count(a) + mdf_row_count(b), mdf_last_dim(a)});
    if (y == NULL) {
        return NULL;
    }
    mdf_add_into(g, y->data, a->data, mdf_tensor_count(a), false);
    mdf_add_into(g, y->data + mdf_tensor_count(a), b->data, mdf_tensor_count(b), false);
    return mdf_graph_record(g, &op_concat_rows, y, (mdf_tensor *[]){a, b}, 2, NULL);
}

static void interleave_backward(mdf_graph *g, const mdf_node *node)
{
    const int k = *(const int *)node->saved;
    const int64_t c = mdf_last_dim(node->in[0]);
    const int64_t n = mdf_row_count(node->in[0]);
    const int64_t width = c * (k + 1);
    for (int i = 0; i <= k; i++) {
        mdf_real *dx = mdf_grad_add_target(g, node->in[i]);
        for (int64_t r = 0; dx != NULL && r < n; r++) {
            const mdf_real *dy = node->out->grad + r * width + (i == 0 ? 0 : c + i - 1);
            const int64_t step = i == 0 ? 1 : k;
            for (int64_t j = 0; j < c; j++) {
                dx[r * c + j] += dy[j * step];
            }
        }
    }
}

static const mdf_op op_interleave = {"concat_interleave", interleave_backward};

mdf_tensor *mdf_concat_interleave(mdf_graph *g, mdf_tensor *first, mdf_tensor *const *rest, int k)
{
    if (first == NULL || k >= MDF_NODE_INPUTS) {
        return first == NULL ? NULL
                             : mdf_graph_fail(g, MDF_ERR_LIMIT, op_interleave.name,
                                              "%d intermediate features, more than %d", k,
                                              MDF_NODE_INPUTS - 1);
    }
    mdf_tensor *in[MDF_NODE_INPUTS] = {first};
    for (int i = 0; i < k; i++) {
        if (rest[i] == NULL) {
            return NULL;
        }
        if (!mdf_same_shape(first, rest[i])) {
            return mdf_graph_fail(g, MDF_ERR_SHAPE, op_interleave.name, "want equal shapes");
        }
        in[i + 1] = rest[i];
    }
    const int64_t c = mdf_last_dim(first);
    const int64_t n = mdf_row_count(first);
    mdf_tensor *y = mdf_graph_tensor(g, 2, (int64_t[]){n, c * (k + 1)});
    int *saved = mdf_graph_alloc(g, 1, sizeof *saved);
    if (y == NULL || saved == NULL) {
        return NULL;
    }
    *saved = k;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n; r++) {
        mdf_real *row = y->data + r * c * (k + 1);
        memcpy(row, first->data + r * c, (size_t)c * sizeof *row);
        for (int i = 0; i < k; i++) {
            for (int64_t j = 0; j < c; j++) {
                row[c + j * k + i] = in[i + 1]->data[r * c + j];
            }
        }
    }
    return mdf_graph_record(g, &op_interleave, y, in, k + 1, saved);
}
