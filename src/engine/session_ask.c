/* Questions: photographs, text and question in, words out. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/memory.h"
#include "engine/session.h"
#include "nn/generate.h"

enum {
    USUAL_TOKENS = 512, /* of an answer */
    STEP = 512 /* a decoder's capacity is a multiple: longer questions seldom need another */
};

static int64_t rounded(int64_t tokens)
{
    return (tokens + STEP - 1) / STEP * STEP;
}

mdf_status mdf_session_has_memory(const mdf_session *s, int64_t tokens, int64_t keys,
                                  mdf_error *err)
{
    const uint64_t there = s->memory > 0 ? s->memory : mdf_memory_available();
    const size_t need =
        mdf_kv_cache_need(&s->engine->model->config, tokens, keys, s->engine->kv_type);
    return need <= there
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_LIMIT,
                          "keys and values of %lld more tokens of text and %lld of pictures take "
                          "%.1f MB, but %.1f MB of memory are free: ask for fewer tokens "
                          "(--max-tokens), or keep them in a smaller type (--kv-type)",
                          (long long)tokens, (long long)keys, 1e-6 * (double)need,
                          1e-6 * (double)there);
}

/* Image tokens of the photographs that the session sees, at least. */
static int64_t image_tokens(const mdf_session *s)
{
    const mdf_vision_config *v = &s->engine->model->config.vision;
    const int64_t side = s->view.photos > 0 ? v->image_size / v->patch_size : 0;
    return s->view.photos > 0 ? s->view.tiles * (side * side + 1) : 0;
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
    MDF_TRY(mdf_session_has_memory(s, rounded(tokens), image_tokens(s), err));
    return mdf_decoder_new(&s->decoder, s->engine->model, s->kernels, rounded(tokens),
                           s->engine->kv_type, err);
}

/* Sees the photographs unless they are those of the question before, all of them. *same: the
 * decoder has their keys. */
