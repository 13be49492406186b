/* Questions: from the picture's file to the answer's words, against transformers
 * (tests/golden/ask). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "nn/answer.h"
#include "support/eye.h"
#include "support/near.h"
#include "unit/engine/ask_golden.h"

/* bytes must be freed. */
static mdf_question question_of(const json_t *row, uint8_t **bytes)
{
    const char *picture = json_string_value(json_object_get(row, "picture"));
    mdf_question q = {.text = json_string_value(json_object_get(row, "text")),
                      .question = json_string_value(json_object_get(row, "question")),
                      .max_tokens = TOKENS};
    *bytes = NULL;
    if (picture != NULL) {
        *bytes = read_picture(picture, &q.image_bytes);
        q.image = *bytes;
        q.name = picture;
    }
    return q;
}

static json_t *read_rows(void)
{
    json_t *rows = json_load_file(GOLDEN "answers.json", 0, NULL);
    assert_int_equal(json_array_size(rows), 7);
    return rows;
}

static void answers_are_those_of_transformers(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = json_string_value(json_object_get(row, "model"));
        const bool lora = strcmp(name, "lora") == 0;
        model m;
        uint8_t *bytes = NULL;
        mdf_error err = {0};
        mdf_reply r;
        open_model(&m, strcmp(name, "text") == 0 ? GOLDEN "text" : GOLDEN "vision",
                   lora ? GOLDEN "lora" : NULL);
        const mdf_question q = question_of(row, &bytes);
        if (mdf_session_ask(m.session, &q, &r, &err) != MDF_OK) {
            fail_msg("%s", err.text);
        }
        expect_reply(&r, row);
        assert_int_equal(r.end, MDF_REPLY_CUT);
        mdf_free(bytes);
        close_model(&m);
    }
    json_decref(rows);
}

/* Questions one after the other: with and without a picture, about the one before or another. */
static void a_question_does_not_depend_on_those_before(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    model m;
    open_model(&m, GOLDEN "vision", NULL);
    static const struct {
        int row;
        bool same, kept;
    } step[] = {{0, false, false}, {0, true, true}, {3, false, false}, {0, true, false},
                {1, false, false}, {1, true, true}, {2, false, false}, {0, false, false}};
    for (size_t i = 0; i < sizeof step / sizeof step[0]; i++) {
        const json_t *row = json_array_get(rows, (size_t)step[i].row);
        uint8_t *bytes = NULL;
        mdf_question q = question_of(row, &bytes);
        mdf_reply r;
        q.same_image = step[i].same;
        if (step[i].same) {
            q.image = ""; /* is not looked at again */
            q.image_bytes = 0;
        }
        assert_int_equal(mdf_session_ask(m.session, &q, &r, NULL), MDF_OK);
        expect_reply(&r, row);
        mdf_free(bytes);
    }
    close_model(&m);
    json_decref(rows);
}

typedef struct heard {
    char text[1024];
    size_t len;
    int calls, most;
} heard;

static bool hear(void *user, const char *text, size_t bytes)
{
    heard *h = user;
    assert_true(h->len + bytes < sizeof h->text);
    memcpy(h->text + h->len, text, bytes);
    h->len += bytes;
    h->text[h->len] = '\0';
    return ++h->calls < h->most;
}

static void words_come_one_after_the_other_and_can_be_stopped(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    model m;
    open_model(&m, GOLDEN "text", NULL);
    uint8_t *bytes = NULL;
    const json_t *row = json_array_get(rows, 6);
    mdf_question q = question_of(row, &bytes);
    mdf_reply r;
    heard all = {.most = 1000};
    heard some = {.most = 3};
    q.on_text = hear;
    q.user = &all;
    assert_int_equal(mdf_session_ask(m.session, &q, &r, NULL), MDF_OK);
    assert_int_equal(all.len, r.text_bytes);
    assert_memory_equal(all.text, r.text, r.text_bytes);
    assert_int_equal(all.calls, TOKENS + 1); /* and the end */
    q.user = &some;
    assert_int_equal(mdf_session_ask(m.session, &q, &r, NULL), MDF_OK);
    assert_int_equal(r.end, MDF_REPLY_STOPPED);
    assert_int_equal(r.token_count, 3);
    assert_string_equal(some.text, r.text);
    assert_memory_equal(all.text, r.text, strlen(r.text));
    close_model(&m);
    json_decref(rows);
}

