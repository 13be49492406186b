/* A growing string with a mandatory maximum. */
#ifndef MDF_BASE_STRBUF_H
#define MDF_BASE_STRBUF_H

#include "base/status.h"

/* Sticky: after the first failure every append is ignored and `failed` stays set, so callers check
 * once at the end. data is NUL-terminated or NULL when nothing was appended. */
typedef struct mdf_strbuf {
    char *data;
    size_t len;
    size_t capacity;
    size_t max_bytes;
    bool failed;
    bool full; /* it failed because of max_bytes */
} mdf_strbuf;

mdf_strbuf mdf_strbuf_new(size_t max_bytes);
void mdf_strbuf_add(mdf_strbuf *b, const void *bytes, size_t n);
void mdf_strbuf_puts(mdf_strbuf *b, const char *s);
void mdf_strbuf_printf(mdf_strbuf *b, const char *fmt, ...) MDF_PRINTF(2, 3);
void mdf_strbuf_clear(mdf_strbuf *b); /* keeps the memory */
void mdf_strbuf_free(mdf_strbuf *b);

#endif
