/* What every command that makes a model folder promises: the whole model, or nothing. Each of them
 * meets a disk that is full after any number of bytes, memory that ends at any allocation, a stop,
 * and a name that somebody takes in the last moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/graft.h"
#include "convert/import_gguf.h"
#include "convert/model_folder.h"
#include "convert/model_init.h"
#include "convert/model_rewrite.h"
#include "engine/engine.h"
#include "support/folder.h"
#include "support/full_disk.h"
#include "weights/lora.h"
#include "weights/weights.h"

#define HF   MDF_TEST_DATA "/golden/hf/"
#define GGUF MDF_TEST_DATA "/golden/gguf_tokenizer/smollm.gguf"

enum { TOKENIZER = 2000000 }; /* bytes of a tokenizer.json: more than any file of weights here */

static test_folder root;
static mdf_config tiny; /* 40 kB: not on the stack */

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static void path_in(char path[256], const char *name)
{
    (void)snprintf(path, 256, "%s/%s", root.path, name);
}

/* --- the commands --- */

static mdf_status init(const char *dir, const mdf_stream_watch *watch, mdf_error *err)
{
    mdf_init_result r;
    const mdf_precision p = mdf_precision_for(MDF_DTYPE_Q4_0);
    return mdf_model_init(dir, &tiny, &p, 1, watch, &r, err);
}

static mdf_status rewrite(const char *from, const char *dir, const mdf_rewrite *how,
                          const mdf_stream_watch *watch, mdf_error *err)
{
    mdf_rewrite_result r;
    const mdf_status status = mdf_model_rewrite(from, dir, how, watch, &r, err);
    mdf_rewrite_result_free(&r);
    return status;
}

static mdf_status quantise(const char *dir, const mdf_stream_watch *watch, mdf_error *err)
{
    char from[256];
    path_in(from, "tiny");
    return rewrite(
        from, dir,
        &(mdf_rewrite){.precision = mdf_precision_for(MDF_DTYPE_Q8_0), .refuse_quantised = true},
        watch, err);
}

static mdf_status export(const char *dir, const mdf_stream_watch *watch, mdf_error *err)
{
    char from[256];
    path_in(from, "tiny");
    return rewrite(
        from, dir,
        &(mdf_rewrite){.precision = mdf_precision_for(MDF_DTYPE_BF16), .hugging_face = true}, watch,
        err);
}

static mdf_status import(const char *dir, const mdf_stream_watch *watch, mdf_error *err)
{
    mdf_lora lora;
    MDF_TRY(mdf_lora_load(&lora, HF "lora", err));
    const mdf_status status = rewrite(
        HF "old_f32_shards", dir,
        &(mdf_rewrite){.precision = mdf_precision_for(MDF_DTYPE_F16), .lora = &lora}, watch, err);
    mdf_lora_free(&lora);
    return status;
}

static mdf_status import_gguf(const char *dir, const mdf_stream_watch *watch, mdf_error *err)
{
    const char *const file = GGUF;
    mdf_error remark;
    mdf_rewrite_result r;
    const mdf_gguf_import how = {&file, 1, mdf_precision_for(MDF_DTYPE_F16)};
    const mdf_status status = mdf_import_gguf(dir, &how, watch, &r, &remark, err);
    mdf_rewrite_result_free(&r);
    return status;
}

static mdf_status graft(const char *dir, const mdf_stream_watch *watch, mdf_error *err)
{
    char from[256];
    mdf_graft_result r;
    path_in(from, "llama");
    return mdf_graft(dir, &(mdf_graft_options){.source = from, .config = &tiny, .seed = 1}, watch,
                     &r, err);
}

static const struct {
    const char *name;
    mdf_status (*make)(const char *dir, const mdf_stream_watch *watch, mdf_error *err);
} command[] = {{"init", init},     {"quantise", quantise},       {"export", export},
               {"import", import}, {"import_gguf", import_gguf}, {"graft", graft}};
