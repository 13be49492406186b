/* mdf predict --ask: questions about photographs, answered in words as they come. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "pictures.h"
#include "predict.h"

/* What a model says must not reach the terminal as a command: control characters but line break and
 * tab, and U+0080 to U+009F, become "?". The text holds whole characters. */
static void print_words(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char c = (unsigned char)text[i];
        const bool second = c == 0xC2 && i + 1 < bytes && (unsigned char)text[i + 1] < 0xA0;
        const bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F || second;
        (void)putchar(control ? '?' : c);
        i += second ? 1 : 0;
    }
    (void)fflush(stdout);
}

static bool on_text(void *user, const char *text, size_t bytes)
{
    const bool *shown = user; /* as text; false: with the JSON at the end */
    if (*shown) {
        print_words(text, bytes);
    }
    return true; /* the session looks at the signals' flag */
}

/* What a question is about: a picture or none, or several at once. */
typedef struct subject {
    const char *const *path; /* [count] */
    size_t count;
    bool together;
} subject;

static const char *subject_key(const subject *s)
{
    return s->together ? "images" : "image";
}

static json_t *subject_json(const subject *s)
{
    if (!s->together) {
        return s->count == 0 ? json_null() : app_json_string(s->path[0]);
    }
    json_t *list = json_array();
    for (size_t i = 0; i < s->count; i++) {
        (void)json_array_append_new(list, app_json_string(s->path[i]));
    }
    return list;
}

static json_t *reply_json(const subject *s, const char *question, const mdf_reply *r)
{
    static const char *const end[] = {[MDF_REPLY_COMPLETE] = "complete",
                                      [MDF_REPLY_CUT] = "cut",
                                      [MDF_REPLY_STOPPED] = "stopped"};
    json_t *token = json_array();
    for (int i = 0; i < r->token_count; i++) {
        (void)json_array_append_new(token, json_integer(r->token[i]));
    }
    return json_pack("{s:o, s:o, s:o, s:s, s:i, s:o, s:f, s:f, s:f}", subject_key(s),
                     subject_json(s), "question", app_json_string(question), "answer",
                     app_json_bytes(r->text, r->text_bytes), "end", end[r->end], "prompt_tokens",
                     r->prompt_count, "tokens", token, "picture_ms", r->picture_ms, "prompt_ms",
                     r->prompt_ms, "answer_ms", r->answer_ms);
}

/* Bytes that are not UTF-8, of a token that ends within a character, become U+FFFD. */
static json_t *shown_json(const subject *s, const char *question, const mdf_shown_prompt *p)
{
    json_t *token = json_array();
    for (int i = 0; i < p->token_count; i++) {
        (void)json_array_append_new(token, json_pack("{s:i, s:o}", "id", (int)p->token[i], "text",
                                                     app_json_string(p->piece[i])));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", subject_key(s), subject_json(s), "question",
                     app_json_string(question), "prompt", app_json_string(p->text), "tokens",
                     token);
}

/* On one line: line breaks and tabs as \n and \t, bytes of a cut character as \xHH. */
static void print_piece(const char *text)
{
    const size_t len = strlen(text);
    const bool whole = mdf_utf8_check((const uint8_t *)text, len) == len;
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == '\n' || c == '\t' || c == '\\') {
            (void)printf("\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : '\\');
        } else if (c >= 0x80 && !whole) {
            (void)printf("\\x%02x", c);
        } else {
            const size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
            print_words(text + i, n);
            i += n - 1;
        }
    }
}

/* The text, an empty line, and a line for each token: its number and its text. */
static void print_shown(const mdf_shown_prompt *p)
{
    print_words(p->text, strlen(p->text));
    (void)printf("\n\n");
    for (int i = 0; i < p->token_count; i++) {
        (void)printf("%d ", (int)p->token[i]);
        print_piece(p->piece[i]);
        (void)putchar('\n');
    }
}

static json_t *failure_json(const subject *s, const char *question, const mdf_error *e)
{
    return json_pack("{s:o, s:o, s:o}", subject_key(s), subject_json(s), "question",
                     question == NULL ? json_null() : app_json_string(question), "error",
                     app_json_string(e->text));
}

/* All that there is to ask. */
typedef struct round {
    const app *a;
    const predict_flags *f;
    mdf_session *session;
    mdf_question question; /* what all have in common */
    bool headed;           /* more than one answer: each says whose it is */
    json_t *list;          /* of replies, for --json */
} round;

/* Above an answer of several. */
static void print_head(const subject *s, const char *question)
{
    for (size_t i = 0; i < s->count; i++) {
        (void)printf("%s%s", s->path[i], i + 1 < s->count ? ", " : ": ");
    }
    (void)printf("%s\n", question);
}

static mdf_status show_one(const round *r, const subject *s, const mdf_question *q, mdf_error *err)
{
    mdf_shown_prompt shown;
    MDF_TRY(mdf_session_show(r->session, q, &shown, err));
    if (r->a->json) {
        (void)json_array_append_new(r->list, shown_json(s, q->question, &shown));
    } else {
        print_shown(&shown);
    }
    return MDF_OK;
}

