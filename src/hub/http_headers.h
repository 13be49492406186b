/* The three header fields whose values have a grammar. Text comes from a server: any bytes. */
#ifndef MDF_HUB_HTTP_HEADERS_H
#define MDF_HUB_HTTP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Content-Range: "bytes 100-199/1000"; total = -1 for "*". False: anything else, or numbers that
 * contradict each other. */
bool mdf_http_content_range(const char *text, size_t len, uint64_t *start, int64_t *total);

/* Link: the target of the first link whose relation is "next", as it stands there (it may be
 * relative), into out with a NUL. False: none, or it does not fit. */
bool mdf_http_link_next(const char *text, size_t len, char *out, size_t out_bytes);

/* ETag: a strong one with its quotes, into out. False: weak, malformed or too long. */
bool mdf_http_strong_etag(const char *text, size_t len, char *out, size_t out_bytes);

#endif