static volatile sig_atomic_t stop;

static bool stop_at_four(void *user, const char *text, size_t bytes)
{
    int *calls = user;
    (void)text;
    (void)bytes;
    stop = ++*calls >= 4;
    return true;
}

/* Before the first token the call fails; then the answer so far is kept. */
static void a_session_can_be_stopped_from_outside(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    model m;
    mdf_error err = {0};
    int calls = 0;
    uint8_t *bytes = NULL;
    mdf_reply r;
    open_model(&m, GOLDEN "vision", NULL);
    mdf_question q = question_of(json_array_get(rows, 0), &bytes);
    mdf_session_watch(m.session, &stop);
    stop = 2;
    assert_int_equal(mdf_session_ask(m.session, &q, &r, &err), MDF_ERR_STOPPED);
    assert_string_equal(err.text, "model: stopped by the user");
    stop = 0;
    q.on_text = stop_at_four;
    q.user = &calls;
    assert_int_equal(mdf_session_ask(m.session, &q, &r, &err), MDF_OK);
    assert_int_equal(r.end, MDF_REPLY_STOPPED);
    assert_int_equal(r.token_count, 4);
    stop = 0;
    q.on_text = NULL;
    assert_int_equal(mdf_session_ask(m.session, &q, &r, &err), MDF_OK);
    expect_reply(&r, json_array_get(rows, 0));
    mdf_free(bytes);
    close_model(&m);
    json_decref(rows);
}

/* generation_config.json's end tokens, not only those of config.json; and the one that ends a turn.
 */
static void the_folders_end_tokens_end_it(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    model m;
    open_model(&m, GOLDEN "text", NULL);
    uint8_t *bytes = NULL;
    const json_t *row = json_array_get(rows, 6);
    const json_t *token = json_object_get(row, "tokens");
    const mdf_question q = question_of(row, &bytes);
    mdf_reply r;
    assert_int_equal(m.engine->generation.eos_count, 2);
    assert_true(m.engine->generation.sample);
    m.engine->generation.eos_token_id[1] = (int)json_integer_value(json_array_get(token, 3));
    assert_int_equal(mdf_session_ask(m.session, &q, &r, NULL), MDF_OK);
    assert_int_equal(r.end, MDF_REPLY_COMPLETE);
    assert_int_equal(r.token_count, 4);
    close_model(&m);
    json_decref(rows);
}

/* The sequence of tokens that a question gives. */
static void draw(const model *m, mdf_question q, int32_t token[TOKENS])
{
    mdf_reply r;
    assert_int_equal(mdf_session_ask(m->session, &q, &r, NULL), MDF_OK);
    assert_int_equal(r.token_count, TOKENS);
    memcpy(token, r.token, TOKENS * sizeof *token);
}

static void tokens_are_drawn_on_demand_by_the_seed(void **state)
{
    (void)state;
    model m;
    int32_t greedy[TOKENS];
    int32_t a[TOKENS];
    int32_t b[TOKENS];
    open_model(&m, GOLDEN "text", NULL);
    m.engine->generation.eos_count = 0;
    mdf_question q = {.question = "Say something.", .max_tokens = TOKENS};
    draw(&m, q, greedy);
    q.sample = true;
    q.seed = 3;
    m.engine->generation.temperature = 5;
    m.engine->generation.top_p = 1;
    draw(&m, q, a);
    draw(&m, q, b);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, greedy, sizeof a);
    q.seed = 4;
    draw(&m, q, b);
    assert_memory_not_equal(a, b, sizeof a);
    q.top_k = 1; /* leaves the likeliest */
    draw(&m, q, b);
    assert_memory_equal(greedy, b, sizeof b);
    q.top_k = 0;
    q.top_p = 1e-6;
    draw(&m, q, b);
    assert_memory_equal(greedy, b, sizeof b);
    q = (mdf_question){.question = "Say something.", .max_tokens = TOKENS, .temperature = 5};
    q.seed = 3;
    draw(&m, q, b);
    assert_memory_equal(a, b, sizeof b);
    close_model(&m);
}

