/* Filters of single values: texts, numbers, JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "jinja/jinja_format.h"
#include "jinja/jinja_json.h"
#include "jinja/jinja_literal.h"
#include "jinja/jinja_methods.h"
#include "jinja/jinja_text.h"

/* A string method on str() of the value. */
static mdf_status by_method(mdf_jvm *m, const char *method, const mdf_jval *v, const mdf_jval *arg,
                            mdf_jval *out)
{
    mdf_jval text;
    MDF_TRY(mdf_jval_to_text(m, v, &text));
    MDF_TRY(mdf_jinja_text_method(method, strlen(method))->call(m, &text, arg, out));
    out->why = text.why;
    return MDF_OK;
}

static mdf_status filter_trim(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return by_method(m, "strip", v, arg, out);
}

static mdf_status filter_upper(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return by_method(m, "upper", v, arg, out);
}

static mdf_status filter_lower(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return by_method(m, "lower", v, arg, out);
}

static mdf_status filter_capitalize(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg,
                                    mdf_jval *out)
{
    return by_method(m, "capitalize", v, arg, out);
}

/* Unlike str.title(), a word begins only behind white space, brackets and hyphens. */
static mdf_status filter_title(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jval text;
    mdf_strbuf b = mdf_jvm_buffer();
    bool begins = true;
    (void)arg;
    MDF_TRY(mdf_jval_to_text(m, v, &text));
    for (size_t at = 0; at < text.len;) {
        const char *s = text.u.text + at;
        size_t n = 0;
        char c[4];
        const uint32_t code = mdf_jtext_decode(s, text.len - at, &n);
        const bool between = mdf_jtext_white_at(s, text.len - at) > 0 ||
                             (code < 0x80 && code != 0 && strchr("-({[<", (int)code) != NULL);
        mdf_strbuf_add(&b, c,
                       mdf_jtext_encode(c, begins ? mdf_jtext_upper(code) : mdf_jtext_lower(code)));
        begins = between;
        at += n;
    }
    return mdf_jvm_finish(m, &b, out);
}

static mdf_status filter_replace(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jval text;
    mdf_jval part[3] = {arg[0], arg[1], arg[2]};
    MDF_TRY(mdf_jval_to_text(m, v, &text));
    MDF_TRY(mdf_jval_to_text(m, &arg[0], &part[0]));
    MDF_TRY(mdf_jval_to_text(m, &arg[1], &part[1]));
    return mdf_jtext_replace(m, &text, part, out);
}

static mdf_status filter_length(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    size_t len = 0;
    (void)arg;
    if (!mdf_jval_len(v, &len)) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "object of type '%s' has no length",
                        mdf_jval_type(v));
    }
    *out = mdf_jval_int((int64_t)len);
    return MDF_OK;
}

static mdf_status filter_string(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return mdf_jval_to_text(m, v, out);
}

static mdf_status filter_default(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    const bool empty = mdf_jval_true(&arg[1]) && !mdf_jval_true(v);
    (void)m;
    *out = v->kind != MDF_J_UNDEFINED && !empty ? *v
           : arg[0].kind == MDF_J_MISSING       ? mdf_jval_text("", 0)
                                                : arg[0];
    return MDF_OK;
}

/* A float in text, as float() takes it. */
static bool read_real(const mdf_jval *v, double *out)
{
    const char *s = v->u.text;
    size_t len = v->len;
    for (size_t n = mdf_jtext_white_at(s, len); n > 0; n = mdf_jtext_white_at(s, len)) {
        s += n;
        len -= n;
    }
    for (size_t n = mdf_jtext_white_before(s, len); n > 0; n = mdf_jtext_white_before(s, len)) {
        len -= n;
    }
    const bool other = len == 0 || memchr(s, 'x', len) != NULL || memchr(s, 'X', len) != NULL ||
                       memchr(s, '(', len) != NULL || memchr(s, '\0', len) != NULL;
    return !other && mdf_jinja_real(s, len, out);
}

