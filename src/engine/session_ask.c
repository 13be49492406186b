/* Questions: photograph, text and question in, words out. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "engine/session.h"
#include "nn/generate.h"

enum {
    USUAL_TOKENS = 512, /* of an answer */
    STEP = 512 /* a decoder's capacity is a multiple: longer questions seldom need another */
};

/* A prompt's tokens. */
typedef struct prompt_tokens {
    int32_t *token; /* [room] */
    size_t room, count;
    int32_t image_at; /* -1: no picture */
} prompt_tokens;

static mdf_status check_utf8(const char *text, const char *what, mdf_error *err)
{
    const size_t n = text == NULL ? 0 : strlen(text);
    return mdf_utf8_check((const uint8_t *)text, n) < n
               ? mdf_fail(err, MDF_ERR_FORMAT, "the %s is not UTF-8", what)
               : MDF_OK;
}

/* The text and, a line below, the question. */
static mdf_status join(mdf_strbuf *out, const mdf_question *q, mdf_error *err)
{
    MDF_TRY(check_utf8(q->text, "text", err));
    MDF_TRY(check_utf8(q->question, "question", err));
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

/* By the folder's chat template. */
static mdf_status render_chat(prompt_tokens *p, const mdf_engine *e, const char *words,
                              bool picture, mdf_error *err)
{
    const mdf_chat_part part[] = {{NULL}, {words}};
    const mdf_chat_message message = {"user", picture ? part : part + 1, picture ? 2 : 1};
    mdf_marked m = mdf_marked_new(MDF_MAX_CHAT_BYTES);
    mdf_status status =
        mdf_chat_render(&m, &e->chat, &message, 1, &(mdf_chat_options){.ask = true}, err);
    if (status == MDF_OK) {
        status = mdf_marked_encode(&m, e->tokenizer, p->token, p->room, &p->count, err);
    }
    mdf_marked_free(&m);
    MDF_TRY(status);
    const int32_t image = mdf_tokenizer_special(e->tokenizer, MDF_IMAGE_TOKEN);
    for (size_t i = 0; picture && i < p->count && p->image_at < 0; i++) {
        p->image_at = p->token[i] == image ? (int32_t)i : -1;
    }
    return MDF_OK;
}

/* A model with labels gets the form that it was trained with. */
static mdf_status build(prompt_tokens *p, const mdf_session *s, const char *words, bool picture,
                        mdf_error *err)
{
    const mdf_engine *e = s->engine;
    const mdf_answer_config *a = &e->model->config.answer;
    p->image_at = -1;
    if (e->has_chat) {
        return render_chat(p, e, words, picture, err);
    }
    return mdf_prompt_build(e->tokenizer, p->token, p->room, &p->count, &p->image_at, words,
                            a->missing_text, picture, err);
}

/* A decoder with room for so many tokens. A new one knows no picture. */
static mdf_status make_room(mdf_session *s, int64_t tokens, mdf_error *err)
{
    if (s->decoder != NULL && mdf_decoder_capacity(s->decoder) >= tokens) {
        return MDF_OK;
    }
    mdf_decoder_free(s->decoder);
    s->decoder = NULL;
    s->kept = false;
    return mdf_decoder_new(&s->decoder, s->engine->model, s->kernels,
                           (tokens + STEP - 1) / STEP * STEP, err);
}

/* Sees the photograph unless it is the one of the question before. *same: the decoder has its
 * keys. */
static mdf_status look(mdf_session *s, const mdf_question *q, bool picture, bool *same,
                       mdf_error *err)
{
    const mdf_fusion_config *f = &s->engine->model->config.fusion;
    const bool seen = q->same_image && s->view.has_tile;
    *same = seen && s->kept && !(f->attend == MDF_FUSION_CONCAT && f->map_count > 0);
    if (!*same) {
        s->kept = false;
    }
    return picture && !seen ? mdf_session_see(s, q, err) : MDF_OK;
}

/* How many tokens may follow n of a prompt. */
static mdf_status count_left(const mdf_session *s, const mdf_question *q, size_t n, int *left,
                             mdf_error *err)
{
    const int most = s->engine->model->config.text.max_position_embeddings;
    const int wanted = q->max_tokens > 0 ? q->max_tokens : USUAL_TOKENS;
    if (n >= (size_t)most) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "the question has %zu tokens, but the model can remember no more than %d",
                        n, most);
    }
    *left = wanted < most - (int)n ? wanted : most - (int)n;
    return MDF_OK;
}

