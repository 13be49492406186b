/* What people and programs write into cells: blanks at the ends, words for "nothing", names in
 * another spelling. */
#ifndef MDF_DATA_CELL_H
#define MDF_DATA_CELL_H

#include <stdbool.h>
#include <stddef.h>

/* Moves *s behind the blanks that it begins with; returns the length without those at its end.
 * Blanks are white space and control characters of ASCII, the no-break, narrow no-break and
 * ideographic spaces, and what has no width at all (byte order mark, zero-width space, joiners). */
size_t mdf_cell_trim(const char **s);

/* Which of the words for a missing value s is, whatever its capitals and blanks around it: nan, na,
 * n/a, none, null, -, <na> or #n/a. -1: it is none of them (an empty s, too). */
int mdf_cell_missing_word(const char *s);

enum { MDF_CELL_MISSING_WORDS = 8 };

/* s in small letters, with one '_' for every run of blanks, hyphens and underscores and none at the
 * ends, cut to what fits. */
void mdf_cell_fold(char *out, size_t out_bytes, const char *s);

/* Do both say the same but for capitals, blanks, hyphens and underscores? */
bool mdf_cell_alike(const char *a, const char *b);

/* train, val, valid, validation or test when s is one of them in whatever capitals; else s. */
const char *mdf_cell_split(const char *s);
bool mdf_cell_is_split(const char *s);

#endif
