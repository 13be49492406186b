/* A template's text -> tokens, with white space taken away as trim_blocks and lstrip_blocks want.
 */
#include "jinja/jinja_lex.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "jinja/jinja_literal.h"
#include "jinja/jinja_text.h"

enum { MAX_BRACKETS = MDF_MAX_JINJA_DEPTH };

typedef struct lexer {
    mdf_jtokens *out;
    mdf_arena *arena;
    mdf_error *err;
    const char *s;
    size_t at, len;
    uint32_t line;
    bool line_starting; /* nothing but white space may stand before a tag that takes it away */
    char open[MAX_BRACKETS];
    size_t open_count;
} lexer;

static mdf_status fail(const lexer *l, const char *what)
{
    return mdf_fail_at(l->err, MDF_ERR_FORMAT, l->at, "line %u: %s", l->line, what);
}

static mdf_status push(lexer *l, mdf_jtoken token)
{
    mdf_jtokens *out = l->out;
    if (out->count >= MDF_MAX_JINJA_TOKENS) {
        return mdf_fail(l->err, MDF_ERR_LIMIT, "line %u: it has more than the limit of %d words",
                        l->line, MDF_MAX_JINJA_TOKENS);
    }
    if (out->count == out->capacity) {
        const size_t capacity = out->capacity == 0 ? 1024 : out->capacity * 2;
        mdf_jtoken *grown = mdf_grow(out->token, out->count, capacity, sizeof *grown);
        if (grown == NULL) {
            return mdf_fail(l->err, MDF_ERR_NOMEM, "out of memory");
        }
        out->token = grown;
        out->capacity = capacity;
    }
    token.line = l->line;
    out->token[out->count++] = token;
    return MDF_OK;
}

static bool begins(const lexer *l, size_t at, const char *word)
{
    const size_t n = strlen(word);
    return l->len - at >= n && memcmp(l->s + at, word, n) == 0;
}

static void advance(lexer *l, size_t to)
{
    for (; l->at < to; l->at++) {
        l->line += l->s[l->at] == '\n' ? 1 : 0;
    }
    l->line_starting = to > 0 && l->s[to - 1] == '\n';
}

static size_t skip_white(const lexer *l, size_t at)
{
    for (size_t n = 1; n > 0 && at < l->len; at += n) {
        n = mdf_jtext_white_at(l->s + at, l->len - at);
    }
    return at;
}

/* Text up to a tag: what the tag's sign and lstrip_blocks leave of it. */
static size_t strip_before(const lexer *l, size_t from, size_t to, char sign, bool variable)
{
    if (sign == '-') {
        size_t n = 1;
        while (n > 0) {
            n = mdf_jtext_white_before(l->s + from, to - from);
            to -= n;
        }
        return to;
    }
    if (sign == '+' || variable) {
        return to;
    }
    size_t line = to;
    while (line > from && l->s[line - 1] != '\n') {
        line--;
    }
    if (line == from && !l->line_starting) {
        return to;
    }
    return skip_white(l, line) >= to ? line : to;
}

static mdf_status push_data(lexer *l, size_t from, size_t to)
{
    return to == from
               ? MDF_OK
               : push(l, (mdf_jtoken){.type = MDF_JT_DATA, .text = l->s + from, .len = to - from});
}

/* Does "-%}", "+%}" or "%}" stand at `at`? Then *end is what follows it, white space and the line
 * break that it takes along too. */
static bool tag_end(const lexer *l, size_t at, const char *end_mark, size_t *end)
{
    const char c = at < l->len ? l->s[at] : '\0';
    const bool variable = end_mark[0] == '}';
    const bool sign = c == '-' || (c == '+' && !variable);
    if (!begins(l, at + (sign ? 1 : 0), end_mark)) {
        return false;
    }
    at += sign ? 3 : 2;
    if (c == '-') {
        at = skip_white(l, at);
    } else if (!sign && !variable && at < l->len && l->s[at] == '\n') {
        at++;
    }
    *end = at;
    return true;
}

