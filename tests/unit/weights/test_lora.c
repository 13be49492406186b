/* Adapters: what PEFT merges, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "support/folder.h"
#include "weights/lora.h"

#define HF     MDF_TEST_DATA "/golden/hf/"
#define GOLDEN MDF_TEST_DATA "/golden/lora/"

/* base with the adapter is expect within tolerance * (1 + |number|). */
static void expect_merged(const char *base, const char *adapter, const char *merged,
                          float tolerance)
{
    mdf_weights w;
    mdf_weights expect;
    mdf_lora lora;
    mdf_error err = {0};
    assert_int_equal(mdf_weights_open(&w, base, NULL), MDF_OK);
    assert_int_equal(mdf_weights_open(&expect, merged, NULL), MDF_OK);
    if (mdf_lora_load(&lora, adapter, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(mdf_lora_check(&lora, &w, NULL), MDF_OK);
    assert_int_equal(lora.count, expect.count);
    for (size_t i = 0; i < expect.count; i++) {
        const mdf_st_tensor *t = expect.item[i].tensor;
        const mdf_model_weight *b = mdf_weights_find(&w, expect.item[i].name);
        const mdf_lora_pair *p = mdf_lora_find(&lora, expect.item[i].name);
        assert_non_null(p);
        float *x = mdf_alloc(t->count, sizeof *x);
        float *y = mdf_alloc(t->count, sizeof *y);
        assert_int_equal(mdf_safetensors_floats(b->file, b->tensor, x, NULL), MDF_OK);
        assert_int_equal(mdf_safetensors_floats(expect.item[i].file, t, y, NULL), MDF_OK);
        const size_t half = t->count / 2 + 1; /* pieces need not be whole rows */
        assert_true(mdf_lora_add(p, 0, half, x));
        assert_true(mdf_lora_add(p, half, t->count - half, x + half));
        for (size_t k = 0; k < t->count; k++) {
            if (!(fabsf(x[k] - y[k]) <= tolerance * (1 + fabsf(y[k])))) {
                fail_msg("%s: %.8g, not %.8g", p->name, (double)x[k], (double)y[k]);
            }
        }
        mdf_free(x);
        mdf_free(y);
    }
    mdf_lora_free(&lora);
    mdf_weights_close(&expect);
    mdf_weights_close(&w);
}

static void an_adapter_adds_what_python_says(void **state)
{
    (void)state;
    /* Python in double; here scale * B is rounded once: 3 terms of 1e-7. */
    expect_merged(HF "old_f32_shards", HF "lora", HF "expect_lora.safetensors", 2e-6F);
}

/* PEFT in float32: up to 4 terms times a scale, each rounded to 6e-8 of terms of size 1. */
static void patterns_give_the_scales_of_peft(void **state)
{
    (void)state;
    expect_merged(GOLDEN "base.safetensors", GOLDEN "patterns",
                  GOLDEN "expect_patterns.safetensors", 1e-6F);
    expect_merged(GOLDEN "base.safetensors", GOLDEN "rslora", GOLDEN "expect_rslora.safetensors",
                  1e-6F);
}

#define PEFT "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":3"
#define A    "base_model.model.model.norm.lora_A.weight"
#define B    "base_model.model.model.norm.lora_B.weight"

static const float ones[4] = {1, 2, 3, 4};
static const float odd[4] = {1, 2, 3, NAN};

static const mdf_st_entry pair[] = {{A, MDF_DTYPE_F32, 2, {2, 2}, ones, false},
                                    {B, MDF_DTYPE_F32, 2, {2, 2}, ones, false}};

/* What loading an adapter of these tensors says; sentence: behind the folder's name. */
static void expect_load(const char *settings, const mdf_st_entry *e, size_t n, mdf_status code,
                        const char *sentence)
{
    test_folder f;
    mdf_lora lora;
    mdf_error err = {0};
    char path[128];
    test_folder_make(&f);
    test_put(&f, "adapter_config.json", settings);
    (void)snprintf(path, sizeof path, "%s/adapter_model.safetensors", f.path);
    assert_int_equal(mdf_safetensors_save(path, e, n, NULL, 0, NULL), MDF_OK);
    const mdf_status status = mdf_lora_load(&lora, f.path, &err);
    assert_string_equal(status == MDF_OK ? "" : err.text + strlen(f.path), sentence);
    assert_int_equal(status, code);
    if (status == MDF_OK) {
        mdf_lora_free(&lora);
    } else {
        assert_null(lora.pair);
    }
    test_folder_remove(&f);
}

static void expect_settings(const char *settings, mdf_status code, const char *sentence)
{
    char full[320];
    (void)snprintf(full, sizeof full, "%s%s",
                   code == MDF_OK ? "" : "/adapter_config.json: ", sentence);
    expect_load(settings, pair, 2, code, full);
}

static void settings_that_are_wrong_are_named(void **state)
{
    (void)state;
    expect_settings("{\"peft_type\":\"IA3\"}", MDF_ERR_FORMAT, "peft_type must be \"LORA\"");
    expect_settings("[]", MDF_ERR_FORMAT, "peft_type must be \"LORA\"");
    expect_settings("{\"peft_type\"", MDF_ERR_FORMAT,
                    "not valid JSON: line 1: ':' expected near end of file");
    expect_settings("{\"peft_type\":\"LORA\",\"r\":2}", MDF_ERR_FORMAT,
                    "lora_alpha must be a number above 0");
    expect_settings("{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":3}", MDF_ERR_FORMAT,
                    "model.norm has rank 2 in the weights, but 4 in the settings");
    expect_settings(PEFT ",\"rank_pattern\":{\"nor\":4}}", MDF_ERR_FORMAT,
                    "rank_pattern: \"nor\" matches no module");
    expect_settings(PEFT ",\"rank_pattern\":{\"no.*\":4}}", MDF_ERR_FORMAT,
                    "model.norm has rank 2 in the weights, but 4 in the settings");
    expect_settings(PEFT ",\"alpha_pattern\":{\"norm\":\"x\"}}", MDF_ERR_FORMAT,
                    "alpha_pattern: \"norm\" must be a number above 0");
    expect_settings(PEFT ",\"alpha_pattern\":{\"norm\":5,\"norn\":6}}", MDF_ERR_FORMAT,
                    "alpha_pattern: \"norn\" matches no module");
    expect_settings(PEFT ",\"rank_pattern\":[8]}", MDF_ERR_FORMAT,
                    "rank_pattern is not an object {...}");
    expect_settings(PEFT ",\"use_rslora\":1}", MDF_ERR_FORMAT, "use_rslora must be true or false");
    expect_settings(PEFT ",\"init_lora_weights\":7}", MDF_ERR_FORMAT,
                    "init_lora_weights is no text");
}

/* Each key of PEFT 0.21.2's LoraConfig with a value that is not its default. */
static void keys_that_mean_something_else_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *why;
    } off[] = {
        {"use_dora", "true", "it scales every row of the sum"},
        {"fan_in_fan_out", "true", "its matrices are transposed"},
        {"modules_to_save", "[\"lm_head\"]", "it replaces whole modules"},
        {"trainable_token_indices", "[3]", "it replaces rows of embeddings"},
        {"target_parameters", "[\"x\"]", "it changes parameters that are no linear layers"},
        {"lora_bias", "true", "it adds biases"},
        {"use_qalora", "true", "its A reads means of groups of inputs"},
        {"alora_invocation_tokens", "[7, 8]", "it changes only what follows these tokens"},
        {"layer_replication", "[[0, 2], [1, 3]]", "its model has layers more than once"},
        {"megatron_config", "{\"x\":1}", "its layers are Megatron's"},
        {"arrow_config", "{\"top_k\":3}", "it chooses among several adapters"},
        {"use_bdlora", "{\"nblocks\":2}", "its matrices are made of blocks"},
        {"kasa_config", "{\"beta\":1}", "it changes the base model's weights"},
        {"monteclora_config", "{\"num_samples\":8}", "it changes B A by what it samples"},
        {"velora_config", "{\"scale\":1}", "its file holds more than A and B"},
        {"ensure_weight_tying", "true", "it changes embeddings and head together"},
    };
    char settings[256];
    char sentence[256];
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        (void)snprintf(settings, sizeof settings, PEFT ",\"%s\":%s}", off[i].key, off[i].value);
        (void)snprintf(sentence, sizeof sentence, "%s is not supported: %s", off[i].key,
                       off[i].why);
        expect_settings(settings, MDF_ERR_ARG, sentence);
        static const char *const inert[] = {"null", "false", "[]", "{}", "\"\""};
        for (size_t k = 0; k < sizeof inert / sizeof inert[0]; k++) {
            (void)snprintf(settings, sizeof settings, PEFT ",\"%s\":%s}", off[i].key, inert[k]);
            expect_settings(settings, MDF_OK, "");
        }
    }
    expect_settings(PEFT ",\"bias\":\"all\"}", MDF_ERR_ARG, "bias must be \"none\"");
    expect_settings(PEFT ",\"bias\":true}", MDF_ERR_ARG, "bias must be \"none\"");
    expect_settings(PEFT ",\"use_next_years_lora\":0}", MDF_ERR_ARG,
                    "use_next_years_lora is not known; the adapter may mean something else by it");
    expect_settings(PEFT ",\"use_next_years_lora\":false,\"x\":null,\"y\":{}}", MDF_OK, "");
}

