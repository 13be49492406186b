/* How much memory a program may still take. */
#ifndef MDF_BASE_MEMORY_H
#define MDF_BASE_MEMORY_H

#include "base/status.h"

/* Bytes that can be taken without swapping: what Linux reckons as available, or less where a
 * control group has a limit. UINT64_MAX: not known, as on other systems. */
uint64_t mdf_memory_available(void);

/* The number of a line "key: 123 kB" of /proc/meminfo or "key 123" of a group's memory.stat; false:
 * there is none. text ends with a NUL. */
bool mdf_memory_number(const char *text, const char *key, uint64_t *out);

#endif
