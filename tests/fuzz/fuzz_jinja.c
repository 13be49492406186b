/* Any bytes as a chat template, as Jinja text and as a JSON file with one: no crash, and what is
 * compiled renders within its limits or is refused. The bytes are a user's text too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "jinja/jinja.h"
#include "language/chat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static json_t *variables(const char *text)
{
    json_t *content = json_string(text); /* NULL: it is no UTF-8 */
    return json_pack(
        "{s:[{s:s, s:o}, {s:s, s:[{s:s}, {s:s, s:s}]}], s:b, s:s, s:n, s:{s:i, s:f, s:b}}",
        "messages", "role", "system", "content", content == NULL ? json_string(" Hi ") : content,
        "role", "user", "content", "type", "image", "type", "text", "text", "What?",
        "add_generation_prompt", 1, "bos_token", "<s>", "tools", "d", "i", 7, "f", 2.5, "b", 0);
}

static void render(const char *text, size_t size)
{
    const struct tm now = {.tm_mday = 1};
    mdf_jinja *t = NULL;
    mdf_error err = {0};
    if (mdf_jinja_compile(&t, "template", text, size, &err) != MDF_OK) {
        check(t == NULL && err.text[0] != '\0');
        return;
    }
    json_t *root = variables(text);
    mdf_strbuf out = mdf_strbuf_new(1 << 16);
    check(root != NULL);
    if (mdf_jinja_render(t, root, &(mdf_jinja_options){&now}, &out, &err) != MDF_OK) {
        check(strncmp(err.text, "template: line ", 15) == 0);
    }
    mdf_strbuf_free(&out);
    json_decref(root);
    mdf_jinja_free(t);
}

static void render_file(const char *text, size_t size)
{
    mdf_chat *chat = NULL;
    if (mdf_chat_new(&chat, "file", text, size, true, NULL) == MDF_OK && chat != NULL) {
        const mdf_chat_part part[] = {{NULL}, {"What?"}};
        const mdf_chat_message message = {"user", part, 2};
        mdf_strbuf out = mdf_strbuf_new(1 << 16);
        const mdf_status status =
            mdf_chat_render(chat, NULL, &message, 1, &(mdf_chat_options){.ask = true}, &out, NULL);
        if (status == MDF_OK && out.failed) {
            abort();
        }
        mdf_strbuf_free(&out);
    }
    mdf_chat_free(chat);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mdf_strndup((const char *)data, size);
    check(text != NULL);
    if (size > 0 && text[0] == '{' && memchr(text, '"', size) != NULL) {
        render_file(text, size);
    }
    render(text, size);
    mdf_free(text);
    return 0;
}
