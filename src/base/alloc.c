/* Every heap allocation of the library goes through here, so that tests can make the n-th one
 * fail. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { ALIGNMENT = 64 }; /* one cache line, one AVX-512 register */

/* The only mutable globals of the library: a test hook and a counter for benchmarks. */
static atomic_long fail_countdown;
static atomic_ullong alloc_calls;

void mdf_alloc_fail_after(long n)
{
    atomic_store(&fail_countdown, n);
}

uint64_t mdf_alloc_count(void)
{
    return atomic_load(&alloc_calls);
}

void *mdf_alloc_raw(size_t bytes)
{
    atomic_fetch_add(&alloc_calls, 1);
    if (atomic_load(&fail_countdown) > 0 && atomic_fetch_sub(&fail_countdown, 1) == 1) {
        return NULL;
    }
    if (bytes > SIZE_MAX - ALIGNMENT) {
        return NULL;
    }
    const size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return aligned_alloc(ALIGNMENT, rounded == 0 ? ALIGNMENT : rounded);
}

void *mdf_alloc(size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - ALIGNMENT) / size) {
        return NULL;
    }
    void *p = mdf_alloc_raw(count * size);
    if (p != NULL) {
        memset(p, 0, count * size);
    }
    return p;
}

void *mdf_grow(void *old, size_t old_count, size_t new_count, size_t size)
{
    void *p = mdf_alloc(new_count, size);
    if (p == NULL) {
        return NULL;
    }
    if (old != NULL) {
        memcpy(p, old, (old_count < new_count ? old_count : new_count) * size);
        mdf_free(old);
    }
    return p;
}

char *mdf_strndup(const char *s, size_t len)
{
    char *p = mdf_alloc(len + 1, 1);
    if (p != NULL) {
        memcpy(p, s, len);
        p[len] = '\0';
    }
    return p;
}

char *mdf_strdup(const char *s)
{
    return mdf_strndup(s, strlen(s));
}

void mdf_free(void *p)
{
    free(p);
}

void mdf_alloc_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
