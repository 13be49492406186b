/* A growing string with a mandatory maximum. */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

mdf_strbuf mdf_strbuf_new(size_t max_bytes)
{
    return (mdf_strbuf){.max_bytes = max_bytes};
}

static bool reserve(mdf_strbuf *b, size_t extra)
{
    if (b->failed) {
        return false;
    }
    if (extra > b->max_bytes || b->len > b->max_bytes - extra) {
        b->failed = true;
        b->full = true;
        return false;
    }
    const size_t need = b->len + extra + 1;
    if (need <= b->capacity) {
        return true;
    }
    size_t capacity = b->capacity == 0 ? 256 : b->capacity * 2;
    capacity = capacity < need ? need : capacity;
    char *data = mdf_grow(b->data, b->len, capacity, 1);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void mdf_strbuf_add(mdf_strbuf *b, const void *bytes, size_t n)
{
    if (reserve(b, n)) {
        if (n != 0) {
            memcpy(b->data + b->len, bytes, n);
        }
        b->len += n;
        b->data[b->len] = '\0';
    }
}

void mdf_strbuf_puts(mdf_strbuf *b, const char *s)
{
    mdf_strbuf_add(b, s, strlen(s));
}

void mdf_strbuf_printf(mdf_strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) {
        b->failed = true;
    } else if (reserve(b, (size_t)n)) {
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

void mdf_strbuf_clear(mdf_strbuf *b)
{
    b->len = 0;
    b->failed = false;
    b->full = false;
    if (b->data != NULL) {
        b->data[0] = '\0';
    }
}

void mdf_strbuf_free(mdf_strbuf *b)
{
    mdf_free(b->data);
    *b = (mdf_strbuf){.max_bytes = b->max_bytes};
}
