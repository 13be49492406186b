/* Sentences of clinical texts, and what is left when some of them go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "data/sentence.h"

enum { MAX = 8 };

/* The sentences of text must be want[0..], up to the first NULL. The text is copied to memory of
 * its size, so that a sanitizer sees a byte that is read behind it. */
static void expect(const char *text, const char *const want[MAX])
{
    const size_t len = strlen(text);
    char *exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, text, len);
    mdf_sentence s = {0};
    size_t n = 0;
    while (mdf_sentence_next(&s, exact, len)) {
        if (n == MAX || want[n] == NULL) {
            fail_msg("\"%s\": \"%.*s\" is one too many", text, (int)s.len, exact + s.begin);
        }
        if (s.len != strlen(want[n]) || memcmp(exact + s.begin, want[n], s.len) != 0) {
            fail_msg("\"%s\": \"%.*s\", want \"%s\"", text, (int)s.len, exact + s.begin, want[n]);
        }
        n++;
    }
    if (n < MAX && want[n] != NULL) {
        fail_msg("\"%s\": \"%s\" is missing", text, want[n]);
    }
    free(exact);
}

#define EXPECT(text, ...) expect(text, (const char *const[MAX]){__VA_ARGS__})

static void stops_and_line_breaks_end_a_sentence(void **state)
{
    (void)state;
    EXPECT("69-year-old female. Left eye. Fellow eye: cataract.", "69-year-old female.",
           "Left eye.", "Fellow eye: cataract.");
    EXPECT("Pain? Yes! Since May; worse at night", "Pain?", "Yes!", "Since May;", "worse at night");
    EXPECT("Right eye.\tBlurred\nHazy lens\r\n\r\nNo pain. ", "Right eye.", "Blurred", "Hazy lens",
           "No pain.");
    EXPECT("one", "one");
    EXPECT("What?! Yes...  \nNo", "What?!", "Yes...", "No");
}

static void a_stop_within_a_word_ends_nothing(void **state)
{
    (void)state;
    EXPECT("Cup 0.7 of 1.5 mm.", "Cup 0.7 of 1.5 mm.");
    EXPECT("a;b.c!d?e", "a;b.c!d?e");
    EXPECT("Dr. Smith", "Dr.", "Smith"); /* abbreviations are not known */
}

static void blanks_alone_are_no_sentence(void **state)
{
    (void)state;
    EXPECT("", NULL);
    EXPECT(" \t\n \r\f\v", NULL);
    EXPECT("  .  ", ".");
    EXPECT(" a \n b ", "a", "b");
}

static void no_sentence_leaves_the_place_alone(void **state)
{
    (void)state;
    mdf_sentence s = {.begin = 3, .len = 2, .next = 5};
    assert_false(mdf_sentence_next(&s, "a. b.", 5));
    assert_int_equal(s.begin, 3);
    assert_int_equal(s.len, 2);
    assert_int_equal(s.next, 5);
}

/* Says that sentences with this letter go, and counts the questions. */
typedef struct letter {
    char c;
    size_t asked;
} letter;

static bool has_letter(void *user, const char *sentence, size_t len)
{
    letter *l = user;
    l->asked++;
    return memchr(sentence, l->c, len) != NULL;
}

static void expect_left(const char *text, char gone, size_t asked, const char *want)
{
    char copy[64] = {0};
    const size_t len = strlen(text);
    assert_true(len < sizeof copy);
    letter l = {.c = gone};
    memset(copy, '#', sizeof copy);
    size_t n = mdf_sentence_drop(copy, text, len, has_letter, &l);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(copy, want, n);
    assert_int_equal(copy[len], '#');
    assert_int_equal(l.asked, asked);
    memcpy(copy, text, len);
    n = mdf_sentence_drop(copy, copy, len, has_letter, &l); /* in place */
    assert_int_equal(n, strlen(want));
    assert_memory_equal(copy, want, n);
}

static void what_stays_stays_as_it_stands(void **state)
{
    (void)state;
    expect_left("Ab.  Cd. Ef.", 'x', 3, "Ab.  Cd. Ef.");
    expect_left("Ab.  Cd. Ef.", 'A', 3, "Cd. Ef.");
    expect_left("Ab.  Cd. Ef.", 'C', 3, "Ab.  Ef.");
    expect_left("Ab.  Cd. Ef.", 'E', 3, "Ab.  Cd.");
    expect_left("Ab.  Cd. Ef.", '.', 3, "");
    expect_left(" Ab. Cd. ", 'x', 2, " Ab. Cd. ");
    expect_left(" Ab. Cd. ", 'A', 2, "Cd.");
    expect_left(" Ab. Cd. ", 'C', 2, " Ab.");
    expect_left("", 'x', 0, "");
    expect_left(" \n ", 'x', 0, " \n ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_and_line_breaks_end_a_sentence),
        cmocka_unit_test(a_stop_within_a_word_ends_nothing),
        cmocka_unit_test(blanks_alone_are_no_sentence),
        cmocka_unit_test(no_sentence_leaves_the_place_alone),
        cmocka_unit_test(what_stays_stays_as_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
