/* Values of a template, as Python has them: what they are, and where they live. */
#include "jinja/jinja_value.h"

#include <string.h>

#include "jinja/jinja_text.h"

void *mdf_jvm_alloc(mdf_jvm *m, size_t count, size_t size)
{
    void *p = mdf_arena_alloc(&m->arena, count, size);
    if (p == NULL) { /* the arena does not say whether its limit is the reason */
        const size_t left = m->arena.limit_bytes - m->arena.held_bytes;
        m->full = m->arena.held_bytes > m->arena.limit_bytes || count > left / size ||
                  count * size > left - left / 64;
    }
    return p;
}

mdf_status mdf_jvm_no_memory(const mdf_jvm *m)
{
    if (m->full) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "the values need more than the limit of %zu bytes",
                        m->arena.limit_bytes);
    }
    return mdf_fail(m->err, MDF_ERR_NOMEM, "out of memory");
}

mdf_status mdf_jvm_step(mdf_jvm *m, size_t n)
{
    m->steps += n;
    if (m->steps > MDF_MAX_JINJA_STEPS) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "it takes more than the limit of %d steps",
                        MDF_MAX_JINJA_STEPS);
    }
    return MDF_OK;
}

mdf_status mdf_jvm_search(mdf_jvm *m, size_t len, size_t needle)
{
    return mdf_jvm_step(m, (1 + needle / 64) * (len / 32));
}

mdf_status mdf_jvm_enter(mdf_jvm *m)
{
    if (m->depth >= MDF_MAX_JINJA_DEPTH) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "it is nested deeper than the limit of %d",
                        MDF_MAX_JINJA_DEPTH);
    }
    m->depth++;
    return mdf_jvm_step(m, 1);
}

mdf_strbuf mdf_jvm_buffer(void)
{
    return mdf_strbuf_new(MDF_MAX_CHAT_BYTES);
}

mdf_status mdf_jvm_full(const mdf_jvm *m, const mdf_strbuf *b)
{
    if (b->full) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "the text is longer than the limit of %zu bytes",
                        b->max_bytes);
    }
    return mdf_fail(m->err, MDF_ERR_NOMEM, "out of memory");
}

mdf_status mdf_jvm_finish(mdf_jvm *m, mdf_strbuf *b, mdf_jval *out)
{
    mdf_status status = b->failed ? mdf_jvm_full(m, b) : mdf_jvm_step(m, b->len / 32);
    if (status == MDF_OK) {
        status = mdf_jval_copy(m, b->data, b->len, out);
    }
    mdf_strbuf_free(b);
    return status;
}

mdf_jval mdf_jval_none(void)
{
    return (mdf_jval){.kind = MDF_J_NONE};
}

mdf_jval mdf_jval_bool(bool b)
{
    return (mdf_jval){.kind = MDF_J_BOOL, .u.truth = b};
}

mdf_jval mdf_jval_int(int64_t i)
{
    return (mdf_jval){.kind = MDF_J_INT, .u.integer = i};
}

mdf_jval mdf_jval_real(double d)
{
    return (mdf_jval){.kind = MDF_J_FLOAT, .u.real = d};
}

mdf_jval mdf_jval_text(const char *s, size_t len)
{
    return (mdf_jval){.kind = MDF_J_STRING, .u.text = s, .len = len};
}

mdf_jval mdf_jval_name(const char *literal)
{
    return mdf_jval_text(literal, strlen(literal));
}

mdf_jval mdf_jval_undefined(const char *name, size_t len)
{
    return (mdf_jval){.kind = MDF_J_UNDEFINED, .why = MDF_J_NAME, .u.text = name, .len = len};
}

mdf_jval mdf_jval_hint(const char *sentence)
{
    return (mdf_jval){
        .kind = MDF_J_UNDEFINED, .why = MDF_J_HINT, .u.text = sentence, .len = strlen(sentence)};
}

