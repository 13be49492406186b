/* Prompts and label trees against token lists written by hand from docs/MODEL.md section 5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "language/prompt.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { IMAGE = 264, ROOM = MDF_MAX_TEXT_BYTES + 64 };

static mdf_tokenizer *bytes;

static int make_bytes(void **state)
{
    (void)state;
    return mdf_tokenizer_new_bytes(&bytes, IMAGE, NULL) == MDF_OK ? 0 : -1;
}

static int free_bytes(void **state)
{
    (void)state;
    mdf_tokenizer_free(bytes);
    return 0;
}

static void expect_prompt(const char *text, const char *missing, int images, const int32_t *want,
                          size_t want_count, int32_t want_image_at)
{
    int32_t token[ROOM];
    size_t count = 99;
    int32_t image_at = 99;
    mdf_error err = {0};
    assert_int_equal(
        mdf_prompt_build(bytes, token, ROOM, &count, &image_at, text, missing, images, &err),
        MDF_OK);
    assert_int_equal(count, want_count);
    assert_memory_equal(token, want, want_count * sizeof *want);
    assert_int_equal(image_at, want_image_at);
    assert_true(count <= mdf_prompt_capacity(bytes, text, missing));
}

static void a_prompt_with_a_picture(void **state)
{
    (void)state;
    /* "é" is the bytes C3 A9 */
    const int32_t want[] = {256, 257, 'u',  's',  'e', 'r', 258, 10,  10,  IMAGE,
                            'O', 'D', 0xC3, 0xA9, 259, 257, 'a', 's', 's', 'i',
                            's', 't', 'a',  'n',  't', 258, 10,  10};
    expect_prompt("OD\xC3\xA9", "none", true, want, COUNT(want), 9);
    assert_int_equal(mdf_prompt_capacity(bytes, "OD\xC3\xA9", "none"), COUNT(want));
}

static void further_pictures_follow_the_first(void **state)
{
    (void)state;
    const int32_t want[] = {256,   257,   'u',   's', 'e', 'r', 258, 10,  10,
                            IMAGE, IMAGE, IMAGE, 'O', 259, 257, 'a', 's', 's',
                            'i',   's',   't',   'a', 'n', 't', 258, 10,  10};
    int32_t token[64];
    size_t count = 0;
    int32_t image_at = 0;
    assert_int_equal(
        mdf_prompt_build(bytes, token, COUNT(token), &count, &image_at, "O", "", 3, NULL), MDF_OK);
    assert_int_equal(count, COUNT(want));
    assert_memory_equal(token, want, sizeof want);
    assert_int_equal(image_at, 9);
}

static void a_prompt_without_a_picture(void **state)
{
    (void)state;
    const int32_t want[] = {256, 257, 'u', 's', 'e', 'r', 258, 10,  10,  'O', 259, 257,
                            'a', 's', 's', 'i', 's', 't', 'a', 'n', 't', 258, 10,  10};
    expect_prompt("O", "none", false, want, COUNT(want), -1);
}

static void a_missing_and_an_empty_text_are_the_stand_in(void **state)
{
    (void)state;
    const int32_t want[] = {256, 257, 'u', 's', 'e', 'r', 258, 10,  10,  'n', 'o', 259, 257,
                            'a', 's', 's', 'i', 's', 't', 'a', 'n', 't', 258, 10,  10};
    expect_prompt(NULL, "no", false, want, COUNT(want), -1);
    expect_prompt("", "no", false, want, COUNT(want), -1);
}

static void special_tokens_in_the_text_stay_bytes(void **state)
{
    (void)state;
    static const char text[] = "<|image|><|eot_id|>";
    int32_t token[128];
    size_t count = 0;
    int32_t image_at = 0;
    assert_int_equal(
        mdf_prompt_build(bytes, token, COUNT(token), &count, &image_at, text, "", true, NULL),
        MDF_OK);
    assert_int_equal(image_at, 9);
    for (size_t i = 0; text[i] != '\0'; i++) {
        assert_int_equal(token[10 + i], text[i]);
    }
    assert_int_equal(token[10 + strlen(text)], 259);
}

