/* The configuration: presets/tiny.json as it stands, with one thing changed at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config_schema.h"
#include "support/folder.h"
#include "unit/config/config_round_trip.h"

#define TWO_MASKS "\"masks\": [\"vessel\", \"lesion\"]"
#define TINY      MDF_TEST_DATA "/../presets/tiny.json"

static char *tiny_text(void)
{
    char *text = mdf_alloc(MDF_MAX_CONFIG_BYTES, 1);
    FILE *f = fopen(TINY, "rb");
    assert_true(text != NULL && f != NULL);
    assert_true(fread(text, 1, MDF_MAX_CONFIG_BYTES - 1, f) > 1000);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void load_tiny(void)
{
    mdf_error err = {0};
    assert_int_equal(mdf_config_load(&config, TINY, &err), MDF_OK);
}

/* tiny.json with the first `from` replaced. */
static char *changed(const char *from, const char *to)
{
    char *text = tiny_text();
    const char *at = strstr(text, from);
    assert_non_null(at);
    const size_t n = strlen(text) + strlen(to) + 1;
    char *out = mdf_alloc(n, 1);
    (void)snprintf(out, n, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    mdf_free(text);
    return out;
}

static void expect(const char *from, const char *to, mdf_status code, const char *sentence)
{
    char *text = changed(from, to);
    mdf_error err = {0};
    memset(&config, 0x5a, sizeof config);
    memset(&other, 0x5a, sizeof other);
    assert_int_equal(mdf_config_parse(&config, text, strlen(text), "c.json", &err), code);
    assert_string_equal(err.text, sentence);
    assert_memory_equal(&config, &other, sizeof config); /* untouched */
    mdf_free(text);
}

static void the_tiny_preset_is_read_as_it_stands(void **state)
{
    (void)state;
    load_tiny();
    assert_int_equal(config.image_token_index, 264);
    assert_int_equal(config.tokenizer, MDF_TOKENIZER_BYTES);
    assert_int_equal(config.text.hidden_size, 64);
    assert_int_equal(config.text.cross_count, 2);
    assert_int_equal(config.text.cross_attention_layers[0], 1);
    assert_int_equal(config.text.cross_attention_layers[1], 3);
    assert_true(config.text.rope_theta == 10000.0 && !config.text.rope_scaling.enabled);
    assert_int_equal(config.vision.image_size, 56);
    assert_int_equal(config.vision.intermediate_count, 2);
    assert_int_equal(config.vision.intermediate_layers_indices[1], 1);
    assert_int_equal(config.unet.mask_channels, 2);
    assert_int_equal(config.unet.masks[0], MDF_MASK_VESSEL);
    assert_int_equal(config.unet.masks[1], MDF_MASK_LESION);
    assert_int_equal(config.fusion.map_count, 4);
    assert_int_equal(config.fusion.map[2].layer, 3);
    assert_int_equal(config.fusion.map[2].level, 3);
    assert_int_equal(config.fusion.attend, MDF_FUSION_BRANCH);
    assert_int_equal(config.fusion.film_direction, MDF_FILM_TEXT_TO_UNET);
    assert_int_equal(config.answer.label_count, 0);
    assert_true(config.answer.normalise_mean && config.answer.scale == 8.0);
    assert_string_equal(config.answer.missing_text, "No clinical text.");
    assert_true(config.train.lr == 2e-3 && config.train.beta2 == 0.98 && config.train.balanced);
    assert_true(config.train.augment.rotate == 10.0 && config.train.augment.flip);
    /* left out there, so at their defaults */
    assert_true(config.answer.temperature == 1.0 && config.train.ema == 0.0);
    assert_int_equal(config.train.monitor, MDF_MONITOR_MACRO_AUC);
    assert_true(config.train.use_image && config.train.use_text && config.train.use_unet);
    assert_int_equal(config.text.eos_token_id[0], 259);
}

static void an_unknown_key_is_named_and_the_nearest_suggested(void **state)
{
    (void)state;
    expect("\"epochs\"", "\"epocs\"", MDF_ERR_FORMAT,
           "c.json: train_config.epocs is not a known key; did you mean \"epochs\"?");
    expect("\"rotate\"", "\"rotation\"", MDF_ERR_FORMAT,
           "c.json: train_config.augment.rotation is not a known key; did you mean \"rotate\"?");
    expect("\"unet_config\"", "\"unetconfig\"", MDF_ERR_FORMAT,
           "c.json: unetconfig is not a known key; did you mean \"unet_config\"?");
    expect("\"grid\"", "\"x\"", MDF_ERR_FORMAT, "c.json: fusion_config.x is not a known key");
}

static void a_wrong_type_or_value_is_named(void **state)
{
    (void)state;
    expect("\"epochs\": 24", "\"epochs\": \"12\"", MDF_ERR_FORMAT,
           "c.json: train_config.epochs must be a whole number, not \"12\"");
    expect("\"epochs\": 24", "\"epochs\": 12.5", MDF_ERR_FORMAT,
           "c.json: train_config.epochs must be a whole number, not 12.5");
    expect("\"epochs\": 24", "\"epochs\": 0", MDF_ERR_ARG,
           "c.json: train_config.epochs = 0 is out of range: it must be between 1 and 1000000");
    expect("\"epochs\": 24", "\"epochs\": 9223372036854775807", MDF_ERR_ARG,
           "c.json: train_config.epochs = 9223372036854775807 is out of range: it must be between "
           "1 and 1000000");
    expect("\"beta1\": 0.9", "\"beta1\": 1.5", MDF_ERR_ARG,
           "c.json: train_config.beta1 = 1.5 is out of range: it must be between 0 and 0.999999");
    expect("\"flip\": true", "\"flip\": 1", MDF_ERR_FORMAT,
           "c.json: train_config.augment.flip must be true or false, not 1");
    expect("\"branch\"", "\"brunch\"", MDF_ERR_ARG,
           "c.json: fusion_config.attend = \"brunch\" is not known: it must be one of \"branch\", "
           "\"concat\"");
    expect("\"mdf_mllm\"", "\"mistral\"", MDF_ERR_ARG,
           "c.json: model_type is \"mistral\", another architecture: mllama and llama are read, "
           "and this project's own, mdf_mllm");
    expect("\"labels\": []", "\"labels\": [\"a\", 3]", MDF_ERR_FORMAT,
           "c.json: answer_config.labels[1] must be a text in quotes, not 3");
    expect("\"labels\": []", "\"labels\": [\"a\", \"\"]", MDF_ERR_ARG,
           "c.json: answer_config.labels[1] is empty");
    expect("\"labels\": []", "\"labels\": [\"a\", \"b\\n\"]", MDF_ERR_ARG,
           "c.json: answer_config.labels[1] holds a control character");
    expect("[[1, 1], [1, 2], [3, 3], [3, 4]]", "[[1, 1], 3]", MDF_ERR_FORMAT,
           "c.json: fusion_config.map must be a list of [layer, level] pairs, not a list");
    expect("{ \"base\": 4, \"image_size\": 64, \"norm_groups\": 2, \"masks\": [\"vessel\", "
           "\"lesion\"] }",
           "7", MDF_ERR_FORMAT, "c.json: unet_config must be an object {...}");
    expect("\"hidden_size\": 64, ", "", MDF_ERR_FORMAT,
           "c.json: text_config.hidden_size is missing");
    expect("\"epochs\": 24", "\"epochs\": 12, \"epochs\": 12", MDF_ERR_FORMAT,
           "c.json: not valid JSON: line 25, column 26: duplicate object key near '\"epochs\"'");
}

static void settings_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"\"hidden_size\": 64", "\"hidden_size\": 66",
         "text_config.hidden_size = 66 must be a multiple of num_attention_heads = 4"},
        {"\"hidden_size\": 64", "\"hidden_size\": 60",
         "text_config: a head has hidden_size / num_attention_heads = 15 numbers, but rotary "
         "positions need an even count"},
        {"\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3",
         "text_config.num_attention_heads = 4 must be a multiple of num_key_value_heads = 3"},
        {"\"cross_attention_layers\": [1, 3]", "\"cross_attention_layers\": [1, 4]",
         "text_config.cross_attention_layers names layer 4, but the last layer is 3"},
        {"\"cross_attention_layers\": [1, 3]", "\"cross_attention_layers\": [3, 3]",
         "text_config.cross_attention_layers must be ascending without repeats, but 3 follows 3"},
        {"\"image_token_index\": 264", "\"image_token_index\": 265",
         "image_token_index = 265 must equal text_config.vocab_size = 264"},
        {"\"rope_theta\"", "\"bos_token_id\": 1, \"rope_theta\"",
         "text_config: the byte tokenizer needs bos_token_id = 256, eos_token_id = 259, "
         "pad_token_id = 260"},
        {"\"rope_theta\"", "\"eos_token_id\": [], \"rope_theta\"",
         "text_config.eos_token_id is an empty list"},
        {"\"attention_heads\": 4,\n    \"intermediate_size\": 64",
         "\"attention_heads\": 5,\n    \"intermediate_size\": 64",
         "vision_config.hidden_size = 32 must be a multiple of attention_heads = 5"},
        {"\"image_size\": 56", "\"image_size\": 57",
         "vision_config.image_size = 57 must be a multiple of patch_size = 14"},
        {"\"intermediate_layers_indices\": [0, 1]", "\"intermediate_layers_indices\": [0, 2]",
         "vision_config.intermediate_layers_indices names layer 2, but the last layer is 1"},
        {"\"image_size\": 64", "\"image_size\": 72",
         "unet_config.image_size = 72 must be a multiple of 16"},
        {"\"image_size\": 64", "\"image_size\": 64, \"region_side\": 80",
         "unet_config.region_side = 80 must be a multiple of 16, at most image_size"},
        {"\"norm_groups\": 2", "\"norm_groups\": 3",
         "unet_config.base = 4 must be a multiple of norm_groups = 3"},
        {"\"grid\": 8", "\"grid\": 16",
         "fusion_config: level 4 is 8 pixels wide, which grid * cells = 16 does not divide"},
        {"[[1, 1], [1, 2]", "[[1, 1], [1, 5]",
         "fusion_config.map[1] names level 5: levels are 1 to 4"},
        {"[[1, 1], [1, 2]", "[[1, 1], [2, 2]",
         "fusion_config.map[1] names layer 2, which is not one of "
         "text_config.cross_attention_layers"},
        {"[[1, 1], [1, 2]", "[[1, 1], [1, 1]", "fusion_config.map has [1, 1] twice"},
        {"[[1, 1], [1, 2]", "[[3, 1], [1, 2]",
         "fusion_config.map must be in the order of the layers, but 1 follows 3"},
        {"\"branch\"", "\"concat\"",
         "fusion_config.map gives layer 1 two levels, but attend = \"concat\" takes one per "
         "layer"},
        {"\"labels\": []", "\"labels\": [\"dr\", \"normal\", \"dr\"]",
         "answer_config.labels has \"dr\" twice"},
        {"\"labels\": []", "\"labels\": [\"dr\"]",
         "answer_config.labels needs at least two labels"},
        {"\"epochs\": 24", "\"use_image\": false, \"use_text\": false, \"use_unet\": false",
         "train_config: use_image, use_text and use_unet are all false: nothing is left to see"},
        {"\"num_global_layers\": 1", "\"num_global_layers\": 1, \"vision_output_dim\": 97",
         "vision_config.vision_output_dim must be hidden_size * (1 + intermediate layers) = 96"},
        {"\"max_num_tiles\": 4", "\"max_num_tiles\": 2, \"supported_aspect_ratios\": [[1,1],[2,1]]",
         "vision_config.supported_aspect_ratios must list all 3 grids of at most max_num_tiles = 2 "
         "tiles, [1,1] first, in order"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sentence[512];
        (void)snprintf(sentence, sizeof sentence, "c.json: %s", cases[i][2]);
        expect(cases[i][0], cases[i][1], MDF_ERR_ARG, sentence);
    }
    load_tiny();
    mdf_error err = {0};
    assert_int_equal(mdf_config_set(&config, "map=[[1,1],[3,4]]", &err), MDF_OK);
    assert_int_equal(mdf_config_set(&config, "attend=concat", &err), MDF_OK);
    assert_int_equal(mdf_config_validate(&config, &err), MDF_OK);
    assert_int_equal(mdf_config_set(&config, "film_direction=unet_to_text", &err), MDF_OK);
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "fusion_config.film_direction = \"unet_to_text\" modulates the "
                                  "branch, which attend = \"concat\" does not have");
}

