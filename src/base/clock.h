/* Time for people and benchmarks; nothing in the maths depends on it. */
#ifndef MDF_BASE_CLOCK_H
#define MDF_BASE_CLOCK_H

#include <stddef.h>

double mdf_clock_seconds(void);      /* monotonic */
double mdf_clock_wall_seconds(void); /* since 1970, UTC */
size_t mdf_peak_rss_bytes(void);     /* largest resident set of this process so far */

#endif
