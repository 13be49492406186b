/* One block of memory per lifetime: bump allocation, mark and rewind, no free of single items. */
#ifndef MDF_BASE_ARENA_H
#define MDF_BASE_ARENA_H

#include <stdbool.h>

#include "base/status.h"

/* Grows by chaining blocks; a reset joins them into one, so that after the first step of a loop
 * nothing is allocated any more. */
typedef struct mdf_arena {
    struct mdf_arena_block *block; /* newest; older ones are linked behind it */
    struct mdf_arena_block *spare; /* given back by a rewind, for the allocations to come */
    size_t limit_bytes;            /* 0 = none: total bytes it may ever hold */
    size_t held_bytes;             /* sum of the block sizes, spare ones included */
    size_t peak_bytes;             /* most bytes in use at once since creation */
} mdf_arena;

/* first_bytes may be 0: nothing is reserved then. */
mdf_status mdf_arena_init(mdf_arena *a, size_t first_bytes, size_t limit_bytes,
                          mdf_error *err) MDF_NODISCARD;

/* 64-byte aligned, NOT zeroed. NULL when out of memory or above the limit. */
void *mdf_arena_alloc(mdf_arena *a, size_t count, size_t size) MDF_NODISCARD;
void *mdf_arena_zalloc(mdf_arena *a, size_t count, size_t size) MDF_NODISCARD;
char *mdf_arena_strndup(mdf_arena *a, const char *s, size_t len) MDF_NODISCARD;

/* Forgets everything; keeps the memory, joined into one block that holds the peak and some more. */
void mdf_arena_reset(mdf_arena *a);

/* Frees the memory; the arena may be initialised again. */
void mdf_arena_free(mdf_arena *a);

size_t mdf_arena_used(const mdf_arena *a);

/* A place to come back to: everything allocated after the mark is forgotten by the rewind. The
 * memory stays with the arena, and its bytes stay as they are until the next allocation. */
typedef struct mdf_arena_mark {
    struct mdf_arena_block *block;
    size_t used;
} mdf_arena_mark;

mdf_arena_mark mdf_arena_mark_now(const mdf_arena *a);
void mdf_arena_rewind(mdf_arena *a, mdf_arena_mark mark);

/* Was p, memory of this arena or of anybody else, allocated here after the mark? */
bool mdf_arena_is_after(const mdf_arena *a, mdf_arena_mark mark, const void *p);

#endif
