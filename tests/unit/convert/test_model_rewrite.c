/* Models of random weights, quantised, imported, exported: by value and by file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/blocks_plain.h"
#include "convert/model_folder.h"
#include "convert/model_init.h"
#include "convert/model_rewrite.h"
#include "nn/mdf_mllm.h"
#include "support/folder.h"
#include "weights/lora.h"
#include "weights/weights.h"

#define HF MDF_TEST_DATA "/golden/hf/"

static mdf_config config; /* 40 kB: not on the stack */

static void path_in(char path[256], const test_folder *f, const char *name)
{
    (void)snprintf(path, 256, "%s/%s", f->path, name);
}

static float *floats_of(const mdf_weights *w, const char *name, size_t *n)
{
    const mdf_model_weight *t = mdf_weights_find(w, name);
    assert_non_null(t);
    float *x = mdf_alloc(t->tensor->count, sizeof *x);
    assert_int_equal(mdf_safetensors_floats(t->file, t->tensor, x, NULL), MDF_OK);
    *n = t->tensor->count;
    return x;
}

static void init_tiny(const test_folder *f, const char *name, uint64_t seed, mdf_dtype type)
{
    char path[256];
    mdf_init_result r;
    const mdf_precision p = mdf_precision_for(type);
    path_in(path, f, name);
    assert_int_equal(mdf_config_load(&config, MDF_TEST_DATA "/../presets/tiny.json", NULL), MDF_OK);
    assert_int_equal(mdf_model_init(path, &config, &p, seed, NULL, &r, NULL), MDF_OK);
    assert_int_equal(
        r.numbers,
        460183); /* 255273 by transformers, 122098 + 82812 by the tables of docs/MODEL.md */
}

static void random_weights_have_the_asked_distribution(void **state)
{
    (void)state;
    test_folder f;
    char path[256];
    mdf_weights w;
    mdf_weights other;
    size_t n = 0;
    test_folder_make(&f);
    init_tiny(&f, "a", 1, MDF_DTYPE_F32);
    init_tiny(&f, "b", 2, MDF_DTYPE_F32);
    path_in(path, &f, "a");
    assert_int_equal(mdf_weights_open(&w, path, NULL), MDF_OK);
    path_in(path, &f, "b");
    assert_int_equal(mdf_weights_open(&other, path, NULL), MDF_OK);
    float *x = floats_of(&w, "lm_head.weight", &n);
    float *y = floats_of(&other, "lm_head.weight", &n);
    double sum = 0;
    double square = 0;
    double product = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
        square += (double)x[i] * (double)x[i];
        product += (double)x[i] * (double)y[i];
    }
    const double sd = 0.05; /* initializer_range; bounds are four standard errors */
    assert_true(fabs(sum / (double)n) < 4 * sd / sqrt((double)n));
    assert_true(fabs(sqrt(square / (double)n) / sd - 1) < 4 / sqrt(2.0 * (double)n));
    assert_true(fabs(product / square) < 4 / sqrt((double)n)); /* another seed, other numbers */
    mdf_free(x);
    mdf_free(y);
    x = floats_of(&w, "model.language_model.norm.weight", &n);
    assert_true(x[0] == 1.0F && x[n - 1] == 1.0F);
    mdf_free(x);
    x = floats_of(&w, "model.language_model.layers.1.cross_attn_attn_gate", &n);
    assert_true(x[0] == 0.5F);
    mdf_free(x);
    mdf_weights_close(&w);
    mdf_weights_close(&other);
    test_folder_remove(&f);
}

