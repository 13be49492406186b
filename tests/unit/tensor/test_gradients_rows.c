/* Rows by index, joins, attention, answers and losses against central differences. */
#include "support/gradient_check.h"

#define DIMS(...) ((int64_t[]){__VA_ARGS__})

typedef struct options {
    const int32_t *row, *other;
    int64_t n;
    bool flag;
    double smoothing;
    const uint8_t *allowed;
    const double *numbers, *weight, *pixel;
    mdf_attn_plan plan;
    mdf_attn_segment segment[4];
} options;

typedef void probe_setup(probe *p, options *o, int round);

static void rounds(const char *name, probe_setup *setup, probe_call *call)
{
    static probe p;
    for (int round = 0; round < PROBE_ROUNDS; round++) {
        options o = {0};
        probe_open(&p, name, 100 + (uint64_t)round);
        p.args = &o;
        setup(&p, &o, round);
        probe_check(&p, call);
        probe_close(&p);
    }
}

static mdf_tensor *call_add_rows(probe *p)
{
    const options *o = p->args;
    return mdf_add_rows(&p->graph, p->in[0], p->in[1], p->inputs > 2 ? p->in[2] : NULL, o->flag,
                        o->row);
}

/* Rows repeat, and some are -1; all of them in round 3. */
static void setup_add_rows(probe *p, options *o, int round)
{
    const int64_t n = probe_size(p, 3, 8);
    const int64_t c = probe_size(p, 1, 5);
    const int32_t rows = 3;
    (void)probe_input(p, 2, DIMS(n, c));
    (void)probe_input(p, 2, DIMS(rows, c));
    if (round > 0) {
        (void)probe_input(p, 1, DIMS(1));
    }
    o->flag = round >= 2;
    o->row = probe_ints(p, n, -1, round == 3 ? -1 : rows - 1);
}

static mdf_tensor *call_gather_rows(probe *p)
{
    const options *o = p->args;
    return mdf_gather_rows(&p->graph, p->in[0], o->row, o->n);
}

static void setup_gather_rows(probe *p, options *o, int round)
{
    const int32_t rows = 1 + 2 * round;
    o->n = probe_size(p, 1, 9);
    (void)probe_input(p, 2, DIMS(rows, probe_size(p, 1, 5)));
    o->row = probe_ints(p, o->n, -1, rows - 1);
}

static mdf_tensor *call_concat_rows(probe *p)
{
    return mdf_concat_rows(&p->graph, p->in[0], p->in[1]);
}

static mdf_tensor *call_concat_rows_of_one(probe *p)
{
    return mdf_concat_rows(&p->graph, p->in[0], p->in[0]);
}

static void setup_concat_rows(probe *p, options *o, int round)
{
    (void)o;
    (void)round;
    const int64_t c = probe_size(p, 1, 5);
    (void)probe_input(p, 2, DIMS(probe_size(p, 1, 4), c));
    (void)probe_input(p, 2, DIMS(probe_size(p, 1, 4), c));
}

static mdf_tensor *call_first_rows(probe *p)
{
    return mdf_first_rows(&p->graph, p->in[0], p->in[0]->dim[0] - 1);
}

static void setup_first_rows(probe *p, options *o, int round)
{
    (void)o;
    (void)round;
    (void)probe_input(p, 2, DIMS(probe_size(p, 2, 5), probe_size(p, 1, 4)));
}

static mdf_tensor *call_interleave(probe *p)
{
    return mdf_concat_interleave(&p->graph, p->in[0], p->in + 1, p->inputs - 1);
}

/* None, one, two, and as many as there may be. */
static void setup_interleave(probe *p, options *o, int round)
{
    (void)o;
    const int rest = round == 3 ? MDF_NODE_INPUTS - 1 : round;
    const int64_t n = probe_size(p, 1, 4);
    const int64_t c = probe_size(p, 1, 4);
    for (int i = 0; i <= rest; i++) {
        (void)probe_input(p, 2, DIMS(n, c));
    }
}

