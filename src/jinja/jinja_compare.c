/* When values are equal, how they sort, and dictionaries, which need to know. */
#include <string.h>

#include "jinja/jinja_value.h"

static mdf_status equal_lists(mdf_jvm *m, const mdf_jlist *a, const mdf_jlist *b, bool *equal)
{
    *equal = a->count == b->count;
    for (size_t i = 0; i < a->count && *equal; i++) {
        MDF_TRY(mdf_jval_equal(m, &a->item[i], &b->item[i], equal));
    }
    return MDF_OK;
}

static mdf_status equal_dicts(mdf_jvm *m, const mdf_jdict *a, const mdf_jdict *b, bool *equal)
{
    *equal = a->count == b->count;
    for (size_t i = 0; i < a->count && *equal; i++) {
        mdf_jval *other = NULL;
        MDF_TRY(mdf_jdict_find(m, b, &a->key[i], &other));
        *equal = false;
        if (other != NULL) {
            MDF_TRY(mdf_jval_equal(m, &a->value[i], other, equal));
        }
    }
    return MDF_OK;
}

static bool equal_numbers(const mdf_jval *a, const mdf_jval *b)
{
    if (a->kind == MDF_J_FLOAT || b->kind == MDF_J_FLOAT) {
        const double x = mdf_jval_as_real(a);
        const double y = mdf_jval_as_real(b);
        return !(x < y) && !(x > y) && x == x && y == y;
    }
    return mdf_jval_as_int(a) == mdf_jval_as_int(b);
}

mdf_status mdf_jval_equal(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, bool *equal)
{
    *equal = false;
    MDF_TRY(mdf_jvm_enter(m));
    mdf_status status = MDF_OK;
    if (mdf_jval_is_number(a) && mdf_jval_is_number(b)) {
        *equal = equal_numbers(a, b);
    } else if (a->kind != b->kind) {
        *equal = false;
    } else if (a->kind == MDF_J_STRING) {
        status = mdf_jvm_step(m, a->len == b->len ? a->len / 64 : 0);
        *equal = a->len == b->len && memcmp(a->u.text, b->u.text, a->len) == 0;
    } else if (a->kind == MDF_J_DICT) {
        status = equal_dicts(m, a->u.dict, b->u.dict, equal);
    } else if (a->kind >= MDF_J_LIST && a->kind <= MDF_J_RANGE) {
        status = equal_lists(m, a->u.list, b->u.list, equal);
    } else if (a->kind > MDF_J_RANGE) {
        *equal = a->u.list == b->u.list; /* the same object, whatever it is */
    } else {
        *equal = true; /* none and none, undefined and undefined */
    }
    m->depth--;
    return status;
}

static mdf_status order_lists(mdf_jvm *m, const mdf_jlist *a, const mdf_jlist *b, const char *op,
                              int *order)
{
    const size_t most = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < most; i++) {
        bool equal = false;
        MDF_TRY(mdf_jval_equal(m, &a->item[i], &b->item[i], &equal));
        if (!equal) {
            return mdf_jval_order(m, &a->item[i], &b->item[i], op, order);
        }
    }
    *order = a->count < b->count ? -1 : a->count > b->count;
    return MDF_OK;
}

static mdf_status order_text(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, int *order)
{
    const size_t most = a->len < b->len ? a->len : b->len;
    const int c = memcmp(a->u.text, b->u.text, most); /* UTF-8 sorts as its code points do */
    *order = c != 0 ? c : a->len < b->len ? -1 : a->len > b->len;
    return mdf_jvm_step(m, most / 64);
}

mdf_status mdf_jval_order(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, const char *op,
                          int *order)
{
    *order = 0;
    if (mdf_jval_is_number(a) && mdf_jval_is_number(b)) {
        if (a->kind == MDF_J_FLOAT || b->kind == MDF_J_FLOAT) {
            const double x = mdf_jval_as_real(a);
            const double y = mdf_jval_as_real(b);
            *order = x < y ? -1 : x > y;
        } else {
            const int64_t x = mdf_jval_as_int(a);
            const int64_t y = mdf_jval_as_int(b);
            *order = x < y ? -1 : x > y;
        }
        return MDF_OK;
    }
    if (a->kind == MDF_J_UNDEFINED || b->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, a->kind == MDF_J_UNDEFINED ? a : b);
    }
    if (a->kind == MDF_J_STRING && b->kind == MDF_J_STRING) {
        return order_text(m, a, b, order);
    }
    if (a->kind == b->kind && (a->kind == MDF_J_LIST || a->kind == MDF_J_TUPLE)) {
        MDF_TRY(mdf_jvm_enter(m));
        const mdf_status status = order_lists(m, a->u.list, b->u.list, op, order);
        m->depth--;
        return status;
    }
    return mdf_fail(m->err, MDF_ERR_FORMAT, "'%s' not supported between instances of '%s' and '%s'",
                    op, mdf_jval_type(a), mdf_jval_type(b));
}

mdf_status mdf_jdict_find(mdf_jvm *m, const mdf_jdict *d, const mdf_jval *key, mdf_jval **value)
{
    *value = NULL;
    if (key->kind == MDF_J_LIST || key->kind == MDF_J_DICT) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "unhashable type: '%s'", mdf_jval_type(key));
    }
    if (key->kind == MDF_J_STRING) {
        *value = mdf_jdict_text(d, key->u.text, key->len);
        return mdf_jvm_step(m, d->count / 8);
    }
    for (size_t i = 0; i < d->count; i++) {
        bool equal = false;
        MDF_TRY(mdf_jval_equal(m, &d->key[i], key, &equal));
        if (equal) {
            *value = &d->value[i];
            break;
        }
    }
    return MDF_OK;
}

mdf_jval *mdf_jdict_text(const mdf_jdict *d, const char *key, size_t len)
{
    for (size_t i = 0; i < d->count; i++) {
        const mdf_jval *k = &d->key[i];
        if (k->kind == MDF_J_STRING && k->len == len && memcmp(k->u.text, key, len) == 0) {
            return &d->value[i];
        }
    }
    return NULL;
}

static mdf_status grow(mdf_jvm *m, mdf_jdict *d)
{
    const size_t capacity = d->capacity == 0 ? 4 : d->capacity * 2;
    mdf_jval *key = mdf_jvm_alloc(m, capacity, sizeof *key);
    mdf_jval *value = mdf_jvm_alloc(m, capacity, sizeof *value);
    if (key == NULL || value == NULL) {
        return mdf_jvm_no_memory(m);
    }
    if (d->count > 0) {
        memcpy(key, d->key, d->count * sizeof *key);
        memcpy(value, d->value, d->count * sizeof *value);
    }
    d->key = key;
    d->value = value;
    d->capacity = capacity;
    return MDF_OK;
}

mdf_status mdf_jdict_put(mdf_jvm *m, mdf_jdict *d, const mdf_jval *key, const mdf_jval *value)
{
    mdf_jval *old = NULL;
    MDF_TRY(mdf_jdict_find(m, d, key, &old));
    if (old != NULL) {
        *old = *value;
        return MDF_OK;
    }
    if (d->count == d->capacity) {
        MDF_TRY(grow(m, d));
    }
    d->key[d->count] = *key;
    d->value[d->count++] = *value;
    return MDF_OK;
}
