/* y = x w^T + b, the dense layer, with the result clipped if wanted. */
#include <string.h>

#include "base/rng.h"
#include "tensor/op.h"

void mdf_bias_grad(const mdf_graph *g, mdf_real *db, const mdf_real *dy, int64_t n, int64_t c,
                   mdf_real *scratch)
{
    memset(scratch, 0, (size_t)(MDF_ROW_BLOCKS * c) * sizeof *scratch);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < MDF_ROW_BLOCKS; i++) {
        const int64_t begin = mdf_block_begin(n, MDF_ROW_BLOCKS, i);
        const int64_t end = mdf_block_begin(n, MDF_ROW_BLOCKS, i + 1);
        g->kernels->bias_bwd(scratch + i * c, dy + begin * c, end - begin, c);
    }
    for (int i = 0; i < MDF_ROW_BLOCKS; i++) {
        g->kernels->axpy(db, 1, scratch + i * c, c);
    }
}

enum { PANEL = 128 }; /* rows of a frozen weight that are numbers at the same time */

static mdf_weight frozen(const mdf_tensor *w)
{
    return (mdf_weight){w->raw, w->dtype, w->dim[0], mdf_tensor_count(w) / w->dim[0]};
}

/* y [n,O] = x [n,I] w^T, w in its file's format. */
static void frozen_forward(mdf_graph *g, const mdf_tensor *w, int64_t n, const mdf_real *x,
                           mdf_real *y)
{
    const mdf_weight f = frozen(w);
    const mdf_arena_mark mark = mdf_arena_mark_now(&g->arena);
    const int threads = mdf_thread_count();
    void *scratch = mdf_graph_alloc(g, (int64_t)g->kernels->gemm_weight_scratch(&f, n, threads), 1);
    if (scratch != NULL) {
        g->kernels->gemm_weight(&f, n, x, y, scratch, threads);
    }
    mdf_arena_rewind(&g->arena, mark);
}

/* dx [n,I] (+)= dy [n,O] w: a panel of w's rows after the other. */
static void frozen_backward(mdf_graph *g, const mdf_tensor *w, int64_t n, mdf_real *dx,
                            const mdf_real *dy, bool acc)
{
    const mdf_weight f = frozen(w);
    const mdf_arena_mark mark = mdf_arena_mark_now(&g->arena);
    mdf_real *panel = mdf_graph_alloc(g, PANEL * f.k, sizeof *panel);
    for (int64_t at = 0; panel != NULL && at < f.n; at += PANEL) {
        const int64_t rows = f.n - at < PANEL ? f.n - at : PANEL;
#pragma omp parallel for schedule(static)
        for (int64_t j = 0; j < rows; j++) {
            mdf_raw_reals(w, mdf_raw_row(w, f.k, at + j), f.k, panel + j * f.k);
        }
        g->kernels->gemm(false, false, n, f.k, rows, 1, dy + at, f.n, panel, f.k,
                         acc || at > 0 ? 1 : 0, dx, f.k);
    }
    mdf_arena_rewind(&g->arena, mark);
}

typedef struct linear_saved {
    mdf_real *scratch; /* [MDF_ROW_BLOCKS, O] for the bias's gradient, or NULL */
    mdf_clip clip;
} linear_saved;

static void linear_backward(mdf_graph *g, const mdf_node *node)
{
    mdf_tensor *x = node->in[0];
    mdf_tensor *w = node->in[1];
    mdf_tensor *b = node->in[2];
    const linear_saved *saved = node->saved;
    mdf_real *dy = node->out->grad;
    const int64_t out = w->dim[0];
    const int64_t in = mdf_last_dim(x);
    const int64_t n = mdf_row_count(x);
    bool acc = false;
    mdf_clip_grad(g, dy, node->out->data, n * out, saved->clip);
    mdf_real *dx = mdf_grad_target(g, x, &acc);
    if (dx != NULL && w->raw != NULL) {
        frozen_backward(g, w, n, dx, dy, acc);
    } else if (dx != NULL) {
        g->kernels->gemm(false, false, n, in, out, 1, dy, out, w->data, in, acc ? 1 : 0, dx, in);
    }
    mdf_real *dw = mdf_grad_target(g, w, &acc);
    if (dw != NULL) {
        g->kernels->gemm(true, false, out, in, n, 1, dy, out, x->data, in, acc ? 1 : 0, dw, in);
    }
    mdf_real *db = b == NULL ? NULL : mdf_grad_add_target(g, b);
    if (db != NULL) {
        mdf_bias_grad(g, db, dy, n, out, saved->scratch);
    }
}

static const mdf_op op_linear = {"linear", linear_backward};

/* y [n,c] += b, then clipped. */
static void add_bias(const mdf_graph *g, mdf_tensor *y, const mdf_tensor *b, mdf_clip clip)
{
    const int64_t n = mdf_row_count(y);
    const int64_t c = mdf_last_dim(y);
    const int64_t blocks = n * c > MDF_CHUNK ? MDF_ROW_BLOCKS : 1;
#pragma omp parallel for schedule(static) if (blocks > 1)
    for (int64_t i = 0; i < blocks; i++) {
        const int64_t begin = mdf_block_begin(n, blocks, i);
        const int64_t end = mdf_block_begin(n, blocks, i + 1);
        if (mdf_clips(clip)) {
            g->kernels->bias_clip_fwd(y->data + begin * c, b->data, end - begin, c, clip.low,
                                      clip.high);
        } else {
            g->kernels->bias_fwd(y->data + begin * c, b->data, end - begin, c);
        }
    }
}

