/* GGUF models as folders: the same weights as transformers has them (tests/golden/gguf_model),
 * settings and tokenizer beside them; files that are no model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "config/model_files.h"
#include "convert/import_gguf.h"
#include "convert/model_folder.h"
#include "nn/mdf_mllm.h"
#include "support/folder.h"
#include "weights/weights.h"

#define MODELS    MDF_TEST_DATA "/golden/gguf_model/"
#define TOKENIZER MDF_TEST_DATA "/golden/gguf_tokenizer/"

static mdf_config config; /* 40 kB: not on the stack */

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static void path_in(char path[256], const test_folder *f, const char *name)
{
    (void)snprintf(path, 256, "%s/%s", f->path, name);
}

static mdf_precision precision_of(mdf_dtype type, bool keep)
{
    mdf_precision p = mdf_precision_for(type);
    for (int i = 0; i < MDF_PARTS; i++) {
        p.keep[i] = keep;
    }
    return p;
}

/* Imports files into f/m, keeping their number formats. */
static mdf_status import(const test_folder *f, const char *const *path, size_t paths,
                         const mdf_stream_watch *watch, mdf_error *remark, mdf_error *err)
{
    char dir[256];
    mdf_rewrite_result r;
    const mdf_gguf_import how = {path, paths, precision_of(MDF_DTYPE_F32, true)};
    path_in(dir, f, "m");
    const mdf_status status = mdf_import_gguf(dir, &how, watch, &r, remark, err);
    mdf_rewrite_result_free(&r);
    return status;
}

/* Gates went through tanh in single precision. */
static void compare(const mdf_model_weight *got, const mdf_model_weight *want)
{
    assert_int_equal(got->tensor->dtype, want->tensor->dtype);
    assert_int_equal(got->tensor->rank, want->tensor->rank);
    assert_int_equal(got->tensor->bytes, want->tensor->bytes);
    if (got->tensor->count == 1) {
        float a = 0;
        float b = 0;
        must(mdf_safetensors_floats(got->file, got->tensor, &a, NULL), NULL);
        must(mdf_safetensors_floats(want->file, want->tensor, &b, NULL), NULL);
        assert_true(fabsf(a - b) < 2e-6F);
    } else {
        assert_memory_equal(got->tensor->data, want->tensor->data, want->tensor->bytes);
    }
}

static void weights_are_those_of_transformers(void **state)
{
    (void)state;
    static const char *const name[] = {"llama", "mllama"};
    for (size_t k = 0; k < 2; k++) {
        test_folder f;
        char path[512];
        char dir[256];
        mdf_error err = {0};
        mdf_error remark = {0};
        mdf_weights got;
        mdf_weights want;
        const char *const file = path;
        test_folder_make(&f);
        path_in(dir, &f, "m");
        (void)snprintf(path, sizeof path, MODELS "%s.gguf", name[k]);
        must(import(&f, &file, 1, NULL, &remark, &err), &err);
        assert_non_null(strstr(remark.text, "llama.gguf: the tokenizer is left out: "
                                            "tokenizer.ggml.merges: item 0, \"t 1\", needs"));
        must(mdf_weights_open(&got, dir, &err), &err);
        (void)snprintf(path, sizeof path, MODELS "%s.safetensors", name[k]);
        must(mdf_weights_open(&want, path, &err), &err);
        assert_int_equal(got.count, want.count - 1); /* without inv_freq */
        for (size_t i = 0; i < got.count; i++) {
            const mdf_model_weight *w = mdf_weights_find(&want, got.item[i].name);
            assert_non_null(w);
            compare(&got.item[i], w);
        }
        mdf_weights_close(&got);
        mdf_weights_close(&want);
        test_folder_remove(&f);
    }
}

static void numbers_become_another_format_row_by_row(void **state)
{
    (void)state;
    test_folder f;
    char dir[256];
    mdf_error err = {0};
    mdf_error remark = {0};
    mdf_rewrite_result r;
    mdf_weights got;
    mdf_weights want;
    size_t changed = 0;
    const char *const file = MODELS "mllama.gguf";
    const mdf_gguf_import how = {&file, 1, precision_of(MDF_DTYPE_F32, false)};
    test_folder_make(&f);
    path_in(dir, &f, "m");
    must(mdf_import_gguf(dir, &how, NULL, &r, &remark, &err), &err);
    must(mdf_weights_open(&got, dir, &err), &err);
    must(mdf_weights_open(&want, MODELS "mllama.safetensors", &err), &err);
    for (size_t i = 0; i < r.tensors; i++) {
        const mdf_model_weight *a = mdf_weights_find(&got, r.tensor[i].name);
        const mdf_model_weight *b = mdf_weights_find(&want, r.tensor[i].name);
        if (r.tensor[i].from == MDF_DTYPE_F32) {
            continue;
        }
        const size_t n = a->tensor->count;
        float *x = mdf_alloc(n, sizeof *x);
        float *y = mdf_alloc(n, sizeof *y);
        assert_int_equal(a->tensor->dtype, MDF_DTYPE_F32);
        must(mdf_safetensors_floats(a->file, a->tensor, x, &err), &err);
        must(mdf_safetensors_floats(b->file, b->tensor, y, &err), &err);
        assert_memory_equal(x, y, n * sizeof *x);
        assert_true(r.tensor[i].error == 0);
        mdf_free(x);
        mdf_free(y);
        changed++;
    }
    assert_true(changed > 30);
    mdf_rewrite_result_free(&r);
    mdf_weights_close(&got);
    mdf_weights_close(&want);
    test_folder_remove(&f);
}

