/* The pickle reader: one small function per instruction, a table of all instructions by name. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "io/pickle_machine.h"

enum { MAX_TEXT = 1 << 20 };

typedef mdf_status step(mdf_pickle_machine *m);

/* --- names and calls --- */

static bool text_is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static mdf_status push_global(mdf_pickle_machine *m, const char *module, size_t module_len,
                              const char *name, size_t name_len)
{
    for (size_t i = 0; i < m->allowed_count; i++) {
        const mdf_pickle_global *g = &m->allowed[i];
        if (text_is(module, module_len, g->module) && text_is(name, name_len, g->name)) {
            return mdf_pickle_push(m, (mdf_pickle_value){.kind = MDF_PICKLE_ITEM, .u.global = g});
        }
    }
    return mdf_fail_at(m->err, MDF_ERR_FORMAT, m->at,
                       "%s: refused: the pickle names %.*s.%.*s, which is more than tensors need; "
                       "nothing of it was run",
                       m->path, (int)(module_len < 120 ? module_len : 120), module,
                       (int)(name_len < 120 ? name_len : 120), name);
}

static mdf_status take_line(mdf_pickle_machine *m, const char **text, size_t *len)
{
    const uint8_t *p = m->bytes + m->at;
    const uint8_t *end = m->at < m->len ? memchr(p, '\n', m->len - m->at) : NULL;
    if (end == NULL) {
        return mdf_pickle_fail(m, "is cut off");
    }
    *text = (const char *)p;
    *len = (size_t)(end - p);
    m->at += *len + 1;
    return MDF_OK;
}

static mdf_status do_global(mdf_pickle_machine *m)
{
    const char *text[2] = {0};
    size_t len[2] = {0};
    for (int i = 0; i < 2; i++) {
        MDF_TRY(take_line(m, &text[i], &len[i]));
        if (mdf_utf8_check((const uint8_t *)text[i], len[i]) != len[i]) {
            return mdf_pickle_fail(m, "has a name that is not UTF-8");
        }
    }
    return push_global(m, text[0], len[0], text[1], len[1]);
}

static mdf_status do_stack_global(mdf_pickle_machine *m)
{
    MDF_TRY(mdf_pickle_need(m, 2));
    const mdf_pickle_value module = *mdf_pickle_top(m, 1);
    const mdf_pickle_value name = *mdf_pickle_top(m, 0);
    if (module.kind != MDF_PICKLE_TEXT || name.kind != MDF_PICKLE_TEXT) {
        return mdf_pickle_fail(m, "has a name that is not text");
    }
    m->depth -= 2;
    return push_global(m, module.u.text, module.len, name.u.text, name.len);
}

static mdf_status fail_call(const mdf_pickle_machine *m, const mdf_pickle_global *g,
                            const char *what)
{
    return mdf_fail_at(m->err, MDF_ERR_FORMAT, m->at, "%s: refused: the pickle %s %s.%s", m->path,
                       what, g->module, g->name);
}

static mdf_status do_reduce(mdf_pickle_machine *m)
{
    MDF_TRY(mdf_pickle_need(m, 2));
    const mdf_pickle_value callee = *mdf_pickle_top(m, 1);
    const mdf_pickle_value with = *mdf_pickle_top(m, 0);
    if (callee.kind != MDF_PICKLE_ITEM || with.kind != MDF_PICKLE_TUPLE) {
        return mdf_pickle_fail(m, "calls what is no function");
    }
    const mdf_pickle_global *g = callee.u.global;
    m->depth -= 2;
    if (g->use == MDF_PICKLE_MAKES_DICT) {
        if (with.u.items->count > 0) {
            return fail_call(m, g, "gives arguments to");
        }
        return mdf_pickle_push_items(m, MDF_PICKLE_DICT, mdf_pickle_new_items(m, NULL, 0));
    }
    if (g->use != MDF_PICKLE_CALLED) {
        return fail_call(m, g, "calls");
    }
    mdf_pickle_items *x = mdf_pickle_new_items(m, with.u.items->item, with.u.items->count);
    if (x != NULL) {
        x->callee = g;
    }
    return mdf_pickle_push_items(m, MDF_PICKLE_CALL, x);
}

/* Attributes of a dictionary (the versions of a state_dict's modules) are dropped. */
static mdf_status do_build(mdf_pickle_machine *m)
{
    MDF_TRY(mdf_pickle_need(m, 2));
    if (mdf_pickle_top(m, 1)->kind != MDF_PICKLE_DICT ||
        mdf_pickle_top(m, 0)->kind != MDF_PICKLE_DICT) {
        return mdf_pickle_fail(m, "sets the state of what is no dictionary");
    }
    m->depth--;
    return MDF_OK;
}

