/* Tokenizers of GGUF files against what Hugging Face's library saves (tests/golden/gguf_tokenizer),
 * and arrays that make no tokenizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "language/gguf_tokenizer.h"

#define GOLDEN MDF_TEST_DATA "/golden/gguf_tokenizer/"
#define ROOM   ((size_t)1 << 20)

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

/* Merges as pairs, whichever way they are written. */
static void split_merges(json_t *root)
{
    json_t *list = json_object_get(json_object_get(root, "model"), "merges");
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *merge = json_string_value(json_array_get(list, i));
        if (merge != NULL) {
            const char *blank = strchr(merge, ' ');
            assert_non_null(blank);
            json_t *pair = json_pack("[s%, s]", merge, (size_t)(blank - merge), blank + 1);
            assert_int_equal(json_array_set_new(list, i, pair), 0);
        }
    }
}

static void compare(const char *name)
{
    char path[512];
    mdf_error err = {0};
    mdf_error remark = {0};
    mdf_gguf_files f;
    mdf_gguf_vocab v;
    mdf_strbuf out = mdf_strbuf_new(ROOM);
    const char *const file = path;
    (void)snprintf(path, sizeof path, GOLDEN "%s.gguf", name);
    must(mdf_gguf_files_open(&f, &file, 1, &err), &err);
    must(mdf_gguf_vocab_read(&v, &f, &err), &err);
    must(mdf_gguf_tokenizer_json(&v, &out, &remark, &err), &err);
    assert_string_equal(remark.text, "");
    (void)snprintf(path, sizeof path, GOLDEN "%s.json", name);
    json_t *want = json_load_file(path, 0, NULL);
    json_t *got = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(want);
    assert_non_null(got);
    split_merges(want);
    split_merges(got);
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(want, key, value)
    {
        if (!json_equal(value, json_object_get(got, key))) {
            fail_msg("%s: %s differs", name, key);
        }
    }
    assert_true(json_equal(want, got));
    json_decref(want);
    json_decref(got);
    mdf_strbuf_free(&out);
    mdf_gguf_vocab_free(&v);
    mdf_gguf_files_close(&f);
}

static void tokenizers_are_those_that_the_library_saves(void **state)
{
    (void)state;
    compare("smollm");
    compare("llama-bpe");
    compare("gpt-2");
}

/* --- by hand --- */

static mdf_gguf_string text(const char *s)
{
    return (mdf_gguf_string){s, strlen(s)};
}

typedef struct small {
    mdf_gguf_string token[4];
    uint8_t type[4];
    mdf_gguf_string merge[1];
    mdf_gguf_vocab v;
} small;

/* Tokens a, b, ab and <x>; one merge. */
static void make(small *s)
{
    static const char *const words[] = {"a", "b", "ab", "<x>"};
    *s = (small){.v = {.tokens = 4, .merges = 1, .bos = 3, .eos = -1}};
    s->v.eot = s->v.unknown = s->v.pad = -1;
    for (int i = 0; i < 4; i++) {
        s->token[i] = text(words[i]);
        s->type[i] = i < 3 ? MDF_GGUF_TOKEN_NORMAL : MDF_GGUF_TOKEN_CONTROL;
    }
    s->merge[0] = text("a b");
    s->v.token = s->token;
    s->v.type = s->type;
    s->v.merge = s->merge;
    s->v.model = text("gpt2");
    s->v.pre = text("gpt-2");
    s->v.template = text("");
}

static void refused(const small *s, mdf_status want, const char *sentence)
{
    mdf_error err = {0};
    mdf_error remark;
    mdf_strbuf out = mdf_strbuf_new(ROOM);
    assert_int_equal(mdf_gguf_tokenizer_json(&s->v, &out, &remark, &err), want);
    assert_string_equal(err.text, sentence);
    mdf_strbuf_free(&out);
}