static void keys_about_training_are_passed_over(void **state)
{
    (void)state;
    expect_settings(
        PEFT ",\"task_type\":\"CAUSAL_LM\",\"auto_mapping\":{\"base_model_class\":\"X\"},"
             "\"peft_version\":\"0.21.2\",\"base_model_name_or_path\":\"base\",\"revision\":\"v1\","
             "\"inference_mode\":true,\"lora_dropout\":0.1,\"target_modules\":\".*norm\","
             "\"exclude_modules\":[\"head\"],\"layers_to_transform\":[1],"
             "\"layers_pattern\":\"layers\",\"megatron_core\":\"megatron.core\","
             "\"qalora_group_size\":16,\"loftq_config\":{\"loftq_bits\":4},"
             "\"eva_config\":{\"rho\":2},\"corda_config\":{\"verbose\":false},"
             "\"lora_ga_config\":{\"stable_gamma\":16},\"bias\":\"none\"}",
        MDF_OK, "");
}

static void starts_that_change_the_base_model_are_refused(void **state)
{
    (void)state;
    static const char *const fine[] = {"true",           "false",        "null",    "\"eva\"",
                                       "\"orthogonal\"", "\"gaussian\"", "\"mica\""};
    static const char *const moved[] = {"pissa", "pissa_niter_16", "olora", "corda", "lora_ga"};
    static const char *const other[] = {"loftq", "next_year"};
    char settings[128];
    char sentence[256];
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        (void)snprintf(settings, sizeof settings, PEFT ",\"init_lora_weights\":%s}", fine[i]);
        expect_settings(settings, MDF_OK, "");
    }
    for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++) {
        (void)snprintf(settings, sizeof settings, PEFT ",\"init_lora_weights\":\"%s\"}", moved[i]);
        (void)snprintf(sentence, sizeof sentence,
                       "init_lora_weights \"%s\" is not supported: the adapter belongs to a base "
                       "model that was changed with it; save it with PEFT's "
                       "path_initial_model_for_weight_conversion",
                       moved[i]);
        expect_settings(settings, MDF_ERR_ARG, sentence);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        (void)snprintf(settings, sizeof settings, PEFT ",\"init_lora_weights\":\"%s\"}", other[i]);
        (void)snprintf(sentence, sizeof sentence,
                       "init_lora_weights \"%s\" is not supported: the adapter may belong to a "
                       "base model that was changed with it; merge it with PEFT",
                       other[i]);
        expect_settings(settings, MDF_ERR_ARG, sentence);
    }
}

