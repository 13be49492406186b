/* Which model a folder is: everything that says what it answers counts, nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/model_identity.h"
#include "io/safetensors.h"
#include "support/folder.h"

#define GOLDEN MDF_TEST_DATA "/golden/ask/"

enum { MOST = 1 << 21, NUMBERS = 300000 };

typedef char hex[MDF_SHA256_HEX + 1];

static void copy_file(const char *from, const char *name, const test_folder *to)
{
    char path[512];
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof path, "%s/%s", from, name);
    assert_int_equal(mdf_file_read(path, MOST, &bytes, &len, NULL), MDF_OK);
    (void)snprintf(path, sizeof path, "%s/%s", to->path, name);
    assert_int_equal(mdf_file_write(path, bytes, len, NULL), MDF_OK);
    mdf_free(bytes);
}

/* Turns a bit of a byte of a file of the folder. */
static void turn_bit(const test_folder *f, const char *name, size_t at)
{
    char path[512];
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    assert_int_equal(mdf_file_read(path, MOST, &bytes, &len, NULL), MDF_OK);
    assert_in_range(at, 0, len - 1);
    bytes[at] ^= 1;
    assert_int_equal(mdf_file_write(path, bytes, len, NULL), MDF_OK);
    mdf_free(bytes);
}

static void identify(hex out, const char *dir, const char *lora, const char *chat)
{
    mdf_error err = {0};
    if (mdf_model_identity(out, dir, lora, chat, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

static void every_file_of_an_answer_counts(void **state)
{
    (void)state;
    static const char *const files[] = {"config.json", "tokenizer.json", "chat_template.jinja",
                                        "model.safetensors", "generation_config.json"};
    test_folder f;
    hex golden;
    hex copy;
    test_folder_make(&f);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        copy_file(GOLDEN "text", files[i], &f);
    }
    identify(golden, GOLDEN "text", NULL, NULL);
    identify(copy, f.path, NULL, NULL); /* wherever the folder lies */
    assert_string_equal(golden, copy);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const size_t at = strcmp(files[i], "model.safetensors") == 0 ? 20000 : 10;
        turn_bit(&f, files[i], at);
        identify(copy, f.path, NULL, NULL);
        if (strcmp(files[i], "generation_config.json") == 0) { /* how it is asked */
            assert_string_equal(golden, copy);
        } else {
            assert_string_not_equal(golden, copy);
        }
        turn_bit(&f, files[i], at);
    }
    test_put(&f, "tokenizer_config.json", "{}");
    identify(copy, f.path, NULL, NULL);
    assert_string_not_equal(golden, copy);
    test_folder_remove(&f);
}

static void adapters_and_other_templates_count(void **state)
{
    (void)state;
    test_folder f;
    hex plain;
    hex first;
    hex second;
    identify(plain, GOLDEN "vision", NULL, NULL);
    identify(first, GOLDEN "vision", GOLDEN "lora", NULL);
    assert_string_not_equal(plain, first);
    test_folder_make(&f);
    copy_file(GOLDEN "lora", "adapter_config.json", &f);
    copy_file(GOLDEN "lora", "adapter_model.safetensors", &f);
    identify(second, GOLDEN "vision", f.path, NULL);
    assert_string_equal(first, second);
    turn_bit(&f, "adapter_model.safetensors", 900);
    identify(second, GOLDEN "vision", f.path, NULL);
    assert_string_not_equal(first, second);
    identify(first, GOLDEN "vision", NULL, GOLDEN "vision/chat_template.json");
    identify(second, GOLDEN "vision", NULL, GOLDEN "text/chat_template.jinja");
    assert_string_not_equal(plain, first);
    assert_string_not_equal(first, second);
    test_folder_remove(&f);
}

/* 1.2 MB of weights: 64 KiB at the beginning, in the middle and at the end are looked at. */
static void of_many_weights_three_places_count(void **state)
{
    (void)state;
    static float number[NUMBERS];
    test_folder f;
    hex plain;
    hex other;
    test_folder_make(&f);
    char *path = mdf_path_join(f.path, "model.safetensors");
    const mdf_st_entry e = {
        .name = "w", .dtype = MDF_DTYPE_F32, .rank = 1, .dim = {NUMBERS}, .data = number};
    assert_int_equal(mdf_safetensors_save(path, &e, 1, NULL, 0, NULL), MDF_OK);
    identify(plain, f.path, NULL, NULL);
    const size_t begin = 64 + 64; /* the header has no more than that */
    const size_t len = sizeof number;
    const size_t seen[] = {begin,           65000,       len / 2, len / 2 - 30000,
                           len / 2 + 30000, len - 60000, len - 1};
    const size_t passed[] = {70000, len / 4, len / 2 - 40000, len / 2 + 40000, len - 70000};
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        turn_bit(&f, "model.safetensors", seen[i]);
        identify(other, f.path, NULL, NULL);
        assert_string_not_equal(plain, other);
        turn_bit(&f, "model.safetensors", seen[i]);
    }
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        turn_bit(&f, "model.safetensors", passed[i]);
        identify(other, f.path, NULL, NULL);
        assert_string_equal(plain, other);
        turn_bit(&f, "model.safetensors", passed[i]);
    }
    mdf_free(path);
    test_folder_remove(&f);
}

static void a_folder_without_weights_is_no_model(void **state)
{
    (void)state;
    hex out;
    mdf_error err = {0};
    assert_int_equal(mdf_model_identity(out, MDF_TEST_DATA "/golden", NULL, NULL, &err),
                     MDF_ERR_IO);
    assert_non_null(strstr(err.text, "golden"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_of_an_answer_counts),
        cmocka_unit_test(adapters_and_other_templates_count),
        cmocka_unit_test(of_many_weights_three_places_count),
        cmocka_unit_test(a_folder_without_weights_is_no_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
