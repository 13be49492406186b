/* Calls: arguments to where they belong, macros, and the functions that every template has. */
#include <string.h>

#include "jinja/jinja_eval.h"

const mdf_jbuiltin *mdf_jbuiltin_find(const mdf_jbuiltin *table, size_t count, const char *name,
                                      size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* The next of a row's argument names; *n 0: there is none. */
static const char *next_name(const char *names, size_t *n, bool *by_position)
{
    names += strspn(names, " ");
    *by_position = *names == '*';
    names += *by_position ? 1 : 0;
    *n = strcspn(names, " ");
    return names;
}

static mdf_status bind(mdf_jvm *m, const mdf_jbuiltin *b, const mdf_jargs *args, mdf_jval *arg)
{
    size_t most = 0;
    size_t used = 0;
    size_t n = 0;
    bool by_position = false;
    for (const char *name = next_name(b->names, &n, &by_position); n > 0;
         name = next_name(name + n, &n, &by_position)) {
        const mdf_jval *named =
            args->named == NULL || by_position ? NULL : mdf_jdict_text(args->named, name, n);
        if (named != NULL && most < args->count) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "%s: argument '%.*s' is given twice", b->name,
                            (int)n, name);
        }
        used += named != NULL ? 1 : 0;
        arg[most] = named != NULL ? *named : most < args->count ? args->item[most] : (mdf_jval){0};
        if (arg[most].kind == MDF_J_MISSING && most < b->least) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "%s: argument '%.*s' is missing", b->name,
                            (int)n, name);
        }
        most++;
    }
    if (args->count > most) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "%s takes at most %zu arguments", b->name, most);
    }
    if (args->named != NULL && used < args->named->count) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "%s: an argument has a name that is not known",
                        b->name);
    }
    return MDF_OK;
}

/* What a builtin may have to look at. */
static size_t work(const mdf_jval *v)
{
    return v->kind == MDF_J_STRING ? v->len / 32
           : v->kind == MDF_J_DICT ? v->u.dict->count / 4
           : mdf_jval_is_list(v)   ? v->u.list->count / 4
                                   : 0;
}

mdf_status mdf_jbuiltin_call(mdf_jvm *m, const mdf_jbuiltin *b, const mdf_jval *v,
                             const mdf_jargs *args, mdf_jval *out)
{
    mdf_jval arg[MDF_J_MOST_ARGS] = {{0}};
    MDF_TRY(mdf_jvm_step(m, 1 + work(v)));
    if (b->any != NULL) {
        return b->any(m, v, args, out);
    }
    MDF_TRY(bind(m, b, args, arg));
    for (size_t i = 0; i < MDF_J_MOST_ARGS; i++) {
        MDF_TRY(mdf_jvm_step(m, work(&arg[i])));
    }
    return b->call(m, v, arg, out);
}

mdf_status mdf_jbuiltin_named(mdf_jvm *m, bool test, const mdf_jval *name, const mdf_jval *v,
                              const mdf_jargs *args, mdf_jval *out)
{
    const mdf_jbuiltin *b = NULL;
    MDF_TRY(mdf_jarg_text(m, name));
    b = test ? mdf_jinja_test(name->u.text, name->len) : mdf_jinja_filter(name->u.text, name->len);
    if (b == NULL) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "%s '%.*s' is not known", test ? "test" : "filter",
                        (int)(name->len > 100 ? 100 : name->len), name->u.text);
    }
    MDF_TRY(mdf_jvm_enter(m));
    const mdf_status status = mdf_jbuiltin_call(m, b, v, args, out);
    m->depth--;
    return status;
}

mdf_status mdf_jarg_int(mdf_jvm *m, const mdf_jval *v, int64_t fallback, int64_t *out)
{
    if (v->kind == MDF_J_MISSING || v->kind == MDF_J_NONE) {
        *out = fallback;
        return MDF_OK;
    }
    if (v->kind != MDF_J_INT && v->kind != MDF_J_BOOL) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "an integer is wanted, not '%s'", mdf_jval_type(v));
    }
    *out = mdf_jval_as_int(v);
    return MDF_OK;
}

mdf_status mdf_jarg_text(mdf_jvm *m, const mdf_jval *v)
{
    if (v->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, v);
    }
    if (v->kind != MDF_J_STRING) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "a string is wanted, not '%s'", mdf_jval_type(v));
    }
    return MDF_OK;
}