static void sizes_above_a_limit_are_refused(void **state)
{
    (void)state;
    char labels[64 + 2 * MDF_MAX_LABEL_BYTES] = "\"labels\": [\"";
    memset(labels + strlen(labels), 'x', MDF_MAX_LABEL_BYTES);
    char *text = changed("\"labels\": []", strcat(labels, "\", \"b\"]"));
    assert_int_equal(mdf_config_parse(&config, text, strlen(text), "c.json", NULL), MDF_OK);
    mdf_free(text);
    memcpy(strstr(labels, "\", \""), "x\",", 3); /* one byte more */
    memmove(strstr(labels, "x\",") + 3, "\"b\"]", 5);
    expect("\"labels\": []", labels, MDF_ERR_LIMIT,
           "c.json: answer_config.labels[0] has 129 bytes, more than the limit of 128");
    expect("\"intermediate_layers_indices\": [0, 1]",
           "\"intermediate_layers_indices\": [0, 1, 1, 1, 1, 1, 1, 1]", MDF_ERR_LIMIT,
           "c.json: vision_config.intermediate_layers_indices has 8 items, more than the limit of "
           "7");
    char *large = mdf_alloc(MDF_MAX_CONFIG_BYTES + 1, 1);
    assert_non_null(large);
    mdf_error err = {0};
    assert_int_equal(mdf_config_parse(&config, large, MDF_MAX_CONFIG_BYTES + 1, "c", &err),
                     MDF_ERR_LIMIT);
    mdf_free(large);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    char *text = tiny_text();
    const size_t n = (size_t)(strrchr(text, '}') - text);
    for (size_t len = 0; len <= n; len++) {
        mdf_error err = {0};
        assert_int_equal(mdf_config_parse(&config, text, len, "c.json", &err), MDF_ERR_FORMAT);
        assert_int_equal(strncmp(err.text, "c.json: not valid JSON: line ", 29), 0);
    }
    assert_int_equal(mdf_config_parse(&config, text, n + 1, "c.json", NULL), MDF_OK);
    mdf_free(text);
}

