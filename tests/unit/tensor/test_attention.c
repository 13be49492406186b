/* Attention whose blocks of queries see only some of the keys, against sums over all keys. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tensor/tensor.h"

enum { HEADS = 2, HEAD_DIM = 8, WIDTH = HEADS * HEAD_DIM, ROWS = 1200, FIRST = 3 };

/* Weights of at most 200 keys, in float: 200 roundings of 6e-8, gradients of a few units. Where
 * there are more keys the weights are the smaller. */
#define ROUNDINGS (sizeof(mdf_real) == sizeof(float) ? 2e-5 : 1e-12)

typedef struct setting {
    mdf_kernels *kernels;
    mdf_graph graph;
    mdf_tensor in[3]; /* q [ROWS, WIDTH], k and v [ROWS, HEAD_DIM]: one key head for both */
    mdf_real data[3][ROWS * WIDTH], grad[3][ROWS * WIDTH], dy[ROWS * WIDTH], bias[ROWS];
    double y[ROWS * WIDTH], want[3][ROWS * WIDTH];
    uint8_t invalid[ROWS], tree[30 * 30];
} setting;

static mdf_real number(uint32_t i)
{
    const uint32_t s = (i * 2654435761U) ^ (i << 7);
    return (mdf_real)((s * 1664525U + 1013904223U) >> 8) / (mdf_real)8388608 - 1;
}

static void open(setting *s)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(mdf_kernels_new(&s->kernels, NULL, NULL), MDF_OK);
    assert_int_equal(mdf_graph_init(&s->graph, s->kernels, true, 0, NULL), MDF_OK);
    for (uint32_t t = 0; t < 3; t++) {
        for (uint32_t i = 0; i < ROWS * WIDTH; i++) {
            s->data[t][i] = 2 * number(i + 100000 * t);
            s->dy[i] = number(i + 400000);
        }
        s->in[t] = (mdf_tensor){.name = "in",
                                .rank = 2,
                                .dim = {ROWS, t == 0 ? WIDTH : HEAD_DIM},
                                .data = s->data[t],
                                .grad = s->grad[t],
                                .needs_grad = true};
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        s->bias[i] = number(i + 500000);
    }
    for (int i = 0; i < 30; i++) { /* every node sees itself and every third before it */
        for (int j = 0; j <= i; j++) {
            s->tree[i * 30 + j] = (i - j) % 3 == 0;
        }
    }
}

static void close(setting *s)
{
    mdf_graph_free(&s->graph);
    mdf_kernels_free(s->kernels);
}

static bool sees(const mdf_attn_plan *p, int64_t i, int64_t j)
{
    const mdf_attn_segment *s = p->segment;
    const int64_t at = s->past + i;
    switch (p->kind) {
    case MDF_ATTEND_CAUSAL:
        return j <= at;
    case MDF_ATTEND_TREE:
        return at < s->prefix || j < s->prefix
                   ? j <= at
                   : p->tree[(at - s->prefix) * p->tree_nodes + (j - s->prefix)] != 0;
    case MDF_ATTEND_PAIR:
        return p->invalid[s->q0 + i] == 0 || p->invalid[s->k0 + j] == 0;
    case MDF_ATTEND_FULL:
        break;
    }
    return true;
}

