/* The config.json of released models: Llama 3.2 Vision's in both forms, what transformers saves,
 * and Llama text models'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "unit/config/config_round_trip.h"

/* The sizes of Llama 3.2 11B Vision as published, with keys that a saved file carries along. */
#define RELEASED_TEXT                                                                              \
    "\"model_type\": \"mllama_text_model\", \"vocab_size\": 128256, \"hidden_size\": 4096, "       \
    "\"num_hidden_layers\": 40, \"num_attention_heads\": 32, \"num_key_value_heads\": 8, "         \
    "\"intermediate_size\": 14336, \"cross_attention_layers\": [3,8,13,18,23,28,33,38], "          \
    "\"hidden_act\": \"silu\", \"rms_norm_eps\": 1e-05, \"max_position_embeddings\": 131072, "     \
    "\"bos_token_id\": 128000, \"eos_token_id\": [128001,128008,128009], "                         \
    "\"pad_token_id\": 128004, \"use_cache\": true, \"top_k\": 50, "
#define RELEASED_ROPE                                                                              \
    "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "                       \
    "\"original_max_position_embeddings\": 8192, \"rope_type\": \"llama3\""
#define RELEASED_VISION                                                                            \
    "\"model_type\": \"mllama_vision_model\", \"hidden_size\": 1280, \"num_hidden_layers\": 32, "  \
    "\"num_global_layers\": 8, \"attention_heads\": 16, \"intermediate_size\": 5120, "             \
    "\"image_size\": 560, \"patch_size\": 14, \"max_num_tiles\": 4, \"vision_output_dim\": 7680, " \
    "\"intermediate_layers_indices\": [3,7,15,23,30], \"norm_eps\": 1e-05, "                       \
    "\"supported_aspect_ratios\": [[1,1],[1,2],[1,3],[1,4],[2,1],[2,2],[3,1],[4,1]]"
#define RELEASED(rope)                                                                             \
    "{\"architectures\": [\"MllamaForConditionalGeneration\"], \"model_type\": \"mllama\", "       \
    "\"image_token_index\": 128256, \"torch_dtype\": \"bfloat16\", \"text_config\": "              \
    "{" RELEASED_TEXT rope "}, \"vision_config\": {" RELEASED_VISION "}}"

static void expect_released(const char *text)
{
    mdf_error err = {0};
    assert_int_equal(mdf_config_parse(&config, text, strlen(text), "hf", &err), MDF_OK);
    assert_int_equal(config.text.hidden_size, 4096);
    assert_int_equal(config.text.cross_count, 8);
    assert_int_equal(config.text.eos_count, 3);
    assert_true(config.text.rope_theta == 500000.0);
    assert_true(config.text.rope_scaling.enabled && config.text.rope_scaling.factor == 8.0);
    assert_int_equal(config.text.rope_scaling.original_max_position_embeddings, 8192);
    assert_int_equal(mdf_config_vision_output(&config), 7680);
    assert_int_equal(mdf_config_aspect_ratios(&config), 8);
    assert_int_equal(config.tokenizer, MDF_TOKENIZER_BPE);
    assert_int_equal(config.fusion.map_count, 0); /* no branch */
    assert_true(config.text.gate_init == 0.0 && config.text.initializer_range == 0.02);
    expect_round_trip();
}

static void the_released_models_own_file_is_read_in_both_forms(void **state)
{
    (void)state;
    expect_released(RELEASED("\"rope_theta\": 500000.0, \"rope_scaling\": {" RELEASED_ROPE "}"));
    expect_released(RELEASED("\"rope_parameters\": {\"rope_theta\": 500000.0, " RELEASED_ROPE "}"));
}

