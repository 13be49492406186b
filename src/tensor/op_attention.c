/* Scaled dot-product attention over packed segments, with grouped key/value heads and the masks of
 * the model: causal text, the label tree behind it, and vision tiles.
 *
 * Work is split by (segment, head); backward by (run, key/value head), a run being segments in a
 * row that share keys: such a task alone writes its rows of dk and dv.
 * Queries are taken in blocks so that scores stay in cache; backward recomputes the weights from
 * the saved log-sum-exp of every row. */
#include <string.h>

#include "tensor/op.h"

enum { QUERY_BLOCK = 64 };

typedef struct attention_saved {
    mdf_attn_plan plan;
    mdf_real *lse;     /* [heads, Nq] */
    mdf_real *scratch; /* [threads, 2 * QUERY_BLOCK * nk_max] */
    int64_t nk_max;
    int64_t *run; /* [runs + 1] first segment of every run; NULL unless the graph trains */
    int64_t runs;
} attention_saved;

static mdf_real minus_infinity(void)
{
    return -(mdf_real)INFINITY;
}

/* Keys from..to-1 of a segment: no query of a block sees others. */
typedef struct key_span {
    int64_t from, to;
    bool pairs; /* invalid keys are among them */
} key_span;

/* Invalid queries see no invalid keys: those at both ends are left out. */
static key_span pair_span(const mdf_attn_plan *p, const mdf_attn_segment *s, int64_t i0,
                          int64_t rows)
{
    key_span span = {0, s->nk, true};
    for (int64_t r = 0; r < rows; r++) {
        if (p->invalid[s->q0 + i0 + r] == 0) {
            return span;
        }
    }
    const uint8_t *invalid = p->invalid + s->k0;
    while (span.to > 0 && invalid[span.to - 1] != 0) {
        span.to--;
    }
    while (span.from < span.to && invalid[span.from] != 0) {
        span.from++;
    }
    span.pairs = false;
    for (int64_t j = span.from; j < span.to; j++) {
        span.pairs = span.pairs || invalid[j] != 0;
    }
    return span;
}

static key_span block_span(const mdf_attn_plan *p, const mdf_attn_segment *s, int64_t i0,
                           int64_t rows)
{
    const int64_t last = s->past + i0 + rows - 1; /* the last query's own key */
    if (p->kind == MDF_ATTEND_PAIR) {
        return pair_span(p, s, i0, rows);
    }
    const bool ahead =
        p->kind == MDF_ATTEND_CAUSAL || (p->kind == MDF_ATTEND_TREE && last < s->prefix);
    return (key_span){0, ahead && last + 1 < s->nk ? last + 1 : s->nk, false};
}

/* Forbids what query i of the segment may not see; row starts at the span's first key. */
static void mask_row(const mdf_attn_plan *p, const mdf_attn_segment *s, int64_t i, key_span span,
                     mdf_real *row)
{
    const mdf_real none = minus_infinity();
    switch (p->kind) {
    case MDF_ATTEND_FULL:
        break;
    case MDF_ATTEND_CAUSAL:
        for (int64_t j = s->past + i + 1; j < span.to; j++) {
            row[j - span.from] = none;
        }
        break;
    case MDF_ATTEND_TREE:
        i += s->past;
        for (int64_t j = (i < s->prefix ? i + 1 : s->prefix); j < span.to; j++) {
            const bool seen = i >= s->prefix && j >= s->prefix &&
                              p->tree[(i - s->prefix) * p->tree_nodes + (j - s->prefix)] != 0;
            row[j - span.from] = seen ? row[j - span.from] : none;
        }
        break;
    case MDF_ATTEND_PAIR:
        for (int64_t j = span.from; span.pairs && p->invalid[s->q0 + i] != 0 && j < span.to; j++) {
            row[j - span.from] = p->invalid[s->k0 + j] != 0 ? none : row[j - span.from];
        }
        break;
    }
}