static mdf_status read_prompt(mdf_session *s, const prompt_tokens *p, bool same, mdf_error *err)
{
    const bool picture = p->image_at >= 0;
    const int32_t count = (int32_t)p->count;
    const int32_t id = s->view.id;
    const mdf_batch batch = {.cases = 1,
                             .unet_image = picture && s->view.has_unet ? s->view.unet : NULL,
                             .vision_image = picture ? s->view.tile : NULL,
                             .aspect_ratio_id = &id,
                             .image_at = &p->image_at,
                             .prompt = p->token,
                             .prompt_len = &count};
    s->kept = false;
    mdf_decoder_watch(s->decoder, s->stop);
    MDF_TRY(mdf_decoder_prompt(s->decoder, &batch, picture && same, err));
    s->kept = picture;
    return MDF_OK;
}

static mdf_status read_words(mdf_session *s, const mdf_question *q, prompt_tokens *p,
                             mdf_session_prompt *out, mdf_error *err)
{
    const mdf_config *c = &s->engine->model->config;
    const double start = mdf_clock_seconds();
    const bool picture =
        q->image != NULL && (c->train.use_image || !mdf_engine_has_labels(s->engine));
    mdf_strbuf words = mdf_strbuf_new(MDF_MAX_TEXT_BYTES);
    bool same = false;
    mdf_status status = join(&words, q, err);
    if (status == MDF_OK) {
        status = look(s, q, picture, &same, err);
    }
    if (status == MDF_OK) {
        out->picture_ms = 1e3 * (mdf_clock_seconds() - start);
        status = build(p, s, words.data == NULL ? "" : words.data, picture, err);
    }
    mdf_strbuf_free(&words);
    MDF_TRY(status);
    MDF_TRY(count_left(s, q, p->count, &out->max_tokens, err));
    const int64_t behind =
        s->tree != NULL && s->tree->nodes > out->max_tokens ? s->tree->nodes : out->max_tokens;
    MDF_TRY(make_room(s, (int64_t)p->count + behind, err));
    MDF_TRY(read_prompt(s, p, same && s->kept, err));
    out->count = (int)p->count;
    out->prompt_ms = 1e3 * (mdf_clock_seconds() - start) - out->picture_ms;
    return MDF_OK;
}

mdf_status mdf_session_read(mdf_session *s, const mdf_question *q, mdf_session_prompt *out,
                            mdf_error *err)
{
    prompt_tokens p = {.room = MDF_MAX_TOKENS};
    *out = (mdf_session_prompt){0};
    p.token = mdf_alloc(p.room, sizeof *p.token);
    const mdf_status status = p.token == NULL
                                  ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a question")
                                  : read_words(s, q, &p, out, err);
    mdf_free(p.token);
    return status;
}

/* An answer on its way. */
typedef struct talk {
    mdf_session *s;
    const mdf_question *q;
    size_t told; /* bytes of the text */
    mdf_status status;
    mdf_error *err;
} talk;

static bool tell(talk *t)
{
    const mdf_strbuf *text = &t->s->said.text;
    const size_t from = t->told;
    t->told = text->len;
    return t->q->on_text == NULL ||
           t->q->on_text(t->q->user, text->len > 0 ? text->data + from : "", text->len - from);
}

