/* preprocessor_config.json and generation_config.json as released, and with one thing wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "config/model_files.h"
#include "support/folder.h"

static mdf_config config; /* 40 kB: not on the stack */

static int set_up(void **state)
{
    (void)state;
    return mdf_config_load(&config, MDF_TEST_DATA "/golden/hf/config_4_mllama/config.json", NULL) ==
                   MDF_OK
               ? 0
               : -1;
}

#define PICTURE(size, more)                                                                        \
    "{\"do_convert_rgb\": true, \"do_normalize\": true, \"do_pad\": true, \"do_rescale\": true, "  \
    "\"do_resize\": true, \"image_mean\": [0.5, 0.25, 0.125], \"image_processor_type\": "          \
    "\"MllamaImageProcessor\", \"image_std\": [0.5, 0.5, 2], \"max_image_tiles\": 4, "             \
    "\"rescale_factor\": 0.00392156862745098, \"size\": {\"height\": 28, \"width\": " size         \
    "}" more "}"

static void a_preprocessor_is_read_in_both_places(void **state)
{
    (void)state;
    static const char *const text[] = {PICTURE("28", ", \"resample\": 2"),
                                       "{\"image_processor\": " PICTURE("28", "") "}"};
    for (size_t i = 0; i < 2; i++) {
        mdf_preprocessor p = {0};
        assert_int_equal(
            mdf_preprocessor_parse(&p, text[i], strlen(text[i]), "p.json", &config, NULL), MDF_OK);
        assert_true(p.mean[0] == 0.5F && p.mean[2] == 0.125F && p.std[2] == 2.0F);
    }
}

static void expect_preprocessor(const char *text, mdf_status code, const char *sentence)
{
    mdf_preprocessor p = {{7}, {7}};
    mdf_error err = {0};
    assert_int_equal(mdf_preprocessor_parse(&p, text, strlen(text), "p.json", &config, &err), code);
    assert_string_equal(err.text, sentence);
    assert_true(p.mean[0] == 7 && p.std[0] == 7);
}

static void a_preprocessor_of_another_model_is_refused(void **state)
{
    (void)state;
    expect_preprocessor(PICTURE("56", ""), MDF_ERR_ARG, "p.json: width must be 28");
    expect_preprocessor(PICTURE("28", ", \"resample\": 3"), MDF_ERR_ARG,
                        "p.json: resample must be 2");
    expect_preprocessor("{\"do_pad\": false}", MDF_ERR_ARG, "p.json: do_pad must be true");
    expect_preprocessor("{\"image_std\": [1, 0, 1]}", MDF_ERR_FORMAT,
                        "p.json: image_std must be three numbers between 1e-06 and 10");
    expect_preprocessor("{\"image_mean\": [1, 0]}", MDF_ERR_FORMAT,
                        "p.json: image_mean must be three numbers between -10 and 10");
    expect_preprocessor("{\"rescale_factor\": 1}", MDF_ERR_ARG,
                        "p.json: rescale_factor must be 1/255");
    expect_preprocessor("{\"max_image_tiles\": 2}", MDF_ERR_ARG,
                        "p.json: max_image_tiles must be 4");
    expect_preprocessor("{\"size\": 28}", MDF_ERR_FORMAT, "p.json: size must be {height, width}");
    expect_preprocessor("{\"image_processor\": 3}", MDF_ERR_FORMAT,
                        "p.json: image_processor is not an object {...}");
    expect_preprocessor("[]", MDF_ERR_FORMAT, "p.json: not an object {...}");
}

static void generation_is_read(void **state)
{
    (void)state;
    const char *text = "{\"do_sample\": true, \"temperature\": 0.6, \"top_p\": 0.9, "
                       "\"bos_token_id\": 0, \"eos_token_id\": [3, 5, 7], \"pad_token_id\": 4}";
    mdf_generation g = {0};
    assert_int_equal(mdf_generation_parse(&g, text, strlen(text), "g.json", &config, NULL), MDF_OK);
    assert_true(g.sample && g.temperature == 0.6 && g.top_p == 0.9 && g.top_k == 50);
    assert_int_equal(g.eos_count, 3);
    assert_int_equal(g.eos_token_id[2], 7);
    text = "{\"eos_token_id\": 9}";
    assert_int_equal(mdf_generation_parse(&g, text, strlen(text), "g.json", &config, NULL), MDF_OK);
    assert_true(!g.sample && g.eos_count == 1 && g.eos_token_id[0] == 9);
}

