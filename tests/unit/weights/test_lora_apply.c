/* An adapter added when a model is loaded, against the same adapter merged by mdf import. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/model_rewrite.h"
#include "nn/mdf_mllm.h"
#include "support/folder.h"
#include "weights/lora_apply.h"

#define QUERY "model.language_model.layers.0.self_attn.q_proj.weight"
#define ASK   MDF_TEST_DATA "/golden/ask/"

static mdf_config config; /* 40 kB: not on the stack */

typedef struct loaded {
    mdf_mllm *model;
    mdf_weights weights;
    mdf_lora_copies copies;
} loaded;

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static void load(loaded *m, const char *dir, bool mapped, const char *adapter)
{
    char path[512];
    mdf_error err = {0};
    mdf_lora lora;
    *m = (loaded){0};
    (void)snprintf(path, sizeof path, "%s/config.json", dir);
    must(mdf_config_load(&config, path, &err), &err);
    must(mdf_mllm_declare(&m->model, &config, &err), &err);
    must(mdf_weights_open(&m->weights, dir, &err), &err);
    if (mapped) {
        must(mdf_weights_map(&m->model->params, &m->weights, false, &err), &err);
    } else {
        must(mdf_params_allocate(&m->model->params, false, &err), &err);
        must(mdf_weights_set(&m->model->params, &m->weights, &err), &err);
    }
    if (adapter != NULL) {
        must(mdf_lora_load(&lora, adapter, &err), &err);
        must(mdf_lora_apply(&m->copies, &m->model->params, &m->weights, &lora, &err), &err);
        assert_int_equal(m->copies.count, lora.count);
        mdf_lora_free(&lora);
    }
}

static void unload(loaded *m)
{
    mdf_mllm_free(m->model);
    mdf_lora_copies_free(&m->copies);
    mdf_weights_close(&m->weights);
}

/* The numbers of a parameter, wherever they are. Caller frees. */
static float *numbers(const mdf_tensor *t)
{
    const size_t n = (size_t)mdf_tensor_count(t);
    float *x = mdf_alloc(n, sizeof *x);
    if (t->raw != NULL) {
        assert_true(mdf_dtype_to_floats(t->dtype, t->raw, n, x));
    } else {
        memcpy(x, t->data, n * sizeof *x);
    }
    return x;
}

/* Root of the mean squared difference over the numbers' root mean square; of all parameters the
 * largest. */
static double difference(const loaded *a, const loaded *b)
{
    double most = 0;
    for (size_t i = 0; i < a->model->params.count; i++) {
        const mdf_tensor *t = &a->model->params.item[i]->tensor;
        float *x = numbers(t);
        float *y = numbers(&b->model->params.item[i]->tensor);
        double d = 0;
        double sum = 0;
        for (int64_t k = 0; k < mdf_tensor_count(t); k++) {
            d += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
            sum += (double)x[k] * (double)x[k];
        }
        most = d > 0 && sqrt(d / sum) > most ? sqrt(d / sum) : most;
        mdf_free(x);
        mdf_free(y);
    }
    return most;
}

static void rewrite(const char *from, const char *to, mdf_dtype type, bool keep,
                    const char *adapter)
{
    mdf_lora lora;
    mdf_error err = {0};
    mdf_rewrite_result r;
    mdf_rewrite how = {.precision = mdf_precision_for(type)};
    for (int i = 0; i < MDF_PARTS; i++) {
        how.precision.keep[i] = keep;
        how.precision.type[i] = type;
    }
    if (adapter != NULL) {
        must(mdf_lora_load(&lora, adapter, &err), &err);
        how.lora = &lora;
    }
    must(mdf_model_rewrite(from, to, &how, NULL, &r, &err), &err);
    mdf_rewrite_result_free(&r);
    if (adapter != NULL) {
        mdf_lora_free(&lora);
    }
}

