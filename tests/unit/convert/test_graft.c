/* A text model with grafted eyes: what it was, at first, and where its layers went. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/graft.h"
#include "convert/model_folder.h"
#include "convert/model_init.h"
#include "nn/mdf_mllm.h"
#include "support/folder.h"
#include "weights/weights.h"

#define HF   MDF_TEST_DATA "/golden/hf/"
#define TINY MDF_TEST_DATA "/../presets/tiny.json"

static mdf_config rest, source, result; /* 40 kB each: not on the stack */

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

/* The tiny preset with closed gates. */
static void load_rest(void)
{
    mdf_error err = {0};
    must(mdf_config_load(&rest, TINY, &err), &err);
    must(mdf_config_set(&rest, "text_config.gate_init=0", &err), &err);
    must(mdf_config_set(&rest, "fusion_config.gate_init=0", &err), &err);
}

static mdf_mllm *open_model(const char *dir)
{
    mdf_error err = {0};
    mdf_weights w;
    mdf_mllm *m = NULL;
    must(mdf_model_config_read(&result, dir, &err), &err);
    must(mdf_mllm_new(&m, &result, false, &err), &err);
    must(mdf_weights_open(&w, dir, &err), &err);
    must(mdf_weights_set(&m->params, &w, &err), &err);
    mdf_weights_close(&w);
    return m;
}

/* Logits of five tokens; with a picture when the model has eyes. Caller frees. */
static mdf_real *logits_of(const mdf_mllm *m, bool picture)
{
    mdf_error err = {0};
    mdf_kernels *k = NULL;
    mdf_graph g;
    const int32_t prompt[] = {0, 7, 39, 12, 3};
    const int32_t len = 5;
    const int32_t at = 1;
    const size_t tile = (size_t)m->config.vision.image_size;
    const size_t side = (size_t)m->config.unet.image_size;
    mdf_real *image = mdf_alloc(picture ? 3 * (tile * tile + side * side) : 1, sizeof *image);
    for (size_t i = 0; picture && i < 3 * (tile * tile + side * side); i++) {
        image[i] = (mdf_real)(i % 17) / 17;
    }
    must(mdf_kernels_new(&k, NULL, &err), &err);
    must(mdf_graph_init(&g, k, false, 0, &err), &err);
    const mdf_batch b = {.cases = 1,
                         .vision_image = picture ? image : NULL,
                         .unet_image = picture ? image + 3 * tile * tile : NULL,
                         .image_at = &at,
                         .prompt = prompt,
                         .prompt_len = &len};
    const mdf_output o = mdf_mllm_forward(&g, m, &b, false);
    must(mdf_graph_status(&g, &err), &err);
    const mdf_tensor *logits = mdf_text_logits(&g, &m->text, o.states);
    must(mdf_graph_status(&g, &err), &err);
    assert_int_equal(logits->dim[1], 40); /* not the eight rows behind the vocabulary */
    mdf_real *copy = mdf_alloc(5 * 40, sizeof *copy);
    memcpy(copy, logits->data, 5 * 40 * sizeof *copy);
    mdf_graph_free(&g);
    mdf_kernels_free(k);
    mdf_free(image);
    return copy;
}

/* The grafted model, with a picture, says what the text model says, bit for bit. */
static void expect_same_logits(const char *text, const char *dir, int layers)
{
    mdf_mllm *plain = open_model(text);
    mdf_mllm *grafted = open_model(dir);
    assert_int_equal(grafted->config.text.num_hidden_layers, layers);
    mdf_real *want = logits_of(plain, false);
    mdf_real *got = logits_of(grafted, true);
    assert_memory_equal(got, want, 5 * 40 * sizeof *got);
    mdf_free(want);
    mdf_free(got);
    mdf_mllm_free(plain);
    mdf_mllm_free(grafted);
}

