/* Which patterns are taken, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "language/pretoken.h"

static mdf_status make(mdf_pretoken **p, const char *pattern, mdf_error *err)
{
    mdf_tokenizer_spec spec = {.pre_count = 1};
    spec.pre[0] = (mdf_pre_step){.kind = MDF_PRE_SPLIT, .pattern = {pattern, strlen(pattern)}};
    return mdf_pretoken_new(p, &spec, err);
}

static void what_the_engines_read_differently_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *error;
    } cases[] = {
        {"a.", "\".\" at byte 1 of the pattern is not supported"},
        {"^a", "\"^\" at byte 0 of the pattern is not supported"},
        {"a$", "\"$\" at byte 1 of the pattern is not supported"},
        {"\\d", "\"\\d\" at byte 0 of the pattern is not supported"},
        {"a\\w+", "\"\\w\" at byte 1 of the pattern is not supported"},
        {"\\p{Lu}", "\"\\p{Lu}\" at byte 0 of the pattern is not supported"},
        {"\\", "\"\\\" at byte 0 of the pattern is not supported"},
        {"[a&&b]", "\"&&\" at byte 2 of the pattern inside a class is not supported"},
        {"[a[b]]", "\"[b\" at byte 2 of the pattern inside a class is not supported"},
        {"[\\S]", "\"\\S\" at byte 1 of the pattern is not supported"},
        {"[]a]", "\"[]\" at byte 0 of the pattern begins a class with its end"},
        {"(?<=a)b", "\"(?<\" at byte 0 of the pattern is not supported"},
        {"(*COMMIT)a", "\"(*C\" at byte 0 of the pattern is not supported"},
        {"a{,3}", "\"{,3}\" at byte 1 of the pattern is not supported"},
        {"a{1,3}+", "\"{1,3}+\" at byte 1 of the pattern is not supported"},
        {"a{x", "\"{x\" at byte 1 of the pattern is not supported"},
        {"[ab", "a class of the pattern has no end"},
        {"a*", "a pattern that fits nothing at all is not supported"},
        {"(?!a)", "a pattern that fits nothing at all is not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mdf_pretoken *p = NULL;
        mdf_error err = {0};
        assert_int_equal(make(&p, cases[i].pattern, &err), MDF_ERR_FORMAT);
        assert_null(p);
        assert_memory_equal(err.text, "pre_tokenizer: ", 15);
        assert_string_equal(err.text + 15, cases[i].error);
    }
    mdf_pretoken *p = NULL;
    mdf_error err = {0};
    assert_int_equal(make(&p, "(a", &err), MDF_ERR_FORMAT);
    assert_memory_equal(err.text, "pre_tokenizer: the pattern is not valid: ", 41);
}

typedef struct pieces {
    char text[256];
    bool fail;
} pieces;

static bool collect(void *user, const uint8_t *piece, size_t n)
{
    pieces *p = user;
    strncat(p->text, (const char *)piece, n);
    strcat(p->text, "|");
    return !p->fail;
}

static void expect(const char *pattern, const char *text, const char *want)
{
    mdf_pretoken *p = NULL;
    pieces got = {0};
    mdf_arena scratch;
    assert_int_equal(mdf_arena_init(&scratch, 0, 0, NULL), MDF_OK);
    assert_int_equal(make(&p, pattern, NULL), MDF_OK);
    assert_int_equal(
        mdf_pretoken_split(p, (const uint8_t *)text, strlen(text), &scratch, collect, &got, NULL),
        MDF_OK);
    assert_string_equal(got.text, want);
    mdf_pretoken_free(p);
    mdf_arena_free(&scratch);
}

static void matches_and_what_lies_between_are_pieces(void **state)
{
    (void)state;
    expect("b+", "abba", "a|bb|a|");
    expect("b+", "xyz", "xyz|");
    expect("b", "", "");
    expect("(a|b)", "ab", "a|b|");
    expect("\\s+", "a\xE1\xA0\x8E\xE2\x80\x83z",
           "a\xE1\xA0\x8E|\xE2\x80\x83|z|"); /* U+180E stays */
    expect("\\S+", "a\xE1\xA0\x8E z", "a\xE1\xA0\x8E| |z|");
    expect("\\p{L}+", "1\xF0\xB1\x8D\x90x", "1|\xF0\xB1\x8D\x90x|");  /* U+31350, of Unicode 15 */
    expect("[^\\p{N}]+", "a\xF0\x91\xBD\x90", "a|\xF0\x91\xBD\x90|"); /* U+11F50, of Unicode 15 */
    expect("\\p{N}{1,3}", "12345", "123|45|");
    expect("(?i:'s)", "x'S'\xC5\xBF", "x|'S|'\xC5\xBF|"); /* long s folds to s */
}

static void a_pattern_that_takes_too_long_is_an_error(void **state)
{
    (void)state;
    char text[64];
    mdf_pretoken *p = NULL;
    pieces got = {0};
    mdf_arena scratch;
    mdf_error err = {0};
    memset(text, 'a', sizeof text);
    assert_int_equal(mdf_arena_init(&scratch, 0, 0, NULL), MDF_OK);
    assert_int_equal(make(&p, "(?:a|aa)+[bc]", NULL), MDF_OK);
    assert_int_equal(
        mdf_pretoken_split(p, (const uint8_t *)text, sizeof text, &scratch, collect, &got, &err),
        MDF_ERR_LIMIT);
    assert_string_equal(err.text, "the pre-tokenizer's pattern takes too many steps on this text");
    mdf_pretoken_free(p);
    assert_int_equal(make(&p, "b", NULL), MDF_OK);
    got.fail = true;
    assert_int_equal(mdf_pretoken_split(p, (const uint8_t *)text, 3, &scratch, collect, &got, &err),
                     MDF_ERR_NOMEM);
    mdf_pretoken_free(p);
    mdf_arena_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_engines_read_differently_is_refused),
        cmocka_unit_test(matches_and_what_lies_between_are_pieces),
        cmocka_unit_test(a_pattern_that_takes_too_long_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
