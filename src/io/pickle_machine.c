/* The machine that a pickle speaks to: bytes, stack, memo, containers, each bounded. */
#include "io/pickle_machine.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

enum { FIRST_ITEMS = 4, FIRST_STACK = 64 };

/* --- failures --- */

mdf_status mdf_pickle_fail(const mdf_pickle_machine *m, const char *what)
{
    return mdf_fail_at(m->err, MDF_ERR_FORMAT, m->at, "%s: the pickle %s", m->path, what);
}

mdf_status mdf_pickle_fail_limit(const mdf_pickle_machine *m, const char *what)
{
    return mdf_fail_at(m->err, MDF_ERR_LIMIT, m->at, "%s: the pickle %s", m->path, what);
}

static mdf_status no_memory(const mdf_pickle_machine *m)
{
    return mdf_fail(m->err, MDF_ERR_NOMEM, "%s: out of memory", m->path);
}

/* --- bytes, stack, memo --- */

mdf_status mdf_pickle_take(mdf_pickle_machine *m, size_t n, const uint8_t **out)
{
    if (n > m->len - m->at) {
        return mdf_pickle_fail(m, "is cut off");
    }
    *out = m->bytes + m->at;
    m->at += n;
    return MDF_OK;
}

/* A little-endian number of up to 8 bytes. */
mdf_status mdf_pickle_take_number(mdf_pickle_machine *m, size_t bytes, uint64_t *out)
{
    const uint8_t *p = NULL;
    MDF_TRY(mdf_pickle_take(m, bytes, &p));
    *out = 0;
    for (size_t i = bytes; i > 0; i--) {
        *out = *out << 8 | p[i - 1];
    }
    return MDF_OK;
}

/* array with room for `need` items. */
static mdf_pickle_value *room(mdf_pickle_value *array, size_t *capacity, size_t need, size_t first)
{
    size_t n = *capacity == 0 ? first : *capacity;
    while (n < need) {
        n *= 2;
    }
    if (n == *capacity) {
        return array;
    }
    mdf_pickle_value *grown = mdf_grow(array, *capacity, n, sizeof *grown);
    if (grown != NULL) {
        *capacity = n;
    }
    return grown;
}

mdf_status mdf_pickle_push(mdf_pickle_machine *m, mdf_pickle_value v)
{
    if (++m->made > MDF_MAX_PICKLE_VALUES) {
        return mdf_pickle_fail_limit(m, "has too many values");
    }
    mdf_pickle_value *grown = room(m->stack, &m->stack_capacity, m->depth + 1, FIRST_STACK);
    if (grown == NULL) {
        return no_memory(m);
    }
    m->stack = grown;
    m->stack[m->depth++] = v;
    return MDF_OK;
}

/* Items above the last mark. */
size_t mdf_pickle_above_mark(const mdf_pickle_machine *m)
{
    return m->depth - (m->marks > 0 ? m->mark[m->marks - 1] : 0);
}

mdf_status mdf_pickle_need(const mdf_pickle_machine *m, size_t n)
{
    return mdf_pickle_above_mark(m) < n ? mdf_pickle_fail(m, "takes a value from an empty stack")
                                        : MDF_OK;
}

mdf_status mdf_pickle_need_mark(const mdf_pickle_machine *m)
{
    return m->marks == 0 ? mdf_pickle_fail(m, "has no mark where one is needed") : MDF_OK;
}

mdf_pickle_value *mdf_pickle_top(const mdf_pickle_machine *m, size_t below)
{
    return &m->stack[m->depth - 1 - below];
}