static void expect_tensors(const mdf_st_entry *e, size_t n, mdf_status code, const char *sentence)
{
    char full[400];
    (void)snprintf(full, sizeof full, "/adapter_model.safetensors: %s", sentence);
    expect_load(PEFT "}", e, n, code, full);
}

static void tensors_that_make_no_pairs_are_named(void **state)
{
    (void)state;
    mdf_st_entry e[4] = {pair[0], pair[1], pair[0], pair[1]};
    expect_tensors(e, 0, MDF_ERR_FORMAT, "the adapter has no tensors");
    expect_tensors(e, 1, MDF_ERR_SHAPE,
                   "tensor \"" A "\" [r, in] needs a lora_B beside it, [out, r]");
    expect_tensors(e + 1, 1, MDF_ERR_FORMAT, "tensor \"" B "\" has no lora_A beside it");
    e[0].data = odd;
    expect_tensors(e, 2, MDF_ERR_NUMERIC, "tensor \"" A "\" holds a number that is not finite");
    static const float huge[4] = {1, 2, 3, 3e38F}; /* times 3 / 2 */
    e[0].data = ones;
    e[1].data = huge;
    expect_tensors(e, 2, MDF_ERR_NUMERIC, "tensor \"" B "\" times alpha / r = 1.5 is too large");
    e[1].data = ones;
    e[1].dim[0] = 4;
    e[1].dim[1] = 1;
    expect_tensors(e, 2, MDF_ERR_SHAPE,
                   "tensor \"" A "\" [r, in] needs a lora_B beside it, [out, r]");
    e[1] = pair[1];
    e[2].name = "base_model.model.model.norm.lora_embedding_A";
    expect_tensors(e, 3, MDF_ERR_FORMAT,
                   "tensor \"base_model.model.model.norm.lora_embedding_A\" is no lora_A or lora_B "
                   "of a linear layer");
    e[2].name = "base_model.model.language_model.model.norm.lora_A.default.weight"; /* the same */
    e[3].name = "base_model.model.language_model.model.norm.lora_B.default.weight";
    expect_tensors(e, 4, MDF_ERR_FORMAT,
                   "model.language_model.norm.weight is changed by two pairs of tensors");
}

