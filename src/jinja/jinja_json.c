/* tojson as transformers defines it: json.dumps with its arguments; and JSON into values. */
#include "jinja/jinja_json.h"

#include <math.h>
#include <string.h>

#include "jinja/jinja_text.h"

static mdf_status from_array(mdf_jvm *m, const json_t *j, mdf_jval *out)
{
    mdf_jval list;
    MDF_TRY(mdf_jval_list(m, MDF_J_LIST, json_array_size(j), &list));
    for (size_t i = 0; i < list.u.list->count; i++) {
        MDF_TRY(mdf_jval_json(m, json_array_get(j, i), &list.u.list->item[i]));
    }
    *out = list;
    return MDF_OK;
}

static mdf_status from_object(mdf_jvm *m, const json_t *j, mdf_jval *out)
{
    mdf_jval dict;
    json_t *object = (json_t *)(uintptr_t)j; /* jansson's iterators want it writable */
    MDF_TRY(mdf_jval_dict(m, MDF_J_DICT, json_object_size(j), &dict));
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        const char *key = json_object_iter_key(i);
        mdf_jdict *d = dict.u.dict;
        MDF_TRY(mdf_jval_copy(m, key, strlen(key), &d->key[d->count]));
        MDF_TRY(mdf_jval_json(m, json_object_iter_value(i), &d->value[d->count]));
        d->count++;
    }
    *out = dict;
    return MDF_OK;
}

mdf_status mdf_jval_json(mdf_jvm *m, const json_t *j, mdf_jval *out)
{
    MDF_TRY(mdf_jvm_enter(m));
    mdf_status status = MDF_OK;
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        status = from_object(m, j, out);
        break;
    case JSON_ARRAY:
        status = from_array(m, j, out);
        break;
    case JSON_STRING:
        status = mdf_jval_copy(m, json_string_value(j), json_string_length(j), out);
        break;
    case JSON_INTEGER:
        *out = mdf_jval_int(json_integer_value(j));
        break;
    case JSON_REAL:
        *out = mdf_jval_real(json_real_value(j));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = mdf_jval_bool(json_is_true(j));
        break;
    case JSON_NULL:
        *out = mdf_jval_none();
        break;
    default:
        break;
    }
    m->depth--;
    return status;
}

typedef struct writer {
    mdf_jvm *m;
    const mdf_jjson *how;
    mdf_strbuf b;
    unsigned level;
} writer;

static void write_char(writer *w, const char *s, size_t n, uint32_t c)
{
    static const char plain[] = "\b\f\n\r\t\"\\";
    static const char letter[] = "bfnrt\"\\";
    const char *at = c > 0 && c < 0x80 ? strchr(plain, (int)c) : NULL;
    if (at != NULL) {
        mdf_strbuf_printf(&w->b, "\\%c", letter[at - plain]);
    } else if (c < 0x20 || (w->how->ascii && c > 0x7E && c < 0x10000)) {
        mdf_strbuf_printf(&w->b, "\\u%04x", (unsigned)c);
    } else if (w->how->ascii && c >= 0x10000) {
        mdf_strbuf_printf(&w->b, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (c >> 10)),
                          (unsigned)(0xDC00 | (c & 0x3FF)));
    } else {
        mdf_strbuf_add(&w->b, s, n);
    }
}

static mdf_status write_text(writer *w, const mdf_jval *v)
{
    mdf_strbuf_puts(&w->b, "\"");
    for (size_t at = 0; at < v->len;) {
        size_t n = 0;
        const uint32_t c = mdf_jtext_decode(v->u.text + at, v->len - at, &n);
        write_char(w, v->u.text + at, n, c);
        at += n;
    }
    mdf_strbuf_puts(&w->b, "\"");
    return mdf_jvm_step(w->m, v->len / 16);
}

static void new_line(writer *w)
{
    if (w->how->indented) {
        mdf_strbuf_puts(&w->b, "\n");
        for (unsigned i = 0; i < w->level && !w->b.failed; i++) {
            mdf_strbuf_add(&w->b, w->how->indent, w->how->indent_bytes);
        }
    }
}

static mdf_status write_value(writer *w, const mdf_jval *v);

static mdf_status write_list(writer *w, const mdf_jlist *list)
{
    if (list->count == 0) {
        mdf_strbuf_puts(&w->b, "[]");
        return MDF_OK;
    }
    mdf_strbuf_puts(&w->b, "[");
    w->level++;
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) {
            mdf_strbuf_add(&w->b, w->how->item.u.text, w->how->item.len);
        }
        new_line(w);
        MDF_TRY(write_value(w, &list->item[i]));
    }
    w->level--;
    new_line(w);
    mdf_strbuf_puts(&w->b, "]");
    return MDF_OK;
}

