/* Attention, rotary positions, answers, losses and AdamW against PyTorch. */
#include "support/op_case.h"

/* "image" in the file: keys [0,prefix) for all queries, the rest for the first leak_rows only. */
static mdf_attend kind_of(const char *key)
{
    static const char *const names[] = {"full", "causal", "tree", "pair", "image"};
    static const mdf_attend kinds[] = {MDF_ATTEND_FULL, MDF_ATTEND_CAUSAL, MDF_ATTEND_TREE,
                                       MDF_ATTEND_PAIR, MDF_ATTEND_FULL};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(key, names[i]) == 0) {
            return kinds[i];
        }
    }
    fail_msg("%s is no kind of mask", key);
    return MDF_ATTEND_FULL;
}

static mdf_tensor *call_attention(op_case *c)
{
    const int32_t *column = op_ints(c, "segments"); /* q0, nq, k0, nk, prefix, leak_rows */
    const int64_t rows = op_find(c, "segments")->dim[0];
    mdf_attn_segment *segment = op_memory(c, 2 * (size_t)rows, sizeof *segment);
    int64_t segments = 0;
    for (int64_t i = 0; i < rows; i++) {
        const int32_t *s = column + i * 6;
        if (strcmp(c->key, "image") == 0) {
            segment[segments++] = (mdf_attn_segment){s[0], s[5], s[2], s[3], 0, 0};
            segment[segments++] = (mdf_attn_segment){s[0] + s[5], s[1] - s[5], s[2], s[4], 0, 0};
        } else {
            segment[segments++] = (mdf_attn_segment){s[0], s[1], s[2], s[3], s[4], 0};
        }
    }
    const mdf_st_tensor *tree = op_find(c, "tree");
    const mdf_attn_plan plan = {.kind = kind_of(c->key),
                                .heads = op_int(c, "heads"),
                                .kv_heads = op_int(c, "kv_heads"),
                                .head_dim = op_int(c, "head_dim"),
                                .segment = segment,
                                .segments = segments,
                                .key_bias = op_reals(c, "key_bias"),
                                .invalid = op_bytes(c, "invalid"),
                                .tree = op_bytes(c, "tree"),
                                .tree_nodes = tree == NULL ? 0 : tree->dim[0]};
    return mdf_attention(&c->graph, op_in(c, "q"), op_in(c, "k"), op_in(c, "value"), &plan);
}

static void attention_agrees_under_every_mask(void **state)
{
    (void)state;
    op_check("attention", "full", call_attention, OP_NEAR);
    op_check("attention", "causal", call_attention, OP_NEAR);
    op_check("attention", "tree", call_attention, OP_NEAR);
    op_check("attention", "pair", call_attention, OP_NEAR);
    op_check("attention", "image", call_attention, OP_NEAR);
}

static mdf_tensor *call_rope(op_case *c)
{
    return mdf_rope(&c->graph, op_in(c, "x"), op_ints(c, "position"), op_reals(c, "inv_freq"),
                    op_int(c, "heads"));
}

static void rope_agrees(void **state)
{
    (void)state;
    op_check("rope", "plain", call_rope, OP_ANGLE);
    op_check("rope", "llama3", call_rope, OP_ANGLE);
}

static mdf_tensor *call_log_prob(op_case *c)
{
    return mdf_log_prob(&c->graph, op_in(c, "logits"), op_ints(c, "target"));
}

static void log_prob_agrees(void **state)
{
    (void)state;
    op_check("log_prob", "rows", call_log_prob, OP_NEAR);
}

/* Also compares the probabilities. */
static mdf_tensor *call_cross_entropy(op_case *c)
{
    const int64_t n = (int64_t)op_find(c, "prob")->count;
    mdf_real *prob = op_memory(c, (size_t)n, sizeof *prob);
    uint8_t *allowed = NULL;
    if (op_find(c, "allowed") != NULL) {
        const int32_t *flag = op_ints(c, "allowed");
        allowed = op_memory(c, (size_t)n, sizeof *allowed);
        for (int64_t i = 0; i < n; i++) {
            allowed[i] = (uint8_t)flag[i];
        }
    }
    mdf_tensor *y = mdf_cross_entropy(&c->graph, op_in(c, "logits"), op_ints(c, "label"), allowed,
                                      op_real(c, "smoothing"), prob);
    op_near(c, "prob", prob, op_reals(c, "prob"), n, 1, OP_NEAR);
    return y;
}

