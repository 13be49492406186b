/* Time for people and benchmarks; nothing in the maths depends on it. */
#include "base/clock.h"

#include <sys/resource.h>
#include <time.h>

static double read_clock(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double mdf_clock_seconds(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double mdf_clock_wall_seconds(void)
{
    return read_clock(CLOCK_REALTIME);
}

size_t mdf_peak_rss_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}
