/* tokenizer.json: what is read, and a sentence for everything that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "language/tokenizer_json.h"

/* The parts of a small file; a test changes one. */
enum { ADDED, NORMALIZER, PRE, POST, DECODER, MODEL, VOCAB, MERGES, PARTS };

#define TEMPLATE                                                                                   \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},"            \
    "{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"ids\":[3]}}}"

static const char *const usual[PARTS] = {
    [ADDED] = "{\"id\":3,\"content\":\"<s>\",\"special\":true,\"normalized\":false}",
    [NORMALIZER] = "null",
    [PRE] = "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}",
    [POST] = TEMPLATE,
    [DECODER] = "{\"type\":\"ByteLevel\"}",
    [MODEL] = "\"type\":\"BPE\",\"dropout\":null,\"ignore_merges\":true",
    [VOCAB] = "{\"a\":0,\"b\":1,\"ab\":2}",
    [MERGES] = "[\"a b\"]"};

static char text[8192];

static size_t build(int part, const char *with)
{
    const char *p[PARTS];
    memcpy(p, usual, sizeof p);
    if (part >= 0) {
        p[part] = with;
    }
    const int n = snprintf(text, sizeof text,
                           "{\"version\":\"1.0\",\"added_tokens\":[%s],\"normalizer\":%s,"
                           "\"pre_tokenizer\":%s,\"post_processor\":%s,\"decoder\":%s,"
                           "\"model\":{%s,\"vocab\":%s, \"merges\" : %s}}",
                           p[ADDED], p[NORMALIZER], p[PRE], p[POST], p[DECODER], p[MODEL], p[VOCAB],
                           p[MERGES]);
    return (size_t)n;
}

/* The bytes lie in a block of their own, so that AddressSanitizer sees a read behind them. */
static mdf_status parse(mdf_tokenizer_spec *s, const char *bytes, size_t len, uint8_t **copy,
                        mdf_error *err)
{
    *copy = malloc(len == 0 ? 1 : len);
    memcpy(*copy, bytes, len);
    return mdf_tokenizer_json_parse(s, *copy, len, err);
}

static void expect_error(int part, const char *with, mdf_status code, const char *want)
{
    mdf_tokenizer_spec s;
    uint8_t *copy = NULL;
    mdf_error err = {0};
    const size_t len = build(part, with);
    assert_int_equal(parse(&s, text, len, &copy, &err), code);
    assert_string_equal(err.text, want);
    assert_true(s.token == NULL && s.added == NULL);
    free(copy);
}

static void expect_view(mdf_text_view v, const char *want)
{
    assert_int_equal(v.len, strlen(want));
    assert_memory_equal(v.text, want, v.len);
}

static void a_file_is_read(void **state)
{
    (void)state;
    mdf_tokenizer_spec s;
    uint8_t *copy = NULL;
    assert_int_equal(parse(&s, text, build(-1, NULL), &copy, NULL), MDF_OK);
    assert_int_equal(s.token_count, 3);
    expect_view(s.token[2], "ab");
    assert_int_equal(s.merge_count, 1);
    expect_view(s.merge[0].left, "a");
    expect_view(s.merge[0].right, "b");
    assert_int_equal(s.added_count, 1);
    expect_view(s.added[0].content, "<s>");
    assert_true(s.added[0].special && !s.added[0].normalized && s.added[0].id == 3);
    assert_true(s.ignore_merges && s.pre_count == 1 && s.pre[0].use_regex);
    assert_true(s.before_count == 1 && s.before[0] == 3 && s.after_count == 0);
    mdf_tokenizer_spec_free(&s);
    free(copy);
    assert_int_equal(parse(&s, text,
                           build(MERGES, "[ [\"a\" , \"b\"] , [\"\\u0061\",\"\\ud83d\\ude00\"] ]"),
                           &copy, NULL),
                     MDF_OK);
    assert_int_equal(s.merge_count, 2);
    expect_view(s.merge[1].left, "a");
    expect_view(s.merge[1].right, "\xF0\x9F\x98\x80");
    mdf_tokenizer_spec_free(&s);
    free(copy);
    assert_int_equal(
        parse(&s, text, build(VOCAB, "{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":5,\"a\":0}"), &copy, NULL),
        MDF_OK);
    assert_int_equal(s.token_count, 6); /* with holes */
    expect_view(s.token[5], "\"\\/\b\f\n\r\t");
    assert_null(s.token[3].text);
    mdf_tokenizer_spec_free(&s);
    free(copy);
}

static void normal_forms_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        mdf_normal_form form;
    } want[] = {
        {"null", MDF_NORMAL_NONE},
        {"{\"type\":\"NFC\"}", MDF_NORMAL_NFC},
        {"{\"type\":\"NFKD\"}", MDF_NORMAL_NFKD},
        {"{\"type\":\"Sequence\",\"normalizers\":[]}", MDF_NORMAL_NONE},
        {"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":\"NFC\"}]}",
         MDF_NORMAL_NFKC},
        {"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"NFD\"}]}",
         MDF_NORMAL_NFD},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        mdf_tokenizer_spec s;
        uint8_t *copy = NULL;
        assert_int_equal(parse(&s, text, build(NORMALIZER, want[i].json), &copy, NULL), MDF_OK);
        assert_int_equal(s.form, want[i].form);
        mdf_tokenizer_spec_free(&s);
        free(copy);
    }
}