mdf_jval mdf_jval_lacks(const mdf_jval *owner, const char *name, size_t len)
{
    return (mdf_jval){.kind = MDF_J_UNDEFINED,
                      .why = MDF_J_MEMBER,
                      .owner = owner->kind,
                      .u.text = name,
                      .len = len};
}

mdf_status mdf_jval_refuse(mdf_jvm *m, const mdf_jval *v)
{
    const mdf_jval owner = {.kind = v->owner};
    const int len = v->len > 100 ? 100 : (int)v->len;
    switch (v->why) {
    case MDF_J_HINT:
        return mdf_fail(m->err, MDF_ERR_FORMAT, "%.*s", (int)(v->len > 300 ? 300 : v->len),
                        v->u.text);
    case MDF_J_MEMBER:
        return mdf_fail(m->err, MDF_ERR_FORMAT, "'%s' has no '%.*s'", mdf_jval_type(&owner), len,
                        v->u.text);
    case MDF_J_ELEMENT:
        return mdf_fail(m->err, MDF_ERR_FORMAT, "'%s' has no element %lld", mdf_jval_type(&owner),
                        (long long)v->u.integer);
    case MDF_J_UNSAFE:
        return mdf_fail(m->err, MDF_ERR_FORMAT, "'%.*s' of a %s is unsafe: it would change it", len,
                        v->u.text, mdf_jval_type(&owner));
    default:
        return mdf_fail(m->err, MDF_ERR_FORMAT, "'%.*s' is undefined", len, v->u.text);
    }
}

mdf_status mdf_jval_list(mdf_jvm *m, mdf_jkind kind, size_t count, mdf_jval *out)
{
    mdf_jlist *list = mdf_jvm_alloc(m, 1, sizeof *list);
    if (list == NULL) {
        return mdf_jvm_no_memory(m);
    }
    mdf_jval *item = mdf_jvm_alloc(m, count, sizeof *item);
    if (item == NULL) {
        return mdf_jvm_no_memory(m);
    }
    *list = (mdf_jlist){.item = item, .count = count};
    *out = (mdf_jval){.kind = (uint8_t)kind, .u.list = list};
    return mdf_jvm_step(m, count / 4);
}

mdf_status mdf_jval_pair(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, mdf_jval *out)
{
    mdf_jval pair;
    MDF_TRY(mdf_jval_list(m, MDF_J_TUPLE, 2, &pair));
    pair.u.list->item[0] = *a;
    pair.u.list->item[1] = *b;
    *out = pair;
    return MDF_OK;
}

mdf_status mdf_jval_dict(mdf_jvm *m, mdf_jkind kind, size_t capacity, mdf_jval *out)
{
    mdf_jdict *d = mdf_jvm_alloc(m, 1, sizeof *d);
    if (d == NULL) {
        return mdf_jvm_no_memory(m);
    }
    *d = (mdf_jdict){.capacity = capacity};
    if (capacity > 0) {
        d->key = mdf_jvm_alloc(m, capacity, sizeof *d->key);
        d->value = mdf_jvm_alloc(m, capacity, sizeof *d->value);
        if (d->key == NULL || d->value == NULL) {
            return mdf_jvm_no_memory(m);
        }
    }
    *out = (mdf_jval){.kind = (uint8_t)kind, .u.dict = d};
    return MDF_OK;
}

mdf_status mdf_jval_copy(mdf_jvm *m, const char *s, size_t len, mdf_jval *out)
{
    char *copy = mdf_jvm_alloc(m, len, 1);
    if (copy == NULL) {
        return mdf_jvm_no_memory(m);
    }
    if (len > 0) {
        memcpy(copy, s, len);
    }
    *out = mdf_jval_text(copy, len);
    return MDF_OK;
}

bool mdf_jval_is_list(const mdf_jval *v)
{
    return v->kind >= MDF_J_LIST && v->kind <= MDF_J_ITERATOR;
}