static void with_closed_gates_it_is_the_text_model(void **state)
{
    (void)state;
    test_folder f;
    char dir[256];
    mdf_error err = {0};
    mdf_graft_result r;
    load_rest();
    test_folder_make(&f);
    (void)snprintf(dir, sizeof dir, "%s/grafted", f.path);
    const mdf_graft_options opt = {.source = HF "llama_f32", .config = &rest, .seed = 3};
    must(mdf_graft(dir, &opt, &(mdf_stream_watch){0}, &r, &err), &err);
    assert_int_equal(r.kept, 3 * 9 + 2); /* three layers of nine, table and last norm */
    expect_same_logits(HF "llama_f32", dir, 5);
    test_folder_remove(&f);
}

/* A text model of random weights in blocks, as its folder has them. */
static void make_quantised(const char *dir, mdf_dtype type)
{
    mdf_error err = {0};
    mdf_init_result r;
    mdf_precision p = mdf_precision_for(type);
    p.type[MDF_PART_EMBEDDINGS] = type;
    must(mdf_model_config_read(&source, HF "llama_f32", &err), &err);
    must(mdf_config_set(&source, "text_config.hidden_size=64", &err), &err);
    must(mdf_model_init(dir, &source, &p, 5, NULL, &r, &err), &err);
}

/* Every tensor of the source has its bytes in the result, the table with eight rows more. */
static size_t expect_bytes(const mdf_weights *from, const mdf_weights *to)
{
    size_t blocks = 0;
    for (size_t i = 0; i < from->count; i++) {
        const mdf_st_tensor *a = from->item[i].tensor;
        char name[MDF_WEIGHT_NAME];
        (void)snprintf(name, sizeof name, "%s", from->item[i].name);
        char *layer = strstr(name, "layers.");
        if (layer != NULL) { /* 0, 1, 2 become 0, 2, 4: two cross layers among five */
            layer[7] = (char)('0' + 2 * (layer[7] - '0'));
        }
        const mdf_model_weight *w = mdf_weights_find(to, name);
        assert_non_null(w);
        assert_int_equal(w->tensor->dtype, a->dtype);
        assert_true(w->tensor->bytes >= a->bytes);
        assert_memory_equal(w->tensor->data, a->data, a->bytes);
        blocks += mdf_dtype_is_block(a->dtype);
    }
    return blocks;
}

static void quantised_rows_stay_as_they_are(void **state)
{
    (void)state;
    static const mdf_dtype type[] = {MDF_DTYPE_Q8_0, MDF_DTYPE_Q4_0};
    for (size_t k = 0; k < 2; k++) {
        test_folder f;
        char from[256];
        char dir[256];
        mdf_error err = {0};
        mdf_graft_result r;
        mdf_weights a;
        mdf_weights b;
        const int cross[] = {1, 3};
        load_rest();
        test_folder_make(&f);
        (void)snprintf(from, sizeof from, "%s/text", f.path);
        (void)snprintf(dir, sizeof dir, "%s/grafted", f.path);
        make_quantised(from, type[k]);
        const mdf_graft_options opt = {
            .source = from, .config = &rest, .cross = cross, .cross_count = 2, .seed = 3};
        must(mdf_graft(dir, &opt, NULL, &r, &err), &err);
        must(mdf_weights_open(&a, from, &err), &err);
        must(mdf_weights_open(&b, dir, &err), &err);
        assert_int_equal(expect_bytes(&a, &b), 3 * 7 + 1); /* all matrices and the table */
        const mdf_model_weight *table =
            mdf_weights_find(&b, "model.language_model.embed_tokens.weight");
        assert_int_equal(table->tensor->dtype, type[k]);
        assert_int_equal(table->tensor->dim[0], 48);
        float x[48 * 64];
        must(mdf_safetensors_floats(table->file, table->tensor, x, &err), &err);
        double square = 0;
        for (int i = 40 * 64; i < 48 * 64; i++) {
            square += (double)x[i] * (double)x[i];
        }
        /* initializer_range of tiny; four standard errors of 512 numbers, and a tenth for 4 bits */
        assert_true(fabs(sqrt(square / 512) / 0.05 - 1) < 4 / sqrt(2.0 * 512) + 0.1);
        mdf_weights_close(&a);
        mdf_weights_close(&b);
        expect_same_logits(from, dir, 5);
        test_folder_remove(&f);
    }
}

