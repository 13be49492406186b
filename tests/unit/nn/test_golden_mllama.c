/* Llama 3.2 Vision against transformers' own class: tests/golden/mllama/README.md has the cases,
 * the tolerances and their reasons. Built for float and for double. */
#include "unit/nn/mllama_golden.h"

#ifdef MDF_REAL_DOUBLE
static const double value_tolerance = 2e-7; /* the files' rounding to float32 */
static const double gradient_tolerance = 2e-7;
static const double gradient_floor = 1e-10;
#else
static const double value_tolerance = 1e-5;    /* ten times PyTorch's own float32 rounding */
static const double gradient_tolerance = 1e-4; /* sums that nearly cancel */
static const double gradient_floor = 2e-6;
#endif

static const char *const plain[] = {"vision_config.deduplicate=false", NULL};

/* Rows of a [.., width] golden tensor [pictures, T, P, width] in our order: a case's used tiles,
 * then the spare ones, a spare tile standing for all unused slots that have none of their own. */
static void slots_near(const mllama *m, const mdf_output *o, int sample, const char *what,
                       const mdf_tensor *got)
{
    static mdf_real slots[8 * 4 * 10 * 96];
    const mdf_case_tokens *k = &o->image.of_case[sample];
    const int64_t width = got->dim[1];
    const int64_t tiles = m->model->config.vision.max_num_tiles;
    int64_t spare = k->first + k->main;
    for (int64_t i = 0; i < k->pictures; i++) {
        const mdf_picture *p = &o->image.picture[k->picture0 + i];
        const int64_t tokens = p->count / p->used;
        for (int64_t t = 0; t < tiles; t++) {
            const int64_t extra = p->spare == 1 ? 0 : t - p->used;
            const int64_t row = t < p->used ? p->first + t * tokens : spare + extra * tokens;
            assert_true(row + tokens <= got->dim[0]);
            memcpy(slots + (i * tiles + t) * tokens * width, got->data + row * width,
                   (size_t)(tokens * width) * sizeof *slots);
        }
        spare += p->spare * tokens;
    }
    char key[64];
    (void)snprintf(key, sizeof key, "%d.%s", sample, what);
    mllama_near(m, key, slots, value_tolerance, 0);
}

/* Vision features, image tokens, every layer's hidden states and the logits of every sample. */
static void check_values(mllama *m, const char *name)
{
    mllama_case(m, name);
    const mdf_output o = mllama_forward(m);
    const mdf_tensor *logits = mllama_logits(m, &o);
    const mdf_config *c = &m->model->config;
    int compared = 0;
    for (int i = 0; i < m->batch.cases; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "%d.logits", i);
        mllama_near(m, key, logits->data + o.row0[i] * logits->dim[1], value_tolerance, 0);
        if (m->count[i] > 0) {
            slots_near(m, &o, i, "features", o.image.features);
            slots_near(m, &o, i, "tokens", o.image.v);
        }
        for (int l = 0; l < c->text.num_hidden_layers; l++) {
            (void)snprintf(key, sizeof key, "%d.layer.%d", i, l);
            if (mllama_find(m, key) != NULL) { /* text alone skips cross layers */
                const int64_t row = l * o.states->dim[0] + o.row0[i];
                mllama_near(m, key, m->trace + row * c->text.hidden_size, value_tolerance, 0);
                compared++;
            }
        }
    }
    assert_true(compared > 0);
}

static void check_model(const char *model, const char *const *names, const char *const *set)
{
    static mllama m;
    mllama_open(&m, model, set);
    for (size_t i = 0; names[i] != NULL; i++) {
        check_values(&m, names[i]);
    }
    mllama_close(&m);
}

static const char *const tile_cases[] = {"one", "wide", "high", "three", "square", "tower", NULL};
static const char *const slot_cases[] = {"one", "three", NULL};
static const char *const picture_cases[] = {"two", "adjacent", "mixed", "batch", "text", NULL};
static const char *const order_cases[] = {"wide", NULL};
static const char *const padding_cases[] = {"left", "right", NULL};

static void every_tile_grid_agrees(void **state)
{
    (void)state;
    check_model("tiles", tile_cases, NULL);
    check_model("tiles", tile_cases, plain);
}

static void tiles_with_embeddings_in_unused_slots_agree(void **state)
{
    (void)state;
    check_model("slots", slot_cases, NULL);
    check_model("slots", slot_cases, plain);
}

static void several_pictures_and_none_agree(void **state)
{
    (void)state;
    check_model("pictures", picture_cases, NULL);
    check_model("pictures", picture_cases, plain);
}

