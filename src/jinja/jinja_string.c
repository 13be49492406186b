/* str() and repr() of values, to the letter as Python writes them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jinja/jinja_text.h"
#include "jinja/jinja_value.h"

/* The fewest digits that read back as d, as "D.DDDe+XX". The decimal point of the locale is taken
 * out again. */
static void shortest(char out[32], double d)
{
    for (int digits = 0; digits < 17; digits++) {
        (void)snprintf(out, 32, "%.*e", digits, d);
        const double back = strtod(out, NULL);
        if (!(back < d) && !(back > d)) {
            break;
        }
    }
    for (char *p = out; *p != '\0'; p++) {
        *p = *p == ',' ? '.' : *p;
    }
}

size_t mdf_jval_write_real(char out[32], double d)
{
    if (isnan(d) || isinf(d)) {
        return (size_t)snprintf(out, 32, "%s", isnan(d) ? "nan" : d < 0 ? "-inf" : "inf");
    }
    char text[32];
    char digit[24];
    size_t count = 0;
    shortest(text, d);
    const char *e = strchr(text, 'e');
    const int exponent = (int)strtol(e + 1, NULL, 10);
    for (const char *p = text; p < e; p++) {
        if (*p >= '0' && *p <= '9' && count < sizeof digit) {
            digit[count++] = *p;
        }
    }
    const char *sign = text[0] == '-' ? "-" : "";
    if (exponent < -4 || exponent >= 16) {
        return (size_t)snprintf(out, 32, "%s%c%s%.*se%c%02d", sign, digit[0], count > 1 ? "." : "",
                                (int)count - 1, digit + 1, exponent < 0 ? '-' : '+', abs(exponent));
    }
    if (exponent < 0) {
        return (size_t)snprintf(out, 32, "%s0.%.*s%.*s", sign, -exponent - 1, "000", (int)count,
                                digit);
    }
    const int whole = exponent + 1;
    const int given = whole < (int)count ? whole : (int)count;
    return (size_t)snprintf(out, 32, "%s%.*s%.*s.%.*s", sign, given, digit, whole - given,
                            "0000000000000000", (int)count > given ? (int)count - given : 1,
                            (int)count > given ? digit + given : "0");
}

/* One character of a string's repr. */
static void repr_char(mdf_strbuf *b, const char *s, size_t n, uint32_t c, char quote)
{
    if (c == (uint32_t)quote || c == '\\') {
        mdf_strbuf_printf(b, "\\%c", (char)c);
    } else if (c == '\n' || c == '\r' || c == '\t') {
        mdf_strbuf_puts(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
    } else if (mdf_jtext_printable(c)) {
        mdf_strbuf_add(b, s, n);
    } else {
        mdf_strbuf_printf(b,
                          c < 0x100     ? "\\x%02x"
                          : c < 0x10000 ? "\\u%04x"
                                        : "\\U%08x",
                          (unsigned)c);
    }
}

static void repr_text(mdf_strbuf *b, const char *s, size_t len)
{
    const bool single = len > 0 && memchr(s, '\'', len) != NULL;
    const bool twice = len > 0 && memchr(s, '"', len) != NULL;
    const char quote = single && !twice ? '"' : '\'';
    mdf_strbuf_add(b, &quote, 1);
    for (size_t at = 0; at < len;) {
        size_t n = 0;
        const uint32_t c = mdf_jtext_decode(s + at, len - at, &n);
        repr_char(b, s + at, n, c, quote);
        at += n;
    }
    mdf_strbuf_add(b, &quote, 1);
}

static mdf_status repr_list(mdf_jvm *m, const mdf_jval *v, mdf_strbuf *b)
{
    const bool tuple = v->kind == MDF_J_TUPLE;
    const bool view = v->kind >= MDF_J_KEYS;
    const mdf_jlist *list = v->u.list;
    if (view) {
        mdf_strbuf_printf(b, "%s(", mdf_jval_type(v));
    }
    mdf_strbuf_puts(b, tuple ? "(" : "[");
    for (size_t i = 0; i < list->count; i++) {
        mdf_strbuf_puts(b, i > 0 ? ", " : "");
        MDF_TRY(mdf_jval_repr(m, &list->item[i], b));
    }
    mdf_strbuf_puts(b, tuple ? (list->count == 1 ? ",)" : ")") : "]");
    mdf_strbuf_puts(b, view ? ")" : "");
    return MDF_OK;
}

static mdf_status repr_dict(mdf_jvm *m, const mdf_jdict *d, mdf_strbuf *b)
{
    mdf_strbuf_puts(b, "{");
    for (size_t i = 0; i < d->count; i++) {
        mdf_strbuf_puts(b, i > 0 ? ", " : "");
        MDF_TRY(mdf_jval_repr(m, &d->key[i], b));
        mdf_strbuf_puts(b, ": ");
        MDF_TRY(mdf_jval_repr(m, &d->value[i], b));
    }
    mdf_strbuf_puts(b, "}");
    return MDF_OK;
}

static mdf_status repr_range(const mdf_jlist *list, mdf_jvm *m, mdf_strbuf *b)
{
    /* Begin, end and step are what the items show; an empty range hides them. */
    if (list->count < 2) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "a range of less than two numbers is not written");
    }
    const int64_t first = list->item[0].u.integer;
    const int64_t step = list->item[1].u.integer - first;
    const int64_t end = first + (int64_t)list->count * step;
    if (step != 1) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "a range with a step is not written");
    }
    mdf_strbuf_printf(b, "range(%lld, %lld)", (long long)first, (long long)end);
    return MDF_OK;
}

