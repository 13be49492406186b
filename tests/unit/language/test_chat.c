/* Chats against what transformers renders (tests/golden/chat), and which templates are known. */
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

static mdf_chat_template template_of(const char *name)
{
    char file[64];
    mdf_chat_template t = {0};
    mdf_error err = {0};
    (void)snprintf(file, sizeof file, "%s.jinja", name);
    char *text = read_text(file);
    if (mdf_chat_recognise(&t, text, strlen(text), &err) != MDF_OK) {
        fail_msg("%s: %s", name, err.text);
    }
    mdf_free(text);
    return t;
}

static void the_known_templates_are_recognised(void **state)
{
    (void)state;
    const mdf_chat_template simple = template_of("simple");
    const mdf_chat_template full = template_of("full");
    const mdf_chat_template text = template_of("text");
    assert_true(simple.kind == MDF_CHAT_SIMPLE && !simple.trims && simple.images);
    assert_true(full.kind == MDF_CHAT_FULL && !full.trims && full.images);
    assert_true(text.kind == MDF_CHAT_SIMPLE && text.trims && !text.images);
    const mdf_chat_template chatml = template_of("chatml");
    assert_true(chatml.kind == MDF_CHAT_CHATML && !chatml.trims && !chatml.images);
    assert_string_equal(chatml.system, "You answer questions.\nBriefly.");
    assert_string_equal(simple.system, "");
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
    const mdf_chat_template t = template_of(name);
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
    const mdf_chat_options options = {json_string_value(json_array_get(row, 3)),
                                      json_is_true(json_array_get(row, 2))};
    mdf_marked m = mdf_marked_new(MDF_MAX_CHAT_BYTES);
    const mdf_status status = mdf_chat_render(&m, &t, message, count, &options, &err);
    if (want == NULL) {
        assert_int_equal(status, MDF_ERR_ARG);
        assert_string_equal(err.text, "the model takes no system message together with a picture: "
                                      "put the instructions into the user's turn");
    } else {
        assert_int_equal(status, MDF_OK);
        assert_string_equal(m.text.data, want);
    }
    mdf_marked_free(&m);
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

/* A copy of the text with the first `from` replaced. Caller frees. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    char *out = mdf_alloc(strlen(text) + strlen(to) + 1, 1);
    memcpy(out, text, (size_t)(at - text));
    strcpy(out + (at - text), to);
    strcat(out, at + strlen(from));
    return out;
}

static void a_template_that_does_something_else_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *from, *to, *error;
    } cases[] = {
        {"full.jinja", "December 2023", "March 2024",
         "it lacks \"'Cutting Knowledge Date: December 2023\\n'\""},
        {"full.jinja", "%d %b %Y", "%d %B %Y", "it lacks \"strftime_now('%d %b %Y')\""},
        {"full.jinja", "not system_message == \"\"", "true",
         "it lacks \"ifimage_ns.has_imagesandnotsystem_message==''\""},
        {"full.jinja", "content['text'] }}", "content['text'] | trim }}",
         "it has \"content['text']|\""},
        {"full.jinja", "content['text'] }}", "content['text'] | lower }}", "it has \"|\""},
        {"full.jinja", "<|eot_id|>\" }}\n{%- endif %}", "<|eot_id|>\" }}\n{%- endif %}extra",
         "it has text outside of \"{{ }}\""},
        {"full.jinja", "<|end_header_id|>\\n\\n' }}\n  {%- if", "<|end_header_id|>\\n' }}\n {%- if",
         "it lacks \"'<|start_header_id|>'+message['role']+'<|end_header_id|>\\n\\n'\""},
        {"simple.jinja", "{% endfor %}{% if add", "{% endfor %}\n\n{% if add",
         "it has text outside of \"{{ }}\""},
        {"simple.jinja", "loop.index0 == 0", "true", "it lacks \"loop.index0 == 0\""},
        {"simple.jinja", "{{ bos_token }}", "{{ bos_token }}{{ tools }}", "it has \"tools\""},
        {"simple.jinja", "message['content'] }}", "message['content'] | upper }}", "it has \"|\""},
        {"simple.jinja", "bos_token", "'<s>'", "it lacks \"bos_token\""},
        {"simple.jinja", "<|eot_id|>", "<|im_end|>", "it lacks \"<|eot_id|>\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = read_text(cases[i].file);
        char *changed = replaced(text, cases[i].from, cases[i].to);
        char want[256];
        mdf_chat_template t = {.kind = MDF_CHAT_FULL, .trims = true};
        mdf_error err = {0};
        (void)snprintf(want, sizeof want,
                       "chat_template: none of the two that Llama 3.2 Vision has: %s",
                       cases[i].error);
        assert_int_equal(mdf_chat_recognise(&t, changed, strlen(changed), &err), MDF_ERR_FORMAT);
        assert_string_equal(err.text, want);
        assert_true(t.kind == MDF_CHAT_FULL && t.trims); /* untouched */
        mdf_free(changed);
        mdf_free(text);
    }
}

