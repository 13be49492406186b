/* Chats against what transformers renders (tests/golden/chat), and where templates are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "language/chat.h"
#include "support/folder.h"

#define GOLDEN MDF_TEST_DATA "/golden/"

static char *read_text(const char *name)
{
    char path[512];
    uint8_t *data = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof path, GOLDEN "chat/%s", name);
    assert_int_equal(mdf_file_read(path, 1 << 20, &data, &len, NULL), MDF_OK);
    return (char *)data;
}

static mdf_chat *chat_of(const char *text)
{
    mdf_chat *c = NULL;
    mdf_error err = {0};
    if (mdf_chat_new(&c, "T", text, strlen(text), false, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    return c;
}

static mdf_chat *template_of(const char *name)
{
    char file[64];
    (void)snprintf(file, sizeof file, "%s.jinja", name);
    char *text = read_text(file);
    mdf_chat *c = chat_of(text);
    mdf_free(text);
    return c;
}

enum { MOST = 8 };

static void check_case(const json_t *row)
{
    const char *name = json_string_value(json_array_get(row, 0));
    const json_t *list = json_array_get(row, 1);
    const char *want = json_string_value(json_array_get(row, 4));
    mdf_chat_part part[MOST][MOST];
    mdf_chat_message message[MOST];
    const size_t count = json_array_size(list);
    mdf_chat *c = template_of(name);
    mdf_error err = {0};
    for (size_t i = 0; i < count; i++) {
        const json_t *parts = json_array_get(json_array_get(list, i), 1);
        for (size_t j = 0; j < json_array_size(parts); j++) {
            part[i][j].text = json_string_value(json_array_get(parts, j));
        }
        message[i] =
            (mdf_chat_message){json_string_value(json_array_get(json_array_get(list, i), 0)),
                               part[i], json_array_size(parts)};
    }
    /* All of them were rendered on one day. */
    assert_string_equal(json_string_value(json_array_get(row, 3)), "26 Jul 2024");
    const struct tm now = {.tm_year = 124, .tm_mon = 6, .tm_mday = 26};
    const mdf_chat_options options = {&now, json_is_true(json_array_get(row, 2))};
    mdf_strbuf out = mdf_strbuf_new(MDF_MAX_CHAT_BYTES);
    const mdf_status status = mdf_chat_render(c, NULL, message, count, &options, &out, &err);
    if (want == NULL) {
        assert_int_equal(status, MDF_ERR_ARG);
        assert_non_null(strstr(err.text, ": the template refuses: Prompting with images is "
                                         "incompatible with system messages."));
    } else {
        assert_int_equal(status, MDF_OK);
        assert_string_equal(out.data, want);
    }
    mdf_strbuf_free(&out);
    mdf_chat_free(c);
}

static void chats_are_rendered_as_transformers_does(void **state)
{
    (void)state;
    char *text = read_text("chats.json");
    json_t *rows = json_loads(text, 0, NULL);
    int refused = 0;
    assert_true(json_array_size(rows) == 240);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        check_case(json_array_get(rows, i));
        refused += json_is_null(json_array_get(json_array_get(rows, i), 4)) ? 1 : 0;
    }
    assert_true(refused > 3);
    json_decref(rows);
    mdf_free(text);
}

/* One user's message; the text is the caller's to free, NULL on failure. */
static char *render_one(const mdf_chat *c, const mdf_tokenizer *t, const char *words, bool picture,
                        mdf_error *err)
{
    const mdf_chat_part part[] = {{NULL}, {words}};
    const mdf_chat_message message = {"user", picture ? part : part + 1, picture ? 2 : 1};
    mdf_strbuf out = mdf_strbuf_new(1000);
    if (mdf_chat_render(c, t, &message, 1, &(mdf_chat_options){.ask = true}, &out, err) != MDF_OK) {
        mdf_strbuf_free(&out);
    }
    return out.data;
}

static void any_template_does(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{% for m in messages %}[{{ m.role }}|{{ m.content }}]{% endfor %}", "[user|x]"},
        /* It takes lists only: a string would be lost. */
        {"{% for m in messages %}{% for p in m.content %}{{ p.type }}:{{ p.text }}{% endfor %}{% "
         "endfor %}",
         "text:x"},
        {"{{ bos_token }}{{ eos_token }}{{ tools is none }}{{ messages | length }}",
         "<|begin_of_text|>True1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mdf_chat *c = chat_of(cases[i][0]);
        char *text = render_one(c, NULL, "x", false, NULL);
        assert_string_equal(text, cases[i][1]);
        mdf_free(text);
        mdf_chat_free(c);
    }
}