/* One query of one head: y, and what it adds to the gradients. */
static void naive_row(setting *s, const mdf_attn_plan *p, int64_t i, int64_t head)
{
    const mdf_attn_segment *g = p->segment;
    const int64_t row = (g->q0 + i) * WIDTH + head * HEAD_DIM;
    const double scale = 1 / sqrt(HEAD_DIM);
    double w[ROWS] = {0};
    double dp[ROWS] = {0};
    double sum = 0;
    double mean = 0;
    for (int64_t j = 0; j < g->nk; j++) {
        const int64_t key = (g->k0 + j) * HEAD_DIM;
        double score = (double)s->bias[g->k0 + j];
        for (int64_t c = 0; c < HEAD_DIM; c++) {
            score += scale * (double)s->data[0][row + c] * (double)s->data[1][key + c];
            dp[j] += (double)s->dy[row + c] * (double)s->data[2][key + c];
        }
        w[j] = sees(p, i, j) ? exp(score) : 0;
        sum += w[j];
    }
    for (int64_t j = 0; j < g->nk; j++) {
        w[j] = sum > 0 ? w[j] / sum : 0;
        mean += w[j] * dp[j];
    }
    for (int64_t j = 0; j < g->nk; j++) {
        const int64_t key = (g->k0 + j) * HEAD_DIM;
        const double ds = w[j] * (dp[j] - mean) * scale;
        for (int64_t c = 0; c < HEAD_DIM; c++) {
            s->y[row + c] += w[j] * (double)s->data[2][key + c];
            s->want[0][row + c] += ds * (double)s->data[1][key + c];
            s->want[1][key + c] += ds * (double)s->data[0][row + c];
            s->want[2][key + c] += w[j] * (double)s->dy[row + c];
        }
    }
}

static void compare(const mdf_real *got, const double *want, int64_t n, double tolerance)
{
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs((double)got[i] - want[i]);
        if (!(error <= tolerance * (1 + fabs(want[i])))) {
            fail_msg("number %lld is %.9g, want %.9g", (long long)i, (double)got[i], want[i]);
        }
    }
}

static void check(setting *s, mdf_attend kind, const mdf_attn_segment *segment)
{
    const mdf_attn_plan plan = {.kind = kind,
                                .heads = HEADS,
                                .kv_heads = 1,
                                .head_dim = HEAD_DIM,
                                .segment = segment,
                                .segments = 1,
                                .key_bias = s->bias,
                                .invalid = s->invalid,
                                .tree = s->tree,
                                .tree_nodes = 30};
    mdf_graph_reset(&s->graph);
    memset(s->grad, 0, sizeof s->grad);
    memset(s->y, 0, sizeof s->y);
    memset(s->want, 0, sizeof s->want);
    mdf_tensor *y = mdf_attention(&s->graph, &s->in[0], &s->in[1], &s->in[2], &plan);
    assert_non_null(y);
    mdf_real *dy = mdf_grad_add_target(&s->graph, y);
    assert_non_null(dy);
    memcpy(dy, s->dy, sizeof s->dy);
    s->graph.last->op->backward(&s->graph, s->graph.last);
    for (int64_t i = 0; i < segment->nq; i++) {
        for (int64_t head = 0; head < HEADS; head++) {
            naive_row(s, &plan, i, head);
        }
    }
    compare(y->data, s->y, ROWS * WIDTH, ROUNDINGS);
    for (int t = 0; t < 3; t++) {
        compare(s->grad[t], s->want[t], ROWS * (t == 0 ? WIDTH : HEAD_DIM), ROUNDINGS);
    }
}

/* Valid tokens at the begin, in the middle, at the end, apart, none, all. */
static void pairs_of_valid_and_invalid_tokens(void **state)
{
    static setting s;
    static const int valid[][4] = {{0, 70, 0, 0},    {80, 90, 0, 0}, {130, 190, 0, 0},
                                   {5, 9, 100, 101}, {0, 0, 0, 0},   {0, 190, 0, 0},
                                   {0, 64, 128, 190}};
    (void)state;
    open(&s);
    const mdf_attn_segment segment = {.q0 = FIRST, .nq = 190, .k0 = FIRST, .nk = 190};
    for (size_t v = 0; v < sizeof valid / sizeof valid[0]; v++) {
        for (int i = 0; i < 190; i++) {
            const bool in =
                (i >= valid[v][0] && i < valid[v][1]) || (i >= valid[v][2] && i < valid[v][3]);
            s.invalid[FIRST + i] = in ? 0 : 2;
        }
        check(&s, MDF_ATTEND_PAIR, &segment);
    }
    close(&s);
}

