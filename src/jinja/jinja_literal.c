/* Numbers and strings as a template spells them. */
#include "jinja/jinja_literal.h"

#include <stdlib.h>
#include <string.h>

#include "jinja/jinja_text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Decimal digits with single underscores between them, from `at`; where they end. */
static size_t skip_digits(const char *s, size_t len, size_t at)
{
    size_t end = at;
    while (end < len && is_digit(s[end])) {
        end++;
        if (end + 1 < len && s[end] == '_' && is_digit(s[end + 1])) {
            end++;
        }
    }
    return end;
}

bool mdf_jinja_real(const char *s, size_t len, double *out)
{
    char text[320];
    size_t n = 0;
    if (len == 0 || len >= sizeof text) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '_') {
            text[n++] = s[i];
        }
    }
    text[n] = '\0';
    char *end = NULL;
    *out = strtod(text, &end);
    if (*end == '.') { /* a locale with a comma stops here */
        *end = ',';
        *out = strtod(text, &end);
    }
    return *end == '\0' && end != text;
}

static int digit_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

static mdf_status whole(mdf_jtoken *out, const char *s, size_t len, int base, size_t from,
                        size_t *used, mdf_error *err)
{
    int64_t value = 0;
    size_t at = from;
    for (; at < len; at++) {
        if (s[at] == '_' && at + 1 < len && digit_value(s[at + 1]) < base) {
            continue;
        }
        const int digit = digit_value(s[at]);
        if (digit >= base) {
            break;
        }
        if (value > (INT64_MAX - digit) / base) {
            return mdf_fail(err, MDF_ERR_LIMIT, "an integer is larger than 64 bits");
        }
        value = value * base + digit;
    }
    *used = at;
    out->type = MDF_JT_INT;
    out->u.integer = value;
    return MDF_OK;
}

/* Where a float that begins at s ends; 0: it is an integer. */
static size_t float_end(const char *s, size_t len)
{
    size_t end = skip_digits(s, len, 0);
    bool real = false;
    if (end + 1 < len && s[end] == '.' && is_digit(s[end + 1])) {
        end = skip_digits(s, len, end + 1);
        real = true;
    }
    if (end < len && (s[end] | 0x20) == 'e') {
        size_t at = end + 1;
        at += at < len && (s[at] == '+' || s[at] == '-') ? 1 : 0;
        if (at < len && is_digit(s[at])) {
            return skip_digits(s, len, at);
        }
    }
    return real ? end : 0;
}

mdf_status mdf_jinja_number(mdf_jtoken *out, const char *s, size_t len, bool after_dot,
                            size_t *used, mdf_error *err)
{
    const size_t real = after_dot ? 0 : float_end(s, len);
    if (real > 0) {
        out->type = MDF_JT_FLOAT;
        *used = real;
        if (!mdf_jinja_real(s, real, &out->u.real)) {
            return mdf_fail(err, MDF_ERR_LIMIT, "a number has too many digits");
        }
        return MDF_OK;
    }
    static const char letter[] = "xob";
    static const int base[] = {16, 8, 2};
    const char *p = len > 2 && s[0] == '0' && s[1] != '\0' ? strchr(letter, s[1] | 0x20) : NULL;
    if (p != NULL && *p != '\0' && digit_value(s[2]) < base[p - letter]) {
        return whole(out, s, len, base[p - letter], 2, used, err);
    }
    if (s[0] == '0') { /* no number begins with a zero but zero itself */
        *used = 1;
        while (*used < len && s[*used] == '0') {
            ++*used;
        }
        out->type = MDF_JT_INT;
        out->u.integer = 0;
        return MDF_OK;
    }
    return whole(out, s, len, 10, 0, used, err);
}

typedef struct unescape {
    const char *s;
    size_t at, len;
    char *out;
    size_t n;
    mdf_error *err;
} unescape;

/* Up to `most` digits; how many there were. */
static size_t read_digits(unescape *u, size_t most, int base, uint32_t *value)
{
    size_t n = 0;
    *value = 0;
    while (n < most && u->at < u->len && digit_value(u->s[u->at]) < base) {
        *value = *value * (uint32_t)base + (uint32_t)digit_value(u->s[u->at++]);
        n++;
    }
    return n;
}

static mdf_status put_code_point(unescape *u, uint32_t c)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        return mdf_fail(u->err, MDF_ERR_FORMAT, "a string has an escape that is no character");
    }
    u->n += mdf_jtext_encode(u->out + u->n, c);
    return MDF_OK;
}

/* What follows a backslash. */
static mdf_status unescape_one(unescape *u)
{
    static const char letter[] = "abfnrtv\\'\"";
    static const char meant[] = "\a\b\f\n\r\t\v\\'\"";
    const char c = u->s[u->at++];
    const char *p = c == '\0' ? NULL : strchr(letter, c);
    uint32_t value = 0;
    if (c == '\n') {
        return MDF_OK;
    }
    if (p != NULL) {
        u->out[u->n++] = meant[p - letter];
        return MDF_OK;
    }
    if (c >= '0' && c <= '7') {
        u->at--;
        (void)read_digits(u, 3, 8, &value);
        return put_code_point(u, value);
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        const size_t want = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        if (read_digits(u, want, 16, &value) != want) {
            return mdf_fail(u->err, MDF_ERR_FORMAT, "a string has a cut \\%c escape", c);
        }
        return put_code_point(u, value);
    }
    if (c == 'N') {
        return mdf_fail(u->err, MDF_ERR_FORMAT, "escapes with a character's name are not known");
    }
    u->out[u->n++] = '\\';
    u->out[u->n++] = c;
    return MDF_OK;
}

mdf_status mdf_jinja_string(mdf_jtoken *out, mdf_arena *a, const char *s, size_t len, size_t *used,
                            mdf_error *err)
{
    size_t end = 1;
    bool escapes = false;
    while (end < len && s[end] != s[0]) {
        escapes = escapes || s[end] == '\\';
        end += s[end] == '\\' ? 2 : 1;
    }
    if (end >= len) {
        return mdf_fail(err, MDF_ERR_FORMAT, "a string has no end");
    }
    *used = end + 1;
    out->type = MDF_JT_STRING;
    out->text = s + 1;
    out->len = end - 1;
    if (!escapes) {
        return MDF_OK;
    }
    unescape u = {.s = s + 1, .len = end - 1, .err = err};
    u.out = mdf_arena_alloc(a, u.len + 1, 1); /* an escape is never shorter than what it means */
    if (u.out == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    while (u.at < u.len) {
        const char c = u.s[u.at++];
        if (c != '\\') {
            u.out[u.n++] = c;
        } else {
            MDF_TRY(unescape_one(&u));
        }
    }
    out->text = u.out;
    out->len = u.n;
    return MDF_OK;
}