static void what_can_not_be_rendered_is_refused(void **state)
{
    (void)state;
    mdf_error err = {0};
    mdf_chat *c = NULL;
    assert_int_equal(mdf_chat_new(&c, "T", "{{ x | nope }}", 14, false, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "T: line 1: filter 'nope' is not known");
    assert_null(c);
    c = chat_of("{{ raise_exception('no') }}");
    assert_null(render_one(c, NULL, "x", false, &err));
    assert_string_equal(err.text, "T: line 1: the template refuses: no");
    mdf_strbuf out = mdf_strbuf_new(10);
    assert_int_equal(mdf_chat_render(c, NULL, NULL, 0, &(mdf_chat_options){0}, &out, &err),
                     MDF_ERR_ARG);
    assert_string_equal(err.text, "the chat has no message");
    mdf_chat_free(c);
    c = chat_of("{{ messages }}");
    const mdf_chat_part part = {"x"};
    const mdf_chat_message message = {"user", &part, 1};
    assert_int_equal(mdf_chat_render(c, NULL, &message, 1, &(mdf_chat_options){0}, &out, &err),
                     MDF_ERR_LIMIT);
    assert_string_equal(err.text, "T: line 1: the text is longer than the limit of 10 bytes");
    mdf_strbuf_free(&out);
    mdf_chat_free(c);
}

/* The ids of one user's message by the simple template. */
static size_t encode_one(const mdf_tokenizer *t, const char *words, int32_t id[400])
{
    mdf_chat *c = template_of("simple");
    const mdf_chat_part part[] = {{NULL}, {words}};
    const mdf_chat_message message = {"user", part, 2};
    mdf_strbuf out = mdf_strbuf_new(1000);
    size_t count = 0;
    assert_int_equal(
        mdf_chat_render(c, t, &message, 1, &(mdf_chat_options){.ask = true}, &out, NULL), MDF_OK);
    assert_int_equal(mdf_chat_encode(t, &out, id, 400, &count, NULL), MDF_OK);
    size_t less = 7;
    assert_int_equal(mdf_chat_encode(t, &out, id, count - 1, &less, NULL), MDF_ERR_LIMIT);
    assert_int_equal(less, 0);
    mdf_strbuf_free(&out);
    mdf_chat_free(c);
    return count;
}

static void a_users_text_makes_no_special_token(void **state)
{
    (void)state;
    static const char words[] = "<|eot_id|><|image|><|start_header_id|>";
    mdf_tokenizer *t = NULL;
    int32_t id[400];
    assert_int_equal(mdf_tokenizer_load(&t, GOLDEN "tokenizer/llama3.json", -1, NULL), MDF_OK);
    const size_t count = encode_one(t, words, id);
    const int32_t first = mdf_tokenizer_special(t, "<|begin_of_text|>");
    int specials = 0;
    for (size_t i = 0; i < count; i++) {
        specials += id[i] >= first ? 1 : 0;
    }
    assert_int_equal(specials, 7); /* begin, 2 x 2 of headers, picture, end */
    /* And the text is as it was. */
    mdf_strbuf text = mdf_strbuf_new(1000);
    assert_int_equal(mdf_tokenizer_decode(t, id, count, true, &text, NULL), MDF_OK);
    assert_non_null(strstr(text.data, words));
    mdf_strbuf_free(&text);
    mdf_tokenizer_free(t);
}

static void a_text_that_can_not_be_kept_apart_is_refused(void **state)
{
    (void)state;
    mdf_tokenizer *t = NULL;
    mdf_error err = {0};
    mdf_chat *c = template_of("simple");
    assert_int_equal(mdf_tokenizer_load(&t, GOLDEN "tokenizer/llama3.json", -1, NULL), MDF_OK);
    assert_null(render_one(c, t, "<|eot_id|>" MDF_SHIELD, false, &err));
    assert_string_equal(err.text,
                        "the text has the name of a special token that can't be kept as text");
    char *text = render_one(c, t, MDF_SHIELD, false, NULL);
    assert_non_null(text);
    mdf_free(text);
    mdf_chat_free(c);
    mdf_tokenizer_free(t);
}

static void expect_plain(const char *text, const char *want)
{
    mdf_marked m = mdf_marked_new(1000);
    assert_int_equal(mdf_chat_plain(&m, text, NULL), MDF_OK);
    assert_string_equal(m.text.data, want);
    mdf_marked_free(&m);
}

/* The processor's own examples (transformers, test_processor_mllama.py). */
static void the_first_token_is_never_there_twice(void **state)
{
    (void)state;
    expect_plain("<|image|>If I had to", "<|image|><|begin_of_text|>If I had to");
    expect_plain("If I had to", "<|begin_of_text|>If I had to");
    expect_plain("<|image|><|image|>a <|image|>", "<|image|><|image|><|begin_of_text|>a <|image|>");
    expect_plain("<|begin_of_text|><|image|>a", "<|begin_of_text|><|image|>a");
    expect_plain("", "<|begin_of_text|>");
}

/* What the template in a JSON file makes of "x"; NULL: there is none. */
static char *render_json(const char *json)
{
    mdf_chat *c = NULL;
    char *text = NULL;
    assert_int_equal(mdf_chat_new(&c, "T", json, strlen(json), true, NULL), MDF_OK);
    if (c != NULL) {
        text = render_one(c, NULL, "x", false, NULL);
    }
    mdf_chat_free(c);
    return text;
}

static void a_template_is_found_in_json(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{\"bos_token\": \"x\"}", NULL},
        {"{\"chat_template\": null}", NULL},
        {"{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"x\"}]}", NULL},
        {"{\"chat_template\": [{\"name\": \"a\", \"template\": \"a\"}, {\"name\": \"default\", "
         "\"template\": \"b{{ eos_token }}\"}], \"eos_token\": \"E\"}",
         "bE"},
        {"{\"chat_template\": \"{{ bos_token }}{{ pad_token }}\", \"bos_token\": {\"content\": "
         "\"B\"}, "
         "\"pad_token\": null}",
         "B"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = render_json(cases[i].json);
        if (cases[i].want == NULL) {
            assert_null(text);
        } else {
            assert_string_equal(text, cases[i].want);
        }
        mdf_free(text);
    }
    mdf_chat *c = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_chat_new(&c, "T", "[", 1, true, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "T: not valid JSON"));
}

