/* Dense products and convolutions by oneDNN.
 *
 * Pictures stay channels-last; weights come as plain [O,I,K,K] and are reordered into the layout
 * the primitive wants. A cache keeps, per shape and direction, the primitives and memory objects,
 * so that only handles are set after the first call with a shape. */
#include <string.h>

#include "base/alloc.h"
#include "kernel/dnnl/compat.h"
#include "kernel/kernel.h"

typedef enum conv_kind { CONV_FORWARD, CONV_BACKWARD_DATA, CONV_BACKWARD_WEIGHTS } conv_kind;

typedef struct conv_entry {
    mdf_conv_shape shape;
    conv_kind kind;
    bool bias;
    dnnl_primitive_t primitive, reorder;
    dnnl_memory_t src, dst, bias_memory, plain, blocked, scratch;
    size_t blocked_bytes, scratch_bytes;
} conv_entry;

typedef struct conv_buffer {
    void *data;
    size_t bytes;
} conv_buffer;

typedef struct conv_cache {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attr;
    conv_entry *entry;
    size_t count, capacity;
    conv_buffer blocked, scratch, plain, sum; /* shared by all entries */
} conv_cache;

static bool buffer_reserve(conv_buffer *b, size_t bytes)
{
    if (bytes <= b->bytes) {
        return true;
    }
    void *data = mdf_alloc(bytes, 1);
    if (data == NULL) {
        return false;
    }
    mdf_free(b->data);
    *b = (conv_buffer){data, bytes};
    return true;
}

static void entry_free(conv_entry *e)
{
    dnnl_memory_t memory[] = {e->src, e->dst, e->bias_memory, e->plain, e->blocked, e->scratch};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        if (memory[i] != NULL) {
            (void)dnnl_memory_destroy(memory[i]);
        }
    }
    if (e->primitive != NULL) {
        (void)dnnl_primitive_destroy(e->primitive);
    }
    if (e->reorder != NULL) {
        (void)dnnl_primitive_destroy(e->reorder);
    }
}

static void cache_free(void *cache)
{
    conv_cache *c = cache;
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->count; i++) {
        entry_free(&c->entry[i]);
    }
    mdf_free(c->entry);
    mdf_free(c->blocked.data);
    mdf_free(c->scratch.data);
    mdf_free(c->plain.data);
    mdf_free(c->sum.data);
    if (c->attr != NULL) {
        (void)dnnl_primitive_attr_destroy(c->attr);
    }
    if (c->stream != NULL) {
        (void)dnnl_stream_destroy(c->stream);
    }
    if (c->engine != NULL) {
        (void)dnnl_engine_destroy(c->engine);
    }
    mdf_free(c);
}

static bool make_memory(conv_cache *c, dnnl_memory_t *m, mdf_md_ref md)
{
    return dnnl_memory_create(m, md, c->engine, DNNL_MEMORY_NONE) == dnnl_success;
}

/* The reorder between the plain weights and the layout that the primitive chose. */
static bool make_reorder(conv_cache *c, conv_entry *e, const mdf_md *plain, mdf_md_ref blocked)
{
    const bool back = e->kind == CONV_BACKWARD_WEIGHTS;
    dnnl_primitive_desc_t pd = NULL;
    const mdf_md_ref from = back ? blocked : mdf_md_of(plain);
    const mdf_md_ref to = back ? mdf_md_of(plain) : blocked;
    bool ok = dnnl_reorder_primitive_desc_create(&pd, from, c->engine, to, c->engine, NULL) ==
                  dnnl_success &&
              dnnl_primitive_create(&e->reorder, pd) == dnnl_success;
    if (pd != NULL) {
        (void)dnnl_primitive_desc_destroy(pd);
    }
    return ok;
}

