/* One piece of text -> tokens. Short pieces, which are nearly all, look for the best pair by going
 * over all of them; long ones keep the pairs in a heap. Both merge in the same order. */
#include <string.h>

#include "language/bpe.h"
#include "language/bpe_table.h"

enum { SHORT = 48 };

static const struct mdf_bpe_pair no_pair = {0, UINT32_MAX, -1};

static const struct mdf_bpe_pair *find_pair(const mdf_bpe *b, int32_t left, int32_t right)
{
    const uint64_t key = mdf_bpe_pair_key(left, right);
    size_t i = mdf_bpe_pair_slot(key) & b->pair_mask;
    while (b->pair[i].key != key) {
        if (b->pair[i].key == 0) {
            return &no_pair;
        }
        i = (i + 1) & b->pair_mask;
    }
    return &b->pair[i];
}

/* The tokens of the single bytes; returns how many there are. */
static size_t bytes_to_ids(const mdf_bpe *b, const uint8_t *piece, size_t n, int32_t *id)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        id[count] = b->byte_id[piece[i]];
        count += id[count] >= 0 ? 1 : 0;
    }
    return count;
}

static void encode_short(const mdf_bpe *b, const uint8_t *piece, size_t n, mdf_token_sink *out)
{
    int32_t id[SHORT + 1];
    const struct mdf_bpe_pair *pair[SHORT]; /* of i and i + 1 */
    size_t count = bytes_to_ids(b, piece, n, id);
    for (size_t i = 0; i + 1 < count; i++) {
        pair[i] = find_pair(b, id[i], id[i + 1]);
    }
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++) {
            best = pair[i]->rank < pair[best]->rank ? i : best;
        }
        if (pair[best]->id < 0) {
            break;
        }
        id[best] = pair[best]->id;
        count--;
        for (size_t i = best + 1; i < count; i++) {
            id[i] = id[i + 1];
            pair[i - 1] = pair[i];
        }
        if (best > 0) {
            pair[best - 1] = find_pair(b, id[best - 1], id[best]);
        }
        if (best + 1 < count) {
            pair[best] = find_pair(b, id[best], id[best + 1]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        mdf_token_put(out, id[i]);
    }
}

/* A symbol of a long piece, linked to its neighbours by index; -1 = none. */
typedef struct symbol {
    int32_t id; /* -1 = merged into the one before */
    int32_t prev, next;
    uint32_t rank; /* of the pair with the next one; UINT32_MAX = no merge */
    int32_t merged;
} symbol;

typedef struct merger {
    const mdf_bpe *b;
    symbol *s;
    uint64_t *heap; /* rank << 32 | index: the smallest is the next merge. Old entries stay. */
    size_t heap_count;
} merger;

static void sift_down(merger *m, size_t i)
{
    const uint64_t value = m->heap[i];
    for (size_t child = 2 * i + 1; child < m->heap_count; child = 2 * i + 1) {
        if (child + 1 < m->heap_count && m->heap[child + 1] < m->heap[child]) {
            child++;
        }
        if (value <= m->heap[child]) {
            break;
        }
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = value;
}

static void push(merger *m, uint64_t value)
{
    size_t i = m->heap_count++;
    while (i > 0 && m->heap[(i - 1) / 2] > value) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = value;
}

static uint64_t pop(merger *m)
{
    const uint64_t top = m->heap[0];
    m->heap[0] = m->heap[--m->heap_count];
    if (m->heap_count > 0) {
        sift_down(m, 0);
    }
    return top;
}

/* Looks the pair of i and its neighbour up again; true if they merge. */
static bool refresh(merger *m, int32_t i)
{
    symbol *s = &m->s[i];
    const struct mdf_bpe_pair *p =
        s->next < 0 ? &no_pair : find_pair(m->b, s->id, m->s[s->next].id);
    s->rank = p->rank;
    s->merged = p->id;
    return p->id >= 0;
}

static uint64_t heap_key(const merger *m, int32_t i)
{
    return (uint64_t)m->s[i].rank << 32 | (uint32_t)i;
}

static void merge_all(merger *m)
{
    while (m->heap_count > 0) {
        const uint64_t top = pop(m);
        const int32_t i = (int32_t)(uint32_t)top;
        symbol *s = &m->s[i];
        if (s->id < 0 || s->rank != (uint32_t)(top >> 32)) {
            continue; /* one of the two was merged in the meantime */
        }
        symbol *right = &m->s[s->next];
        s->id = s->merged;
        s->next = right->next;
        right->id = -1;
        if (s->next >= 0) {
            m->s[s->next].prev = i;
        }
        if (refresh(m, i)) {
            push(m, heap_key(m, i));
        }
        if (s->prev >= 0 && refresh(m, s->prev)) {
            push(m, heap_key(m, s->prev));
        }
    }
}

/* Every merge takes one symbol away and adds at most two entries to the heap. */
static bool encode_long(const mdf_bpe *b, const uint8_t *piece, size_t n, mdf_token_sink *out,
                        mdf_arena *scratch)
{
    int32_t *id = mdf_arena_alloc(scratch, n + 1, sizeof *id);
    symbol *s = mdf_arena_alloc(scratch, n, sizeof *s);
    uint64_t *heap = mdf_arena_alloc(scratch, 3 * n, sizeof *heap);
    if (id == NULL || s == NULL || heap == NULL) {
        return false;
    }
    merger m = {b, s, heap, 0};
    const int32_t count = (int32_t)bytes_to_ids(b, piece, n, id);
    for (int32_t i = 0; i < count; i++) {
        s[i] = (symbol){.id = id[i], .prev = i - 1, .next = i + 1 < count ? i + 1 : -1};
    }
    for (int32_t i = 0; i < count; i++) {
        if (refresh(&m, i)) {
            heap[m.heap_count++] = heap_key(&m, i);
        }
    }
    for (size_t i = m.heap_count / 2; i-- > 0;) {
        sift_down(&m, i);
    }
    merge_all(&m);
    for (int32_t i = count > 0 ? 0 : -1; i >= 0; i = s[i].next) {
        mdf_token_put(out, s[i].id);
    }
    return true;
}

bool mdf_bpe_encode(const mdf_bpe *b, const uint8_t *piece, size_t n, mdf_token_sink *out,
                    mdf_arena *scratch)
{
    if (b->ignore_merges && n <= MDF_MAX_TOKEN_BYTES) {
        const int32_t id = mdf_bpe_find(b, mdf_bpe_hash(MDF_BPE_HASH, piece, n), piece, n);
        if (id >= 0) {
            mdf_token_put(out, id);
            return true;
        }
    }
    if (n <= SHORT) {
        encode_short(b, piece, n, out);
        return true;
    }
    const mdf_arena_mark mark = mdf_arena_mark_now(scratch);
    const bool fine = encode_long(b, piece, n, out, scratch);
    mdf_arena_rewind(scratch, mark);
    return fine;
}
