/* Tokenizers against Hugging Face's, id by id (tests/golden/tokenizer). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "language/prompt.h"
#include "language/tokenizer_arrays.h"
#include "language/tokenizer_json.h"

#define GOLDEN MDF_TEST_DATA "/golden/tokenizer/"

enum { ROOM = 4096 };

static json_t *expected;

static int read_expected(void **state)
{
    (void)state;
    expected = json_load_file(GOLDEN "expect.json", JSON_ALLOW_NUL, NULL);
    return expected == NULL ? -1 : 0;
}

static int free_expected(void **state)
{
    (void)state;
    json_decref(expected);
    return 0;
}

static mdf_tokenizer *load(const char *name, int32_t image_token)
{
    char path[512];
    mdf_tokenizer *t = NULL;
    mdf_error err = {0};
    (void)snprintf(path, sizeof path, GOLDEN "%s.json", name);
    if (mdf_tokenizer_load(&t, path, image_token, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    return t;
}

static void expect_ids(const int32_t *id, size_t count, const json_t *want, int32_t image)
{
    assert_int_equal(count, json_array_size(want));
    for (size_t i = 0; i < count; i++) {
        const int32_t w = (int32_t)json_integer_value(json_array_get(want, i));
        assert_int_equal(id[i], w < 0 ? image : w);
    }
}

static void check(const mdf_tokenizer *t, const char *text, size_t len, int how, const json_t *want)
{
    int32_t id[ROOM];
    size_t count = 0;
    assert_int_equal(mdf_tokenizer_encode(t, text, len, how, id, ROOM, &count, NULL), MDF_OK);
    assert_true(count <= mdf_tokenizer_most(t, len) + 2);
    expect_ids(id, count, want, -1);
}

/* Without gaps and added blanks a text comes back. */
static void check_back(const mdf_tokenizer *t, const char *text, size_t len)
{
    int32_t id[ROOM];
    size_t count = 0;
    mdf_strbuf out = mdf_strbuf_new(ROOM);
    assert_int_equal(
        mdf_tokenizer_encode(t, text, len, MDF_ENCODE_SPECIALS, id, ROOM, &count, NULL), MDF_OK);
    assert_int_equal(mdf_tokenizer_decode(t, id, count, true, &out, NULL), MDF_OK);
    assert_int_equal(out.len, len);
    if (len > 0) {
        assert_memory_equal(out.data, text, len);
    }
    mdf_strbuf_free(&out);
}

static void ids_are_those_of_hugging_face(void **state)
{
    (void)state;
    static const char *const names[] = {"llama3", "gpt2", "digits", "gaps"};
    size_t texts = 0;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        const json_t *cases = json_object_get(expected, names[k]);
        mdf_tokenizer *t = load(names[k], -1);
        for (size_t i = 0; i < json_array_size(cases); i++, texts++) {
            const json_t *c = json_array_get(cases, i);
            const json_t *found = json_array_get(c, 1);
            const json_t *plain = json_array_get(c, 2);
            const json_t *with = json_array_get(c, 3);
            const char *text = json_string_value(json_array_get(c, 0));
            const size_t len = json_string_length(json_array_get(c, 0));
            check(t, text, len, MDF_ENCODE_SPECIALS, found);
            check(t, text, len, MDF_ENCODE_PLAIN, plain != NULL ? plain : found);
            if (with != NULL) {
                check(t, text, len, MDF_ENCODE_SPECIALS | MDF_ENCODE_TEMPLATE, with);
            }
            if (k == 0 || k == 2) {
                check_back(t, text, len);
            }
        }
        mdf_tokenizer_free(t);
    }
    assert_true(texts >= 1200);
}

static int hex(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void what_is_not_utf8_is_repaired_as_python_does(void **state)
{
    (void)state;
    const json_t *cases = json_object_get(expected, "broken");
    mdf_tokenizer *t = load("llama3", -1);
    assert_true(json_array_size(cases) > 50);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const char *digits = json_string_value(json_array_get(json_array_get(cases, i), 0));
        char text[64];
        const size_t len = strlen(digits) / 2;
        for (size_t j = 0; j < len; j++) {
            text[j] = (char)(hex(digits[2 * j]) * 16 + hex(digits[2 * j + 1]));
        }
        check(t, text, len, MDF_ENCODE_SPECIALS, json_array_get(json_array_get(cases, i), 1));
    }
    mdf_tokenizer_free(t);
}