/* The arguments by name that no parameter took. */
static mdf_status rest_named(mdf_jvm *m, const mdf_jmacro *macro, const mdf_jargs *args,
                             mdf_jdict *rest)
{
    const size_t count = args->named == NULL ? 0 : args->named->count;
    for (size_t i = 0; i < count; i++) {
        const mdf_jval *key = &args->named->key[i];
        size_t at = 0;
        const mdf_jnode *p = macro->node->list;
        while (p != NULL && !(at >= args->count && p->name->len == key->len &&
                              memcmp(p->name->text, key->u.text, key->len) == 0)) {
            p = p->next;
            at++;
        }
        if (p == NULL &&
            !((macro->node->flags & MDF_JM_CALLER) != 0 && mdf_jval_is(key, "caller"))) {
            MDF_TRY(mdf_jdict_put(m, rest, key, &args->named->value[i]));
        }
    }
    return MDF_OK;
}

static mdf_status set_special(mdf_jvm *m, mdf_jscope *s, const char *name, const mdf_jval *v)
{
    const mdf_jname *n = mdf_jtemplate_name(m->tmpl, name, strlen(name));
    return n == NULL ? MDF_OK : mdf_jscope_set(m, s, n, v);
}

/* caller, kwargs and varargs, where the body uses them. */
static mdf_status bind_special(mdf_jvm *m, mdf_jscope *s, const mdf_jmacro *macro, size_t taken,
                               const mdf_jargs *args)
{
    mdf_jval rest;
    mdf_jval more;
    const uint8_t flags = macro->node->flags;
    const size_t extra = args->count > taken ? args->count - taken : 0;
    MDF_TRY(mdf_jval_dict(m, MDF_J_DICT, 0, &rest));
    MDF_TRY(rest_named(m, macro, args, rest.u.dict));
    if ((flags & MDF_JM_CALLER) != 0) {
        const mdf_jval *caller =
            args->named == NULL ? NULL : mdf_jdict_text(args->named, "caller", 6);
        const mdf_jval none = mdf_jval_undefined("caller", 6);
        MDF_TRY(set_special(m, s, "caller", caller != NULL ? caller : &none));
    }
    if ((flags & MDF_JM_KWARGS) != 0) {
        MDF_TRY(set_special(m, s, "kwargs", &rest));
    } else if (rest.u.dict->count > 0) {
        const mdf_jval *key = &rest.u.dict->key[0];
        return mdf_fail(m->err, MDF_ERR_FORMAT, "macro '%.100s' takes no keyword argument '%.*s'",
                        macro->node->name->text, (int)(key->len > 100 ? 100 : key->len),
                        key->u.text);
    }
    if ((flags & MDF_JM_VARARGS) == 0) {
        return extra == 0 ? MDF_OK
                          : mdf_fail(m->err, MDF_ERR_FORMAT,
                                     "macro '%.100s' takes not more than %zu argument(s)",
                                     macro->node->name->text, taken);
    }
    MDF_TRY(mdf_jval_list(m, MDF_J_TUPLE, extra, &more));
    if (extra > 0) {
        memcpy(more.u.list->item, args->item + taken, extra * sizeof more);
    }
    return set_special(m, s, "varargs", &more);
}

static mdf_status bind_parameters(mdf_jvm *m, mdf_jscope *s, const mdf_jmacro *macro,
                                  const mdf_jargs *args)
{
    size_t at = 0;
    for (const mdf_jnode *p = macro->node->list; p != NULL; p = p->next) {
        const mdf_jval *named =
            args->named == NULL ? NULL : mdf_jdict_text(args->named, p->name->text, p->name->len);
        mdf_jval v = mdf_jval_hint("a parameter of the macro was not given");
        if (at < args->count) {
            v = args->item[at];
        } else if (named != NULL) {
            v = *named;
        } else if (p->a != NULL) {
            MDF_TRY(mdf_jeval(m, s, p->a, &v));
        } else {
            v = mdf_jval_undefined(p->name->text, p->name->len);
        }
        MDF_TRY(mdf_jscope_set(m, s, p->name, &v));
        at++;
    }
    return bind_special(m, s, macro, at, args);
}