static mdf_status repr_inside(mdf_jvm *m, const mdf_jval *v, mdf_strbuf *b)
{
    char real[32];
    switch (v->kind) {
    case MDF_J_UNDEFINED:
        mdf_strbuf_puts(b, "Undefined");
        return MDF_OK;
    case MDF_J_NONE:
        mdf_strbuf_puts(b, "None");
        return MDF_OK;
    case MDF_J_BOOL:
        mdf_strbuf_puts(b, v->u.truth ? "True" : "False");
        return MDF_OK;
    case MDF_J_INT:
        mdf_strbuf_printf(b, "%lld", (long long)v->u.integer);
        return MDF_OK;
    case MDF_J_FLOAT:
        mdf_strbuf_add(b, real, mdf_jval_write_real(real, v->u.real));
        return MDF_OK;
    case MDF_J_STRING:
        repr_text(b, v->u.text, v->len);
        return mdf_jvm_step(m, v->len / 16);
    case MDF_J_RANGE:
        return repr_range(v->u.list, m, b);
    case MDF_J_DICT:
        return repr_dict(m, v->u.dict, b);
    case MDF_J_NAMESPACE:
        mdf_strbuf_puts(b, "<Namespace ");
        MDF_TRY(repr_dict(m, v->u.dict, b));
        mdf_strbuf_puts(b, ">");
        return MDF_OK;
    case MDF_J_LIST:
    case MDF_J_TUPLE:
    case MDF_J_KEYS:
    case MDF_J_VALUES:
    case MDF_J_ITEMS:
        return repr_list(m, v, b);
    default: /* Python writes where in memory it lies */
        return mdf_fail(m->err, MDF_ERR_FORMAT, "a %s has no text", mdf_jval_type(v));
    }
}

mdf_status mdf_jval_repr(mdf_jvm *m, const mdf_jval *v, mdf_strbuf *b)
{
    MDF_TRY(mdf_jvm_enter(m));
    const mdf_status status = repr_inside(m, v, b);
    m->depth--;
    MDF_TRY(status);
    return b->failed ? mdf_jvm_full(m, b) : MDF_OK;
}

mdf_status mdf_jval_str(mdf_jvm *m, const mdf_jval *v, mdf_strbuf *b)
{
    if (v->kind == MDF_J_UNDEFINED) {
        return MDF_OK;
    }
    if (v->kind == MDF_J_STRING) {
        mdf_strbuf_add(b, v->u.text, v->len);
        MDF_TRY(mdf_jvm_step(m, v->len / 64));
        return b->failed ? mdf_jvm_full(m, b) : MDF_OK;
    }
    return mdf_jval_repr(m, v, b);
}

mdf_status mdf_jval_to_text(mdf_jvm *m, const mdf_jval *v, mdf_jval *out)
{
    if (v->kind == MDF_J_STRING) {
        *out = *v;
        return MDF_OK;
    }
    mdf_strbuf b = mdf_jvm_buffer();
    const mdf_status status = mdf_jval_str(m, v, &b);
    if (status != MDF_OK) {
        mdf_strbuf_free(&b);
        return status;
    }
    return mdf_jvm_finish(m, &b, out);
}
