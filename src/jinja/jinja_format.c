/* Formatting: str.format and the operator % with what templates use of them, fields that are
 * written as str() does. Widths, conversions and attributes in a field are refused by name. */
#include "jinja/jinja_format.h"

#include <string.h>

/* Everything that a field may take its value from. */
typedef struct source {
    mdf_jvm *m;
    const mdf_jargs *args;
    size_t next; /* of the fields without a name */
    mdf_strbuf b;
} source;

static mdf_status put(source *f, const mdf_jval *v)
{
    return mdf_jval_str(f->m, v, &f->b);
}

/* A position in decimal digits; false: the field has a name. */
static bool is_position(const char *s, size_t len, size_t *out)
{
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9' || i > 6) {
            return false;
        }
        *out = *out * 10 + (size_t)(s[i] - '0');
    }
    return len > 0;
}

/* ":d" and ":s" behind a field's name change nothing for what they are meant for. */
static bool has_spec(const char *s, size_t *len, const char *spec)
{
    const bool has = *len >= 2 && memcmp(s + *len - 2, spec, 2) == 0;
    *len -= has ? 2 : 0;
    return has;
}

/* What stands between braces. */
static mdf_status put_field(source *f, const char *s, size_t len)
{
    size_t at = 0;
    const mdf_jval *v = NULL;
    const int shown = (int)(len > 100 ? 100 : len);
    size_t n = len;
    const bool whole = has_spec(s, &n, ":d");
    const bool text = !whole && has_spec(s, &n, ":s");
    for (size_t i = 0; i < n; i++) {
        if (strchr(":!.[{", s[i]) != NULL) {
            return mdf_fail(f->m->err, MDF_ERR_FORMAT, "format: the field \"{%.*s}\" is not known",
                            shown, s);
        }
    }
    if (n == 0 || is_position(s, n, &at)) {
        at = n == 0 ? f->next++ : at;
        v = at < f->args->count ? &f->args->item[at] : NULL;
    } else if (f->args->named != NULL) {
        v = mdf_jdict_text(f->args->named, s, n);
    }
    if (v == NULL || (whole && v->kind != MDF_J_INT) || (text && v->kind != MDF_J_STRING)) {
        return mdf_fail(f->m->err, MDF_ERR_FORMAT, "format: there is nothing for \"{%.*s}\"", shown,
                        s);
    }
    return put(f, v);
}

static mdf_status put_braces(source *f, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '{' && s[i] != '}') {
            mdf_strbuf_add(&f->b, &s[i], 1);
            continue;
        }
        if (i + 1 < len && s[i + 1] == s[i]) {
            mdf_strbuf_add(&f->b, &s[i++], 1);
            continue;
        }
        const char *end = s[i] == '}' ? NULL : memchr(s + i, '}', len - i);
        if (end == NULL) {
            return mdf_fail(f->m->err, MDF_ERR_FORMAT, "format: a single '%c' in the text", s[i]);
        }
        MDF_TRY(put_field(f, s + i + 1, (size_t)(end - s) - i - 1));
        i = (size_t)(end - s);
    }
    return MDF_OK;
}

static mdf_status put_percent(source *f, char c)
{
    if (c == '%') {
        mdf_strbuf_puts(&f->b, "%");
        return MDF_OK;
    }
    if (c == '\0' || strchr("sdir", c) == NULL) {
        return mdf_fail(f->m->err, MDF_ERR_FORMAT, "formatting with \"%%%c\" is not known",
                        c == '\0' ? ' ' : c);
    }
    if (f->next >= f->args->count) {
        return mdf_fail(f->m->err, MDF_ERR_FORMAT, "not enough arguments for format string");
    }
    const mdf_jval *v = &f->args->item[f->next++];
    if (c == 's' || c == 'r') {
        return c == 's' ? put(f, v) : mdf_jval_repr(f->m, v, &f->b);
    }
    if (v->kind != MDF_J_INT && v->kind != MDF_J_BOOL) {
        return mdf_fail(f->m->err, MDF_ERR_FORMAT, "%%d: an integer is wanted, not '%s'",
                        mdf_jval_type(v));
    }
    const mdf_jval whole = mdf_jval_int(mdf_jval_as_int(v));
    return put(f, &whole);
}

static mdf_status put_percents(source *f, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '%') {
            mdf_strbuf_add(&f->b, &s[i], 1);
            continue;
        }
        i++;
        MDF_TRY(put_percent(f, i < len ? s[i] : '\0'));
    }
    if (f->next < f->args->count) {
        return mdf_fail(f->m->err, MDF_ERR_FORMAT,
                        "not all arguments converted during string formatting");
    }
    return MDF_OK;
}

static mdf_status finish(source *f, mdf_status status, mdf_jval *out)
{
    if (status != MDF_OK) {
        mdf_strbuf_free(&f->b);
        return status;
    }
    return mdf_jvm_finish(f->m, &f->b, out);
}

mdf_status mdf_jtext_format(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, mdf_jval *out)
{
    source f = {.m = m, .args = args, .b = mdf_jvm_buffer()};
    return finish(&f, put_braces(&f, v->u.text, v->len), out);
}

mdf_status mdf_jtext_percent(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, mdf_jval *out)
{
    mdf_jval text;
    MDF_TRY(mdf_jval_to_text(m, v, &text));
    if (args->named != NULL && args->named->count > 0) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "formatting by name with %% is not known");
    }
    source f = {.m = m, .args = args, .b = mdf_jvm_buffer()};
    return finish(&f, put_percents(&f, text.u.text, text.len), out);
}