/* scores [rows, span] of queries i0.. of the segment for one head. */
static void block_scores(const mdf_graph *g, const mdf_attn_plan *p, const mdf_attn_segment *s,
                         const mdf_tensor *q, const mdf_tensor *k, int64_t head, int64_t i0,
                         int64_t rows, key_span span, mdf_real *scores)
{
    const int64_t hd = p->head_dim;
    const int64_t ldq = p->heads * hd;
    const int64_t ldk = p->kv_heads * hd;
    const int64_t kv = head / (p->heads / p->kv_heads);
    const int64_t nk = span.to - span.from;
    const int64_t first = s->k0 + span.from;
    const mdf_real scale = 1 / mdf_sqrt((mdf_real)hd);
    g->kernels->gemm(false, true, rows, nk, hd, scale, q->data + (s->q0 + i0) * ldq + head * hd,
                     ldq, k->data + first * ldk + kv * hd, ldk, 0, scores, nk);
    for (int64_t r = 0; r < rows; r++) {
        if (p->key_bias != NULL) {
            g->kernels->axpy(scores + r * nk, 1, p->key_bias + first, nk);
        }
        mask_row(p, s, i0 + r, span, scores + r * nk);
    }
}

static void forward_task(const mdf_graph *g, const attention_saved *a, const mdf_tensor *q,
                         const mdf_tensor *k, const mdf_tensor *v, mdf_tensor *y, int64_t task)
{
    const mdf_attn_plan *p = &a->plan;
    const mdf_attn_segment *s = &p->segment[task / p->heads];
    const int64_t head = task % p->heads;
    const int64_t hd = p->head_dim;
    const int64_t kv = head / (p->heads / p->kv_heads);
    const int64_t nq_all = mdf_row_count(q);
    mdf_real *scores = a->scratch + mdf_thread_index() * 2 * QUERY_BLOCK * a->nk_max;
    for (int64_t i0 = 0; i0 < s->nq; i0 += QUERY_BLOCK) {
        const int64_t rows = s->nq - i0 < QUERY_BLOCK ? s->nq - i0 : QUERY_BLOCK;
        const key_span span = block_span(p, s, i0, rows);
        const int64_t nk = span.to - span.from;
        mdf_real *lse = a->lse + head * nq_all + s->q0 + i0;
        if (nk == 0) { /* they see nothing: y stays zero */
            for (int64_t r = 0; r < rows; r++) {
                lse[r] = minus_infinity();
            }
            continue;
        }
        block_scores(g, p, s, q, k, head, i0, rows, span, scores);
        for (int64_t r = 0; r < rows; r++) {
            lse[r] = g->kernels->softmax(scores + r * nk, nk);
        }
        g->kernels->gemm(false, false, rows, hd, nk, 1, scores, nk,
                         v->data + (s->k0 + span.from) * p->kv_heads * hd + kv * hd,
                         p->kv_heads * hd, 0, y->data + (s->q0 + i0) * p->heads * hd + head * hd,
                         p->heads * hd);
    }
}

/* Mean over heads of the weights, for pictures of where the model looked. */
static void write_map(const mdf_graph *g, const attention_saved *a, const mdf_tensor *q,
                      const mdf_tensor *k)
{
    const mdf_attn_plan *p = &a->plan;
    const int64_t nq_all = mdf_row_count(q);
    mdf_real *map = p->map_out;
    for (int64_t n = 0; n < p->segments; n++) {
        const mdf_attn_segment *s = &p->segment[n];
        memset(map, 0, (size_t)(s->nq * s->nk) * sizeof *map);
        for (int64_t i = 0; i < s->nq; i++) {
            for (int64_t head = 0; head < p->heads; head++) {
                block_scores(g, p, s, q, k, head, i, 1, (key_span){0, s->nk, true}, a->scratch);
                g->kernels->exp_shift(a->scratch, a->lse[head * nq_all + s->q0 + i], s->nk);
                g->kernels->axpy(map + i * s->nk, 1 / (mdf_real)p->heads, a->scratch, s->nk);
            }
        }
        map += s->nq * s->nk;
    }
}

