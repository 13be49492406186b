/* Normal forms of texts: examples of Unicode's standard annex 15, and characters younger than the
 * reference's tables. tools/check_tokenizer.py compares all code points with the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "language/normalise.h"

static mdf_status normalise(mdf_normal_form form, const char *in, char out[2048], mdf_error *err)
{
    mdf_arena arena;
    const uint8_t *text = (const uint8_t *)in;
    size_t n = strlen(in);
    assert_int_equal(mdf_arena_init(&arena, 0, 0, NULL), MDF_OK);
    const mdf_status status = mdf_normalise(form, &text, &n, &arena, err);
    assert_true(n < 2048 && n <= strlen(in) * mdf_normal_form_growth(form));
    memcpy(out, text, n);
    out[n] = '\0';
    mdf_arena_free(&arena);
    return status;
}

static void forms_are_those_of_the_standard(void **state)
{
    (void)state;
    /* text, NFC, NFD, NFKC, NFKD */
    static const char *const text[][5] = {
        {"plain", "plain", "plain", "plain", "plain"},
        {"e\u0301", "\u00e9", "e\u0301", "\u00e9", "e\u0301"},
        {"\u00e9", "\u00e9", "e\u0301", "\u00e9", "e\u0301"},
        {"\u212b", "\u00c5", "A\u030a", "\u00c5", "A\u030a"}, /* Angstrom: a singleton */
        {"\ufb01n", "\ufb01n", "\ufb01n", "fin", "fin"},      /* a ligature */
        {"\u1e9b\u0323", "\u1e9b\u0323", "\u017f\u0323\u0307", "\u1e69", "s\u0323\u0307"},
        {"q\u0307\u0323", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307"},
        {"\uac01", "\uac01", "\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8"}, /* Hangul */
        {"\u0958", "\u0915\u093c", "\u0915\u093c", "\u0915\u093c", "\u0915\u093c"}, /* excluded */
        /* U+1AC1 (Unicode 14) is a mark of class 220: the reference lets it stand where it is */
        {"a\u0301\u1ac1\u0316\u0301", "\u00e1\u1ac1\u0316\u0301", "a\u0301\u1ac1\u0316\u0301",
         "\u00e1\u1ac1\u0316\u0301", "a\u0301\u1ac1\u0316\u0301"},
        /* U+11935 U+11930 make U+11938 since Unicode 13 */
        {"\U00011935\U00011930", "\U00011935\U00011930", "\U00011935\U00011930",
         "\U00011935\U00011930", "\U00011935\U00011930"},
    };
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        char out[2048];
        for (int form = MDF_NORMAL_NFC; form <= MDF_NORMAL_NFKD; form++) {
            assert_int_equal(normalise((mdf_normal_form)form, text[i][0], out, NULL), MDF_OK);
            assert_string_equal(out, text[i][form]);
        }
        assert_int_equal(normalise(MDF_NORMAL_NONE, text[i][0], out, NULL), MDF_OK);
        assert_string_equal(out, text[i][0]);
    }
}

static void one_form_after_another_is_one(void **state)
{
    (void)state;
    assert_int_equal(mdf_normal_form_then(MDF_NORMAL_NONE, MDF_NORMAL_NFC), MDF_NORMAL_NFC);
    assert_int_equal(mdf_normal_form_then(MDF_NORMAL_NFKD, MDF_NORMAL_NONE), MDF_NORMAL_NFKD);
    for (int a = MDF_NORMAL_NFC; a <= MDF_NORMAL_NFKD; a++) {
        for (int b = MDF_NORMAL_NFC; b <= MDF_NORMAL_NFKD; b++) {
            char first[2048];
            char both[2048];
            char once[2048];
            static const char all[] = "\ufb01\u1e9b\u0323\u00e9\u212b\u0301\u0316\uac01";
            const mdf_normal_form form =
                mdf_normal_form_then((mdf_normal_form)a, (mdf_normal_form)b);
            assert_int_equal(normalise((mdf_normal_form)a, all, first, NULL), MDF_OK);
            assert_int_equal(normalise((mdf_normal_form)b, first, both, NULL), MDF_OK);
            assert_int_equal(normalise(form, all, once, NULL), MDF_OK);
            assert_string_equal(both, once);
        }
    }
}

static void endless_marks_are_refused(void **state)
{
    (void)state;
    char text[1 + 2 * (MDF_MAX_MARKS + 1) + 1] = "a";
    char out[2048];
    mdf_error err = {0};
    for (int i = 0; i < MDF_MAX_MARKS; i++) {
        memcpy(text + 1 + 2 * i, i % 2 == 0 ? "\u0301" : "\u0316", 2);
    }
    assert_int_equal(normalise(MDF_NORMAL_NFD, text, out, NULL), MDF_OK);
    memcpy(text + 1 + 2 * MDF_MAX_MARKS, "\u0301", 2);
    assert_int_equal(normalise(MDF_NORMAL_NFD, text, out, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "the text has more than 256 combining marks in a row");
}

static void failed_allocations_are_reported(void **state)
{
    (void)state;
    int refused = 0;
    for (int n = 1; n < 20; n++) {
        mdf_arena arena;
        const uint8_t *text = (const uint8_t *)"\u00e9\u1ac1\u00e9";
        size_t len = strlen((const char *)text);
        assert_int_equal(mdf_arena_init(&arena, 0, 0, NULL), MDF_OK);
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_normalise(MDF_NORMAL_NFD, &text, &len, &arena, NULL);
        mdf_alloc_fail_after(0);
        mdf_arena_free(&arena);
        assert_true(status == MDF_OK || status == MDF_ERR_NOMEM);
        refused += status == MDF_ERR_NOMEM;
    }
    assert_true(refused > 1 && refused < 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_those_of_the_standard),
        cmocka_unit_test(one_form_after_another_is_one),
        cmocka_unit_test(endless_marks_are_refused),
        cmocka_unit_test(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests_name("normalise", tests, NULL, NULL);
}
