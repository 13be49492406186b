/* Scaled dot-product attention over packed segments, with grouped key/value heads and the masks of
 * the model: causal text, the label tree behind it, and vision tiles.
 *
 * Forward is the kernel table's; a task is some rows (query, head) of a segment that share a
 * key/value head. Few rows behind many keys (a token of a long conversation) make a task for every
 * piece of the keys instead, and what the pieces give is joined. Backward is split by (run,
 * key/value head), a run being segments in a row that share keys: such a task alone writes its rows
 * of dk and dv. It takes queries in blocks so that scores stay in cache, and recomputes the weights
 * from the saved log-sum-exp of every row. */
#include <string.h>

#include "tensor/attention_sight.h"
#include "tensor/op.h"

enum {
    QUERY_BLOCK = 64, /* backward */
    TASK_ROWS = 384,  /* forward: what passes over a head's keys together */
    TASKS_LEAST = 16, /* below that, tasks of half as many rows: threads end together */
    PIECE_ROWS = 8,   /* of a segment and key/value head, most of them: keys are cut in pieces */
    PIECE_KEYS = 512, /* at least, if there are two such pieces */
    PIECE_STEP = 64,  /* pieces are multiples of it, but the last */
    PIECES_MOST = 16,
    HUGE_SCORE = 1000 /* of which rounding is worth mentioning: half an ulp is 3e-5 */
};

typedef struct attention_saved {
    mdf_attn_plan plan;
    mdf_real *lse;     /* [heads, Nq] */
    mdf_real *scratch; /* [threads, scratch_size] */
    int64_t scratch_size;
    int64_t nk_max;
    int64_t task_rows;
    int64_t pieces;      /* of the keys */
    mdf_real *piece_y;   /* [pieces, Nq, heads * head_dim]; NULL of one piece */
    mdf_real *piece_lse; /* [pieces, heads, Nq] */
    int64_t *run;        /* [runs + 1] first segment of every run; NULL unless the graph trains */
    int64_t runs;
} attention_saved;

static mdf_real minus_infinity(void)
{
    return -(mdf_real)INFINITY;
}

