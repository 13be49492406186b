/* One block of memory per lifetime: bump allocation, mark and rewind, no free of single items. */
#include "base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

enum {
    ALIGNMENT = 64,
    MIN_BLOCK = 1 << 16,
    LARGE = 1 << 20 /* from here on an allocation has a block of its own size, so that none is left
                       over at the end of a block */
};

typedef struct mdf_arena_block {
    struct mdf_arena_block *older;
    size_t size;
    size_t used;
    size_t used_below; /* bytes in use in all older blocks when this one was made */
    unsigned char *data;
} mdf_arena_block;

static mdf_arena_block *block_new(size_t size)
{
    const size_t head = (sizeof(mdf_arena_block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > SIZE_MAX - head) {
        return NULL;
    }
    mdf_arena_block *b = mdf_alloc_raw(head + size);
    if (b != NULL) {
        *b = (mdf_arena_block){.size = size};
        b->data = (unsigned char *)b + head;
    }
    return b;
}

/* The smallest spare block of at least `bytes`, taken out of the list; NULL: none. Small things do
 * not take large blocks. */
static mdf_arena_block *spare_take(mdf_arena *a, size_t bytes)
{
    mdf_arena_block **best = NULL;
    for (mdf_arena_block **at = &a->spare; *at != NULL; at = &(*at)->older) {
        const size_t size = (*at)->size;
        if (size >= bytes && (bytes >= LARGE || size < LARGE) &&
            (best == NULL || size < (*best)->size)) {
            best = at;
        }
    }
    if (best == NULL) {
        return NULL;
    }
    mdf_arena_block *b = *best;
    *best = b->older;
    b->used = 0;
    return b;
}

static void spare_free(mdf_arena *a)
{
    while (a->spare != NULL) {
        mdf_arena_block *older = a->spare->older;
        a->held_bytes -= a->spare->size;
        mdf_free(a->spare);
        a->spare = older;
    }
}

/* A block of at least `bytes`: a spare one, else a fresh one within the limit. */
static mdf_arena_block *block_for(mdf_arena *a, size_t bytes)
{
    mdf_arena_block *b = spare_take(a, bytes);
    if (b != NULL) {
        return b;
    }
    size_t want = a->block == NULL || a->block->size >= LARGE ? MIN_BLOCK : a->block->size;
    want = want < bytes ? bytes : want;
    if (a->limit_bytes != 0 && a->held_bytes + want > a->limit_bytes) {
        want = bytes;
        if (a->held_bytes + want > a->limit_bytes) {
            spare_free(a); /* none of them was of use */
        }
        if (a->held_bytes + want > a->limit_bytes) {
            return NULL;
        }
    }
    b = block_new(want);
    if (b != NULL) {
        a->held_bytes += want;
    }
    return b;
}

mdf_status mdf_arena_init(mdf_arena *a, size_t first_bytes, size_t limit_bytes, mdf_error *err)
{
    *a = (mdf_arena){.limit_bytes = limit_bytes};
    if (first_bytes != 0) {
        a->block = block_new(first_bytes);
        if (a->block == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory: an arena of %zu bytes",
                            first_bytes);
        }
        a->held_bytes = first_bytes;
    }
    return MDF_OK;
}

size_t mdf_arena_used(const mdf_arena *a)
{
    return a->block == NULL ? 0 : a->block->used_below + a->block->used;
}

void *mdf_arena_alloc(mdf_arena *a, size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX / 4) / size) {
        return NULL;
    }
    const size_t bytes = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    mdf_arena_block *b = a->block;
    if (b == NULL || b->size - b->used < bytes) {
        mdf_arena_block *fresh = block_for(a, bytes);
        if (fresh == NULL) {
            return NULL;
        }
        fresh->used_below = mdf_arena_used(a);
        fresh->older = b;
        a->block = b = fresh;
    }
    void *p = b->data + b->used;
    b->used += bytes;
    const size_t used = mdf_arena_used(a);
    a->peak_bytes = used > a->peak_bytes ? used : a->peak_bytes;
    return p;
}

void *mdf_arena_zalloc(mdf_arena *a, size_t count, size_t size)
{
    void *p = mdf_arena_alloc(a, count, size);
    if (p != NULL) {
        memset(p, 0, count * size);
    }
    return p;
}

char *mdf_arena_strndup(mdf_arena *a, const char *s, size_t len)
{
    char *p = mdf_arena_alloc(a, len + 1, 1);
    if (p != NULL) {
        memcpy(p, s, len);
        p[len] = '\0';
    }
    return p;
}

void mdf_arena_free(mdf_arena *a)
{
    spare_free(a);
    while (a->block != NULL) {
        mdf_arena_block *older = a->block->older;
        mdf_free(a->block);
        a->block = older;
    }
    *a = (mdf_arena){.limit_bytes = a->limit_bytes};
}

void mdf_arena_reset(mdf_arena *a)
{
    if (a->block == NULL) {
        return;
    }
    if (a->block->older != NULL || a->spare != NULL) {
        /* Room for steps that are a little larger, so that the size settles. */
        const size_t peak = a->peak_bytes;
        size_t size = peak + peak / 8;
        size = a->limit_bytes != 0 && size > a->limit_bytes ? peak : size;
        mdf_arena_free(a);
        mdf_alloc_trim();
        a->block = block_new(size); /* on failure the next alloc tries again and reports */
        a->held_bytes = a->block == NULL ? 0 : size;
        a->peak_bytes = peak;
        return;
    }
    a->block->used = 0;
}

mdf_arena_mark mdf_arena_mark_now(const mdf_arena *a)
{
    return (mdf_arena_mark){a->block, a->block == NULL ? 0 : a->block->used};
}

void mdf_arena_rewind(mdf_arena *a, mdf_arena_mark mark)
{
    while (a->block != mark.block) {
        assert(a->block != NULL);
        mdf_arena_block *older = a->block->older;
        a->block->older = a->spare;
        a->spare = a->block;
        a->block = older;
    }
    if (a->block != NULL) {
        assert(mark.used <= a->block->used);
        a->block->used = mark.used;
    }
}

static bool inside(const mdf_arena_block *b, size_t from, const void *p)
{
    const uintptr_t at = (uintptr_t)p;
    const uintptr_t begin = (uintptr_t)b->data;
    return at >= begin + from && at < begin + b->size;
}

bool mdf_arena_is_after(const mdf_arena *a, mdf_arena_mark mark, const void *p)
{
    for (const mdf_arena_block *b = a->block; b != NULL; b = b->older) {
        if (b == mark.block) {
            return inside(b, mark.used, p);
        }
        if (inside(b, 0, p)) {
            return true;
        }
    }
    return false;
}