bool mdf_jval_is_number(const mdf_jval *v)
{
    return v->kind == MDF_J_BOOL || v->kind == MDF_J_INT || v->kind == MDF_J_FLOAT;
}

int64_t mdf_jval_as_int(const mdf_jval *v)
{
    return v->kind == MDF_J_BOOL ? (int64_t)v->u.truth : v->u.integer;
}

double mdf_jval_as_real(const mdf_jval *v)
{
    return v->kind == MDF_J_FLOAT ? v->u.real : (double)mdf_jval_as_int(v);
}

bool mdf_jval_is(const mdf_jval *v, const char *literal)
{
    return v->kind == MDF_J_STRING && v->len == strlen(literal) &&
           memcmp(v->u.text, literal, v->len) == 0;
}

const char *mdf_jval_type(const mdf_jval *v)
{
    static const char *const names[] = {"missing",     "Undefined", "NoneType",  "bool",
                                        "int",         "float",     "str",       "list",
                                        "tuple",       "range",     "dict_keys", "dict_values",
                                        "dict_items",  "generator", "dict",      "Namespace",
                                        "LoopContext", "Macro",     "method",    "function"};
    return names[v->kind];
}

bool mdf_jval_len(const mdf_jval *v, size_t *len)
{
    if (v->kind == MDF_J_STRING) {
        *len = mdf_jtext_count(v->u.text, v->len);
    } else if (v->kind == MDF_J_DICT) {
        *len = v->u.dict->count;
    } else if (v->kind == MDF_J_UNDEFINED) {
        *len = 0;
    } else if (mdf_jval_is_list(v) && v->kind != MDF_J_ITERATOR) {
        *len = v->u.list->count;
    } else {
        return false;
    }
    return true;
}

bool mdf_jval_true(const mdf_jval *v)
{
    switch (v->kind) {
    case MDF_J_MISSING:
    case MDF_J_UNDEFINED:
    case MDF_J_NONE:
        return false;
    case MDF_J_BOOL:
        return v->u.truth;
    case MDF_J_INT:
        return v->u.integer != 0;
    case MDF_J_FLOAT:
        return v->u.real < 0 || v->u.real > 0 || v->u.real != v->u.real;
    case MDF_J_STRING:
        return v->len > 0;
    case MDF_J_DICT:
        return v->u.dict->count > 0;
    default:
        return v->kind > MDF_J_ITEMS || v->u.list->count > 0;
    }
}

static mdf_status characters(mdf_jvm *m, const mdf_jval *v, mdf_jlist *out)
{
    const size_t count = mdf_jtext_count(v->u.text, v->len);
    mdf_jval list;
    MDF_TRY(mdf_jval_list(m, MDF_J_LIST, count, &list));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t n = mdf_jtext_offset(v->u.text + at, v->len - at, 1);
        list.u.list->item[i] = mdf_jval_text(v->u.text + at, n);
        at += n;
    }
    *out = *list.u.list;
    return MDF_OK;
}

mdf_status mdf_jval_items(mdf_jvm *m, const mdf_jval *v, mdf_jlist *out)
{
    *out = (mdf_jlist){0};
    if (v->kind == MDF_J_UNDEFINED) {
        return MDF_OK;
    }
    if (v->kind == MDF_J_STRING) {
        return characters(m, v, out);
    }
    if (v->kind == MDF_J_DICT) {
        *out = (mdf_jlist){.item = v->u.dict->key, .count = v->u.dict->count};
        return MDF_OK;
    }
    if (!mdf_jval_is_list(v)) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "'%s' object is not iterable", mdf_jval_type(v));
    }
    const size_t at = v->u.list->at;
    *out = (mdf_jlist){.item = v->u.list->item + at, .count = v->u.list->count - at};
    if (v->kind == MDF_J_ITERATOR) {
        v->u.list->at = v->u.list->count;
    }
    return MDF_OK;
}