enum { COMMANDS = sizeof command / sizeof command[0] };

/* --- what may go wrong --- */

static void expect_nothing(const char *dir, const char *what, rlim_t at)
{
    if (mdf_path_exists(dir)) {
        fail_msg("%s: something stays behind at %llu", what, (unsigned long long)at);
    }
}

static void a_disk_that_fills_at_any_byte_leaves_nothing(void **state)
{
    (void)state;
    char dir[256];
    path_in(dir, "out");
    for (size_t i = 0; i < COMMANDS; i++) {
        int failures = 0;
        mdf_status status = MDF_ERR_IO;
        for (rlim_t limit = 100; status != MDF_OK; limit += limit / 3, failures++) {
            mdf_error err = {0};
            test_limit_size(limit);
            status = command[i].make(dir, NULL, &err);
            test_limit_size(0);
            if (status == MDF_OK) {
                break;
            }
            assert_int_equal(status, MDF_ERR_IO);
            if (strncmp(err.text, dir, strlen(dir)) != 0 ||
                strstr(err.text, ": can't write: file too large") == NULL) {
                fail_msg("%s: %s", command[i].name, err.text);
            }
            expect_nothing(dir, command[i].name, limit);
        }
        assert_true(failures > 15);
        test_remove(dir);
    }
}

/* The weights are smaller than the tokenizer: they alone would have fitted. */
static void a_small_file_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    char dir[256];
    path_in(dir, "out");
    mdf_status (*const with_tokenizer[])(const char *, const mdf_stream_watch *,
                                         mdf_error *) = {quantise, export, graft};
    for (size_t i = 0; i < 3; i++) {
        mdf_error err = {0};
        test_limit_size(TOKENIZER - 1);
        const mdf_status status = with_tokenizer[i](dir, NULL, &err);
        test_limit_size(0);
        assert_int_equal(status, MDF_ERR_IO);
        assert_non_null(strstr(err.text, "/out/tokenizer.json: can't write: file too large"));
        expect_nothing(dir, err.text, TOKENIZER);
        test_limit_size(TOKENIZER);
        must(with_tokenizer[i](dir, NULL, &err), &err);
        test_limit_size(0);
        test_remove(dir);
    }
}

static void memory_that_ends_at_any_allocation_leaves_nothing(void **state)
{
    (void)state;
    char dir[256];
    path_in(dir, "out");
    for (size_t i = 0; i < COMMANDS; i++) {
        mdf_error err = {0};
        const uint64_t before = mdf_alloc_count();
        must(command[i].make(dir, NULL, &err), &err);
        const long needed = (long)(mdf_alloc_count() - before);
        test_remove(dir);
        int failures = 0;
        for (long n = 1; n <= needed; n++) {
            mdf_alloc_fail_after(n);
            const mdf_status status = command[i].make(dir, NULL, &err);
            mdf_alloc_fail_after(0);
            if (status == MDF_OK) { /* to sync a folder is not needed */
                test_remove(dir);
                continue;
            }
            failures++;
            if (status != MDF_ERR_NOMEM || strstr(err.text, "out of memory") == NULL) {
                fail_msg("%s, allocation %ld: %s", command[i].name, n, err.text);
            }
            expect_nothing(dir, command[i].name, (rlim_t)n);
        }
        assert_true(failures > 50);
    }
}

static void a_stop_leaves_what_was_there_before(void **state)
{
    (void)state;
    static const volatile sig_atomic_t stop = 1;
    const mdf_stream_watch watch = {.stop = &stop};
    char dir[256];
    char mine[256];
    path_in(dir, "out");
    path_in(mine, "out/tokenizer.json");
    for (size_t i = 0; i < COMMANDS; i++) {
        mdf_error err = {0};
        assert_int_equal(command[i].make(dir, &watch, &err), MDF_ERR_STOPPED);
        assert_string_equal(err.text, "stopped; nothing was written");
        expect_nothing(dir, command[i].name, 0);
        test_put(&root, "out/tokenizer.json", "mine");
        assert_int_equal(command[i].make(dir, &watch, &err), MDF_ERR_STOPPED);
        uint8_t *text = NULL;
        size_t len = 0;
        must(mdf_file_read(mine, 10, &text, &len, &err), &err);
        assert_string_equal((const char *)text, "mine");
        mdf_free(text);
        assert_int_equal(unlink(mine), 0);
        assert_int_equal(rmdir(dir), 0); /* there was nothing else */
    }
}

