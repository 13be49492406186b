/* The statements of a template, run. */
#include "jinja/jinja_eval.h"

#include <string.h>

mdf_status mdf_jscope_new(mdf_jvm *m, mdf_jscope *parent, mdf_jscope **out)
{
    mdf_jscope *s = mdf_jvm_alloc(m, 1, sizeof *s);
    if (s == NULL) {
        return mdf_jvm_no_memory(m);
    }
    *s = (mdf_jscope){.parent = parent};
    *out = s;
    return MDF_OK;
}

mdf_status mdf_jscope_set(mdf_jvm *m, mdf_jscope *s, const mdf_jname *name, const mdf_jval *value)
{
    for (mdf_jvar *v = s->first; v != NULL; v = v->next) {
        if (v->name == name) {
            v->value = *value;
            return MDF_OK;
        }
    }
    mdf_jvar *v = mdf_jvm_alloc(m, 1, sizeof *v);
    if (v == NULL) {
        return mdf_jvm_no_memory(m);
    }
    *v = (mdf_jvar){.next = s->first, .name = name, .value = *value};
    s->first = v;
    return MDF_OK;
}

mdf_jval mdf_jscope_get(const mdf_jscope *s, const mdf_jname *name)
{
    for (; s != NULL; s = s->parent) {
        for (const mdf_jvar *v = s->first; v != NULL; v = v->next) {
            if (v->name == name) {
                return v->value;
            }
        }
    }
    const mdf_jbuiltin *function = mdf_jinja_function(name->text, name->len);
    if (function != NULL) {
        return (mdf_jval){.kind = MDF_J_FUNCTION, .u.function = mdf_jinja_function_index(function)};
    }
    return mdf_jval_undefined(name->text, name->len);
}

static mdf_status assign_tuple(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *target,
                               const mdf_jval *value)
{
    mdf_jlist items;
    size_t i = 0;
    MDF_TRY(mdf_jval_items(m, value, &items));
    size_t want = 0;
    for (const mdf_jnode *t = target->list; t != NULL; t = t->next) {
        want++;
    }
    if (items.count != want) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "%zu names cannot be set from %zu values", want,
                        items.count);
    }
    for (const mdf_jnode *t = target->list; t != NULL; t = t->next) {
        MDF_TRY(mdf_jscope_assign(m, s, t, &items.item[i++]));
    }
    return MDF_OK;
}

mdf_status mdf_jscope_assign(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *target,
                             const mdf_jval *value)
{
    if (target->type == MDF_JN_NAME) {
        return mdf_jscope_set(m, s, target->name, value);
    }
    if (target->type == MDF_JN_TUPLE) {
        return assign_tuple(m, s, target, value);
    }
    const mdf_jval ns = mdf_jscope_get(s, target->name);
    if (ns.kind != MDF_J_NAMESPACE) {
        return mdf_fail(m->err, MDF_ERR_FORMAT,
                        "'%.100s' is no namespace: its '%.*s' cannot be set", target->name->text,
                        (int)(target->value.len > 100 ? 100 : target->value.len),
                        target->value.u.text);
    }
    return mdf_jdict_put(m, ns.u.dict, &target->value, value);
}

static mdf_status write_value(mdf_jvm *m, const mdf_jval *v)
{
    return mdf_jval_str(m, v, m->out);
}

mdf_status mdf_jexec_text(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *list, mdf_jval *out)
{
    mdf_strbuf *outer = m->out;
    mdf_strbuf b = mdf_jvm_buffer();
    m->out = &b;
    const mdf_status status = mdf_jexec(m, s, list);
    m->out = outer;
    if (status != MDF_OK) {
        mdf_strbuf_free(&b);
        return status;
    }
    return mdf_jvm_finish(m, &b, out);
}

static mdf_status exec_print(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jval v;
    MDF_TRY(mdf_jeval(m, s, node->a, &v));
    return write_value(m, &v);
}

static mdf_status exec_if(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jval v;
    MDF_TRY(mdf_jeval(m, s, node->a, &v));
    return mdf_jexec(m, s, mdf_jval_true(&v) ? node->body : node->other);
}

static mdf_status exec_set(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jval v;
    MDF_TRY(mdf_jeval(m, s, node->b, &v));
    return mdf_jscope_assign(m, s, node->a, &v);
}

