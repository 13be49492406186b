/* One question about several photographs, against transformers (tests/golden/ask/together.json). */
#include "unit/engine/ask_golden.h"

#include "base/limits.h"

/* A row's question; its pictures' bytes. */
typedef struct several {
    mdf_question q;
    mdf_photo photo[MDF_MAX_PHOTOS + 1];
    uint8_t *bytes[MDF_MAX_PHOTOS + 1];
} several;

static void add_photo(several *s, const char *name)
{
    const size_t i = s->q.photo_count++;
    s->bytes[i] = read_picture(name, &s->photo[i].image_bytes);
    s->photo[i].image = s->bytes[i];
    s->photo[i].name = name;
    s->q.photo = s->photo;
}

static void read_question(several *s, const json_t *row)
{
    const json_t *pictures = json_object_get(row, "pictures");
    memset(s, 0, sizeof *s);
    s->q.text = json_string_value(json_object_get(row, "text"));
    s->q.question = json_string_value(json_object_get(row, "question"));
    s->q.max_tokens = TOKENS;
    for (size_t i = 0; i < json_array_size(pictures); i++) {
        add_photo(s, json_string_value(json_array_get(pictures, i)));
    }
}

static void free_question(several *s)
{
    for (size_t i = 0; i < s->q.photo_count; i++) {
        mdf_free(s->bytes[i]);
    }
}

static json_t *read_rows(void)
{
    json_t *rows = json_load_file(GOLDEN "together.json", 0, NULL);
    assert_int_equal(json_array_size(rows), 4);
    return rows;
}

