/* Every heap allocation of the library goes through here, so that tests can make the n-th one
 * fail. */
#ifndef MDF_BASE_ALLOC_H
#define MDF_BASE_ALLOC_H

#include "base/status.h"

/* Zeroed, 64-byte aligned; count * size is checked for overflow. NULL when out of memory. A zero
 * count gives a valid pointer. Caller frees with mdf_free(). */
void *mdf_alloc(size_t count, size_t size) MDF_NODISCARD;

/* The same without zeroing: for memory that is written before it is read. */
void *mdf_alloc_raw(size_t bytes) MDF_NODISCARD;

/* Grows a block of mdf_alloc(): copies old_count items, zeroes the rest. The old block stays valid
 * on failure (NULL). */
void *mdf_grow(void *old, size_t old_count, size_t new_count, size_t size) MDF_NODISCARD;

/* Copies len bytes of s and ends them with NUL. */
char *mdf_strndup(const char *s, size_t len) MDF_NODISCARD;
char *mdf_strdup(const char *s) MDF_NODISCARD;

void mdf_free(void *p); /* NULL is allowed */

/* Gives freed memory back to the system, where the C library keeps it (glibc does with blocks below
 * 32 MiB that lie under later ones). For the rare moment after which much less is needed. */
void mdf_alloc_trim(void);

/* Tests only: the n-th call from now fails (1 = the next); 0 = never. Not thread-safe. */
void mdf_alloc_fail_after(long n);

/* Number of mdf_alloc()/mdf_grow() calls so far in this process. */
uint64_t mdf_alloc_count(void);

#endif