/* An integer in text, as int() takes it; *over: it is one, but too large. */
static bool read_whole(const mdf_jval *v, int64_t *out, bool *over)
{
    mdf_jval text = *v;
    int64_t y = 0;
    size_t at = 0;
    size_t digits = 0;
    for (size_t n = 1; n > 0;) {
        n = mdf_jtext_white_at(text.u.text, text.len);
        text.u.text += n;
        text.len -= n;
    }
    for (size_t n = 1; n > 0; text.len -= n) {
        n = mdf_jtext_white_before(text.u.text, text.len);
    }
    const bool negative = text.len > 0 && text.u.text[0] == '-';
    at += text.len > 0 && (negative || text.u.text[0] == '+') ? 1 : 0;
    *over = false;
    for (; at < text.len; at++) {
        const char c = text.u.text[at];
        if (c == '_' && digits > 0 && at + 1 < text.len && text.u.text[at + 1] != '_') {
            continue;
        }
        if (c < '0' || c > '9') {
            return false;
        }
        digits++;
        *over = *over || __builtin_mul_overflow(y, 10, &y) ||
                __builtin_add_overflow(y, negative ? '0' - c : c - '0', &y);
    }
    *out = y;
    return digits > 0;
}

static mdf_status from_real(mdf_jvm *m, double d, mdf_jval *out)
{
    if (!(d > -9.2e18 && d < 9.2e18)) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "an integer is larger than 64 bits");
    }
    *out = mdf_jval_int((int64_t)d);
    return MDF_OK;
}

static mdf_status filter_int(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    int64_t base = 10;
    int64_t whole = 0;
    double real = 0;
    bool over = false;
    MDF_TRY(mdf_jarg_int(m, &arg[1], 10, &base));
    if (base != 10) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "int of another base than 10 is not known");
    }
    if (v->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, v);
    }
    if (v->kind == MDF_J_FLOAT) {
        return from_real(m, v->u.real, out);
    }
    if (mdf_jval_is_number(v)) {
        *out = mdf_jval_int(mdf_jval_as_int(v));
    } else if (v->kind == MDF_J_STRING && read_whole(v, &whole, &over)) {
        *out = mdf_jval_int(whole);
    } else if (v->kind == MDF_J_STRING && read_real(v, &real) && real - real == 0) {
        return from_real(m, real, out);
    } else {
        *out = arg[0].kind == MDF_J_MISSING ? mdf_jval_int(0) : arg[0];
    }
    return over ? mdf_fail(m->err, MDF_ERR_LIMIT, "an integer is larger than 64 bits") : MDF_OK;
}

static mdf_status filter_float(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    double real = 0;
    if (v->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, v);
    }
    if (mdf_jval_is_number(v)) {
        *out = mdf_jval_real(mdf_jval_as_real(v));
    } else if (v->kind == MDF_J_STRING && read_real(v, &real)) {
        *out = mdf_jval_real(real);
    } else {
        *out = arg[0].kind == MDF_J_MISSING ? mdf_jval_real(0) : arg[0];
    }
    return MDF_OK;
}

static mdf_status want_number(mdf_jvm *m, const mdf_jval *v)
{
    if (v->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, v);
    }
    if (!mdf_jval_is_number(v)) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "a number is wanted, not '%s'", mdf_jval_type(v));
    }
    return MDF_OK;
}

static mdf_status filter_abs(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    MDF_TRY(want_number(m, v));
    if (v->kind == MDF_J_FLOAT) {
        *out = mdf_jval_real(fabs(v->u.real));
        return MDF_OK;
    }
    const mdf_jval whole = mdf_jval_int(mdf_jval_as_int(v));
    return mdf_jval_sign(m, whole.u.integer < 0 ? '-' : '+', &whole, out);
}

