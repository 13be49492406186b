/* mdf predict --ask: questions about photographs, answered in words as they come. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
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

static json_t *reply_json(const char *path, const char *question, const mdf_reply *r)
{
    static const char *const end[] = {[MDF_REPLY_COMPLETE] = "complete",
                                      [MDF_REPLY_CUT] = "cut",
                                      [MDF_REPLY_STOPPED] = "stopped"};
    json_t *token = json_array();
    for (int i = 0; i < r->token_count; i++) {
        (void)json_array_append_new(token, json_integer(r->token[i]));
    }
    return json_pack("{s:o, s:o, s:o, s:s, s:i, s:o, s:f, s:f, s:f}", "image",
                     path == NULL ? json_null() : app_json_string(path), "question",
                     app_json_string(question), "answer", app_json_bytes(r->text, r->text_bytes),
                     "end", end[r->end], "prompt_tokens", r->prompt_count, "tokens", token,
                     "picture_ms", r->picture_ms, "prompt_ms", r->prompt_ms, "answer_ms",
                     r->answer_ms);
}

/* Bytes that are not UTF-8, of a token that ends within a character, become U+FFFD. */
static json_t *shown_json(const char *path, const char *question, const mdf_shown_prompt *p)
{
    json_t *token = json_array();
    for (int i = 0; i < p->token_count; i++) {
        (void)json_array_append_new(token, json_pack("{s:i, s:o}", "id", (int)p->token[i], "text",
                                                     app_json_string(p->piece[i])));
    }
    return json_pack(
        "{s:o, s:o, s:o, s:o}", "image", path == NULL ? json_null() : app_json_string(path),
        "question", app_json_string(question), "prompt", app_json_string(p->text), "tokens", token);
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

static json_t *failure_json(const char *path, const char *question, const mdf_error *e)
{
    return json_pack("{s:o, s:o, s:o}", "image", path == NULL ? json_null() : app_json_string(path),
                     "question", question == NULL ? json_null() : app_json_string(question),
                     "error", app_json_string(e->text));
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

static mdf_status show_one(const round *r, const mdf_question *q, mdf_error *err)
{
    mdf_shown_prompt shown;
    MDF_TRY(mdf_session_show(r->session, q, &shown, err));
    if (r->a->json) {
        (void)json_array_append_new(r->list, shown_json(q->name, q->question, &shown));
    } else {
        print_shown(&shown);
    }
    return MDF_OK;
}

static mdf_status ask_one(const round *r, const mdf_question *q, mdf_error *err)
{
    mdf_reply reply;
    if (r->headed && !r->a->json) {
        (void)printf("%s%s%s\n", q->name == NULL ? "" : q->name, q->name == NULL ? "" : ": ",
                     q->question);
    }
    if (r->f->show_prompt) {
        return show_one(r, q, err);
    }
    const mdf_status status = mdf_session_ask(r->session, q, &reply, err);
    if (status != MDF_OK) {
        return status;
    }
    if (r->a->json) {
        (void)json_array_append_new(r->list, reply_json(q->name, q->question, &reply));
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

/* Every question about one picture (path NULL: none), which is looked at once. */
static mdf_status ask_about(const round *r, const char *path, mdf_error *err)
{
    uint8_t *bytes = NULL;
    mdf_question q = r->question;
    mdf_status status = MDF_OK;
    if (path != NULL) {
        status = app_picture_read(r->a, path, &bytes, &q.image_bytes, err);
        q.image = bytes;
        q.name = path;
    }
    if (status != MDF_OK) {
        (void)json_array_append_new(r->list, failure_json(path, NULL, err));
    }
    for (size_t i = 0; status == MDF_OK && i < r->f->ask.count; i++) {
        q.question = r->f->ask.item[i];
        q.same_image = i > 0;
        status = ask_one(r, &q, err);
        if (status != MDF_OK && status != MDF_ERR_STOPPED) {
            (void)json_array_append_new(r->list, failure_json(path, q.question, err));
        }
    }
    mdf_free(bytes);
    return status;
}

/* A picture that fails does not keep the others from being asked about. */
static mdf_status ask_each(const round *r, mdf_error *err)
{
    const size_t n = r->a->operands.count;
    size_t failed = 0;
    if (n < 2) {
        return ask_about(r, n == 0 ? NULL : r->a->operands.item[0], err);
    }
    for (size_t i = 0; i < n; i++) {
        const mdf_status status = ask_about(r, r->a->operands.item[i], err);
        if (status == MDF_ERR_STOPPED) {
            return status;
        }
        if (status != MDF_OK) {
            failed++;
            (void)fprintf(stderr, "mdf predict: %s\n", err->text);
        }
    }
    return failed == 0 ? MDF_OK
                       : mdf_fail(err, MDF_ERR_FORMAT, "%zu of %zu pictures failed", failed, n);
}

mdf_status predict_ask(const app *a, const predict_flags *f, predict_view view,
                       mdf_session *session, mdf_error *err)
{
    bool shown = !a->json;
    const size_t pictures = a->operands.count;
    round r = {.a = a,
               .f = f,
               .session = session,
               .headed = f->ask.count > 1 || pictures > 1,
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
