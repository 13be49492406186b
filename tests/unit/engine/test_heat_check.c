/* The heat-map check where no case counts; what a hit is: test_heat_measure.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/heat_check.h"

static void a_check_without_cases_has_no_rate(void **state)
{
    (void)state;
    json_t *none = mdf_heat_check_json(&(mdf_heat_check){.masks = 3});
    assert_non_null(none);
    assert_int_equal(json_integer_value(json_object_get(none, "n")), 0);
    assert_true(json_is_null(json_object_get(none, "rate")));
    assert_true(json_is_null(json_object_get(none, "rate_ci")));
    json_decref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_without_cases_has_no_rate),
    };
    return cmocka_run_group_tests_name("heat_check", tests, NULL, NULL);
}