/* To so many decimals, ties to the even digit of the exact value, as round() does. */
static mdf_status round_common(mdf_jvm *m, const mdf_jval *v, int64_t digits, mdf_jval *out)
{
    char text[400];
    double y = 0;
    if (v->kind != MDF_J_FLOAT) {
        *out = mdf_jval_int(mdf_jval_as_int(v));
        return MDF_OK;
    }
    if (v->u.real - v->u.real != 0) {
        *out = *v;
        return MDF_OK;
    }
    (void)snprintf(text, sizeof text, "%.*f", (int)digits, v->u.real);
    for (char *p = text; *p != '\0'; p++) {
        *p = *p == ',' ? '.' : *p;
    }
    if (!mdf_jinja_real(text, strlen(text), &y)) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "a number has too many digits");
    }
    *out = mdf_jval_real(y);
    return MDF_OK;
}

static mdf_status filter_round(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    int64_t digits = 0;
    MDF_TRY(want_number(m, v));
    MDF_TRY(mdf_jarg_int(m, &arg[0], 0, &digits));
    if (digits < 0 || digits > 15) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "round: 0 to 15 digits are known, not %lld",
                        (long long)digits);
    }
    if (arg[1].kind == MDF_J_MISSING || mdf_jval_is(&arg[1], "common")) {
        return round_common(m, v, digits, out);
    }
    const bool up = mdf_jval_is(&arg[1], "ceil");
    if (!up && !mdf_jval_is(&arg[1], "floor")) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "method must be common, ceil or floor");
    }
    const double scale = pow(10, (double)digits);
    const double scaled = mdf_jval_as_real(v) * scale;
    *out = mdf_jval_real((up ? ceil(scaled) : floor(scaled)) / scale);
    return MDF_OK;
}

static mdf_status filter_forceescape(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg,
                                     mdf_jval *out)
{
    static const char plain[] = "&<>\"'";
    static const char *const html[] = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
    mdf_jval text;
    (void)arg;
    MDF_TRY(mdf_jval_to_text(m, v, &text));
    mdf_strbuf b = mdf_jvm_buffer();
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.u.text[i];
        const char *p = c == '\0' ? NULL : strchr(plain, c);
        if (p != NULL) {
            mdf_strbuf_puts(&b, html[p - plain]);
        } else {
            mdf_strbuf_add(&b, &c, 1);
        }
    }
    MDF_TRY(mdf_jvm_finish(m, &b, out));
    out->why = MDF_J_SAFE;
    return MDF_OK;
}

static mdf_status filter_escape(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    if (v->kind == MDF_J_STRING && v->why == MDF_J_SAFE) {
        *out = *v;
        return MDF_OK;
    }
    return filter_forceescape(m, v, arg, out);
}

static mdf_status filter_safe(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    MDF_TRY(mdf_jval_to_text(m, v, out));
    out->why = MDF_J_SAFE;
    return MDF_OK;
}

/* An indent argument: so many blanks, or a string. */
static mdf_status indent_of(mdf_jvm *m, const mdf_jval *v, int64_t fallback, mdf_jval *out)
{
    static const char blanks[MDF_MAX_JINJA_INDENT + 1] =
        "                                                                ";
    int64_t n = 0;
    if (v->kind == MDF_J_STRING) {
        *out = *v;
    } else {
        MDF_TRY(mdf_jarg_int(m, v, fallback, &n));
        *out = mdf_jval_text(blanks, n < 0 ? 0 : (size_t)n);
    }
    if (out->len > MDF_MAX_JINJA_INDENT) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "an indent is wider than the limit of %d",
                        MDF_MAX_JINJA_INDENT);
    }
    return MDF_OK;
}

static mdf_status filter_indent(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jval lines;
    mdf_jval width;
    const mdf_jval none = {0};
    MDF_TRY(mdf_jarg_text(m, v));
    MDF_TRY(indent_of(m, &arg[0], 4, &width));
    MDF_TRY(mdf_jtext_splitlines(m, v, &none, &lines));
    const mdf_jlist *l = lines.u.list;
    /* jinja2 adds a line break first: an open last line stays, a closed one has an empty one after
     * it. */
    const size_t end = mdf_jtext_last(v->len > 0 ? v->u.text : "x", v->len > 0 ? v->len : 1);
    const bool closed = v->len == 0 || mdf_jtext_break_at(v->u.text + v->len - end, end) > 0;
    mdf_strbuf b = mdf_jvm_buffer();
    for (size_t i = 0; i < l->count + (closed ? 1 : 0); i++) {
        const mdf_jval line = i < l->count ? l->item[i] : mdf_jval_text("", 0);
        const bool indents =
            i == 0 ? mdf_jval_true(&arg[1]) : line.len > 0 || mdf_jval_true(&arg[2]);
        mdf_strbuf_puts(&b, i > 0 ? "\n" : "");
        mdf_strbuf_add(&b, width.u.text, indents ? width.len : 0);
        mdf_strbuf_add(&b, line.u.text, line.len);
    }
    return mdf_jvm_finish(m, &b, out);
}

