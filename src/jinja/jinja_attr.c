/* Attributes, items and slices, as the sandbox gives them. */
#include <string.h>

#include "jinja/jinja_eval.h"
#include "jinja/jinja_text.h"

static mdf_status text_item(mdf_jvm *m, const mdf_jval *v, int64_t index, bool *found,
                            mdf_jval *out)
{
    const int64_t count = (int64_t)mdf_jtext_count(v->u.text, v->len);
    const int64_t at = index < 0 ? index + count : index;
    *found = at >= 0 && at < count;
    if (*found) {
        const size_t from = mdf_jtext_offset(v->u.text, v->len, (size_t)at);
        *out =
            mdf_jval_text(v->u.text + from, mdf_jtext_offset(v->u.text + from, v->len - from, 1));
    }
    return mdf_jvm_step(m, v->len / 32);
}

/* v[index] where Python has it. */
static mdf_status own_item(mdf_jvm *m, const mdf_jval *v, const mdf_jval *index, bool *found,
                           mdf_jval *out)
{
    const bool whole = index->kind == MDF_J_INT || index->kind == MDF_J_BOOL;
    *found = false;
    if (v->kind == MDF_J_DICT && index->kind != MDF_J_LIST && index->kind != MDF_J_DICT) {
        mdf_jval *value = NULL;
        MDF_TRY(mdf_jdict_find(m, v->u.dict, index, &value));
        if (value != NULL) {
            *found = true;
            *out = *value;
        }
        return MDF_OK;
    }
    if (v->kind == MDF_J_STRING && whole) {
        return text_item(m, v, mdf_jval_as_int(index), found, out);
    }
    if (v->kind >= MDF_J_LIST && v->kind <= MDF_J_RANGE && whole) {
        const int64_t count = (int64_t)v->u.list->count;
        const int64_t i = mdf_jval_as_int(index);
        const int64_t at = i < 0 ? i + count : i;
        if (at >= 0 && at < count) {
            *found = true;
            *out = v->u.list->item[at];
        }
    }
    return MDF_OK;
}

/* What belongs to the type: methods, a namespace's names, a loop's. */
static mdf_status own_attr(mdf_jvm *m, const mdf_jval *v, const mdf_jval *name, bool *found,
                           mdf_jval *out)
{
    *found = false;
    if (name->len > 0 && name->u.text[0] == '_' && v->kind != MDF_J_DICT &&
        v->kind != MDF_J_NAMESPACE) {
        *found = name->len > 3 && memcmp(name->u.text, "__", 2) == 0;
        *out = mdf_jval_hint("an attribute whose name begins with __ is unsafe");
        return MDF_OK;
    }
    if (v->kind == MDF_J_NAMESPACE) {
        const mdf_jval *value = mdf_jdict_text(v->u.dict, name->u.text, name->len);
        *found = value != NULL;
        if (value != NULL) {
            *out = *value;
        }
        return MDF_OK;
    }
    if (v->kind == MDF_J_LOOP) {
        return mdf_jloop_attr(m, v, name, found, out);
    }
    return mdf_jval_method(m, v, name, found, out);
}

static mdf_status lookup(mdf_jvm *m, const mdf_jval *v, const mdf_jval *name, bool item_first,
                         mdf_jval *out)
{
    bool found = false;
    if (v->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, v);
    }
    if (item_first) {
        MDF_TRY(own_item(m, v, name, &found, out));
    }
    if (!found && name->kind == MDF_J_STRING) {
        MDF_TRY(own_attr(m, v, name, &found, out));
    }
    if (!found && !item_first) {
        MDF_TRY(own_item(m, v, name, &found, out));
    }
    if (!found && name->kind == MDF_J_STRING) {
        *out = mdf_jval_lacks(v, name->u.text, name->len);
    } else if (!found) {
        const bool number = mdf_jval_is_number(name);
        *out = mdf_jval_lacks(v, "such element", 12);
        if (number && name->kind != MDF_J_FLOAT) {
            out->why = MDF_J_ELEMENT;
            out->u.integer = mdf_jval_as_int(name);
        }
    }
    return MDF_OK;
}