static void what_is_written_reads_back_equal(void **state)
{
    (void)state;
    load_tiny();
    expect_round_trip();
    mdf_error err = {0};
    static const char *const sets[] = {
        "labels=[\"a \\\"quoted\\\" \\\\ name\", \"caf\\u00e9\"]",
        "lr=0.1",
        "lr_unet=0.30000000000000004", /* needs 17 digits */
        "eps=1e-30",
        "seed=2147483647",
        "fusion.map=[]",
        "attend=concat",
        "normalise=sum",
        "monitor=loss",
        "flip=false",
        "eos_token_id=259",
        "missing_text=none, \"really\"",
        "factor=8",
        "low_freq_factor=1",
        "high_freq_factor=4.5",
        "original_max_position_embeddings=64",
    };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        assert_int_equal(mdf_config_set(&config, sets[i], &err), MDF_OK);
    }
    assert_true(config.train.lr_unet == 0.30000000000000004);
    assert_true(config.text.rope_scaling.enabled);
    assert_string_equal(config.answer.labels[0], "a \"quoted\" \\ name");
    assert_string_equal(config.answer.labels[1], "caf\xC3\xA9");
    assert_string_equal(config.answer.missing_text, "none, \"really\"");
    expect_round_trip();
}

static void a_setting_is_found_by_its_shortest_clear_name(void **state)
{
    (void)state;
    load_tiny();
    mdf_error err = {0};
    assert_int_equal(mdf_config_set(&config, "train_config.epochs=3", &err), MDF_OK);
    assert_int_equal(config.train.epochs, 3);
    assert_int_equal(mdf_config_set(&config, "epochs=4", &err), MDF_OK);
    assert_int_equal(config.train.epochs, 4);
    assert_int_equal(mdf_config_set(&config, "train.epochs=5", &err), MDF_OK);
    assert_int_equal(config.train.epochs, 5);
    assert_int_equal(mdf_config_set(&config, "augment.scale=0.25", &err), MDF_OK);
    assert_true(config.train.augment.scale == 0.25 && config.answer.scale == 8.0);
    assert_int_equal(mdf_config_set(&config, "train.augment.scale=0.5", &err), MDF_OK);
    assert_true(config.train.augment.scale == 0.5);
    assert_int_equal(mdf_config_set(&config, "labels=dr, amd ,normal", &err), MDF_OK);
    assert_int_equal(config.answer.label_count, 3);
    assert_string_equal(config.answer.labels[1], "amd");
    assert_int_equal(mdf_config_set(&config, "labels=", &err), MDF_OK);
    assert_int_equal(config.answer.label_count, 0);
    assert_int_equal(mdf_config_set(&config, "rope_scaling=null", &err), MDF_OK);
    assert_false(config.text.rope_scaling.enabled);
}