static bool make_primitive(conv_cache *c, conv_entry *e, const mdf_md *src, const mdf_md *any,
                           const mdf_md *bias, const mdf_md *dst, const mdf_md *plain)
{
    const dnnl_dim_t pad = e->shape.kernel / 2;
    dnnl_primitive_desc_t forward = NULL;
    dnnl_primitive_desc_t pd = NULL;
    const mdf_md *b = e->bias ? bias : NULL;
    bool ok = mdf_conv_forward_desc(&forward, c->engine, src, any,
                                    e->kind == CONV_FORWARD ? b : NULL, dst, pad, c->attr);
    if (ok && e->kind == CONV_BACKWARD_DATA) {
        ok = mdf_conv_backward_data_desc(&pd, c->engine, src, any, dst, pad, c->attr, forward);
    } else if (ok && e->kind == CONV_BACKWARD_WEIGHTS) {
        ok =
            mdf_conv_backward_weights_desc(&pd, c->engine, src, any, b, dst, pad, c->attr, forward);
    }
    const dnnl_primitive_desc_t use = e->kind == CONV_FORWARD ? forward : pd;
    if (ok) {
        const dnnl_query_t what =
            e->kind == CONV_BACKWARD_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
        const mdf_md_ref blocked = dnnl_primitive_desc_query_md(use, what, 0);
        const mdf_md_ref scratch = dnnl_primitive_desc_query_md(use, dnnl_query_scratchpad_md, 0);
        e->blocked_bytes = dnnl_memory_desc_get_size(blocked);
        e->scratch_bytes = dnnl_memory_desc_get_size(scratch);
        ok = dnnl_primitive_create(&e->primitive, use) == dnnl_success &&
             make_reorder(c, e, plain, blocked) && make_memory(c, &e->src, mdf_md_of(src)) &&
             make_memory(c, &e->dst, mdf_md_of(dst)) &&
             make_memory(c, &e->plain, mdf_md_of(plain)) && make_memory(c, &e->blocked, blocked) &&
             make_memory(c, &e->scratch, scratch) &&
             (!e->bias || make_memory(c, &e->bias_memory, mdf_md_of(bias)));
    }
    if (pd != NULL) {
        (void)dnnl_primitive_desc_destroy(pd);
    }
    if (forward != NULL) {
        (void)dnnl_primitive_desc_destroy(forward);
    }
    return ok;
}

static bool entry_make(conv_cache *c, conv_entry *e)
{
    const mdf_conv_shape *s = &e->shape;
    const dnnl_dims_t in = {s->n, s->cin, s->h, s->w};
    const dnnl_dims_t out = {s->n, s->cout, s->h, s->w};
    const dnnl_dims_t weights = {s->cout, s->cin, s->kernel, s->kernel};
    mdf_md src = {0};
    mdf_md dst = {0};
    mdf_md any = {0};
    mdf_md plain = {0};
    mdf_md bias = {0};
    bool ok = mdf_md_make(&src, 4, in, dnnl_nhwc) && mdf_md_make(&dst, 4, out, dnnl_nhwc) &&
              mdf_md_make(&any, 4, weights, dnnl_format_tag_any) &&
              mdf_md_make(&plain, 4, weights, dnnl_oihw) &&
              mdf_md_make(&bias, 1, (const dnnl_dims_t){s->cout}, dnnl_a);
    ok = ok && make_primitive(c, e, &src, &any, &bias, &dst, &plain);
    ok = ok && buffer_reserve(&c->blocked, e->blocked_bytes) &&
         buffer_reserve(&c->scratch, e->scratch_bytes);
    mdf_md_free(&src);
    mdf_md_free(&dst);
    mdf_md_free(&any);
    mdf_md_free(&plain);
    mdf_md_free(&bias);
    return ok;
}

static bool same_shape(const mdf_conv_shape *a, const mdf_conv_shape *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->cin == b->cin && a->cout == b->cout &&
           a->kernel == b->kernel;
}

/* NULL: out of memory. */
static conv_entry *entry_find(conv_cache *c, const mdf_conv_shape *s, conv_kind kind, bool bias)
{
    for (size_t i = 0; i < c->count; i++) {
        conv_entry *e = &c->entry[i];
        if (e->kind == kind && e->bias == bias && same_shape(&e->shape, s)) {
            return e;
        }
    }
    if (c->count == c->capacity) {
        const size_t capacity = c->capacity == 0 ? 64 : c->capacity * 2;
        conv_entry *grown = mdf_grow(c->entry, c->count, capacity, sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        c->entry = grown;
        c->capacity = capacity;
    }
    conv_entry *e = &c->entry[c->count];
    *e = (conv_entry){.shape = *s, .kind = kind, .bias = bias};
    if (!entry_make(c, e)) {
        entry_free(e);
        return NULL;
    }
    c->count++;
    return e;
}

static bool set_handle(dnnl_memory_t m, const void *p)
{
    return dnnl_memory_set_data_handle(m, (void *)(uintptr_t)p) == dnnl_success;
}

static bool run_reorder(conv_cache *c, conv_entry *e)
{
    const bool back = e->kind == CONV_BACKWARD_WEIGHTS;
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, back ? e->blocked : e->plain},
                                    {DNNL_ARG_TO, back ? e->plain : e->blocked}};
    return dnnl_primitive_execute(e->reorder, c->stream, 2, args) == dnnl_success;
}

static bool bind_shared(conv_cache *c, conv_entry *e)
{
    return set_handle(e->blocked, c->blocked.data) && set_handle(e->scratch, c->scratch.data);
}