mdf_status mdf_jval_attr(mdf_jvm *m, const mdf_jval *v, const mdf_jval *name, mdf_jval *out)
{
    return lookup(m, v, name, false, out);
}

mdf_status mdf_jval_item(mdf_jvm *m, const mdf_jval *v, const mdf_jval *index, mdf_jval *out)
{
    return lookup(m, v, index, true, out);
}

typedef struct span {
    int64_t from, step;
    size_t count;
} span;

static int64_t clamp(int64_t at, int64_t least, int64_t most)
{
    return at < least ? least : at > most ? most : at;
}

/* Python's slice.indices(). */
static mdf_status find_span(mdf_jvm *m, const mdf_jval *bound[3], int64_t len, span *out)
{
    int64_t part[3] = {0, 0, 1};
    const mdf_jval none = mdf_jval_none();
    MDF_TRY(mdf_jarg_int(m, bound[2] == NULL ? &none : bound[2], 1, &part[2]));
    if (part[2] == 0) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "slice step cannot be zero");
    }
    const bool down = part[2] < 0;
    const int64_t least = down ? -1 : 0;
    const int64_t most = down ? len - 1 : len;
    for (int i = 0; i < 2; i++) {
        const bool open = bound[i] == NULL || bound[i]->kind == MDF_J_NONE;
        if (open) {
            part[i] = (i == 0) == down ? most : least;
        } else {
            MDF_TRY(mdf_jarg_int(m, bound[i], 0, &part[i]));
            part[i] = clamp(part[i] < 0 ? part[i] + len : part[i], least, most);
        }
    }
    const int64_t distance = down ? part[0] - part[1] : part[1] - part[0];
    const uint64_t stride = down ? 0 - (uint64_t)part[2] : (uint64_t)part[2];
    *out = (span){part[0], part[2],
                  distance <= 0 ? 0 : (size_t)(((uint64_t)distance - 1) / stride + 1)};
    return MDF_OK;
}

static mdf_status slice_text(mdf_jvm *m, const mdf_jval *v, const mdf_jval *bound[3], mdf_jval *out)
{
    span at;
    mdf_jlist items;
    MDF_TRY(mdf_jvm_step(m, v->len / 32));
    MDF_TRY(find_span(m, bound, (int64_t)mdf_jtext_count(v->u.text, v->len), &at));
    if (at.step == 1) {
        const size_t from = mdf_jtext_offset(v->u.text, v->len, (size_t)at.from);
        *out = mdf_jval_text(v->u.text + from,
                             mdf_jtext_offset(v->u.text + from, v->len - from, at.count));
        return MDF_OK;
    }
    mdf_strbuf b = mdf_jvm_buffer();
    MDF_TRY(mdf_jval_items(m, v, &items));
    for (size_t i = 0; i < at.count; i++) {
        const mdf_jval *c = &items.item[at.from + (int64_t)i * at.step];
        mdf_strbuf_add(&b, c->u.text, c->len);
    }
    return mdf_jvm_finish(m, &b, out);
}

mdf_status mdf_jval_slice(mdf_jvm *m, const mdf_jval *v, const mdf_jval *bound[3], mdf_jval *out)
{
    span at;
    if (v->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, v);
    }
    if (v->kind == MDF_J_STRING) {
        MDF_TRY(slice_text(m, v, bound, out));
        out->why = v->why;
        return MDF_OK;
    }
    if (v->kind < MDF_J_LIST || v->kind > MDF_J_RANGE) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "'%s' object cannot be sliced", mdf_jval_type(v));
    }
    MDF_TRY(find_span(m, bound, (int64_t)v->u.list->count, &at));
    MDF_TRY(mdf_jval_list(m, (mdf_jkind)v->kind, at.count, out));
    for (size_t i = 0; i < at.count; i++) {
        out->u.list->item[i] = v->u.list->item[at.from + (int64_t)i * at.step];
    }
    return MDF_OK;
}
