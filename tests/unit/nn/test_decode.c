/* Reading step by step: the decoder against transformers' greedy tokens, and against the forward of
 * everything at once. */
#include "unit/nn/mllama_golden.h"

#include "nn/generate.h"

static const double rounding = 1e-5; /* other sums, the same numbers */

static void far(const mdf_real *a, const mdf_real *b, int64_t n, const char *what)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++) {
        largest = fabs((double)b[i]) > largest ? fabs((double)b[i]) : largest;
    }
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs((double)a[i] - (double)b[i]) <= rounding * largest)) {
            fail_msg("%s[%lld]: %.9g and %.9g", what, (long long)i, (double)a[i], (double)b[i]);
        }
    }
}

/* Greedy tokens with the cache and by reading everything anew, both as transformers has them. */
static void check_greedy(const char *name)
{
    static mllama m;
    mdf_error err = {0};
    mllama_open(&m, "cached", (const char *[]){"eos_token_id=[0]", NULL}); /* nothing ends it */
    mllama_case(&m, name);
    m.batch.trace = NULL;
    const mdf_st_tensor *want = mllama_find(&m, "tokens");
    assert_int_equal(want->count, 12);
    mdf_decoder *d = NULL;
    must(mdf_decoder_new(&d, m.model, m.kernels, 32, MDF_DTYPE_F32, &err), &err);
    must(mdf_decoder_prompt(d, &m.batch, false, &err), &err);
    int32_t token[12];
    mdf_generated out;
    const mdf_generate_options opt = {.max_tokens = 12, .sampling = {.top_p = 1}};
    must(mdf_generate(d, &opt, token, &out, &err), &err);
    assert_int_equal(out.count, 12);
    assert_int_equal(out.end, MDF_END_LENGTH);
    assert_memory_equal(token, want->data, sizeof token);
    const int64_t vocabulary = mdf_decoder_vocabulary(d);
    must(mdf_decoder_prompt(d, &m.batch, false, &err), &err);
    for (int i = 0; i < 12; i++) { /* without a cache: all tokens so far in one forward */
        const mdf_output o = mllama_forward(&m);
        const mdf_tensor *logits = mllama_logits(&m, &o);
        const mdf_real *last = logits->data + (logits->dim[0] - 1) * vocabulary;
        int64_t best = 0;
        for (int64_t j = 1; j < vocabulary; j++) {
            best = last[j] > last[best] ? j : best;
        }
        assert_int_equal(best, token[i]);
        far(mdf_decoder_logits(d), last, vocabulary, "logits");
        must(mdf_decoder_next(d, token[i], &err), &err);
        m.prompt[m.prompt_len[0]++] = token[i];
    }
    mdf_decoder_free(d);
    mllama_close(&m);
}

static void greedy_text_agrees_with_and_without_cache(void **state)
{
    (void)state;
    check_greedy("picture");
    check_greedy("two");
    check_greedy("text");
}