static mdf_real *thread_scratch(const attention_saved *a)
{
    return a->scratch + mdf_thread_index() * a->scratch_size;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Parts of task_rows that the rows of a segment and key/value head make. */
static int64_t part_count(const mdf_attn_plan *p, int64_t task_rows, int64_t segment)
{
    const int64_t rows = p->segment[segment].nq * (p->heads / p->kv_heads);
    return (rows + task_rows - 1) / task_rows;
}

static mdf_dtype type_of(const mdf_tensor *k)
{
    return k->raw != NULL ? k->dtype : MDF_DTYPE_REAL;
}

/* The first key or value of a segment for one head. */
static const void *first_of(const mdf_attn_plan *p, const mdf_tensor *k, const mdf_attn_segment *s,
                            int64_t kv)
{
    if (k->raw != NULL) {
        return mdf_raw_row(k, p->head_dim, kv * k->dim[1] + s->k0);
    }
    return k->data + (s->k0 * p->kv_heads + kv) * p->head_dim;
}

/* Where a task's results go: y as the result, lse [heads, Nq]. */
typedef struct task_result {
    mdf_real *y, *lse;
} task_result;

static void forward_task(const mdf_graph *g, const attention_saved *a, const mdf_tensor *q,
                         const mdf_tensor *k, const mdf_tensor *v, task_result to,
                         const mdf_attn_segment *s, mdf_attention_sight sight, int64_t kv,
                         int64_t part)
{
    const mdf_attn_plan *p = &a->plan;
    const int64_t group = p->heads / p->kv_heads;
    const int64_t ldq = p->heads * p->head_dim;
    const int64_t qat = s->q0 * ldq + kv * group * p->head_dim;
    const mdf_attention_task task = {
        .q = q->data + qat,
        .k = first_of(p, k, s, kv),
        .v = first_of(p, v, s, kv),
        .kv_type = type_of(k),
        .key_bias = p->key_bias == NULL ? NULL : p->key_bias + s->k0,
        .y = to.y + qat,
        .lse = to.lse + kv * group * mdf_row_count(q) + s->q0,
        .ldq = ldq,
        .ldk = k->raw != NULL ? p->head_dim : p->kv_heads * p->head_dim,
        .lse_step = mdf_row_count(q),
        .heads = group,
        .head_dim = p->head_dim,
        .first = part * a->task_rows,
        .rows = smaller(a->task_rows, s->nq * group - part * a->task_rows),
        .sight = sight};
    g->kernels->attention(&task, thread_scratch(a));
}

/* Row `row` of head `head`: y = sum of the pieces' y by their shares exp(lse of the piece - lse).
 */
static void join_row(const attention_saved *a, mdf_real *y, int64_t row, int64_t head, int64_t rows)
{
    const mdf_attn_plan *p = &a->plan;
    const int64_t at = head * rows + row;
    const int64_t column = (row * p->heads + head) * p->head_dim;
    mdf_real most = minus_infinity();
    mdf_real sum = 0;
    for (int64_t i = 0; i < a->pieces; i++) {
        const mdf_real lse = a->piece_lse[i * p->heads * rows + at];
        most = lse > most || isnan(lse) ? lse : most;
    }
    for (int64_t i = 0; most != minus_infinity() && i < a->pieces; i++) {
        sum += mdf_exp(a->piece_lse[i * p->heads * rows + at] - most);
    }
    a->lse[at] = sum > 0 ? most + mdf_log(sum) : most;
    for (int64_t i = 0; most != minus_infinity() && i < a->pieces; i++) {
        const mdf_real share = mdf_exp(a->piece_lse[i * p->heads * rows + at] - most) / sum;
        const mdf_real *part = a->piece_y + i * rows * p->heads * p->head_dim + column;
        for (int64_t d = 0; d < p->head_dim; d++) {
            y[column + d] += share * part[d];
        }
    }
}

/* Few rows, many keys: a task a key/value head and piece of the keys. */
static void forward_pieces(const mdf_graph *g, const attention_saved *a, const mdf_tensor *q,
                           const mdf_tensor *k, const mdf_tensor *v, const mdf_tensor *y)
{
    const mdf_attn_plan *p = &a->plan;
    const int64_t rows = mdf_row_count(q);
    const int64_t tasks = p->segments * p->kv_heads * a->pieces;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t task = 0; task < tasks; task++) {
        const int64_t piece = task % a->pieces;
        const mdf_attn_segment *s = &p->segment[task / a->pieces / p->kv_heads];
        const int64_t even = (s->nk + a->pieces - 1) / a->pieces;
        const int64_t keys = (even + PIECE_STEP - 1) / PIECE_STEP * PIECE_STEP;
        const mdf_piece_sight sight = {
            {p, s}, smaller(piece * keys, s->nk), smaller((piece + 1) * keys, s->nk)};
        const task_result to = {a->piece_y + piece * mdf_tensor_count(q),
                                a->piece_lse + piece * p->heads * rows};
        forward_task(g, a, q, k, v, to, s,
                     (mdf_attention_sight){mdf_piece_span, mdf_sight_mask, &sight},
                     task / a->pieces % p->kv_heads, 0);
    }
    for (int64_t n = 0; n < p->segments; n++) {
        const mdf_attn_segment *s = &p->segment[n];
        for (int64_t i = 0; i < s->nq * p->heads; i++) {
            join_row(a, y->data, s->q0 + i / p->heads, i % p->heads, rows);
        }
    }
}