/* To the bit, from files of 16 and 32 bits, mapped or turned into floats. */
static void the_numbers_are_those_of_an_import(void **state)
{
    (void)state;
    static const mdf_dtype type[] = {MDF_DTYPE_BF16, MDF_DTYPE_F16, MDF_DTYPE_F32};
    test_folder f;
    char base[256];
    char merged[256];
    for (size_t i = 0; i < sizeof type / sizeof type[0]; i++) {
        test_folder_make(&f);
        (void)snprintf(base, sizeof base, "%s/base", f.path);
        (void)snprintf(merged, sizeof merged, "%s/merged", f.path);
        rewrite(ASK "vision", base, type[i], false, NULL);
        rewrite(base, merged, type[i], true, ASK "lora");
        loaded want;
        loaded plain;
        load(&want, merged, true, NULL);
        load(&plain, base, true, NULL);
        assert_true(difference(&want, &plain) > 0.1); /* the adapter does something */
        for (int mapped = 0; mapped < 2; mapped++) {
            loaded got;
            load(&got, base, mapped != 0, ASK "lora");
            assert_true(difference(&want, &got) <= 0);
            unload(&got);
        }
        unload(&want);
        unload(&plain);
        test_folder_remove(&f);
    }
}

/* What was quantised gets eight bits: 0.5 % of its size, whatever the file has (docs/MODEL.md). */
static void quantised_weights_get_eight_bits(void **state)
{
    (void)state;
    test_folder f;
    char base[256];
    char plain[256];
    char merged[256];
    test_folder_make(&f);
    (void)snprintf(base, sizeof base, "%s/base", f.path);
    (void)snprintf(plain, sizeof plain, "%s/plain", f.path);
    (void)snprintf(merged, sizeof merged, "%s/merged", f.path);
    rewrite(ASK "vision", base, MDF_DTYPE_Q4_0, false, NULL);
    rewrite(base, plain, MDF_DTYPE_F32, false, NULL); /* the same numbers as floats */
    rewrite(plain, merged, MDF_DTYPE_F32, false, ASK "lora");
    loaded want;
    loaded got;
    load(&want, merged, true, NULL);
    load(&got, base, true, ASK "lora");
    const mdf_param *p = mdf_params_find(&got.model->params, QUERY);
    assert_int_equal(p->tensor.dtype, MDF_DTYPE_Q8_0);
    const double d = difference(&want, &got);
    assert_true(d > 0 && d < 0.008);
    unload(&got);
    load(&got, base, false, ASK "lora"); /* floats of a quantised weight are not rounded again */
    p = mdf_params_find(&got.model->params, QUERY);
    float *x = numbers(&p->tensor);
    float *y = numbers(&mdf_params_find(&want.model->params, QUERY)->tensor);
    assert_memory_equal(x, y, (size_t)mdf_tensor_count(&p->tensor) * sizeof *x);
    mdf_free(x);
    mdf_free(y);
    unload(&got);
    unload(&want);
    test_folder_remove(&f);
}

/* A and B of nothing but x: every number changes by x * x. */
static void put_adapter(const test_folder *f, float x)
{
    char path[512];
    float numbers_a[32];
    float numbers_b[32];
    for (int i = 0; i < 32; i++) {
        numbers_a[i] = numbers_b[i] = x;
    }
    const mdf_st_entry e[] = {
        {"base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_A.weight",
         MDF_DTYPE_F32,
         2,
         {1, 32},
         numbers_a,
         false},
        {"base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_B.weight",
         MDF_DTYPE_F32,
         2,
         {32, 1},
         numbers_b,
         false}};
    test_put(f, "lora/adapter_config.json", "{\"peft_type\":\"LORA\",\"r\":1,\"lora_alpha\":1}");
    (void)snprintf(path, sizeof path, "%s/lora/adapter_model.safetensors", f->path);
    assert_int_equal(mdf_safetensors_save(path, e, 2, NULL, 0, NULL), MDF_OK);
}

