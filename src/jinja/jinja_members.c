/* The methods of Python's dict, list and tuple, and what the sandbox keeps from templates. */
#include <string.h>

#include "jinja/jinja_builtin.h"

static mdf_status dict_items(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    const mdf_jdict *d = v->u.dict;
    (void)arg;
    MDF_TRY(mdf_jval_list(m, MDF_J_ITEMS, d->count, out));
    for (size_t i = 0; i < d->count; i++) {
        MDF_TRY(mdf_jval_pair(m, &d->key[i], &d->value[i], &out->u.list->item[i]));
    }
    return MDF_OK;
}

static mdf_status dict_keys(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    MDF_TRY(mdf_jval_list(m, MDF_J_KEYS, 0, out));
    *out->u.list = (mdf_jlist){.item = v->u.dict->key, .count = v->u.dict->count};
    return MDF_OK;
}

static mdf_status dict_values(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    MDF_TRY(mdf_jval_list(m, MDF_J_VALUES, 0, out));
    *out->u.list = (mdf_jlist){.item = v->u.dict->value, .count = v->u.dict->count};
    return MDF_OK;
}

static mdf_status dict_get(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jval *value = NULL;
    MDF_TRY(mdf_jdict_find(m, v->u.dict, &arg[0], &value));
    *out = value != NULL ? *value : arg[1].kind != MDF_J_MISSING ? arg[1] : mdf_jval_none();
    return MDF_OK;
}

static mdf_status own_copy(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)m;
    (void)arg;
    *out = *v; /* nothing ever changes the original */
    return MDF_OK;
}

static mdf_status list_count(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    int64_t n = 0;
    for (size_t i = 0; i < v->u.list->count; i++) {
        bool equal = false;
        MDF_TRY(mdf_jval_equal(m, &v->u.list->item[i], &arg[0], &equal));
        n += equal ? 1 : 0;
    }
    *out = mdf_jval_int(n);
    return MDF_OK;
}

static mdf_status list_index(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    for (size_t i = 0; i < v->u.list->count; i++) {
        bool equal = false;
        MDF_TRY(mdf_jval_equal(m, &v->u.list->item[i], &arg[0], &equal));
        if (equal) {
            *out = mdf_jval_int((int64_t)i);
            return MDF_OK;
        }
    }
    return mdf_fail(m->err, MDF_ERR_FORMAT, "the value is not in the %s", mdf_jval_type(v));
}

static const mdf_jbuiltin dict_methods[] = {
    {"copy", own_copy, "", 0, NULL},      {"get", dict_get, "*key *default", 1, NULL},
    {"items", dict_items, "", 0, NULL},   {"keys", dict_keys, "", 0, NULL},
    {"values", dict_values, "", 0, NULL},
};

static const mdf_jbuiltin list_methods[] = {
    {"copy", own_copy, "", 0, NULL},
    {"count", list_count, "*value", 1, NULL},
    {"index", list_index, "*value", 1, NULL},
};

static bool is_one_of(const mdf_jval *name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (mdf_jval_is(name, words[i])) {
            return true;
        }
    }
    return false;
}

/* What would change a value. */
static bool is_unsafe(const mdf_jval *v, const mdf_jval *name)
{
    static const char *const dict[] = {"clear", "pop", "popitem", "setdefault", "update"};
    static const char *const list[] = {"append", "clear",  "extend",  "insert",
                                       "pop",    "remove", "reverse", "sort"};
    return (v->kind == MDF_J_DICT && is_one_of(name, dict, sizeof dict / sizeof dict[0])) ||
           (v->kind == MDF_J_LIST && is_one_of(name, list, sizeof list / sizeof list[0]));
}

static const mdf_jbuiltin *find_method(const mdf_jval *v, const mdf_jval *name)
{
    switch (v->kind) {
    case MDF_J_STRING:
        return mdf_jinja_text_method(name->u.text, name->len);
    case MDF_J_DICT:
        return mdf_jbuiltin_find(dict_methods, sizeof dict_methods / sizeof dict_methods[0],
                                 name->u.text, name->len);
    case MDF_J_LIST:
        return mdf_jbuiltin_find(list_methods, 3, name->u.text, name->len);
    case MDF_J_TUPLE:
    case MDF_J_RANGE:
        return mdf_jbuiltin_find(list_methods + 1, 2, name->u.text, name->len);
    default:
        return NULL;
    }
}

mdf_status mdf_jval_method(mdf_jvm *m, const mdf_jval *v, const mdf_jval *name, bool *found,
                           mdf_jval *out)
{
    const mdf_jbuiltin *b = find_method(v, name);
    *found = b != NULL || is_unsafe(v, name);
    if (!*found && v->kind == MDF_J_STRING &&
        mdf_jinja_text_method_refused(name->u.text, name->len)) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "the string method '%.*s' is not known",
                        (int)name->len, name->u.text);
    }
    if (!*found) {
        return MDF_OK;
    }
    if (b == NULL) {
        *out = mdf_jval_lacks(v, name->u.text, name->len);
        out->why = MDF_J_UNSAFE;
        return MDF_OK;
    }
    mdf_jmethod *method = mdf_jvm_alloc(m, 1, sizeof *method);
    if (method == NULL) {
        return mdf_jvm_no_memory(m);
    }
    *method = (mdf_jmethod){b, *v};
    *out = (mdf_jval){.kind = MDF_J_METHOD, .u.method = method};
    return MDF_OK;
}