static void text_with_and_without_a_cache(void **state)
{
    static setting s;
    static const mdf_attn_segment segment[] = {
        {.q0 = FIRST, .nq = 150, .k0 = FIRST, .nk = 150},
        {.q0 = FIRST, .nq = 150, .k0 = FIRST, .nk = 155, .past = 5},
        {.q0 = 0, .nq = 1, .k0 = 0, .nk = 100, .past = 99},
        {.q0 = 0, .nq = 70, .k0 = 0, .nk = 190, .past = 2}, /* keys that nobody sees */
    };
    (void)state;
    open(&s);
    for (size_t i = 0; i < sizeof segment / sizeof segment[0]; i++) {
        check(&s, MDF_ATTEND_CAUSAL, &segment[i]);
    }
    close(&s);
}

/* The tree's first node at every place of a block, and blocks with no node of it. */
/* A few rows: their keys are taken in pieces, some of which no query sees. */
static void few_rows_behind_many_keys(void **state)
{
    static setting s;
    static const mdf_attn_segment causal[] = {
        {.q0 = 7, .nq = 1, .k0 = FIRST, .nk = 1190, .past = 1189},
        {.q0 = 0, .nq = 4, .k0 = 0, .nk = 1027, .past = 1023},
        {.q0 = 0, .nq = 3, .k0 = 1, .nk = 1100, .past = 2},
        {.q0 = 2, .nq = 5, .k0 = 0, .nk = 1100, .past = 1095}, /* too many rows */
    };
    static const mdf_attn_segment tree = {
        .q0 = 1, .nq = 4, .k0 = 0, .nk = 1104, .prefix = 1100, .past = 1100};
    static const mdf_attn_segment pair = {.q0 = 0, .nq = 4, .k0 = 0, .nk = 1150};
    (void)state;
    open(&s);
    for (size_t i = 0; i < sizeof causal / sizeof causal[0]; i++) {
        check(&s, MDF_ATTEND_CAUSAL, &causal[i]);
    }
    check(&s, MDF_ATTEND_FULL, &causal[0]);
    check(&s, MDF_ATTEND_TREE, &tree);
    for (int i = 0; i < 1150; i++) { /* a whole piece that the invalid queries don't see */
        s.invalid[i] = i == 1 || i == 2 || i >= 500;
    }
    check(&s, MDF_ATTEND_PAIR, &pair);
    memset(s.invalid, 1, sizeof s.invalid); /* nobody sees anything */
    check(&s, MDF_ATTEND_PAIR, &pair);
    close(&s);
}

static void a_tree_behind_a_prefix(void **state)
{
    static setting s;
    (void)state;
    open(&s);
    for (int64_t prefix = 60; prefix <= 140; prefix += 4) {
        check(
            &s, MDF_ATTEND_TREE,
            &(mdf_attn_segment){
                .q0 = FIRST, .nq = prefix + 30, .k0 = FIRST, .nk = prefix + 30, .prefix = prefix});
    }
    check(&s, MDF_ATTEND_TREE,
          &(mdf_attn_segment){.q0 = 0, .nq = 30, .k0 = 0, .nk = 150, .prefix = 120, .past = 120});
    close(&s);
}