/* A layer listed twice, layers out of order: the features are joined as the list has them. */
static void intermediate_states_in_any_order_agree(void **state)
{
    (void)state;
    check_model("order", order_cases, NULL);
    check_model("order", order_cases, plain);
}

static void padded_batches_agree(void **state)
{
    (void)state;
    check_model("padding", padding_cases, NULL);
}

/* Rows of a tile table that no aspect ratio reads: with deduplication they are constants of zero.
 */
static bool unused_slot(const mllama *m, const mdf_tensor *t, int64_t at)
{
    const mdf_config *c = &m->model->config;
    const bool table = strstr(t->name, "tile_") != NULL && t->rank == 2;
    int rows = 0;
    int columns = 0;
    if (!c->vision.deduplicate || !table || t->data[at] < 0 || t->data[at] > 0) {
        return false;
    }
    const int64_t id = at / t->dim[1];
    const int64_t slot = at % t->dim[1] / (t->dim[1] / c->vision.max_num_tiles);
    return !mdf_tile_grid(c, (int)id, &rows, &columns) || slot >= rows * columns;
}

/* A gradient in full. What unused slots would get, were they parameters, is set aside. */
static void full_near(mllama *m, const mdf_tensor *t, const char *key)
{
    static double want[20000];
    mdf_error err = {0};
    const mdf_st_tensor *from = mllama_find(m, key);
    const int64_t n = mdf_tensor_count(t);
    assert_true(from->count == (size_t)n && n <= 20000);
    must(mdf_safetensors_doubles(&m->expect, from, want, &err), &err);
    double largest = 0;
    for (int64_t i = 0; i < n; i++) {
        want[i] = unused_slot(m, t, i) ? 0 : want[i];
        largest = fabs(want[i]) > largest ? fabs(want[i]) : largest;
    }
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)t->grad[i] - want[i]);
        if (!(d <= gradient_tolerance * largest + gradient_floor)) {
            fail_msg("%s %s[%lld]: %.9g, want %.9g (largest %.3g)", m->name, key, (long long)i,
                     (double)t->grad[i], want[i], largest);
        }
    }
}

/* Norm, sum and eight numbers of a gradient, relative to the norm. */
static void probe_near(mllama *m, const mdf_tensor *t, const char *key)
{
    double want[10];
    mdf_error err = {0};
    const mdf_st_tensor *from = mllama_find(m, key);
    assert_int_equal(from->count, 10);
    must(mdf_safetensors_doubles(&m->expect, from, want, &err), &err);
    const int64_t n = mdf_tensor_count(t);
    double squares = 0;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        squares += (double)t->grad[i] * (double)t->grad[i];
        sum += (double)t->grad[i];
    }
    const double allowed = gradient_tolerance * want[0] + gradient_floor;
    double got[10] = {sqrt(squares), sum};
    for (int64_t i = 0; i < 8; i++) {
        got[2 + i] = (double)t->grad[(i * 7919 + 13) % n];
    }
    for (int i = 0; i < 10; i++) {
        const double room = i == 1 ? allowed * sqrt((double)n) : allowed;
        if (!(fabs(got[i] - want[i]) <= room)) {
            fail_msg("%s %s number %d: %.9g, want %.9g (norm %.3g)", m->name, key, i, got[i],
                     want[i], want[0]);
        }
    }
}

static void check_gradients(mllama *m, const char *name)
{
    mdf_error err = {0};
    mllama_case(m, name);
    mdf_params_zero_grad(&m->model->params);
    const mdf_output o = mllama_forward(m);
    mdf_tensor *loss = mllama_loss(m, &o);
    mllama_near(m, "loss", loss->data, value_tolerance, 0);
    must(mdf_graph_backward(&m->graph, loss, &err), &err);
    size_t seen = 0;
    for (size_t i = 0; i < m->model->params.count; i++) {
        const mdf_tensor *t = &m->model->params.item[i]->tensor;
        char key[400];
        (void)snprintf(key, sizeof key, "grad.%s", t->name);
        if (mllama_find(m, key) != NULL) {
            full_near(m, t, key);
            seen++;
        }
        (void)snprintf(key, sizeof key, "probe.%s", t->name);
        if (mllama_find(m, key) != NULL) {
            probe_near(m, t, key);
            seen++;
        }
    }
    assert_int_equal(seen, m->model->params.count);
}

