/* The expressions of a template, evaluated. */
#include <string.h>

#include "jinja/jinja_eval.h"

static mdf_status eval_sequence(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    size_t count = 0;
    mdf_jval list;
    for (const mdf_jnode *n = node->list; n != NULL; n = n->next) {
        count++;
    }
    MDF_TRY(mdf_jval_list(m, node->type == MDF_JN_LIST ? MDF_J_LIST : MDF_J_TUPLE, count, &list));
    count = 0;
    for (const mdf_jnode *n = node->list; n != NULL; n = n->next) {
        MDF_TRY(mdf_jeval(m, s, n, &list.u.list->item[count++]));
    }
    *out = list;
    return MDF_OK;
}

static mdf_status eval_dict(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    mdf_jval dict;
    MDF_TRY(mdf_jval_dict(m, MDF_J_DICT, 0, &dict));
    for (const mdf_jnode *n = node->list; n != NULL; n = n->next->next) {
        mdf_jval key;
        mdf_jval value;
        MDF_TRY(mdf_jeval(m, s, n, &key));
        MDF_TRY(mdf_jeval(m, s, n->next, &value));
        MDF_TRY(mdf_jdict_put(m, dict.u.dict, &key, &value));
    }
    *out = dict;
    return MDF_OK;
}

static mdf_status eval_logic(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    MDF_TRY(mdf_jeval(m, s, node->a, out));
    if (node->type == MDF_JN_NOT) {
        *out = mdf_jval_bool(!mdf_jval_true(out));
        return MDF_OK;
    }
    return mdf_jval_true(out) == (node->type == MDF_JN_AND) ? mdf_jeval(m, s, node->b, out)
                                                            : MDF_OK;
}

static mdf_status eval_arithmetic(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    mdf_jval a;
    mdf_jval b;
    MDF_TRY(mdf_jeval(m, s, node->a, &a));
    if (node->type == MDF_JN_SIGN) {
        return mdf_jval_sign(m, node->op, &a, out);
    }
    MDF_TRY(mdf_jeval(m, s, node->b, &b));
    return mdf_jval_binary(m, node->op, &a, &b, out);
}

static mdf_status eval_compare(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    mdf_jval a;
    bool holds = true;
    MDF_TRY(mdf_jeval(m, s, node->a, &a));
    for (const mdf_jnode *n = node->list; n != NULL && holds; n = n->next) {
        mdf_jval b;
        MDF_TRY(mdf_jeval(m, s, n->a, &b));
        MDF_TRY(mdf_jval_compare(m, n->op, &a, &b, &holds));
        a = b;
    }
    *out = mdf_jval_bool(holds);
    return MDF_OK;
}

static mdf_status eval_conditional(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    mdf_jval test;
    MDF_TRY(mdf_jeval(m, s, node->b, &test));
    if (mdf_jval_true(&test)) {
        return mdf_jeval(m, s, node->a, out);
    }
    if (node->c != NULL) {
        return mdf_jeval(m, s, node->c, out);
    }
    *out = mdf_jval_hint("the condition of an \"if\" without \"else\" does not hold");
    return MDF_OK;
}

static mdf_status eval_subscript(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    mdf_jval v;
    mdf_jval index;
    MDF_TRY(mdf_jeval(m, s, node->a, &v));
    if (node->type == MDF_JN_ATTR) {
        return mdf_jval_attr(m, &v, &node->value, out);
    }
    if (node->type == MDF_JN_ITEM) {
        MDF_TRY(mdf_jeval(m, s, node->b, &index));
        return mdf_jval_item(m, &v, &index, out);
    }
    const mdf_jnode *const part[] = {node->b, node->c, node->d};
    mdf_jval value[3];
    const mdf_jval *bound[3] = {0};
    for (int i = 0; i < 3; i++) {
        if (part[i] != NULL) {
            MDF_TRY(mdf_jeval(m, s, part[i], &value[i]));
            bound[i] = &value[i];
        }
    }
    return mdf_jval_slice(m, &v, bound, out);
}

static mdf_status eval_call(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    mdf_jval callee;
    mdf_jargs args;
    MDF_TRY(mdf_jeval(m, s, node->a, &callee));
    MDF_TRY(mdf_jeval_args(m, s, node->list, &args));
    return mdf_jval_call(m, &callee, &args, out);
}

static mdf_status eval_builtin(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    mdf_jval v;
    mdf_jargs args;
    if (node->builtin == NULL) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "%s '%.100s' is not known",
                        node->type == MDF_JN_FILTER ? "filter" : "test", node->name->text);
    }
    if (node->a == NULL) {
        v = *m->piped;
    } else {
        MDF_TRY(mdf_jeval(m, s, node->a, &v));
    }
    MDF_TRY(mdf_jeval_args(m, s, node->list, &args));
    m->line = node->line;
    return mdf_jbuiltin_call(m, node->builtin, &v, &args, out);
}

