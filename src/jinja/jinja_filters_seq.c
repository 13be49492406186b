/* Filters of lists and whatever else can be walked through. */
#include <string.h>

#include "jinja/jinja_builtin.h"

/* Where an attribute argument leads: "a.b.0" is three steps. */
typedef struct path {
    mdf_jval step[MDF_MAX_JINJA_PATH];
    size_t count;
    mdf_jval fallback; /* MISSING: none */
    bool ignore_case;
} path;

static mdf_status add_step(mdf_jvm *m, path *p, const char *s, size_t len)
{
    int64_t index = 0;
    bool digits = len > 0 && len < 10;
    if (p->count == MDF_MAX_JINJA_PATH) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "an attribute has more than %d parts",
                        MDF_MAX_JINJA_PATH);
    }
    for (size_t i = 0; i < len && digits; i++) {
        digits = s[i] >= '0' && s[i] <= '9';
        index = index * 10 + (s[i] - '0');
    }
    p->step[p->count++] = digits ? mdf_jval_int(index) : mdf_jval_text(s, len);
    return MDF_OK;
}

/* attribute MISSING or none: the item itself. */
static mdf_status make_path(mdf_jvm *m, const mdf_jval *attribute, bool ignore_case, path *p)
{
    *p = (path){.ignore_case = ignore_case};
    if (attribute->kind == MDF_J_MISSING || attribute->kind == MDF_J_NONE) {
        return MDF_OK;
    }
    if (attribute->kind == MDF_J_INT) {
        p->step[p->count++] = *attribute;
        return MDF_OK;
    }
    MDF_TRY(mdf_jarg_text(m, attribute));
    const char *s = attribute->u.text;
    size_t from = 0;
    for (size_t i = 0; i <= attribute->len; i++) {
        if (i == attribute->len || s[i] == '.') {
            MDF_TRY(add_step(m, p, s + from, i - from));
            from = i + 1;
        } else if (s[i] == ',') {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "several attributes at once are not known");
        }
    }
    return MDF_OK;
}

static mdf_status follow(mdf_jvm *m, const path *p, const mdf_jval *item, mdf_jval *out)
{
    mdf_jval v = *item;
    for (size_t i = 0; i < p->count; i++) {
        mdf_jval next;
        MDF_TRY(mdf_jval_item(m, &v, &p->step[i], &next));
        v = next.kind == MDF_J_UNDEFINED && p->fallback.kind != MDF_J_MISSING ? p->fallback : next;
    }
    if (p->ignore_case && v.kind == MDF_J_STRING) {
        return mdf_jinja_text_method("lower", 5)->call(m, &v, NULL, out);
    }
    *out = v;
    return mdf_jvm_step(m, 1);
}

static mdf_status filter_join(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    path p;
    mdf_jlist items;
    mdf_jval between = mdf_jval_text("", 0);
    MDF_TRY(make_path(m, &arg[1], false, &p));
    MDF_TRY(mdf_jval_items(m, v, &items));
    if (arg[0].kind != MDF_J_MISSING) {
        MDF_TRY(mdf_jval_to_text(m, &arg[0], &between));
    }
    mdf_strbuf b = mdf_jvm_buffer();
    mdf_status status = MDF_OK;
    for (size_t i = 0; i < items.count && status == MDF_OK; i++) {
        mdf_jval item;
        mdf_strbuf_add(&b, between.u.text, i > 0 ? between.len : 0);
        status = follow(m, &p, &items.item[i], &item);
        if (status == MDF_OK) {
            status = mdf_jval_str(m, &item, &b);
        }
    }
    if (status != MDF_OK) {
        mdf_strbuf_free(&b);
        return status;
    }
    return mdf_jvm_finish(m, &b, out);
}

static mdf_status filter_first(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jlist items;
    (void)arg;
    MDF_TRY(mdf_jval_items(m, v, &items));
    *out = items.count > 0 ? items.item[0] : mdf_jval_hint("the first item of nothing");
    return MDF_OK;
}

static mdf_status filter_last(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jlist items;
    (void)arg;
    if (v->kind == MDF_J_ITERATOR) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "'generator' object is not reversible");
    }
    MDF_TRY(mdf_jval_items(m, v, &items));
    *out =
        items.count > 0 ? items.item[items.count - 1] : mdf_jval_hint("the last item of nothing");
    return MDF_OK;
}

static mdf_status as_list(mdf_jvm *m, mdf_jkind kind, const mdf_jlist *items, mdf_jval *out)
{
    MDF_TRY(mdf_jval_list(m, kind, items->count, out));
    if (items->count > 0) {
        memcpy(out->u.list->item, items->item, items->count * sizeof *items->item);
    }
    return MDF_OK;
}

