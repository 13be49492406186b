/* The tape: where tensors live, how a step is recorded, and how gradients flow back. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tensor/op.h"

/* Memory of the arena that backward no longer needs; kept inside the memory itself. */
typedef struct mdf_free_block {
    struct mdf_free_block *next;
    size_t bytes;
} mdf_free_block;

enum {
    BLOCK_ALIGN = 64,
    SPARE_BYTES = 16384 /* smaller values stay: losses and scores can be read after backward */
};

mdf_status mdf_graph_init(mdf_graph *g, const mdf_kernels *k, bool train, size_t limit_bytes,
                          mdf_error *err)
{
    *g = (mdf_graph){.kernels = k, .train = train};
    return mdf_arena_init(&g->arena, 0, limit_bytes, err);
}

void mdf_graph_free(mdf_graph *g)
{
    mdf_arena_free(&g->arena);
    *g = (mdf_graph){0};
}

void mdf_graph_reset(mdf_graph *g)
{
    mdf_arena_reset(&g->arena);
    g->last = NULL;
    g->free_blocks = NULL;
    g->untaped = g->left_out = false;
    g->error = (mdf_error){0};
}

mdf_status mdf_graph_status(const mdf_graph *g, mdf_error *err)
{
    if (g->error.code != MDF_OK && err != NULL) {
        *err = g->error;
    }
    return g->error.code;
}

int64_t mdf_tensor_count(const mdf_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) {
        n *= t->dim[i];
    }
    return n;
}

mdf_tensor *mdf_graph_fail(mdf_graph *g, mdf_status code, const char *op, const char *fmt, ...)
{
    if (g->error.code == MDF_OK) {
        char text[384];
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        (void)mdf_fail(&g->error, code, "%s: %s", op, text);
    }
    return NULL;
}

void *mdf_graph_alloc(mdf_graph *g, int64_t count, size_t size)
{
    void *p = count < 0 ? NULL : mdf_arena_alloc(&g->arena, (size_t)count, size);
    if (p == NULL) {
        (void)mdf_graph_fail(g, MDF_ERR_NOMEM, "graph", "out of memory for %lld numbers",
                             (long long)count);
    }
    return p;
}