static void expect_refused(const model *m, mdf_question q, mdf_status want, const char *sentence)
{
    mdf_reply r = {.token_count = 77};
    mdf_error err = {0};
    assert_int_equal(mdf_session_ask(m->session, &q, &r, &err), want);
    assert_string_equal(err.text, sentence);
    assert_int_equal(r.token_count, 77);
}

static void what_can_not_be_asked_is_refused(void **state)
{
    (void)state;
    static char longer[10000];
    model text;
    model vision;
    mdf_result result;
    mdf_error err = {0};
    open_model(&text, GOLDEN "text", NULL);
    open_model(&vision, GOLDEN "vision", NULL);
    memset(longer, 'x', sizeof longer - 1);
    expect_refused(&text, (mdf_question){.question = ""}, MDF_ERR_ARG, "the question is empty");
    expect_refused(&text, (mdf_question){.text = "x"}, MDF_ERR_ARG, "the question is empty");
    expect_refused(&text, (mdf_question){.question = "a\xFF"}, MDF_ERR_FORMAT,
                   "the question is not UTF-8");
    expect_refused(&text, (mdf_question){.question = "a", .text = "\xC3"}, MDF_ERR_FORMAT,
                   "the text is not UTF-8");
    expect_refused(&text, (mdf_question){.question = "a", .image = "x", .image_bytes = 1},
                   MDF_ERR_ARG, "picture: this model reads text only: it has no vision tower");
    expect_refused(&vision,
                   (mdf_question){.question = "a", .image = "x", .image_bytes = 1, .name = "eye"},
                   MDF_ERR_FORMAT,
                   "eye: not a JPEG, PNG, TIFF, WebP or GIF picture (it looks like a text file)");
    expect_refused(&text, (mdf_question){.question = longer}, MDF_ERR_LIMIT,
                   "text and question have more than 8192 bytes, or out of memory");
    longer[3000] = '\0';
    assert_int_equal(
        mdf_session_ask(text.session, &(mdf_question){.question = longer}, &(mdf_reply){0}, &err),
        MDF_ERR_LIMIT);
    assert_non_null(strstr(err.text, "tokens, but the model can remember no more than 256"));
    assert_int_equal(mdf_session_classify(text.session, &(mdf_case){.image = ""}, &result, &err),
                     MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "this model has no labels to choose from; it can be asked for words");
    close_model(&text);
    close_model(&vision);
}

/* As much as the model can remember: 256 tokens with the prompt. */
static void an_answer_ends_where_the_model_does(void **state)
{
    (void)state;
    model m;
    mdf_reply r;
    open_model(&m, GOLDEN "text", NULL);
    m.engine->generation.eos_count = 0;
    const mdf_question q = {.question = "Say something.", .max_tokens = 100000};
    assert_int_equal(mdf_session_ask(m.session, &q, &r, NULL), MDF_OK);
    assert_true(r.end != MDF_REPLY_STOPPED);
    assert_true(r.prompt_count + r.token_count <= 256);
    assert_true(r.end == MDF_REPLY_COMPLETE || r.prompt_count + r.token_count == 256);
    close_model(&m);
}

static mdf_image draw_eye(void)
{
    mdf_image eye = {0};
    assert_int_equal(mdf_image_new(&eye, 400, 340, NULL), MDF_OK);
    eye_draw(&eye, 207, 167, 160, 1.0);
    return eye;
}

/* A model with labels is asked in the form of its training, about the crop in one tile: what its
 * decoder has read then scores the labels as classifying does. */