/* One question after another about the same pictures: their keys are computed once. */
static void pictures_are_read_once(void **state)
{
    (void)state;
    static mllama m;
    mdf_error err = {0};
    mllama_open(&m, "cached", NULL);
    mllama_case(&m, "two");
    m.batch.trace = NULL;
    mdf_decoder *d = NULL;
    must(mdf_decoder_new(&d, m.model, m.kernels, 16, MDF_DTYPE_F32, &err), &err);
    must(mdf_decoder_prompt(d, &m.batch, false, &err), &err);
    m.prompt[3] = 17; /* another question */
    m.prompt_len[0] -= 1;
    const int64_t n = mdf_decoder_vocabulary(d);
    static mdf_real want[40];
    const mdf_output o = mllama_forward(&m);
    const mdf_tensor *logits = mllama_logits(&m, &o);
    memcpy(want, logits->data + (logits->dim[0] - 1) * n, (size_t)n * sizeof *want);
    for (size_t i = 0; i < sizeof m.tiles / sizeof *m.tiles; i++) {
        m.tiles[i] = MDF_R(1e30); /* not to be read again */
    }
    must(mdf_decoder_prompt(d, &m.batch, true, &err), &err);
    far(mdf_decoder_logits(d), want, n, "logits");
    /* one of the two is not the two */
    const int32_t one = 1;
    mdf_batch fewer = m.batch;
    fewer.image_count = &one;
    assert_int_equal(mdf_decoder_prompt(d, &fewer, true, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "1 pictures can't be the 2 of the prompt before");
    /* back to the prompt, and on with something else */
    const int64_t prompt = mdf_decoder_used(d);
    must(mdf_decoder_next(d, 20, &err), &err);
    memcpy(want, mdf_decoder_logits(d), (size_t)n * sizeof *want);
    must(mdf_decoder_next(d, 21, &err), &err);
    mdf_decoder_rewind(d, prompt);
    must(mdf_decoder_next(d, 20, &err), &err);
    assert_memory_equal(mdf_decoder_logits(d), want, (size_t)n * sizeof *want);
    mdf_decoder_free(d);
    mllama_close(&m);
}

/* The end of a prompt read again from any token on, before, between and behind its pictures, in a
 * cache that has grown: as reading all of it. */
static void check_going_on(const char *name, const char *const *set)
{
    static mllama m;
    static mdf_real want[40];
    mdf_error err = {0};
    mllama_open(&m, "cached", set);
    mllama_case(&m, name);
    m.batch.trace = NULL;
    mdf_decoder *d = NULL;
    must(mdf_decoder_new(&d, m.model, m.kernels, 16, MDF_DTYPE_F32, &err), &err);
    must(mdf_decoder_prompt(d, &m.batch, false, &err), &err);
    const size_t bytes = (size_t)mdf_decoder_vocabulary(d) * sizeof *want;
    assert_in_range(bytes, 1, sizeof want);
    memcpy(want, mdf_decoder_logits(d), bytes);
    const int32_t pictures = m.batch.vision_image == NULL ? 0 : m.count[0];
    mdf_prompt_view p = {m.prompt, m.prompt_len[0], m.image_at, pictures};
    for (int64_t known = 0; known < p.count; known++) {
        must(mdf_decoder_next(d, 3, &err), &err); /* is forgotten */
        must(mdf_decoder_reserve(d, 17 + known, &err), &err);
        assert_int_equal(mdf_decoder_capacity(d), 17 + known);
        must(mdf_decoder_go_on(d, &p, known, &err), &err);
        assert_int_equal(mdf_decoder_used(d), p.count);
        far(mdf_decoder_logits(d), want, mdf_decoder_vocabulary(d), "logits");
    }
    assert_int_equal(mdf_decoder_go_on(d, &p, p.count, &err), MDF_ERR_ARG);
    p.images++;
    assert_int_equal(mdf_decoder_go_on(d, &p, 1, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "can't go on behind 1 and"));
    p.images--;
    p.count += 2; /* nobody has read so many */
    assert_int_equal(mdf_decoder_go_on(d, &p, p.count - 1, &err), MDF_ERR_ARG);
    p.count -= 2;
    if (pictures > 0) {
        const int32_t behind[MLLAMA_PICTURES] = {(int32_t)p.count, (int32_t)p.count};
        p.image_at = behind;
        assert_int_equal(mdf_decoder_go_on(d, &p, 1, &err), MDF_ERR_ARG);
        assert_string_equal(err.text, "picture 0 has no image token in the prompt");
    }
    assert_int_equal(mdf_decoder_used(d), p.count);
    mdf_decoder_free(d);
    mllama_close(&m);
}

static void a_prompt_may_go_on_from_any_token(void **state)
{
    (void)state;
    check_going_on("picture", NULL);
    check_going_on("two", NULL);
    check_going_on("text", NULL);
    check_going_on("two", (const char *[]){"text_config.leak_rows=false", NULL});
}

/* The label tree behind a cached prompt, against prompt and tree in one pass: every way of fusion.
 */
static void check_scores(const char *const *set)
{
    static golden g;
    mdf_error err = {0};
    golden_open(&g, set);
    mdf_params_initialise(&g.model->params, 5);
    mdf_rng rng = mdf_rng_new(6, 0);
    for (int64_t i = 0; i < g.model->params.total; i++) { /* so that nothing is switched off */
        g.model->params.data[i] += (mdf_real)(0.05 * mdf_rng_normal(&rng));
    }
    mdf_decoder *d = NULL;
    must(mdf_decoder_new(&d, g.model, g.kernels, 1024, MDF_DTYPE_F32, &err), &err);
    mdf_graph_free(&g.graph);
    must(mdf_graph_init(&g.graph, g.kernels, false, 0, &err), &err);
    const mdf_output o = mdf_mllm_forward(&g.graph, g.model, &g.batch, false);
    must(mdf_graph_status(&g.graph, &err), &err);
    const int64_t labels = g.view.labels;
    for (int round = 0; round < 2; round++) {
        const int32_t *prompt = g.prompt;
        for (int i = 0; i < 2; i++) {
            mdf_batch one = g.batch;
            one.cases = 1;
            one.unet_image += i * 32 * 32 * 3;
            one.vision_image += i * 28 * 28 * 3;
            one.image_at += i;
            one.prompt = prompt;
            one.prompt_len += i;
            mdf_real scores[16];
            must(mdf_decoder_prompt(d, &one, false, &err), &err);
            must(mdf_decoder_score(d, &g.view, scores, &err), &err);
            far(scores, o.scores->data + i * labels, labels, "scores");
            must(mdf_decoder_score(d, &g.view, scores, &err), &err); /* nothing has changed */
            far(scores, o.scores->data + i * labels, labels, "scores");
            prompt += g.prompt_len[i];
        }
    }
    mdf_decoder_free(d);
    golden_close(&g);
}

static void labels_behind_a_cached_prompt_score_the_same(void **state)
{
    (void)state;
    static const char *const sets[][6] = {
        {"fusion_config.gate_init=0.5", "text_config.gate_init=0.5", NULL},
        {"fusion_config.film_direction=unet_to_text", "fusion_config.gate_init=0.5",
         "text_config.gate_init=0.5", NULL},
        {"fusion_config.attend=concat", "fusion_config.map=[[1,2],[3,4]]",
         "text_config.gate_init=0.5", NULL},
        {"fusion_config.map=[]", "text_config.gate_init=0.5", NULL},
    };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        check_scores(sets[i]);
    }
}