static bool on_token(void *user, int32_t token)
{
    talk *t = user;
    t->status = mdf_detokenise(&t->s->said, token, t->err);
    return t->status == MDF_OK && tell(t) && (t->s->stop == NULL || *t->s->stop == 0);
}

/* The model's end tokens and the one that ends a turn in its form of prompts. */
static int end_tokens(const mdf_engine *e, int eos[MDF_CONFIG_EOS + 1])
{
    const mdf_generation *g = &e->generation;
    const int32_t turn = mdf_prompt_end(e->tokenizer);
    memcpy(eos, g->eos_token_id, sizeof g->eos_token_id);
    eos[g->eos_count] = turn;
    return g->eos_count + (turn >= 0 ? 1 : 0);
}

static mdf_sampling sampling_of(const mdf_question *q, const mdf_generation *g)
{
    mdf_sampling s = {.top_p = 1, .seed = q->seed};
    if (q->sample || q->temperature > 0 || q->top_p > 0 || q->top_k > 0) {
        s.temperature = q->temperature > 0 ? q->temperature : g->temperature;
        s.top_p = q->top_p > 0 ? q->top_p : g->top_p;
        s.top_k = q->top_k > 0 ? q->top_k : g->top_k;
    }
    return s;
}

static mdf_status reserve_tokens(mdf_session *s, size_t n, mdf_error *err)
{
    if (n > s->token_room) {
        mdf_free(s->token);
        s->token = mdf_alloc(n, sizeof *s->token);
        s->token_room = s->token == NULL ? 0 : n;
    }
    return n > s->token_room ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for an answer") : MDF_OK;
}

static mdf_status answer(mdf_session *s, const mdf_question *q, const mdf_session_prompt *prompt,
                         mdf_reply *out, mdf_error *err)
{
    static const mdf_reply_end ends[] = {[MDF_END_EOS] = MDF_REPLY_COMPLETE,
                                         [MDF_END_LENGTH] = MDF_REPLY_CUT,
                                         [MDF_END_CALLBACK] = MDF_REPLY_STOPPED};
    int eos[MDF_CONFIG_EOS + 1];
    talk t = {.s = s, .q = q, .err = err};
    mdf_generated made;
    const double start = mdf_clock_seconds();
    MDF_TRY(reserve_tokens(s, (size_t)prompt->max_tokens, err));
    mdf_detokeniser_clear(&s->said);
    const mdf_generate_options how = {.max_tokens = prompt->max_tokens,
                                      .sampling = sampling_of(q, &s->engine->generation),
                                      .eos = eos,
                                      .eos_count = end_tokens(s->engine, eos),
                                      .on_token = on_token,
                                      .user = &t};
    const mdf_status status = mdf_generate(s->decoder, &how, s->token, &made, err);
    MDF_TRY(t.status);
    if (status == MDF_ERR_STOPPED) { /* in the middle of a token */
        made.end = MDF_END_CALLBACK;
    } else {
        MDF_TRY(status);
    }
    MDF_TRY(mdf_detokenise_end(&s->said, err));
    (void)tell(&t);
    *out = (mdf_reply){.text = s->said.text.data == NULL ? "" : s->said.text.data,
                       .text_bytes = s->said.text.len,
                       .token = s->token,
                       .token_count = (int)made.count,
                       .prompt_count = prompt->count,
                       .end = ends[made.end],
                       .picture_ms = prompt->picture_ms,
                       .prompt_ms = prompt->prompt_ms,
                       .answer_ms = 1e3 * (mdf_clock_seconds() - start)};
    return MDF_OK;
}

mdf_status mdf_session_ask(mdf_session *s, const mdf_question *q, mdf_reply *out, mdf_error *err)
{
    mdf_session_prompt prompt;
    if (q->question == NULL || q->question[0] == '\0') {
        return mdf_fail(err, MDF_ERR_ARG, "the question is empty");
    }
    MDF_TRY(mdf_session_read(s, q, &prompt, err));
    return answer(s, q, &prompt, out, err);
}