static mdf_status write_key(writer *w, const mdf_jval *key)
{
    if (key->kind == MDF_J_STRING) {
        return write_text(w, key);
    }
    if (!mdf_jval_is_number(key) && key->kind != MDF_J_NONE) {
        return mdf_fail(w->m->err, MDF_ERR_FORMAT,
                        "keys must be str, int, float, bool or None, not %s", mdf_jval_type(key));
    }
    mdf_strbuf_puts(&w->b, "\"");
    MDF_TRY(write_value(w, key));
    mdf_strbuf_puts(&w->b, "\"");
    return MDF_OK;
}

/* The positions of a dictionary's pairs, by key. */
static mdf_status sorted_order(writer *w, const mdf_jdict *d, size_t **order)
{
    size_t *at = mdf_jvm_alloc(w->m, d->count, sizeof *at);
    if (at == NULL) {
        return mdf_jvm_no_memory(w->m);
    }
    for (size_t i = 0; i < d->count; i++) {
        size_t j = i;
        while (j > 0 && w->how->sort_keys) {
            int c = 0;
            MDF_TRY(mdf_jvm_step(w->m, 1));
            MDF_TRY(mdf_jval_order(w->m, &d->key[i], &d->key[at[j - 1]], "<", &c));
            if (c >= 0) {
                break;
            }
            at[j] = at[j - 1];
            j--;
        }
        at[j] = i;
    }
    *order = at;
    return MDF_OK;
}

static mdf_status write_dict(writer *w, const mdf_jdict *d)
{
    size_t *order = NULL;
    if (d->count == 0) {
        mdf_strbuf_puts(&w->b, "{}");
        return MDF_OK;
    }
    MDF_TRY(sorted_order(w, d, &order));
    mdf_strbuf_puts(&w->b, "{");
    w->level++;
    for (size_t i = 0; i < d->count; i++) {
        if (i > 0) {
            mdf_strbuf_add(&w->b, w->how->item.u.text, w->how->item.len);
        }
        new_line(w);
        MDF_TRY(write_key(w, &d->key[order[i]]));
        mdf_strbuf_add(&w->b, w->how->pair.u.text, w->how->pair.len);
        MDF_TRY(write_value(w, &d->value[order[i]]));
    }
    w->level--;
    new_line(w);
    mdf_strbuf_puts(&w->b, "}");
    return MDF_OK;
}

static mdf_status write_inside(writer *w, const mdf_jval *v)
{
    char real[32];
    switch (v->kind) {
    case MDF_J_NONE:
        mdf_strbuf_puts(&w->b, "null");
        return MDF_OK;
    case MDF_J_BOOL:
        mdf_strbuf_puts(&w->b, v->u.truth ? "true" : "false");
        return MDF_OK;
    case MDF_J_INT:
        mdf_strbuf_printf(&w->b, "%lld", (long long)v->u.integer);
        return MDF_OK;
    case MDF_J_FLOAT:
        if (isnan(v->u.real) || isinf(v->u.real)) {
            mdf_strbuf_puts(&w->b, isnan(v->u.real) ? "NaN"
                                   : v->u.real < 0  ? "-Infinity"
                                                    : "Infinity");
        } else {
            mdf_strbuf_add(&w->b, real, mdf_jval_write_real(real, v->u.real));
        }
        return MDF_OK;
    case MDF_J_STRING:
        return write_text(w, v);
    case MDF_J_LIST:
    case MDF_J_TUPLE:
        return write_list(w, v->u.list);
    case MDF_J_DICT:
        return write_dict(w, v->u.dict);
    default:
        return mdf_fail(w->m->err, MDF_ERR_FORMAT, "Object of type %s is not JSON serializable",
                        mdf_jval_type(v));
    }
}

static mdf_status write_value(writer *w, const mdf_jval *v)
{
    MDF_TRY(mdf_jvm_enter(w->m));
    const mdf_status status = write_inside(w, v);
    w->m->depth--;
    MDF_TRY(status);
    return w->b.failed ? mdf_jvm_full(w->m, &w->b) : MDF_OK;
}

mdf_status mdf_jval_dump(mdf_jvm *m, const mdf_jval *v, const mdf_jjson *how, mdf_jval *out)
{
    writer w = {.m = m, .how = how, .b = mdf_jvm_buffer()};
    const mdf_status status = write_value(&w, v);
    if (status != MDF_OK) {
        mdf_strbuf_free(&w.b);
        return status;
    }
    return mdf_jvm_finish(m, &w.b, out);
}