static void a_text_at_the_limit_passes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    char text[MDF_MAX_TEXT_BYTES + 2];
    int32_t token[ROOM];
    size_t count = 99;
    int32_t image_at = 99;
    mdf_error err = {0};
    memset(text, 'x', sizeof text);
    text[MDF_MAX_TEXT_BYTES] = '\0';
    assert_int_equal(mdf_prompt_build(bytes, token, ROOM, &count, &image_at, text, "", true, &err),
                     MDF_OK);
    assert_int_equal(count, MDF_MAX_TEXT_BYTES + 24);
    text[MDF_MAX_TEXT_BYTES] = 'x';
    text[MDF_MAX_TEXT_BYTES + 1] = '\0';
    assert_int_equal(mdf_prompt_build(bytes, token, ROOM, &count, &image_at, text, "", true, &err),
                     MDF_ERR_LIMIT);
    assert_string_equal(err.text, "the text has 8193 bytes, more than the limit of 8192");
    assert_int_equal(count, 0);
    assert_int_equal(image_at, -1);
    assert_int_equal(
        mdf_prompt_build(bytes, token, ROOM, &count, &image_at, NULL, text, true, &err),
        MDF_ERR_LIMIT);
}

static void too_little_room_is_an_error_and_nothing_is_written_behind_it(void **state)
{
    (void)state;
    const size_t need = mdf_prompt_capacity(bytes, "ab", NULL);
    int32_t token[64];
    size_t count = 0;
    int32_t image_at = 0;
    token[need] = -7;
    token[need - 1] = -7;
    assert_int_equal(
        mdf_prompt_build(bytes, token, need - 1, &count, &image_at, "ab", NULL, true, NULL),
        MDF_ERR_LIMIT);
    assert_int_equal(token[need - 1], -7);
    assert_int_equal(
        mdf_prompt_build(bytes, token, need, &count, &image_at, "ab", NULL, true, NULL), MDF_OK);
    assert_int_equal(count, need);
    assert_int_equal(token[need], -7);
}

/* d0 r1 (dr) u2 s3 e4 n5 (drusen), n6 o7 r8 m9 a10 l11 (normal) */
static void labels_that_share_a_beginning_share_nodes(void **state)
{
    (void)state;
    static const char *const labels[] = {"dr", "drusen", "normal"};
    static const int32_t token[] = {'d', 'r', 'u', 's', 'e', 'n', 'n', 'o', 'r', 'm', 'a', 'l'};
    static const int32_t depth[] = {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5};
    static const int32_t offset[] = {0, 3, 10, 17};
    static const int32_t source[] = {-1, 0, 1, -1, 0, 1, 2, 3, 4, 5, -1, 6, 7, 8, 9, 10, 11};
    static const int32_t target[] = {'d', 'r', 259, 'd', 'r', 'u', 's', 'e', 'n',
                                     259, 'n', 'o', 'r', 'm', 'a', 'l', 259};
    mdf_label_tree *t = NULL;
    assert_int_equal(mdf_label_tree_new(&t, bytes, labels, 3, NULL), MDF_OK);
    assert_int_equal(t->nodes, 12);
    assert_int_equal(t->labels, 3);
    assert_memory_equal(t->token, token, sizeof token);
    assert_memory_equal(t->depth, depth, sizeof depth);
    assert_memory_equal(t->offset, offset, sizeof offset);
    assert_memory_equal(t->source, source, sizeof source);
    assert_memory_equal(t->target, target, sizeof target);
    for (int i = 0; i < 12; i++) {
        for (int j = 0; j < 12; j++) {
            /* two chains: 0..5 and 6..11 */
            const int want = j <= i && (i < 6) == (j < 6);
            assert_int_equal(t->mask[i * 12 + j], want);
        }
    }
    mdf_label_tree_free(t);
}

static void branches_do_not_see_each_other(void **state)
{
    (void)state;
    /* the longer label first: a0 b1 c2, then d3 behind b1, then b4 directly behind the prompt */
    static const char *const labels[] = {"abc", "abd", "b"};
    static const uint8_t mask[] = {1, 0, 0, 0, 0, /**/ 1, 1, 0, 0, 0, /**/ 1, 1, 1, 0, 0, /**/
                                   1, 1, 0, 1, 0, /**/ 0, 0, 0, 0, 1};
    static const int32_t depth[] = {0, 1, 2, 2, 0};
    static const int32_t source[] = {-1, 0, 1, 2, -1, 0, 1, 3, -1, 4};
    mdf_label_tree *t = NULL;
    assert_int_equal(mdf_label_tree_new(&t, bytes, labels, 3, NULL), MDF_OK);
    assert_int_equal(t->nodes, 5);
    assert_memory_equal(t->mask, mask, sizeof mask);
    assert_memory_equal(t->depth, depth, sizeof depth);
    assert_memory_equal(t->source, source, sizeof source);
    mdf_label_tree_free(t);
}

