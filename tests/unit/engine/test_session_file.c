/* Conversations that are saved and resumed: the same bits as without a break, and, to rounding,
 * what reading the whole of it afresh gives; files that are damaged or belong elsewhere. */
#include "unit/engine/ask_golden.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "engine/session_file.h"
#include "support/folder.h"
#include "support/near.h"

static const char *const question[] = {"What is this?", "Which eye is it?", "And now?"};

enum { QUESTIONS = sizeof question / sizeof question[0] };

/* What a turn said, and the logits that it ended with. */
typedef struct turn {
    int32_t token[TOKENS];
    int count, prompt;
    float logit[1024];
    size_t logits;
} turn;

/* A model's session, and photographs for the first question. */
typedef struct talker {
    model m;
    mdf_photo photo[2];
    size_t photos;
} talker;

typedef struct setting {
    const char *model;
    const char *photo[2];
    mdf_kv_type type;
    const char *system, *chat_template;
} setting;

static void open_talker(talker *t, const setting *s)
{
    mdf_error err = {0};
    *t = (talker){.photos = 0};
    const mdf_engine_options opt = {.model_dir = s->model,
                                    .labels_optional = true,
                                    .chat_template = s->chat_template,
                                    .kv_type = s->type};
    if (mdf_engine_open(&t->m.engine, &opt, &err) != MDF_OK ||
        mdf_session_new(&t->m.session, t->m.engine, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    for (size_t i = 0; i < 2 && s->photo[i] != NULL; i++, t->photos++) {
        t->photo[i].image = read_picture(s->photo[i], &t->photo[i].image_bytes);
        t->photo[i].name = s->photo[i];
    }
}

static void close_talker(talker *t)
{
    for (size_t i = 0; i < t->photos; i++) {
        mdf_free((void *)(uintptr_t)t->photo[i].image);
    }
    close_model(&t->m);
}

static mdf_question question_of(const talker *t, const setting *s, int i)
{
    mdf_question q = {.question = question[i], .max_tokens = TOKENS, .go_on = i > 0};
    if (i == 0) {
        q.photo = t->photo;
        q.photo_count = t->photos;
        q.system = s->system;
        q.text = "Left eye.";
    }
    return q;
}

static void ask(talker *t, const setting *s, int i, turn *out)
{
    mdf_reply r;
    mdf_error err = {0};
    const mdf_question q = question_of(t, s, i);
    if (mdf_session_ask(t->m.session, &q, &r, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    assert_in_range(r.token_count, 1, TOKENS);
    *out = (turn){.count = r.token_count, .prompt = r.prompt_count};
    memcpy(out->token, r.token, (size_t)r.token_count * sizeof *r.token);
    const mdf_decoder *d = t->m.session->decoder;
    out->logits = (size_t)mdf_decoder_vocabulary(d);
    assert_in_range(out->logits, 1, 1024);
    for (size_t k = 0; k < out->logits; k++) {
        out->logit[k] = (float)mdf_decoder_logits(d)[k];
    }
}

static void save(const talker *t, const char *path)
{
    mdf_error err = {0};
    if (mdf_session_save(t->m.session, path, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

static void load(const talker *t, const char *path)
{
    mdf_error err = {0};
    if (mdf_session_load(t->m.session, path, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

static const setting settings[] = {
    {.model = GOLDEN "vision", .photo = {"wide.png"}},
    {.model = GOLDEN "vision", .photo = {"high.png", "small.png"}, .type = MDF_KV_F32},
    {.model = GOLDEN "vision", .type = MDF_KV_BF16},
    {.model = GOLDEN "text", .system = "Be brief."},
    {.model = GOLDEN "text", .type = MDF_KV_BF16},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* Each turn in a session of its own, against all of them in one. */
static void a_resumed_conversation_is_the_same_to_the_bit(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    char *path = mdf_path_join(f.path, "talk");
    for (int k = 0; k < SETTINGS; k++) {
        const setting *s = &settings[k];
        turn whole[QUESTIONS];
        talker t;
        open_talker(&t, s);
        for (int i = 0; i < QUESTIONS; i++) {
            ask(&t, s, i, &whole[i]);
        }
        close_talker(&t);
        for (int i = 0; i < QUESTIONS; i++) {
            turn alone;
            open_talker(&t, s);
            if (i > 0) {
                load(&t, path);
            }
            ask(&t, s, i, &alone);
            assert_memory_equal(&alone, &whole[i], sizeof alone);
            save(&t, path);
            close_talker(&t);
        }
    }
    mdf_free(path);
    test_folder_remove(&f);
}

/* More room for a conversation changes none of its numbers. */
static void room_is_made_in_the_middle(void **state)
{
    (void)state;
    const setting *s = &settings[0];
    turn before[2];
    turn after[2];
    talker t;
    open_talker(&t, s);
    ask(&t, s, 0, &before[0]);
    ask(&t, s, 1, &before[1]);
    ask(&t, s, 0, &after[0]);
    assert_int_equal(mdf_decoder_reserve(t.m.session->decoder, 2000, NULL), MDF_OK);
    assert_int_equal(mdf_decoder_capacity(t.m.session->decoder), 2000);
    ask(&t, s, 1, &after[1]);
    assert_memory_equal(before, after, sizeof before);
    close_talker(&t);
}

/* Where the image tokens stand in a prompt. */
static int find_images(const int32_t *token, int count, int32_t image, int32_t *at)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (token[i] == image) {
            at[n++] = i;
        }
    }
    return n;
}

/* The logits that a new decoder has when it has read the tokens in one go, with the pictures that
 * the session saw. */
static void read_afresh(const mdf_session *s, const int32_t *token, int count, float *logit)
{
    const mdf_engine *e = s->engine;
    mdf_decoder *d = NULL;
    mdf_error err = {0};
    int32_t at[MDF_MAX_PHOTOS];
    const int32_t len = count;
    const int32_t images =
        find_images(token, count, mdf_tokenizer_special(e->tokenizer, MDF_IMAGE_TOKEN), at);
    const mdf_batch b = {.cases = 1,
                         .vision_image = images > 0 ? s->view.tile : NULL,
                         .image_count = &images,
                         .aspect_ratio_id = s->view.id,
                         .image_at = at,
                         .prompt = token,
                         .prompt_len = &len};
    assert_int_equal(images, s->view.photos);
    if (mdf_decoder_new(&d, e->model, s->kernels, 512, e->kv_type, &err) != MDF_OK ||
        mdf_decoder_prompt(d, &b, false, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    for (int64_t i = 0; i < mdf_decoder_vocabulary(d); i++) {
        logit[i] = (float)mdf_decoder_logits(d)[i];
    }
    mdf_decoder_free(d);
}

/* A template that says first how many messages there are: every turn is another text from its
 * second token on. */
static const char rewriting[] =
    "{{ bos_token }}{{ messages | length }} {% for m in messages %}{{ m.role }}: "
    "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}"
    "{{ '<|image|>' if p.type == 'image' else p.text }}{% endfor %}{% endif %}<|eot_id|>"
    "{% endfor %}{{ 'assistant: ' if add_generation_prompt }}";

/* Tokens exactly; logits to what float sums in another order change (of numbers up to about 10). */
static void a_turn_is_what_reading_all_of_it_afresh_gives(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    char *path = mdf_path_join(f.path, "talk");
    char *jinja = mdf_path_join(f.path, "chat.jinja");
    assert_int_equal(mdf_file_write(jinja, rewriting, sizeof rewriting - 1, NULL), MDF_OK);
    for (int k = 0; k < 2 * SETTINGS; k++) {
        setting s = settings[k % SETTINGS];
        s.type = MDF_KV_F32;
        s.chat_template = k < SETTINGS ? NULL : jinja;
        talker t;
        turn said;
        float afresh[1024];
        mdf_reply r;
        mdf_shown_prompt shown;
        open_talker(&t, &s);
        mdf_session *session = t.m.session;
        ask(&t, &s, 0, &said);
        const size_t known = session->chat.tokens;
        assert_int_equal(known, said.prompt + said.count - 1);
        save(&t, path);
        load(&t, path);
        mdf_question q = question_of(&t, &s, 1);
        q.max_tokens = 1;
        assert_int_equal(mdf_session_show(session, &q, &shown, NULL), MDF_OK);
        const size_t common =
            mdf_conversation_common(&session->chat, shown.token, (size_t)shown.token_count);
        if (k < SETTINGS) { /* all of the prompt at least; words may be other tokens than said */
            assert_in_range(common, said.prompt, known);
        } else {
            assert_int_equal(common, 1);
        }
        assert_int_equal(mdf_session_ask(session, &q, &r, NULL), MDF_OK);
        assert_int_equal(r.prompt_count, shown.token_count);
        assert_int_equal(session->chat.tokens, shown.token_count);
        assert_memory_equal(session->chat.token, shown.token,
                            (size_t)shown.token_count * sizeof *shown.token);
        read_afresh(session, shown.token, shown.token_count, afresh);
        float largest = 0;
        for (int64_t i = 0; i < mdf_decoder_vocabulary(session->decoder); i++) {
            assert_near((double)mdf_decoder_logits(session->decoder)[i], (double)afresh[i], 2e-5);
            largest = fmaxf(largest, fabsf(afresh[i]));
        }
        assert_true(largest > 0.1F);
        close_talker(&t);
    }
    mdf_free(jinja);
    mdf_free(path);
    test_folder_remove(&f);
}

static void expect_not_loaded(const talker *t, const char *path, mdf_status want,
                              const char *sentence)
{
    mdf_error err = {0};
    assert_int_equal(mdf_session_load(t->m.session, path, &err), want);
    assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
    if (strstr(err.text, sentence) == NULL) {
        fail_msg("%s", err.text);
    }
}

/* The session that failed to read a file goes on with the conversation that it had. */
static void files_of_others_are_refused(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    char *path = mdf_path_join(f.path, "talk");
    char *none = mdf_path_join(f.path, "none");
    const setting half = settings[3];
    setting full = half;
    turn want;
    turn got;
    talker t;
    talker other;
    full.type = MDF_KV_F32;
    open_talker(&t, &half);
    ask(&t, &half, 0, &want);
    save(&t, path);
    ask(&t, &half, 1, &want);
    close_talker(&t);

    open_talker(&other, &settings[0]);
    expect_not_loaded(&other, path, MDF_ERR_ARG, ": belongs to another model (text, ");
    close_talker(&other);
    open_talker(&other, &full);
    expect_not_loaded(&other, path, MDF_ERR_ARG,
                      ": its keys and values are kept as F16, not as F32: --kv-type must be that");
    close_talker(&other);

    open_talker(&t, &half);
    ask(&t, &half, 0, &got);
    expect_not_loaded(&t, none, MDF_ERR_IO, "no such file");
    expect_not_loaded(&t, GOLDEN "text/model.safetensors", MDF_ERR_FORMAT,
                      ": it is no session of mdf");
    expect_not_loaded(&t, GOLDEN "text/config.json", MDF_ERR_FORMAT,
                      ": damaged, or no session of mdf: ");
    ask(&t, &half, 1, &got);
    assert_memory_equal(&got, &want, sizeof got);
    close_talker(&t);
    mdf_free(none);
    mdf_free(path);
    test_folder_remove(&f);
}

/* Every seventh length, and every byte of the header and every thirteenth behind it with one bit
 * turned. */
static void damage_is_found(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    char *path = mdf_path_join(f.path, "talk");
    const setting *s = &settings[0];
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_safetensors st;
    talker t;
    turn said;
    open_talker(&t, s);
    ask(&t, s, 0, &said);
    save(&t, path);
    assert_int_equal(mdf_file_read(path, 1 << 20, &bytes, &len, NULL), MDF_OK);
    assert_int_equal(mdf_safetensors_parse(&st, bytes, len, "talk", NULL), MDF_OK);
    assert_int_equal(mdf_saved_check_sum(&st, NULL), MDF_OK);
    mdf_safetensors_close(&st);
    for (size_t n = 0; n < len; n += 7) {
        uint8_t *cut = mdf_alloc_raw(n + 1);
        memcpy(cut, bytes, n);
        assert_int_equal(mdf_safetensors_parse(&st, cut, n, "talk", NULL), MDF_ERR_FORMAT);
        mdf_free(cut);
    }
    const size_t header = (size_t)(bytes[0] | bytes[1] << 8 | bytes[2] << 16) + 8;
    assert_in_range(header, 1000, len - 1000);
    for (size_t i = 0; i < len; i += i < header ? 1 : 13) {
        mdf_error err = {0};
        bytes[i] ^= 1;
        mdf_status status = mdf_safetensors_parse(&st, bytes, len, "talk", &err);
        if (status == MDF_OK) {
            status = mdf_saved_check_sum(&st, &err);
            mdf_safetensors_close(&st);
        }
        if (status == MDF_OK) {
            fail_msg("byte %zu is not missed", i);
        }
        bytes[i] ^= 1;
    }
    assert_int_equal(mdf_file_write(path, bytes, len / 2, NULL), MDF_OK);
    expect_not_loaded(&t, path, MDF_ERR_FORMAT, ": damaged, or no session of mdf: ");
    bytes[len - 1] ^= 1;
    assert_int_equal(mdf_file_write(path, bytes, len, NULL), MDF_OK);
    expect_not_loaded(&t, path, MDF_ERR_FORMAT, ": damaged: its bytes are not those that were");
    mdf_free(bytes);
    close_talker(&t);
    mdf_free(path);
    test_folder_remove(&f);
}

static void expect_refused(talker *t, const mdf_question *q, const char *sentence)
{
    mdf_reply r;
    mdf_error err = {0};
    assert_int_equal(mdf_session_ask(t->m.session, q, &r, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, sentence);
}

static void what_is_no_conversation_is_refused(void **state)
{
    (void)state;
    mdf_error err = {0};
    turn said;
    talker t;
    open_talker(&t, &settings[0]);
    assert_int_equal(mdf_session_save(t.m.session, "/nowhere/talk", &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "there is no conversation to save");
    mdf_question q = question_of(&t, &settings[0], 1);
    expect_refused(&t, &q, "there is no conversation that could go on");
    ask(&t, &settings[0], 0, &said);
    q.photo = t.photo;
    q.photo_count = 1;
    expect_refused(&t, &q,
                   "a conversation that goes on takes no photograph: that stands at its beginning");
    q.photo_count = 0;
    q.system = "Be brief.";
    expect_refused(
        &t, &q,
        "a conversation that goes on takes no system message: that stands at its beginning");
    assert_int_equal(mdf_session_save(t.m.session, "/nowhere/talk", &err), MDF_ERR_IO);
    close_talker(&t);
}

/* Both numbers, before any of it is taken; 4 layers of 2 heads of 8 numbers, F16, keys and values:
 * 256 bytes a token, 512 tokens at least. */
static void more_than_there_is_memory_for_is_refused(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    char *path = mdf_path_join(f.path, "talk");
    const setting *s = &settings[3];
    mdf_error err = {0};
    mdf_reply r;
    turn said;
    talker t;
    open_talker(&t, s);
    const mdf_question q = question_of(&t, s, 0);
    t.m.session->memory = 131071;
    assert_int_equal(mdf_session_ask(t.m.session, &q, &r, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text,
                        "keys and values of 512 more tokens of text and 0 of pictures take 0.1 MB, "
                        "but 0.1 MB of memory are free: ask for fewer tokens (--max-tokens), or "
                        "keep them in a smaller type (--kv-type)");
    assert_null(t.m.session->decoder);
    t.m.session->memory = 131072;
    ask(&t, s, 0, &said);
    save(&t, path);
    assert_int_equal(mdf_session_load(t.m.session, path, &err), MDF_ERR_LIMIT);
    assert_non_null(strstr(err.text, "but 0.1 MB of memory are free"));
    close_talker(&t);
    mdf_free(path);
    test_folder_remove(&f);
}

/* A model that says that it can remember two thousand million tokens: a terabyte of floats, which
 * this machine hardly has. */
static void an_absurd_model_is_told_what_there_is(void **state)
{
    (void)state;
    const setting s = {.model = GOLDEN "text", .type = MDF_KV_F32};
    mdf_error err = {0};
    mdf_reply r;
    talker t;
    open_talker(&t, &s);
    t.m.engine->model->config.text.max_position_embeddings = 2000000000;
    mdf_question q = question_of(&t, &s, 0);
    q.max_tokens = 1999990000;
    if (mdf_memory_available() < 1000000000000) {
        assert_int_equal(mdf_session_ask(t.m.session, &q, &r, &err), MDF_ERR_LIMIT);
        assert_non_null(strstr(err.text, "more tokens of text and 0 of pictures take 102399"));
    }
    close_talker(&t);
}

/* Whatever allocation fails, there is an error and no leak, and the session goes on. */
static void without_memory_there_is_an_error(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    char *path = mdf_path_join(f.path, "talk");
    const setting *s = &settings[0];
    mdf_status status = MDF_ERR_NOMEM;
    turn want;
    turn got;
    talker t;
    open_talker(&t, s);
    ask(&t, s, 0, &want);
    for (long n = 1; status != MDF_OK; n++) {
        mdf_alloc_fail_after(n);
        status = mdf_session_save(t.m.session, path, NULL);
        mdf_alloc_fail_after(0);
        assert_true(status == MDF_OK || status == MDF_ERR_NOMEM);
    }
    status = MDF_ERR_NOMEM;
    for (long n = 1; status != MDF_OK; n++) {
        mdf_alloc_fail_after(n);
        status = mdf_session_load(t.m.session, path, NULL);
        mdf_alloc_fail_after(0);
        assert_true(status == MDF_OK || status == MDF_ERR_NOMEM);
    }
    ask(&t, s, 1, &got);
    close_talker(&t);
    open_talker(&t, s);
    ask(&t, s, 0, &want);
    ask(&t, s, 1, &want);
    assert_memory_equal(&got, &want, sizeof got);
    close_talker(&t);
    mdf_free(path);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_conversation_is_the_same_to_the_bit),
        cmocka_unit_test(room_is_made_in_the_middle),
        cmocka_unit_test(a_turn_is_what_reading_all_of_it_afresh_gives),
        cmocka_unit_test(files_of_others_are_refused),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(what_is_no_conversation_is_refused),
        cmocka_unit_test(more_than_there_is_memory_for_is_refused),
        cmocka_unit_test(an_absurd_model_is_told_what_there_is),
        cmocka_unit_test(without_memory_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