static void expect_folder(const test_folder *f, const char *file, const char *want)
{
    mdf_chat *c = NULL;
    mdf_error err = {0};
    if (mdf_chat_load(&c, f->path, file, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    if (want == NULL) {
        assert_null(c);
        return;
    }
    char *text = render_one(c, NULL, "x", false, NULL);
    assert_string_equal(text, want);
    mdf_free(text);
    mdf_chat_free(c);
}

static void a_folder_has_its_template_in_one_of_three_files(void **state)
{
    (void)state;
    test_folder f;
    char path[256];
    mdf_chat *c = NULL;
    mdf_error err = {0};
    test_folder_make(&f);
    expect_folder(&f, NULL, NULL);
    test_put(&f, "special_tokens_map.json", "{\"bos_token\": \"M\", \"eos_token\": \"E\"}");
    test_put(&f, "tokenizer_config.json",
             "{\"chat_template\": \"config{{ bos_token }}{{ eos_token }}\", \"bos_token\": \"C\"}");
    expect_folder(&f, NULL, "configCE");
    test_put(&f, "chat_template.json", "{\"chat_template\": \"json{{ bos_token }}\"}");
    expect_folder(&f, NULL, "jsonC");
    test_put(&f, "chat_template.jinja", "jinja{{ eos_token }}\n");
    expect_folder(&f, NULL, "jinjaE");
    (void)snprintf(path, sizeof path, "%s/chat_template.json", f.path);
    expect_folder(&f, path, "jsonC");
    (void)snprintf(path, sizeof path, "%s/special_tokens_map.json", f.path);
    assert_int_equal(mdf_chat_load(&c, f.path, path, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "special_tokens_map.json: it has no chat_template"));
    test_put(&f, "special_tokens_map.json", "[");
    assert_int_equal(mdf_chat_load(&c, f.path, NULL, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "special_tokens_map.json: not valid JSON"));
    assert_null(c);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chats_are_rendered_as_transformers_does),
        cmocka_unit_test(any_template_does),
        cmocka_unit_test(what_can_not_be_rendered_is_refused),
        cmocka_unit_test(a_users_text_makes_no_special_token),
        cmocka_unit_test(a_text_that_can_not_be_kept_apart_is_refused),
        cmocka_unit_test(the_first_token_is_never_there_twice),
        cmocka_unit_test(a_template_is_found_in_json),
        cmocka_unit_test(a_folder_has_its_template_in_one_of_three_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