static void quantised_weights_are_as_far_off_as_the_report_says(void **state)
{
    (void)state;
    test_folder f;
    char a[256];
    char b[256];
    mdf_weights before;
    mdf_weights after;
    mdf_rewrite_result r;
    mdf_error err = {0};
    const mdf_rewrite how = {.precision = mdf_precision_for(MDF_DTYPE_Q4_0),
                             .refuse_quantised = true};
    test_folder_make(&f);
    init_tiny(&f, "a", 1, MDF_DTYPE_F32);
    path_in(a, &f, "a");
    path_in(b, &f, "b");
    assert_int_equal(mdf_model_rewrite(a, b, &how, NULL, &r, &err), MDF_OK);
    assert_int_equal(mdf_weights_open(&before, a, NULL), MDF_OK);
    assert_int_equal(mdf_weights_open(&after, b, NULL), MDF_OK);
    assert_int_equal(after.count, before.count);
    assert_int_equal(after.bytes, r.bytes);
    size_t blocks = 0;
    for (size_t i = 0; i < r.tensors; i++) {
        size_t n = 0;
        float *x = floats_of(&before, r.tensor[i].name, &n);
        float *y = floats_of(&after, r.tensor[i].name, &n);
        double difference = 0;
        double square = 0;
        for (size_t k = 0; k < n; k++) {
            difference += ((double)y[k] - (double)x[k]) * ((double)y[k] - (double)x[k]);
            square += (double)x[k] * (double)x[k];
        }
        const double error = square > 0 ? sqrt(difference / square) : 0;
        assert_true(fabs(error - r.tensor[i].error) <= 1e-9 * (1 + error));
        /* 4 bits of a normal number: about 9 %; 8 bits: 0.6 %; 16 bits: 2^-9 */
        assert_true(error < (r.tensor[i].to == MDF_DTYPE_Q4_0 ? 0.12 : 0.008));
        blocks += mdf_dtype_is_block(r.tensor[i].to);
        mdf_free(x);
        mdf_free(y);
    }
    assert_true(blocks > 50);
    mdf_rewrite_result_free(&r);
    mdf_weights_close(&before);
    mdf_weights_close(&after);
    char again[256];
    path_in(again, &f, "c");
    assert_int_equal(mdf_model_rewrite(b, again, &how, NULL, &r, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "is quantised already"));
    assert_int_equal(mdf_model_rewrite(a, b, &how, NULL, &r, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "already holds a model (config.json); choose another folder"));
    test_folder_remove(&f);
}

/* mdf adapt: means and variances of others, as 32-bit floats; everything else by the bit. */
static void statistics_take_the_place_of_the_folders(void **state)
{
    (void)state;
    test_folder f;
    char a[256];
    char b[256];
    mdf_init_result init;
    mdf_weights before;
    mdf_weights after;
    mdf_rewrite_result r;
    mdf_mllm *model = NULL;
    mdf_error err = {0};
    mdf_precision keep = {0};
    size_t statistics = 0;
    const mdf_precision p = mdf_precision_for(MDF_DTYPE_BF16);
    for (int i = 0; i < MDF_PARTS; i++) {
        keep.keep[i] = true;
    }
    test_folder_make(&f);
    path_in(a, &f, "a");
    path_in(b, &f, "b");
    assert_int_equal(mdf_config_load(&config, MDF_TEST_DATA "/../presets/tiny.json", NULL), MDF_OK);
    const char *const set[] = {"unet_config.encoder=efficientnet_lite0", "fusion_config.grid=2",
                               "fusion_config.cells=1"};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
        assert_int_equal(mdf_config_set(&config, set[i], &err), MDF_OK);
    }
    assert_int_equal(mdf_model_init(a, &config, &p, 1, NULL, &init, &err), MDF_OK);
    assert_int_equal(mdf_mllm_new(&model, &config, false, &err), MDF_OK);
    for (int64_t i = 0; i < model->params.total; i++) {
        model->params.data[i] = (mdf_real)(1.0 + 1e-3 * (double)(i % 1000)); /* no 16-bit numbers */
    }
    config.answer.temperature = 3;
    const mdf_rewrite how = {.precision = keep, .config = &config, .fixed = &model->params};
    assert_int_equal(mdf_model_rewrite(a, b, &how, NULL, &r, &err), MDF_OK);
    assert_int_equal(mdf_weights_open(&before, a, NULL), MDF_OK);
    assert_int_equal(mdf_weights_open(&after, b, NULL), MDF_OK);
    assert_int_equal(after.count, before.count);
    for (size_t i = 0; i < before.count; i++) {
        const mdf_st_tensor *x = before.item[i].tensor;
        const mdf_st_tensor *y = after.item[i].tensor;
        const mdf_param *param = mdf_params_find(&model->params, before.item[i].name);
        assert_string_equal(before.item[i].name, after.item[i].name);
        if (param->group == MDF_GROUP_FIXED) {
            assert_int_equal(y->dtype, MDF_DTYPE_F32);
            assert_int_equal(y->bytes, (size_t)mdf_tensor_count(&param->tensor) * sizeof(float));
            assert_memory_equal(y->data, param->tensor.data, y->bytes);
            statistics++;
        } else {
            assert_int_equal(y->dtype, x->dtype);
            assert_int_equal(y->bytes, x->bytes);
            assert_memory_equal(y->data, x->data, x->bytes);
        }
    }
    assert_int_equal(statistics, 2 * 48); /* of the encoder's 48 norms */
    assert_int_equal(mdf_model_config_read(&config, b, &err), MDF_OK);
    assert_true(config.answer.temperature == 3);
    mdf_rewrite_result_free(&r);
    mdf_weights_close(&before);
    mdf_weights_close(&after);
    mdf_mllm_free(model);
    test_folder_remove(&f);
}