/* What is in the file, and the defaults of everything that is not. */
static void settings_are_read_back(void **state)
{
    (void)state;
    test_folder f;
    char dir[256];
    mdf_error err = {0};
    mdf_error remark = {0};
    mdf_generation g;
    const char *file = MODELS "mllama.gguf";
    test_folder_make(&f);
    path_in(dir, &f, "m");
    must(import(&f, &file, 1, NULL, &remark, &err), &err);
    must(mdf_model_config_read(&config, dir, &err), &err);
    assert_int_equal(config.image_token_index, 40);
    assert_int_equal(config.text.cross_count, 2);
    assert_int_equal(config.text.cross_attention_layers[1], 3);
    assert_int_equal(config.vision.image_size, 28);
    assert_true(config.text.leak_rows && config.vision.deduplicate);
    assert_int_equal(config.tokenizer, MDF_TOKENIZER_BPE);
    assert_false(mdf_config_has_unet(&config));
    must(mdf_generation_load(&g, dir, &config, &err), &err);
    assert_int_equal(g.eos_count, 1);
    assert_int_equal(g.eos_token_id[0], 1);
    test_folder_remove(&f);
    test_folder_make(&f);
    path_in(dir, &f, "m");
    file = TOKENIZER "smollm.gguf";
    must(import(&f, &file, 1, NULL, &remark, &err), &err);
    assert_string_equal(remark.text, "");
    must(mdf_model_config_read(&config, dir, &err), &err);
    assert_false(mdf_config_has_vision(&config));
    assert_true(config.text.tie_word_embeddings && !config.text.rope_scaling.enabled);
    assert_int_equal(config.text.vocab_size, 342);
    assert_true(config.text.rope_theta == 10000);
    test_folder_remove(&f);
}

static void read_text(const test_folder *f, const char *name, char out[8192])
{
    char path[256];
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_error err = {0};
    path_in(path, f, name);
    must(mdf_file_read(path, 8191, &bytes, &len, &err), &err);
    memcpy(out, bytes, len + 1);
    mdf_free(bytes);
}

static void the_tokenizer_comes_along(void **state)
{
    (void)state;
    test_folder f;
    mdf_error err = {0};
    mdf_error remark = {0};
    char text[8192];
    const char *const file = TOKENIZER "smollm.gguf";
    test_folder_make(&f);
    must(import(&f, &file, 1, NULL, &remark, &err), &err);
    read_text(&f, "m/chat_template.jinja", text);
    assert_string_equal(text, "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + "
                              "m['content'] + '<|im_end|>\\n' }}{% endfor %}");
    read_text(&f, "m/tokenizer_config.json", text);
    assert_non_null(strstr(text, "\"eos_token\": \"<|im_end|>\""));
    read_text(&f, "m/generation_config.json", text);
    assert_string_equal(
        text, "{\n  \"bos_token_id\": 1,\n  \"eos_token_id\": [2],\n  \"pad_token_id\": 2\n}\n");
    read_text(&f, "m/tokenizer.json", text); /* its content: test_gguf_tokenizer.c */
    test_folder_remove(&f);
}

/* --- files that are no model --- */

/* Puts n bytes behind the text `after` and skip more bytes. */
static void patch(uint8_t *bytes, size_t len, const char *after, size_t skip, const void *new,
                  size_t n)
{
    const size_t m = strlen(after);
    for (size_t i = 0; i + m + skip + n <= len; i++) {
        if (memcmp(bytes + i, after, m) == 0) {
            memcpy(bytes + i + m + skip, new, n);
            return;
        }
    }
    fail_msg("%s is not in the file", after);
}

/* Writes f/w.gguf: a golden file, changed behind a key (and its type) and cut to `keep` bytes. */
static void put_changed(const test_folder *f, const char *from, const char *after, uint32_t value,
                        size_t keep)
{
    char path[256];
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_error err = {0};
    must(mdf_file_read(from, 1 << 20, &bytes, &len, &err), &err);
    if (after != NULL) {
        patch(bytes, len, after, 4, &value, 4);
    }
    path_in(path, f, "w.gguf");
    must(mdf_file_write(path, bytes, keep < len ? keep : len, &err), &err);
    mdf_free(bytes);
}