static void a_setting_that_is_not_clear_changes_nothing(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"hidden_size=8", "hidden_size is ambiguous: write text_config.hidden_size or "
                          "vision_config.hidden_size"},
        {"epocs=3", "epocs is not a known key; did you mean \"epochs\"?"},
        {"train.epocs=3", "train.epocs is not a known key; did you mean \"epochs\"?"},
        {"zzzzzzzzzz=3", "zzzzzzzzzz is not a known key"},
        {"epochs", "\"epochs\" is not a setting: write key=value"},
        {"=3", "\"=3\" is not a setting: write key=value"},
        {"epochs=", "epochs: can't read the value \"\""},
        {"epochs=3x", "epochs: can't read the value \"3x\""},
        {"epochs=0", "train_config.epochs = 0 is out of range: it must be between 1 and 1000000"},
        {"attend=both",
         "fusion_config.attend = \"both\" is not known: it must be one of \"branch\", \"concat\""},
        {"labels=a,,b", "answer_config.labels[1] is empty"},
        {"architectures=3", "architectures is not a known key"},
        {"vision_output_dim=3", "vision_output_dim follows from other settings"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        load_tiny();
        other = config;
        mdf_error err = {0};
        assert_int_not_equal(mdf_config_set(&config, cases[i][0], &err), MDF_OK);
        assert_string_equal(err.text, cases[i][1]);
        assert_memory_equal(&config, &other, sizeof config);
    }
}

