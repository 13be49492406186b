/* Opening a model, a small one whose weights become floats and a large one whose weights stay in
 * their file: memory that ends, numbers that are none, pictures prepared in another way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/model_init.h"
#include "engine/engine.h"
#include "support/folder.h"

static test_folder root;
static mdf_config config; /* 40 kB: not on the stack */

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

static void init(const char *name, const char *const *set, mdf_dtype type)
{
    char path[256];
    mdf_error err = {0};
    mdf_init_result r;
    const mdf_precision p = mdf_precision_for(type);
    path_in(path, name);
    must(mdf_config_load(&config, MDF_TEST_DATA "/../presets/tiny.json", &err), &err);
    must(mdf_config_set(&config, "answer_config.labels=[\"normal\",\"dr\"]", &err), &err);
    for (; *set != NULL; set++) {
        must(mdf_config_set(&config, *set, &err), &err);
    }
    must(mdf_model_init(path, &config, &p, 1, NULL, &r, &err), &err);
}

/* More than 2^26 numbers. */
static int set_up(void **state)
{
    (void)state;
    static const char *const large[] = {"text_config.hidden_size=512",
                                        "text_config.intermediate_size=11264", NULL};
    mdf_set_threads(1);
    test_folder_make(&root);
    init("small", large + 2, MDF_DTYPE_F32);
    init("large", large, MDF_DTYPE_Q4_0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(&root);
    return 0;
}

/* Engine and session of a model, both closed again. */
static mdf_status open_and_close(const char *name, bool check, mdf_error *err)
{
    char dir[256];
    mdf_engine *e = NULL;
    mdf_session *s = NULL;
    path_in(dir, name);
    mdf_status status = mdf_engine_open(
        &e, &(mdf_engine_options){.model_dir = dir, .threads = 1, .check_tensors = check}, err);
    if (status == MDF_OK) {
        status = mdf_session_new(&s, e, err);
    } else {
        assert_null(e);
    }
    mdf_session_free(s);
    mdf_engine_close(e);
    return status;
}

static void memory_that_ends_at_any_allocation_is_reported(void **state)
{
    (void)state;
    static const char *const name[] = {"small", "large"};
    for (int i = 0; i < 4; i++) { /* with and without a look at every weight */
        mdf_error err = {0};
        const uint64_t before = mdf_alloc_count();
        must(open_and_close(name[i % 2], i >= 2, &err), &err);
        const long needed = (long)(mdf_alloc_count() - before);
        assert_true(needed > 40);
        for (long n = 1; n <= needed; n++) {
            mdf_alloc_fail_after(n);
            const mdf_status status = open_and_close(name[i % 2], i >= 2, &err);
            mdf_alloc_fail_after(0);
            if (status != MDF_ERR_NOMEM || strstr(err.text, "out of memory") == NULL) {
                fail_msg("%s, allocation %ld: %s", name[i % 2], n, err.text);
            }
        }
        must(open_and_close(name[i % 2], i >= 2, &err), &err);
    }
}

/* Overwrites bytes of a tensor in the file; gives back what was there. */
static void exchange(const char *model, const char *tensor, uint8_t *bytes, size_t n)
{
    char path[256];
    mdf_error err = {0};
    mdf_safetensors file;
    uint8_t before[8];
    path_in(path, model);
    (void)strncat(path, "/model.safetensors", sizeof path - strlen(path) - 1);
    must(mdf_safetensors_open(&file, path, &err), &err);
    const mdf_st_tensor *t = mdf_safetensors_find(&file, tensor);
    assert_non_null(t);
    assert_true(n <= sizeof before && n <= t->bytes);
    memcpy(before, t->data, n);
    const long at = (long)(t->data - file.map.data);
    mdf_safetensors_close(&file);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    memcpy(bytes, before, n);
}

static void expect_not_finite(const char *model, bool check, const char *tensor)
{
    mdf_error err = {0};
    char want[256];
    (void)snprintf(want, sizeof want,
                   "%s/%s/model.safetensors: tensor %s holds a number that is not finite",
                   root.path, model, tensor);
    assert_int_equal(open_and_close(model, check, &err), MDF_ERR_NUMERIC);
    assert_string_equal(err.text, want);
}

/* A block's scale is a half-precision number, and these bytes are NaN as such and as a float. */
static void weights_that_are_no_numbers_are_found(void **state)
{
    (void)state;
    static const char up[] = "model.language_model.layers.0.mlp.up_proj.weight";
    static const char norm[] = "model.language_model.norm.weight";
    uint8_t nan[] = {0x00, 0x7e, 0xc0, 0x7f};
    mdf_error err = {0};
    exchange("large", up, nan, sizeof nan);
    must(open_and_close("large", false, &err), &err); /* nobody has looked */
    expect_not_finite("large", true, up);
    exchange("large", up, nan, sizeof nan);
    exchange("large", norm, nan, sizeof nan); /* read in any case */
    expect_not_finite("large", false, norm);
    exchange("large", norm, nan, sizeof nan);
    exchange("small", up, nan, sizeof nan); /* all of it is read */
    expect_not_finite("small", false, up);
    exchange("small", up, nan, sizeof nan);
    must(open_and_close("small", true, &err), &err);
    must(open_and_close("large", true, &err), &err);
}

static void expect_preparation(const char *text, mdf_status code, const char *sentence)
{
    mdf_error err = {0};
    test_put(&root, "small/preprocessor_config.json", text);
    assert_int_equal(open_and_close("small", false, &err), code);
    if (strncmp(err.text, root.path, code == MDF_OK ? 0 : strlen(root.path)) != 0 ||
        strstr(err.text, sentence) == NULL) {
        fail_msg("%s", err.text);
    }
    char path[256];
    path_in(path, "small/preprocessor_config.json");
    assert_int_equal(unlink(path), 0);
}

#define MEAN "\"image_mean\": [0.48145466, 0.4578275, 0.40821073]"
#define STD  "\"image_std\": [0.26862954, 0.26130258, 0.27577711]"

static void pictures_prepared_in_another_way_are_refused(void **state)
{
    (void)state;
    static const char other[] =
        "/small: image_mean and image_std of its preprocessor settings are not the published ones, "
        "which models with labels are trained with";
    expect_preparation("{" MEAN ", " STD "}", MDF_OK, "");
    expect_preparation("{}", MDF_OK, "");
    expect_preparation("{\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5]}",
                       MDF_ERR_ARG, other);
    expect_preparation("{\"image_mean\": [0.48145466, 0.4578275, 0.408213]}", MDF_ERR_ARG, other);
    expect_preparation("{" MEAN ", \"image_std\": [0.26862954, 0.26130258, 0.2757]}", MDF_ERR_ARG,
                       other);
    expect_preparation("{\"size\": {\"height\": 560, \"width\": 560}}", MDF_ERR_ARG,
                       "/small/preprocessor_config.json: height must be 56");
    expect_preparation("{", MDF_ERR_FORMAT, "/small/preprocessor_config.json: not valid JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_ends_at_any_allocation_is_reported),
        cmocka_unit_test(weights_that_are_no_numbers_are_found),
        cmocka_unit_test(pictures_prepared_in_another_way_are_refused),
    };
    return cmocka_run_group_tests_name("engine/engine", tests, set_up, tear_down);
}