/* The sum, not only what is added, must fit: an import says so too. */
static void a_change_too_large_for_the_format_is_named(void **state)
{
    (void)state;
    static const struct {
        mdf_dtype type;
        float x;
        mdf_status status;
    } with[] = {{MDF_DTYPE_F16, 100, MDF_OK},
                {MDF_DTYPE_F16, 300, MDF_ERR_NUMERIC}, /* 90,000 > 65,504 */
                {MDF_DTYPE_BF16, 300, MDF_OK},
                {MDF_DTYPE_BF16, 1e20F, MDF_ERR_NUMERIC}, /* 1e40 > 3.4e38 */
                {MDF_DTYPE_F32, 1e19F, MDF_OK},
                {MDF_DTYPE_F32, 1e20F, MDF_ERR_NUMERIC}};
    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++) {
        test_folder f;
        char base[128];
        char adapter[128];
        char merged[128];
        test_folder_make(&f);
        (void)snprintf(base, sizeof base, "%s/base", f.path);
        (void)snprintf(adapter, sizeof adapter, "%s/lora", f.path);
        (void)snprintf(merged, sizeof merged, "%s/merged", f.path);
        rewrite(ASK "vision", base, with[i].type, false, NULL);
        put_adapter(&f, with[i].x);
        for (int mapped = 0; mapped < 2; mapped++) {
            loaded m;
            mdf_lora lora;
            mdf_error err = {0};
            load(&m, base, mapped != 0, NULL);
            must(mdf_lora_load(&lora, adapter, &err), &err);
            assert_int_equal(mdf_lora_apply(&m.copies, &m.model->params, &m.weights, &lora, &err),
                             with[i].status);
            assert_true(with[i].status == MDF_OK ||
                        strstr(err.text, QUERY " with the adapter's change can't be written as ") !=
                            NULL);
            mdf_rewrite_result r;
            mdf_rewrite how = {.precision = mdf_precision_for(with[i].type), .lora = &lora};
            assert_int_equal(mdf_model_rewrite(base, merged, &how, NULL, &r, &err), with[i].status);
            if (with[i].status == MDF_OK) {
                mdf_rewrite_result_free(&r);
                test_remove(merged);
            }
            mdf_lora_free(&lora);
            unload(&m);
        }
        test_folder_remove(&f);
    }
}

static void an_adapter_of_another_model_is_refused(void **state)
{
    (void)state;
    mdf_lora lora;
    mdf_error err = {0};
    loaded m;
    load(&m, ASK "text", true, NULL);
    must(mdf_lora_load(&lora, ASK "lora", &err), &err);
    assert_int_equal(mdf_lora_apply(&m.copies, &m.model->params, &m.weights, &lora, &err),
                     MDF_ERR_FORMAT);
    assert_non_null(strstr(
        err.text, "the adapter changes model.language_model.layers.1.cross_attn.k_proj.weight, "
                  "model.vision_model.transformer.layers.1.mlp.fc1.weight, which /"));
    assert_int_equal(m.copies.count, 0);
    mdf_lora_free(&lora);
    unload(&m);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    mdf_lora lora;
    mdf_error err = {0};
    must(mdf_lora_load(&lora, ASK "lora", &err), &err);
    long n = 1;
    for (; n < 200; n++) {
        loaded m;
        load(&m, ASK "vision", true, NULL);
        mdf_alloc_fail_after(n);
        const mdf_status status =
            mdf_lora_apply(&m.copies, &m.model->params, &m.weights, &lora, &err);
        mdf_alloc_fail_after(0);
        unload(&m);
        if (status == MDF_OK) {
            break;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
    assert_in_range(n, 5, 100);
    mdf_lora_free(&lora);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_those_of_an_import),
        cmocka_unit_test(quantised_weights_get_eight_bits),
        cmocka_unit_test(a_change_too_large_for_the_format_is_named),
        cmocka_unit_test(an_adapter_of_another_model_is_refused),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("weights/lora_apply", tests, NULL, NULL);
}
