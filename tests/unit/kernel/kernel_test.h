/* What the kernel tests share: the levels of this CPU, numbers to feed, and comparison. */
#ifndef MDF_TESTS_UNIT_KERNEL_KERNEL_TEST_H
#define MDF_TESTS_UNIT_KERNEL_KERNEL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "kernel/kernel.h"

enum { LEVELS = 2, TAIL_MAX = 67 }; /* 67 = four vectors of 16 and a tail of 3 */

static const char *const level_names[LEVELS] = {"avx2", "avx512"};

/* Reproducible numbers in [-scale, scale). */
static inline void fill(mdf_real *x, int64_t n, mdf_real scale, uint32_t seed)
{
    uint32_t s = seed * 2654435761u + 12345u;
    for (int64_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = ((mdf_real)(s >> 8) / (mdf_real)8388608 - 1) * scale;
    }
}

static inline mdf_kernels *level(const char *name)
{
    mdf_kernels *k = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_kernels_new(&k, name, &err), MDF_OK);
    return k;
}

/* |got - want| <= tolerance * (|want| + scale), element by element; equal infinities and NaN
 * against NaN agree. */
static inline void assert_close(const mdf_real *got, const mdf_real *want, int64_t n,
                                double tolerance, double scale, const char *what)
{
    for (int64_t i = 0; i < n; i++) {
        const double g = (double)got[i];
        const double w = (double)want[i];
        const bool same = g == w || (g != g && w != w);
        if (!same && !(fabs(g - w) <= tolerance * (fabs(w) + scale))) {
            fail_msg("%s: element %lld of %lld is %.9g, want %.9g", what, (long long)i,
                     (long long)n, g, w);
        }
    }
}

#endif