static void chatml_that_does_something_else_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"message[\"content\"] +", "message[\"content\"] | trim +",
         "{{'<|im_start|>'+message['role']+'\\n'+"},
        {"[\"role\"] != \"system\"", "[\"role\"] != \"tool\"",
         "{%ifloop.firstandmessages[0]['role']!='t"},
        {"You answer", "You\\tanswer", "\\tanswer questions.\\nBriefly.<|im_end|>\\"},
        {"You answer", "You\" + x + \"answer", "'+x+'answer questions.\\nBriefly.<|im_"},
        {"assistant", "helper", "{%endfor%}{%ifadd_generation_prompt%}{{'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = read_text("chatml.jinja");
        char *changed = replaced(text, cases[i][0], cases[i][1]);
        mdf_chat_template t = {.kind = MDF_CHAT_FULL};
        mdf_error err = {0};
        assert_int_equal(mdf_chat_recognise(&t, changed, strlen(changed), &err), MDF_ERR_FORMAT);
        assert_non_null(strstr(err.text, "ChatML, but not as SmolLM2 has it: unknown from"));
        if (strstr(err.text, cases[i][2]) == NULL) {
            fail_msg("%zu: %s", i, err.text);
        }
        assert_true(t.kind == MDF_CHAT_FULL); /* untouched */
        mdf_free(changed);
        mdf_free(text);
    }
}

static void white_space_comments_and_quotes_do_not_matter(void **state)
{
    (void)state;
    static const char text[] =
        "{#- as the converter writes it #}\n{%- for message in messages -%}\n"
        "  {%- if loop.index0  ==  0 %}{{- bos_token -}}{% endif %}\n"
        "  {{- \"<|start_header_id|>\" + message[\"role\"] + \"<|end_header_id|>\\n\\n\" -}}\n"
        "  {{- message[\"content\"] -}}{{- \"<|eot_id|>\" -}}\n"
        "{%- endfor %}\n{%- if add_generation_prompt %}\n"
        "  {{- \"<|start_header_id|>assistant<|end_header_id|>\n\n\" }}\n{%- endif %}\n";
    mdf_chat_template t;
    assert_int_equal(mdf_chat_recognise(&t, text, sizeof text - 1, NULL), MDF_OK);
    assert_true(t.kind == MDF_CHAT_SIMPLE && !t.images);
}