static mdf_tensor *call_mean_rows(probe *p)
{
    const options *o = p->args;
    return mdf_mean_rows(&p->graph, p->in[0], o->row, o->other, o->n);
}

/* Ranges overlap. */
static void setup_mean_rows(probe *p, options *o, int round)
{
    (void)round;
    o->n = probe_size(p, 1, 3);
    (void)probe_input(p, 2, DIMS(7, probe_size(p, 1, 4)));
    o->row = probe_ints(p, o->n, 0, 3);
    o->other = probe_ints(p, o->n, 1, 4);
}

static mdf_tensor *call_segment_sum(probe *p)
{
    const options *o = p->args;
    return mdf_segment_sum(&p->graph, p->in[0], o->row, o->weight, o->other, o->n);
}

/* The second segment is empty; numbers are used more than once. */
static void setup_segment_sum(probe *p, options *o, int round)
{
    (void)round;
    const int64_t n = probe_size(p, 1, 6);
    int32_t *offset = probe_memory(p, 4, sizeof *offset);
    offset[1] = offset[2] = (int32_t)probe_size(p, 1, 5);
    offset[3] = offset[2] + (int32_t)probe_size(p, 1, 5);
    (void)probe_input(p, 1, DIMS(n));
    o->n = 3;
    o->other = offset;
    o->row = probe_ints(p, offset[3], 0, (int32_t)n - 1);
    o->weight = probe_normals(p, offset[3]);
}

static void operations_on_rows_have_their_derivatives(void **state)
{
    (void)state;
    rounds("add_rows", setup_add_rows, call_add_rows);
    rounds("gather_rows", setup_gather_rows, call_gather_rows);
    rounds("concat_rows", setup_concat_rows, call_concat_rows);
    rounds("concat_rows of one tensor", setup_concat_rows, call_concat_rows_of_one);
    rounds("first_rows", setup_first_rows, call_first_rows);
    rounds("concat_interleave", setup_interleave, call_interleave);
    rounds("mean_rows", setup_mean_rows, call_mean_rows);
    rounds("segment_sum", setup_segment_sum, call_segment_sum);
}

static mdf_tensor *call_attention(probe *p)
{
    const options *o = p->args;
    return mdf_attention(&p->graph, p->in[0], p->in[1], p->in[2], &o->plan);
}

/* q, k and v are one tensor. */
static mdf_tensor *call_self_attention(probe *p)
{
    const options *o = p->args;
    return mdf_attention(&p->graph, p->in[0], p->in[0], p->in[0], &o->plan);
}

/* Two segments of nq queries and nk keys; grouped key/value heads in odd rounds. */
static void setup_plan(probe *p, options *o, int round, mdf_attend kind, int64_t nq, int64_t nk)
{
    const int64_t kv = 1 + round / 2;
    const int64_t heads = round % 2 == 0 ? kv : 2 * kv;
    const int64_t hd = probe_size(p, 1, 4);
    o->segment[0] = (mdf_attn_segment){.nq = nq, .nk = nk};
    o->segment[1] = (mdf_attn_segment){.q0 = nq, .nq = nq + 1, .k0 = nk, .nk = nk + 1};
    o->plan = (mdf_attn_plan){.kind = kind,
                              .heads = heads,
                              .kv_heads = kv,
                              .head_dim = hd,
                              .segment = o->segment,
                              .segments = 2};
    (void)probe_input(p, 2, DIMS(2 * nq + 1, heads * hd));
    (void)probe_input(p, 2, DIMS(2 * nk + 1, kv * hd));
    (void)probe_input(p, 2, DIMS(2 * nk + 1, kv * hd));
}

/* Round 3 has more queries than one block of them. */
static void setup_full(probe *p, options *o, int round)
{
    setup_plan(p, o, round, MDF_ATTEND_FULL, round == 3 ? 70 : 3, 4);
    o->plan.key_bias = round == 1 ? probe_normals(p, 9) : NULL;
}

