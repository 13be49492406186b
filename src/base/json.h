/* The JSON of a model's files, as Python programs write it. */
#ifndef MDF_BASE_JSON_H
#define MDF_BASE_JSON_H

#include <stddef.h>

struct json_t;
struct json_error_t;

/* Bytes of the UTF-8 mark (U+FEFF) that a text begins with: 3, or 0 without one. Editors of Windows
 * and Python's "utf-8-sig" put it there; it is no part of the JSON. */
size_t mdf_json_mark(const char *bytes, size_t len);

/* json_loadb() of jansson, which passes over a mark and takes whole numbers beyond 64 bits for
 * fractions, as nearly as a double has them (transformers writes 1e30 with all its digits); a
 * reader that wants a whole number there refuses the value by its key. bytes may be NULL if len is
 * 0. NULL: *where says where and why. Caller frees with json_decref(). */
struct json_t *mdf_json_load(const char *bytes, size_t len, size_t flags,
                             struct json_error_t *where);

#endif
