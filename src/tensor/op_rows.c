/* Rows by index: embedding and other gathers, position tables, means over ranges, and sums of
 * single numbers. */
#include <string.h>

#include "tensor/op.h"

typedef struct rows_saved {
    const int32_t *row; /* [N], < 0 = none */
    mdf_real s;         /* factor of the table */
    mdf_real ds;        /* its derivative by the gate */
} rows_saved;

enum {
    STRIPE = 64
}; /* columns of a piece: several rows of x may be the same row of the table, so
      the work is cut by columns */

/* to[row[i],:] += s * from[i,:] for all i with row[i] >= 0. */
static void scatter_add(const mdf_graph *g, mdf_real *to, const mdf_real *from, const int32_t *row,
                        int64_t n, int64_t c, mdf_real s)
{
    const int64_t stripes = (c + STRIPE - 1) / STRIPE;
#pragma omp parallel for schedule(static) if (n * c > MDF_CHUNK)
    for (int64_t k = 0; k < stripes; k++) {
        const int64_t at = k * STRIPE;
        const int64_t width = c - at < STRIPE ? c - at : STRIPE;
        for (int64_t i = 0; i < n; i++) {
            if (row[i] >= 0) {
                g->kernels->axpy(to + row[i] * c + at, s, from + i * c + at, width);
            }
        }
    }
}

/* y [c] += s * row of the table. */
static void add_row(const mdf_graph *g, mdf_real *y, mdf_real s, const mdf_tensor *table,
                    int64_t row, int64_t c)
{
    if (table->raw == NULL) {
        g->kernels->axpy(y, s, table->data + row * c, c);
        return;
    }
    const uint8_t *p = mdf_raw_row(table, c, row);
    for (int64_t at = 0; at < c; at += MDF_RAW_PIECE) {
        const int64_t count = c - at < MDF_RAW_PIECE ? c - at : MDF_RAW_PIECE;
        mdf_real piece[MDF_RAW_PIECE];
        mdf_raw_reals(table, p, count, piece);
        g->kernels->axpy(y + at, s, piece, count);
        p += mdf_dtype_row_bytes(table->dtype, (size_t)count);
    }
}

/* sum x [c] * row of the table. */
static double dot_row(const mdf_graph *g, const mdf_real *x, const mdf_tensor *table, int64_t row,
                      int64_t c)
{
    if (table->raw == NULL) {
        return g->kernels->dot(x, table->data + row * c, c);
    }
    const uint8_t *p = mdf_raw_row(table, c, row);
    double sum = 0;
    for (int64_t at = 0; at < c; at += MDF_RAW_PIECE) {
        const int64_t count = c - at < MDF_RAW_PIECE ? c - at : MDF_RAW_PIECE;
        mdf_real piece[MDF_RAW_PIECE];
        mdf_raw_reals(table, p, count, piece);
        sum += g->kernels->dot(x + at, piece, count);
        p += mdf_dtype_row_bytes(table->dtype, (size_t)count);
    }
    return sum;
}

static bool rows_fit(const int32_t *row, int64_t count, int64_t rows)
{
    for (int64_t i = 0; i < count; i++) {
        if (row[i] >= rows) {
            return false;
        }
    }
    return true;
}

static void gather_backward(mdf_graph *g, const mdf_node *node)
{
    const rows_saved *s = node->saved;
    mdf_real *dx = mdf_grad_add_target(g, node->in[0]);
    if (dx != NULL) {
        scatter_add(g, dx, node->out->grad, s->row, node->out->dim[0], mdf_last_dim(node->in[0]),
                    1);
    }
}

static const mdf_op op_gather = {"gather_rows", gather_backward};

mdf_tensor *mdf_gather_rows(mdf_graph *g, mdf_tensor *x, const int32_t *row, int64_t count)
{
    if (x == NULL) {
        return NULL;
    }
    const int64_t c = mdf_last_dim(x);
    const int64_t rows = mdf_row_count(x);
    mdf_tensor *y = mdf_graph_tensor(g, 2, (int64_t[]){count, c});
    rows_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    if (y == NULL || s == NULL) {
        return NULL;
    }
    *s = (rows_saved){row, 1, 0};
    if (!rows_fit(row, count, rows)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_gather.name, "a row number is not below %lld",
                              (long long)rows);
    }
    if (!mdf_raw_fits(x, c)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_gather.name, "rows of %lld numbers are no %s",
                              (long long)c, mdf_dtype_name(x->dtype));
    }