static void losses_and_gradients_of_every_tensor_agree(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"tiles", "one"},         {"tiles", "wide"},    {"tiles", "high"},  {"tiles", "three"},
        {"tiles", "square"},      {"slots", "one"},     {"slots", "three"}, {"pictures", "two"},
        {"pictures", "adjacent"}, {"pictures", "text"}, {"order", "wide"},
    };
    static mllama m;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mllama_open(&m, cases[i][0], plain);
        check_gradients(&m, cases[i][1]);
        mllama_close(&m);
    }
}

/* The same with deduplication, where the gradient is stored in full. */
static void deduplication_leaves_the_gradients_as_they_are(void **state)
{
    (void)state;
    static mllama m;
    static const char *const models[] = {"tiles", "slots"};
    for (size_t i = 0; i < 2; i++) {
        mllama_open(&m, models[i], NULL);
        check_gradients(&m, "one");
        mllama_close(&m);
    }
}

/* How much smaller the sequences are: tiles of 4 + 1 tokens and 3 of padding. */
static void deduplication_computes_less(void **state)
{
    (void)state;
    static mllama m;
    static const struct {
        const char *name;
        int64_t once, all;
    } want[] = {{"one", 10, 20}, {"wide", 15, 20}, {"three", 20, 20}, {"square", 20, 20}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        mllama_open(&m, "tiles", NULL);
        mllama_case(&m, want[i].name);
        assert_int_equal(mllama_forward(&m).image.count, want[i].once);
        mllama_close(&m);
        mllama_open(&m, "tiles", plain);
        mllama_case(&m, want[i].name);
        assert_int_equal(mllama_forward(&m).image.count, want[i].all);
        mllama_close(&m);
    }
}

/* A graph that does not train forgets what it can, and gives the same bits. */
static void inference_gives_the_same_bits_as_training(void **state)
{
    (void)state;
    static mllama m;
    static mdf_real first[MLLAMA_TOKENS * 40];
    mllama_open(&m, "pictures", NULL);
    mllama_case(&m, "mixed");
    mdf_output o = mllama_forward(&m);
    mdf_tensor *logits = mllama_logits(&m, &o);
    const size_t bytes = (size_t)mdf_tensor_count(logits) * sizeof *logits->data;
    memcpy(first, logits->data, bytes);
    const size_t trained = m.graph.arena.peak_bytes;
    mdf_graph_free(&m.graph);
    must(mdf_graph_init(&m.graph, m.kernels, false, 0, NULL), &(mdf_error){0});
    o = mllama_forward(&m);
    logits = mllama_logits(&m, &o);
    assert_memory_equal(logits->data, first, bytes);
    assert_null(o.image.features);
    assert_true(m.graph.arena.peak_bytes < trained / 2);
    mllama_close(&m);
}

/* Meta's code: rows before the picture are those of the text alone, in every layer. */
static void without_leak_rows_text_before_a_picture_does_not_see_it(void **state)
{
    (void)state;
    static mllama m;
    static mdf_real before[5 * 32 * 32];
    const char *const set[] = {"text_config.leak_rows=false", NULL};
    mllama_open(&m, "tiles", set);
    mllama_case(&m, "square"); /* three tokens before the picture */
    const int64_t width = m.model->config.text.hidden_size;
    const int64_t layers = m.model->config.text.num_hidden_layers;
    const int64_t rows = mllama_forward(&m).states->dim[0];
    memcpy(before, m.trace, (size_t)(layers * rows * width) * sizeof *before);
    m.batch.vision_image = NULL;
    (void)mllama_forward(&m);
    double last_row = 0;
    for (int64_t l = 0; l < layers; l++) {
        for (int64_t i = 0; i < 3 * width; i++) {
            const int64_t at = l * rows * width + i;
            assert_true(fabs((double)(before[at] - m.trace[at])) <= 1e-5);
        }
        last_row += fabs(
            (double)(before[((l + 1) * rows - 1) * width] - m.trace[((l + 1) * rows - 1) * width]));
    }
    assert_true(last_row > 0.01); /* rows behind it do see it */
    mllama_close(&m);
}

static void pictures_that_do_not_fit_the_text_are_refused(void **state)
{
    (void)state;
    static mllama m;
    mllama_open(&m, "pictures", NULL);
    mllama_case(&m, "two");
    const int32_t at = m.image_at[1];
    m.image_at[1] = m.prompt_len[0];
    mdf_graph_reset(&m.graph);
    (void)mdf_mllm_forward(&m.graph, m.model, &m.batch, false);
    assert_int_equal(m.graph.error.code, MDF_ERR_ARG);
    assert_string_equal(m.graph.error.text,
                        "text: case 0: picture 1 has no image token in the prompt");
    m.image_at[1] = at;
    m.ratio[1] = 9;
    mdf_graph_reset(&m.graph);
    (void)mdf_mllm_forward(&m.graph, m.model, &m.batch, false);
    assert_string_equal(m.graph.error.text, "vision: aspect ratio id 9 is not in 1..8");
    mllama_close(&m);
}