static mdf_status filter_list(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jlist items;
    (void)arg;
    MDF_TRY(mdf_jval_items(m, v, &items));
    return as_list(m, MDF_J_LIST, &items, out);
}

static mdf_status filter_reverse(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jlist items;
    const mdf_jval step = mdf_jval_int(-1);
    const mdf_jval *bound[3] = {NULL, NULL, &step};
    (void)arg;
    if (v->kind == MDF_J_STRING) {
        return mdf_jval_slice(m, v, bound, out);
    }
    MDF_TRY(mdf_jval_items(m, v, &items));
    /* An iterator itself becomes a list in jinja2; all else an iterator. */
    MDF_TRY(mdf_jval_list(m, v->kind == MDF_J_ITERATOR ? MDF_J_LIST : MDF_J_ITERATOR, items.count,
                          out));
    for (size_t i = 0; i < items.count; i++) {
        out->u.list->item[i] = items.item[items.count - 1 - i];
    }
    return MDF_OK;
}

static mdf_status filter_items(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    bool found = false;
    mdf_jval method;
    const mdf_jval name = mdf_jval_name("items");
    const mdf_jargs none = {0};
    (void)arg;
    if (v->kind == MDF_J_UNDEFINED) {
        return mdf_jval_list(m, MDF_J_ITERATOR, 0, out);
    }
    if (v->kind != MDF_J_DICT) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "Can only get item pairs from a mapping.");
    }
    MDF_TRY(mdf_jval_method(m, v, &name, &found, &method));
    MDF_TRY(mdf_jval_call(m, &method, &none, out));
    out->kind = MDF_J_ITERATOR;
    return MDF_OK;
}

static mdf_status filter_sum(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    path p;
    mdf_jlist items;
    mdf_jval sum = arg[1].kind == MDF_J_MISSING ? mdf_jval_int(0) : arg[1];
    MDF_TRY(make_path(m, &arg[0], false, &p));
    MDF_TRY(mdf_jval_items(m, v, &items));
    for (size_t i = 0; i < items.count; i++) {
        mdf_jval item;
        mdf_jval next;
        MDF_TRY(follow(m, &p, &items.item[i], &item));
        MDF_TRY(mdf_jval_binary(m, '+', &sum, &item, &next));
        sum = next;
    }
    *out = sum;
    return MDF_OK;
}

static mdf_status extreme(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, int sign,
                          mdf_jval *out)
{
    path p;
    mdf_jlist items;
    mdf_jval best;
    MDF_TRY(make_path(m, &arg[1], !mdf_jval_true(&arg[0]), &p));
    MDF_TRY(mdf_jval_items(m, v, &items));
    *out = mdf_jval_hint("the least or greatest item of nothing");
    for (size_t i = 0; i < items.count; i++) {
        mdf_jval key;
        int order = sign;
        MDF_TRY(follow(m, &p, &items.item[i], &key));
        if (i > 0) {
            MDF_TRY(mdf_jval_order(m, &key, &best, sign > 0 ? ">" : "<", &order));
        }
        if (order * sign > 0) {
            best = key;
            *out = items.item[i];
        }
    }
    return MDF_OK;
}

static mdf_status filter_min(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return extreme(m, v, arg, -1, out);
}

static mdf_status filter_max(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return extreme(m, v, arg, 1, out);
}

static mdf_status filter_unique(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    path p;
    mdf_jlist items;
    mdf_jval seen;
    const mdf_jval nothing = mdf_jval_none();
    size_t n = 0;
    MDF_TRY(make_path(m, &arg[1], !mdf_jval_true(&arg[0]), &p));
    MDF_TRY(mdf_jval_items(m, v, &items));
    MDF_TRY(mdf_jval_dict(m, MDF_J_DICT, 0, &seen));
    MDF_TRY(mdf_jval_list(m, MDF_J_ITERATOR, items.count, out));
    for (size_t i = 0; i < items.count; i++) {
        mdf_jval key;
        mdf_jval *before = NULL;
        MDF_TRY(follow(m, &p, &items.item[i], &key));
        MDF_TRY(mdf_jdict_find(m, seen.u.dict, &key, &before));
        if (before == NULL) {
            MDF_TRY(mdf_jdict_put(m, seen.u.dict, &key, &nothing));
            out->u.list->item[n++] = items.item[i];
        }
    }
    out->u.list->count = n;
    return MDF_OK;
}

