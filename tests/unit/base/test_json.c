/* JSON with a UTF-8 mark and with numbers of more than 64 bits, as Python programs write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

#define MARK "\xEF\xBB\xBF"

static json_t *load(const char *text, json_error_t *where)
{
    return mdf_json_load(text, strlen(text), JSON_REJECT_DUPLICATES, where);
}

static void a_mark_is_passed_over(void **state)
{
    (void)state;
    json_error_t where = {0};
    json_t *root = load(MARK "{\"a\": 3}", &where);
    assert_int_equal(json_integer_value(json_object_get(root, "a")), 3);
    json_decref(root);
    assert_int_equal(mdf_json_mark(MARK "x", 4), 3);
    assert_int_equal(mdf_json_mark(MARK "x", 2), 0);
    assert_int_equal(mdf_json_mark("{}", 2), 0);
    assert_null(load(MARK MARK "{}", &where)); /* one is a mark, two are not */
    assert_null(load(MARK, &where));
    assert_null(mdf_json_load(NULL, 0, 0, &where));
    assert_null(load(MARK "{\"a\": 1, \"a\": 2}", &where));
    assert_null(load("[3,]", &where));
    const int plain = where.position;
    assert_null(load(MARK "[3,]", &where));
    assert_int_equal(where.position, plain + 3);
}

/* 10^30 and 2^63 have nearest doubles, which a C compiler knows; 2^63 - 1 is the last whole one. */
static void whole_numbers_beyond_64_bits_are_fractions(void **state)
{
    (void)state;
    json_error_t where = {0};
    json_t *root = load("{\"model_max_length\": 1000000000000000019884624838656, \"b\": "
                        "[9223372036854775807, 9223372036854775808,-9223372036854775808, 7,"
                        "-99999999999999999999], \"c\": \"1000000000000000019884624838656 \\\" "
                        "99999999999999999999\", \"d\": 12345678901234567890.5, \"e\": "
                        "99999999999999999999e2}",
                        &where);
    assert_non_null(root);
    const json_t *big = json_object_get(root, "model_max_length");
    const json_t *list = json_object_get(root, "b");
    assert_true(json_is_real(big) && json_real_value(big) == 1e30);
    assert_true(json_integer_value(json_array_get(list, 0)) == INT64_MAX);
    assert_true(json_real_value(json_array_get(list, 1)) == 9223372036854775808.0);
    assert_true(json_number_value(json_array_get(list, 2)) == -9223372036854775808.0);
    assert_true(json_is_integer(json_array_get(list, 3)));
    assert_true(json_real_value(json_array_get(list, 4)) == -1e20);
    assert_string_equal(json_string_value(json_object_get(root, "c")),
                        "1000000000000000019884624838656 \" 99999999999999999999");
    assert_true(json_real_value(json_object_get(root, "d")) == 12345678901234567890.5);
    assert_true(json_real_value(json_object_get(root, "e")) == 99999999999999999999e2);
    json_decref(root);
    assert_null(load("[1e999]", &where)); /* no double */
    assert_null(load("[99999999999999999999, \"", &where));
    assert_null(load("[99999999999999999999, \"\\", &where));
}

static void a_failed_allocation_is_a_failure(void **state)
{
    (void)state;
    json_error_t where = {0};
    mdf_alloc_fail_after(1);
    assert_null(load("[99999999999999999999]", &where));
    mdf_alloc_fail_after(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_is_passed_over),
        cmocka_unit_test(whole_numbers_beyond_64_bits_are_fractions),
        cmocka_unit_test(a_failed_allocation_is_a_failure),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
