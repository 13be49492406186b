/* Model folders of Hugging Face's (tests/golden/hf, made by transformers): every naming, format and
 * split gives the same parameters, mapped or not; what is wrong with a folder is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "nn/mdf_mllm.h"
#include "support/folder.h"
#include "weights/parts.h"
#include "weights/weights.h"

#define HF MDF_TEST_DATA "/golden/hf/"

static mdf_config config; /* 40 kB: not on the stack */

static mdf_mllm *declared(const char *folder)
{
    char path[512];
    mdf_mllm *m = NULL;
    (void)snprintf(path, sizeof path, "%s/config.json", folder);
    assert_int_equal(mdf_config_load(&config, path, NULL), MDF_OK);
    assert_int_equal(mdf_mllm_declare(&m, &config, NULL), MDF_OK);
    return m;
}

/* The numbers of a parameter, wherever they are. */
static void numbers_of(const mdf_tensor *t, float *out)
{
    const size_t n = (size_t)mdf_tensor_count(t);
    if (t->data != NULL) {
        memcpy(out, t->data, n * sizeof *out);
    } else {
        assert_true(mdf_dtype_to_floats(t->dtype, t->raw, n, out));
    }
}

static void expect_values(const mdf_params *p, const char *file)
{
    mdf_weights expect;
    assert_int_equal(mdf_weights_open(&expect, file, NULL), MDF_OK);
    assert_int_equal(expect.count, p->count);
    for (size_t i = 0; i < p->count; i++) {
        const mdf_tensor *t = &p->item[i]->tensor;
        const mdf_model_weight *w = mdf_weights_find(&expect, t->name);
        assert_non_null(w);
        const size_t n = (size_t)mdf_tensor_count(t);
        float *a = mdf_alloc(n, sizeof *a);
        float *b = mdf_alloc(n, sizeof *b);
        numbers_of(t, a);
        assert_int_equal(mdf_safetensors_floats(w->file, w->tensor, b, NULL), MDF_OK);
        assert_memory_equal(a, b, n * sizeof *a);
        mdf_free(a);
        mdf_free(b);
    }
    mdf_weights_close(&expect);
}

static void expect_both_ways(const char *folder, const char *file)
{
    mdf_weights w;
    assert_int_equal(mdf_weights_open(&w, folder, NULL), MDF_OK);
    mdf_mllm *mapped = declared(folder);
    assert_int_equal(mdf_weights_map(&mapped->params, &w, true, NULL), MDF_OK);
    expect_values(&mapped->params, file);
    mdf_mllm *floats = declared(folder);
    assert_int_equal(mdf_params_allocate(&floats->params, false, NULL), MDF_OK);
    assert_int_equal(mdf_weights_load(&floats->params, folder, NULL), MDF_OK);
    expect_values(&floats->params, file);
    mdf_mllm_free(mapped);
    mdf_mllm_free(floats);
    mdf_weights_close(&w);
}

static void every_naming_format_and_split_gives_the_same_numbers(void **state)
{
    (void)state;
    expect_both_ways(HF "old_bf16", HF "expect_bf16.safetensors");
    expect_both_ways(HF "new_f16_shards", HF "expect_f16.safetensors");
    expect_both_ways(HF "llama_f32", HF "llama_f32/model.safetensors");
}

static void matrices_stay_in_the_file_and_the_rest_becomes_floats(void **state)
{
    (void)state;
    mdf_weights w;
    assert_int_equal(mdf_weights_open(&w, HF "old_bf16", NULL), MDF_OK);
    mdf_mllm *m = declared(HF "old_bf16");
    assert_int_equal(mdf_weights_map(&m->params, &w, false, NULL), MDF_OK);
    const uint8_t *begin = w.shards.file[0].map.data;
    const uint8_t *end = begin + w.shards.file[0].map.len;
    for (size_t i = 0; i < m->params.count; i++) {
        const mdf_tensor *t = &m->params.item[i]->tensor;
        assert_int_equal(t->raw != NULL, t->rank == 2);
        assert_int_equal(t->data != NULL, t->rank != 2);
        assert_false(t->needs_grad);
        if (t->raw != NULL) {
            assert_int_equal(t->dtype, MDF_DTYPE_BF16);
            assert_true((const uint8_t *)t->raw >= begin && (const uint8_t *)t->raw < end);
        }
    }
    mdf_mllm_free(m);
    mdf_weights_close(&w);
}

