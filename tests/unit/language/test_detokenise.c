/* Tokens to text as they come. The byte tokenizer's tokens are bytes, so every cut is one that can
 * be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "language/detokenise.h"

/* Feeds bytes one by one and writes how long the text is after each, as digits. */
static void feed(const char *bytes, const char *lengths, const char *text)
{
    mdf_tokenizer *t = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_tokenizer_new_bytes(&t, 264, &err), MDF_OK);
    mdf_detokeniser d = mdf_detokeniser_new(t);
    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; bytes[i] != '\0'; i++) {
            assert_int_equal(mdf_detokenise(&d, (uint8_t)bytes[i], &err), MDF_OK);
            assert_int_equal(d.text.len, lengths[i] - '0');
            assert_int_equal(mdf_detokenise(&d, 5000, &err), MDF_OK); /* no token has this id */
        }
        assert_int_equal(mdf_detokenise(&d, MDF_TOKEN_END_OF_TURN, &err),
                         MDF_OK); /* says nothing */
        assert_int_equal(mdf_detokenise_end(&d, &err), MDF_OK);
        assert_int_equal(d.text.len, strlen(text));
        assert_memory_equal(d.text.data, text, strlen(text));
        mdf_detokeniser_clear(&d);
    }
    mdf_detokeniser_free(&d);
    mdf_tokenizer_free(t);
}

static void a_character_comes_when_it_is_whole(void **state)
{
    (void)state;
    feed("ab", "12", "ab");
    feed("a\xC3\xA9z", "1134", "a\xC3\xA9z");
    feed("\xE7\x9B\xAE", "003", "\xE7\x9B\xAE");
    feed("\xF0\x9F\x91\x81", "0004", "\xF0\x9F\x91\x81");
}

/* A NUL is a character like others, inside a text and at its end. */
static void a_nul_ends_nothing(void **state)
{
    (void)state;
    static const int32_t token[] = {'a', 0, 'b', 0xC3, 0, 0};
    static const char want[] = "a\0b\xEF\xBF\xBD\0"; /* and the literal's own NUL */
    mdf_tokenizer *t = NULL;
    assert_int_equal(mdf_tokenizer_new_bytes(&t, 264, NULL), MDF_OK);
    mdf_detokeniser d = mdf_detokeniser_new(t);
    for (size_t i = 0; i < sizeof token / sizeof token[0]; i++) {
        assert_int_equal(mdf_detokenise(&d, token[i], NULL), MDF_OK);
    }
    assert_int_equal(mdf_detokenise_end(&d, NULL), MDF_OK);
    assert_int_equal(d.text.len, sizeof want);
    assert_memory_equal(d.text.data, want, sizeof want);
    mdf_detokeniser_free(&d);
    mdf_tokenizer_free(t);
}

/* Python: bytes.decode("utf-8", "replace"). */
static void what_is_no_character_is_replaced(void **state)
{
    (void)state;
    feed("\xFF"
         "a",
         "04",
         "\xEF\xBF\xBD"
         "a");
    feed("\xE7\x9B", "00", "\xEF\xBF\xBD");
    feed("\xE7\x9B"
         "a",
         "004",
         "\xEF\xBF\xBD"
         "a");
    feed("\xE7\xE7\x9B\xAE", "0336", "\xEF\xBF\xBD\xE7\x9B\xAE");
    feed("\xC0\x80", "03", "\xEF\xBF\xBD\xEF\xBF\xBD");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_character_comes_when_it_is_whole),
        cmocka_unit_test(what_is_no_character_is_replaced),
        cmocka_unit_test(a_nul_ends_nothing),
    };
    return cmocka_run_group_tests_name("data/detokenise", tests, NULL, NULL);
}
