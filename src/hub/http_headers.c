/* Content-Range, Link and ETag (RFC 9110, RFC 8288). */
#include "hub/http_headers.h"

#include <string.h>
#include <strings.h>

/* What is left of a header's value. */
typedef struct cursor {
    const char *p, *end;
} cursor;

static bool take(cursor *c, char wanted)
{
    if (c->p < c->end && *c->p == wanted) {
        c->p++;
        return true;
    }
    return false;
}

static bool take_number(cursor *c, uint64_t *out)
{
    uint64_t n = 0;
    const char *first = c->p;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
        const uint64_t digit = (uint64_t)(*c->p - '0');
        if (n > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    *out = n;
    return c->p > first;
}

static void skip_space(cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t')) {
        c->p++;
    }
}

bool mdf_http_content_range(const char *text, size_t len, uint64_t *start, int64_t *total)
{
    static const char unit[] = "bytes";
    const size_t n = sizeof unit - 1;
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t whole = 0;
    if (len <= n || strncasecmp(text, unit, n) != 0 || text[n] != ' ') {
        return false;
    }
    cursor c = {text + n, text + len};
    skip_space(&c);
    if (!take_number(&c, &first) || !take(&c, '-') || !take_number(&c, &last) || last < first ||
        !take(&c, '/')) {
        return false;
    }
    const bool open = take(&c, '*');
    if (c.p == c.end && open) {
        *start = first;
        *total = -1;
        return true;
    }
    if (open || !take_number(&c, &whole) || c.p != c.end || last >= whole) {
        return false;
    }
    *start = first;
    *total = (int64_t)whole;
    return true;
}

/* Moves behind a quoted string whose opening quote was taken; its text to *word. */
static bool take_quoted(cursor *c, cursor *word)
{
    *word = (cursor){c->p, c->p};
    while (c->p < c->end && *c->p != '"') {
        c->p += *c->p == '\\' && c->end - c->p > 1 ? 2 : 1;
    }
    word->end = c->p;
    return take(c, '"');
}

static bool is_delimiter(char ch)
{
    return ch == ';' || ch == ',' || ch == '=' || ch == ' ' || ch == '\t' || ch == '"';
}

static cursor take_token(cursor *c)
{
    cursor word = {c->p, c->p};
    while (c->p < c->end && !is_delimiter(*c->p)) {
        c->p++;
    }
    word.end = c->p;
    return word;
}

static bool equals(cursor word, const char *text)
{
    const size_t n = strlen(text);
    return (size_t)(word.end - word.p) == n && strncasecmp(word.p, text, n) == 0;
}

/* One "; name=value" after a link; *is_next when it says that the relation is next. */
static bool take_parameter(cursor *c, bool *is_next)
{
    skip_space(c);
    const cursor name = take_token(c);
    cursor value = {c->p, c->p};
    skip_space(c);
    if (take(c, '=')) {
        skip_space(c);
        if (take(c, '"')) {
            if (!take_quoted(c, &value)) {
                return false;
            }
        } else {
            value = take_token(c);
        }
    }
    *is_next = *is_next || (equals(name, "rel") && equals(value, "next"));
    skip_space(c);
    return true;
}

static bool copy(cursor word, char *out, size_t out_bytes)
{
    const size_t n = (size_t)(word.end - word.p);
    if (n == 0 || n >= out_bytes || memchr(word.p, '\0', n) != NULL) {
        return false;
    }
    memcpy(out, word.p, n);
    out[n] = '\0';
    return true;
}

bool mdf_http_link_next(const char *text, size_t len, char *out, size_t out_bytes)
{
    cursor c = {text, text + len};
    do {
        bool is_next = false;
        skip_space(&c);
        if (!take(&c, '<')) {
            return false;
        }
        const char *end = memchr(c.p, '>', (size_t)(c.end - c.p));
        if (end == NULL) {
            return false;
        }
        const cursor target = {c.p, end};
        c.p = end + 1;
        skip_space(&c);
        while (take(&c, ';')) {
            if (!take_parameter(&c, &is_next)) {
                return false;
            }
        }
        if (is_next) {
            return copy(target, out, out_bytes);
        }
    } while (take(&c, ','));
    return false;
}

bool mdf_http_strong_etag(const char *text, size_t len, char *out, size_t out_bytes)
{
    if (len < 3 || text[0] != '"' || text[len - 1] != '"') {
        return false;
    }
    for (size_t i = 1; i + 1 < len; i++) {
        if (text[i] <= ' ' || text[i] == '"' || text[i] > '~') {
            return false;
        }
    }
    return copy((cursor){text, text + len}, out, out_bytes);
}
