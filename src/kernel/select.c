/* Which kernels this CPU gets: reference first, then every better level overwrites what it knows.
 */
#include <string.h>

#include "base/alloc.h"
#include "kernel/kernel.h"

#if defined(__x86_64__) && !defined(MDF_REAL_DOUBLE)
#include <cpuid.h>
#endif

typedef struct isa_level {
    const char *name;
    bool (*has)(void);
    void (*fill)(mdf_kernels *k);
} isa_level;

static bool always(void)
{
    return true;
}

#if defined(__x86_64__) && !defined(MDF_REAL_DOUBLE)
/* Conversion of half precision. clang 14's __builtin_cpu_supports() does not know it. */
static bool has_f16c(void)
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

static void fill_avx2(mdf_kernels *k)
{
    mdf_kernels_fill_avx2(k);
    mdf_kernels_fill_weight_avx2(k);
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static void fill_avx512(mdf_kernels *k)
{
    mdf_kernels_fill_avx512(k);
    mdf_kernels_fill_weight_avx512(k);
}

static bool has_vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}
#else
static bool never(void)
{
    return false;
}
#endif

/* Weakest first. */
static const isa_level levels[] = {
    {"ref", always, mdf_kernels_fill_ref},
#if defined(__x86_64__) && !defined(MDF_REAL_DOUBLE)
    {"avx2", has_avx2, fill_avx2},
    {"avx512", has_avx512, fill_avx512},
    {"avx512vnni", has_vnni, mdf_kernels_fill_weight_vnni},
#else
    {"avx2", never, NULL},
    {"avx512", never, NULL},
    {"avx512vnni", never, NULL},
#endif
};

mdf_status mdf_kernels_new(mdf_kernels **out, const char *max_isa, mdf_error *err)
{
    *out = NULL;
    const size_t count = sizeof levels / sizeof levels[0];
    size_t last = count - 1;
    if (max_isa != NULL) {
        last = 0;
        while (last < count && strcmp(levels[last].name, max_isa) != 0) {
            last++;
        }
        if (last == count) {
            return mdf_fail(
                err, MDF_ERR_ARG,
                "instruction set \"%s\" is unknown: use ref, avx2, avx512 or avx512vnni", max_isa);
        }
    }
    mdf_kernels *k = mdf_alloc(1, sizeof *k);
    if (k == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the kernel table");
    }
    for (size_t i = 0; i <= last; i++) {
        if (levels[i].has()) {
            levels[i].fill(k);
            k->isa = levels[i].name;
        }
    }
#ifndef MDF_REAL_DOUBLE
    const bool reference_only = max_isa != NULL && last == 0;
    if (!reference_only && (!mdf_kernels_fill_dnnl(k) || !mdf_kernels_fill_winograd(k))) {
        mdf_kernels_free(k);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the convolutions");
    }
#endif
    *out = k;
    return MDF_OK;
}

void mdf_kernels_free(mdf_kernels *k)
{
    if (k != NULL && k->conv_cache_free != NULL) {
        k->conv_cache_free(k->conv_cache);
    }
    mdf_free(k);
}