static void expect_answer(const model *m, const mdf_question *q, const json_t *row)
{
    mdf_error err = {0};
    mdf_reply r;
    if (mdf_session_ask(m->session, q, &r, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    expect_reply(&r, row);
}

/* Prompt and answer, of a session that knows nothing. */
static void answers_are_those_of_transformers(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const json_t *prompt = json_object_get(row, "prompt");
        model m;
        several s;
        mdf_shown_prompt shown;
        open_model(&m, GOLDEN "vision", NULL);
        read_question(&s, row);
        assert_int_equal(mdf_session_show(m.session, &s.q, &shown, NULL), MDF_OK);
        assert_int_equal(shown.token_count, json_array_size(prompt));
        for (int j = 0; j < shown.token_count; j++) {
            assert_int_equal(shown.token[j], json_integer_value(json_array_get(prompt, (size_t)j)));
        }
        expect_answer(&m, &s.q, row);
        free_question(&s);
        close_model(&m);
    }
    json_decref(rows);
}

/* In any order, kept or looked at again: what is kept belongs to all pictures of a question, and
 * another number of them is never taken for the same. */
static void a_question_does_not_depend_on_those_before(void **state)
{
    (void)state;
    static const struct {
        int row;
        bool same, blind; /* same_image; without the bytes */
    } step[] = {{0, false, false}, {0, true, true},   {2, true, false},  {2, true, true},
                {0, true, false},  {1, false, false}, {3, false, false}, {3, true, true}};
    json_t *rows = read_rows();
    model m;
    open_model(&m, GOLDEN "vision", NULL);
    for (size_t i = 0; i < sizeof step / sizeof step[0]; i++) {
        const json_t *row = json_array_get(rows, (size_t)step[i].row);
        several s;
        read_question(&s, row);
        s.q.same_image = step[i].same;
        for (size_t j = 0; step[i].blind && j < s.q.photo_count; j++) {
            s.photo[j].image = "";
            s.photo[j].image_bytes = 0;
        }
        expect_answer(&m, &s.q, row);
        free_question(&s);
    }
    close_model(&m);
    json_decref(rows);
}

/* One picture in a list is the one picture of a question; and it may follow several. */
static void a_list_of_one_is_one_picture(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    json_t *single = json_load_file(GOLDEN "answers.json", 0, NULL);
    const json_t *row = json_array_get(single, 0);
    model m;
    several s;
    several one = {.q = {.max_tokens = TOKENS}};
    open_model(&m, GOLDEN "vision", NULL);
    read_question(&s, json_array_get(rows, 0));
    expect_answer(&m, &s.q, json_array_get(rows, 0));
    one.q.question = json_string_value(json_object_get(row, "question"));
    one.q.same_image = true; /* it is not: looked at all the same */
    add_photo(&one, json_string_value(json_object_get(row, "picture")));
    expect_answer(&m, &one.q, row);
    one.q.image = one.bytes[0];
    one.q.image_bytes = one.photo[0].image_bytes;
    one.q.photo_count = 0;
    one.q.same_image = false;
    expect_answer(&m, &one.q, row);
    one.q.photo_count = 1;
    free_question(&one);
    free_question(&s);
    close_model(&m);
    json_decref(single);
    json_decref(rows);
}

static void expect_refused(const model *m, const mdf_question *q, mdf_status want,
                           const char *sentence)
{
    mdf_reply r = {.token_count = 77};
    mdf_shown_prompt shown = {.token_count = 78};
    mdf_error err = {0};
    assert_int_equal(mdf_session_ask(m->session, q, &r, &err), want);
    assert_string_equal(err.text, sentence);
    assert_int_equal(r.token_count, 77);
    err = (mdf_error){0};
    assert_int_equal(mdf_session_show(m->session, q, &shown, &err), want);
    assert_string_equal(err.text, sentence);
    assert_int_equal(shown.token_count, 78);
}

static void as_many_as_the_limit_and_not_one_more(void **state)
{
    (void)state;
    model m;
    mdf_reply r;
    mdf_error err = {0};
    several s = {.q = {.question = "Which?", .max_tokens = 1}};
    open_model(&m, GOLDEN "vision", NULL);
    for (int i = 0; i < MDF_MAX_PHOTOS; i++) {
        add_photo(&s, i % 2 == 0 ? "small.png" : "high.png"); /* 1 and 4 tiles */
    }
    if (mdf_session_ask(m.session, &s.q, &r, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(m.session->view.photos, 16);
    assert_int_equal(m.session->view.tiles, 8 * (1 + 4));
    add_photo(&s, "small.png");
    expect_refused(&m, &s.q, MDF_ERR_LIMIT,
                   "17 photographs in a question, more than the limit of 16");
    free_question(&s);
    close_model(&m);
}

static void models_that_take_one_or_none_refuse_several(void **state)
{
    (void)state;
    model m;
    several s = {.q = {.question = "Which?", .max_tokens = 1}};
    add_photo(&s, "small.png");
    add_photo(&s, "wide.png");
    open_model(&m, MDF_TEST_DATA "/golden/model", NULL);
    expect_refused(&m, &s.q, MDF_ERR_ARG, "this model takes one photograph a question, not 2");
    close_model(&m);
    open_model(&m, GOLDEN "text", NULL);
    mdf_error err = {0};
    assert_int_equal(mdf_session_ask(m.session, &s.q, &(mdf_reply){0}, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "small.png: this model reads text only: it has no vision tower");
    close_model(&m);
    open_model(&m, GOLDEN "vision", NULL);
    s.q.image = s.bytes[0];
    s.q.image_bytes = s.photo[0].image_bytes;
    expect_refused(&m, &s.q, MDF_ERR_ARG,
                   "a question has one photograph or a list of them, not both");
    free_question(&s);
    close_model(&m);
}

/* The one that is none is named; the session answers the next question about those that are. */
static void a_bad_picture_among_several_is_named(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    const json_t *row = json_array_get(rows, 2);
    model m;
    several s;
    mdf_error err = {0};
    open_model(&m, GOLDEN "vision", NULL);
    read_question(&s, row);
    const mdf_photo good = s.photo[1];
    s.photo[1] = (mdf_photo){"text", 4, "bad.png"};
    assert_int_equal(mdf_session_ask(m.session, &s.q, &(mdf_reply){0}, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "bad.png: "));
    assert_int_equal(m.session->view.photos, 0);
    s.photo[1] = good;
    s.q.same_image = true; /* of a question that was not read: looked at anew */
    expect_answer(&m, &s.q, row);
    free_question(&s);
    close_model(&m);
    json_decref(rows);
}

/* Without a chat template: the form of the training, with the pictures before the text. */
static void a_folder_without_a_template_has_the_pictures_first(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    const json_t *row = json_array_get(rows, 0);
    model m;
    several s;
    mdf_shown_prompt shown;
    open_model(&m, GOLDEN "vision", NULL);
    mdf_chat_free(m.engine->chat);
    m.engine->chat = NULL;
    read_question(&s, row);
    assert_int_equal(mdf_session_show(m.session, &s.q, &shown, NULL), MDF_OK);
    assert_string_equal(shown.text, "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n"
                                    "<|image|><|image|>Which is darker?<|eot_id|>"
                                    "<|start_header_id|>assistant<|end_header_id|>\n\n");
    expect_answer(&m, &s.q, row); /* the simple template writes the same */
    free_question(&s);
    close_model(&m);
    json_decref(rows);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    json_t *rows = read_rows();
    several s;
    read_question(&s, json_array_get(rows, 2));
    s.q.max_tokens = 1;
    long n = 1;
    for (; n < 2000; n++) {
        model m;
        mdf_reply r;
        open_model(&m, GOLDEN "vision", NULL);
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_session_ask(m.session, &s.q, &r, NULL);
        mdf_alloc_fail_after(0);
        close_model(&m);
        if (status == MDF_OK) {
            break;
        }
        assert_true(status == MDF_ERR_NOMEM || status == MDF_ERR_LIMIT); /* a string did not grow */
    }
    assert_in_range(n, 10, 1000);
    free_question(&s);
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_transformers),
        cmocka_unit_test(a_question_does_not_depend_on_those_before),
        cmocka_unit_test(a_list_of_one_is_one_picture),
        cmocka_unit_test(as_many_as_the_limit_and_not_one_more),
        cmocka_unit_test(models_that_take_one_or_none_refuse_several),
        cmocka_unit_test(a_bad_picture_among_several_is_named),
        cmocka_unit_test(a_folder_without_a_template_has_the_pictures_first),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("engine/session_together", tests, NULL, NULL);
}
