/* Questions as tokens: text and question by the chat template or in the form of the training. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "engine/session.h"

static mdf_status check_utf8(const char *text, const char *what, mdf_error *err)
{
    const size_t n = text == NULL ? 0 : strlen(text);
    return mdf_utf8_check((const uint8_t *)text, n) < n
               ? mdf_fail(err, MDF_ERR_FORMAT, "the %s is not UTF-8", what)
               : MDF_OK;
}

mdf_status mdf_session_words(mdf_strbuf *out, const mdf_question *q, mdf_error *err)
{
    MDF_TRY(check_utf8(q->text, "text", err));
    MDF_TRY(check_utf8(q->question, "question", err));
    MDF_TRY(check_utf8(q->system, "system message", err));
    mdf_strbuf_puts(out, q->text == NULL ? "" : q->text);
    if (out->len > 0 && q->question != NULL) {
        mdf_strbuf_puts(out, "\n\n");
    }
    mdf_strbuf_puts(out, q->question == NULL ? "" : q->question);
    return out->failed ? mdf_fail(err, MDF_ERR_LIMIT,
                                  "text and question have more than %zu bytes, or out of memory",
                                  out->max_bytes)
                       : MDF_OK;
}

/* A template may write no token for a picture, or one that nobody gave. */
static mdf_status find_pictures(mdf_prompt_tokens *p, const mdf_engine *e, int pictures,
                                mdf_error *err)
{
    const int32_t image = mdf_tokenizer_special(e->tokenizer, MDF_IMAGE_TOKEN);
    size_t found = 0;
    for (size_t i = 0; image >= 0 && i < p->count; i++) {
        if (p->token[i] == image) {
            if (found < MDF_MAX_PHOTOS) {
                p->image_at[found] = (int32_t)i;
            }
            found++;
        }
    }
    if (pictures > 0 && found == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "this model's chat template takes no picture");
    }
    if (found != (size_t)pictures) {
        char given[32] = "a question without one";
        if (pictures > 0) {
            (void)snprintf(given, sizeof given, pictures == 1 ? "one picture" : "%d pictures",
                           pictures);
        }
        return mdf_fail(err, MDF_ERR_ARG,
                        "this model's chat template writes " MDF_IMAGE_TOKEN " %zu times for %s",
                        found, given);
    }
    p->images = pictures;
    return MDF_OK;
}

/* The messages of a chat: the system's, the turns so far, and the user's words. message [turns + 2]
 * and part [turns + 2 + pictures] get them; returns how many messages there are. */
static size_t put_messages(mdf_chat_message *message, mdf_chat_part *part, const char *system,
                           const mdf_conversation *before, const char *words, int pictures)
{
    const size_t turns = before == NULL ? 0 : before->turns;
    size_t n = 0;
    if (system != NULL) {
        part->text = system;
        message[n++] = (mdf_chat_message){"system", part++, 1};
    }
    for (size_t i = 0; i <= turns; i++) {
        const size_t photos = i == 0 ? (size_t)pictures : 0; /* NULL is one */
        part[photos].text = i < turns ? before->turn[i] : words;
        message[n++] = (mdf_chat_message){i % 2 == 0 ? "user" : "assistant", part, photos + 1};
        part += photos + 1;
    }
    return n;
}

/* By the folder's chat template. */
static mdf_status render_chat(mdf_prompt_tokens *p, const mdf_session *s, const mdf_question *q,
                              const char *words, int pictures, mdf_error *err)
{
    const mdf_engine *e = s->engine;
    const mdf_conversation *before = q->go_on ? &s->chat : NULL;
    const size_t most = 2 + (before == NULL ? 0 : before->turns);
    mdf_chat_message *message = mdf_alloc(most, sizeof *message);
    mdf_chat_part *part = mdf_alloc(most + (size_t)pictures, sizeof *part);
    mdf_strbuf text = mdf_strbuf_new(MDF_MAX_CHAT_BYTES);
    mdf_status status = message == NULL || part == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a question")
                            : MDF_OK;
    if (status == MDF_OK) {
        const char *system = before == NULL ? q->system : before->system;
        const size_t n = put_messages(message, part, system, before, words, pictures);
        status = mdf_chat_render(e->chat, e->tokenizer, message, n,
                                 &(mdf_chat_options){.ask = true}, &text, err);
    }
    if (status == MDF_OK) {
        status = mdf_chat_encode(e->tokenizer, &text, p->token, p->room, &p->count, err);
    }
    mdf_strbuf_free(&text);
    mdf_free(part);
    mdf_free(message);
    MDF_TRY(status);
    return find_pictures(p, e, pictures, err);
}

size_t mdf_session_given(const mdf_question *q)
{
    const size_t one = q->image != NULL ? 1 : 0;
    return q->photo_count > 0 ? q->photo_count : one;
}

