/* Loops, and what a body may ask of the loop around it. */
#include <string.h>

#include "jinja/jinja_eval.h"

/* Looks for the next item that meets the condition and keeps it; *found false: there is none. */
static mdf_status look_for_one(mdf_jvm *m, mdf_jloop *l, bool *found)
{
    *found = false;
    while (l->next < l->list.count && !*found) {
        const mdf_jval *item = &l->list.item[l->next++];
        mdf_jval v = mdf_jval_bool(true);
        if (l->node->c != NULL) {
            mdf_jscope *s = NULL;
            MDF_TRY(mdf_jscope_new(m, l->scope, &s));
            MDF_TRY(mdf_jscope_assign(m, s, l->node->a, item));
            MDF_TRY(mdf_jeval(m, s, l->node->c, &v));
        }
        if (mdf_jval_true(&v)) {
            l->kept[l->kept_count++] = *item;
            *found = true;
        }
    }
    return MDF_OK;
}

/* *item NULL: the loop has no more. */
static mdf_status peek(mdf_jvm *m, mdf_jloop *l, const mdf_jval **item)
{
    bool found = l->kept_at < l->kept_count;
    if (!found) {
        MDF_TRY(look_for_one(m, l, &found));
    }
    *item = found ? &l->kept[l->kept_at] : NULL;
    return MDF_OK;
}

static mdf_status length(mdf_jvm *m, mdf_jloop *l, int64_t *out)
{
    for (bool found = true; found;) {
        MDF_TRY(look_for_one(m, l, &found));
    }
    *out = (int64_t)l->kept_count;
    return MDF_OK;
}

static mdf_status start(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out)
{
    mdf_jval over;
    MDF_TRY(mdf_jeval(m, s, node->b, &over));
    mdf_jloop *l = mdf_jvm_alloc(m, 1, sizeof *l);
    if (l == NULL) {
        return mdf_jvm_no_memory(m);
    }
    *l = (mdf_jloop){.node = node, .scope = s, .index0 = -1};
    MDF_TRY(mdf_jval_items(m, &over, &l->list));
    l->kept = mdf_jvm_alloc(m, l->list.count, sizeof *l->kept);
    if (l->kept == NULL) {
        return mdf_jvm_no_memory(m);
    }
    *out = (mdf_jval){.kind = MDF_J_LOOP, .u.loop = l};
    return MDF_OK;
}

static mdf_status run_once(mdf_jvm *m, const mdf_jval *loop, const mdf_jname *name,
                           const mdf_jval *item)
{
    mdf_jloop *l = loop->u.loop;
    mdf_jscope *inner = NULL;
    l->kept_at++;
    l->index0++;
    l->before = l->current;
    l->current = *item;
    MDF_TRY(mdf_jscope_new(m, l->scope, &inner));
    if (name != NULL) {
        MDF_TRY(mdf_jscope_set(m, inner, name, loop));
    }
    MDF_TRY(mdf_jscope_assign(m, inner, l->node->a, item));
    return mdf_jexec(m, inner, l->node->body);
}

mdf_status mdf_jloop_run(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node)
{
    mdf_jval loop;
    const mdf_jval *item = NULL;
    const mdf_jname *name = mdf_jtemplate_name(m->tmpl, "loop", 4);
    MDF_TRY(start(m, s, node, &loop));
    MDF_TRY(peek(m, loop.u.loop, &item));
    if (item == NULL && node->other != NULL) {
        mdf_jscope *inner = NULL;
        MDF_TRY(mdf_jscope_new(m, s, &inner));
        return mdf_jexec(m, inner, node->other);
    }
    while (item != NULL) {
        MDF_TRY(run_once(m, &loop, name, item));
        const bool leave = m->flow == MDF_JF_BREAK;
        m->flow = MDF_JF_GO_ON;
        if (leave) {
            break;
        }
        MDF_TRY(peek(m, loop.u.loop, &item));
    }
    return MDF_OK;
}

static mdf_status loop_cycle(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, mdf_jval *out)
{
    if (args->count == 0) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "loop.cycle has nothing to cycle through");
    }
    *out = args->item[(size_t)v->u.loop->index0 % args->count];
    return MDF_OK;
}

static mdf_status loop_changed(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, mdf_jval *out)
{
    mdf_jval now;
    bool same = false;
    mdf_jloop *l = v->u.loop;
    MDF_TRY(mdf_jval_list(m, MDF_J_TUPLE, args->count, &now));
    if (args->count > 0) {
        memcpy(now.u.list->item, args->item, args->count * sizeof now);
    }
    if (l->changed.kind != MDF_J_MISSING) {
        MDF_TRY(mdf_jval_equal(m, &now, &l->changed, &same));
    }
    l->changed = now;
    *out = mdf_jval_bool(!same);
    return MDF_OK;
}

/* Numbers that a body may ask for; false: name is none of them. */
static mdf_status count_attr(mdf_jvm *m, mdf_jloop *l, const mdf_jval *name, bool *found,
                             mdf_jval *out)
{
    static const struct {
        const char *name;
        int8_t index, length, plus; /* factors */
    } table[] = {{"index", 1, 0, 1},     {"index0", 1, 0, 0},      {"length", 0, 1, 0},
                 {"revindex", -1, 1, 0}, {"revindex0", -1, 1, -1}, {"depth", 0, 0, 1},
                 {"depth0", 0, 0, 0}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (mdf_jval_is(name, table[i].name)) {
            int64_t n = 0;
            if (table[i].length != 0) {
                MDF_TRY(length(m, l, &n));
            }
            *out = mdf_jval_int(table[i].index * l->index0 + n + table[i].plus);
            *found = true;
            return MDF_OK;
        }
    }
    return MDF_OK;
}

mdf_status mdf_jloop_attr(mdf_jvm *m, const mdf_jval *v, const mdf_jval *name, bool *found,
                          mdf_jval *out)
{
    static const mdf_jbuiltin methods[] = {{"changed", NULL, "", 0, loop_changed},
                                           {"cycle", NULL, "", 0, loop_cycle}};
    mdf_jloop *l = v->u.loop;
    const mdf_jval *item = NULL;
    *found = false;
    MDF_TRY(count_attr(m, l, name, found, out));
    if (*found) {
        return MDF_OK;
    }
    *found = true;
    if (mdf_jval_is(name, "first")) {
        *out = mdf_jval_bool(l->index0 == 0);
    } else if (mdf_jval_is(name, "last")) {
        MDF_TRY(peek(m, l, &item));
        *out = mdf_jval_bool(item == NULL);
    } else if (mdf_jval_is(name, "nextitem")) {
        MDF_TRY(peek(m, l, &item));
        *out = item != NULL ? *item : mdf_jval_hint("there is no next item");
    } else if (mdf_jval_is(name, "previtem")) {
        *out = l->index0 > 0 ? l->before : mdf_jval_hint("there is no previous item");
    } else {
        const mdf_jbuiltin *b = mdf_jbuiltin_find(methods, 2, name->u.text, name->len);
        *found = b != NULL;
        if (b != NULL) {
            mdf_jmethod *method = mdf_jvm_alloc(m, 1, sizeof *method);
            if (method == NULL) {
                return mdf_jvm_no_memory(m);
            }
            *method = (mdf_jmethod){b, *v};
            *out = (mdf_jval){.kind = MDF_J_METHOD, .u.method = method};
        }
    }
    return MDF_OK;
}