static mdf_status lex_comment(lexer *l)
{
    for (size_t at = l->at; at < l->len; at++) {
        size_t end = 0;
        if (tag_end(l, at, "#}", &end)) {
            advance(l, end);
            return MDF_OK;
        }
    }
    return fail(l, "a comment has no end");
}

/* Does "{%- word" with its end stand at `at`? */
static bool word_tag(const lexer *l, size_t at, const char *word, char *sign, size_t *after)
{
    if (!begins(l, at, "{%")) {
        return false;
    }
    at += 2;
    *sign = at < l->len && (l->s[at] == '-' || l->s[at] == '+') ? l->s[at] : '\0';
    at = skip_white(l, at + (*sign != '\0' ? 1 : 0));
    if (at > l->len || !begins(l, at, word)) {
        return false;
    }
    *after = skip_white(l, at + strlen(word));
    return true;
}

/* Is it {% raw %}? *end is where its text begins: a line break there belongs to it. */
static bool raw_begin(const lexer *l, size_t at, size_t *end)
{
    char sign = '\0';
    size_t after = 0;
    if (!word_tag(l, at, "raw", &sign, &after)) {
        return false;
    }
    if (begins(l, after, "%}")) {
        *end = after + 2;
        return true;
    }
    if (begins(l, after, "-%}")) {
        *end = skip_white(l, after + 3);
        return true;
    }
    return false;
}

static mdf_status lex_raw(lexer *l)
{
    if (l->at == l->len) {
        return MDF_OK; /* jinja2 has nothing against a raw block of nothing */
    }
    for (size_t at = l->at; at < l->len; at++) {
        char sign = '\0';
        size_t after = 0;
        size_t end = 0;
        if (l->s[at] == '{' && word_tag(l, at, "endraw", &sign, &after) &&
            tag_end(l, after, "%}", &end)) {
            MDF_TRY(push_data(l, l->at, strip_before(l, l->at, at, sign, false)));
            advance(l, end);
            return MDF_OK;
        }
    }
    return fail(l, "a raw block has no end");
}

/* Brackets must close in the order in which they were opened; while one is open no tag ends. */
static mdf_status balance(lexer *l, char c)
{
    static const char pairs[] = "{}()[]";
    const char *p = strchr(pairs, c);
    if (p == NULL || c == '\0') {
        return MDF_OK;
    }
    if ((p - pairs) % 2 == 0) {
        if (l->open_count >= MAX_BRACKETS) {
            return mdf_fail(l->err, MDF_ERR_LIMIT, "line %u: brackets are nested deeper than %d",
                            l->line, MAX_BRACKETS);
        }
        l->open[l->open_count++] = p[1];
        return MDF_OK;
    }
    if (l->open_count == 0 || l->open[l->open_count - 1] != c) {
        return mdf_fail_at(l->err, MDF_ERR_FORMAT, l->at, "line %u: unexpected '%c'", l->line, c);
    }
    l->open_count--;
    return MDF_OK;
}

static mdf_status lex_operator(lexer *l)
{
    static const char *const words[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                        "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                        ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (begins(l, l->at, words[i])) {
            MDF_TRY(balance(l, words[i][0]));
            MDF_TRY(push(
                l, (mdf_jtoken){.type = MDF_JT_OP, .text = words[i], .len = strlen(words[i])}));
            advance(l, l->at + strlen(words[i]));
            return MDF_OK;
        }
    }
    const unsigned char c = (unsigned char)l->s[l->at];
    return mdf_fail_at(l->err, MDF_ERR_FORMAT, l->at,
                       c >= 0x20 && c < 0x7F ? "line %u: unexpected character '%c'"
                                             : "line %u: unexpected character %d",
                       l->line, c);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) ||
           (unsigned char)c >= 0x80;
}

static mdf_status lex_name(lexer *l)
{
    size_t end = l->at;
    while (end < l->len && is_name(l->s[end]) &&
           mdf_jtext_white_at(l->s + end, l->len - end) == 0) {
        end++;
    }
    MDF_TRY(push(l, (mdf_jtoken){.type = MDF_JT_NAME, .text = l->s + l->at, .len = end - l->at}));
    advance(l, end);
    return MDF_OK;
}

