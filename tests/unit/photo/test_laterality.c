/* Left for right in clinical sentences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "photo/laterality.h"

static void check(const char *in, const char *want)
{
    mdf_strbuf out = mdf_strbuf_new(1000);
    mdf_text_swap_laterality(in, &out);
    assert_false(out.failed);
    assert_string_equal(out.data == NULL ? "" : out.data, want);
    mdf_strbuf back = mdf_strbuf_new(1000);
    mdf_text_swap_laterality(out.data, &back);
    assert_string_equal(back.data == NULL ? "" : back.data, in); /* twice is nothing */
    mdf_strbuf_free(&back);
    mdf_strbuf_free(&out);
}

static void sides_are_exchanged_in_the_case_they_had(void **state)
{
    (void)state;
    check("69-year-old female. Left eye. Fellow eye: normal fundus.",
          "69-year-old female. Right eye. Fellow eye: normal fundus.");
    check("left, RIGHT; Right-sided", "right, LEFT; Left-sided");
    check("VA OD 0.5, OS 0.8", "VA OS 0.5, OD 0.8");
    check("oculus dexter", "oculus sinister");
}

static void other_words_stay_as_they_are(void **state)
{
    (void)state;
    check("upright leftover brightness OSA cod os od", "upright leftover brightness OSA cod os od");
    check("\xC3\xA4OD OD\xC3\xA9 OD_1", "\xC3\xA4OD OD\xC3\xA9 OD_1");
    check("", "");
}

static void a_buffer_that_is_too_small_says_so(void **state)
{
    (void)state;
    mdf_strbuf out = mdf_strbuf_new(4);
    mdf_text_swap_laterality("left eye", &out);
    assert_true(out.failed);
    mdf_strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sides_are_exchanged_in_the_case_they_had),
        cmocka_unit_test(other_words_stay_as_they_are),
        cmocka_unit_test(a_buffer_that_is_too_small_says_so),
    };
    return cmocka_run_group_tests_name("data/laterality", tests, NULL, NULL);
}