static void a_released_model_comes_and_goes_unchanged(void **state)
{
    (void)state;
    static const char *const source[] = {HF "old_bf16", HF "llama_f32"};
    mdf_rewrite in = {.precision = mdf_precision_for(MDF_DTYPE_F32)};
    mdf_rewrite out = {.precision = mdf_precision_for(MDF_DTYPE_F32), .hugging_face = true};
    for (int i = 0; i < MDF_PARTS; i++) {
        in.precision.keep[i] = out.precision.keep[i] = true;
    }
    for (size_t k = 0; k < 2; k++) {
        test_folder f;
        char ours[256];
        char theirs[256];
        mdf_rewrite_result r;
        mdf_weights a;
        mdf_weights b;
        test_folder_make(&f);
        path_in(ours, &f, "ours");
        path_in(theirs, &f, "theirs");
        assert_int_equal(mdf_model_rewrite(source[k], ours, &in, NULL, &r, NULL), MDF_OK);
        mdf_rewrite_result_free(&r);
        assert_int_equal(mdf_model_rewrite(ours, theirs, &out, NULL, &r, NULL), MDF_OK);
        assert_int_equal(r.left_out, 0);
        mdf_rewrite_result_free(&r);
        assert_int_equal(mdf_weights_open(&a, source[k], NULL), MDF_OK);
        assert_int_equal(mdf_weights_open(&b, theirs, NULL), MDF_OK);
        assert_int_equal(a.count, b.count);
        for (size_t i = 0; i < a.count; i++) {
            assert_string_equal(a.item[i].tensor->name, b.item[i].tensor->name);
            assert_int_equal(a.item[i].tensor->dtype, b.item[i].tensor->dtype);
            assert_memory_equal(a.item[i].tensor->data, b.item[i].tensor->data,
                                a.item[i].tensor->bytes);
        }
        mdf_weights_close(&a);
        mdf_weights_close(&b);
        test_folder_remove(&f);
    }
}

/* transformers has no tied head of the right size: the first vocab_size rows of the table are
 * written out as lm_head, in any format, and the settings no longer say that it is tied. */
static void a_tied_head_is_written_out_for_transformers(void **state)
{
    (void)state;
    static const mdf_dtype type[] = {MDF_DTYPE_F32, MDF_DTYPE_BF16, MDF_DTYPE_Q8_0};
    static mdf_config c;
    for (size_t k = 0; k < 3; k++) {
        test_folder f;
        char tied[256];
        char theirs[256];
        mdf_rewrite_result r;
        mdf_weights a;
        mdf_weights b;
        mdf_init_result made;
        size_t n = 0;
        size_t m = 0;
        mdf_rewrite how = {.precision = mdf_precision_for(MDF_DTYPE_F32), .hugging_face = true};
        test_folder_make(&f);
        path_in(tied, &f, "tied");
        path_in(theirs, &f, "theirs");
        assert_int_equal(mdf_config_load(&c, MDF_TEST_DATA "/../presets/tiny.json", NULL), MDF_OK);
        assert_int_equal(mdf_config_set(&c, "tie_word_embeddings=true", NULL), MDF_OK);
        const mdf_precision p = mdf_precision_for(type[k]);
        assert_int_equal(mdf_model_init(tied, &c, &p, 7, NULL, &made, NULL), MDF_OK);
        assert_int_equal(mdf_model_rewrite(tied, theirs, &how, NULL, &r, NULL), MDF_OK);
        mdf_rewrite_result_free(&r);
        assert_int_equal(mdf_model_config_read(&c, theirs, NULL), MDF_OK);
        assert_false(c.text.tie_word_embeddings);
        assert_int_equal(mdf_weights_open(&a, tied, NULL), MDF_OK);
        assert_int_equal(mdf_weights_open(&b, theirs, NULL), MDF_OK);
        assert_null(mdf_weights_find(&a, "lm_head.weight"));
        float *table = floats_of(&a, "model.language_model.embed_tokens.weight", &n);
        float *head = floats_of(&b, "lm_head.weight", &m);
        assert_int_equal(m, (size_t)c.text.vocab_size * (size_t)c.text.hidden_size);
        assert_int_equal(n, m + 8 * (size_t)c.text.hidden_size);
        assert_memory_equal(table, head, m * sizeof *head);
        mdf_free(table);
        mdf_free(head);
        mdf_weights_close(&a);
        mdf_weights_close(&b);
        test_folder_remove(&f);
    }
}

