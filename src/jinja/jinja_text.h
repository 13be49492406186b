/* Characters as Python's str knows them, on UTF-8: counting, cutting, white space, case. */
#ifndef MDF_JINJA_TEXT_H
#define MDF_JINJA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point that s begins with (len > 0) and its bytes; a byte that begins none counts as one
 * of its own, *bytes = 1 and the result is UINT32_MAX. */
uint32_t mdf_jtext_decode(const char *s, size_t len, size_t *bytes);

/* Writes c (a code point, no surrogate) as UTF-8; the number of bytes, at most 4. */
size_t mdf_jtext_encode(char out[4], uint32_t c);

size_t mdf_jtext_count(const char *s, size_t len);

/* Offset of the index-th character; len when there are not so many. */
size_t mdf_jtext_offset(const char *s, size_t len, size_t index);

/* Bytes of the white space that s begins or ends with, as str.isspace() knows it; 0 = none. */
size_t mdf_jtext_white_at(const char *s, size_t len);
size_t mdf_jtext_white_before(const char *s, size_t len);

/* Bytes of the last character of s (len > 0). */
size_t mdf_jtext_last(const char *s, size_t len);

/* Bytes of the line break that s begins with, as str.splitlines() knows them; 0 = none. */
size_t mdf_jtext_break_at(const char *s, size_t len);

/* The other case of c, c itself where there is none. Known: ASCII, Latin-1, Latin Extended-A,
 * Greek, Cyrillic, Armenian and full-width letters with a single counterpart; all else stays as it
 * is. */
uint32_t mdf_jtext_upper(uint32_t c);
uint32_t mdf_jtext_lower(uint32_t c);

/* Does repr() write c as itself? Unassigned code points count as printable. */
bool mdf_jtext_printable(uint32_t c);

/* Offset of the first needle in s, or len + 1. An empty needle is found at 0. */
size_t mdf_jtext_find(const char *s, size_t len, const char *needle, size_t needle_len);
/* The same for the last one. */
size_t mdf_jtext_find_last(const char *s, size_t len, const char *needle, size_t needle_len);

#endif