static mdf_status ask_one(const round *r, const subject *s, const mdf_question *q, mdf_error *err)
{
    mdf_reply reply;
    if (r->headed && !r->a->json) {
        print_head(s, q->question);
    }
    if (r->f->show_prompt) {
        return show_one(r, s, q, err);
    }
    const mdf_status status = mdf_session_ask(r->session, q, &reply, err);
    if (status != MDF_OK) {
        return status;
    }
    if (r->a->json) {
        (void)json_array_append_new(r->list, reply_json(s, q->question, &reply));
    } else {
        (void)printf(r->headed ? "\n\n" : "\n");
    }
    if (reply.end == MDF_REPLY_STOPPED) {
        return mdf_fail(err, MDF_ERR_STOPPED, "stopped after %d tokens", reply.token_count);
    }
    if (reply.end == MDF_REPLY_CUT) {
        app_say(r->a, "the answer was cut off after %d tokens", reply.token_count);
    }
    return MDF_OK;
}

/* Every question about a subject, whose pictures are in photo. */
static mdf_status ask_all(const round *r, const subject *s, const mdf_photo *photo, mdf_error *err)
{
    mdf_question q = r->question;
    mdf_status status = MDF_OK;
    q.photo = photo;
    q.photo_count = s->count;
    for (size_t i = 0; status == MDF_OK && i < r->f->ask.count; i++) {
        q.question = r->f->ask.item[i];
        q.same_image = i > 0;
        if (r->f->session != NULL && (i > 0 || r->f->resumes)) { /* the next turn */
            q.go_on = true;
            q.photo_count = 0;
            q.system = NULL;
            q.text = i > 0 ? NULL : q.text;
        }
        status = ask_one(r, s, &q, err);
        if (status != MDF_OK && status != MDF_ERR_STOPPED) {
            (void)json_array_append_new(r->list, failure_json(s, q.question, err));
        }
    }
    return status;
}

/* Reads a subject's pictures, MDF_MAX_PHOTOS at most, and asks; they are looked at once. */
static mdf_status ask_about(const round *r, const subject *s, mdf_error *err)
{
    uint8_t *bytes[MDF_MAX_PHOTOS] = {NULL};
    mdf_photo photo[MDF_MAX_PHOTOS];
    memset(photo, 0, sizeof photo);
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < s->count; i++) {
        photo[i].name = s->path[i];
        status = app_picture_read(r->a, s->path[i], &bytes[i], &photo[i].image_bytes, err);
        photo[i].image = bytes[i];
    }
    if (status == MDF_OK) {
        status = ask_all(r, s, photo, err);
    } else {
        (void)json_array_append_new(r->list, failure_json(s, NULL, err));
    }
    for (size_t i = 0; i < s->count; i++) {
        mdf_free(bytes[i]);
    }
    return status;
}

/* A picture that fails does not keep the others from being asked about, but where they are asked
 * about together. */
static mdf_status ask_each(const round *r, mdf_error *err)
{
    const arg_list *all = &r->a->operands;
    size_t failed = 0;
    if (all->count < 2 || r->f->together) {
        return ask_about(r, &(subject){all->item, all->count, r->f->together}, err);
    }
    for (size_t i = 0; i < all->count; i++) {
        const mdf_status status = ask_about(r, &(subject){&all->item[i], 1, false}, err);
        if (status == MDF_ERR_STOPPED) {
            return status;
        }
        if (status != MDF_OK) {
            failed++;
            (void)fprintf(stderr, "mdf predict: %s\n", err->text);
        }
    }
    return failed == 0
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_FORMAT, "%zu of %zu pictures failed", failed, all->count);
}

mdf_status predict_ask(const app *a, const predict_flags *f, predict_view view,
                       mdf_session *session, mdf_error *err)
{
    bool shown = !a->json;
    const size_t pictures = a->operands.count;
    round r = {.a = a,
               .f = f,
               .session = session,
               .headed = f->ask.count > 1 || (pictures > 1 && !f->together),
               .question = {.text = f->text,
                            .system = f->system,
                            .view = view.view,
                            .tiles = view.tiles,
                            .max_tokens = (int)f->max_tokens,
                            .sample = f->sample,
                            .temperature = f->temperature,
                            .top_p = f->top_p,
                            .top_k = (int)f->top_k,
                            .seed = (uint64_t)a->seed,
                            .on_text = on_text,
                            .user = &shown},
               .list = json_array()};
    const mdf_status status = ask_each(&r, err);
    if (!a->json || json_array_size(r.list) == 0) {
        json_decref(r.list);
        return status;
    }
    mdf_error print_err = {0};
    const mdf_status printed = app_print_json(r.list, &print_err);
    if (status == MDF_OK && printed != MDF_OK) {
        *err = print_err;
        return printed;
    }
    return status;
}
