/* Any bytes as a chat template, as Jinja text and as a JSON file with one: no crash, and what is
 * recognised renders a chat. The bytes are a user's text too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "language/chat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void render(const mdf_chat_template *t, const char *text)
{
    const mdf_chat_part part[] = {{NULL}, {text}};
    const mdf_chat_message message[] = {{"system", part + 1, 1}, {"user", part + 1, 1}};
    const mdf_chat_message picture = {"user", part, 2};
    mdf_marked m = mdf_marked_new(MDF_MAX_CHAT_BYTES);
    check(mdf_chat_render(&m, t, message, 2, &(mdf_chat_options){.ask = true}, NULL) == MDF_OK);
    mdf_marked_free(&m);
    m = mdf_marked_new(MDF_MAX_CHAT_BYTES);
    const mdf_status status =
        mdf_chat_render(&m, t, &picture, 1, &(mdf_chat_options){.ask = true}, NULL);
    check((status == MDF_OK) == t->images);
    mdf_marked_free(&m);
    m = mdf_marked_new(MDF_MAX_CHAT_BYTES);
    check(mdf_chat_plain(&m, text, NULL) == MDF_OK);
    mdf_marked_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_chat_template t = {.images = true};
    bool found = false;
    char *text = mdf_strndup((const char *)data, size);
    check(text != NULL);
    render(&t, text);
    if (mdf_chat_recognise(&t, text, size, NULL) == MDF_OK) {
        render(&t, text);
    }
    if (mdf_chat_parse_json(&t, &found, text, size, NULL) == MDF_OK && found) {
        render(&t, text);
    }
    mdf_free(text);
    return 0;
}