/* Both ends of every range are allowed, the next number outside is not. */
/* Two labels with 3 and 1 cases, and 600 pictures, of which 512 are kept. */
static void know_doubt(void)
{
    load_tiny();
    (void)snprintf(config.answer.labels[0], sizeof config.answer.labels[0], "normal");
    (void)snprintf(config.answer.labels[1], sizeof config.answer.labels[1], "dr");
    config.answer.label_count = 2;
    mdf_doubt_config *d = &config.doubt;
    static const double truth[] = {0.9, 0.5, 0.25, 0.999999};
    memcpy(d->truth, truth, sizeof truth);
    d->label_count = 2;
    d->label_cases[0] = 3;
    d->label_cases[1] = 1;
    d->truth_count = 4;
    d->pictures = 600;
    d->signature_count = 512 * MDF_SIGNATURE;
    for (int i = 0; i < d->signature_count; i++) {
        d->signature[i] = 0.001 * i - 1;
    }
    d->scale_count = MDF_SIGNATURE;
    for (int i = 0; i < MDF_SIGNATURE; i++) {
        d->signature_scale[i] = 0.25 + i;
    }
    d->distance_share = 0.95;
    d->distance_limit = 1.7075;
}

static void what_is_known_of_doubt_survives(void **state)
{
    (void)state;
    know_doubt();
    assert_int_equal(mdf_config_validate(&config, NULL), MDF_OK);
    expect_round_trip();
    mdf_strbuf out = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    load_tiny();
    assert_false(mdf_config_has_doubt(&config));
    assert_int_equal(mdf_config_write(&config, &out, NULL), MDF_OK);
    assert_null(strstr(out.data, "doubt_config")); /* nothing is known, nothing is said */
    mdf_strbuf_free(&out);
}