static void setup_causal(probe *p, options *o, int round)
{
    setup_plan(p, o, round, MDF_ATTEND_CAUSAL, 4, 4);
}

static void setup_self(probe *p, options *o, int round)
{
    (void)round;
    setup_plan(p, o, 0, MDF_ATTEND_CAUSAL, 4, 4);
}

/* Nodes 1 and 2 hang below 0, node 3 below 2; the second segment has one node more. */
static void setup_tree(probe *p, options *o, int round)
{
    static const uint8_t tree[] = {1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1,
                                   0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1};
    const int64_t prefix = round == 0 ? 0 : 2;
    setup_plan(p, o, round, MDF_ATTEND_TREE, 4 + prefix, 4 + prefix);
    o->plan.tree = tree;
    o->plan.tree_nodes = 5;
    o->segment[0].prefix = o->segment[1].prefix = prefix;
}

/* In round 3 nothing of the first segment is valid: its queries see nothing at all. */
static void setup_pair(probe *p, options *o, int round)
{
    uint8_t *invalid = probe_memory(p, 9, 1);
    for (int i = 0; i < 9; i++) {
        invalid[i] = (uint8_t)(i % 3 == round % 3 || (round == 3 && i < 4));
    }
    setup_plan(p, o, round, MDF_ATTEND_PAIR, 4, 4);
    o->plan.invalid = invalid;
    o->plan.key_bias = round >= 2 ? probe_normals(p, 9) : NULL;
}

/* Queries that see more of the same keys than their neighbours do; one query sees nothing. */
static void setup_shared(probe *p, options *o, int round)
{
    setup_plan(p, o, round, MDF_ATTEND_FULL, 3, 5);
    o->segment[0] = (mdf_attn_segment){.q0 = 0, .nq = 1, .k0 = 0, .nk = 5};
    o->segment[1] = (mdf_attn_segment){.q0 = 1, .nq = 2, .k0 = 1, .nk = 1 + round % 3};
    o->segment[2] = (mdf_attn_segment){.q0 = 3, .nq = 2, .k0 = 5, .nk = 6};
    o->segment[3] = (mdf_attn_segment){.q0 = 6, .nq = 1, .k0 = 3, .nk = 4};
    o->plan.segments = 4;
    o->plan.key_bias = round == 2 ? probe_normals(p, 11) : NULL;
}

/* The last four queries of a text whose first keys come from a cache. */
static void setup_past(probe *p, options *o, int round)
{
    setup_plan(p, o, round, MDF_ATTEND_CAUSAL, 4, 6);
    o->segment[0].past = 2;
    o->segment[1].past = 2;
}

static mdf_tensor *call_rope(probe *p)
{
    const options *o = p->args;
    return mdf_rope(&p->graph, p->in[0], o->row, o->numbers, o->n);
}

static void setup_rope(probe *p, options *o, int round)
{
    const int64_t hd = 2 * probe_size(p, 1, 3);
    const int64_t rows = probe_size(p, 1, 5);
    o->n = 1 + round;
    (void)probe_input(p, 2, DIMS(rows, o->n * hd));
    o->row = probe_ints(p, rows, 0, 200);
    o->numbers = probe_normals(p, hd / 2);
}

static void attention_has_its_derivatives_under_every_mask(void **state)
{
    (void)state;
    rounds("full attention", setup_full, call_attention);
    rounds("causal attention", setup_causal, call_attention);
    rounds("attention of one tensor", setup_self, call_self_attention);
    rounds("tree attention", setup_tree, call_attention);
    rounds("pair attention", setup_pair, call_attention);
    rounds("attention with shared keys", setup_shared, call_attention);
    rounds("attention behind a cache", setup_past, call_attention);
    rounds("rope", setup_rope, call_rope);
}

static mdf_tensor *call_log_prob(probe *p)
{
    return mdf_log_prob(&p->graph, p->in[0], ((const options *)p->args)->row);
}

