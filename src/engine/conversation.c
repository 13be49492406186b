/* What has been said in a conversation. */
#include "engine/conversation.h"

#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a conversation");
}

void mdf_conversation_take_back(mdf_conversation *c)
{
    mdf_free(c->turn[--c->turns]);
}

void mdf_conversation_clear(mdf_conversation *c)
{
    while (c->turns > 0) {
        mdf_conversation_take_back(c);
    }
    mdf_free(c->system);
    c->system = NULL;
    c->photos = 0;
    c->tokens = 0;
}

void mdf_conversation_free(mdf_conversation *c)
{
    mdf_conversation_clear(c);
    mdf_free(c->turn);
    mdf_free(c->token);
    *c = (mdf_conversation){0};
}

mdf_status mdf_conversation_set_system(mdf_conversation *c, const char *text, mdf_error *err)
{
    mdf_free(c->system);
    c->system = text == NULL ? NULL : mdf_strdup(text);
    return text == NULL || c->system != NULL ? MDF_OK : no_memory(err);
}

/* A copy without NULs. */
static char *copy_words(const char *text, size_t len)
{
    mdf_strbuf b = mdf_strbuf_new(3 * len + 1);
    mdf_strbuf_puts(&b, "");
    for (size_t i = 0; i < len; i++) {
        mdf_strbuf_add(&b, text[i] == '\0' ? "\xEF\xBF\xBD" : &text[i], text[i] == '\0' ? 3 : 1);
    }
    char *copy = b.failed ? NULL : mdf_strdup(b.data == NULL ? "" : b.data);
    mdf_strbuf_free(&b);
    return copy;
}

mdf_status mdf_conversation_say(mdf_conversation *c, const char *text, size_t len, mdf_error *err)
{
    if (c->turns == c->turn_room) {
        const size_t room = 2 * c->turn_room + 8;
        char **more = mdf_grow(c->turn, c->turn_room, room, sizeof *more);
        if (more == NULL) {
            return no_memory(err);
        }
        c->turn = more;
        c->turn_room = room;
    }
    char *copy = copy_words(text, len);
    if (copy == NULL) {
        return no_memory(err);
    }
    c->turn[c->turns++] = copy;
    return MDF_OK;
}

mdf_status mdf_conversation_read(mdf_conversation *c, size_t known, const int32_t *token,
                                 size_t count, mdf_error *err)
{
    const size_t wanted = known + count;
    if (wanted > c->token_room) {
        const size_t room = 2 * c->token_room > wanted ? 2 * c->token_room : wanted;
        int32_t *more = mdf_grow(c->token, c->token_room, room, sizeof *more);
        if (more == NULL) {
            return no_memory(err);
        }
        c->token = more;
        c->token_room = room;
    }
    if (count > 0) {
        memcpy(c->token + known, token, count * sizeof *token);
    }
    c->tokens = wanted;
    return MDF_OK;
}

size_t mdf_conversation_common(const mdf_conversation *c, const int32_t *token, size_t count)
{
    size_t n = 0;
    while (n < count && n < c->tokens && c->token[n] == token[n]) {
        n++;
    }
    return n;
}
