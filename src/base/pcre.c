/* PCRE2 with this library's memory. */
#include "base/pcre.h"

#include "base/alloc.h"

static void *pcre_alloc(size_t bytes, void *user)
{
    (void)user;
    return mdf_alloc_raw(bytes);
}

static void pcre_free(void *p, void *user)
{
    (void)user;
    mdf_free(p);
}

pcre2_general_context *mdf_pcre_memory(void)
{
    return pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
}

bool mdf_pcre_no_memory(int code)
{
    return code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_HEAPLIMIT;
}