static void load_golden(const char *name)
{
    char path[512];
    mdf_error err = {0};
    (void)snprintf(path, sizeof path, MDF_TEST_DATA "/golden/hf/%s/config.json", name);
    if (mdf_config_load(&config, path, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

/* The same model, saved by both. */
static void what_transformers_4_and_5_save_is_the_same_model(void **state)
{
    (void)state;
    load_golden("config_5_mllama");
    other = config;
    load_golden("config_4_mllama");
    assert_memory_equal(&config, &other, sizeof config);
    assert_true(config.text.rope_theta == 10000.0 && config.text.rope_scaling.enabled);
    assert_int_equal(config.text.eos_count, 2);
    assert_true(mdf_config_has_vision(&config) && !mdf_config_has_unet(&config));
    assert_int_equal(config.fusion.map_count, 0);
    assert_int_equal(mdf_config_embedding_rows(&config), 48);
    expect_round_trip();
    load_golden("config_5_llama");
    other = config;
    load_golden("config_4_llama");
    assert_memory_equal(&config, &other, sizeof config);
    assert_true(config.text.tie_word_embeddings && !mdf_config_has_vision(&config));
    assert_int_equal(config.text.eos_token_id[0], 1);
    assert_int_equal(config.text.cross_count, 0);
    assert_int_equal(mdf_config_embedding_rows(&config), 40);
    assert_int_equal(config.image_token_index, 40);
    expect_round_trip();
}

/* A text model's file as SmolLM2-135M-Instruct has it. */
#define LLAMA(more)                                                                                \
    "{\"architectures\": [\"LlamaForCausalLM\"], \"attention_bias\": false, "                      \
    "\"attention_dropout\": 0.0, \"bos_token_id\": 1, \"eos_token_id\": 2, \"hidden_act\": "       \
    "\"silu\", \"hidden_size\": 576, \"initializer_range\": 0.041666666666666664, "                \
    "\"intermediate_size\": 1536, \"is_llama_config\": true, \"max_position_embeddings\": 8192, "  \
    "\"mlp_bias\": false, \"model_type\": \"llama\", \"num_attention_heads\": 9, "                 \
    "\"num_hidden_layers\": 30, \"num_key_value_heads\": 3, \"pad_token_id\": 2, "                 \
    "\"pretraining_tp\": 1, \"rms_norm_eps\": 1e-05, \"rope_interleaved\": false, "                \
    "\"rope_scaling\": null, \"rope_theta\": 100000, \"tie_word_embeddings\": true, "              \
    "\"torch_dtype\": \"bfloat16\", \"transformers.js_config\": {\"kv_cache_dtype\": {}}, "        \
    "\"transformers_version\": \"4.42.3\", \"use_cache\": true" more "}"

static void expect_released_error(const char *text, mdf_status code, const char *sentence)
{
    mdf_error err = {0};
    assert_int_equal(mdf_config_parse(&config, text, strlen(text), "c.json", &err), code);
    assert_string_equal(err.text, sentence);
}

static void a_llama_text_model_is_read(void **state)
{
    (void)state;
    mdf_error err = {0};
    const char *text = LLAMA(", \"vocab_size\": 49152");
    assert_int_equal(mdf_config_parse(&config, text, strlen(text), "hf", &err), MDF_OK);
    assert_int_equal(config.text.hidden_size, 576);
    assert_true(config.text.rope_theta == 100000.0 && !config.text.rope_scaling.enabled);
    expect_round_trip();
    assert_int_equal(mdf_config_set(&config, "vision.image_size=28", &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "vision.image_size: this model has no vision_config");
    assert_int_equal(mdf_config_set(&config, "mask_channels=0", &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "mask_channels: this model has no unet_config");
}

static void read_released(const char *text)
{
    mdf_error err = {0};
    assert_int_equal(mdf_config_parse(&config, text, strlen(text), "c.json", &err), MDF_OK);
}

/* The first is what MllamaConfig() of transformers 4.49 writes: Llama 3.2 11B's sizes are the
 * defaults of its classes, which its files lack. */
static void what_transformers_leaves_out_is_its_default(void **state)
{
    (void)state;
    read_released("{\"image_token_index\": 128256, \"model_type\": \"mllama\", \"text_config\": "
                  "{\"model_type\": \"mllama_text_model\"}, \"transformers_version\": \"4.49.0\", "
                  "\"vision_config\": {\"model_type\": \"mllama_vision_model\"}}");
    assert_int_equal(config.text.vocab_size, 128256);
    assert_int_equal(config.text.num_hidden_layers, 40);
    assert_int_equal(config.text.num_key_value_heads, 8);
    assert_int_equal(config.text.cross_count, 8);
    assert_int_equal(config.text.cross_attention_layers[7], 38);
    assert_true(config.text.rms_norm_eps == 1e-5 && config.text.rope_theta == 500000.0);
    assert_int_equal(config.vision.image_size, 448);
    assert_int_equal(config.vision.intermediate_count, 5);
    assert_int_equal(mdf_config_vision_output(&config), 7680);
    expect_round_trip();
    read_released("{\"model_type\": \"mllama\", \"text_config\": null}");
    assert_int_equal(config.image_token_index, 128256);
    assert_int_equal(config.vision.num_hidden_layers, 32);
    read_released("{\"model_type\": \"llama\", \"num_attention_heads\": 16}");
    assert_int_equal(config.text.num_key_value_heads, 16); /* as many as heads */
    assert_int_equal(config.text.intermediate_size, 11008);
    assert_int_equal(config.text.max_position_embeddings, 2048);
    assert_int_equal(config.image_token_index, 32000);
    assert_true(config.text.rms_norm_eps == 1e-6 && config.text.rope_theta == 10000.0);
    assert_false(mdf_config_has_vision(&config));
    expect_round_trip();
    read_released("{\"model_type\": \"llama\", \"num_key_value_heads\": null}");
    assert_int_equal(config.text.num_key_value_heads, 32);
    expect_released_error("{\"model_type\": \"mllama\", \"vision_config\": 3}", MDF_ERR_FORMAT,
                          "c.json: vision_config must be an object {...}");
}

/* Keys are sorted in transformers' files: most of another architecture come before its name. */
static void another_architecture_is_named_before_its_keys(void **state)
{
    (void)state;
    static const char *const kind[] = {"qwen2", "mistral", "gemma2", "mllama_text_model"};
    for (size_t i = 0; i < sizeof kind / sizeof kind[0]; i++) {
        char text[200];
        char sentence[200];
        (void)snprintf(text, sizeof text,
                       "{\"attention_bias\": true, \"bos_token_id\": 1, \"model_type\": \"%s\", "
                       "\"sliding_window\": 4096}",
                       kind[i]);
        (void)snprintf(sentence, sizeof sentence,
                       "c.json: model_type is \"%s\", another architecture: mllama and llama are "
                       "read, and this project's own, mdf_mllm",
                       kind[i]);
        expect_released_error(text, MDF_ERR_ARG, sentence);
    }
}

static void what_would_be_another_model_is_refused(void **state)
{
    (void)state;
#define V ", \"vocab_size\": 49152"
    expect_released_error(LLAMA(V ", \"sliding_window\": 4096"), MDF_ERR_FORMAT,
                          "c.json: text_config.sliding_window is not a known key");
    expect_released_error(
        LLAMA(V ", \"head_dim\": 128"), MDF_ERR_ARG,
        "c.json: text_config.head_dim must be hidden_size / num_attention_heads = "
        "64");
    expect_released_error(LLAMA(V ", \"quantization_config\": {\"quant_method\": \"awq\"}"),
                          MDF_ERR_ARG,
                          "c.json: quantization_config: these weights were quantised by another "
                          "program; take the model's bf16 files");
    expect_released_error(RELEASED("\"mlp_bias\": true"), MDF_ERR_ARG,
                          "c.json: text_config.mlp_bias must be false");
    expect_released_error(RELEASED("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}"),
                          MDF_ERR_ARG,
                          "c.json: text_config.rope_scaling.rope_type = \"yarn\" is not known: it "
                          "must be \"llama3\"");
#undef V
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_released_models_own_file_is_read_in_both_forms),
        cmocka_unit_test(what_transformers_4_and_5_save_is_the_same_model),
        cmocka_unit_test(a_llama_text_model_is_read),
        cmocka_unit_test(what_transformers_leaves_out_is_its_default),
        cmocka_unit_test(another_architecture_is_named_before_its_keys),
        cmocka_unit_test(what_would_be_another_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