static void check_prompts(const char *name, int32_t image)
{
    char key[64];
    mdf_tokenizer *t = load(name, image);
    (void)snprintf(key, sizeof key, "prompts.%s", name);
    const json_t *prompts = json_object_get(expected, key);
    image = mdf_tokenizer_special(t, "<|image|>");
    assert_int_equal(mdf_prompt_check(t, NULL), MDF_OK);
    assert_true(json_array_size(prompts) > 5);
    for (size_t i = 0; i < json_array_size(prompts); i++) {
        const json_t *row = json_array_get(prompts, i);
        const char *text = json_string_value(json_array_get(row, 0));
        for (size_t with = 0; with < 2; with++) {
            int32_t id[ROOM];
            size_t count = 0;
            int32_t image_at = 7;
            assert_int_equal(
                mdf_prompt_build(t, id, ROOM, &count, &image_at, text, NULL, with == 1, NULL),
                MDF_OK);
            expect_ids(id, count, json_array_get(row, 1 + with), image);
            assert_true(count <= mdf_prompt_capacity(t, text, NULL));
            assert_true(with == 1 ? id[image_at] == image : image_at == -1);
        }
    }
    (void)snprintf(key, sizeof key, "labels.%s", name);
    const json_t *labels = json_object_get(expected, key);
    const char *label[16];
    mdf_label_tree *tree = NULL;
    const size_t count = json_array_size(labels);
    for (size_t i = 0; i < count; i++) {
        label[i] = json_string_value(json_array_get(json_array_get(labels, i), 0));
    }
    assert_true(count > 4);
    assert_int_equal(mdf_label_tree_new(&tree, t, label, (int)count, NULL), MDF_OK);
    for (size_t i = 0; i < count; i++) {
        const int32_t from = tree->offset[i];
        expect_ids(tree->target + from, (size_t)(tree->offset[i + 1] - from),
                   json_array_get(json_array_get(labels, i), 1), -1);
    }
    mdf_label_tree_free(tree);
    mdf_tokenizer_free(t);
}

static void prompts_and_labels_are_encoded_as_one_text(void **state)
{
    (void)state;
    check_prompts("llama3", -1);
    check_prompts("digits", 1000);
}

static void labels_with_the_same_tokens_are_refused(void **state)
{
    (void)state;
    static const char *const labels[] = {"x\xFF", "x\xFE"}; /* both "x" and U+FFFD */
    mdf_tokenizer *t = load("llama3", -1);
    mdf_label_tree *tree = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_label_tree_new(&tree, t, labels, 2, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "labels \"x\xFF\" and \"x\xFE\" have the same tokens");
    mdf_tokenizer_free(t);
}

static void the_image_token_has_the_models_id(void **state)
{
    (void)state;
    mdf_tokenizer *t = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_tokenizer_load(&t, GOLDEN "llama3.json", 5, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "the id of \"<|image|>\" is 679, but the model's is 5"));
    assert_int_equal(mdf_tokenizer_load(&t, GOLDEN "digits.json", 5, &err), MDF_ERR_FORMAT);
    assert_non_null(
        strstr(err.text, "the model's id of \"<|image|>\", 5, is that of another token"));
    assert_int_equal(mdf_tokenizer_load(&t, GOLDEN "none.json", 5, &err), MDF_ERR_IO);
    t = load("digits", -1);
    assert_int_equal(mdf_prompt_check(t, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "a prompt needs the token \"<|image|>\"");
    mdf_tokenizer_free(t);
    t = load("digits", 4000);
    assert_int_equal(mdf_tokenizer_special(t, "<|image|>"), 4000);
    assert_int_equal(mdf_tokenizer_size(t), 4001);
    mdf_tokenizer_free(t);
}

static void bytes_are_a_tokenizer_too(void **state)
{
    (void)state;
    mdf_tokenizer *t = NULL;
    int32_t id[32];
    size_t count = 0;
    mdf_strbuf out = mdf_strbuf_new(100);
    assert_int_equal(mdf_tokenizer_new_bytes(&t, 264, NULL), MDF_OK);
    assert_int_equal(
        mdf_tokenizer_encode(t, "a\xFF<|image|>", 11, MDF_ENCODE_SPECIALS, id, 32, &count, NULL),
        MDF_OK);
    assert_int_equal(count, 3);
    assert_true(id[0] == 'a' && id[1] == 255 && id[2] == 264);
    assert_int_equal(
        mdf_tokenizer_encode(t, "<|image|>", 9, MDF_ENCODE_PLAIN, id, 32, &count, NULL), MDF_OK);
    assert_true(count == 9 && id[0] == '<');
    id[0] = 259;
    assert_int_equal(mdf_tokenizer_decode(t, id, 2, false, &out, NULL), MDF_OK);
    assert_string_equal(out.data, "|");
    mdf_strbuf_free(&out);
    assert_int_equal(mdf_tokenizer_most(t, 7), 7);
    mdf_tokenizer_free(t);
}