/* Sorts the positions by their keys; equal ones stay as they are, backwards too. */
static mdf_status merge_sort(mdf_jvm *m, const mdf_jval *key, size_t *at, size_t *spare, size_t n,
                             bool reverse)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t from = 0; from < n; from += 2 * width) {
            const size_t middle = from + width < n ? from + width : n;
            const size_t end = from + 2 * width < n ? from + 2 * width : n;
            size_t a = from;
            size_t b = middle;
            for (size_t i = from; i < end; i++) {
                int order = a >= middle ? 1 : -1;
                if (a < middle && b < end) {
                    MDF_TRY(mdf_jvm_step(m, 1));
                    MDF_TRY(mdf_jval_order(m, &key[at[a]], &key[at[b]], "<", &order));
                    order = reverse ? -order : order;
                }
                spare[i] = order <= 0 ? at[a++] : at[b++];
            }
        }
        memcpy(at, spare, n * sizeof *at);
    }
    return MDF_OK;
}

static mdf_status sort_items(mdf_jvm *m, const path *p, bool reverse, const mdf_jlist *items,
                             mdf_jval *out)
{
    const size_t n = items->count;
    mdf_jval *key = mdf_jvm_alloc(m, n, sizeof *key);
    size_t *at = mdf_jvm_alloc(m, 2 * n, sizeof *at);
    if (key == NULL || at == NULL) {
        return mdf_jvm_no_memory(m);
    }
    for (size_t i = 0; i < n; i++) {
        at[i] = i;
        MDF_TRY(follow(m, p, &items->item[i], &key[i]));
    }
    MDF_TRY(merge_sort(m, key, at, at + n, n, reverse));
    MDF_TRY(mdf_jval_list(m, MDF_J_LIST, n, out));
    for (size_t i = 0; i < n; i++) {
        out->u.list->item[i] = items->item[at[i]];
    }
    return MDF_OK;
}

static mdf_status filter_sort(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    path p;
    mdf_jlist items;
    MDF_TRY(make_path(m, &arg[2], !mdf_jval_true(&arg[1]), &p));
    MDF_TRY(mdf_jval_items(m, v, &items));
    return sort_items(m, &p, mdf_jval_true(&arg[0]), &items, out);
}

static mdf_status filter_dictsort(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    path p;
    mdf_jval pairs;
    const bool by_value = mdf_jval_is(&arg[1], "value");
    const mdf_jval position = mdf_jval_int(by_value ? 1 : 0);
    if (arg[1].kind != MDF_J_MISSING && !by_value && !mdf_jval_is(&arg[1], "key")) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "You can only sort by either \"key\" or \"value\"");
    }
    if (v->kind != MDF_J_DICT) {
        return v->kind == MDF_J_UNDEFINED
                   ? mdf_jval_refuse(m, v)
                   : mdf_fail(m->err, MDF_ERR_FORMAT, "a dict is wanted, not '%s'",
                              mdf_jval_type(v));
    }
    MDF_TRY(make_path(m, &position, !mdf_jval_true(&arg[0]), &p));
    MDF_TRY(filter_items(m, v, NULL, &pairs));
    return sort_items(m, &p, mdf_jval_true(&arg[2]), pairs.u.list, out);
}

static mdf_status filter_batch(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jlist items;
    int64_t size = 0;
    const bool fills = arg[1].kind != MDF_J_MISSING && arg[1].kind != MDF_J_NONE;
    MDF_TRY(mdf_jarg_int(m, &arg[0], 0, &size));
    MDF_TRY(mdf_jval_items(m, v, &items));
    if (size < 1) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "batch: the count must be at least 1");
    }
    const size_t each = (uint64_t)size > items.count && !fills ? items.count : (size_t)size;
    const size_t count = items.count == 0 ? 0 : (items.count - 1) / each + 1;
    MDF_TRY(mdf_jval_list(m, MDF_J_ITERATOR, count, out));
    for (size_t i = 0; i < count; i++) {
        const size_t left = items.count - i * each;
        const size_t n = left < each && !fills ? left : each;
        mdf_jval *batch = &out->u.list->item[i];
        MDF_TRY(mdf_jval_list(m, MDF_J_LIST, n, batch));
        for (size_t j = 0; j < n; j++) {
            batch->u.list->item[j] = j < left ? items.item[i * each + j] : arg[1];
        }
    }
    return MDF_OK;
}

static mdf_jargs args_after(const mdf_jargs *args, size_t skip)
{
    const bool more = skip < args->count;
    return (mdf_jargs){more ? args->item + skip : NULL, more ? args->count - skip : 0, args->named};
}