static void doubt_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    mdf_error err = {0};
    know_doubt();
    config.doubt.label_count = 1;
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "doubt_config.label_cases has 1 numbers for 2 answer_config.labels");
    know_doubt();
    config.doubt.truth_count = 3;
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "doubt_config.truth has 3 numbers, but label_cases wants 4");
    know_doubt();
    config.doubt.truth[1] = 0.95;
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "doubt_config.truth must fall within a label, but 0.95 follows 0.9");
    know_doubt();
    config.doubt.pictures = 511;
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "doubt_config: of 511 pictures, signature must have 4088 numbers "
                                  "and signature_scale 8");
    know_doubt();
    config.doubt.scale_count = 0;
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    know_doubt();
    config.doubt.pictures = config.doubt.signature_count = config.doubt.scale_count = 0;
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "doubt_config: a distance is one to pictures, and there are none");
    load_tiny();
    assert_int_equal(mdf_config_set(&config, "doubt.truth=[0.5, 2]", &err), MDF_ERR_ARG);
    assert_int_equal(mdf_config_set(&config, "doubt.truth=[0.5, \"x\"]", &err), MDF_ERR_FORMAT);
    assert_int_equal(mdf_config_set(&config, "doubt.signature_scale=[0]", &err), MDF_ERR_ARG);
    assert_int_equal(mdf_config_set(&config, "signature_scale=[1,1,1,1,1,1,1,1,1]", &err),
                     MDF_ERR_LIMIT);
}

static void every_range_has_its_ends(void **state)
{
    (void)state;
    int numbers = 0;
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        const mdf_config_key *k = &mdf_config_keys[i];
        if (k->kind != MDF_KEY_INT && k->kind != MDF_KEY_REAL) {
            continue;
        }
        const bool whole = k->kind == MDF_KEY_INT;
        const double low = whole ? k->min - 1 : nextafter(k->min, -(double)INFINITY);
        const double high = whole ? k->max + 1 : nextafter(k->max, (double)INFINITY);
        const double value[] = {k->min, k->max, low, high};
        for (int j = 0; j < 4; j++) {
            char path[MDF_CONFIG_PATH];
            char text[2 * MDF_CONFIG_PATH];
            mdf_config_key_path(k, path);
            (void)snprintf(text, sizeof text, whole ? "%s=%.0f" : "%s=%.17g", path, value[j]);
            load_tiny();
            assert_int_equal(mdf_config_set(&config, text, NULL), j < 2 ? MDF_OK : MDF_ERR_ARG);
        }
        numbers++;
    }
    assert_true(numbers > 60);
}