static void aligned_floats_are_not_copied(void **state)
{
    (void)state;
    mdf_weights w;
    assert_int_equal(mdf_weights_open(&w, HF "old_f32_shards", NULL), MDF_OK);
    mdf_mllm *m = declared(HF "old_f32_shards");
    assert_int_equal(mdf_weights_map(&m->params, &w, false, NULL), MDF_OK);
    const mdf_tensor *t = &mdf_params_find(&m->params, "lm_head.weight")->tensor;
    const mdf_model_weight *from = mdf_weights_find(&w, "lm_head.weight");
    assert_string_equal(from->tensor->name, "language_model.lm_head.weight");
    assert_ptr_equal(t->data, from->tensor->data);
    assert_null(t->raw);
    mdf_mllm_free(m);
    mdf_weights_close(&w);
}

static void names_of_all_releases_become_one(void **state)
{
    (void)state;
    static const char *const pair[][2] = {
        {"language_model.model.layers.3.cross_attn_attn_gate",
         "model.language_model.layers.3.cross_attn_attn_gate"},
        {"language_model.lm_head.weight", "lm_head.weight"},
        {"vision_model.class_embedding", "model.vision_model.class_embedding"},
        {"multi_modal_projector.bias", "model.multi_modal_projector.bias"},
        {"model.layers.0.mlp.up_proj.weight", "model.language_model.layers.0.mlp.up_proj.weight"},
        {"model.norm.weight", "model.language_model.norm.weight"},
        {"model.language_model.norm.weight", "model.language_model.norm.weight"},
        {"unet.head.bias", "unet.head.bias"},
    };
    char name[MDF_WEIGHT_NAME];
    for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
        assert_true(mdf_weights_name(pair[i][0], name));
        assert_string_equal(name, pair[i][1]);
    }
    char lengthy[MDF_WEIGHT_NAME + 1];
    memset(lengthy, 'x', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = '\0';
    assert_false(mdf_weights_name(lengthy, name));
}

/* The parts' counts as published: docs/MODEL.md section 3. */
static void expect_count(int layers, int width, int inner, int heads, int image, int64_t total)
{
    assert_int_equal(mdf_config_load(&config, HF "config_4_mllama/config.json", NULL), MDF_OK);
    mdf_text_config *t = &config.text;
    t->vocab_size = config.image_token_index = 128256;
    t->hidden_size = width;
    t->intermediate_size = inner;
    t->num_hidden_layers = layers;
    t->num_attention_heads = heads;
    t->num_key_value_heads = 8;
    t->cross_count = 0;
    for (int i = 3; i < layers; i += 5) {
        t->cross_attention_layers[t->cross_count++] = i;
    }
    mdf_vision_config *v = &config.vision;
    v->hidden_size = 1280;
    v->intermediate_size = 5120;
    v->num_hidden_layers = 32;
    v->num_global_layers = 8;
    v->attention_heads = 16;
    v->image_size = image;
    const int index[] = {3, 7, 15, 23, 30};
    memcpy(v->intermediate_layers_indices, index, sizeof index);
    v->intermediate_count = 5;
    mdf_mllm *m = NULL;
    mdf_part_count count[MDF_PARTS];
    mdf_error err = {0};
    assert_int_equal(mdf_mllm_declare(&m, &config, &err), MDF_OK);
    mdf_parts_of_params(count, &m->params, &config);
    int64_t sum = 0;
    size_t tensors = 0;
    for (int i = 0; i < MDF_PARTS; i++) {
        sum += count[i].numbers;
        tensors += count[i].tensors;
    }
    assert_int_equal(sum, total);
    assert_int_equal(tensors, layers == 40 ? 906 : 1494);
    assert_int_equal(count[MDF_PART_OTHER].tensors, 0);
    mdf_mllm_free(m);
}

static void the_released_models_have_the_published_counts(void **state)
{
    (void)state;
    expect_count(40, 4096, 14336, 32, 560, 10670220835);
    expect_count(40, 4096, 14336, 32, 448, 10642941475);
    expect_count(100, 8192, 28672, 64, 560, 88593355323);
}

/* One tensor file of our own making in a scratch folder. */
static void expect_refused(const mdf_st_entry *entry, size_t entries, mdf_status code,
                           const char *sentence)
{
    test_folder f;
    char path[128];
    mdf_error err = {0};
    mdf_weights w;
    test_folder_make(&f);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", f.path);
    assert_int_equal(mdf_safetensors_save(path, entry, entries, NULL, 0, NULL), MDF_OK);
    mdf_params p;
    assert_int_equal(mdf_params_init(&p, NULL), MDF_OK);
    (void)mdf_param_add(&p, MDF_GROUP_TEXT, MDF_INIT_ONE, 0, 1, (int64_t[]){2}, "n");
    (void)mdf_param_add(&p, MDF_GROUP_TEXT, MDF_INIT_ONE, 0, 2, (int64_t[]){1, 2}, "m");
    mdf_status status = mdf_weights_open(&w, f.path, &err);
    if (status == MDF_OK) {
        status = mdf_weights_map(&p, &w, true, &err);
        mdf_weights_close(&w);
    }
    assert_int_equal(status, code);
    const size_t before = strlen(f.path);
    assert_int_equal(strncmp(err.text, f.path, before), 0);
    assert_string_equal(err.text + before, sentence);
    mdf_params_free(&p);
    test_folder_remove(&f);
}