/* map(attribute="x", default=y): items through a path. */
static mdf_status map_attribute(mdf_jvm *m, const mdf_jlist *items, const mdf_jargs *args,
                                mdf_jval *out)
{
    path p;
    const mdf_jval *attribute = mdf_jdict_text(args->named, "attribute", 9);
    const mdf_jval *fallback = mdf_jdict_text(args->named, "default", 7);
    if (args->named->count != (fallback != NULL ? 2U : 1U)) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "map: an argument has a name that is not known");
    }
    MDF_TRY(make_path(m, attribute, false, &p));
    if (fallback != NULL && fallback->kind != MDF_J_NONE) {
        p.fallback = *fallback;
    }
    MDF_TRY(mdf_jval_list(m, MDF_J_ITERATOR, items->count, out));
    for (size_t i = 0; i < items->count; i++) {
        MDF_TRY(follow(m, &p, &items->item[i], &out->u.list->item[i]));
    }
    return MDF_OK;
}

static mdf_status filter_map(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, mdf_jval *out)
{
    mdf_jlist items = {0};
    if (mdf_jval_true(v)) {
        MDF_TRY(mdf_jval_items(m, v, &items));
    }
    if (args->count == 0 && args->named != NULL &&
        mdf_jdict_text(args->named, "attribute", 9) != NULL) {
        return map_attribute(m, &items, args, out);
    }
    if (args->count == 0) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "map requires a filter argument");
    }
    const mdf_jargs rest = args_after(args, 1);
    MDF_TRY(mdf_jval_list(m, MDF_J_ITERATOR, items.count, out));
    for (size_t i = 0; i < items.count; i++) {
        out->u.list->item[i] = mdf_jval_none();
        MDF_TRY(mdf_jbuiltin_named(m, false, &args->item[0], &items.item[i], &rest,
                                   &out->u.list->item[i]));
    }
    return MDF_OK;
}

/* select and its three relatives: by_attr looks at an attribute of the item. */
static mdf_status choose(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, bool by_attr,
                         bool keep, mdf_jval *out)
{
    path p = {0};
    mdf_jlist items = {0};
    size_t n = 0;
    const size_t skip = by_attr ? 1 : 0;
    if (mdf_jval_true(v)) {
        MDF_TRY(mdf_jval_items(m, v, &items));
    }
    if (by_attr && args->count == 0) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "Missing parameter for attribute name");
    }
    if (by_attr) {
        MDF_TRY(make_path(m, &args->item[0], false, &p));
    }
    const mdf_jargs rest = args_after(args, skip + 1);
    MDF_TRY(mdf_jval_list(m, MDF_J_ITERATOR, items.count, out));
    for (size_t i = 0; i < items.count; i++) {
        mdf_jval item;
        MDF_TRY(follow(m, &p, &items.item[i], &item));
        if (args->count > skip) {
            mdf_jval holds;
            MDF_TRY(mdf_jbuiltin_named(m, true, &args->item[skip], &item, &rest, &holds));
            item = holds;
        }
        if (mdf_jval_true(&item) == keep) {
            out->u.list->item[n++] = items.item[i];
        }
    }
    out->u.list->count = n;
    return MDF_OK;
}

static mdf_status filter_select(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, mdf_jval *out)
{
    return choose(m, v, args, false, true, out);
}

static mdf_status filter_reject(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, mdf_jval *out)
{
    return choose(m, v, args, false, false, out);
}

static mdf_status filter_selectattr(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args,
                                    mdf_jval *out)
{
    return choose(m, v, args, true, true, out);
}

static mdf_status filter_rejectattr(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args,
                                    mdf_jval *out)
{
    return choose(m, v, args, true, false, out);
}

const mdf_jbuiltin *mdf_jinja_seq_filter(const char *name, size_t len)
{
    static const mdf_jbuiltin filters[] = {
        {"batch", filter_batch, "linecount fill_with", 1, NULL},
        {"dictsort", filter_dictsort, "case_sensitive by reverse", 0, NULL},
        {"first", filter_first, "", 0, NULL},
        {"items", filter_items, "", 0, NULL},
        {"join", filter_join, "d attribute", 0, NULL},
        {"last", filter_last, "", 0, NULL},
        {"list", filter_list, "", 0, NULL},
        {"map", NULL, "", 0, filter_map},
        {"max", filter_max, "case_sensitive attribute", 0, NULL},
        {"min", filter_min, "case_sensitive attribute", 0, NULL},
        {"reject", NULL, "", 0, filter_reject},
        {"rejectattr", NULL, "", 0, filter_rejectattr},
        {"reverse", filter_reverse, "", 0, NULL},
        {"select", NULL, "", 0, filter_select},
        {"selectattr", NULL, "", 0, filter_selectattr},
        {"sort", filter_sort, "reverse case_sensitive attribute", 0, NULL},
        {"sum", filter_sum, "attribute start", 0, NULL},
        {"unique", filter_unique, "case_sensitive attribute", 0, NULL},
    };
    return mdf_jbuiltin_find(filters, sizeof filters / sizeof filters[0], name, len);
}