typedef struct attention_grads {
    mdf_real *dq, *dk, *dv; /* zeroed or to be added to; NULL: not wanted */
} attention_grads;

/* One block of queries of one head: weights p, then dv, dp, ds, dq, dk. */
static void backward_block(const mdf_graph *g, const mdf_node *node, const attention_grads *d,
                           const mdf_attn_segment *s, int64_t head, int64_t i0, int64_t rows)
{
    const attention_saved *a = node->saved;
    const mdf_attn_plan *p = &a->plan;
    const mdf_kernels *kn = g->kernels;
    const int64_t hd = p->head_dim;
    const int64_t ldq = p->heads * hd;
    const int64_t ldk = p->kv_heads * hd;
    const int64_t qat = (s->q0 + i0) * ldq + head * hd;
    const key_span span = block_span(p, s, i0, rows);
    const int64_t nk = span.to - span.from;
    const int64_t kat = (s->k0 + span.from) * ldk + head / (p->heads / p->kv_heads) * hd;
    const mdf_real scale = 1 / mdf_sqrt((mdf_real)hd);
    const mdf_real *dy = node->out->grad + qat;
    mdf_real *w = a->scratch + mdf_thread_index() * 2 * QUERY_BLOCK * a->nk_max;
    mdf_real *ds = w + QUERY_BLOCK * a->nk_max;
    if (nk == 0) {
        return;
    }
    block_scores(g, p, s, node->in[0], node->in[1], head, i0, rows, span, w);
    for (int64_t r = 0; r < rows; r++) {
        kn->exp_shift(w + r * nk, a->lse[head * mdf_row_count(node->in[0]) + s->q0 + i0 + r], nk);
    }
    if (d->dv != NULL) {
        kn->gemm(true, false, nk, hd, rows, 1, w, nk, dy, ldq, 1, d->dv + kat, ldk);
    }
    kn->gemm(false, true, rows, nk, hd, 1, dy, ldq, node->in[2]->data + kat, ldk, 0, ds, nk);
    for (int64_t r = 0; r < rows; r++) {
        const mdf_real dot = (mdf_real)kn->dot(dy + r * ldq, node->out->data + qat + r * ldq, hd);
        for (int64_t j = 0; j < nk; j++) {
            ds[r * nk + j] = w[r * nk + j] * (ds[r * nk + j] - dot) * scale;
        }
    }
    if (d->dq != NULL) {
        kn->gemm(false, false, rows, hd, nk, 1, ds, nk, node->in[1]->data + kat, ldk, 1,
                 d->dq + qat, ldq);
    }
    if (d->dk != NULL) {
        kn->gemm(true, false, nk, hd, rows, 1, ds, nk, node->in[0]->data + qat, ldq, 1, d->dk + kat,
                 ldk);
    }
}

static void backward_segment(const mdf_graph *g, const mdf_node *node, const attention_grads *d,
                             const mdf_attn_segment *s, int64_t head)
{
    for (int64_t i0 = 0; i0 < s->nq; i0 += QUERY_BLOCK) {
        const int64_t rows = s->nq - i0 < QUERY_BLOCK ? s->nq - i0 : QUERY_BLOCK;
        backward_block(g, node, d, s, head, i0, rows);
    }
}

static void attention_backward(mdf_graph *g, const mdf_node *node)
{
    const attention_saved *a = node->saved;
    const mdf_attn_plan *p = &a->plan;
    const attention_grads d = {mdf_grad_add_target(g, node->in[0]),
                               mdf_grad_add_target(g, node->in[1]),
                               mdf_grad_add_target(g, node->in[2])};
    const int64_t group = p->heads / p->kv_heads;
    if (g->error.code != MDF_OK) {
        return;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t task = 0; task < a->runs * p->kv_heads; task++) {
        const int64_t run = task / p->kv_heads;
        const int64_t first = task % p->kv_heads * group;
        for (int64_t n = a->run[run]; n < a->run[run + 1]; n++) {
            for (int64_t head = first; head < first + group; head++) {
                backward_segment(g, node, &d, &p->segment[n], head);
            }
        }
    }
}