static void arrays_that_make_no_tokenizer_are_named(void **state)
{
    (void)state;
    small s;
    make(&s);
    s.v.model = text("llama");
    refused(&s, MDF_ERR_ARG, "tokenizer.ggml.model: \"llama\" is not supported, only gpt2");
    make(&s);
    s.v.pre = text("tekken");
    refused(&s, MDF_ERR_ARG, "tokenizer.ggml.pre: \"tekken\" is not supported");
    make(&s);
    s.token[2] = text("a");
    refused(&s, MDF_ERR_FORMAT, "tokenizer.ggml.tokens: items 0 and 2 are both \"a\"");
    make(&s);
    s.token[1] = text("\xff");
    refused(&s, MDF_ERR_FORMAT,
            "tokenizer.ggml.tokens: item 1 is empty, has a zero byte or is not UTF-8");
    s.token[1] = text("");
    refused(&s, MDF_ERR_FORMAT,
            "tokenizer.ggml.tokens: item 1 is empty, has a zero byte or is not UTF-8");
    s.token[1] = (mdf_gguf_string){"b\0", 2};
    refused(&s, MDF_ERR_FORMAT,
            "tokenizer.ggml.tokens: item 1 is empty, has a zero byte or is not UTF-8");
    make(&s);
    s.merge[0] = text("ab");
    refused(&s, MDF_ERR_FORMAT,
            "tokenizer.ggml.merges: item 0, \"ab\", is not two tokens with a blank between them");
    s.merge[0] = text("a c");
    refused(&s, MDF_ERR_FORMAT,
            "tokenizer.ggml.merges: item 0, \"a c\", needs a token that is not there");
    s.merge[0] = text("b a");
    refused(&s, MDF_ERR_FORMAT,
            "tokenizer.ggml.merges: item 0, \"b a\", needs a token that is not there");
    s.merge[0] = text("a \xff");
    refused(&s, MDF_ERR_FORMAT,
            "tokenizer.ggml.merges: item 0 is empty, has a zero byte or is not UTF-8");
    make(&s);
    s.v.merges = 0;
    refused(&s, MDF_ERR_FORMAT,
            "tokenizer.ggml.merges: there are none, so texts would fall into letters");
    static char longest[8192];
    memset(longest, 'a', sizeof longest - 1);
    longest[4] = ' ';
    make(&s);
    s.merge[0] = text(longest);
    mdf_error err = {0};
    mdf_error remark;
    mdf_strbuf out = mdf_strbuf_new(ROOM);
    assert_int_equal(mdf_gguf_tokenizer_json(&s.v, &out, &remark, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "is not two tokens"));
    mdf_strbuf_free(&out);
    out = mdf_strbuf_new(100);
    make(&s);
    assert_int_equal(mdf_gguf_tokenizer_json(&s.v, &out, &remark, &err), MDF_ERR_NOMEM);
    mdf_strbuf_free(&out);
}

static json_t *json_of(const small *s, const char *remark_begins)
{
    mdf_error err = {0};
    mdf_error remark;
    mdf_strbuf out = mdf_strbuf_new(ROOM);
    must(mdf_gguf_tokenizer_json(&s->v, &out, &remark, &err), &err);
    assert_memory_equal(remark.text, remark_begins, strlen(remark_begins));
    json_t *root = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    mdf_strbuf_free(&out);
    return root;
}

static void what_may_differ_is_said(void **state)
{
    (void)state;
    small s;
    make(&s);
    s.v.pre = text("");
    json_decref(json_of(&s, "tokenizer.ggml.pre names no pre-tokenizer"));
    s.v.pre = text("default");
    json_decref(json_of(&s, "tokenizer.ggml.pre names no pre-tokenizer"));
}

/* As Qwen2's own tokenizer.json has it. */
static void qwen2_brings_texts_to_nfc(void **state)
{
    (void)state;
    small s;
    make(&s);
    s.v.pre = text("qwen2");
    json_t *root = json_of(&s, "");
    json_t *want = json_pack("{s:s}", "type", "NFC");
    assert_true(json_equal(json_object_get(root, "normalizer"), want));
    json_decref(want);
    json_decref(root);
    s.v.pre = text("llama3");
    root = json_of(&s, "");
    assert_true(json_is_null(json_object_get(root, "normalizer")));
    json_decref(root);
}

/* Llama 3 begins texts by itself, others when the file says so. */
static void texts_begin_as_the_file_says(void **state)
{
    (void)state;
    small s;
    make(&s);
    json_t *root = json_of(&s, "");
    assert_true(json_is_null(json_object_get(root, "post_processor")));
    json_decref(root);
    s.v.pre = text("llama3");
    root = json_of(&s, "");
    assert_true(json_is_object(json_object_get(root, "post_processor")));
    json_decref(root);
    s.v.says_bos = true;
    root = json_of(&s, "");
    assert_true(json_is_null(json_object_get(root, "post_processor")));
    json_decref(root);
    s.v.add_bos = true;
    s.v.bos = -1; /* there is none */
    root = json_of(&s, "");
    assert_true(json_is_null(json_object_get(root, "post_processor")));
    json_decref(root);
}

static void the_settings_name_the_special_tokens(void **state)
{
    (void)state;
    small s;
    mdf_error err = {0};
    mdf_strbuf out = mdf_strbuf_new(ROOM);
    make(&s);
    s.token[3] = text("\"x\"\\\n");
    s.v.eos = 2;
    must(mdf_gguf_tokenizer_config(&s.v, &out, &err), &err);
    json_t *root = json_loadb(out.data, out.len, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(root, "bos_token")), "\"x\"\\\n");
    assert_string_equal(json_string_value(json_object_get(root, "eos_token")), "ab");
    assert_null(json_object_get(root, "pad_token"));
    json_decref(root);
    mdf_strbuf_free(&out);
    out = mdf_strbuf_new(10);
    assert_int_equal(mdf_gguf_tokenizer_config(&s.v, &out, &err), MDF_ERR_NOMEM);
    mdf_strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizers_are_those_that_the_library_saves),
        cmocka_unit_test(arrays_that_make_no_tokenizer_are_named),
        cmocka_unit_test(what_may_differ_is_said),
        cmocka_unit_test(qwen2_brings_texts_to_nfc),
        cmocka_unit_test(texts_begin_as_the_file_says),
        cmocka_unit_test(the_settings_name_the_special_tokens),
    };
    return cmocka_run_group_tests_name("io/gguf_tokenizer", tests, NULL, NULL);
}