/* A GGUF file of one F32 number and no values. */
static void put_one(const test_folder *f, const char *name)
{
    uint8_t b[160] = {'G', 'G', 'U', 'F', 3};
    char path[256];
    const size_t n = strlen(name);
    mdf_error err = {0};
    b[8] = 1; /* tensors */
    b[24] = (uint8_t)n;
    memcpy(b + 32, name, n);
    b[32 + n] = 1; /* rank, size, type F32 = 0, offset 0 */
    b[36 + n] = 1;
    path_in(path, f, "one.gguf");
    must(mdf_file_write(path, b, (32 + n + 4 + 8 + 4 + 8 + 31) / 32 * 32 + 4, &err), &err);
}

static void refused(const test_folder *f, const char *const *path, size_t paths, mdf_status want,
                    const char *sentence)
{
    mdf_error err = {0};
    mdf_error remark;
    char dir[256];
    assert_int_equal(import(f, path, paths, NULL, &remark, &err), want);
    if (strstr(err.text, sentence) == NULL) {
        fail_msg("%s", err.text);
    }
    path_in(dir, f, "m");
    assert_false(mdf_path_exists(dir));
}

static void what_is_no_model_is_named(void **state)
{
    (void)state;
    test_folder f;
    char wrong[256];
    char one[256];
    char path[256];
    test_folder_make(&f);
    path_in(wrong, &f, "w.gguf");
    path_in(one, &f, "one.gguf");
    const char *const file[] = {wrong};
    put_changed(&f, MODELS "llama.gguf", "llama.block_count", 3, SIZE_MAX);
    refused(&f, file, 1, MDF_ERR_FORMAT,
            "/w.gguf: there is no tensor for \"model.language_model.layers.2.self_attn.q_proj.");
    put_changed(&f, MODELS "llama.gguf", "llama.feed_forward_length", 96, SIZE_MAX);
    refused(&f, file, 1, MDF_ERR_SHAPE,
            "/w.gguf: tensor \"blk.0.ffn_gate.weight\" has shape [64,32], but the model needs "
            "[96,32]");
    put_changed(&f, MODELS "llama.gguf", "llama.attention.head_count", 3, SIZE_MAX);
    refused(&f, file, 1, MDF_ERR_FORMAT, "/w.gguf: ");
    put_changed(&f, MODELS "llama.gguf", "llama.context_length", 0, SIZE_MAX);
    refused(&f, file, 1, MDF_ERR_ARG, "/w.gguf: ");
    put_changed(&f, MODELS "llama.gguf", NULL, 0, 20000);
    refused(&f, file, 1, MDF_ERR_FORMAT, "/w.gguf: ");
    put_one(&f, "blk.0.cross_attn_attn_gate");
    const char *const two[] = {MODELS "llama.gguf", one};
    refused(&f, two, 2, MDF_ERR_FORMAT,
            "/one.gguf: tensor \"blk.0.cross_attn_attn_gate\" does not belong to a model of these "
            "settings");
    path_in(path, &f, "nothing.gguf");
    const char *const none[] = {path};
    refused(&f, none, 1, MDF_ERR_IO, "/nothing.gguf: ");
    test_folder_remove(&f);
}

/* More tokens than the model has rows for: the table of one that has 40 says so. */
static void a_tokenizer_of_another_model_is_left_out(void **state)
{
    (void)state;
    test_folder f;
    char wrong[256];
    char path[256];
    mdf_error err = {0};
    mdf_error remark = {0};
    test_folder_make(&f);
    path_in(wrong, &f, "w.gguf");
    put_changed(&f, TOKENIZER "smollm.gguf", NULL, 0, SIZE_MAX);
    uint8_t *bytes = NULL;
    size_t len = 0;
    must(mdf_file_read(wrong, 1 << 20, &bytes, &len, &err), &err);
    const uint32_t rows = 341; /* behind the name: rank, width, rows */
    patch(bytes, len, "token_embd.weight", 4 + 8, &rows, 4);
    must(mdf_file_write(wrong, bytes, len, &err), &err);
    mdf_free(bytes);
    const char *const file[] = {wrong};
    must(import(&f, file, 1, NULL, &remark, &err), &err);
    assert_non_null(strstr(remark.text,
                           "/w.gguf: the tokenizer is left out: tokenizer.ggml.tokens: "
                           "342 tokens, but the model has rows for 341"));
    path_in(path, &f, "m/tokenizer.json");
    assert_false(mdf_path_exists(path));
    path_in(path, &f, "m/chat_template.jinja");
    assert_false(mdf_path_exists(path));
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_those_of_transformers),
        cmocka_unit_test(numbers_become_another_format_row_by_row),
        cmocka_unit_test(settings_are_read_back),
        cmocka_unit_test(the_tokenizer_comes_along),
        cmocka_unit_test(what_is_no_model_is_named),
        cmocka_unit_test(a_tokenizer_of_another_model_is_left_out),
    };
    return cmocka_run_group_tests_name("engine/import_gguf", tests, NULL, NULL);
}