/* Forward and backward may round scores differently; of 1e12 even the last digit is thousands. */
static void huge_scores_leave_gradients_finite(void **state)
{
    static setting s;
    (void)state;
    open(&s);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        s.data[0][i] *= (mdf_real)1e6;
        s.data[1][i] *= (mdf_real)1e6;
    }
    const mdf_attn_segment segment = {.q0 = 0, .nq = ROWS, .k0 = 0, .nk = ROWS};
    const mdf_attn_plan plan = {.kind = MDF_ATTEND_FULL,
                                .heads = HEADS,
                                .kv_heads = 1,
                                .head_dim = HEAD_DIM,
                                .segment = &segment,
                                .segments = 1};
    mdf_tensor *y = mdf_attention(&s.graph, &s.in[0], &s.in[1], &s.in[2], &plan);
    assert_non_null(y);
    mdf_real *dy = mdf_grad_add_target(&s.graph, y);
    assert_non_null(dy);
    memcpy(dy, s.dy, sizeof s.dy);
    s.graph.last->op->backward(&s.graph, s.graph.last);
    for (int i = 0; i < ROWS * HEAD_DIM; i++) { /* of each row's gradient at most all */
        assert_true(fabs((double)s.grad[2][i]) <= HEADS * ROWS);
    }
    for (int t = 0; t < 2; t++) {
        for (int i = 0; i < ROWS * (t == 0 ? WIDTH : HEAD_DIM); i++) {
            assert_true(isfinite((double)s.grad[t][i]));
        }
    }
    close(&s);
}

enum { KV_HEADS = 2, ROOM = 1100, KV_WIDTH = KV_HEADS * HEAD_DIM };

/* x [ROOM, KV_WIDTH] as raw [KV_HEADS, ROOM, HEAD_DIM]; x becomes what the type keeps. */
static void by_head(mdf_dtype type, mdf_real *x, uint8_t *raw)
{
    const size_t bytes = mdf_dtype_row_bytes(type, HEAD_DIM);
    for (int64_t j = 0; j < ROOM; j++) {
        for (int64_t kv = 0; kv < KV_HEADS; kv++) {
            mdf_real *of = x + j * KV_WIDTH + kv * HEAD_DIM;
            uint8_t *to = raw + (size_t)(kv * ROOM + j) * bytes;
            float f[HEAD_DIM];
            for (int c = 0; c < HEAD_DIM; c++) {
                f[c] = (float)of[c];
            }
            assert_true(mdf_dtype_from_floats(type, f, HEAD_DIM, to));
            assert_true(mdf_dtype_to_floats(type, to, HEAD_DIM, f));
            for (int c = 0; c < HEAD_DIM; c++) {
                of[c] = (mdf_real)f[c];
            }
        }
    }
}

/* The same numbers as rows of floats and as a cache has them, with more room than keys. */
static void keys_of_a_cache_lie_head_by_head(void **state)
{
    static const mdf_dtype types[] = {MDF_DTYPE_F32, MDF_DTYPE_F16, MDF_DTYPE_BF16};
    static const mdf_attn_segment segment[] = {
        {.q0 = 0, .nq = 1, .k0 = 0, .nk = 101, .past = 100},
        {.q0 = 2, .nq = 40, .k0 = 0, .nk = 100, .past = 60},
        {.q0 = 0, .nq = 40, .k0 = 7, .nk = 90, .past = 50},
        {.q0 = 0, .nq = 2, .k0 = 5, .nk = 1032, .past = 1030}, /* pieces of the keys */
    };
    static const size_t segments = sizeof segment / sizeof segment[0];
    static setting s;
    static uint8_t raw[2][ROOM * KV_WIDTH * sizeof(float)];
    (void)state;
    open(&s);
    s.graph.train = false;
    mdf_tensor k = {.rank = 2, .dim = {ROOM, KV_WIDTH}, .data = s.data[1]};
    mdf_tensor v = {.rank = 2, .dim = {ROOM, KV_WIDTH}, .data = s.data[2]};
    for (size_t i = 0; i < 3 * segments; i++) {
        const mdf_dtype type = types[i / segments];
        const mdf_attn_plan plan = {.kind = MDF_ATTEND_CAUSAL,
                                    .heads = 2 * KV_HEADS,
                                    .kv_heads = KV_HEADS,
                                    .head_dim = HEAD_DIM,
                                    .segment = &segment[i % segments],
                                    .segments = 1,
                                    .key_bias = s.bias};
        mdf_graph_reset(&s.graph);
        mdf_tensor q = {.rank = 2, .dim = {ROWS / 2, 2 * WIDTH}, .data = s.data[0]};
        by_head(type, s.data[1], raw[0]);
        by_head(type, s.data[2], raw[1]);
        const int64_t dim[3] = {KV_HEADS, ROOM, HEAD_DIM};
        mdf_tensor *rk = mdf_constant_raw(&s.graph, raw[0], type, 3, dim);
        mdf_tensor *rv = mdf_constant_raw(&s.graph, raw[1], type, 3, dim);
        const mdf_tensor *want = mdf_attention(&s.graph, &q, &k, &v, &plan);
        const mdf_tensor *got = mdf_attention(&s.graph, &q, rk, rv, &plan);
        assert_true(want != NULL && got != NULL);
        double expected[ROWS * WIDTH];
        for (int64_t n = 0; n < ROWS * WIDTH; n++) {
            expected[n] = (double)want->data[n];
        }
        compare(got->data, expected, ROWS * WIDTH, ROUNDINGS);
    }
    close(&s);
}