mdf_tensor *mdf_graph_tensor(mdf_graph *g, int rank, const int64_t *dim)
{
    assert(rank >= 1 && rank <= MDF_MAX_RANK);
    mdf_tensor *t = mdf_graph_alloc(g, 1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    *t = (mdf_tensor){.rank = rank};
    memcpy(t->dim, dim, (size_t)rank * sizeof *dim);
    t->data = mdf_graph_alloc(g, mdf_tensor_count(t), sizeof *t->data);
    t->owner = true;
    return t->data == NULL ? NULL : t;
}

mdf_tensor *mdf_graph_like(mdf_graph *g, const mdf_tensor *t)
{
    return mdf_graph_tensor(g, t->rank, t->dim);
}

bool mdf_wants_grad(const mdf_graph *g, const mdf_tensor *t)
{
    return g->train && !g->untaped && t != NULL && t->needs_grad;
}

mdf_tensor *mdf_graph_record(mdf_graph *g, const mdf_op *op, mdf_tensor *out,
                             mdf_tensor *const in[], int inputs, void *saved)
{
    bool wanted = false;
    for (int i = 0; i < inputs; i++) {
        wanted = wanted || (g->train && in[i] != NULL && in[i]->needs_grad);
    }
    g->left_out = g->left_out || (wanted && g->untaped);
    return wanted && !g->untaped ? mdf_graph_record_always(g, op, out, in, inputs, saved) : out;
}

mdf_tensor *mdf_graph_record_always(mdf_graph *g, const mdf_op *op, mdf_tensor *out,
                                    mdf_tensor *const in[], int inputs, void *saved)
{
    assert(inputs <= MDF_NODE_INPUTS);
    mdf_node *node = mdf_graph_alloc(g, 1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    *node = (mdf_node){.op = op, .out = out, .saved = saved, .previous = g->last};
    for (int i = 0; i < inputs; i++) {
        node->in[i] = in[i];
    }
    out->needs_grad = true;
    g->last = node;
    return out;
}

static size_t value_bytes(const mdf_tensor *t)
{
    const size_t bytes = (size_t)mdf_tensor_count(t) * sizeof(mdf_real);
    return (bytes + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

static void block_release(mdf_graph *g, mdf_real *data, size_t bytes)
{
    if (data != NULL && bytes >= sizeof(mdf_free_block)) {
        mdf_free_block *b = (mdf_free_block *)(void *)data;
        b->bytes = bytes;
        b->next = g->free_blocks;
        g->free_blocks = b;
    }
}

/* The smallest freed block that is large enough; what is left of it stays free. */
static mdf_real *block_take(mdf_graph *g, size_t bytes)
{
    mdf_free_block **best = NULL;
    for (mdf_free_block **at = &g->free_blocks; *at != NULL; at = &(*at)->next) {
        if ((*at)->bytes >= bytes && (best == NULL || (*at)->bytes < (*best)->bytes)) {
            best = at;
        }
    }
    if (best == NULL) {
        return mdf_graph_alloc(g, (int64_t)bytes, 1);
    }
    mdf_real *data = (mdf_real *)(void *)*best;
    const size_t left = (*best)->bytes - bytes;
    *best = (*best)->next;
    block_release(g, data + bytes / sizeof *data, left);
    return data;
}

/* The node's backward has run, and those of all that read its output before it: the output's
 * numbers and their gradient make room for the gradients to come. */
static void release_output(mdf_graph *g, mdf_tensor *t)
{
    const size_t bytes = value_bytes(t);
    if (!t->parameter) {
        block_release(g, t->grad, bytes);
        t->grad = NULL;
    }
    if (bytes >= SPARE_BYTES) {
        mdf_forget(g, t);
    }
}

mdf_real *mdf_grad_target(mdf_graph *g, mdf_tensor *t, bool *acc)
{
    *acc = true;
    if (!mdf_wants_grad(g, t)) {
        return NULL;
    }
    if (t->grad == NULL) {
        t->grad = block_take(g, value_bytes(t));
        *acc = false;
    }
    return t->grad;
}

mdf_real *mdf_grad_target_over(mdf_graph *g, mdf_tensor *t, mdf_tensor *out, bool *acc)
{
    if (mdf_wants_grad(g, t) && t->grad == NULL) {
        t->grad = out->grad;
        out->grad = NULL;
        *acc = false;
        return t->grad;
    }
    return mdf_grad_target(g, t, acc);
}

mdf_real *mdf_grad_target_or_scratch(mdf_graph *g, mdf_tensor *t, bool *acc)
{
    if (mdf_wants_grad(g, t)) {
        return mdf_grad_target(g, t, acc);
    }
    *acc = false;
    return mdf_graph_alloc(g, mdf_tensor_count(t), sizeof *t->grad);
}

mdf_real *mdf_grad_add_target(mdf_graph *g, mdf_tensor *t)
{
    bool acc = false;
    mdf_real *grad = mdf_grad_target(g, t, &acc);
    if (grad != NULL && !acc) {
        memset(grad, 0, (size_t)mdf_tensor_count(t) * sizeof *grad);
    }
    return grad;
}

void mdf_forget(mdf_graph *g, mdf_tensor *t)
{
    if (t != NULL && t->owner) {
        block_release(g, t->data, value_bytes(t));
        t->data = NULL;
        t->owner = false;
    }
}

mdf_scope mdf_scope_begin(const mdf_graph *g)
{
    return (mdf_scope){mdf_arena_mark_now(&g->arena), g->last, g->free_blocks};
}

mdf_tensor *mdf_scope_keep(mdf_graph *g, const mdf_scope *s, mdf_tensor *y)
{
    if (g->stop != NULL && *g->stop != 0) {
        return mdf_graph_fail(g, MDF_ERR_STOPPED, "model", "stopped by the user");
    }
    if (y == NULL || g->last != s->last || g->error.code != MDF_OK) {
        return y;
    }
    const mdf_tensor old = *y;
    const bool young = mdf_arena_is_after(&g->arena, s->mark, y);
    const bool move = old.data != NULL && mdf_arena_is_after(&g->arena, s->mark, old.data);
    mdf_arena_rewind(&g->arena, s->mark);
    g->free_blocks = s->free_blocks;
    if (!young) {
        return y; /* made before the scope, and its numbers with it */
    }
    mdf_real *data = old.data;
    if (move) {
        /* Nothing was allocated since the rewind, so the old numbers are still there; the new place
         * comes before anything else is, and may overlap the old one from below. */
        const int64_t n = mdf_tensor_count(&old);
        data = mdf_graph_alloc(g, n, sizeof *data);
        if (data == NULL) {
            return NULL;
        }
        memmove(data, old.data, (size_t)n * sizeof *data);
    }
    mdf_tensor *kept = mdf_graph_alloc(g, 1, sizeof *kept);
    if (kept != NULL) {
        *kept = old;
        kept->data = data;
        kept->owner = move || old.owner;
    }
    return kept;
}

mdf_status mdf_graph_backward(mdf_graph *g, mdf_tensor *loss, mdf_error *err)
{
    MDF_TRY(mdf_graph_status(g, err));
    assert(loss != NULL && mdf_tensor_count(loss) == 1);
    if (!loss->needs_grad) {
        return MDF_OK;
    }
    bool acc = false;
    mdf_real *seed = mdf_grad_target(g, loss, &acc);
    if (seed != NULL) {
        seed[0] = 1;
    }
    mdf_graph_unwind(g);
    return mdf_graph_status(g, err);
}

void mdf_graph_unwind(mdf_graph *g)
{
    for (const mdf_node *node = g->last; node != NULL && g->error.code == MDF_OK;
         node = node->previous) {
        if (node->out->grad != NULL) {
            node->op->backward(g, node);
            release_output(g, node->out);
        }
    }
    g->last = NULL;
}

mdf_tensor *mdf_constant(mdf_graph *g, mdf_real *data, int rank, const int64_t *dim)
{
    mdf_tensor *t = mdf_graph_alloc(g, 1, sizeof *t);
    if (t != NULL) {
        *t = (mdf_tensor){.rank = rank, .data = data};
        memcpy(t->dim, dim, (size_t)rank * sizeof *dim);
    }
    return t;
}

mdf_tensor *mdf_constant_raw(mdf_graph *g, const void *raw, mdf_dtype dtype, int rank,
                             const int64_t *dim)
{
    mdf_tensor *t = mdf_constant(g, NULL, rank, dim);
    if (t != NULL) {
        t->raw = raw;
        t->dtype = dtype;
    }
    return t;
}

mdf_tensor *mdf_zeros(mdf_graph *g, int rank, const int64_t *dim)
{
    mdf_tensor *t = mdf_graph_tensor(g, rank, dim);
    if (t != NULL) {
        memset(t->data, 0, (size_t)mdf_tensor_count(t) * sizeof *t->data);
    }
    return t;
}

/* The view takes over the gradient buffer instead of copying it where that is possible. */
static void reshape_backward(mdf_graph *g, const mdf_node *node)
{
    bool acc = false;
    mdf_tensor *x = node->in[0];
    const mdf_real *dy = node->out->grad;
    mdf_real *dx = mdf_grad_target_over(g, x, node->out, &acc);
    if (dx != NULL && acc) {
        mdf_add_into(g, dx, dy, mdf_tensor_count(x), true);
    }
}

static const mdf_op op_reshape = {"reshape", reshape_backward};

mdf_tensor *mdf_reshape(mdf_graph *g, mdf_tensor *x, int rank, const int64_t *dim)
{
    if (x == NULL) {
        return NULL;
    }
    mdf_tensor *y = mdf_constant(g, x->data, rank, dim);
    if (y == NULL) {
        return NULL;
    }
    y->raw = x->raw;
    y->dtype = x->dtype;
    if (mdf_tensor_count(y) != mdf_tensor_count(x)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_reshape.name, "%lld numbers can't become %lld",
                              (long long)mdf_tensor_count(x), (long long)mdf_tensor_count(y));
    }
    return mdf_graph_record(g, &op_reshape, y, &x, 1, NULL);
}

static void add_some(const mdf_graph *g, mdf_real *y, const mdf_real *x, int64_t n, bool acc)
{
    if (acc) {
        g->kernels->axpy(y, 1, x, n);
    } else {
        memcpy(y, x, (size_t)n * sizeof *y);
    }
}

void mdf_add_into(const mdf_graph *g, mdf_real *y, const mdf_real *x, int64_t n, bool acc)
{
    const int64_t chunks = mdf_chunks(n);
    if (chunks <= 1) { /* even a team of one thread costs more than a generated token's sum */
        add_some(g, y, x, n, acc);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < chunks; i++) {
        const int64_t at = i * MDF_CHUNK;
        add_some(g, y + at, x + at, mdf_chunk_size(n, i), acc);
    }
}