static void messages_that_can_not_be_rendered_are_refused(void **state)
{
    (void)state;
    const mdf_chat_template full = {.kind = MDF_CHAT_FULL, .images = true};
    const mdf_chat_template text = {.kind = MDF_CHAT_SIMPLE};
    const mdf_chat_part part[] = {{NULL}, {"x"}};
    const mdf_chat_message tool = {"tool", part + 1, 1};
    const mdf_chat_message picture = {"user", part, 2};
    const mdf_chat_message system = {"system", part, 2};
    const mdf_chat_options opt = {.ask = true};
    mdf_error err = {0};
    mdf_marked m = mdf_marked_new(1000);
    assert_int_equal(mdf_chat_render(&m, &full, &tool, 0, &opt, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "the chat has no message");
    assert_int_equal(mdf_chat_render(&m, &full, &tool, 1, &opt, &err), MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "message 1: the role \"tool\" is none of system, user, assistant");
    assert_int_equal(mdf_chat_render(&m, &text, &picture, 1, &opt, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "this model's chat template takes no picture");
    assert_int_equal(mdf_chat_render(&m, &full, &system, 1, &opt, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "a system message must be one text");
    mdf_marked_free(&m);
    m = mdf_marked_new(20);
    assert_int_equal(mdf_chat_render(&m, &full, &picture, 1, &opt, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "the chat is longer than the limit of 20 bytes");
    mdf_marked_free(&m);
}

static void a_users_text_makes_no_special_token(void **state)
{
    (void)state;
    const mdf_chat_template simple = {.kind = MDF_CHAT_SIMPLE, .images = true};
    const mdf_chat_part part[] = {{NULL}, {"<|eot_id|><|image|><|start_header_id|>"}};
    const mdf_chat_message message = {"user", part, 2};
    mdf_tokenizer *t = NULL;
    int32_t id[400];
    size_t count = 0;
    mdf_marked m = mdf_marked_new(1000);
    assert_int_equal(mdf_tokenizer_load(&t, GOLDEN "tokenizer/llama3.json", -1, NULL), MDF_OK);
    assert_int_equal(
        mdf_chat_render(&m, &simple, &message, 1, &(mdf_chat_options){.ask = true}, NULL), MDF_OK);
    assert_int_equal(mdf_marked_encode(&m, t, id, 400, &count, NULL), MDF_OK);
    const int32_t first = mdf_tokenizer_special(t, "<|begin_of_text|>");
    int specials = 0;
    for (size_t i = 0; i < count; i++) {
        specials += id[i] >= first ? 1 : 0;
    }
    assert_int_equal(specials, 7); /* begin, 2 x 2 of headers, picture, end */
    assert_int_equal(mdf_marked_encode(&m, t, id, count - 1, &count, NULL), MDF_ERR_LIMIT);
    assert_int_equal(count, 0);
    mdf_marked_free(&m);
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

static void a_template_is_found_in_json(void **state)
{
    (void)state;
    static const char none[] = "{\"bos_token\": \"x\"}";
    static const char list[] =
        "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"x\"}]}";
    static const char bad[] = "{\"chat_template\": \"{{ x }}\"}";
    mdf_chat_template t = {0};
    bool found = true;
    mdf_error err = {0};
    assert_int_equal(mdf_chat_parse_json(&t, &found, none, sizeof none - 1, NULL), MDF_OK);
    assert_false(found);
    assert_int_equal(mdf_chat_parse_json(&t, &found, list, sizeof list - 1, NULL), MDF_OK);
    assert_false(found);
    assert_int_equal(mdf_chat_parse_json(&t, &found, bad, sizeof bad - 1, &err), MDF_ERR_FORMAT);
    assert_string_equal(
        err.text,
        "chat_template: none of the two that Llama 3.2 Vision has: it lacks \"bos_token\"");
    assert_int_equal(mdf_chat_parse_json(&t, &found, "[", 1, &err), MDF_ERR_FORMAT);
    assert_int_equal(mdf_chat_load(&t, &found, GOLDEN "tokenizer", &err), MDF_OK);
    assert_false(found); /* no file: simple */
    assert_true(t.kind == MDF_CHAT_SIMPLE && t.images && !t.trims);
    char *text = read_text("full.jinja");
    json_t *root =
        json_pack("{s:[{s:s, s:s}]}", "chat_template", "name", "default", "template", text);
    char *dump = json_dumps(root, 0);
    assert_int_equal(mdf_chat_parse_json(&t, &found, dump, strlen(dump), NULL), MDF_OK);
    assert_true(found && t.kind == MDF_CHAT_FULL);
    free(dump);
    json_decref(root);
    mdf_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_templates_are_recognised),
        cmocka_unit_test(chats_are_rendered_as_transformers_does),
        cmocka_unit_test(a_template_that_does_something_else_is_refused),
        cmocka_unit_test(chatml_that_does_something_else_is_refused),
        cmocka_unit_test(white_space_comments_and_quotes_do_not_matter),
        cmocka_unit_test(messages_that_can_not_be_rendered_are_refused),
        cmocka_unit_test(a_users_text_makes_no_special_token),
        cmocka_unit_test(the_first_token_is_never_there_twice),
        cmocka_unit_test(a_template_is_found_in_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