mdf_status mdf_jmacro_call(mdf_jvm *m, const mdf_jmacro *macro, const mdf_jargs *args,
                           mdf_jval *out)
{
    mdf_jscope *s = NULL;
    MDF_TRY(mdf_jscope_new(m, macro->scope, &s));
    MDF_TRY(bind_parameters(m, s, macro, args));
    return mdf_jexec_text(m, s, macro->node->body, out);
}

static mdf_status call_namespace(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args,
                                 mdf_jval *out)
{
    mdf_jval made;
    const mdf_jkind kind = v->u.function == 0 ? MDF_J_DICT : MDF_J_NAMESPACE;
    MDF_TRY(mdf_jval_dict(m, kind, 0, &made));
    for (size_t i = 0; i < args->count; i++) {
        const mdf_jval *from = &args->item[i];
        if (from->kind != MDF_J_DICT) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "a dict is wanted, not '%s'",
                            mdf_jval_type(from));
        }
        for (size_t j = 0; j < from->u.dict->count; j++) {
            MDF_TRY(mdf_jdict_put(m, made.u.dict, &from->u.dict->key[j], &from->u.dict->value[j]));
        }
    }
    for (size_t i = 0; args->named != NULL && i < args->named->count; i++) {
        MDF_TRY(mdf_jdict_put(m, made.u.dict, &args->named->key[i], &args->named->value[i]));
    }
    *out = made;
    return MDF_OK;
}

static mdf_status call_raise(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jval text;
    (void)v;
    (void)out;
    MDF_TRY(mdf_jval_to_text(m, &arg[0], &text));
    return mdf_fail(m->err, MDF_ERR_ARG, "the template refuses: %.*s",
                    (int)(text.len > 300 ? 300 : text.len), text.u.text);
}

static mdf_status call_range(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    int64_t part[3] = {0, 0, 1};
    int64_t count = 0;
    (void)v;
    MDF_TRY(mdf_jarg_int(m, &arg[0], 0, &part[1]));
    if (arg[1].kind != MDF_J_MISSING) {
        part[0] = part[1];
        MDF_TRY(mdf_jarg_int(m, &arg[1], 0, &part[1]));
        MDF_TRY(mdf_jarg_int(m, &arg[2], 1, &part[2]));
    }
    if (part[2] == 0) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "range() arg 3 must not be zero");
    }
    const bool up = part[2] > 0;
    for (int64_t at = part[0]; (up ? at < part[1] : at > part[1]) && count <= MDF_MAX_JINJA_RANGE;
         count++) {
        if (__builtin_add_overflow(at, part[2], &at)) {
            count++;
            break;
        }
    }
    if (count > MDF_MAX_JINJA_RANGE) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "a range has more than %d numbers",
                        MDF_MAX_JINJA_RANGE);
    }
    MDF_TRY(mdf_jval_list(m, MDF_J_RANGE, (size_t)count, out));
    for (int64_t i = 0; i < count; i++) {
        out->u.list->item[i] = mdf_jval_int(part[0] + i * part[2]);
    }
    return MDF_OK;
}

static const mdf_jbuiltin functions[] = {
    {"dict", NULL, "", 0, call_namespace},
    {"namespace", NULL, "", 0, call_namespace},
    {"raise_exception", call_raise, "message", 1, NULL},
    {"range", call_range, "*start *stop *step", 1, NULL},
    {"strftime_now", mdf_jinja_strftime, "format", 1, NULL},
};

const mdf_jbuiltin *mdf_jinja_function(const char *name, size_t len)
{
    return mdf_jbuiltin_find(functions, sizeof functions / sizeof functions[0], name, len);
}

int mdf_jinja_function_index(const mdf_jbuiltin *b)
{
    return (int)(b - functions);
}

mdf_status mdf_jval_call(mdf_jvm *m, const mdf_jval *callee, const mdf_jargs *args, mdf_jval *out)
{
    switch (callee->kind) {
    case MDF_J_UNDEFINED:
        return mdf_jval_refuse(m, callee);
    case MDF_J_MACRO:
        return mdf_jmacro_call(m, callee->u.macro, args, out);
    case MDF_J_METHOD:
        return mdf_jbuiltin_call(m, callee->u.method->builtin, &callee->u.method->self, args, out);
    case MDF_J_FUNCTION:
        return mdf_jbuiltin_call(m, &functions[callee->u.function], callee, args, out);
    default:
        return mdf_fail(m->err, MDF_ERR_FORMAT, "'%s' object is not callable",
                        mdf_jval_type(callee));
    }
}