static void forward(const mdf_graph *g, attention_saved *a, const mdf_tensor *q,
                    const mdf_tensor *k, const mdf_tensor *v, const mdf_tensor *y)
{
    const mdf_attn_plan *p = &a->plan;
    int64_t all = 0;
    int64_t parts = 0; /* of the longest segment */
    for (int64_t n = 0; n < p->segments; n++) {
        all += part_count(p, TASK_ROWS, n) * p->kv_heads;
    }
    a->task_rows = all < TASKS_LEAST ? TASK_ROWS / 2 : TASK_ROWS;
    for (int64_t n = 0; n < p->segments; n++) {
        const int64_t count = part_count(p, a->task_rows, n);
        parts = count > parts ? count : parts;
    }
    const int64_t tasks = p->segments * p->kv_heads * parts;
#pragma omp parallel for schedule(dynamic, 1) if (tasks > 1)
    for (int64_t task = 0; task < tasks; task++) {
        const int64_t segment = task / parts / p->kv_heads;
        if (task % parts < part_count(p, a->task_rows, segment)) {
            const mdf_segment_sight sight = {p, &p->segment[segment]};
            forward_task(g, a, q, k, v, (task_result){y->data, a->lse}, sight.segment,
                         (mdf_attention_sight){mdf_sight_span, mdf_sight_mask, &sight},
                         task / parts % p->kv_heads, task % parts);
        }
    }
}

/* scores [rows, keys of the span] of queries i0.. of the segment for one head. */
static void block_scores(const mdf_graph *g, const mdf_attn_plan *p, const mdf_attn_segment *s,
                         const mdf_tensor *q, const mdf_tensor *k, int64_t head, int64_t i0,
                         int64_t rows, mdf_key_span span, mdf_real *scores)
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
        mdf_sight_mask(&(mdf_segment_sight){p, s}, i0 + r, span.mask_from,
                       span.mask_to - span.mask_from,
                       scores + r * nk + (span.mask_from - span.from), 1);
    }
}

/* Scores of n keys become weights again. The forward kernel rounded its scores otherwise, which
 * huge ones show: no weight exceeds 1. */