static void errors_of_a_call_say_what_is_wrong(void **state)
{
    (void)state;
    mdf_tokenizer *t = load("llama3", -1);
    int32_t id[4] = {-7, -7, -7, -7};
    size_t count = 9;
    mdf_error err = {0};
    mdf_strbuf out = mdf_strbuf_new(100);
    assert_int_equal(mdf_tokenizer_encode(t, "x y z w", 7, 0, id, 3, &count, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "the text has more than 3 tokens");
    assert_true(count == 0 && id[3] == -7);
    assert_int_equal(
        mdf_tokenizer_encode(t, NULL, MDF_MAX_ENCODE_BYTES + 1, 0, id, 3, &count, &err),
        MDF_ERR_LIMIT);
    static const int32_t none[] = {-1, 700, INT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        char want[64];
        (void)snprintf(want, sizeof want, "no token has the id %d", (int)none[i]);
        assert_int_equal(mdf_tokenizer_decode(t, &none[i], 1, true, &out, &err), MDF_ERR_ARG);
        assert_string_equal(err.text, want);
    }
    mdf_strbuf_free(&out);
    mdf_tokenizer_free(t);
}

/* Quadratic merging would take minutes. */
static void a_long_run_of_one_letter_takes_no_time(void **state)
{
    (void)state;
    enum { LONG = 300000 };
    mdf_tokenizer *t = load("llama3", -1);
    char *text = malloc(LONG);
    int32_t *id = malloc(LONG * sizeof *id);
    size_t count = 0;
    size_t bytes = 0;
    memset(text, 'e', LONG);
    assert_int_equal(mdf_tokenizer_encode(t, text, LONG, 0, id, LONG, &count, NULL), MDF_OK);
    mdf_strbuf out = mdf_strbuf_new(LONG);
    assert_int_equal(mdf_tokenizer_decode(t, id, count, true, &out, NULL), MDF_OK);
    bytes = out.len;
    assert_int_equal(bytes, LONG);
    assert_memory_equal(out.data, text, LONG);
    mdf_strbuf_free(&out);
    memset(text, ' ', LONG);
    assert_int_equal(mdf_tokenizer_encode(t, text, LONG, 0, id, LONG, &count, NULL), MDF_OK);
    free(text);
    free(id);
    mdf_tokenizer_free(t);
}

/* Files that are read, but make no tokenizer. */
static void expect_new(const mdf_tokenizer_spec *s, const char *want)
{
    mdf_tokenizer *t = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_tokenizer_new(&t, s, -1, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, want);
    assert_null(t);
}

#define VIEW(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static void a_spec_that_does_not_fit_together_is_refused(void **state)
{
    (void)state;
    const mdf_text_view token[] = {VIEW("a"), VIEW("b"), VIEW("ab"), VIEW("<s>")};
    const mdf_text_view twice[] = {VIEW("a"), VIEW("a")};
    const mdf_merge_view lost[] = {{VIEW("a"), VIEW("b")}, {VIEW("b"), VIEW("a")}};
    const mdf_merge_view none[] = {{VIEW("x"), VIEW("b")}};
    const mdf_merge_view nothing[] = {{VIEW("a"), VIEW(" ")}};
    const mdf_added_token wrong[] = {{VIEW("<x>"), 3, true, false}};
    const mdf_added_token other[] = {{VIEW("ab"), 4, true, false}};
    const mdf_added_token gap[] = {{VIEW("<x>"), 7, true, false}};
    const mdf_added_token both[] = {{VIEW("<s>"), 3, true, false}, {VIEW("<s>"), 3, true, false}};
    const mdf_added_token hides[] = {{VIEW("ab"), 2, true, false}};
    mdf_tokenizer_spec s = {.token = token, .token_count = 4};
    s.merge = lost;
    s.merge_count = 2;
    expect_new(&s, "model.merges: merge 1, \"b\" and \"a\": what they make is not a token of the "
                   "vocabulary");
    s.merge_count = 1;
    s.added = hides; /* text must not become a special token */
    s.added_count = 1;
    expect_new(&s, "model.merges: merge 0, \"a\" and \"b\": what they make is not a token of the "
                   "vocabulary");
    s.added_count = 0;
    s.merge = none;
    expect_new(&s, "model.merges: merge 0, \"x\" and \"b\": the first is not a token of the "
                   "vocabulary");
    s.merge = nothing;
    expect_new(&s, "model.merges: merge 0, \"a\" and \" \": the second is not a token of the "
                   "vocabulary");
    s.merge_count = 0;
    s.added = wrong;
    s.added_count = 1;
    expect_new(&s, "added_tokens: \"<x>\" has the id 3, which is \"<s>\" in the vocabulary");
    s.added = other;
    expect_new(&s, "added_tokens: \"ab\" has the id 4, but 2 in the vocabulary");
    s.added = gap;
    expect_new(&s, "added_tokens: \"<x>\" has the id 7, but the next free one is 4");
    s.added = both;
    s.added_count = 2;
    expect_new(&s, "added_tokens: \"<s>\" is there twice");
    s.added_count = 0;
    s.has_unknown = true;
    expect_new(&s, "model.unk_token is set and byte 0 has no token, which is not supported");
    s.has_unknown = false;
    s.before[0] = 4;
    s.before_count = 1;
    expect_new(&s, "post_processor has an id that is no token's");
    s.token = twice;
    s.token_count = 2;
    expect_new(&s, "model.vocab: token \"a\" is there twice");
}

/* The vocabulary of a file as a GGUF file has it. */
static mdf_tokenizer *from_arrays(const char *name, const char *pre)
{
    char path[512];
    uint8_t *data = NULL;
    size_t len = 0;
    mdf_tokenizer_spec s;
    mdf_tokenizer *t = NULL;
    (void)snprintf(path, sizeof path, GOLDEN "%s.json", name);
    assert_int_equal(mdf_file_read(path, 1 << 20, &data, &len, NULL), MDF_OK);
    assert_int_equal(mdf_tokenizer_json_parse(&s, data, len, NULL), MDF_OK);
    const size_t count = s.token_count + s.added_count;
    mdf_text_view *token = calloc(count, sizeof *token);
    int32_t *type = calloc(count, sizeof *type);
    mdf_text_view *merge = calloc(s.merge_count, sizeof *merge);
    char *texts = calloc(s.merge_count, 128);
    for (size_t i = 0; i < count; i++) {
        token[i] = i < s.token_count ? s.token[i] : s.added[i - s.token_count].content;
        type[i] = i < s.token_count ? MDF_GGUF_TOKEN_NORMAL : MDF_GGUF_TOKEN_CONTROL;
    }
    for (size_t i = 0; i < s.merge_count; i++) {
        const mdf_merge_view m = s.merge[i];
        const int n = snprintf(texts + 128 * i, 128, "%.*s %.*s", (int)m.left.len, m.left.text,
                               (int)m.right.len, m.right.text);
        merge[i] = (mdf_text_view){texts + 128 * i, (size_t)n};
    }
    const mdf_tokenizer_arrays a = {.token = token,
                                    .type = type,
                                    .token_count = count,
                                    .merge = merge,
                                    .merge_count = s.merge_count,
                                    .pre = pre,
                                    .begin_token = (int32_t)s.token_count};
    assert_int_equal(mdf_tokenizer_from_arrays(&t, &a, -1, NULL), MDF_OK);
    free(token);
    free(type);
    free(merge);
    free(texts);
    mdf_tokenizer_spec_free(&s);
    mdf_free(data);
    return t;
}

static void the_arrays_of_a_gguf_file_make_the_same_tokenizer(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"llama3", "llama-bpe"}, {"digits", "smollm"}};
    for (size_t k = 0; k < 2; k++) {
        const json_t *cases = json_object_get(expected, names[k][0]);
        mdf_tokenizer *t = from_arrays(names[k][0], names[k][1]);
        for (size_t i = 0; i < json_array_size(cases); i++) {
            const json_t *c = json_array_get(cases, i);
            check(t, json_string_value(json_array_get(c, 0)),
                  json_string_length(json_array_get(c, 0)), MDF_ENCODE_SPECIALS,
                  json_array_get(c, 1));
        }
        mdf_tokenizer_free(t);
    }
    const mdf_text_view token[] = {VIEW("a")};
    const mdf_text_view merge[] = {VIEW("ab")};
    mdf_tokenizer_arrays a = {.token = token, .token_count = 1, .pre = "tekken", .begin_token = -1};
    mdf_tokenizer *t = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_tokenizer_from_arrays(&t, &a, -1, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "tokenizer.ggml.pre: \"tekken\" is not supported");
    a.pre = NULL;
    a.merge = merge;
    a.merge_count = 1;
    assert_int_equal(mdf_tokenizer_from_arrays(&t, &a, -1, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "tokenizer.ggml.merges: merge 0, \"ab\", is not two tokens with "
                                  "one blank between them");
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    size_t len = 0;
    mdf_tokenizer_spec s;
    assert_int_equal(mdf_file_read(GOLDEN "llama3.json", 1 << 20, &data, &len, NULL), MDF_OK);
    assert_int_equal(mdf_tokenizer_json_parse(&s, data, len, NULL), MDF_OK);
    mdf_status status = MDF_ERR_NOMEM;
    mdf_tokenizer *t = NULL;
    long n = 0;
    while (status != MDF_OK) {
        mdf_alloc_fail_after(++n);
        status = mdf_tokenizer_new(&t, &s, -1, NULL);
        mdf_alloc_fail_after(0);
        assert_true((status == MDF_OK) == (t != NULL));
        assert_true(status == MDF_OK || status == MDF_ERR_NOMEM);
    }
    assert_true(n > 8);
    static const char text[] =
        "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\xFF";
    status = MDF_ERR_NOMEM;
    n = 0;
    while (status != MDF_OK) {
        int32_t id[256];
        size_t count = 0;
        mdf_alloc_fail_after(++n);
        status = mdf_tokenizer_encode(t, text, sizeof text - 1, 0, id, 256, &count, NULL);
        mdf_alloc_fail_after(0);
        assert_true(status == MDF_OK || (status == MDF_ERR_NOMEM && count == 0));
    }
    assert_true(n > 2);
    mdf_tokenizer_free(t);
    mdf_tokenizer_spec_free(&s);
    mdf_free(data);
}

