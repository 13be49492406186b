/* The distance between names: textbook pairs, both ways, and names that are too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/nearest.h"

static void textbook_pairs_have_their_distance_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        int distance;
    } rows[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"kitten", "sitting", 3},
        {"label", "lable", 2},
        {"saturday", "sunday", 3},
        {"text", "text", 0},
        {"eye", "eyes", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(mdf_edit_distance(rows[i].a, rows[i].b), rows[i].distance);
        assert_int_equal(mdf_edit_distance(rows[i].b, rows[i].a), rows[i].distance);
    }
}

static void a_name_above_the_limit_is_near_nothing(void **state)
{
    (void)state;
    char name[MDF_NEAREST_LONGEST + 2] = {0};
    memset(name, 'x', MDF_NEAREST_LONGEST);
    assert_int_equal(mdf_edit_distance(name, name), 0);
    name[MDF_NEAREST_LONGEST] = 'x';
    assert_int_equal(mdf_edit_distance(name, name), MDF_NEAREST_LONGEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(textbook_pairs_have_their_distance_both_ways),
        cmocka_unit_test(a_name_above_the_limit_is_near_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
