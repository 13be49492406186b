/* Attention at the model's shapes, forward and backward, through the tape. */
#include "base/alloc.h"
#include "base/clock.h"
#include "bench/bench_parts.h"
#include "tensor/tensor.h"

enum {
    REPEAT_MAX = 1000,
    SENTENCE_ROWS = 86, /* tokens of the data sets' median prompt */
    CACHED_ROWS = 256   /* tokens before one that is read alone */
};

typedef struct attention_case {
    const char *what;
    mdf_attend kind;
    int64_t heads, kv_heads, head_dim;
    int64_t nq, nk; /* of one case */
    int64_t cases;
} attention_case;

static mdf_tensor *random_leaf(mdf_graph *g, int64_t rows, int64_t columns)
{
    mdf_tensor *t = mdf_graph_tensor(g, 2, (int64_t[]){rows, columns});
    for (int64_t i = 0; t != NULL && i < rows * columns; i++) {
        t->data[i] = (mdf_real)(i % 19) * MDF_R(0.1) - MDF_R(0.9);
    }
    if (t != NULL) {
        t->needs_grad = true;
    }
    return t;
}

/* seconds[0]: forward; [1]: backward, from a gradient that is there. */
static mdf_status once(mdf_graph *g, const attention_case *a, const mdf_attn_segment *segment,
                       double seconds[2], mdf_error *err)
{
    const int64_t cases = a->cases;
    const mdf_attn_plan plan = {.kind = a->kind,
                                .heads = a->heads,
                                .kv_heads = a->kv_heads,
                                .head_dim = a->head_dim,
                                .segment = segment,
                                .segments = cases};
    mdf_graph_reset(g);
    mdf_tensor *q = random_leaf(g, cases * a->nq, a->heads * a->head_dim);
    mdf_tensor *k = random_leaf(g, cases * a->nk, a->kv_heads * a->head_dim);
    mdf_tensor *v = random_leaf(g, cases * a->nk, a->kv_heads * a->head_dim);
    double start = mdf_clock_seconds();
    mdf_tensor *y = mdf_attention(g, q, k, v, &plan);
    seconds[0] = mdf_clock_seconds() - start;
    mdf_real *dy = y == NULL ? NULL : mdf_grad_add_target(g, y);
    if (dy == NULL) {
        return mdf_graph_status(g, err);
    }
    for (int64_t i = 0; i < mdf_tensor_count(y); i++) {
        dy[i] = (mdf_real)(i % 7) * MDF_R(0.1) - MDF_R(0.3);
    }
    start = mdf_clock_seconds();
    g->last->op->backward(g, g->last);
    seconds[1] = mdf_clock_seconds() - start;
    return mdf_graph_status(g, err);
}

static mdf_status time_case(const mdf_bench *b, mdf_graph *g, const attention_case *a,
                            mdf_attn_segment *segment, mdf_error *err)
{
    const int64_t cases = a->cases;
    double seconds[2][REPEAT_MAX];
    const int n = b->opt->repeat < REPEAT_MAX ? b->opt->repeat : REPEAT_MAX;
    for (int64_t i = 0; i < cases; i++) {
        segment[i] = (mdf_attn_segment){.q0 = i * a->nq,
                                        .nq = a->nq,
                                        .k0 = i * a->nk,
                                        .nk = a->nk,
                                        .past = a->kind == MDF_ATTEND_CAUSAL ? a->nk - a->nq : 0};
    }
    MDF_TRY(mdf_bench_next(b, a->what, err));
    for (int i = 0; i <= n; i++) {
        double s[2] = {0};
        MDF_TRY(once(g, a, segment, s, err));
        for (int j = 0; j < 2; j++) {
            seconds[j][i > 0 ? i - 1 : 0] = s[j];
        }
    }
    const int64_t unseen = a->kind == MDF_ATTEND_CAUSAL ? a->nq * (a->nq - 1) / 2 : 0;
    const double pairs = (double)(a->nq * a->nk - unseen);
    const double flops = 2.0 * pairs * (double)(cases * a->heads * a->head_dim);
    for (int j = 0; j < 2; j++) { /* 2 products forward; 4 backward, recomputed weights apart */
        mdf_bench_row *row = mdf_bench_add(
            b, j == 0 ? "attention forward" : "attention backward", flops * (j == 0 ? 2 : 4),
            mdf_bench_median(seconds[j], n), "%s, %lld x %lld x %lld, %lld heads of %lld", a->what,
            (long long)cases, (long long)a->nq, (long long)a->nk, (long long)a->heads,
            (long long)a->head_dim);
        (void)row;
    }
    return MDF_OK;
}

mdf_status mdf_bench_attention(mdf_bench *b, mdf_error *err)
{
    const mdf_config *c = &b->config;
    const int64_t heads = c->text.num_attention_heads;
    const int64_t kv = c->text.num_key_value_heads;
    const int64_t hd = c->text.hidden_size / heads;
    const int64_t side = c->vision.image_size / c->vision.patch_size;
    const int64_t image = side * side + 1;
    const int64_t patches = (int64_t)c->fusion.grid * c->fusion.grid;
    const int64_t vh = c->vision.attention_heads;
    const int64_t batch = c->train.batch_size;
    const int64_t tiles = c->vision.max_num_tiles;
    const attention_case list[] = {
        {"text", MDF_ATTEND_CAUSAL, heads, kv, hd, SENTENCE_ROWS, SENTENCE_ROWS, batch},
        {"one token", MDF_ATTEND_CAUSAL, heads, kv, hd, 1, CACHED_ROWS, 1},
        {"text to image", MDF_ATTEND_FULL, heads, kv, hd, SENTENCE_ROWS, image, batch},
        {"text to patches", MDF_ATTEND_FULL, heads, kv, hd, SENTENCE_ROWS, patches, batch},
        {"vision", MDF_ATTEND_FULL, vh, vh, c->vision.hidden_size / vh, image, image, batch},
        {"all tiles", MDF_ATTEND_FULL, vh, vh, c->vision.hidden_size / vh, tiles * image,
         tiles * image, 1},
    };
    mdf_graph g;
    MDF_TRY(mdf_graph_init(&g, b->kernels, true, 0, err));
    mdf_attn_segment *segment = mdf_alloc((size_t)c->train.batch_size, sizeof *segment);
    mdf_status status =
        segment != NULL ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
    const size_t count = sizeof list / sizeof list[0] - (tiles > 1 ? 0 : 1);
    for (size_t i = 0; i < count && status == MDF_OK; i++) {
        status = time_case(b, &g, &list[i], segment, err);
    }
    mdf_free(segment);
    mdf_graph_free(&g);
    return status;
}