static mdf_status filter_tojson(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jval indent = {0};
    mdf_jlist separators = {0};
    const bool indented = arg[1].kind != MDF_J_MISSING && arg[1].kind != MDF_J_NONE;
    mdf_jjson how = {.ascii = mdf_jval_true(&arg[0]),
                     .sort_keys = mdf_jval_true(&arg[3]),
                     .indented = indented,
                     .item = mdf_jval_name(indented ? "," : ", "),
                     .pair = mdf_jval_name(": ")};
    if (indented) {
        MDF_TRY(indent_of(m, &arg[1], 0, &indent));
        how.indent = indent.u.text;
        how.indent_bytes = indent.len;
    }
    if (arg[2].kind != MDF_J_MISSING && arg[2].kind != MDF_J_NONE) {
        MDF_TRY(mdf_jval_items(m, &arg[2], &separators));
        if (separators.count != 2) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "tojson: separators must be two strings");
        }
        MDF_TRY(mdf_jarg_text(m, &separators.item[0]));
        MDF_TRY(mdf_jarg_text(m, &separators.item[1]));
        how.item = separators.item[0];
        how.pair = separators.item[1];
    }
    return mdf_jval_dump(m, v, &how, out);
}

static mdf_status filter_attr(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    MDF_TRY(mdf_jarg_text(m, &arg[0]));
    if (v->kind == MDF_J_DICT) { /* keys are no attributes */
        bool found = false;
        MDF_TRY(mdf_jval_method(m, v, &arg[0], &found, out));
        if (!found) {
            *out = mdf_jval_lacks(v, arg[0].u.text, arg[0].len);
        }
        return MDF_OK;
    }
    return mdf_jval_attr(m, v, &arg[0], out);
}

const mdf_jbuiltin *mdf_jinja_filter(const char *name, size_t len)
{
    static const mdf_jbuiltin filters[] = {
        {"abs", filter_abs, "", 0, NULL},
        {"attr", filter_attr, "name", 1, NULL},
        {"capitalize", filter_capitalize, "", 0, NULL},
        {"count", filter_length, "", 0, NULL},
        {"d", filter_default, "default_value boolean", 0, NULL},
        {"default", filter_default, "default_value boolean", 0, NULL},
        {"e", filter_escape, "", 0, NULL},
        {"escape", filter_escape, "", 0, NULL},
        {"float", filter_float, "default", 0, NULL},
        {"forceescape", filter_forceescape, "", 0, NULL},
        {"format", NULL, "", 0, mdf_jtext_percent},
        {"indent", filter_indent, "width first blank", 0, NULL},
        {"int", filter_int, "default base", 0, NULL},
        {"length", filter_length, "", 0, NULL},
        {"lower", filter_lower, "", 0, NULL},
        {"replace", filter_replace, "old new count", 2, NULL},
        {"round", filter_round, "precision method", 0, NULL},
        {"safe", filter_safe, "", 0, NULL},
        {"string", filter_string, "", 0, NULL},
        {"title", filter_title, "", 0, NULL},
        {"tojson", filter_tojson, "ensure_ascii indent separators sort_keys", 0, NULL},
        {"trim", filter_trim, "chars", 0, NULL},
        {"upper", filter_upper, "", 0, NULL},
    };
    const mdf_jbuiltin *b =
        mdf_jbuiltin_find(filters, sizeof filters / sizeof filters[0], name, len);
    return b != NULL ? b : mdf_jinja_seq_filter(name, len);
}
