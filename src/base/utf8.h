/* UTF-8 checks for text that comes from outside. */
#ifndef MDF_BASE_UTF8_H
#define MDF_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Offset of the first byte that is not part of well-formed UTF-8 (no surrogates, no overlong
 * forms, nothing above U+10FFFF); len when all of it is fine. */
size_t mdf_utf8_check(const uint8_t *data, size_t len);

/* Bytes of the ill-formed sequence that data begins with (len > 0), as decoders that put one U+FFFD
 * in its place count them: as many as could still have become a character, at least one. */
size_t mdf_utf8_bad_len(const uint8_t *data, size_t len);

#endif