static void a_model_with_labels_reads_what_it_classifies(void **state)
{
    (void)state;
    model m;
    mdf_error err = {0};
    mdf_result want;
    mdf_image eye = draw_eye();
    uint8_t *png = NULL;
    size_t len = 0;
    open_model(&m, MDF_TEST_DATA "/golden/model", NULL);
    assert_int_equal(mdf_png_encode(&png, &len, eye.rgb, eye.width, eye.height, 3, NULL), MDF_OK);
    const char *text = "63-year-old female.";
    const mdf_case c = {.image = png, .image_bytes = len, .text = text};
    const mdf_question q = {.image = png, .image_bytes = len, .text = text};
    mdf_session_prompt prompt;
    assert_int_equal(mdf_session_classify(m.session, &c, &want, &err), MDF_OK);
    if (mdf_session_read(m.session, &q, &prompt, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    mdf_real score[MDF_MAX_LABELS];
    assert_int_equal(mdf_decoder_score(m.session->decoder, &m.session->buffer.tree, score, &err),
                     MDF_OK);
    const double t = m.engine->model->config.answer.temperature;
    for (int k = 1; k < want.label_count; k++) { /* ratios of probabilities */
        const double ratio = log((double)want.prob[k] / (double)want.prob[0]);
        assert_near((double)(score[k] - score[0]) / t, ratio, 2e-4);
    }
    mdf_reply r;
    mdf_question asked = q;
    asked.question = "Which disease?";
    asked.max_tokens = 5;
    assert_int_equal(mdf_session_ask(m.session, &asked, &r, &err), MDF_OK);
    assert_true(r.token_count >= 1);
    mdf_free(png);
    mdf_image_free(&eye);
    close_model(&m);
}

/* Bytes of the keys and values behind one question. */
static size_t cache_bytes(mdf_kv_type type)
{
    mdf_engine *engine = NULL;
    mdf_session *session = NULL;
    mdf_error err = {0};
    mdf_reply r;
    mdf_engine_options opt = {.model_dir = GOLDEN "text", .labels_optional = true};
    if (type != MDF_KV_F16) {
        opt.kv_type = type;
    }
    const mdf_question q = {.question = "What is the macula?", .max_tokens = 2};
    if (mdf_engine_open(&engine, &opt, &err) != MDF_OK ||
        mdf_session_new(&session, engine, &err) != MDF_OK ||
        mdf_session_ask(session, &q, &r, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    const size_t bytes = mdf_decoder_cache_bytes(session->decoder);
    mdf_session_free(session);
    mdf_engine_close(engine);
    return bytes;
}

static void keys_are_halves_unless_told_otherwise(void **state)
{
    (void)state;
    const size_t floats = cache_bytes(MDF_KV_F32);
    assert_true(floats > 0);
    assert_int_equal(cache_bytes(MDF_KV_F16) * 2, floats);
    assert_int_equal(cache_bytes(MDF_KV_BF16) * 2, floats);
    mdf_engine *engine = NULL;
    mdf_error err = {0};
    mdf_engine_options opt = {
        .model_dir = GOLDEN "text", .labels_optional = true, .kv_type = MDF_KV_Q8_0};
    assert_int_equal(mdf_engine_open(&engine, &opt, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "kv_type Q8_0 keeps numbers in blocks of 32"));
    opt.kv_type = (mdf_kv_type)4;
    assert_int_equal(mdf_engine_open(&engine, &opt, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "kv_type 4 is none of mdf_kv_type");
    assert_null(engine);
}

static mdf_result classify(const model *m, const void *png, size_t len, mdf_view view, int tiles)
{
    mdf_error err = {0};
    mdf_result r;
    const mdf_case c = {.image = png, .image_bytes = len, .view = view, .tiles = tiles};
    if (mdf_session_classify(m->session, &c, &r, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    return r;
}

static void a_photograph_may_be_classified_in_several_tiles(void **state)
{
    (void)state;
    model m;
    mdf_error err = {0};
    mdf_image eye = draw_eye();
    uint8_t *png = NULL;
    size_t len = 0;
    open_model(&m, MDF_TEST_DATA "/golden/model", NULL);
    assert_int_equal(mdf_png_encode(&png, &len, eye.rgb, eye.width, eye.height, 3, NULL), MDF_OK);
    const mdf_result usual = classify(&m, png, len, MDF_VIEW_USUAL, 0);
    const mdf_result one = classify(&m, png, len, MDF_VIEW_CROP, 1);
    assert_int_equal(m.session->view.room, 0); /* no tile but the batch's */
    assert_memory_equal(one.prob, usual.prob, sizeof one.prob);
    const mdf_result four = classify(&m, png, len, MDF_VIEW_CROP, MDF_TILES_ALL);
    assert_int_equal(m.session->view.id[0], 6); /* 2 x 2 of a large square */
    assert_memory_not_equal(four.prob, usual.prob, sizeof four.prob);
    assert_memory_equal(four.prob, classify(&m, png, len, MDF_VIEW_CROP, 4).prob, sizeof four.prob);
    (void)classify(&m, png, len, MDF_VIEW_CROP, 2);
    assert_int_equal(m.session->view.id[0], 1); /* of 1 x 1, 1 x 2, 2 x 1: the fewest */
    (void)classify(&m, png, len, MDF_VIEW_WHOLE, 0);
    assert_int_equal(m.session->view.id[0], 1);
    (void)classify(&m, png, len, MDF_VIEW_WHOLE, MDF_TILES_ALL);
    assert_int_equal(m.session->view.id[0], 6);
    const mdf_result again = classify(&m, png, len, MDF_VIEW_USUAL, 0);
    assert_memory_equal(again.prob, usual.prob, sizeof again.prob);
    mdf_result r;
    const mdf_case five = {.image = png, .image_bytes = len, .tiles = 5};
    assert_int_equal(mdf_session_classify(m.session, &five, &r, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "picture: 5 tiles are wanted, but this model takes 4 at most");
    mdf_free(png);
    mdf_image_free(&eye);
    close_model(&m);
}

/* "The same picture" is that of the question before, not one that was classified since. */
static void what_is_classified_is_not_the_picture_of_a_question(void **state)
{
    (void)state;
    model m;
    mdf_error err = {0};
    mdf_reply r;
    mdf_image eye = draw_eye();
    uint8_t *png = NULL;
    size_t len = 0;
    open_model(&m, MDF_TEST_DATA "/golden/model", NULL);
    assert_int_equal(mdf_png_encode(&png, &len, eye.rgb, eye.width, eye.height, 3, NULL), MDF_OK);
    mdf_question q = {.image = png, .image_bytes = len, .question = "What?", .max_tokens = 1};
    assert_int_equal(mdf_session_ask(m.session, &q, &r, &err), MDF_OK);
    (void)classify(&m, png, len, MDF_VIEW_CROP, 4);
    assert_int_equal(m.session->view.photos, 0);
    q.same_image = true;
    assert_int_equal(mdf_session_ask(m.session, &q, &r, &err), MDF_OK);
    assert_int_equal(m.session->view.id[0], 1); /* seen anew: in one tile, and by the U-Net */
    assert_true(m.session->view.has_unet);
    mdf_free(png);
    mdf_image_free(&eye);
    close_model(&m);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    uint8_t *bytes = NULL;
    mdf_question q = question_of(json_array_get(rows, 0), &bytes);
    q.max_tokens = 1;
    model m;
    mdf_reply r;
    long n = 1;
    for (; n < 2000; n++) {
        open_model(&m, GOLDEN "vision", NULL);
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_session_ask(m.session, &q, &r, NULL);
        mdf_alloc_fail_after(0);
        close_model(&m);
        if (status == MDF_OK) {
            break;
        }
        assert_true(status == MDF_ERR_NOMEM || status == MDF_ERR_LIMIT); /* a string did not grow */
    }
    assert_in_range(n, 10, 1000);
    mdf_free(bytes);
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_transformers),
        cmocka_unit_test(a_question_does_not_depend_on_those_before),
        cmocka_unit_test(words_come_one_after_the_other_and_can_be_stopped),
        cmocka_unit_test(a_session_can_be_stopped_from_outside),
        cmocka_unit_test(the_folders_end_tokens_end_it),
        cmocka_unit_test(tokens_are_drawn_on_demand_by_the_seed),
        cmocka_unit_test(what_can_not_be_asked_is_refused),
        cmocka_unit_test(an_answer_ends_where_the_model_does),
        cmocka_unit_test(a_model_with_labels_reads_what_it_classifies),
        cmocka_unit_test(keys_are_halves_unless_told_otherwise),
        cmocka_unit_test(a_photograph_may_be_classified_in_several_tiles),
        cmocka_unit_test(what_is_classified_is_not_the_picture_of_a_question),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("engine/session_ask", tests, NULL, NULL);
}
