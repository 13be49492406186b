/* Memory that is freed under later blocks, and comes back to the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "support/resident.h"

enum { MIB = 1 << 20, BLOCKS = 64 };

static size_t resident_mib(void)
{
    return resident_bytes() / MIB;
}

static void what_lies_below_goes_back(void **state)
{
    (void)state;
    void *block[BLOCKS];
    /* glibc takes blocks of up to this size from the heap once one of them has been freed. */
    void *large = mdf_alloc(24, MIB);
    assert_non_null(large);
    mdf_free(large);
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = mdf_alloc(1, MIB);
        assert_non_null(block[i]);
    }
    void *above = mdf_alloc(1, 64); /* keeps the end of the heap where it is */
    assert_non_null(above);
    const size_t before = resident_mib();
    for (int i = 0; i < BLOCKS; i++) {
        mdf_free(block[i]);
    }
    mdf_alloc_trim();
    assert_true(resident_mib() + BLOCKS - 8 <= before); /* a few pages are the program's own */
    mdf_free(above);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_lies_below_goes_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