static mdf_status look(mdf_session *s, const mdf_question *q, bool *same, mdf_error *err)
{
    const mdf_fusion_config *f = &s->engine->model->config.fusion;
    const int photos = mdf_session_wanted(s, q);
    const bool seen = q->same_image && photos > 0 && photos == s->view.photos;
    *same = seen && s->kept && !(f->attend == MDF_FUSION_CONCAT && f->map_count > 0);
    if (!*same) {
        s->kept = false;
    }
    return photos > 0 && !seen ? mdf_session_see(s, q, err) : MDF_OK;
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

static mdf_status read_prompt(mdf_session *s, const mdf_prompt_tokens *p, bool same, mdf_error *err)
{
    const bool picture = p->images > 0;
    const int32_t count = (int32_t)p->count;
    const int32_t images = p->images;
    const mdf_batch batch = {.cases = 1,
                             .unet_image = picture && s->view.has_unet ? s->view.unet : NULL,
                             .vision_image = picture ? s->view.tile : NULL,
                             .image_count = &images,
                             .aspect_ratio_id = s->view.id,
                             .image_at = p->image_at,
                             .prompt = p->token,
                             .prompt_len = &count};
    s->kept = false;
    mdf_decoder_watch(s->decoder, s->stop);
    MDF_TRY(mdf_decoder_prompt(s->decoder, &batch, picture && same, err));
    s->kept = picture;
    return MDF_OK;
}

static mdf_status read_words(mdf_session *s, const mdf_question *q, mdf_prompt_tokens *p,
                             mdf_session_prompt *out, mdf_error *err)
{
    const double start = mdf_clock_seconds();
    bool same = false;
    MDF_TRY(mdf_session_check(s, q, err));
    MDF_TRY(look(s, q, &same, err));
    out->picture_ms = 1e3 * (mdf_clock_seconds() - start);
    MDF_TRY(mdf_session_build(s, q, p, err));
    MDF_TRY(count_left(s, q, p->count, &out->max_tokens, err));
    const int64_t behind =
        s->tree != NULL && s->tree->nodes > out->max_tokens ? s->tree->nodes : out->max_tokens;
    MDF_TRY(make_room(s, (int64_t)p->count + behind, err));
    MDF_TRY(read_prompt(s, p, same && s->kept, err));
    out->count = (int)p->count;
    out->prompt_ms = 1e3 * (mdf_clock_seconds() - start) - out->picture_ms;
    return MDF_OK;
}

/* The same for a turn of the conversation: its first tokens, which are usually all of the turns
 * before, have been read. */
static mdf_status read_turn(mdf_session *s, const mdf_question *q, mdf_prompt_tokens *p,
                            mdf_session_prompt *out, mdf_error *err)
{
    const double start = mdf_clock_seconds();
    MDF_TRY(mdf_session_check(s, q, err));
    MDF_TRY(mdf_session_build(s, q, p, err));
    MDF_TRY(count_left(s, q, p->count, &out->max_tokens, err));
    const int64_t capacity = mdf_decoder_capacity(s->decoder);
    if ((int64_t)p->count + out->max_tokens > capacity) {
        const int64_t wanted = rounded((int64_t)p->count + out->max_tokens);
        MDF_TRY(mdf_session_has_memory(s, wanted - capacity, 0, err));
        MDF_TRY(mdf_decoder_reserve(s->decoder, wanted, err));
    }
    const size_t before_last = p->count > 0 ? p->count - 1 : 0;
    const size_t known = mdf_conversation_common(&s->chat, p->token, before_last);
    const mdf_prompt_view view = {p->token, (int64_t)p->count, p->image_at, p->images};
    mdf_decoder_watch(s->decoder, s->stop);
    s->chat.tokens = known;
    MDF_TRY(mdf_decoder_go_on(s->decoder, &view, (int64_t)known, err));
    out->count = (int)p->count;
    out->prompt_ms = 1e3 * (mdf_clock_seconds() - start);
    return mdf_conversation_read(&s->chat, 0, p->token, p->count, err);
}

/* A question by itself; where the model has a form of conversations it may be the first of one. */
static mdf_status read_first(mdf_session *s, const mdf_question *q, mdf_prompt_tokens *p,
                             mdf_session_prompt *out, mdf_error *err)
{
    mdf_conversation_clear(&s->chat);
    MDF_TRY(read_words(s, q, p, out, err));
    if (s->engine->chat == NULL) {
        return MDF_OK;
    }
    s->chat.photos = p->images;
    MDF_TRY(mdf_conversation_set_system(&s->chat, q->system, err));
    return mdf_conversation_read(&s->chat, 0, p->token, p->count, err);
}

mdf_status mdf_session_read(mdf_session *s, const mdf_question *q, mdf_session_prompt *out,
                            mdf_error *err)
{
    mdf_prompt_tokens p = {.room = MDF_MAX_TOKENS};
    *out = (mdf_session_prompt){0};
    p.token = mdf_alloc(p.room, sizeof *p.token);
    const mdf_status status = p.token == NULL
                                  ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a question")
                              : q->go_on ? read_turn(s, q, &p, out, err)
                                         : read_first(s, q, &p, out, err);
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

/* Question and answer are turns of the conversation now. Of the answer's tokens the decoder has
 * read the first ones, the last not. */
static mdf_status remember(mdf_session *s, const mdf_question *q, int64_t made, int64_t prompt,
                           mdf_error *err)
{
    if (s->engine->chat == NULL) {
        return MDF_OK;
    }
    const int64_t used = mdf_decoder_used(s->decoder) - prompt;
    MDF_TRY(mdf_conversation_read(&s->chat, (size_t)prompt, s->token,
                                  (size_t)(used < made ? used : made), err));
    mdf_strbuf words = mdf_strbuf_new(MDF_MAX_TEXT_BYTES);
    const mdf_strbuf *said = &s->said.text;
    mdf_status status = mdf_session_words(&words, q, err);
    if (status == MDF_OK) {
        status =
            mdf_conversation_say(&s->chat, words.data == NULL ? "" : words.data, words.len, err);
    }
    if (status == MDF_OK) {
        status =
            mdf_conversation_say(&s->chat, said->data == NULL ? "" : said->data, said->len, err);
        if (status != MDF_OK) { /* no question without an answer */
            mdf_conversation_take_back(&s->chat);
        }
    }
    mdf_strbuf_free(&words);
    return status;
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
    MDF_TRY(remember(s, q, made.count, prompt->count, err));
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