/* scale dropout(x) a^T b^T; the small product is scaled. */
static mdf_tensor *adapted(mdf_graph *g, mdf_tensor *x, const mdf_adapter *l)
{
    mdf_tensor *seen = mdf_dropout(g, x, l->dropout, mdf_rng_mix(g->noise, l->seed));
    mdf_tensor *h = mdf_linear(g, seen, l->a, NULL);
    return mdf_linear(g, l->scale == 1 ? h : mdf_scale(g, h, l->scale), l->b, NULL);
}

mdf_tensor *mdf_linear(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b)
{
    mdf_tensor *y = mdf_linear_clip(g, x, w, b, mdf_no_clip());
    return y == NULL || w->adapter == NULL ? y : mdf_add(g, y, adapted(g, x, w->adapter));
}

mdf_tensor *mdf_linear_clip(mdf_graph *g, mdf_tensor *x, mdf_tensor *w, mdf_tensor *b,
                            mdf_clip clip)
{
    if (x == NULL || w == NULL) {
        return NULL;
    }
    if (w->rank < 2 || (b != NULL && (b->rank != 1 || b->dim[0] != w->dim[0]))) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_linear.name, "want w [O,I] and b [O]");
    }
    assert(b != NULL || !mdf_clips(clip));
    assert(w->adapter == NULL || !mdf_clips(clip)); /* of language models, which clip nothing */
    assert(w->raw == NULL || !w->needs_grad);
    if (w->rank > 2 && w->raw == NULL) { /* a convolution's, as a dense layer over patches */
        w = mdf_reshape(g, w, 2, (int64_t[]){w->dim[0], mdf_tensor_count(w) / w->dim[0]});
        if (w == NULL) {
            return NULL;
        }
    }
    const int64_t out = w->dim[0];
    const int64_t in = mdf_tensor_count(w) / (out == 0 ? 1 : out);
    if (mdf_last_dim(x) != in) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_linear.name, "x has %lld columns, w wants %lld",
                              (long long)mdf_last_dim(x), (long long)in);
    }
    if (!mdf_raw_fits(w, in)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_linear.name, "rows of %lld numbers are no %s",
                              (long long)in, mdf_dtype_name(w->dtype));
    }
    int64_t dim[MDF_MAX_RANK];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->rank - 1] = out;
    mdf_tensor *y = mdf_graph_tensor(g, x->rank, dim);
    linear_saved *saved = NULL;
    if (g->train) {
        saved = mdf_graph_alloc(g, 1, sizeof *saved);
        if (saved != NULL) {
            *saved = (linear_saved){.clip = clip};
        }
    }
    if (saved != NULL && b != NULL && mdf_wants_grad(g, b)) {
        saved->scratch = mdf_graph_alloc(g, MDF_ROW_BLOCKS * out, sizeof *saved->scratch);
    }
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    const int64_t n = mdf_row_count(x);
    if (w->raw != NULL) {
        frozen_forward(g, w, n, x->data, y->data);
    } else {
        g->kernels->gemm(false, true, n, out, in, 1, x->data, in, w->data, in, 0, y->data, out);
    }
    if (b != NULL) {
        add_bias(g, y, b, clip);
    }
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    return mdf_graph_record(g, &op_linear, y, (mdf_tensor *[]){x, w, b}, 3, saved);
}

/* Whether one call of the kernel can do it: no gradients, and nothing that mdf_linear() has to
 * report. */
static bool go_together(const mdf_graph *g, const mdf_tensor *x, mdf_tensor *const w[], int count)
{
    if (x == NULL || g->error.code != MDF_OK || mdf_wants_grad(g, x) ||
        mdf_row_count(x) > MDF_FEW_ROWS) {
        return false;
    }
    const int64_t in = mdf_last_dim(x);
    for (int i = 0; i < count; i++) {
        if (w[i] == NULL || w[i]->raw == NULL || w[i]->adapter != NULL || w[i]->rank != 2 ||
            w[i]->dim[1] != in || !mdf_raw_fits(w[i], in)) {
            return false;
        }
    }
    return true;
}

void mdf_linears(mdf_graph *g, mdf_tensor *x, mdf_tensor *const w[], int count, mdf_tensor *y[])
{
    assert(count <= MDF_WEIGHTS_MAX);
    if (!go_together(g, x, w, count)) {
        for (int i = 0; i < count; i++) {
            y[i] = mdf_linear(g, x, w[i], NULL);
        }
        return;
    }
    const int64_t n = mdf_row_count(x);
    const int threads = mdf_thread_count();
    mdf_weight f[MDF_WEIGHTS_MAX];
    mdf_real *out[MDF_WEIGHTS_MAX];
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        int64_t dim[MDF_MAX_RANK];
        memcpy(dim, x->dim, sizeof dim);
        dim[x->rank - 1] = w[i]->dim[0];
        y[i] = mdf_graph_tensor(g, x->rank, dim);
        out[i] = y[i] == NULL ? NULL : y[i]->data;
        f[i] = frozen(w[i]);
        bytes += g->kernels->gemm_weight_scratch(&f[i], n, threads);
    }
    const mdf_arena_mark mark = mdf_arena_mark_now(&g->arena);
    void *scratch = mdf_graph_alloc(g, (int64_t)bytes, 1);
    if (g->error.code == MDF_OK) {
        g->kernels->gemm_weights(f, count, n, x->data, out, scratch, threads);
    }
    mdf_arena_rewind(&g->arena, mark);
    for (int i = 0; i < count && g->error.code != MDF_OK; i++) {
        y[i] = NULL;
    }
}
