/* Errors as sentences: one line, whatever the names in it hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "base/status.h"

static void a_name_can_neither_break_the_line_nor_command_the_terminal(void **state)
{
    (void)state;
    mdf_error err = {0};
    assert_int_equal(mdf_fail(&err, MDF_ERR_IO, "%s: can't open", "a\nb\x1B[2J\x7F\r\xC3\xA9"),
                     MDF_ERR_IO);
    assert_string_equal(err.text, "a?b?[2J??\xC3\xA9: can't open");
    assert_int_equal(mdf_fail_prefix(&err, MDF_ERR_IO, "x\ty"), MDF_ERR_IO);
    assert_string_equal(err.text, "x?y: a?b?[2J??\xC3\xA9: can't open");
}

static void a_long_name_leaves_room_for_the_sentence(void **state)
{
    (void)state;
    char name[2000];
    mdf_error err = {0};
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    (void)mdf_fail(&err, MDF_ERR_FORMAT, "the file is empty");
    (void)mdf_fail_prefix(&err, MDF_ERR_FORMAT, name);
    const char *end = memchr(err.text, '\0', sizeof err.text);
    assert_non_null(end);
    assert_string_equal(end - strlen("the file is empty"), "the file is empty");
}

static void no_error_struct_is_no_problem(void **state)
{
    (void)state;
    assert_int_equal(mdf_fail(NULL, MDF_ERR_ARG, "%d", 1), MDF_ERR_ARG);
    assert_int_equal(mdf_fail_prefix(NULL, MDF_ERR_ARG, "a"), MDF_ERR_ARG);
}

static void every_status_has_a_text(void **state)
{
    (void)state;
    for (int i = MDF_OK; i <= MDF_ERR_STOPPED; i++) {
        assert_true(strlen(mdf_status_text((mdf_status)i)) > 0);
    }
    assert_string_equal(mdf_status_text((mdf_status)99), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_can_neither_break_the_line_nor_command_the_terminal),
        cmocka_unit_test(a_long_name_leaves_room_for_the_sentence),
        cmocka_unit_test(no_error_struct_is_no_problem),
        cmocka_unit_test(every_status_has_a_text),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