/* A segment whose keys all lie behind those of the segments before begins a run; one that reaches
 * back into earlier runs makes them one. */
static bool find_runs(mdf_graph *g, attention_saved *a)
{
    const int64_t n = a->plan.segments;
    int64_t *end = mdf_graph_alloc(g, n, sizeof *end); /* of all keys up to and with a run */
    a->run = mdf_graph_alloc(g, n + 1, sizeof *a->run);
    if (g->error.code != MDF_OK) {
        return false;
    }
    for (int64_t i = 0; i < n; i++) {
        const mdf_attn_segment *s = &a->plan.segment[i];
        int64_t last = s->k0 + s->nk;
        if (a->runs == 0 || s->k0 >= end[a->runs - 1]) {
            a->run[a->runs++] = i;
        } else {
            last = end[a->runs - 1] > last ? end[a->runs - 1] : last;
            while (a->runs > 1 && s->k0 < end[a->runs - 2]) {
                a->runs--;
            }
        }
        end[a->runs - 1] = last;
    }
    a->run[a->runs] = n;
    return true;
}

static const mdf_op op_attention = {"attention", attention_backward};

static bool plan_fits(const mdf_attn_plan *p, const mdf_tensor *q, const mdf_tensor *k,
                      const mdf_tensor *v)
{
    if (p->heads < 1 || p->kv_heads < 1 || p->head_dim < 1 || p->heads % p->kv_heads != 0 ||
        mdf_last_dim(q) != p->heads * p->head_dim || mdf_last_dim(k) != p->kv_heads * p->head_dim ||
        !mdf_same_shape(k, v)) {
        return false;
    }
    for (int64_t i = 0; i < p->segments; i++) {
        const mdf_attn_segment *s = &p->segment[i];
        if (s->q0 < 0 || s->nq < 0 || s->q0 + s->nq > mdf_row_count(q) || s->k0 < 0 || s->nk < 1 ||
            s->k0 + s->nk > mdf_row_count(k)) {
            return false;
        }
        if (p->kind == MDF_ATTEND_TREE && s->past + s->nq - s->prefix > p->tree_nodes) {
            return false;
        }
        if ((p->kind == MDF_ATTEND_TREE || p->kind == MDF_ATTEND_CAUSAL) && s->past < 0) {
            return false;
        }
    }
    return true;
}

mdf_tensor *mdf_attention(mdf_graph *g, mdf_tensor *q, mdf_tensor *k, mdf_tensor *v,
                          const mdf_attn_plan *plan)
{
    if (q == NULL || k == NULL || v == NULL) {
        return NULL;
    }
    if (!plan_fits(plan, q, k, v)) {
        return mdf_graph_fail(g, MDF_ERR_SHAPE, op_attention.name,
                              "heads or segments do not fit q, k and v");
    }
    int64_t nk_max = 1;
    for (int64_t i = 0; i < plan->segments; i++) {
        nk_max = plan->segment[i].nk > nk_max ? plan->segment[i].nk : nk_max;
    }
    mdf_tensor *y = mdf_zeros(g, q->rank, q->dim);
    attention_saved *a = mdf_graph_alloc(g, 1, sizeof *a);
    mdf_real *lse = mdf_graph_alloc(g, plan->heads * mdf_row_count(q), sizeof *lse);
    mdf_real *scratch =
        mdf_graph_alloc(g, mdf_thread_count() * 2 * QUERY_BLOCK * nk_max, sizeof *scratch);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    *a = (attention_saved){.plan = *plan, .lse = lse, .scratch = scratch, .nk_max = nk_max};
    if (g->train && !find_runs(g, a)) {
        return NULL;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t task = 0; task < plan->segments * plan->heads; task++) {
        forward_task(g, a, q, k, v, y, task);
    }
    if (plan->map_out != NULL) {
        write_map(g, a, q, k);
    }
    return mdf_graph_record(g, &op_attention, y, (mdf_tensor *[]){q, k, v}, 3, a);
}