int mdf_session_wanted(const mdf_session *s, const mdf_question *q)
{
    const mdf_engine *e = s->engine;
    const bool wanted = e->model->config.train.use_image || !mdf_engine_has_labels(e);
    return wanted ? (int)mdf_session_given(q) : 0;
}

/* What a question that goes on with a conversation may not have. */
static mdf_status check_turn(const mdf_session *s, const mdf_question *q, mdf_error *err)
{
    if (!q->go_on) {
        return MDF_OK;
    }
    if (s->engine->chat == NULL) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "the model has no chat template, and so no form of a conversation: its "
                        "questions stand for themselves");
    }
    if (s->chat.turns == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "there is no conversation that could go on");
    }
    if (mdf_session_given(q) > 0 || q->system != NULL) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "a conversation that goes on takes no %s: that stands at its beginning",
                        q->system != NULL ? "system message" : "photograph");
    }
    return MDF_OK;
}

mdf_status mdf_session_check(const mdf_session *s, const mdf_question *q, mdf_error *err)
{
    const mdf_engine *e = s->engine;
    const size_t given = mdf_session_given(q);
    MDF_TRY(mdf_engine_answers(e, err));
    MDF_TRY(check_turn(s, q, err));
    if (q->photo_count > 0 && q->image != NULL) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "a question has one photograph or a list of them, not both");
    }
    if (given > 1 && (mdf_engine_has_labels(e) || mdf_config_has_unet(&e->model->config))) {
        return mdf_fail(err, MDF_ERR_ARG, "this model takes one photograph a question, not %zu",
                        given);
    }
    if (given > MDF_MAX_PHOTOS) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "%zu photographs in a question, more than the limit of %d", given,
                        MDF_MAX_PHOTOS);
    }
    return MDF_OK;
}

/* A model with labels gets the form that it was trained with. */
static mdf_status build(const mdf_session *s, const mdf_question *q, const char *words,
                        mdf_prompt_tokens *p, mdf_error *err)
{
    const mdf_engine *e = s->engine;
    const mdf_config *c = &e->model->config;
    const int pictures = q->go_on ? s->chat.photos : mdf_session_wanted(s, q);
    if (e->chat != NULL) {
        return render_chat(p, s, q, words, pictures, err);
    }
    if (q->system != NULL) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "the model has no chat template, and so no place for a system message");
    }
    MDF_TRY(mdf_prompt_build(e->tokenizer, p->token, p->room, &p->count, &p->image_at[0], words,
                             c->answer.missing_text, pictures, err));
    for (int i = 1; i < pictures; i++) {
        p->image_at[i] = p->image_at[i - 1] + 1;
    }
    p->images = pictures;
    return MDF_OK;
}

mdf_status mdf_session_build(const mdf_session *s, const mdf_question *q, mdf_prompt_tokens *p,
                             mdf_error *err)
{
    mdf_strbuf words = mdf_strbuf_new(MDF_MAX_TEXT_BYTES);
    p->images = 0;
    mdf_status status = mdf_session_words(&words, q, err);
    if (status == MDF_OK) {
        status = build(s, q, words.data == NULL ? "" : words.data, p, err);
    }
    mdf_strbuf_free(&words);
    return status;
}

/* The text of tokens, in memory of the arena. */
static mdf_status spell(const mdf_session *s, const int32_t *token, size_t count, mdf_arena *a,
                        const char **out, mdf_error *err)
{
    mdf_strbuf text = mdf_strbuf_new(MDF_MAX_CHAT_BYTES);
    mdf_status status = mdf_tokenizer_decode(s->engine->tokenizer, token, count, true, &text, err);
    if (status == MDF_OK) {
        *out = mdf_arena_strndup(a, text.data == NULL ? "" : text.data, text.len);
        status = *out != NULL ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    mdf_strbuf_free(&text);
    return status;
}

static mdf_status show(mdf_session *s, const mdf_question *q, mdf_shown_prompt *out, mdf_error *err)
{
    mdf_arena *a = &s->shown;
    mdf_prompt_tokens p = {.room = MDF_MAX_TOKENS};
    p.token = mdf_arena_alloc(a, p.room, sizeof *p.token);
    if (p.token == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a question");
    }
    MDF_TRY(mdf_session_build(s, q, &p, err));
    const char **piece = mdf_arena_alloc(a, p.count, sizeof *piece);
    const char *text = NULL;
    if (piece == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a question");
    }
    MDF_TRY(spell(s, p.token, p.count, a, &text, err));
    for (size_t i = 0; i < p.count; i++) {
        MDF_TRY(spell(s, &p.token[i], 1, a, &piece[i], err));
    }
    *out = (mdf_shown_prompt){text, p.token, piece, (int)p.count};
    return MDF_OK;
}

mdf_status mdf_session_show(mdf_session *s, const mdf_question *q, mdf_shown_prompt *out,
                            mdf_error *err)
{
    MDF_TRY(mdf_session_check(s, q, err));
    mdf_arena_reset(&s->shown);
    return show(s, q, out, err);
}