mdf_status mdf_pickle_memo_put(mdf_pickle_machine *m, uint64_t slot)
{
    MDF_TRY(mdf_pickle_need(m, 1));
    if (slot >= m->len || slot >= MDF_MAX_PICKLE_VALUES) { /* storing takes two bytes or more */
        return mdf_pickle_fail_limit(m, "numbers what it remembers too high");
    }
    const size_t before = m->memo_capacity;
    mdf_pickle_value *grown = room(m->memo, &m->memo_capacity, (size_t)slot + 1, FIRST_STACK);
    if (grown == NULL) {
        return no_memory(m);
    }
    m->memo = grown;
    for (size_t i = before; i < m->memo_capacity; i++) {
        m->memo[i].len = SIZE_MAX;
    }
    m->memo_next += m->memo[slot].len == SIZE_MAX ? 1 : 0;
    m->memo[slot] = *mdf_pickle_top(m, 0);
    return MDF_OK;
}

mdf_status mdf_pickle_memo_get(mdf_pickle_machine *m, uint64_t slot)
{
    if (slot >= m->memo_capacity || m->memo[slot].len == SIZE_MAX) {
        return mdf_pickle_fail(m, "uses a value that it does not remember");
    }
    return mdf_pickle_push(m, m->memo[slot]);
}

/* --- containers --- */

mdf_pickle_items *mdf_pickle_new_items(mdf_pickle_machine *m, const mdf_pickle_value *item,
                                       size_t count)
{
    mdf_pickle_items *x = mdf_arena_zalloc(&m->p->arena, 1, sizeof *x);
    if (x != NULL && count > 0) {
        x->item = mdf_arena_alloc(&m->p->arena, count, sizeof *item);
        if (x->item == NULL) {
            return NULL;
        }
        memcpy(x->item, item, count * sizeof *item);
        x->count = count;
        x->capacity = count;
    }
    return x;
}

mdf_status mdf_pickle_push_items(mdf_pickle_machine *m, mdf_pickle_kind kind, mdf_pickle_items *x)
{
    return x == NULL ? no_memory(m)
                     : mdf_pickle_push(m, (mdf_pickle_value){.kind = kind, .u.items = x});
}

/* The n uppermost values become a tuple. */
mdf_status mdf_pickle_make_tuple(mdf_pickle_machine *m, size_t n)
{
    MDF_TRY(mdf_pickle_need(m, n));
    mdf_pickle_items *x = mdf_pickle_new_items(m, n > 0 ? mdf_pickle_top(m, n - 1) : NULL, n);
    m->depth -= n;
    return mdf_pickle_push_items(m, MDF_PICKLE_TUPLE, x);
}

/* The n uppermost values move into the container below them. */
mdf_status mdf_pickle_extend(mdf_pickle_machine *m, mdf_pickle_kind kind, size_t n)
{
    MDF_TRY(mdf_pickle_need(m, n + 1));
    const mdf_pickle_value *into = mdf_pickle_top(m, n);
    if (into->kind != kind) {
        return mdf_pickle_fail(m, kind == MDF_PICKLE_LIST ? "appends to what is no list"
                                                          : "sets items of what is no dictionary");
    }
    mdf_pickle_items *x = into->u.items;
    if (x->count + n > x->capacity) {
        const size_t twice = 2 * x->capacity + FIRST_ITEMS;
        const size_t capacity = x->count + n > twice ? x->count + n : twice;
        mdf_pickle_value *item = mdf_arena_alloc(&m->p->arena, capacity, sizeof *item);
        if (item == NULL) {
            return no_memory(m);
        }
        if (x->count > 0) {
            memcpy(item, x->item, x->count * sizeof *item);
        }
        x->item = item;
        x->capacity = capacity;
    }
    if (n > 0) {
        memcpy(x->item + x->count, mdf_pickle_top(m, n - 1), n * sizeof *x->item);
    }
    x->count += n;
    m->depth -= n;
    return MDF_OK;
}

mdf_status mdf_pickle_extend_to_mark(mdf_pickle_machine *m, mdf_pickle_kind kind)
{
    MDF_TRY(mdf_pickle_need_mark(m));
    const size_t n = mdf_pickle_above_mark(m);
    m->marks--;
    if (kind == MDF_PICKLE_DICT && n % 2 != 0) {
        return mdf_pickle_fail(m, "has a key without a value");
    }
    return mdf_pickle_extend(m, kind, n);
}