/* An adapter of the matrices named, [2, 2] each, with the model of golden/lora. */
static void expect_against_base(const char *const *module, size_t n, mdf_status code,
                                const char *sentence)
{
    test_folder f;
    mdf_weights w;
    mdf_lora lora;
    mdf_error err = {0};
    char path[128];
    char name[16][128];
    mdf_st_entry e[16];
    test_folder_make(&f);
    test_put(&f, "adapter_config.json", PEFT "}");
    (void)snprintf(path, sizeof path, "%s/adapter_model.safetensors", f.path);
    for (size_t i = 0; i < 2 * n; i++) {
        (void)snprintf(name[i], sizeof name[i], "base_model.model.%s.lora_%c.weight", module[i / 2],
                       i % 2 == 0 ? 'A' : 'B');
        e[i] = pair[i % 2];
        e[i].name = name[i];
    }
    assert_int_equal(mdf_safetensors_save(path, e, 2 * n, NULL, 0, NULL), MDF_OK);
    assert_int_equal(mdf_lora_load(&lora, f.path, NULL), MDF_OK);
    assert_int_equal(mdf_weights_open(&w, GOLDEN "base.safetensors", NULL), MDF_OK);
    assert_int_equal(mdf_lora_check(&lora, &w, &err), code);
    assert_non_null(strstr(err.text, sentence));
    mdf_weights_close(&w);
    mdf_lora_free(&lora);
    test_folder_remove(&f);
}

static void matrices_that_the_model_lacks_are_named(void **state)
{
    (void)state;
    static const char *const module[] = {
        "model.layers.0.self_attn.q_proj", "model.layers.2.self_attn.q_proj", "lm_head",
        "model.layers.0.self_attn.query",  "model.layers.2.mlp.up_proj",      "x.fc1"};
    expect_against_base(
        module + 1, 1, MDF_ERR_FORMAT,
        "the adapter changes model.language_model.layers.2.self_attn.q_proj.weight, which "
        "/");
    expect_against_base(module, 3, MDF_ERR_FORMAT, /* one that it has, and two */
                        "the adapter changes lm_head.weight, "
                        "model.language_model.layers.2.self_attn.q_proj.weight, which /");
    expect_against_base(module, 6, MDF_ERR_FORMAT,
                        "the adapter changes lm_head.weight, "
                        "model.language_model.layers.0.self_attn.query.weight, "
                        "model.language_model.layers.2.mlp.up_proj.weight and 2 more, which /");
    expect_against_base(module, 1, MDF_ERR_SHAPE, "model.layers.0.self_attn.q_proj.weight");
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    mdf_lora lora;
    long n = 1;
    for (;; n++) {
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_lora_load(&lora, GOLDEN "patterns", NULL);
        mdf_alloc_fail_after(0);
        if (status == MDF_OK) {
            mdf_lora_free(&lora);
            break;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_adapter_adds_what_python_says),
        cmocka_unit_test(patterns_give_the_scales_of_peft),
        cmocka_unit_test(settings_that_are_wrong_are_named),
        cmocka_unit_test(keys_that_mean_something_else_are_refused),
        cmocka_unit_test(keys_about_training_are_passed_over),
        cmocka_unit_test(starts_that_change_the_base_model_are_refused),
        cmocka_unit_test(tensors_that_make_no_pairs_are_named),
        cmocka_unit_test(matrices_that_the_model_lacks_are_named),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("weights/lora", tests, NULL, NULL);
}