static void refused(setting *s, mdf_tensor *k, mdf_tensor *v, const mdf_attn_plan *plan)
{
    mdf_tensor q = {.rank = 2, .dim = {1, 2 * WIDTH}, .data = s->data[0]};
    mdf_graph_reset(&s->graph);
    assert_null(mdf_attention(&s->graph, &q, k, v, plan));
    assert_int_equal(s->graph.error.code, MDF_ERR_SHAPE);
}

static void a_cache_that_does_not_fit_is_refused(void **state)
{
    static setting s;
    static uint8_t raw[ROOM * KV_WIDTH * sizeof(float)];
    static mdf_real map[ROOM];
    const mdf_attn_segment segment = {.nq = 1, .nk = ROOM};
    const mdf_attn_segment longer = {.nq = 1, .nk = ROOM + 1};
    mdf_attn_plan plan = {.kind = MDF_ATTEND_FULL,
                          .heads = 2 * KV_HEADS,
                          .kv_heads = KV_HEADS,
                          .head_dim = HEAD_DIM,
                          .segment = &segment,
                          .segments = 1};
    (void)state;
    open(&s);
    mdf_tensor k = {
        .rank = 3, .dim = {KV_HEADS, ROOM, HEAD_DIM}, .raw = raw, .dtype = MDF_DTYPE_F16};
    mdf_tensor v = k;
    refused(&s, &k, &v, &plan); /* while training */
    s.graph.train = false;
    plan.map_out = map;
    refused(&s, &k, &v, &plan);
    plan.map_out = NULL;
    plan.segment = &longer;
    refused(&s, &k, &v, &plan);
    plan.segment = &segment;
    v.dtype = MDF_DTYPE_BF16;
    refused(&s, &k, &v, &plan);
    k.dtype = v.dtype = MDF_DTYPE_Q8_0; /* heads of 8 are no blocks */
    refused(&s, &k, &v, &plan);
    k.dtype = v.dtype = MDF_DTYPE_I8;
    refused(&s, &k, &v, &plan);
    k.dtype = v.dtype = MDF_DTYPE_F16;
    k.dim[0] = v.dim[0] = 1;
    refused(&s, &k, &v, &plan);
    k.dim[0] = v.dim[0] = KV_HEADS;
    mdf_graph_reset(&s.graph);
    mdf_tensor q = {.rank = 2, .dim = {1, 2 * WIDTH}, .data = s.data[0]};
    assert_non_null(mdf_attention(&s.graph, &q, &k, &v, &plan));
    close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_of_valid_and_invalid_tokens),
        cmocka_unit_test(text_with_and_without_a_cache),
        cmocka_unit_test(few_rows_behind_many_keys),
        cmocka_unit_test(a_tree_behind_a_prefix),
        cmocka_unit_test(huge_scores_leave_gradients_finite),
        cmocka_unit_test(keys_of_a_cache_lie_head_by_head),
        cmocka_unit_test(a_cache_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests_name("tensor/attention", tests, NULL, NULL);
}