static mdf_status do_outer(mdf_pickle_machine *m)
{
    MDF_TRY(mdf_pickle_need(m, 1));
    if (mdf_pickle_top(m, 0)->kind != MDF_PICKLE_TUPLE) {
        return mdf_pickle_fail(m, "names an object outside by what is no tuple");
    }
    const mdf_pickle_items *name = mdf_pickle_top(m, 0)->u.items;
    mdf_pickle_items *x = mdf_pickle_new_items(m, name->item, name->count);
    if (x != NULL) {
        x->next = m->p->outer;
        m->p->outer = x;
    }
    m->depth--;
    return mdf_pickle_push_items(m, MDF_PICKLE_OUTER, x);
}

/* --- plain values --- */

static mdf_status do_proto(mdf_pickle_machine *m)
{
    uint64_t version = 0;
    MDF_TRY(mdf_pickle_take_number(m, 1, &version));
    return version < 2 || version > 5 ? mdf_pickle_fail(m, "has a protocol other than 2 to 5")
                                      : MDF_OK;
}

/* A frame only says how much to read at once. */
static mdf_status do_frame(mdf_pickle_machine *m)
{
    uint64_t n = 0;
    MDF_TRY(mdf_pickle_take_number(m, 8, &n));
    return n > m->len - m->at ? mdf_pickle_fail(m, "is cut off") : MDF_OK;
}

static mdf_status do_stop(mdf_pickle_machine *m)
{
    if (m->depth != 1 || m->marks != 0) {
        return mdf_pickle_fail(m, "does not end with one object");
    }
    m->stop = true;
    return MDF_OK;
}

static mdf_status do_mark(mdf_pickle_machine *m)
{
    if (m->marks == MDF_PICKLE_MAX_MARKS) {
        return mdf_pickle_fail_limit(m, "is nested too deep");
    }
    m->mark[m->marks++] = m->depth;
    return MDF_OK;
}

static mdf_status do_none(mdf_pickle_machine *m)
{
    return mdf_pickle_push(m, (mdf_pickle_value){.kind = MDF_PICKLE_NONE});
}

static mdf_status do_true(mdf_pickle_machine *m)
{
    return mdf_pickle_push(m, (mdf_pickle_value){.kind = MDF_PICKLE_BOOL, .u.whole = 1});
}

static mdf_status do_false(mdf_pickle_machine *m)
{
    return mdf_pickle_push(m, (mdf_pickle_value){.kind = MDF_PICKLE_BOOL});
}

static mdf_status push_whole(mdf_pickle_machine *m, size_t bytes)
{
    uint64_t n = 0;
    MDF_TRY(mdf_pickle_take_number(m, bytes, &n));
    const int64_t whole = (int64_t)n - (bytes == 4 && n > INT32_MAX ? INT64_C(1) << 32 : 0);
    return mdf_pickle_push(m, (mdf_pickle_value){.kind = MDF_PICKLE_WHOLE, .u.whole = whole});
}

static mdf_status do_int(mdf_pickle_machine *m)
{
    return push_whole(m, 4);
}

static mdf_status do_int1(mdf_pickle_machine *m)
{
    return push_whole(m, 1);
}

static mdf_status do_int2(mdf_pickle_machine *m)
{
    return push_whole(m, 2);
}

static mdf_status do_long(mdf_pickle_machine *m)
{
    uint64_t n = 0;
    const uint8_t *p = NULL;
    MDF_TRY(mdf_pickle_take_number(m, 1, &n));
    MDF_TRY(mdf_pickle_take(m, (size_t)n, &p));
    if (n > 8) {
        return mdf_pickle_push(m, (mdf_pickle_value){.kind = MDF_PICKLE_LONG,
                                                     .len = (size_t)n,
                                                     .u.text = (const char *)p});
    }
    uint64_t bits = n > 0 && (p[n - 1] & 0x80) != 0 ? UINT64_MAX : 0; /* the sign goes on */
    for (size_t i = (size_t)n; i > 0; i--) {
        bits = bits << 8 | p[i - 1];
    }
    mdf_pickle_value v = {.kind = MDF_PICKLE_WHOLE};
    memcpy(&v.u.whole, &bits, sizeof bits);
    return mdf_pickle_push(m, v);
}

static mdf_status do_float(mdf_pickle_machine *m)
{
    const uint8_t *p = NULL;
    uint64_t bits = 0;
    MDF_TRY(mdf_pickle_take(m, 8, &p));
    for (size_t i = 0; i < 8; i++) { /* the one big-endian number of the format */
        bits = bits << 8 | p[i];
    }
    mdf_pickle_value v = {.kind = MDF_PICKLE_FLOAT};
    memcpy(&v.u.number, &bits, sizeof bits);
    return mdf_pickle_push(m, v);
}