static void weights_again(const mdf_graph *g, mdf_real *scores, mdf_real lse, int64_t n)
{
    g->kernels->exp_shift(scores, lse, n);
    for (int64_t j = 0; j < n && (lse > HUGE_SCORE || lse < -HUGE_SCORE); j++) {
        scores[j] = scores[j] > 1 ? 1 : scores[j]; /* NaN stays */
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
                block_scores(g, p, s, q, k, head, i, 1, (mdf_key_span){0, s->nk, 0, s->nk},
                             a->scratch);
                weights_again(g, a->scratch, a->lse[head * nq_all + s->q0 + i], s->nk);
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
    const mdf_key_span span = mdf_sight_span(&(mdf_segment_sight){p, s}, i0, rows);
    const int64_t nk = span.to - span.from;
    const int64_t kat = (s->k0 + span.from) * ldk + head / (p->heads / p->kv_heads) * hd;
    const mdf_real scale = 1 / mdf_sqrt((mdf_real)hd);
    const mdf_real *dy = node->out->grad + qat;
    mdf_real *w = thread_scratch(a);
    mdf_real *ds = w + QUERY_BLOCK * a->nk_max;
    if (nk == 0) {
        return;
    }
    block_scores(g, p, s, node->in[0], node->in[1], head, i0, rows, span, w);
    for (int64_t r = 0; r < rows; r++) {
        weights_again(g, w + r * nk, a->lse[head * mdf_row_count(node->in[0]) + s->q0 + i0 + r],
                      nk);
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

/* Rows of k and v; -1: they are none of the plan's. */
static int64_t key_count(const mdf_graph *g, const mdf_attn_plan *p, const mdf_tensor *k,
                         const mdf_tensor *v)
{
    if (!mdf_same_shape(k, v)) {
        return -1;
    }
    if (k->raw == NULL && v->raw == NULL) {
        return mdf_last_dim(k) == p->kv_heads * p->head_dim ? mdf_row_count(k) : -1;
    }
    const bool known = k->dtype == MDF_DTYPE_F32 || k->dtype == MDF_DTYPE_F16 ||
                       k->dtype == MDF_DTYPE_BF16 || k->dtype == MDF_DTYPE_Q8_0;
    const bool fits = k->raw != NULL && v->raw != NULL && known && v->dtype == k->dtype &&
                      mdf_raw_fits(k, p->head_dim) && k->rank == 3 && k->dim[0] == p->kv_heads &&
                      k->dim[2] == p->head_dim;
    return fits && !g->train && p->map_out == NULL ? k->dim[1] : -1;
}

static bool plan_fits(const mdf_graph *g, const mdf_attn_plan *p, const mdf_tensor *q,
                      const mdf_tensor *k, const mdf_tensor *v)
{
    if (p->heads < 1 || p->kv_heads < 1 || p->head_dim < 1 || p->heads % p->kv_heads != 0 ||
        mdf_last_dim(q) != p->heads * p->head_dim) {
        return false;
    }
    const int64_t keys = key_count(g, p, k, v);
    if (keys < 0) {
        return false;
    }
    for (int64_t i = 0; i < p->segments; i++) {
        const mdf_attn_segment *s = &p->segment[i];
        if (s->q0 < 0 || s->nq < 0 || s->q0 + s->nq > mdf_row_count(q) || s->k0 < 0 || s->nk < 1 ||
            s->k0 + s->nk > keys) {
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

/* Numbers of scratch that one thread needs, whole lines of the cache. */
static int64_t scratch_size(const mdf_graph *g, const mdf_attn_plan *p, mdf_dtype kv_type,
                            int64_t nk_max)
{
    enum { LINE = 64 / sizeof(mdf_real) };
    const size_t bytes = g->kernels->attention_scratch(kv_type, p->head_dim, nk_max);
    int64_t size = (int64_t)(bytes / sizeof(mdf_real)) + 1;
    const int64_t other = g->train ? 2 * QUERY_BLOCK * nk_max : p->map_out != NULL ? nk_max : 0;
    size = other > size ? other : size;
    return (size + LINE - 1) / LINE * LINE;
}

/* Chooses the pieces by the plan's shape alone, so that threads don't change the result. */
static bool cut_keys(mdf_graph *g, attention_saved *a, const mdf_tensor *q)
{
    const mdf_attn_plan *p = &a->plan;
    a->pieces = smaller(a->nk_max / PIECE_KEYS, PIECES_MOST);
    a->pieces = a->pieces > 1 ? a->pieces : 1;
    for (int64_t i = 0; i < p->segments; i++) {
        if (p->segment[i].nq * (p->heads / p->kv_heads) > PIECE_ROWS) {
            a->pieces = 1;
        }
    }
    if (a->pieces > 1) {
        a->piece_y = mdf_graph_alloc(g, a->pieces * mdf_tensor_count(q), sizeof *a->piece_y);
        a->task_rows = PIECE_ROWS;
        a->piece_lse =
            mdf_graph_alloc(g, a->pieces * p->heads * mdf_row_count(q), sizeof *a->piece_lse);
    }
    return g->error.code == MDF_OK;
}

mdf_tensor *mdf_attention(mdf_graph *g, mdf_tensor *q, mdf_tensor *k, mdf_tensor *v,
                          const mdf_attn_plan *plan)
{
    if (q == NULL || k == NULL || v == NULL) {
        return NULL;
    }
    if (!plan_fits(g, plan, q, k, v)) {
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
    const int64_t size = scratch_size(g, plan, type_of(k), nk_max);
    mdf_real *scratch = mdf_graph_alloc(g, mdf_thread_count() * size, sizeof *scratch);
    if (g->error.code != MDF_OK) {
        return NULL;
    }
    *a = (attention_saved){
        .plan = *plan, .lse = lse, .scratch = scratch, .scratch_size = size, .nk_max = nk_max};
    if ((g->train && !find_runs(g, a)) || !cut_keys(g, a, q)) {
        return NULL;
    }
    if (a->pieces > 1) {
        forward_pieces(g, a, q, k, v, y);
    } else {
        forward(g, a, q, k, v, y);
    }
    if (plan->map_out != NULL) {
        write_map(g, a, q, k);
    }
    return mdf_graph_record(g, &op_attention, y, (mdf_tensor *[]){q, k, v}, 3, a);
}