static void an_adapter_is_merged_on_the_way_in(void **state)
{
    (void)state;
    test_folder f;
    char path[256];
    mdf_lora lora;
    mdf_rewrite_result r;
    mdf_weights expect;
    mdf_weights got;
    mdf_rewrite how = {.precision = mdf_precision_for(MDF_DTYPE_F32), .lora = &lora};
    test_folder_make(&f);
    path_in(path, &f, "merged");
    assert_int_equal(mdf_lora_load(&lora, HF "lora", NULL), MDF_OK);
    assert_int_equal(mdf_model_rewrite(HF "old_f32_shards", path, &how, NULL, &r, NULL), MDF_OK);
    mdf_rewrite_result_free(&r);
    mdf_lora_free(&lora);
    assert_int_equal(mdf_weights_open(&expect, HF "expect_lora.safetensors", NULL), MDF_OK);
    assert_int_equal(mdf_weights_open(&got, path, NULL), MDF_OK);
    for (size_t i = 0; i < expect.count; i++) {
        size_t n = 0;
        float *x = floats_of(&expect, expect.item[i].name, &n);
        float *y = floats_of(&got, expect.item[i].name, &n);
        for (size_t k = 0; k < n; k++) { /* as in test_weights.c */
            assert_true(fabsf(x[k] - y[k]) <= 2e-6F * (1 + fabsf(x[k])));
        }
        mdf_free(x);
        mdf_free(y);
    }
    mdf_weights_close(&expect);
    mdf_weights_close(&got);
    test_folder_remove(&f);
}

static void plain_blocks_round_to_nearest(void **state)
{
    (void)state;
    float x[32];
    float y[32];
    uint8_t block[34];
    for (int i = 0; i < 32; i++) {
        x[i] = 0.01F * (float)(i * i % 37 - 18);
    }
    assert_true(mdf_blocks_plain(MDF_DTYPE_Q8_0, x, 32, block));
    assert_true(mdf_dtype_to_floats(MDF_DTYPE_Q8_0, block, 32, y));
    for (int i = 0; i < 32; i++) { /* half a step and the scale's own rounding, 2^-11 */
        assert_true(fabsf(x[i] - y[i]) <= 0.18F / 127 * 0.5F + 0.18F * 0x1p-11F);
    }
    assert_true(mdf_blocks_plain(MDF_DTYPE_Q4_0, x, 32, block));
    assert_true(mdf_dtype_to_floats(MDF_DTYPE_Q4_0, block, 32, y));
    for (int i = 0; i < 32; i++) {
        assert_true(fabsf(x[i] - y[i]) <= 0.18F / 7.5F * 0.5F + 0.18F * 0x1p-11F);
    }
    memset(x, 0, sizeof x);
    assert_true(mdf_blocks_plain(MDF_DTYPE_Q4_0, x, 32, block));
    assert_true(mdf_dtype_to_floats(MDF_DTYPE_Q4_0, block, 32, y));
    assert_memory_equal(x, y, sizeof x);
    x[5] = (float)INFINITY;
    assert_false(mdf_blocks_plain(MDF_DTYPE_Q4_0, x, 32, block));
    assert_false(mdf_blocks_plain(MDF_DTYPE_Q5_0, x, 32, block));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_weights_have_the_asked_distribution),
        cmocka_unit_test(quantised_weights_are_as_far_off_as_the_report_says),
        cmocka_unit_test(statistics_take_the_place_of_the_folders),
        cmocka_unit_test(a_released_model_comes_and_goes_unchanged),
        cmocka_unit_test(a_tied_head_is_written_out_for_transformers),
        cmocka_unit_test(an_adapter_is_merged_on_the_way_in),
        cmocka_unit_test(plain_blocks_round_to_nearest),
    };
    return cmocka_run_group_tests_name("engine/model_rewrite", tests, NULL, NULL);
}