static void the_table_for_people_has_every_key_once(void **state)
{
    (void)state;
    mdf_strbuf out = mdf_strbuf_new(1 << 20);
    mdf_config_describe(&out);
    assert_false(out.failed);
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        char path[MDF_CONFIG_PATH + 2];
        const mdf_config_key *k = &mdf_config_keys[i];
        path[0] = '\n';
        mdf_config_key_path(k, path + 1);
        (void)snprintf(path + strlen(path), 2, "\t");
        const char *first = i == 0 ? out.data : strstr(out.data, path);
        assert_int_equal(first != NULL, k->kind != MDF_KEY_IGNORED && k->kind != MDF_KEY_OLD);
        assert_true(first == NULL || strstr(first + 1, path) == NULL);
    }
    mdf_strbuf_free(&out);
}

/* Files of before have a number where there is a list of names now. */
static void masks_are_names_and_their_old_number_is_read(void **state)
{
    (void)state;
    static const char *const written[] = {"\"masks\": []", "\"masks\": [\"vessel\"]",
                                          "\"masks\": [\"vessel\", \"lesion\"]"};
    for (int n = 0; n <= 2; n++) {
        char old[32];
        (void)snprintf(old, sizeof old, "\"mask_channels\": %d", n);
        char *text = changed(TWO_MASKS, old);
        mdf_strbuf out = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
        assert_int_equal(mdf_config_parse(&config, text, strlen(text), "c.json", NULL), MDF_OK);
        assert_int_equal(config.unet.mask_channels, n);
        assert_int_equal(mdf_config_write(&config, &out, NULL), MDF_OK);
        assert_non_null(strstr(out.data, written[n]));
        assert_null(strstr(out.data, "mask_channels"));
        expect_round_trip();
        mdf_strbuf_free(&out);
        mdf_free(text);
    }
    expect(TWO_MASKS, "\"mask_channels\": 3", MDF_ERR_ARG,
           "c.json: unet_config.mask_channels = 3 is out of range: it must be between 0 and 2");
    expect(TWO_MASKS, "\"masks\": [\"cup\"], \"mask_channels\": 1", MDF_ERR_ARG,
           "c.json: unet_config.mask_channels is the old form of masks: give one of the two");
    expect(TWO_MASKS, "\"masks\": [\"cup\", \"disc\", \"cup\"]", MDF_ERR_ARG,
           "c.json: unet_config.masks has \"cup\" twice");
    expect(TWO_MASKS, "\"masks\": [\"drusen\"]", MDF_ERR_ARG,
           "c.json: unet_config.masks[0] = \"drusen\" is not known: it must be one of \"vessel\", "
           "\"disc\", \"cup\", \"lesion\", \"haemorrhage\", \"hard_exudate\"");
    expect(TWO_MASKS, "\"masks\": [1]", MDF_ERR_FORMAT,
           "c.json: unet_config.masks[0] must be a word in quotes, not 1");
    expect(TWO_MASKS, "\"masks\": [1, 2, 3, 4, 5, 6, 7, 8, 9]", MDF_ERR_LIMIT,
           "c.json: unet_config.masks has 9 items, more than the limit of 8");
    load_tiny();
    assert_int_equal(mdf_config_set(&config, "masks=hard_exudate, disc", NULL), MDF_OK);
    assert_int_equal(config.unet.mask_channels, 2);
    assert_int_equal(config.unet.masks[0], MDF_MASK_HARD_EXUDATE);
    assert_int_equal(config.unet.masks[1], MDF_MASK_DISC);
    expect_round_trip();
    assert_int_equal(mdf_config_set(&config, "mask_channels=1", NULL), MDF_OK);
    assert_int_equal(config.unet.mask_channels, 1);
    assert_int_equal(config.unet.masks[0], MDF_MASK_VESSEL);
    expect_round_trip();
    assert_int_equal(mdf_config_set(&config, "masks=", NULL), MDF_OK);
    assert_int_equal(config.unet.mask_channels, 0);
}

static void the_task_of_masks_alone_needs_masks(void **state)
{
    (void)state;
    mdf_error err = {0};
    load_tiny();
    assert_int_equal(mdf_config_set(&config, "monitor=dice", &err), MDF_OK);
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "train_config.monitor = \"dice\" needs train_config.task = \"segment\"");
    assert_int_equal(mdf_config_set(&config, "task=segment", &err), MDF_OK);
    assert_int_equal(mdf_config_validate(&config, &err), MDF_OK);
    assert_int_equal(mdf_config_set(&config, "masks=", &err), MDF_OK);
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "train_config.task = \"segment\" needs unet_config.masks, use_image and "
                        "use_unet");
}

