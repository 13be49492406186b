/* Cells as people and programs write them: blanks, words for nothing, other spellings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/cell.h"

#define NBSP       "\xC2\xA0"
#define NAN_NBSP   " nan" NBSP
#define MARK       "\xEF\xBB\xBF"
#define ZERO_WIDTH "\xE2\x80\x8B"

static void expect_trimmed(const char *s, const char *want)
{
    const size_t n = mdf_cell_trim(&s);
    if (n != strlen(want) || strncmp(s, want, n) != 0) {
        fail_msg("'%.*s', want '%s'", (int)n, s, want);
    }
}

static void blanks_around_a_cell_go(void **state)
{
    (void)state;
    expect_trimmed("", "");
    expect_trimmed("dr", "dr");
    expect_trimmed(" \t dr \r\n", "dr");
    expect_trimmed(NBSP "mild dr" NBSP " ", "mild dr");
    expect_trimmed(MARK ZERO_WIDTH "dr\xE3\x80\x80", "dr");
    expect_trimmed("a" NBSP "b", "a" NBSP "b");
    expect_trimmed(" " NBSP MARK "\x01\x7F", "");
    expect_trimmed("\xC2\xA1x\xC3\xA0", "\xC2\xA1x\xC3\xA0"); /* letters with the same bytes */
}

static void words_for_a_missing_value_are_known(void **state)
{
    (void)state;
    static const char *const missing[] = {"nan",  "NaN",  "NA", "N/A",    "None", "null",
                                          "NULL", "none", "-",  NAN_NBSP, "<NA>", "#N/A"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        assert_true(mdf_cell_missing_word(missing[i]) >= 0);
    }
    assert_int_equal(mdf_cell_missing_word("NaN"), mdf_cell_missing_word(" nan"));
    assert_int_not_equal(mdf_cell_missing_word("nan"), mdf_cell_missing_word("na"));
    static const char *const there[] = {"", " ", "nana", "n", "no", "--", "0", "none seen", "NaN1"};
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
        assert_int_equal(mdf_cell_missing_word(there[i]), -1);
    }
}

static void expect_folded(const char *s, const char *want)
{
    char out[12];
    mdf_cell_fold(out, sizeof out, s);
    assert_string_equal(out, want);
}

static void names_are_folded_to_one_spelling(void **state)
{
    (void)state;
    expect_folded("Patient_ID", "patient_id");
    expect_folded(MARK " patient-Id" NBSP, "patient_id");
    expect_folded("patient" NBSP "id", "patient_id");
    expect_folded("patient - _id", "patient_id");
    expect_folded("pat" ZERO_WIDTH "ient_id", "patient_id"); /* no room, no gap */
    expect_folded("_label_", "label");
    expect_folded("", "");
    expect_folded("abcdefghijklmnop", "abcdefghij"); /* cut, not written behind the end */
    expect_folded("a_b_c_d_e_f_g_h", "a_b_c_d_e_f");
}

static void spellings_are_alike_or_not(void **state)
{
    (void)state;
    assert_true(mdf_cell_alike("normal", "Normal"));
    assert_true(mdf_cell_alike("mild dr", "Mild-DR"));
    assert_true(mdf_cell_alike("mild_dr", "milddr" NBSP));
    assert_true(mdf_cell_alike("", " -"));
    assert_false(mdf_cell_alike("dr", "drx"));
    assert_false(mdf_cell_alike("drx", "dr"));
    assert_false(mdf_cell_alike("dr1", "dr2"));
}

static void known_splits_lose_their_capitals(void **state)
{
    (void)state;
    assert_string_equal(mdf_cell_split("Train"), "train");
    assert_string_equal(mdf_cell_split("VALIDATION"), "validation"); /* and stays what it is */
    assert_string_equal(mdf_cell_split("Fold 1"), "Fold 1");
    assert_true(mdf_cell_is_split("tEST"));
    assert_false(mdf_cell_is_split("training"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_around_a_cell_go),
        cmocka_unit_test(words_for_a_missing_value_are_known),
        cmocka_unit_test(names_are_folded_to_one_spelling),
        cmocka_unit_test(spellings_are_alike_or_not),
        cmocka_unit_test(known_splits_lose_their_capitals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
