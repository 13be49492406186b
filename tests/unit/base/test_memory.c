/* Memory that may still be taken: the kernel's texts, and what this machine says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"

static const char meminfo[] = "MemTotal:       16384256 kB\n"
                              "MemFree:          123456 kB\n"
                              "MemAvailable:    8123456 kB\n"
                              "Buffers:             100 kB\n";
static const char stat_of_group[] = "anon 4096\nfile 1048576\nfile_mapped 7\nkernel x\nslab -1\n";

static void numbers_are_found_by_their_whole_key(void **state)
{
    (void)state;
    uint64_t n = 0;
    assert_true(mdf_memory_number(meminfo, "MemAvailable", &n));
    assert_int_equal(n, 8123456);
    assert_true(mdf_memory_number(meminfo, "MemTotal", &n));
    assert_int_equal(n, 16384256);
    assert_true(mdf_memory_number(stat_of_group, "file", &n));
    assert_int_equal(n, 1048576);
    assert_false(mdf_memory_number(meminfo, "Mem", &n));
    assert_false(mdf_memory_number(meminfo, "Available", &n));
    assert_false(mdf_memory_number(stat_of_group, "kernel", &n));
    assert_false(mdf_memory_number(stat_of_group, "slab", &n));
    assert_false(mdf_memory_number("", "file", &n));
    assert_false(mdf_memory_number("file", "file", &n));
}

/* Nothing runs in less than a megabyte or in more than a petabyte; where it is not known it is as
 * much as can be. */
static void this_machine_has_some(void **state)
{
    (void)state;
    const uint64_t n = mdf_memory_available();
    assert_true(n == UINT64_MAX || (n > (uint64_t)1 << 20 && n < (uint64_t)1 << 50));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_found_by_their_whole_key),
        cmocka_unit_test(this_machine_has_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
