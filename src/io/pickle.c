/* The pickle reader: one small function per instruction, a table of all instructions by name. */
#include "io/pickle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/utf8.h"

enum { MAX_MARKS = 64, FIRST_ITEMS = 4, FIRST_STACK = 64, MAX_TEXT = 1 << 20, MAX_LONG = 255 };

typedef struct machine {
    mdf_pickle *p;
    const uint8_t *bytes;
    size_t len, at;
    const mdf_pickle_global *allowed;
    size_t allowed_count;
    mdf_pickle_value *stack; /* [depth] */
    size_t depth, stack_capacity;
    mdf_pickle_value *memo; /* [memo_capacity]; len SIZE_MAX: not set */
    size_t memo_capacity;
    size_t memo_next;       /* MEMOIZE's next slot */
    size_t mark[MAX_MARKS]; /* [marks] stack depths */
    size_t marks;
    size_t made; /* values pushed so far */
    bool stop;
    const char *path;
    mdf_error *err;
} machine;

typedef mdf_status step(machine *m);

/* --- failures --- */

static mdf_status fail(const machine *m, const char *what)
{
    return mdf_fail_at(m->err, MDF_ERR_FORMAT, m->at, "%s: the pickle %s", m->path, what);
}

static mdf_status fail_limit(const machine *m, const char *what)
{
    return mdf_fail_at(m->err, MDF_ERR_LIMIT, m->at, "%s: the pickle %s", m->path, what);
}

static mdf_status no_memory(const machine *m)
{
    return mdf_fail(m->err, MDF_ERR_NOMEM, "%s: out of memory", m->path);
}

/* --- bytes, stack, memo --- */

static mdf_status take(machine *m, size_t n, const uint8_t **out)
{
    if (n > m->len - m->at) {
        return fail(m, "is cut off");
    }
    *out = m->bytes + m->at;
    m->at += n;
    return MDF_OK;
}