static void a_vision_model_gets_the_detail_path(void **state)
{
    (void)state;
    test_folder f;
    char dir[256];
    mdf_error err = {0};
    mdf_graft_result r;
    load_rest();
    test_folder_make(&f);
    (void)snprintf(dir, sizeof dir, "%s/grafted", f.path);
    const mdf_graft_options opt = {.source = HF "old_f32_shards", .config = &rest, .seed = 3};
    must(mdf_graft(dir, &opt, &(mdf_stream_watch){0}, &r, &err), &err);
    mdf_mllm *grafted = open_model(dir);
    assert_true(r.added > 0 && mdf_config_has_unet(&grafted->config));
    mdf_weights w;
    must(mdf_weights_open(&w, HF "old_f32_shards", &err), &err);
    assert_int_equal(r.kept, w.count);
    mdf_weights_close(&w);
    mdf_mllm_free(grafted);
    test_folder_remove(&f);
}

/* Llama 3.2 Vision's own pattern, and the one of 30 layers by hand. */
static void cross_layers_are_where_llama_has_them(void **state)
{
    (void)state;
    mdf_error err = {0};
    load_rest();
    must(mdf_model_config_read(&source, HF "llama_f32", &err), &err);
    source.text.num_hidden_layers = 32;
    mdf_graft_options opt = {.source = "x", .config = &rest};
    rest.text.cross_count = 8;
    rest.text.num_hidden_layers = 8;
    for (int i = 0; i < 8; i++) {
        rest.text.cross_attention_layers[i] = i;
    }
    rest.fusion.map_count = 2;
    rest.fusion.map[0] = (mdf_map_entry){0, 1};
    rest.fusion.map[1] = (mdf_map_entry){7, 4};
    must(mdf_graft_config(&result, &source, &opt, &err), &err);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(result.text.cross_attention_layers[i], 3 + 5 * i);
    }
    assert_int_equal(result.fusion.map[0].layer, 3);
    assert_int_equal(result.fusion.map[1].layer, 38);
}

/* Settings of a trained model give what it is made of, not what was measured on its weights. */
static void what_was_measured_on_other_weights_is_forgotten(void **state)
{
    (void)state;
    mdf_error err = {0};
    load_rest();
    must(mdf_model_config_read(&source, HF "llama_f32", &err), &err);
    const mdf_graft_options opt = {.source = "x", .config = &rest};
    rest.answer.temperature = 2;
    rest.doubt.pictures = 3;
    rest.doubt.distance_limit = 1.5;
    must(mdf_graft_config(&result, &source, &opt, &err), &err);
    assert_true(result.answer.temperature >= 1 && result.answer.temperature <= 1);
    assert_false(mdf_config_has_doubt(&result));
}

static void contradictions_are_named(void **state)
{
    (void)state;
    mdf_error err = {0};
    load_rest();
    must(mdf_model_config_read(&source, HF "llama_f32", &err), &err);
    const int back[] = {4, 2};
    mdf_graft_options opt = {.source = "src", .config = &rest, .cross = back, .cross_count = 2};
    assert_int_equal(mdf_graft_config(&result, &source, &opt, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "cross-attention layer 2"));
    const int many[] = {0, 1, 2, 3};
    opt.cross = many;
    opt.cross_count = 4;
    assert_int_equal(mdf_graft_config(&result, &source, &opt, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "src: 4 cross-attention layers"));
    must(mdf_model_config_read(&source, HF "old_f32_shards", &err), &err);
    opt.cross_count = 2;
    assert_int_equal(mdf_graft_config(&result, &source, &opt, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "has cross-attention layers already"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_closed_gates_it_is_the_text_model),
        cmocka_unit_test(quantised_rows_stay_as_they_are),
        cmocka_unit_test(a_vision_model_gets_the_detail_path),
        cmocka_unit_test(cross_layers_are_where_llama_has_them),
        cmocka_unit_test(what_was_measured_on_other_weights_is_forgotten),
        cmocka_unit_test(contradictions_are_named),
    };
    return cmocka_run_group_tests_name("graft", tests, NULL, NULL);
}