static void half_a_stretching_is_refused(void **state)
{
    (void)state;
    expect("\"rope_theta\": 10000.0",
           "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8}", MDF_ERR_FORMAT,
           "c.json: text_config.rope_scaling.low_freq_factor is missing");
    expect("\"rope_theta\": 10000.0", "\"rope_scaling\": {\"rope_type\": \"yarn\"}", MDF_ERR_ARG,
           "c.json: text_config.rope_scaling.rope_type = \"yarn\" is not known: it must be "
           "\"llama3\"");
    load_tiny();
    assert_int_equal(mdf_config_set(&config, "rope_scaling.factor=8", NULL), MDF_OK);
    mdf_error err = {0};
    assert_int_equal(mdf_config_validate(&config, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "text_config.rope_scaling needs factor, low_freq_factor, "
                                  "high_freq_factor and original_max_position_embeddings");
}

static void a_missing_file_and_a_broken_one_are_named(void **state)
{
    (void)state;
    test_folder f;
    char path[128];
    mdf_error err = {0};
    test_folder_make(&f);
    (void)snprintf(path, sizeof path, "%s/none.json", f.path);
    assert_int_equal(mdf_config_load(&config, path, &err), MDF_ERR_IO);
    assert_non_null(strstr(err.text, path));
    test_put(&f, "bad.json", "{\"model_type\": }");
    (void)snprintf(path, sizeof path, "%s/bad.json", f.path);
    assert_int_equal(mdf_config_load(&config, path, &err), MDF_ERR_FORMAT);
    assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
    test_folder_remove(&f);
}

static void running_out_of_memory_at_any_point_is_reported(void **state)
{
    (void)state;
    load_tiny();
    other = config;
    int failures = 0;
    for (long n = 1;; n++) {
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_config_load(&config, TINY, NULL);
        mdf_alloc_fail_after(0);
        if (status == MDF_OK) {
            break;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
        assert_memory_equal(&config, &other, sizeof config);
        failures++;
    }
    assert_true(failures >= 2); /* the file's bytes and the new struct */
    mdf_alloc_fail_after(1);
    assert_int_equal(mdf_config_set(&config, "epochs=3", NULL), MDF_ERR_NOMEM);
    mdf_alloc_fail_after(1);
    mdf_strbuf out = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    assert_int_equal(mdf_config_write(&config, &out, NULL), MDF_ERR_NOMEM);
    mdf_alloc_fail_after(0);
    mdf_strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tiny_preset_is_read_as_it_stands),
        cmocka_unit_test(an_unknown_key_is_named_and_the_nearest_suggested),
        cmocka_unit_test(a_wrong_type_or_value_is_named),
        cmocka_unit_test(settings_that_contradict_each_other_are_refused),
        cmocka_unit_test(sizes_above_a_limit_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(what_is_written_reads_back_equal),
        cmocka_unit_test(a_setting_is_found_by_its_shortest_clear_name),
        cmocka_unit_test(a_setting_that_is_not_clear_changes_nothing),
        cmocka_unit_test(what_is_known_of_doubt_survives),
        cmocka_unit_test(doubt_that_does_not_fit_is_refused),
        cmocka_unit_test(every_range_has_its_ends),
        cmocka_unit_test(the_table_for_people_has_every_key_once),
        cmocka_unit_test(masks_are_names_and_their_old_number_is_read),
        cmocka_unit_test(the_task_of_masks_alone_needs_masks),
        cmocka_unit_test(half_a_stretching_is_refused),
        cmocka_unit_test(a_missing_file_and_a_broken_one_are_named),
        cmocka_unit_test(running_out_of_memory_at_any_point_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
