/* Which eye: the words for it, and swapping them when a picture is mirrored. */
#ifndef MDF_PHOTO_LATERALITY_H
#define MDF_PHOTO_LATERALITY_H

#include "base/strbuf.h"

/* Appends `in` to *out with left and right exchanged: left <-> right, OD <-> OS, oculus dexter <->
 * oculus sinister, as whole words, keeping lower, Upper and ALL capitals. OD and OS only in
 * capitals
 * ("os" is also a word). Everything else, UTF-8 included, is copied as it is. in may be NULL
 * (empty). Failure (out of memory, too long) stays in out->failed. */
void mdf_text_swap_laterality(const char *in, mdf_strbuf *out);

#endif