/* The text of a block in a scope of its own, through filters if there are any. */
static mdf_status filtered_block(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node,
                                 const mdf_jnode *filters, mdf_jval *out)
{
    mdf_jscope *inner = NULL;
    mdf_jval text;
    MDF_TRY(mdf_jscope_new(m, s, &inner));
    MDF_TRY(mdf_jexec_text(m, inner, node->body, &text));
    if (filters == NULL) {
        *out = text;
        return MDF_OK;
    }
    const mdf_jval *outer = m->piped;
    m->piped = &text;
    const mdf_status status = mdf_jeval(m, inner, filters, out);
    m->piped = outer;
    return status;
}

static mdf_status exec_set_block(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jval v;
    MDF_TRY(filtered_block(m, s, node, node->b, &v));
    return mdf_jscope_assign(m, s, node->a, &v);
}

static mdf_status exec_filter_block(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jval v;
    MDF_TRY(filtered_block(m, s, node, node->a, &v));
    return write_value(m, &v);
}

static mdf_status new_macro(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    mdf_jmacro *macro = mdf_jvm_alloc(m, 1, sizeof *macro);
    if (macro == NULL) {
        return mdf_jvm_no_memory(m);
    }
    *macro = (mdf_jmacro){node, s};
    *out = (mdf_jval){.kind = MDF_J_MACRO, .u.macro = macro};
    return MDF_OK;
}

static mdf_status exec_macro(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jval v;
    MDF_TRY(new_macro(m, s, node, &v));
    return mdf_jscope_set(m, s, node->name, &v);
}

static mdf_status exec_call_block(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jval caller;
    mdf_jval callee;
    mdf_jval named;
    mdf_jval v;
    mdf_jargs args;
    const mdf_jval key = mdf_jval_name("caller");
    MDF_TRY(new_macro(m, s, node, &caller));
    MDF_TRY(mdf_jeval(m, s, node->a->a, &callee));
    MDF_TRY(mdf_jeval_args(m, s, node->a->list, &args));
    MDF_TRY(mdf_jval_dict(m, MDF_J_DICT, 0, &named));
    for (size_t i = 0; args.named != NULL && i < args.named->count; i++) {
        MDF_TRY(mdf_jdict_put(m, named.u.dict, &args.named->key[i], &args.named->value[i]));
    }
    MDF_TRY(mdf_jdict_put(m, named.u.dict, &key, &caller));
    args.named = named.u.dict;
    MDF_TRY(mdf_jval_call(m, &callee, &args, &v));
    return write_value(m, &v);
}

static mdf_status exec_with(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jscope *inner = NULL;
    MDF_TRY(mdf_jscope_new(m, s, &inner));
    for (const mdf_jnode *t = node->list; t != NULL; t = t->next->next) {
        mdf_jval v;
        MDF_TRY(mdf_jeval(m, s, t->next, &v));
        MDF_TRY(mdf_jscope_assign(m, inner, t, &v));
    }
    return mdf_jexec(m, inner, node->body);
}

static mdf_status exec_scope(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jscope *inner = NULL;
    MDF_TRY(mdf_jscope_new(m, s, &inner));
    return mdf_jexec(m, inner, node->body);
}

static mdf_status exec_text(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    (void)s;
    return write_value(m, &node->value);
}

static mdf_status exec_break(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    (void)s;
    m->flow = node->type == MDF_JN_BREAK ? MDF_JF_BREAK : MDF_JF_CONTINUE;
    return MDF_OK;
}

mdf_status mdf_jexec(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *list)
{
    typedef mdf_status statement(mdf_jvm *, mdf_jscope *, const mdf_jnode *);
    static statement *const table[] = {[MDF_JN_TEXT] = exec_text,
                                       [MDF_JN_PRINT] = exec_print,
                                       [MDF_JN_IF] = exec_if,
                                       [MDF_JN_FOR] = mdf_jloop_run,
                                       [MDF_JN_SET] = exec_set,
                                       [MDF_JN_SET_BLOCK] = exec_set_block,
                                       [MDF_JN_MACRO] = exec_macro,
                                       [MDF_JN_CALL_BLOCK] = exec_call_block,
                                       [MDF_JN_FILTER_BLOCK] = exec_filter_block,
                                       [MDF_JN_WITH] = exec_with,
                                       [MDF_JN_SCOPE] = exec_scope,
                                       [MDF_JN_BREAK] = exec_break,
                                       [MDF_JN_CONTINUE] = exec_break};
    MDF_TRY(mdf_jvm_enter(m));
    for (; list != NULL && m->flow == MDF_JF_GO_ON; list = list->next) {
        m->line = list->line;
        MDF_TRY(mdf_jvm_step(m, 1));
        MDF_TRY(table[list->type](m, s, list));
    }
    m->depth--;
    return MDF_OK;
}
