/* How far two names are from each other, for "did you mean ...?". */
#ifndef MDF_BASE_NEAREST_H
#define MDF_BASE_NEAREST_H

enum { MDF_NEAREST_LONGEST = 64 };

/* Edits (insert, delete, replace a byte) that turn a into b. Names longer than MDF_NEAREST_LONGEST
 * bytes are no slips of anything: they count as that far. */
int mdf_edit_distance(const char *a, const char *b);

#endif