static void cross_entropy_agrees(void **state)
{
    (void)state;
    op_check("cross_entropy", "smooth", call_cross_entropy, OP_NEAR);
    op_check("cross_entropy", "hard", call_cross_entropy, OP_NEAR);
    op_check("cross_entropy_allowed", "some", call_cross_entropy, OP_NEAR);
}

static mdf_tensor *call_mask_loss(op_case *c)
{
    return mdf_mask_loss(&c->graph, op_in(c, "logits"), op_reals(c, "target"),
                         op_reals(c, "weight"), NULL);
}

static void mask_loss_agrees(void **state)
{
    (void)state;
    op_check("mask_loss", "some", call_mask_loss, OP_NEAR);
    op_check("mask_loss", "none", call_mask_loss, OP_NEAR);
}

static void adamw_with(const char *isa)
{
    static op_case c;
    mdf_error err = {0};
    memset(&c, 0, sizeof c);
    c.name = "adamw";
    (void)snprintf(c.key, sizeof c.key, "steps");
    op_must(mdf_safetensors_open(&c.file, MDF_TEST_DATA "/golden/ops/adamw.safetensors", &err),
            &err);
    op_must(mdf_arena_init(&c.memory, 0, 0, &err), &err);
    op_must(mdf_kernels_new(&c.kernels, isa, &err), &err);
    const int64_t n = (int64_t)op_find(&c, "w0")->count;
    mdf_real *w = op_reals(&c, "w0");
    mdf_real *m = op_memory(&c, (size_t)n, sizeof *m);
    mdf_real *v = op_memory(&c, (size_t)n, sizeof *v);
    const mdf_real *hyper = op_reals(&c, "hyper"); /* lr, beta1, beta2, eps, decay */
    for (int t = 1; t <= 3; t++) {
        char key[8];
        const double c1 = 1 - pow((double)hyper[1], t);
        const double c2 = 1 - pow((double)hyper[2], t);
        const mdf_adamw_step step = {.beta1 = hyper[1],
                                     .beta2 = hyper[2],
                                     .eps = hyper[3],
                                     .step_size = (mdf_real)((double)hyper[0] / c1),
                                     .inv_sqrt_c2 = (mdf_real)(1 / sqrt(c2)),
                                     .decay = hyper[0] * hyper[4],
                                     .grad_scale = 1};
        (void)snprintf(key, sizeof key, "g%d", t);
        c.kernels->adamw(w, m, v, op_reals(&c, key), n, &step);
        (void)snprintf(key, sizeof key, "w%d", t);
        op_near(&c, key, w, op_reals(&c, key), n, 1, OP_NEAR);
    }
    op_near(&c, "m3", m, op_reals(&c, "m3"), n, 1, OP_NEAR);
    op_near(&c, "v3", v, op_reals(&c, "v3"), n, 1, OP_NEAR);
    mdf_kernels_free(c.kernels);
    mdf_arena_free(&c.memory);
    mdf_safetensors_close(&c.file);
}

static void three_steps_of_adamw_agree(void **state)
{
    (void)state;
    adamw_with("ref");
    adamw_with("avx2");
    adamw_with(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_agrees_under_every_mask),
        cmocka_unit_test(rope_agrees),
        cmocka_unit_test(log_prob_agrees),
        cmocka_unit_test(cross_entropy_agrees),
        cmocka_unit_test(mask_loss_agrees),
        cmocka_unit_test(three_steps_of_adamw_agree),
    };
    return cmocka_run_group_tests_name("op_goldens_attention", tests, NULL, NULL);
}