static void *encode_often(void *user)
{
    static const char text[] = "the optic disc 1234 \xC3\xA9<|eot_id|> shows drusen";
    int32_t first[64];
    size_t first_count = 0;
    size_t wrong = 0;
    for (int i = 0; i < 200; i++) {
        int32_t id[64];
        size_t count = 0;
        wrong += mdf_tokenizer_encode(user, text, sizeof text - 1, MDF_ENCODE_SPECIALS, id, 64,
                                      &count, NULL) != MDF_OK;
        if (i == 0) {
            memcpy(first, id, sizeof first);
            first_count = count;
        }
        wrong += count != first_count || memcmp(first, id, count * sizeof *id) != 0;
    }
    return wrong == 0 ? user : NULL;
}

static void threads_may_share_one(void **state)
{
    (void)state;
    mdf_tokenizer *t = load("llama3", -1);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, encode_often, t), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(thread[i], &result), 0);
        assert_ptr_equal(result, t);
    }
    mdf_tokenizer_free(t);
}

/* The real vocabulary is not ours to keep here: MDF_LLAMA3_TOKENIZER names its tokenizer.json. */
static void the_real_vocabulary_gives_the_known_ids(void **state)
{
    (void)state;
    const char *path = getenv("MDF_LLAMA3_TOKENIZER");
    static const int32_t want[] = {75885, 420,   2217, 304,    1403, 23719, 128256,
                                   3475,  11914, 262,  128256, 564,  198};
    static const char text[] =
        "Describe this image in two sentences<|image|> Test sentence   <|image|>ok\n";
    mdf_tokenizer *t = NULL;
    int32_t id[32];
    size_t count = 0;
    if (path == NULL) {
        skip();
    }
    assert_int_equal(mdf_tokenizer_load(&t, path, 128256, NULL), MDF_OK);
    assert_int_equal(
        mdf_tokenizer_encode(t, text, sizeof text - 1, MDF_ENCODE_SPECIALS, id, 32, &count, NULL),
        MDF_OK);
    assert_int_equal(count, sizeof want / sizeof want[0]);
    assert_memory_equal(id, want, sizeof want);
    mdf_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_those_of_hugging_face),
        cmocka_unit_test(what_is_not_utf8_is_repaired_as_python_does),
        cmocka_unit_test(prompts_and_labels_are_encoded_as_one_text),
        cmocka_unit_test(labels_with_the_same_tokens_are_refused),
        cmocka_unit_test(the_image_token_has_the_models_id),
        cmocka_unit_test(bytes_are_a_tokenizer_too),
        cmocka_unit_test(errors_of_a_call_say_what_is_wrong),
        cmocka_unit_test(a_long_run_of_one_letter_takes_no_time),
        cmocka_unit_test(a_spec_that_does_not_fit_together_is_refused),
        cmocka_unit_test(the_arrays_of_a_gguf_file_make_the_same_tokenizer),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(threads_may_share_one),
        cmocka_unit_test(the_real_vocabulary_gives_the_known_ids),
    };
    return cmocka_run_group_tests(tests, read_expected, free_expected);
}