static void what_is_not_known_is_named(void **state)
{
    (void)state;
    const mdf_status f = MDF_ERR_FORMAT;
    expect_error(NORMALIZER, "{\"type\":\"Lowercase\"}", f,
                 "normalizer: \"Lowercase\" is not supported");
    expect_error(
        NORMALIZER,
        "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Strip\"}]}", f,
        "normalizer: \"Strip\" is not supported");
    expect_error(NORMALIZER, "{\"type\":\"Sequence\"}", f, "normalizer has no list of normalizers");
    expect_error(NORMALIZER, "[]", f, "normalizer: \"\" is not supported");
    expect_error(DECODER, "{\"type\":\"Metaspace\"}", f, "decoder: \"Metaspace\" is not supported");
    expect_error(MODEL, "\"type\":\"Unigram\"", f, "model.type: \"Unigram\" is not supported");
    expect_error(MODEL, "\"byte_fallback\":true", f,
                 "model.byte_fallback is set, which is not supported");
    expect_error(MODEL, "\"continuing_subword_prefix\":\"##\"", f,
                 "model.continuing_subword_prefix is set, which is not supported");
    expect_error(MODEL, "\"dropout\":0.1", f, "model.dropout is set, which is not supported");
    expect_error(MODEL, "\"ignore_merges\":1", f, "model.ignore_merges must be true or false");
    expect_error(PRE, "{\"type\":\"Metaspace\"}", f,
                 "pre_tokenizer: \"Metaspace\" is not supported");
    expect_error(PRE, "null", f,
                 "pre_tokenizer has no ByteLevel step: only byte-level models can be read");
    expect_error(PRE, "{\"x\":1}", f, "pre_tokenizer has an entry without a type");
    expect_error(PRE,
                 "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},"
                 "{\"type\":\"Digits\"}]}",
                 f, "pre_tokenizer has a step behind ByteLevel, which is not supported");
    expect_error(PRE, "{\"type\":\"Split\",\"pattern\":{\"String\":\"x\"}}", f,
                 "pre_tokenizer: Split has no pattern.Regex");
    expect_error(PRE, "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x\"},\"behavior\":\"Removed\"}",
                 f, "pre_tokenizer: Split.behavior: \"Removed\" is not supported");
    expect_error(PRE,
                 "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x\"},\"behavior\":\"Isolated\","
                 "\"invert\":true}",
                 f, "pre_tokenizer: Split.invert is set, which is not supported");
    expect_error(POST, "{\"type\":\"RobertaProcessing\"}", f,
                 "post_processor: \"RobertaProcessing\" is not supported");
    expect_error(POST, "{\"type\":\"TemplateProcessing\",\"single\":[]}", f,
                 "post_processor has a template without a text");
    expect_error(POST,
                 "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],"
                 "\"special_tokens\":{}}",
                 f, "post_processor names a special token without ids");
    expect_error(POST,
                 "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],"
                 "\"special_tokens\":{\"x\":{\"ids\":[-1]}}}",
                 f, "post_processor has an id that is no token's");
    expect_error(POST,
                 "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],"
                 "\"special_tokens\":{\"x\":{\"ids\":[1,1,1,1,1]}}}",
                 f, "post_processor puts more than 4 tokens on one side of a text");
    expect_error(POST, "{\"type\":\"TemplateProcessing\",\"single\":[{\"Other\":1}]}", f,
                 "post_processor has a template that is not supported");
    expect_error(ADDED, "{\"id\":3}", f, "added_tokens has an entry without content or id");
    expect_error(ADDED, "{\"id\":3,\"content\":\"x\",\"lstrip\":true}", f,
                 "added_tokens: lstrip of \"x\" is set, which is not supported");
    expect_error(ADDED, "{\"id\":-1,\"content\":\"x\"}", MDF_ERR_LIMIT,
                 "added_tokens: the id of \"x\" is out of range");
    expect_error(ADDED, "{\"id\":1,\"content\":\"\"}", MDF_ERR_LIMIT,
                 "added_tokens: \"\" has 0 bytes; 1 to 1024 are possible");
}