static void setup_log_prob(probe *p, options *o, int round)
{
    (void)round;
    const int64_t n = probe_size(p, 1, 4);
    const int64_t words = probe_size(p, 1, 6);
    (void)probe_input(p, 2, DIMS(n, words));
    o->row = probe_ints(p, n, 0, (int32_t)words - 1);
}

static mdf_tensor *call_cross_entropy(probe *p)
{
    const options *o = p->args;
    return mdf_cross_entropy(&p->graph, p->in[0], o->row, o->allowed, o->smoothing, NULL);
}

/* In round 2 some labels are not allowed, in round 3 no row has a label. */
static void setup_cross_entropy(probe *p, options *o, int round)
{
    const int64_t n = probe_size(p, 2, 5);
    const int64_t classes = probe_size(p, 2, 5);
    (void)probe_input(p, 2, DIMS(n, classes));
    o->row = probe_ints(p, n, -1, round == 3 ? -1 : (int32_t)classes - 1);
    uint8_t *allowed = probe_memory(p, n * classes, sizeof *allowed);
    for (int64_t i = 0; i < n * classes; i++) {
        allowed[i] = i % classes == o->row[i / classes] || mdf_rng_uniform(&p->rng) < 0.5;
    }
    o->allowed = round == 2 ? allowed : NULL;
    o->smoothing = 0.1 * round;
}

static mdf_tensor *call_mask_loss(probe *p)
{
    const options *o = p->args;
    return mdf_mask_loss(&p->graph, p->in[0], o->numbers, o->weight, o->pixel);
}

/* Soft targets; not every mask exists, none in round 3. From round 1 on pixels have weights. */
static void setup_mask_loss(probe *p, options *o, int round)
{
    const int64_t b = probe_size(p, 1, 2);
    const int64_t c = probe_size(p, 1, 2);
    const mdf_tensor *x = probe_input(p, 4, DIMS(b, probe_size(p, 1, 4), probe_size(p, 1, 4), c));
    const int64_t n = mdf_tensor_count(x);
    double *target = probe_memory(p, n, sizeof *target);
    double *weight = probe_memory(p, b * c, sizeof *weight);
    for (int64_t i = 0; i < n; i++) {
        target[i] = mdf_rng_uniform(&p->rng);
    }
    double *pixel = probe_memory(p, n, sizeof *pixel);
    for (int64_t i = 0; i < n; i++) {
        pixel[i] = mdf_rng_range(&p->rng, 0, 2);
    }
    for (int64_t i = 0; i < b * c; i++) {
        weight[i] = round == 3 ? 0 : (double)(i % 3 != round);
    }
    o->numbers = target;
    o->weight = weight;
    o->pixel = round == 0 ? NULL : pixel;
}

static mdf_tensor *call_loss_sum(probe *p)
{
    mdf_tensor *half = mdf_loss_sum(&p->graph, NULL, 0, p->in[1], 0.5);
    return mdf_loss_sum(&p->graph, mdf_loss_sum(&p->graph, p->in[0], -2, NULL, 0), 1.5, half, 3);
}

static void setup_loss_sum(probe *p, options *o, int round)
{
    (void)o;
    (void)round;
    (void)probe_input(p, 1, DIMS(1));
    (void)probe_input(p, 1, DIMS(1));
}

static void answers_and_losses_have_their_derivatives(void **state)
{
    (void)state;
    rounds("log_prob", setup_log_prob, call_log_prob);
    rounds("cross_entropy", setup_cross_entropy, call_cross_entropy);
    rounds("mask_loss", setup_mask_loss, call_mask_loss);
    rounds("loss_sum", setup_loss_sum, call_loss_sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_on_rows_have_their_derivatives),
        cmocka_unit_test(attention_has_its_derivatives_under_every_mask),
        cmocka_unit_test(answers_and_losses_have_their_derivatives),
    };
    return cmocka_run_group_tests_name("gradients_rows", tests, NULL, NULL);
}