static mdf_status eval_constant(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    (void)m;
    (void)s;
    *out = node->value;
    return MDF_OK;
}

static mdf_status eval_name(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    (void)m;
    *out = mdf_jscope_get(s, node->name);
    return MDF_OK;
}

mdf_status mdf_jeval(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    typedef mdf_status expression(mdf_jvm *, mdf_jscope *, const mdf_jnode *, mdf_jval *);
    static expression *const table[] = {
        [MDF_JN_CONST] = eval_constant,  [MDF_JN_NAME] = eval_name,
        [MDF_JN_LIST] = eval_sequence,   [MDF_JN_TUPLE] = eval_sequence,
        [MDF_JN_DICT] = eval_dict,       [MDF_JN_AND] = eval_logic,
        [MDF_JN_OR] = eval_logic,        [MDF_JN_NOT] = eval_logic,
        [MDF_JN_SIGN] = eval_arithmetic, [MDF_JN_BINARY] = eval_arithmetic,
        [MDF_JN_COMPARE] = eval_compare, [MDF_JN_COND] = eval_conditional,
        [MDF_JN_ATTR] = eval_subscript,  [MDF_JN_ITEM] = eval_subscript,
        [MDF_JN_SLICE] = eval_subscript, [MDF_JN_CALL] = eval_call,
        [MDF_JN_FILTER] = eval_builtin,  [MDF_JN_TEST] = eval_builtin};
    mdf_jval v = mdf_jval_none();
    MDF_TRY(mdf_jvm_enter(m));
    m->line = node->line;
    MDF_TRY(table[node->type](m, s, node, &v));
    m->depth--;
    *out = v;
    return MDF_OK;
}

/* How many arguments the list may become by position and by name. */
static mdf_status expand(mdf_jvm *m, const mdf_jval *v, mdf_jlist *items)
{
    if (v->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, v);
    }
    return mdf_jval_items(m, v, items);
}

static mdf_status add_named(mdf_jvm *m, mdf_jdict *named, const mdf_jval *key,
                            const mdf_jval *value)
{
    if (key->kind != MDF_J_STRING || mdf_jdict_text(named, key->u.text, key->len) != NULL) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "an argument has no name, or one that was there");
    }
    return mdf_jdict_put(m, named, key, value);
}

static mdf_status add_argument(mdf_jvm *m, const mdf_jnode *n, const mdf_jval *v, mdf_jlist *list,
                               size_t room, mdf_jdict *named)
{
    mdf_jlist items;
    if (n->type == MDF_JN_KEYWORD) {
        const mdf_jval key = mdf_jval_text(n->name->text, n->name->len);
        return add_named(m, named, &key, v);
    }
    if (n->type == MDF_JN_STARS) {
        if (v->kind != MDF_J_DICT) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "what follows ** must be a dict");
        }
        for (size_t i = 0; i < v->u.dict->count; i++) {
            MDF_TRY(add_named(m, named, &v->u.dict->key[i], &v->u.dict->value[i]));
        }
        return MDF_OK;
    }
    if (n->type != MDF_JN_STAR) {
        list->item[list->count++] = *v;
        return MDF_OK;
    }
    MDF_TRY(expand(m, v, &items));
    mdf_jval *grown = mdf_jvm_alloc(m, room + items.count, sizeof *grown);
    if (grown == NULL) {
        return mdf_jvm_no_memory(m);
    }
    if (list->count > 0) {
        memcpy(grown, list->item, list->count * sizeof *grown);
    }
    if (items.count > 0) {
        memcpy(grown + list->count, items.item, items.count * sizeof *grown);
    }
    list->item = grown;
    list->count += items.count;
    return mdf_jvm_step(m, items.count);
}

mdf_status mdf_jeval_args(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *list, mdf_jargs *out)
{
    size_t room = 0;
    bool names = false;
    mdf_jval named = {0};
    mdf_jlist items = {0};
    for (const mdf_jnode *n = list; n != NULL; n = n->next) {
        room++;
        names = names || n->type == MDF_JN_KEYWORD || n->type == MDF_JN_STARS;
    }
    if (room > 0) {
        items.item = mdf_jvm_alloc(m, room, sizeof *items.item);
        if (items.item == NULL) {
            return mdf_jvm_no_memory(m);
        }
    }
    if (names) {
        MDF_TRY(mdf_jval_dict(m, MDF_J_DICT, 0, &named));
    }
    for (const mdf_jnode *n = list; n != NULL; n = n->next) {
        const bool wrapped =
            n->type == MDF_JN_KEYWORD || n->type == MDF_JN_STAR || n->type == MDF_JN_STARS;
        mdf_jval v;
        MDF_TRY(mdf_jeval(m, s, wrapped ? n->a : n, &v));
        MDF_TRY(add_argument(m, n, &v, &items, room + items.count, named.u.dict));
    }
    *out = (mdf_jargs){items.item, items.count, named.u.dict};
    return MDF_OK;
}