#pragma omp parallel for schedule(static) if (count * c > MDF_CHUNK)
    for (int64_t i = 0; i < count; i++) {
        if (row[i] < 0) {
            memset(y->data + i * c, 0, (size_t)c * sizeof *y->data);
        } else if (x->raw != NULL) {
            mdf_raw_reals(x, mdf_raw_row(x, c, row[i]), c, y->data + i * c);
        } else {
            memcpy(y->data + i * c, x->data + row[i] * c, (size_t)c * sizeof *y->data);
        }
    }
    return mdf_graph_record(g, &op_gather, y, &x, 1, s);
}

static void add_rows_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *table = node->in[1];
    mdf_tensor *gate = node->in[2];
    const rows_saved *s = node->saved;
    const mdf_real *dy = node->out->grad;
    const int64_t c = mdf_last_dim(table);
    const int64_t n = mdf_tensor_count(node->out) / c;
    mdf_real *dt = mdf_grad_add_target(g, table);
    mdf_real *dg = gate == NULL ? NULL : mdf_grad_add_target(g, gate);
    double sum = 0;
    if (dt != NULL) {
        scatter_add(g, dt, dy, s->row, n, c, s->s);
    }
    for (int64_t i = 0; dg != NULL && i < n; i++) {
        if (s->row[i] >= 0) {
            sum += dot_row(g, dy + i * c, table, s->row[i], c);
        }
    }
    if (dg != NULL) {
        dg[0] += (mdf_real)(sum * (double)s->ds);
    }
    bool acc = false;
    mdf_real *dx = mdf_grad_target(g, node->in[0], &acc);
    if (dx != NULL) {
        mdf_add_into(g, dx, dy, n * c, acc);
    }
}

static const mdf_op op_add_rows = {"add_rows", add_rows_backward};

mdf_tensor *mdf_add_rows(mdf_graph *g, mdf_tensor *x, mdf_tensor *table, mdf_tensor *gate,
                         bool complement, const int32_t *row)
{
    if (x == NULL || table == NULL) {
        return NULL;
    }
    const int64_t c = mdf_last_dim(table);
    if (mdf_last_dim(x) != c) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_add_rows.name, "rows of %lld and %lld numbers",
                              (long long)mdf_last_dim(x), (long long)c);
    }
    if (!mdf_raw_fits(table, c)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_add_rows.name, "rows of %lld numbers are no %s",
                              (long long)c, mdf_dtype_name(table->dtype));
    }
    const int64_t n = mdf_row_count(x);
    mdf_tensor *y = mdf_graph_like(g, x);
    rows_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    if (y == NULL || s == NULL) {
        return NULL;
    }
    const mdf_real t = gate == NULL ? 1 : mdf_tanh(gate->data[0]);
    const mdf_real slope = 1 - t * t;
    *s = (rows_saved){row, complement ? 1 - t : t, complement ? -slope : slope};
    if (!rows_fit(row, n, mdf_row_count(table))) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_add_rows.name, "a row number is not below %lld",
                              (long long)mdf_row_count(table));
    }
#pragma omp parallel for schedule(static) if (n * c > MDF_CHUNK)
    for (int64_t i = 0; i < n; i++) {
        memcpy(y->data + i * c, x->data + i * c, (size_t)c * sizeof *y->data);
        if (row[i] >= 0) {
            add_row(g, y->data + i * c, s->s, table, row[i], c);
        }
    }
    return mdf_graph_record(g, &op_add_rows, y, (mdf_tensor *[]){x, table, gate}, 3, s);
}

typedef struct mean_saved {
    const int32_t *begin, *count; /* [B] */
} mean_saved;