/* As transformers 4.49's GenerationConfig: its defaults, with a file or without; None, which JSON
 * writes as null, is no filter. */
static void what_generation_leaves_out_is_as_in_transformers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int top_k;
    } file[] = {{NULL, 50},
                {"{}", 50},
                {"{\"temperature\": null, \"top_p\": null}", 50},
                {"{\"top_k\": null}", 0},
                {"{\"top_k\": 0}", 0},
                {"{\"top_k\": 7}", 7}};
    for (size_t i = 0; i < sizeof file / sizeof file[0]; i++) {
        const size_t len = file[i].text == NULL ? 0 : strlen(file[i].text);
        mdf_generation g = {0};
        assert_int_equal(mdf_generation_parse(&g, file[i].text, len, "g.json", &config, NULL),
                         MDF_OK);
        assert_true(!g.sample && g.temperature == 1 && g.top_p == 1);
        assert_int_equal(g.top_k, file[i].top_k);
    }
}

static void expect_generation(const char *text, const char *sentence)
{
    mdf_generation g = {0};
    mdf_error err = {0};
    assert_int_equal(mdf_generation_parse(&g, text, strlen(text), "g.json", &config, &err),
                     MDF_ERR_FORMAT);
    assert_string_equal(err.text, sentence);
}

static void generation_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    expect_generation("{\"temperature\": -1}",
                      "g.json: temperature must be a number between 0 and 100");
    expect_generation("{\"top_p\": \"x\"}", "g.json: top_p must be a number between 0 and 1");
    expect_generation("{\"top_k\": 1.5}", "g.json: top_k must be a whole number");
    expect_generation("{\"eos_token_id\": 40}", "g.json: eos_token_id must be tokens below 40");
    expect_generation("{\"eos_token_id\": []}", "g.json: eos_token_id must be one to 8 tokens");
    expect_generation("{\"do_sample\": 1}", "g.json: do_sample must be true or false");
    expect_generation("{", "g.json: not valid JSON: line 1, column 1: string or '}' expected near "
                           "end of file");
}

static void files_that_are_not_there_leave_the_published_settings(void **state)
{
    (void)state;
    test_folder f;
    mdf_preprocessor p;
    mdf_generation g;
    test_folder_make(&f);
    assert_int_equal(mdf_preprocessor_load(&p, f.path, &config, NULL), MDF_OK);
    assert_true(p.mean[0] == 0.48145466F && p.std[2] == 0.27577711F);
    assert_int_equal(mdf_generation_load(&g, f.path, &config, NULL), MDF_OK);
    assert_true(!g.sample && g.eos_count == 2 && g.eos_token_id[1] == 9);
    test_put(&f, "processor_config.json", "{\"image_processor\": {\"image_mean\": [1, 2, 3]}}");
    assert_int_equal(mdf_preprocessor_load(&p, f.path, &config, NULL), MDF_OK);
    assert_true(p.mean[2] == 3.0F);
    test_put(&f, "preprocessor_config.json", "{\"image_mean\": [4, 5, 6]}");
    assert_int_equal(mdf_preprocessor_load(&p, f.path, &config, NULL), MDF_OK);
    assert_true(p.mean[2] == 6.0F);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_preprocessor_is_read_in_both_places),
        cmocka_unit_test(a_preprocessor_of_another_model_is_refused),
        cmocka_unit_test(generation_is_read),
        cmocka_unit_test(what_generation_leaves_out_is_as_in_transformers),
        cmocka_unit_test(generation_that_makes_no_sense_is_refused),
        cmocka_unit_test(files_that_are_not_there_leave_the_published_settings),
    };
    return cmocka_run_group_tests_name("nn/model_files", tests, set_up, NULL);
}
