/* A limit of the size of files stands for a disk that is full, which a test can't make without
 * being root: both are errors of write(). */
#ifndef MDF_TEST_FULL_DISK_H
#define MDF_TEST_FULL_DISK_H

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Limits what a write may make of a file; 0 lifts the limit. */
static inline void test_limit_size(rlim_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0) {
        abort();
    }
    limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || signal(SIGXFSZ, SIG_IGN) == SIG_ERR) {
        abort();
    }
}

#endif