/* A little-endian number of up to 8 bytes. */
static mdf_status take_number(machine *m, size_t bytes, uint64_t *out)
{
    const uint8_t *p = NULL;
    MDF_TRY(take(m, bytes, &p));
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

static mdf_status push(machine *m, mdf_pickle_value v)
{
    if (++m->made > MDF_MAX_PICKLE_VALUES) {
        return fail_limit(m, "has too many values");
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
static size_t above_mark(const machine *m)
{
    return m->depth - (m->marks > 0 ? m->mark[m->marks - 1] : 0);
}

static mdf_status need(const machine *m, size_t n)
{
    return above_mark(m) < n ? fail(m, "takes a value from an empty stack") : MDF_OK;
}

static mdf_status need_mark(const machine *m)
{
    return m->marks == 0 ? fail(m, "has no mark where one is needed") : MDF_OK;
}

static mdf_pickle_value *top(const machine *m, size_t below)
{
    return &m->stack[m->depth - 1 - below];
}

static mdf_status memo_put(machine *m, uint64_t slot)
{
    MDF_TRY(need(m, 1));
    if (slot >= m->len || slot >= MDF_MAX_PICKLE_VALUES) { /* storing takes two bytes or more */
        return fail_limit(m, "numbers what it remembers too high");
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
    m->memo[slot] = *top(m, 0);
    return MDF_OK;
}

static mdf_status memo_get(machine *m, uint64_t slot)
{
    if (slot >= m->memo_capacity || m->memo[slot].len == SIZE_MAX) {
        return fail(m, "uses a value that it does not remember");
    }
    return push(m, m->memo[slot]);
}

/* --- containers --- */

static mdf_pickle_items *new_items(machine *m, const mdf_pickle_value *item, size_t count)
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

static mdf_status push_items(machine *m, mdf_pickle_kind kind, mdf_pickle_items *x)
{
    return x == NULL ? no_memory(m) : push(m, (mdf_pickle_value){.kind = kind, .u.items = x});
}

/* The n uppermost values become a tuple. */
static mdf_status make_tuple(machine *m, size_t n)
{
    MDF_TRY(need(m, n));
    mdf_pickle_items *x = new_items(m, n > 0 ? top(m, n - 1) : NULL, n);
    m->depth -= n;
    return push_items(m, MDF_PICKLE_TUPLE, x);
}

/* The n uppermost values move into the container below them. */
static mdf_status extend(machine *m, mdf_pickle_kind kind, size_t n)
{
    MDF_TRY(need(m, n + 1));
    const mdf_pickle_value *into = top(m, n);
    if (into->kind != kind) {
        return fail(m, kind == MDF_PICKLE_LIST ? "appends to what is no list"
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
        memcpy(x->item + x->count, top(m, n - 1), n * sizeof *x->item);
    }
    x->count += n;
    m->depth -= n;
    return MDF_OK;
}

static mdf_status extend_to_mark(machine *m, mdf_pickle_kind kind)
{
    MDF_TRY(need_mark(m));
    const size_t n = above_mark(m);
    m->marks--;
    if (kind == MDF_PICKLE_DICT && n % 2 != 0) {
        return fail(m, "has a key without a value");
    }
    return extend(m, kind, n);
}

/* --- names and calls --- */

static bool text_is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static mdf_status push_global(machine *m, const char *module, size_t module_len, const char *name,
                              size_t name_len)
{
    for (size_t i = 0; i < m->allowed_count; i++) {
        const mdf_pickle_global *g = &m->allowed[i];
        if (text_is(module, module_len, g->module) && text_is(name, name_len, g->name)) {
            return push(m, (mdf_pickle_value){.kind = MDF_PICKLE_ITEM, .u.global = g});
        }
    }
    return mdf_fail_at(m->err, MDF_ERR_FORMAT, m->at,
                       "%s: refused: the pickle names %.*s.%.*s, which is more than tensors need; "
                       "nothing of it was run",
                       m->path, (int)(module_len < 120 ? module_len : 120), module,
                       (int)(name_len < 120 ? name_len : 120), name);
}

static mdf_status take_line(machine *m, const char **text, size_t *len)
{
    const uint8_t *p = m->bytes + m->at;
    const uint8_t *end = m->at < m->len ? memchr(p, '\n', m->len - m->at) : NULL;
    if (end == NULL) {
        return fail(m, "is cut off");
    }
    *text = (const char *)p;
    *len = (size_t)(end - p);
    m->at += *len + 1;
    return MDF_OK;
}

static mdf_status do_global(machine *m)
{
    const char *text[2] = {0};
    size_t len[2] = {0};
    for (int i = 0; i < 2; i++) {
        MDF_TRY(take_line(m, &text[i], &len[i]));
        if (mdf_utf8_check((const uint8_t *)text[i], len[i]) != len[i]) {
            return fail(m, "has a name that is not UTF-8");
        }
    }
    return push_global(m, text[0], len[0], text[1], len[1]);
}

static mdf_status do_stack_global(machine *m)
{
    MDF_TRY(need(m, 2));
    const mdf_pickle_value module = *top(m, 1);
    const mdf_pickle_value name = *top(m, 0);
    if (module.kind != MDF_PICKLE_TEXT || name.kind != MDF_PICKLE_TEXT) {
        return fail(m, "has a name that is not text");
    }
    m->depth -= 2;
    return push_global(m, module.u.text, module.len, name.u.text, name.len);
}

static mdf_status fail_call(const machine *m, const mdf_pickle_global *g, const char *what)
{
    return mdf_fail_at(m->err, MDF_ERR_FORMAT, m->at, "%s: refused: the pickle %s %s.%s", m->path,
                       what, g->module, g->name);
}

static mdf_status do_reduce(machine *m)
{
    MDF_TRY(need(m, 2));
    const mdf_pickle_value callee = *top(m, 1);
    const mdf_pickle_value with = *top(m, 0);
    if (callee.kind != MDF_PICKLE_ITEM || with.kind != MDF_PICKLE_TUPLE) {
        return fail(m, "calls what is no function");
    }
    const mdf_pickle_global *g = callee.u.global;
    m->depth -= 2;
    if (g->use == MDF_PICKLE_MAKES_DICT) {
        if (with.u.items->count > 0) {
            return fail_call(m, g, "gives arguments to");
        }
        return push_items(m, MDF_PICKLE_DICT, new_items(m, NULL, 0));
    }
    if (g->use != MDF_PICKLE_CALLED) {
        return fail_call(m, g, "calls");
    }
    mdf_pickle_items *x = new_items(m, with.u.items->item, with.u.items->count);
    if (x != NULL) {
        x->callee = g;
    }
    return push_items(m, MDF_PICKLE_CALL, x);
}

/* Attributes of a dictionary (the versions of a state_dict's modules) are dropped. */
static mdf_status do_build(machine *m)
{
    MDF_TRY(need(m, 2));
    if (top(m, 1)->kind != MDF_PICKLE_DICT || top(m, 0)->kind != MDF_PICKLE_DICT) {
        return fail(m, "sets the state of what is no dictionary");
    }
    m->depth--;
    return MDF_OK;
}

static mdf_status do_outer(machine *m)
{
    MDF_TRY(need(m, 1));
    if (top(m, 0)->kind != MDF_PICKLE_TUPLE) {
        return fail(m, "names an object outside by what is no tuple");
    }
    const mdf_pickle_items *name = top(m, 0)->u.items;
    mdf_pickle_items *x = new_items(m, name->item, name->count);
    if (x != NULL) {
        x->next = m->p->outer;
        m->p->outer = x;
    }
    m->depth--;
    return push_items(m, MDF_PICKLE_OUTER, x);
}

/* --- plain values --- */

static mdf_status do_proto(machine *m)
{
    uint64_t version = 0;
    MDF_TRY(take_number(m, 1, &version));
    return version < 2 || version > 5 ? fail(m, "has a protocol other than 2 to 5") : MDF_OK;
}

/* A frame only says how much to read at once. */
static mdf_status do_frame(machine *m)
{
    uint64_t n = 0;
    MDF_TRY(take_number(m, 8, &n));
    return n > m->len - m->at ? fail(m, "is cut off") : MDF_OK;
}

static mdf_status do_stop(machine *m)
{
    if (m->depth != 1 || m->marks != 0) {
        return fail(m, "does not end with one object");
    }
    m->stop = true;
    return MDF_OK;
}

static mdf_status do_mark(machine *m)
{
    if (m->marks == MAX_MARKS) {
        return fail_limit(m, "is nested too deep");
    }
    m->mark[m->marks++] = m->depth;
    return MDF_OK;
}

static mdf_status do_none(machine *m)
{
    return push(m, (mdf_pickle_value){.kind = MDF_PICKLE_NONE});
}

static mdf_status do_true(machine *m)
{
    return push(m, (mdf_pickle_value){.kind = MDF_PICKLE_BOOL, .u.whole = 1});
}

static mdf_status do_false(machine *m)
{
    return push(m, (mdf_pickle_value){.kind = MDF_PICKLE_BOOL});
}

static mdf_status push_whole(machine *m, size_t bytes)
{
    uint64_t n = 0;
    MDF_TRY(take_number(m, bytes, &n));
    const int64_t whole = (int64_t)n - (bytes == 4 && n > INT32_MAX ? INT64_C(1) << 32 : 0);
    return push(m, (mdf_pickle_value){.kind = MDF_PICKLE_WHOLE, .u.whole = whole});
}

static mdf_status do_int(machine *m)
{
    return push_whole(m, 4);
}

static mdf_status do_int1(machine *m)
{
    return push_whole(m, 1);
}

static mdf_status do_int2(machine *m)
{
    return push_whole(m, 2);
}

static mdf_status do_long(machine *m)
{
    uint64_t n = 0;
    const uint8_t *p = NULL;
    MDF_TRY(take_number(m, 1, &n));
    MDF_TRY(take(m, (size_t)n, &p));
    if (n > 8) {
        return push(m, (mdf_pickle_value){
                           .kind = MDF_PICKLE_LONG, .len = (size_t)n, .u.text = (const char *)p});
    }
    uint64_t bits = n > 0 && (p[n - 1] & 0x80) != 0 ? UINT64_MAX : 0; /* the sign goes on */
    for (size_t i = (size_t)n; i > 0; i--) {
        bits = bits << 8 | p[i - 1];
    }
    mdf_pickle_value v = {.kind = MDF_PICKLE_WHOLE};
    memcpy(&v.u.whole, &bits, sizeof bits);
    return push(m, v);
}

static mdf_status do_float(machine *m)
{
    const uint8_t *p = NULL;
    uint64_t bits = 0;
    MDF_TRY(take(m, 8, &p));
    for (size_t i = 0; i < 8; i++) { /* the one big-endian number of the format */
        bits = bits << 8 | p[i];
    }
    mdf_pickle_value v = {.kind = MDF_PICKLE_FLOAT};
    memcpy(&v.u.number, &bits, sizeof bits);
    return push(m, v);
}

static mdf_status push_text(machine *m, size_t length_bytes)
{
    uint64_t n = 0;
    const uint8_t *p = NULL;
    MDF_TRY(take_number(m, length_bytes, &n));
    MDF_TRY(take(m, (size_t)n, &p));
    if (n > MAX_TEXT) {
        return fail_limit(m, "has too long a text");
    }
    if (mdf_utf8_check(p, (size_t)n) != n) {
        return fail(m, "has a text that is not UTF-8");
    }
    return push(m, (mdf_pickle_value){
                       .kind = MDF_PICKLE_TEXT, .len = (size_t)n, .u.text = (const char *)p});
}

static mdf_status do_text(machine *m)
{
    return push_text(m, 4);
}

static mdf_status do_short_text(machine *m)
{
    return push_text(m, 1);
}

static mdf_status do_tuple(machine *m)
{
    MDF_TRY(need_mark(m));
    const size_t n = above_mark(m);
    m->marks--;
    return make_tuple(m, n);
}

static mdf_status do_tuple0(machine *m)
{
    return make_tuple(m, 0);
}

static mdf_status do_tuple1(machine *m)
{
    return make_tuple(m, 1);
}

static mdf_status do_tuple2(machine *m)
{
    return make_tuple(m, 2);
}

static mdf_status do_tuple3(machine *m)
{
    return make_tuple(m, 3);
}

static mdf_status do_list(machine *m)
{
    return push_items(m, MDF_PICKLE_LIST, new_items(m, NULL, 0));
}

static mdf_status do_dict(machine *m)
{
    return push_items(m, MDF_PICKLE_DICT, new_items(m, NULL, 0));
}

static mdf_status do_append(machine *m)
{
    return extend(m, MDF_PICKLE_LIST, 1);
}

static mdf_status do_appends(machine *m)
{
    return extend_to_mark(m, MDF_PICKLE_LIST);
}

static mdf_status do_set(machine *m)
{
    return extend(m, MDF_PICKLE_DICT, 2);
}

static mdf_status do_sets(machine *m)
{
    return extend_to_mark(m, MDF_PICKLE_DICT);
}

static mdf_status put_slot(machine *m, size_t bytes)
{
    uint64_t slot = 0;
    MDF_TRY(take_number(m, bytes, &slot));
    return memo_put(m, slot);
}

static mdf_status get_slot(machine *m, size_t bytes)
{
    uint64_t slot = 0;
    MDF_TRY(take_number(m, bytes, &slot));
    return memo_get(m, slot);
}

static mdf_status do_put(machine *m)
{
    return put_slot(m, 1);
}

static mdf_status do_long_put(machine *m)
{
    return put_slot(m, 4);
}

static mdf_status do_memoize(machine *m)
{
    return memo_put(m, m->memo_next);
}

static mdf_status do_get(machine *m)
{
    return get_slot(m, 1);
}

static mdf_status do_long_get(machine *m)
{
    return get_slot(m, 4);
}

/* --- all instructions of the format; those without a function are refused by name --- */

static const struct {
    const char *name;
    step *run;
} instructions[256] = {
    [0x80] = {"PROTO", do_proto},
    [0x95] = {"FRAME", do_frame},
    ['.'] = {"STOP", do_stop},
    ['('] = {"MARK", do_mark},
    ['N'] = {"NONE", do_none},
    [0x88] = {"NEWTRUE", do_true},
    [0x89] = {"NEWFALSE", do_false},
    ['J'] = {"BININT", do_int},
    ['K'] = {"BININT1", do_int1},
    ['M'] = {"BININT2", do_int2},
    [0x8a] = {"LONG1", do_long},
    ['G'] = {"BINFLOAT", do_float},
    ['X'] = {"BINUNICODE", do_text},
    [0x8c] = {"SHORT_BINUNICODE", do_short_text},
    ['t'] = {"TUPLE", do_tuple},
    [')'] = {"EMPTY_TUPLE", do_tuple0},
    [0x85] = {"TUPLE1", do_tuple1},
    [0x86] = {"TUPLE2", do_tuple2},
    [0x87] = {"TUPLE3", do_tuple3},
    [']'] = {"EMPTY_LIST", do_list},
    ['a'] = {"APPEND", do_append},
    ['e'] = {"APPENDS", do_appends},
    ['}'] = {"EMPTY_DICT", do_dict},
    ['s'] = {"SETITEM", do_set},
    ['u'] = {"SETITEMS", do_sets},
    ['q'] = {"BINPUT", do_put},
    ['r'] = {"LONG_BINPUT", do_long_put},
    [0x94] = {"MEMOIZE", do_memoize},
    ['h'] = {"BINGET", do_get},
    ['j'] = {"LONG_BINGET", do_long_get},
    ['c'] = {"GLOBAL", do_global},
    [0x93] = {"STACK_GLOBAL", do_stack_global},
    ['R'] = {"REDUCE", do_reduce},
    ['b'] = {"BUILD", do_build},
    ['Q'] = {"BINPERSID", do_outer},
    ['I'] = {"INT", NULL},
    ['L'] = {"LONG", NULL},
    [0x8b] = {"LONG4", NULL},
    ['S'] = {"STRING", NULL},
    ['T'] = {"BINSTRING", NULL},
    ['U'] = {"SHORT_BINSTRING", NULL},
    ['B'] = {"BINBYTES", NULL},
    ['C'] = {"SHORT_BINBYTES", NULL},
    [0x8e] = {"BINBYTES8", NULL},
    [0x96] = {"BYTEARRAY8", NULL},
    [0x97] = {"NEXT_BUFFER", NULL},
    [0x98] = {"READONLY_BUFFER", NULL},
    ['V'] = {"UNICODE", NULL},
    [0x8d] = {"BINUNICODE8", NULL},
    ['F'] = {"FLOAT", NULL},
    ['l'] = {"LIST", NULL},
    ['d'] = {"DICT", NULL},
    [0x8f] = {"EMPTY_SET", NULL},
    [0x90] = {"ADDITEMS", NULL},
    [0x91] = {"FROZENSET", NULL},
    ['0'] = {"POP", NULL},
    ['1'] = {"POP_MARK", NULL},
    ['2'] = {"DUP", NULL},
    ['g'] = {"GET", NULL},
    ['p'] = {"PUT", NULL},
    [0x82] = {"EXT1", NULL},
    [0x83] = {"EXT2", NULL},
    [0x84] = {"EXT4", NULL},
    ['i'] = {"INST", NULL},
    ['o'] = {"OBJ", NULL},
    [0x81] = {"NEWOBJ", NULL},
    [0x92] = {"NEWOBJ_EX", NULL},
    ['P'] = {"PERSID", NULL},
};

static mdf_status run(machine *m)
{
    if (m->len == 0 || m->bytes[0] != 0x80) {
        return fail(m, "does not begin with its protocol");
    }
    while (!m->stop) {
        const uint8_t *code = NULL;
        const size_t at = m->at;
        MDF_TRY(take(m, 1, &code));
        if (m->at > MDF_MAX_PICKLE_BYTES) {
            return fail_limit(m, "has too many bytes");
        }
        step *one = instructions[*code].run;
        if (one == NULL) {
            const char *known = instructions[*code].name;
            return mdf_fail_at(m->err, MDF_ERR_FORMAT, at,
                               "%s: refused: the pickle has the instruction %s (0x%02x) at byte "
                               "%zu, which tensors do not need; nothing of it was run",
                               m->path, known == NULL ? "without a name" : known, *code, at);
        }
        MDF_TRY(one(m));
    }
    m->p->value = m->stack[0];
    m->p->used = m->at;
    return MDF_OK;
}

mdf_status mdf_pickle_parse(mdf_pickle *p, const void *bytes, size_t len,
                            const mdf_pickle_global *allowed, size_t n, const char *name,
                            mdf_error *err)
{
    machine m = {.p = p,
                 .bytes = bytes,
                 .len = len,
                 .allowed = allowed,
                 .allowed_count = n,
                 .path = name,
                 .err = err};
    *p = (mdf_pickle){0};
    mdf_status status = mdf_arena_init(&p->arena, 0, 0, err);
    if (status == MDF_OK) {
        status = run(&m);
    }
    mdf_free(m.stack);
    mdf_free(m.memo);
    if (status != MDF_OK) {
        mdf_pickle_free(p);
    }
    return status;
}

void mdf_pickle_free(mdf_pickle *p)
{
    mdf_arena_free(&p->arena);
    *p = (mdf_pickle){0};
}

bool mdf_pickle_is(const mdf_pickle_value *v, const char *text)
{
    return v->kind == MDF_PICKLE_TEXT && text_is(v->u.text, v->len, text);
}

const mdf_pickle_value *mdf_pickle_at(const mdf_pickle_value *dict, const char *key)
{
    const mdf_pickle_value *found = NULL;
    if (dict->kind == MDF_PICKLE_DICT) {
        for (size_t i = 0; i + 1 < dict->u.items->count; i += 2) {
            if (mdf_pickle_is(&dict->u.items->item[i], key)) {
                found = &dict->u.items->item[i + 1];
            }
        }
    }
    return found;
}