#ifndef MDF_REAL_DOUBLE
/* The weights have bfloat16's precision; transformers in bfloat16 also rounds every activation to 8
 * bits, which moves its logits by up to 1.4 % of the largest (the script's print). */
static void bfloat16_logits_agree_within_its_rounding(void **state)
{
    (void)state;
    static mllama m;
    static const char *const names[] = {"picture", "text"};
    mllama_open(&m, "half", NULL);
    for (int i = 0; i < 2; i++) {
        mllama_case(&m, names[i]);
        const mdf_output o = mllama_forward(&m);
        const mdf_tensor *logits = mllama_logits(&m, &o);
        mllama_near(&m, "0.logits", logits->data, value_tolerance, 0);
        mllama_near(&m, "half", logits->data, 0.02, 0);
    }
    mllama_close(&m);
}
#endif

/* Frequencies of the released model and of the small ones: three branches of the scaling. */
static void rotary_frequencies_are_those_of_the_released_model(void **state)
{
    (void)state;
    static const struct {
        int i;
        double want;
    } large[] = {{0, 1.0},
                 {1, 0.814617217},
                 {28, 3.21144611e-03},
                 {29, 2.16657086e-03},
                 {30, 1.37189357e-03},
                 {31, 8.56751401e-04},
                 {32, 5.24846138e-04},
                 {33, 3.12693737e-04},
                 {34, 1.78507806e-04},
                 {35, 9.55621217e-05},
                 {36, 7.78465546e-05},
                 {63, 3.06892588e-07}};
    static const double small[] = {1.0,     0.244384602,   0.0130422562, 3.95284686e-3,
                                   1.25e-3, 3.95284704e-4, 1.25e-4,      3.95284696e-5};
    static const char *const sets[2][7] = {
        {"text.hidden_size=128", "num_attention_heads=1", "num_key_value_heads=1",
         "rope_theta=500000", "original_max_position_embeddings=8192", NULL},
        {"text.hidden_size=16", "num_attention_heads=1", "num_key_value_heads=1", NULL}};
    for (int k = 0; k < 2; k++) {
        mdf_error err = {0};
        static mdf_config c;
        mdf_params p;
        mdf_text t;
        must(mdf_config_load(&c, MLLAMA "tiles.json", &err), &err);
        for (int i = 0; sets[k][i] != NULL; i++) {
            must(mdf_config_set(&c, sets[k][i], &err), &err);
        }
        must(mdf_params_init(&p, &err), &err);
        mdf_text_declare(&t, &c, &p);
        for (size_t i = 0; k == 0 && i < sizeof large / sizeof large[0]; i++) {
            const double got = (double)t.inv_freq[large[i].i];
            if (!(fabs(got - large[i].want) <= 3e-7 * large[i].want)) {
                fail_msg("frequency %d: %.9g, want %.9g", large[i].i, got, large[i].want);
            }
        }
        for (size_t i = 0; k == 1 && i < sizeof small / sizeof small[0]; i++) {
            assert_true(fabs((double)t.inv_freq[i] - small[i]) <= 3e-7 * small[i]);
        }
        mdf_params_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tile_grid_agrees),
        cmocka_unit_test(tiles_with_embeddings_in_unused_slots_agree),
        cmocka_unit_test(several_pictures_and_none_agree),
        cmocka_unit_test(intermediate_states_in_any_order_agree),
        cmocka_unit_test(padded_batches_agree),
        cmocka_unit_test(losses_and_gradients_of_every_tensor_agree),
        cmocka_unit_test(deduplication_leaves_the_gradients_as_they_are),
        cmocka_unit_test(deduplication_computes_less),
        cmocka_unit_test(inference_gives_the_same_bits_as_training),
        cmocka_unit_test(without_leak_rows_text_before_a_picture_does_not_see_it),
        cmocka_unit_test(pictures_that_do_not_fit_the_text_are_refused),
#ifndef MDF_REAL_DOUBLE
        cmocka_unit_test(bfloat16_logits_agree_within_its_rounding),
#endif
        cmocka_unit_test(rotary_frequencies_are_those_of_the_released_model),
    };
    return cmocka_run_group_tests_name("golden_mllama", tests, NULL, NULL);
}
