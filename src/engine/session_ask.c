/* Questions: photographs, text and question in, words out. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/session.h"
#include "nn/generate.h"

enum {
    USUAL_TOKENS = 512, /* of an answer */
    STEP = 512 /* a decoder's capacity is a multiple: longer questions seldom need another */
};

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
                           (tokens + STEP - 1) / STEP * STEP, s->engine->kv_type, err);
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

mdf_status mdf_session_read(mdf_session *s, const mdf_question *q, mdf_session_prompt *out,
                            mdf_error *err)
{
    mdf_prompt_tokens p = {.room = MDF_MAX_TOKENS};
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