static bool conv2d_fwd(void *cache, const mdf_conv_shape *s, float *y, const float *x,
                       const float *w, const float *bias)
{
    conv_cache *c = cache;
    conv_entry *e = entry_find(c, s, CONV_FORWARD, bias != NULL);
    if (e == NULL || !bind_shared(c, e) || !set_handle(e->src, x) || !set_handle(e->dst, y) ||
        !set_handle(e->plain, w) || !run_reorder(c, e) ||
        (bias != NULL && !set_handle(e->bias_memory, bias))) {
        return false;
    }
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, e->src},
                                    {DNNL_ARG_WEIGHTS, e->blocked},
                                    {DNNL_ARG_DST, e->dst},
                                    {DNNL_ARG_SCRATCHPAD, e->scratch},
                                    {DNNL_ARG_BIAS, e->bias_memory}};
    return dnnl_primitive_execute(e->primitive, c->stream, bias == NULL ? 4 : 5, args) ==
               dnnl_success &&
           dnnl_stream_wait(c->stream) == dnnl_success;
}

static bool conv2d_bwd_data(void *cache, const mdf_conv_shape *s, float *dx, const float *dy,
                            const float *w, bool acc)
{
    conv_cache *c = cache;
    conv_entry *e = entry_find(c, s, CONV_BACKWARD_DATA, false);
    const int64_t count = s->n * s->h * s->w * s->cin;
    float *target = dx;
    if (acc) {
        if (!buffer_reserve(&c->sum, (size_t)count * sizeof *dx)) {
            return false;
        }
        target = c->sum.data;
    }
    if (e == NULL || !bind_shared(c, e) || !set_handle(e->src, target) || !set_handle(e->dst, dy) ||
        !set_handle(e->plain, w) || !run_reorder(c, e)) {
        return false;
    }
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_DIFF_SRC, e->src},
                                    {DNNL_ARG_WEIGHTS, e->blocked},
                                    {DNNL_ARG_DIFF_DST, e->dst},
                                    {DNNL_ARG_SCRATCHPAD, e->scratch}};
    if (dnnl_primitive_execute(e->primitive, c->stream, 4, args) != dnnl_success ||
        dnnl_stream_wait(c->stream) != dnnl_success) {
        return false;
    }
    if (acc) {
#pragma omp parallel for simd schedule(static)
        for (int64_t i = 0; i < count; i++) {
            dx[i] += target[i];
        }
    }
    return true;
}

static bool conv2d_bwd_weights(void *cache, const mdf_conv_shape *s, float *dw, float *db,
                               const float *x, const float *dy)
{
    conv_cache *c = cache;
    const int64_t count = s->cout * s->cin * s->kernel * s->kernel;
    conv_entry *e = entry_find(c, s, CONV_BACKWARD_WEIGHTS, db != NULL);
    if (e == NULL || !buffer_reserve(&c->plain, (size_t)(count + s->cout) * sizeof *dw)) {
        return false;
    }
    float *fresh = c->plain.data;
    if (!bind_shared(c, e) || !set_handle(e->src, x) || !set_handle(e->dst, dy) ||
        !set_handle(e->plain, fresh) ||
        (db != NULL && !set_handle(e->bias_memory, fresh + count))) {
        return false;
    }
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, e->src},
                                    {DNNL_ARG_DIFF_WEIGHTS, e->blocked},
                                    {DNNL_ARG_DIFF_DST, e->dst},
                                    {DNNL_ARG_SCRATCHPAD, e->scratch},
                                    {DNNL_ARG_DIFF_BIAS, e->bias_memory}};
    if (dnnl_primitive_execute(e->primitive, c->stream, db == NULL ? 4 : 5, args) != dnnl_success ||
        !run_reorder(c, e) || dnnl_stream_wait(c->stream) != dnnl_success) {
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        dw[i] += fresh[i];
    }
    for (int64_t i = 0; db != NULL && i < s->cout; i++) {
        db[i] += fresh[count + i];
    }
    return true;
}

static void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
                 const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
                 int64_t ldc)
{
    if (k == 0 || alpha == 0) {
        for (int64_t i = 0; i < m; i++) {
            for (int64_t j = 0; j < n; j++) {
                c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
            }
        }
    } else if (m > 0 && n > 0) {
        (void)dnnl_sgemm(trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb,
                         beta, c, ldc);
    }
}

bool mdf_kernels_fill_dnnl(mdf_kernels *k)
{
    conv_cache *c = mdf_alloc(1, sizeof *c);
    if (c == NULL) {
        return false;
    }
    if (dnnl_engine_create(&c->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags) != dnnl_success ||
        dnnl_primitive_attr_create(&c->attr) != dnnl_success ||
        dnnl_primitive_attr_set_scratchpad_mode(c->attr, dnnl_scratchpad_mode_user) !=
            dnnl_success) {
        cache_free(c);
        return false;
    }
    k->conv_cache = c;
    k->conv_cache_free = cache_free;
    k->gemm = gemm;
    k->conv2d_fwd = conv2d_fwd;
    k->conv2d_bwd_data = conv2d_bwd_data;
    k->conv2d_bwd_weights = conv2d_bwd_weights;
    return true;
}