static void mean_rows_backward(mdf_graph *g, const mdf_node *node)
{
    const mean_saved *s = node->saved;
    mdf_real *dx = mdf_grad_add_target(g, node->in[0]);
    const int64_t c = mdf_last_dim(node->in[0]);
    for (int64_t b = 0; dx != NULL && b < node->out->dim[0]; b++) {
        for (int32_t i = 0; i < s->count[b]; i++) {
            g->kernels->axpy(dx + (s->begin[b] + i) * c, 1 / (mdf_real)s->count[b],
                             node->out->grad + b * c, c);
        }
    }
}

static const mdf_op op_mean_rows = {"mean_rows", mean_rows_backward};

mdf_tensor *mdf_mean_rows(mdf_graph *g, mdf_tensor *x, const int32_t *begin, const int32_t *count,
                          int64_t b)
{
    if (x == NULL) {
        return NULL;
    }
    const int64_t c = mdf_last_dim(x);
    mdf_tensor *y = mdf_zeros(g, 2, (int64_t[]){b, c});
    mean_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    if (y == NULL || s == NULL) {
        return NULL;
    }
    *s = (mean_saved){begin, count};
    for (int64_t i = 0; i < b; i++) {
        if (count[i] < 1 || begin[i] < 0 || begin[i] + count[i] > mdf_row_count(x)) {
            return mdf_graph_fail(g, MDF_ERR_SHAPE, op_mean_rows.name, "range outside x");
        }
        for (int32_t r = 0; r < count[i]; r++) {
            g->kernels->axpy(y->data + i * c, 1 / (mdf_real)count[i], x->data + (begin[i] + r) * c,
                             c);
        }
    }
    return mdf_graph_record(g, &op_mean_rows, y, &x, 1, s);
}

typedef struct segment_saved {
    const int32_t *index, *offset;
    const mdf_real *weight;
} segment_saved;

static void segment_sum_backward(mdf_graph *g, const mdf_node *node)
{
    const segment_saved *s = node->saved;
    mdf_real *dx = mdf_grad_add_target(g, node->in[0]);
    for (int64_t i = 0; dx != NULL && i < node->out->dim[0]; i++) {
        for (int32_t j = s->offset[i]; j < s->offset[i + 1]; j++) {
            dx[s->index[j]] += s->weight[j] * node->out->grad[i];
        }
    }
}

static const mdf_op op_segment_sum = {"segment_sum", segment_sum_backward};

mdf_tensor *mdf_segment_sum(mdf_graph *g, mdf_tensor *x, const int32_t *index,
                            const mdf_real *weight, const int32_t *offset, int64_t count)
{
    if (x == NULL) {
        return NULL;
    }
    mdf_tensor *y = mdf_zeros(g, 1, (int64_t[]){count});
    segment_saved *s = mdf_graph_alloc(g, 1, sizeof *s);
    if (y == NULL || s == NULL) {
        return NULL;
    }
    *s = (segment_saved){index, offset, weight};
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int32_t j = offset[i]; j < offset[i + 1]; j++) {
            if (index[j] < 0 || index[j] >= mdf_tensor_count(x)) {
                return mdf_graph_fail(g, MDF_ERR_SHAPE, op_segment_sum.name, "index outside x");
            }
            sum += (double)weight[j] * (double)x->data[index[j]];
        }
        y->data[i] = (mdf_real)sum;
    }
    return mdf_graph_record(g, &op_segment_sum, y, &x, 1, s);
}

static void first_rows_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_real *dx = mdf_grad_add_target(g, node->in[0]);
    if (dx != NULL) {
        mdf_add_into(g, dx, node->out->grad, mdf_tensor_count(node->out), true);
    }
}

static const mdf_op op_first_rows = {"first_rows", first_rows_backward};

mdf_tensor *mdf_first_rows(mdf_graph *g, mdf_tensor *x, int64_t count)
{
    if (x == NULL) {
        return NULL;
    }
    if (x->rank != 2 || count < 0 || count > x->dim[0]) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_first_rows.name,
                              "want x [M,C] and at most M rows");
    }
    if (count == x->dim[0]) {
        return x;
    }
    mdf_tensor *y = mdf_constant(g, x->data, 2, (int64_t[]){count, x->dim[1]});
    if (y == NULL) {
        return NULL;
    }
    y->raw = x->raw;
    y->dtype = x->dtype;
    return mdf_graph_record(g, &op_first_rows, y, &x, 1, NULL);
}
