/* The methods of Python's str that cut a text into pieces. */
#include <string.h>

#include "jinja/jinja_methods.h"
#include "jinja/jinja_text.h"

/* A growing list of pieces of one text. */
typedef struct pieces {
    mdf_jvm *m;
    mdf_jval *item;
    size_t count, capacity;
} pieces;

static mdf_status add_piece(pieces *p, const char *s, size_t len)
{
    if (p->count == p->capacity) {
        const size_t capacity = p->capacity == 0 ? 8 : p->capacity * 2;
        mdf_jval *item = mdf_jvm_alloc(p->m, capacity, sizeof *item);
        if (item == NULL) {
            return mdf_jvm_no_memory(p->m);
        }
        if (p->count > 0) {
            memcpy(item, p->item, p->count * sizeof *item);
        }
        p->item = item;
        p->capacity = capacity;
    }
    p->item[p->count++] = mdf_jval_text(s, len);
    return mdf_jvm_step(p->m, 1);
}

static mdf_status finish_pieces(pieces *p, bool backwards, mdf_jval *out)
{
    MDF_TRY(mdf_jval_list(p->m, MDF_J_LIST, p->count, out));
    for (size_t i = 0; i < p->count; i++) {
        out->u.list->item[i] = p->item[backwards ? p->count - 1 - i : i];
    }
    return MDF_OK;
}

static mdf_status split_white(pieces *p, const char *s, size_t len, int64_t most)
{
    while (true) {
        for (size_t n = mdf_jtext_white_at(s, len); n > 0; n = mdf_jtext_white_at(s, len)) {
            s += n;
            len -= n;
        }
        if (len == 0) {
            return MDF_OK;
        }
        if (most >= 0 && (int64_t)p->count >= most) {
            return add_piece(p, s, len);
        }
        size_t end = 0;
        while (end < len && mdf_jtext_white_at(s + end, len - end) == 0) {
            end++;
        }
        MDF_TRY(add_piece(p, s, end));
        s += end;
        len -= end;
    }
}

static mdf_status rsplit_white(pieces *p, const char *s, size_t len, int64_t most)
{
    while (true) {
        for (size_t n = mdf_jtext_white_before(s, len); n > 0; n = mdf_jtext_white_before(s, len)) {
            len -= n;
        }
        if (len == 0) {
            return MDF_OK;
        }
        if (most >= 0 && (int64_t)p->count >= most) {
            return add_piece(p, s, len);
        }
        size_t from = len;
        while (from > 0 && mdf_jtext_white_before(s, from) == 0) {
            from--;
        }
        MDF_TRY(add_piece(p, s + from, len - from));
        len = from;
    }
}

static mdf_status split_at(pieces *p, const char *s, size_t len, const mdf_jval *sep, int64_t most)
{
    while (most < 0 || (int64_t)p->count < most) {
        const size_t at = mdf_jtext_find(s, len, sep->u.text, sep->len);
        if (at > len) {
            break;
        }
        MDF_TRY(add_piece(p, s, at));
        s += at + sep->len;
        len -= at + sep->len;
    }
    return add_piece(p, s, len);
}

static mdf_status rsplit_at(pieces *p, const char *s, size_t len, const mdf_jval *sep, int64_t most)
{
    while (most < 0 || (int64_t)p->count < most) {
        const size_t at = mdf_jtext_find_last(s, len, sep->u.text, sep->len);
        if (at > len) {
            break;
        }
        MDF_TRY(add_piece(p, s + at + sep->len, len - at - sep->len));
        len = at;
    }
    return add_piece(p, s, len);
}

static mdf_status split(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, bool right,
                        mdf_jval *out)
{
    pieces p = {.m = m};
    int64_t most = -1;
    MDF_TRY(mdf_jarg_int(m, &arg[1], -1, &most));
    if (arg[0].kind == MDF_J_MISSING || arg[0].kind == MDF_J_NONE) {
        MDF_TRY((right ? rsplit_white : split_white)(&p, v->u.text, v->len, most));
    } else {
        MDF_TRY(mdf_jarg_text(m, &arg[0]));
        if (arg[0].len == 0) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "empty separator");
        }
        MDF_TRY(mdf_jvm_search(m, v->len, arg[0].len));
        MDF_TRY((right ? rsplit_at : split_at)(&p, v->u.text, v->len, &arg[0], most));
    }
    return finish_pieces(&p, right, out);
}

mdf_status mdf_jtext_split(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return split(m, v, arg, false, out);
}

mdf_status mdf_jtext_rsplit(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return split(m, v, arg, true, out);
}

mdf_status mdf_jtext_splitlines(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    pieces p = {.m = m};
    const bool keep = mdf_jval_true(&arg[0]);
    size_t from = 0;
    for (size_t at = 0; at < v->len;) {
        const size_t n = mdf_jtext_break_at(v->u.text + at, v->len - at);
        if (n > 0) {
            MDF_TRY(add_piece(&p, v->u.text + from, at - from + (keep ? n : 0)));
            from = at + n;
        }
        at += n > 0 ? n : 1;
    }
    if (from < v->len) {
        MDF_TRY(add_piece(&p, v->u.text + from, v->len - from));
    }
    return finish_pieces(&p, false, out);
}

static mdf_status partition(mdf_jvm *m, const mdf_jval *v, const mdf_jval *sep, bool right,
                            mdf_jval *out)
{
    MDF_TRY(mdf_jarg_text(m, sep));
    if (sep->len == 0) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "empty separator");
    }
    const size_t at =
        (right ? mdf_jtext_find_last : mdf_jtext_find)(v->u.text, v->len, sep->u.text, sep->len);
    MDF_TRY(mdf_jval_list(m, MDF_J_TUPLE, 3, out));
    mdf_jval *item = out->u.list->item;
    item[0] = item[1] = item[2] = mdf_jval_text("", 0);
    if (at > v->len) {
        item[right ? 2 : 0] = *v;
        return MDF_OK;
    }
    item[0] = mdf_jval_text(v->u.text, at);
    item[1] = *sep;
    item[2] = mdf_jval_text(v->u.text + at + sep->len, v->len - at - sep->len);
    return MDF_OK;
}

mdf_status mdf_jtext_partition(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return partition(m, v, &arg[0], false, out);
}

mdf_status mdf_jtext_rpartition(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return partition(m, v, &arg[0], true, out);
}
