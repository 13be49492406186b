/* What of this process is in memory now. */
#ifndef MDF_TESTS_SUPPORT_RESIDENT_H
#define MDF_TESTS_SUPPORT_RESIDENT_H

#include <stdio.h>
#include <unistd.h>

static size_t resident_bytes(void)
{
    unsigned long all = 0;
    unsigned long resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &all, &resident), 2);
    (void)fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

#endif