static void a_decoder_refuses_what_it_cannot_hold(void **state)
{
    (void)state;
    static mllama m;
    mdf_error err = {0};
    mllama_open(&m, "cached", NULL);
    mllama_case(&m, "text");
    m.batch.trace = NULL;
    mdf_decoder *d = NULL;
    must(mdf_decoder_new(&d, m.model, m.kernels, 7, MDF_DTYPE_F16, &err), &err);
    mdf_generated out;
    int32_t token[8];
    const mdf_generate_options opt = {.max_tokens = 8, .sampling = {.top_p = 1}};
    assert_int_equal(mdf_generate(d, &opt, token, &out, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "nothing has been read: generation needs a prompt");
    must(mdf_decoder_prompt(d, &m.batch, false, &err), &err); /* seven tokens: full */
    assert_int_equal(mdf_decoder_next(d, 20, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "cache: 8 tokens, more than the 7 it holds");
    must(mdf_generate(d, &opt, token, &out, &err), &err);
    assert_true(out.count == 1 && out.end == MDF_END_LENGTH);
    m.batch.cases = 2;
    assert_int_equal(mdf_decoder_prompt(d, &m.batch, false, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "a decoder reads one case, not 2");
    const mdf_generate_options hot = {.max_tokens = 8, .sampling = {.top_p = 0}};
    assert_int_equal(mdf_generate(d, &hot, token, &out, &err), MDF_ERR_ARG);
    mdf_decoder_free(d);
    mllama_close(&m);
}

/* What a kernel table's narrow writes as type, as floats: a cache of floats then keeps numbers that
 * another type rounded. */
static mdf_narrow_fn *plain_narrow;
static mdf_dtype rounded_type;

static void narrow_and_widen(void *out, mdf_dtype type, const mdf_real *x, int64_t n)
{
    uint8_t bytes[1024];
    assert_int_equal(type, MDF_DTYPE_F32);
    assert_true(mdf_dtype_row_bytes(rounded_type, (size_t)n) <= sizeof bytes);
    plain_narrow(bytes, rounded_type, x, n);
    assert_true(mdf_dtype_to_floats(rounded_type, bytes, (size_t)n, out));
}

/* Logits of a prompt, of the tokens behind it one by one, and the labels' scores: of one case of
 * the golden model's with heads of 32. */
enum { KV_STEPS = 5, KV_VOCABULARY = 264, KV_LABELS = 16 };

typedef struct kv_numbers {
    mdf_real logits[KV_STEPS][KV_VOCABULARY], scores[KV_LABELS];
    size_t bytes; /* of the cache */
} kv_numbers;

static void read_with(kv_numbers *out, golden *g, mdf_dtype type)
{
    mdf_error err = {0};
    mdf_decoder *d = NULL;
    mdf_batch one = g->batch;
    one.cases = 1;
    must(mdf_decoder_new(&d, g->model, g->kernels, 256, type, &err), &err);
    assert_int_equal(mdf_decoder_vocabulary(d), KV_VOCABULARY);
    must(mdf_decoder_prompt(d, &one, false, &err), &err);
    for (int i = 0; i < KV_STEPS; i++) {
        memcpy(out->logits[i], mdf_decoder_logits(d), sizeof out->logits[i]);
        must(mdf_decoder_next(d, 20 + i, &err), &err);
    }
    must(mdf_decoder_score(d, &g->view, out->scores, &err), &err);
    out->bytes = mdf_decoder_cache_bytes(d);
    /* with the picture's keys that are there, the same again: nothing else read them */
    if (g->model->config.fusion.attend != MDF_FUSION_CONCAT) {
        must(mdf_decoder_prompt(d, &one, true, &err), &err);
        assert_memory_equal(out->logits[0], mdf_decoder_logits(d), sizeof out->logits[0]);
    }
    mdf_decoder_free(d);
}

static double largest_error(const kv_numbers *a, const kv_numbers *b)
{
    double error = 0;
    double largest = 0;
    for (int i = 0; i < KV_STEPS; i++) {
        for (int j = 0; j < KV_VOCABULARY; j++) {
            const double want = (double)b->logits[i][j];
            error = fmax(error, fabs((double)a->logits[i][j] - want));
            largest = fmax(largest, fabs(want));
        }
    }
    return error / largest;
}

/* Rounding changes a number by at most u of itself, of Q8_0 by u of its block's largest. Values so
 * move what a layer's attention gives by u of the largest of them; keys move a score by u S, S =
 * |q| |k| / sqrt(32), and so the weights by a factor of at most exp(2 u S): (1 + 2 S) u in all.
 * Where q and k are normalised (cross layers, branches) S is at most sqrt(32), elsewhere these
 * weights make it smaller. Four layers and four branches that pass on all of it, to a last norm
 * that makes it a share of the whole: 8 (1 + 2 sqrt(32)) u = 99 u. The 32 roundings of a key have
 * signs of their own, which leaves 1 / sqrt(32) of that. */
#define SIGNS_DIFFER 18
static const struct {
    mdf_dtype type;
    double unit; /* u */
} kv_types[] = {
    {MDF_DTYPE_F16, 0x1p-11}, {MDF_DTYPE_BF16, 0x1p-8}, {MDF_DTYPE_Q8_0, 1.0 / 2 / 127}};

static void check_types(const char *const *set)
{
    static golden g;
    static kv_numbers plain, rounded, got;
    golden_open(&g, set);
    mdf_params_initialise(&g.model->params, 5);
    mdf_rng rng = mdf_rng_new(6, 0);
    for (int64_t i = 0; i < g.model->params.total; i++) { /* so that nothing is switched off */
        g.model->params.data[i] += (mdf_real)(0.05 * mdf_rng_normal(&rng));
    }
    read_with(&plain, &g, MDF_DTYPE_F32);
    for (size_t t = 0; t < sizeof kv_types / sizeof kv_types[0]; t++) {
        const mdf_dtype type = kv_types[t].type;
        plain_narrow = g.kernels->narrow;
        rounded_type = type;
        g.kernels->narrow = narrow_and_widen;
        read_with(&rounded, &g, MDF_DTYPE_F32);
        g.kernels->narrow = plain_narrow;
        read_with(&got, &g, type);
        for (int i = 0; i < KV_STEPS; i++) {
            far(got.logits[i], rounded.logits[i], KV_VOCABULARY, "logits");
        }
        far(got.scores, rounded.scores, g.view.labels, "scores");
        const double error = largest_error(&got, &plain);
        if (!(error > 0 && error <= SIGNS_DIFFER * kv_types[t].unit)) {
            fail_msg("%s changes a logit by %.3g of the largest", mdf_dtype_name(type), error);
        }
        /* 32 numbers: 64 or 34 bytes instead of 128 */
        assert_int_equal(got.bytes, plain.bytes / 128 * mdf_dtype_row_bytes(type, 32));
    }
    golden_close(&g);
}

static void other_types_round_keys_and_nothing_else(void **state)
{
    (void)state;
#define HEADS_OF_32                                                                                \
    "text_config.hidden_size=128", "fusion_config.gate_init=0.5", "text_config.gate_init=0.5"
    static const char *const sets[][6] = {
        {HEADS_OF_32, NULL},
        {HEADS_OF_32, "fusion_config.film_direction=unet_to_text", NULL},
        {HEADS_OF_32, "fusion_config.attend=concat", "fusion_config.map=[[1,2],[3,4]]", NULL},
    };
#undef HEADS_OF_32
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        check_types(sets[i]);
    }
}

static void heads_that_are_no_blocks_are_refused(void **state)
{
    (void)state;
    static mllama m; /* heads of 8 */
    mdf_error err = {0};
    mdf_decoder *d = NULL;
    mllama_open(&m, "cached", NULL);
    assert_int_equal(mdf_decoder_new(&d, m.model, m.kernels, 7, MDF_DTYPE_Q8_0, &err), MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "kv_type Q8_0 keeps numbers in blocks of 32: the model's heads of "
                        "8 are no whole blocks");
    assert_int_equal(mdf_decoder_new(&d, m.model, m.kernels, 7, MDF_DTYPE_I8, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "kv_type I8 is none of F16, BF16, F32 and Q8_0");
    assert_null(d);
    mllama_close(&m);
}

static bool two_are_enough(void *user, int32_t token)
{
    int *seen = user;
    (void)token;
    return ++*seen < 2;
}

static void text_ends_at_an_end_token_or_when_told(void **state)
{
    (void)state;
    static mllama m;
    mdf_error err = {0};
    mllama_open(&m, "cached", NULL);
    mllama_case(&m, "picture");
    m.batch.trace = NULL;
    mdf_decoder *d = NULL;
    must(mdf_decoder_new(&d, m.model, m.kernels, 32, MDF_DTYPE_F32, &err), &err);
    int32_t greedy[12];
    memcpy(greedy, mllama_find(&m, "tokens")->data, sizeof greedy);
    m.model->config.text.eos_count = 2;
    m.model->config.text.eos_token_id[0] = 0;
    m.model->config.text.eos_token_id[1] = greedy[3];
    int first = 0;
    while (greedy[first] != greedy[3]) {
        first++;
    }
    int32_t token[12];
    mdf_generated out;
    int seen = 0;
    mdf_generate_options opt = {.max_tokens = 12, .sampling = {.top_p = 1}};
    must(mdf_decoder_prompt(d, &m.batch, false, &err), &err);
    must(mdf_generate(d, &opt, token, &out, &err), &err);
    assert_int_equal(out.end, MDF_END_EOS);
    assert_int_equal(out.count, first + 1);
    opt.on_token = two_are_enough;
    opt.user = &seen;
    m.model->config.text.eos_token_id[1] = 0;
    must(mdf_decoder_prompt(d, &m.batch, false, &err), &err);
    must(mdf_generate(d, &opt, token, &out, &err), &err);
    assert_int_equal(out.end, MDF_END_CALLBACK);
    assert_int_equal(out.count, 2);
    mdf_decoder_free(d);
    mllama_close(&m);
}

/* Frequencies of 40,000 draws; five deviations of a binomial count. */
static void check_draws(const mdf_sampling *s, const double want[4])
{
    enum { DRAWS = 40000 };
    static const mdf_real logits[4] = {MDF_R(0.6931471805599453), MDF_R(0.0),
                                       MDF_R(1.3862943611198906), MDF_R(0.0)}; /* ln 2 1 4 1 */
    mdf_candidate scratch[4];
    mdf_rng rng = mdf_rng_new(s->seed, 0);
    int count[4] = {0};
    for (int i = 0; i < DRAWS; i++) {
        count[mdf_sample_token(logits, 4, s, &rng, scratch)]++;
    }
    for (int i = 0; i < 4; i++) {
        const double deviation = sqrt(DRAWS * want[i] * (1 - want[i]));
        assert_true(fabs(count[i] - DRAWS * want[i]) <= 5 * deviation);
    }
}

static void draws_have_the_probabilities_of_the_filters(void **state)
{
    (void)state;
    check_draws(&(mdf_sampling){.temperature = 1, .top_p = 1, .seed = 1},
                (double[]){0.25, 0.125, 0.5, 0.125});
    check_draws(&(mdf_sampling){.temperature = 0.5, .top_p = 1, .seed = 2}, /* squares */
                (double[]){4.0 / 22, 1.0 / 22, 16.0 / 22, 1.0 / 22});
    check_draws(&(mdf_sampling){.temperature = 1, .top_p = 1, .top_k = 2, .seed = 3},
                (double[]){1.0 / 3, 0, 2.0 / 3, 0});
    /* 0.5 is not yet 0.6, with 0.25 it is; of equal ones the first comes first */
    check_draws(&(mdf_sampling){.temperature = 1, .top_p = 0.6, .seed = 4},
                (double[]){1.0 / 3, 0, 2.0 / 3, 0});
    check_draws(&(mdf_sampling){.temperature = 1, .top_p = 0.8, .seed = 5},
                (double[]){2.0 / 7, 1.0 / 7, 4.0 / 7, 0});
    check_draws(&(mdf_sampling){.temperature = 1, .top_p = 1e-9, .seed = 6},
                (double[]){0, 0, 1, 0});
    check_draws(&(mdf_sampling){.temperature = 0, .top_p = 1}, (double[]){0, 0, 1, 0});
}

static void the_same_seed_draws_the_same_text(void **state)
{
    (void)state;
    static mllama m;
    mdf_error err = {0};
    mllama_open(&m, "cached", NULL);
    mllama_case(&m, "picture");
    m.batch.trace = NULL;
    mdf_decoder *d = NULL;
    must(mdf_decoder_new(&d, m.model, m.kernels, 32, MDF_DTYPE_F32, &err), &err);
    int32_t token[3][12] = {{0}};
    for (int i = 0; i < 3; i++) {
        mdf_generated out;
        const mdf_generate_options opt = {
            .max_tokens = 12, .sampling = {.temperature = 2, .top_p = 1, .seed = i == 2 ? 8 : 7}};
        must(mdf_decoder_prompt(d, &m.batch, false, &err), &err);
        must(mdf_generate(d, &opt, token[i], &out, &err), &err);
    }
    assert_memory_equal(token[0], token[1], sizeof token[0]);
    assert_memory_not_equal(token[0], token[2], sizeof token[0]);
    mdf_decoder_free(d);
    mllama_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_text_agrees_with_and_without_cache),
        cmocka_unit_test(pictures_are_read_once),
        cmocka_unit_test(a_prompt_may_go_on_from_any_token),
        cmocka_unit_test(labels_behind_a_cached_prompt_score_the_same),
        cmocka_unit_test(other_types_round_keys_and_nothing_else),
        cmocka_unit_test(heads_that_are_no_blocks_are_refused),
        cmocka_unit_test(a_decoder_refuses_what_it_cannot_hold),
        cmocka_unit_test(text_ends_at_an_end_token_or_when_told),
        cmocka_unit_test(draws_have_the_probabilities_of_the_filters),
        cmocka_unit_test(the_same_seed_draws_the_same_text),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