static void broken_lists_are_named(void **state)
{
    (void)state;
    const mdf_status f = MDF_ERR_FORMAT;
    expect_error(VOCAB, "{\"a\":0,\"b\":0}", f, "model.vocab: id 0 is that of \"a\" and of \"b\"");
    expect_error(VOCAB, "{\"a\":99999999999999999999999}", MDF_ERR_LIMIT,
                 "model.vocab: id 99999999999999999999 is above the limit of 1048575");
    expect_error(VOCAB, "7", f, "model.vocab is not there");
    expect_error(MERGES, "null", f, "model.merges is not there");
    expect_error(MERGES, "[\"a b c\"]", f,
                 "model.merges: merge 0, \"a b c\", is not two tokens with one blank between them");
    expect_error(MERGES, "[\"a b\",\"ab\"]", f,
                 "model.merges: merge 1, \"ab\", is not two tokens with one blank between them");
    static const struct {
        int part;
        const char *with, *error;
    } cases[] = {
        {VOCAB, "{\"a\":-1}", "a token's id must be a whole number"},
        {VOCAB, "{\"a\":01}", "a token's id must be a whole number"},
        {VOCAB, "{\"a\":\"0\"}", "a token's id must be a whole number"},
        {VOCAB, "{\"a\" 0}", "model.vocab: expected a colon"},
        {VOCAB, "{\"a\":0 \"b\":1}", "model.vocab: expected a comma or the end of the vocabulary"},
        {VOCAB, "{\"a\":0,}", "expected a string"},
        {VOCAB, "{\"\\x\":0}", "an escape that JSON does not know"},
        {VOCAB, "{\"\\ud800\":0}", "an escape that JSON does not know"},
        {VOCAB, "{\"\\u12g4\":0}", "an escape that JSON does not know"},
        {VOCAB, "{\"\n\":0}", "a control character in a string"},
        {VOCAB, "{\"\\n\n\":0}", "a control character in a string"},
        {MERGES, "[7]", "model.merges: expected \"a b\" or [\"a\", \"b\"]"},
        {MERGES, "[[\"a\"]]", "model.merges: a merge has two tokens"},
        {MERGES, "[[\"a\",\"b\",\"c\"]]", "model.merges: a merge has two tokens"},
        {MERGES, "[\"a b\" \"a b\"]", "model.merges: expected a comma or the end of the list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mdf_tokenizer_spec s;
        uint8_t *copy = NULL;
        mdf_error err = {0};
        const size_t len = build(cases[i].part, cases[i].with);
        assert_int_equal(parse(&s, text, len, &copy, &err), MDF_ERR_FORMAT);
        const char *behind = strstr(err.text, ": ");
        assert_non_null(behind);
        assert_memory_equal(err.text, "byte ", 5);
        assert_string_equal(behind + 2, cases[i].error);
        assert_true(err.offset > 100 && err.offset <= len);
        free(copy);
    }
    char name[MDF_MAX_TOKEN_BYTES + 32];
    (void)snprintf(name, sizeof name, "{\"%0*d\":0}", MDF_MAX_TOKEN_BYTES, 0);
    mdf_tokenizer_spec s;
    uint8_t *copy = NULL;
    assert_int_equal(parse(&s, text, build(VOCAB, name), &copy, NULL), MDF_OK);
    mdf_tokenizer_spec_free(&s);
    free(copy);
    (void)snprintf(name, sizeof name, "{\"%0*d\":0}", MDF_MAX_TOKEN_BYTES + 1, 0);
    expect_error(VOCAB, name, MDF_ERR_LIMIT,
                 "model.vocab: token \"00000000000000000000...\" has 1025 bytes, more than the "
                 "limit of 1024");
}

static void every_cut_is_an_error(void **state)
{
    (void)state;
    const size_t len = build(-1, NULL);
    for (size_t n = 0; n < len; n++) {
        mdf_tokenizer_spec s;
        uint8_t *copy = NULL;
        mdf_error err = {0};
        assert_int_equal(parse(&s, text, n, &copy, &err), MDF_ERR_FORMAT);
        assert_true(strlen(err.text) > 10);
        free(copy);
    }
    mdf_tokenizer_spec s;
    uint8_t *copy = NULL;
    mdf_error err = {0};
    text[40] = (char)0xFF;
    assert_int_equal(parse(&s, text, len, &copy, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "byte 40: not UTF-8");
    free(copy);
    assert_int_equal(parse(&s, "[]", 2, &copy, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "the file is not a JSON object");
    free(copy);
    assert_int_equal(parse(&s, "{}", 2, &copy, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "model is not there");
    free(copy);
    assert_int_equal(parse(&s, "{\"model\":{\"vocab\":{},\"merges\":[]}", 34, &copy, &err),
                     MDF_ERR_FORMAT);
    assert_memory_equal(err.text, "byte ", 5);
    assert_non_null(strstr(err.text, "not valid JSON"));
    free(copy);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    const size_t len = build(-1, NULL);
    mdf_status status = MDF_ERR_NOMEM;
    long n = 0;
    while (status == MDF_ERR_NOMEM) {
        mdf_tokenizer_spec s;
        mdf_alloc_fail_after(++n);
        status = mdf_tokenizer_json_parse(&s, (const uint8_t *)text, len, NULL);
        mdf_alloc_fail_after(0);
        mdf_tokenizer_spec_free(&s);
    }
    assert_int_equal(status, MDF_OK);
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(normal_forms_are_read),
        cmocka_unit_test(what_is_not_known_is_named),
        cmocka_unit_test(broken_lists_are_named),
        cmocka_unit_test(every_cut_is_an_error),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