static void what_is_wrong_with_a_file_is_named(void **state)
{
    (void)state;
    static const float good[2] = {1, 2};
    static const float bad[2] = {1, (float)INFINITY};
    static const int64_t whole[2] = {1, 2};
    mdf_st_entry e[3] = {{"n", MDF_DTYPE_F32, 1, {2}, good, false},
                         {"m", MDF_DTYPE_F32, 2, {1, 2}, good, false},
                         {"x", MDF_DTYPE_F32, 1, {2}, good, false}};
    expect_refused(e, 1, MDF_ERR_FORMAT, "/model.safetensors: tensor \"m\" is missing");
    expect_refused(e, 3, MDF_ERR_FORMAT,
                   "/model.safetensors: tensor x does not belong to this configuration");
    e[1].dim[0] = 2;
    e[1].dim[1] = 1;
    expect_refused(e, 2, MDF_ERR_SHAPE,
                   "/model.safetensors: tensor \"m\" has shape [2, 1], but the model needs [1, 2]");
    e[1].dim[0] = 1;
    e[1].dim[1] = 2;
    e[0].data = bad;
    expect_refused(e, 2, MDF_ERR_NUMERIC,
                   "/model.safetensors: tensor n holds a number that is not finite");
    e[0].data = good;
    e[1].data = bad; /* mapped: seen because check_all was asked for */
    expect_refused(e, 2, MDF_ERR_NUMERIC,
                   "/model.safetensors: tensor m holds a number that is not finite");
    e[1].data = whole;
    e[1].dtype = MDF_DTYPE_I64;
    expect_refused(e, 2, MDF_ERR_FORMAT,
                   "/model.safetensors: tensor \"m\" has type I64, but floating-point numbers are "
                   "needed");
    e[1] = (mdf_st_entry){"model.norm.weight", MDF_DTYPE_F32, 1, {2}, good, false};
    e[2].name = "language_model.model.norm.weight";
    expect_refused(e, 3, MDF_ERR_FORMAT,
                   "/model.safetensors: tensors \"language_model.model.norm.weight\" and "
                   "\"model.norm.weight\" are the same one");
}

static void a_missing_shard_and_a_lying_index_are_named(void **state)
{
    (void)state;
    test_folder f;
    mdf_weights w;
    mdf_error err = {0};
    test_folder_make(&f);
    test_put(&f, "model.safetensors.index.json", "{\"weight_map\":{\"a\":\"one.safetensors\"}}");
    assert_int_equal(mdf_weights_open(&w, f.path, &err), MDF_ERR_IO);
    assert_string_equal(err.text + strlen(f.path),
                        "/one.safetensors: can't open: no such file or folder");
    char path[128];
    const float x = 1;
    (void)snprintf(path, sizeof path, "%s/one.safetensors", f.path);
    assert_int_equal(mdf_safetensors_save(path,
                                          &(mdf_st_entry){"b", MDF_DTYPE_F32, 1, {1}, &x, false}, 1,
                                          NULL, 0, NULL),
                     MDF_OK);
    assert_int_equal(mdf_weights_open(&w, f.path, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text + strlen(f.path), "/one.safetensors: tensor \"a\" is missing");
    test_folder_remove(&f);
}

static mdf_status open_all(mdf_weights *w, mdf_params *p)
{
    MDF_TRY(mdf_weights_open(w, HF "new_f16_shards", NULL));
    const mdf_status status = mdf_weights_map(p, w, true, NULL);
    mdf_weights_close(w);
    return status;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    mdf_weights w;
    int failures = 0;
    for (long n = 1;; n++, failures++) {
        mdf_mllm *m = declared(HF "new_f16_shards");
        mdf_alloc_fail_after(n);
        const mdf_status status = open_all(&w, &m->params);
        mdf_alloc_fail_after(0);
        mdf_mllm_free(m);
        if (status == MDF_OK) {
            break;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
    assert_true(failures > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_naming_format_and_split_gives_the_same_numbers),
        cmocka_unit_test(matrices_stay_in_the_file_and_the_rest_becomes_floats),
        cmocka_unit_test(aligned_floats_are_not_copied),
        cmocka_unit_test(names_of_all_releases_become_one),
        cmocka_unit_test(the_released_models_have_the_published_counts),
        cmocka_unit_test(what_is_wrong_with_a_file_is_named),
        cmocka_unit_test(a_missing_shard_and_a_lying_index_are_named),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("nn/weights", tests, NULL, NULL);
}