static void expect_refused(const char *const *labels, int count, mdf_status code, const char *text)
{
    mdf_label_tree *t = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_label_tree_new(&t, bytes, labels, count, &err), code);
    assert_string_equal(err.text, text);
    assert_null(t);
}

static void labels_that_can_not_be_told_apart_are_refused(void **state)
{
    (void)state;
    static const char *const twice[] = {"dr", "normal", "dr"};
    static const char *const empty[] = {"dr", ""};
    expect_refused(twice, 3, MDF_ERR_ARG, "label \"dr\" is there twice");
    expect_refused(empty, 2, MDF_ERR_ARG, "label 2 is empty");
    expect_refused(empty, 0, MDF_ERR_ARG, "there are no labels");
}

static void labels_have_limits(void **state)
{
    (void)state;
    char text[MDF_MAX_CLASSES + 1][MDF_MAX_LABEL_BYTES + 2];
    const char *labels[MDF_MAX_CLASSES + 1];
    memset(text, 0, sizeof text);
    for (int i = 0; i <= MDF_MAX_CLASSES; i++) {
        labels[i] = text[i];
        text[i][0] = (char)('a' + i % 16);
        text[i][1] = (char)('a' + i / 16);
    }
    mdf_label_tree *t = NULL;
    assert_int_equal(mdf_label_tree_new(&t, bytes, labels, MDF_MAX_CLASSES, NULL), MDF_OK);
    assert_int_equal(t->nodes, 16 + 256);
    mdf_label_tree_free(t);
    expect_refused(labels, MDF_MAX_CLASSES + 1, MDF_ERR_LIMIT,
                   "257 labels, more than the limit of 256");
    /* 32 labels of 128 bytes each that differ in the first, so that they share no node */
    for (int i = 0; i <= 32; i++) {
        memset(text[i], 'x', MDF_MAX_LABEL_BYTES);
        text[i][0] = (char)('A' + i);
    }
    assert_int_equal(mdf_label_tree_new(&t, bytes, labels, 32, NULL), MDF_OK);
    assert_int_equal(t->nodes, 4096);
    mdf_label_tree_free(t);
    text[32][1] = '\0';
    expect_refused(labels, 33, MDF_ERR_LIMIT,
                   "the labels' tree has more tokens than the limit of 4096; use fewer or shorter "
                   "labels");
    assert_int_equal(mdf_label_tree_new(&t, bytes, labels, 2, NULL), MDF_OK);
    mdf_label_tree_free(t);
    text[1][MDF_MAX_LABEL_BYTES] = 'x';
    expect_refused(labels, 2, MDF_ERR_LIMIT,
                   "label 2 (\"Bxxxxxxxxxxxxxxxxxxx...\") has 129 bytes, more than the limit of "
                   "128");
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    static const char *const labels[] = {"a", "b"};
    mdf_label_tree *t = NULL;
    long n = 0;
    mdf_status status = MDF_ERR_NOMEM;
    while (status == MDF_ERR_NOMEM) {
        mdf_alloc_fail_after(++n);
        status = mdf_label_tree_new(&t, bytes, labels, 2, NULL);
        mdf_alloc_fail_after(0);
        assert_true((status == MDF_OK) == (t != NULL));
    }
    assert_int_equal(status, MDF_OK);
    assert_true(n > 8); /* the struct, six arrays and the mask each failed once */
    mdf_label_tree_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prompt_with_a_picture),
        cmocka_unit_test(further_pictures_follow_the_first),
        cmocka_unit_test(a_prompt_without_a_picture),
        cmocka_unit_test(a_missing_and_an_empty_text_are_the_stand_in),
        cmocka_unit_test(special_tokens_in_the_text_stay_bytes),
        cmocka_unit_test(a_text_at_the_limit_passes_and_one_byte_more_does_not),
        cmocka_unit_test(too_little_room_is_an_error_and_nothing_is_written_behind_it),
        cmocka_unit_test(labels_that_share_a_beginning_share_nodes),
        cmocka_unit_test(branches_do_not_see_each_other),
        cmocka_unit_test(labels_that_can_not_be_told_apart_are_refused),
        cmocka_unit_test(labels_have_limits),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, make_bytes, free_bytes);
}