static mdf_status lex_literal(lexer *l)
{
    mdf_jtoken token = {0};
    size_t used = 0;
    const char c = l->s[l->at];
    const bool after_dot = l->at > 0 && l->s[l->at - 1] == '.';
    mdf_status status =
        is_digit(c)
            ? mdf_jinja_number(&token, l->s + l->at, l->len - l->at, after_dot, &used, l->err)
            : mdf_jinja_string(&token, l->arena, l->s + l->at, l->len - l->at, &used, l->err);
    if (status != MDF_OK) {
        char where[32];
        (void)snprintf(where, sizeof where, "line %u", l->line);
        return mdf_fail_prefix(l->err, status, where);
    }
    MDF_TRY(push(l, token));
    advance(l, l->at + used);
    return MDF_OK;
}

/* The inside of a tag, to its end. */
static mdf_status lex_tag(lexer *l, bool variable)
{
    const char *mark = variable ? "}}" : "%}";
    l->open_count = 0;
    while (l->at < l->len) {
        size_t end = 0;
        if (l->open_count == 0 && tag_end(l, l->at, mark, &end)) {
            MDF_TRY(push(l, (mdf_jtoken){.type = variable ? MDF_JT_VAR_END : MDF_JT_BLOCK_END}));
            advance(l, end);
            return MDF_OK;
        }
        const char c = l->s[l->at];
        const size_t white = mdf_jtext_white_at(l->s + l->at, l->len - l->at);
        if (white > 0) {
            advance(l, l->at + white);
        } else if (is_digit(c) || c == '\'' || c == '"') {
            MDF_TRY(lex_literal(l));
        } else if (is_name(c)) {
            MDF_TRY(lex_name(l));
        } else {
            MDF_TRY(lex_operator(l));
        }
    }
    return fail(l, variable ? "a \"{{\" has no end" : "a \"{%\" has no end");
}

/* Text up to the next tag, and the tag. */
static mdf_status lex_root(lexer *l)
{
    size_t at = l->at;
    while (at < l->len && !(l->s[at] == '{' && at + 1 < l->len &&
                            (l->s[at + 1] == '{' || l->s[at + 1] == '%' || l->s[at + 1] == '#'))) {
        at++;
    }
    if (at == l->len) {
        MDF_TRY(push_data(l, l->at, at));
        advance(l, at);
        return MDF_OK;
    }
    size_t end = 0;
    const char kind = l->s[at + 1];
    const bool raw = raw_begin(l, at, &end);
    char sign = at + 2 < l->len ? l->s[at + 2] : '\0';
    sign = sign == '-' || sign == '+' ? sign : '\0';
    MDF_TRY(push_data(l, l->at, strip_before(l, l->at, at, sign, kind == '{')));
    if (raw) {
        advance(l, end);
        return lex_raw(l);
    }
    advance(l, at);
    if (kind != '#') {
        MDF_TRY(push(l, (mdf_jtoken){.type = kind == '{' ? MDF_JT_VAR : MDF_JT_BLOCK}));
    }
    advance(l, at + 2 + (sign != '\0' ? 1 : 0));
    return kind == '#' ? lex_comment(l) : lex_tag(l, kind == '{');
}

/* One kind of line break, and the last one gone. */
static size_t normalise(char *out, const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r') {
            i += i + 1 < len && text[i + 1] == '\n' ? 1 : 0;
            out[n++] = '\n';
        } else {
            out[n++] = text[i];
        }
    }
    return n > 0 && out[n - 1] == '\n' ? n - 1 : n;
}

mdf_status mdf_jinja_lex(mdf_jtokens *out, mdf_arena *a, const char *text, size_t len,
                         mdf_error *err)
{
    char *copy = mdf_arena_alloc(a, len + 1, 1);
    *out = (mdf_jtokens){0};
    if (copy == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    const size_t n = normalise(copy, text, len);
    lexer l = {
        .out = out, .arena = a, .err = err, .s = copy, .len = n, .line = 1, .line_starting = true};
    while (l.at < l.len) {
        MDF_TRY(lex_root(&l));
    }
    return push(&l, (mdf_jtoken){.type = MDF_JT_EOF});
}