/* Somebody makes a folder of a file's name while the weights are being written. */
typedef struct thief {
    const char *name;
    bool taken;
} thief;

static void take_the_name(void *user, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    thief *t = user;
    char path[256];
    path_in(path, t->name);
    t->taken = mkdir(path, 0755) == 0 || t->taken;
}

static void a_file_that_gets_no_name_takes_the_others_with_it(void **state)
{
    (void)state;
    static const char *const name[] = {"out/model.safetensors", "out/config.json"};
    char dir[256];
    path_in(dir, "out");
    for (size_t i = 0; i < 2 * (size_t)COMMANDS; i++) {
        mdf_error err = {0};
        thief t = {.name = name[i % 2]};
        char obstacle[256];
        char want[512];
        path_in(obstacle, t.name);
        (void)snprintf(want, sizeof want, "%s: can't replace: it is a folder", obstacle);
        const mdf_stream_watch watch = {.progress = take_the_name, .user = &t};
        assert_int_equal(command[i / 2].make(dir, &watch, &err), MDF_ERR_IO);
        assert_true(t.taken);
        assert_string_equal(err.text, want);
        assert_int_equal(rmdir(obstacle), 0);
        assert_int_equal(rmdir(dir), 0); /* there was nothing else */
    }
}

static int set_up(void **state)
{
    (void)state;
    mdf_error err = {0};
    char path[256];
    mdf_init_result r;
    char *text = malloc(TOKENIZER + 1);
    const mdf_precision p = mdf_precision_for(MDF_DTYPE_BF16);
    mdf_set_threads(1); /* many small models one after the other */
    test_folder_make(&root);
    must(mdf_config_load(&tiny, MDF_TEST_DATA "/../presets/tiny.json", &err), &err);
    must(mdf_config_set(&tiny, "text_config.hidden_size=32", &err), &err);
    must(mdf_config_set(&tiny, "text_config.intermediate_size=32", &err), &err);
    must(mdf_config_set(&tiny, "vision_config.image_size=28", &err), &err);
    must(mdf_config_set(&tiny, "unet_config.base=2", &err), &err);
    path_in(path, "tiny");
    must(mdf_model_init(path, &tiny, &p, 1, NULL, &r, &err), &err);
    assert_non_null(text);
    memset(text, ' ', TOKENIZER);
    text[TOKENIZER] = '\0';
    test_put(&root, "tiny/tokenizer.json", text);
    test_put(&root, "llama/tokenizer.json", text);
    free(text);
    static const char *const copied[] = {"config.json", "model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        char from[256];
        uint8_t *bytes = NULL;
        size_t len = 0;
        (void)snprintf(from, sizeof from, HF "llama_f32/%s", copied[i]);
        (void)snprintf(path, sizeof path, "%s/llama/%s", root.path, copied[i]);
        must(mdf_file_read(from, 1 << 20, &bytes, &len, &err), &err);
        must(mdf_file_write(path, bytes, len, &err), &err);
        mdf_free(bytes);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(&root);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_that_fills_at_any_byte_leaves_nothing),
        cmocka_unit_test(a_small_file_that_does_not_fit_leaves_nothing),
        cmocka_unit_test(memory_that_ends_at_any_allocation_leaves_nothing),
        cmocka_unit_test(a_stop_leaves_what_was_there_before),
        cmocka_unit_test(a_file_that_gets_no_name_takes_the_others_with_it),
    };
    return cmocka_run_group_tests_name("engine/model_folder", tests, set_up, tear_down);
}
