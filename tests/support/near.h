/* |got - want| <= tolerance, which Debian 12's cmocka only has for float. NAN is near nothing. */
#ifndef MDF_TEST_NEAR_H
#define MDF_TEST_NEAR_H

#include <math.h>
#include <stdio.h>

#define assert_near(got, want, tolerance)                                                          \
    do {                                                                                           \
        const double near_got = (got);                                                             \
        const double near_want = (want);                                                           \
        if (!(fabs(near_got - near_want) <= (tolerance))) {                                        \
            fail_msg("%s = %.17g, want %.17g", #got, near_got, near_want);                         \
        }                                                                                          \
    } while (0)

#endif