static mdf_status push_text(mdf_pickle_machine *m, size_t length_bytes)
{
    uint64_t n = 0;
    const uint8_t *p = NULL;
    MDF_TRY(mdf_pickle_take_number(m, length_bytes, &n));
    MDF_TRY(mdf_pickle_take(m, (size_t)n, &p));
    if (n > MAX_TEXT) {
        return mdf_pickle_fail_limit(m, "has too long a text");
    }
    if (mdf_utf8_check(p, (size_t)n) != n) {
        return mdf_pickle_fail(m, "has a text that is not UTF-8");
    }
    return mdf_pickle_push(
        m,
        (mdf_pickle_value){.kind = MDF_PICKLE_TEXT, .len = (size_t)n, .u.text = (const char *)p});
}

static mdf_status do_text(mdf_pickle_machine *m)
{
    return push_text(m, 4);
}

static mdf_status do_short_text(mdf_pickle_machine *m)
{
    return push_text(m, 1);
}

static mdf_status do_tuple(mdf_pickle_machine *m)
{
    MDF_TRY(mdf_pickle_need_mark(m));
    const size_t n = mdf_pickle_above_mark(m);
    m->marks--;
    return mdf_pickle_make_tuple(m, n);
}

static mdf_status do_tuple0(mdf_pickle_machine *m)
{
    return mdf_pickle_make_tuple(m, 0);
}

static mdf_status do_tuple1(mdf_pickle_machine *m)
{
    return mdf_pickle_make_tuple(m, 1);
}

static mdf_status do_tuple2(mdf_pickle_machine *m)
{
    return mdf_pickle_make_tuple(m, 2);
}

static mdf_status do_tuple3(mdf_pickle_machine *m)
{
    return mdf_pickle_make_tuple(m, 3);
}

static mdf_status do_list(mdf_pickle_machine *m)
{
    return mdf_pickle_push_items(m, MDF_PICKLE_LIST, mdf_pickle_new_items(m, NULL, 0));
}

static mdf_status do_dict(mdf_pickle_machine *m)
{
    return mdf_pickle_push_items(m, MDF_PICKLE_DICT, mdf_pickle_new_items(m, NULL, 0));
}

static mdf_status do_append(mdf_pickle_machine *m)
{
    return mdf_pickle_extend(m, MDF_PICKLE_LIST, 1);
}

static mdf_status do_appends(mdf_pickle_machine *m)
{
    return mdf_pickle_extend_to_mark(m, MDF_PICKLE_LIST);
}

static mdf_status do_set(mdf_pickle_machine *m)
{
    return mdf_pickle_extend(m, MDF_PICKLE_DICT, 2);
}

static mdf_status do_sets(mdf_pickle_machine *m)
{
    return mdf_pickle_extend_to_mark(m, MDF_PICKLE_DICT);
}

static mdf_status put_slot(mdf_pickle_machine *m, size_t bytes)
{
    uint64_t slot = 0;
    MDF_TRY(mdf_pickle_take_number(m, bytes, &slot));
    return mdf_pickle_memo_put(m, slot);
}

static mdf_status get_slot(mdf_pickle_machine *m, size_t bytes)
{
    uint64_t slot = 0;
    MDF_TRY(mdf_pickle_take_number(m, bytes, &slot));
    return mdf_pickle_memo_get(m, slot);
}

static mdf_status do_put(mdf_pickle_machine *m)
{
    return put_slot(m, 1);
}

static mdf_status do_long_put(mdf_pickle_machine *m)
{
    return put_slot(m, 4);
}

static mdf_status do_memoize(mdf_pickle_machine *m)
{
    return mdf_pickle_memo_put(m, m->memo_next);
}

static mdf_status do_get(mdf_pickle_machine *m)
{
    return get_slot(m, 1);
}

static mdf_status do_long_get(mdf_pickle_machine *m)
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

static mdf_status run(mdf_pickle_machine *m)
{
    if (m->len == 0 || m->bytes[0] != 0x80) {
        return mdf_pickle_fail(m, "does not begin with its protocol");
    }
    while (!m->stop) {
        const uint8_t *code = NULL;
        const size_t at = m->at;
        MDF_TRY(mdf_pickle_take(m, 1, &code));
        if (m->at > MDF_MAX_PICKLE_BYTES) {
            return mdf_pickle_fail_limit(m, "has too many bytes");
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
    mdf_pickle_machine m = {.p = p,
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
