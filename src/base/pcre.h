/* PCRE2 with this library's memory: its one way in. */
#ifndef MDF_BASE_PCRE_H
#define MDF_BASE_PCRE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdbool.h>

/* A context that allocates through base/alloc.h; NULL when out of memory. Caller frees with
 * pcre2_general_context_free(). */
pcre2_general_context *mdf_pcre_memory(void);

/* The error of pcre2_compile() says that memory ran out, not that the pattern is wrong. */
bool mdf_pcre_no_memory(int code);

#endif
