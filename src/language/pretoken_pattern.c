/* Patterns of Oniguruma -> patterns of PCRE2. */
#include <string.h>

#include "language/pretoken.h"

/* Unicode's White_Space. PCRE2's own \s has U+180E too. */
#define WHITE                                                                                      \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}"             \
    "\\x{202f}\\x{205f}\\x{3000}"

/* Letters of Unicode 15 and 16, which a PCRE2 of Unicode 14 does not know. */
#define LETTERS                                                                                    \
    "\\p{L}\\x{1c89}-\\x{1c8a}\\x{a7cb}-\\x{a7cd}\\x{a7da}-\\x{a7dc}\\x{105c0}-\\x{105f3}"         \
    "\\x{10d4a}-\\x{10d65}\\x{10d6f}-\\x{10d85}\\x{10ec2}-\\x{10ec4}\\x{1123f}-\\x{11240}"         \
    "\\x{11380}-\\x{11389}\\x{1138b}\\x{1138e}\\x{11390}-\\x{113b5}\\x{113b7}\\x{113d1}"           \
    "\\x{113d3}\\x{11bc0}-\\x{11be0}\\x{11f02}\\x{11f04}-\\x{11f10}\\x{11f12}-\\x{11f33}"          \
    "\\x{1342f}\\x{13441}-\\x{13446}\\x{13460}-\\x{143fa}\\x{16100}-\\x{1611d}"                    \
    "\\x{16d40}-\\x{16d6c}\\x{18cff}\\x{1b132}\\x{1b155}\\x{1df25}-\\x{1df2a}"                     \
    "\\x{1e030}-\\x{1e06d}\\x{1e4d0}-\\x{1e4eb}\\x{1e5d0}-\\x{1e5ed}\\x{1e5f0}\\x{2b739}"          \
    "\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}"

/* Numbers, likewise. */
#define NUMBERS                                                                                    \
    "\\p{N}\\x{10d40}-\\x{10d49}\\x{116d0}-\\x{116e3}\\x{11bf0}-\\x{11bf9}\\x{11f50}-\\x{11f59}"   \
    "\\x{16130}-\\x{16139}\\x{16d70}-\\x{16d79}\\x{1ccf0}-\\x{1ccf9}\\x{1d2c0}-\\x{1d2d3}"         \
    "\\x{1e4f0}-\\x{1e4f9}\\x{1e5f1}-\\x{1e5fa}"

typedef struct translator {
    const char *text;
    size_t at, len;
    bool in_class;
    mdf_strbuf *out;
    mdf_error *err;
} translator;

static mdf_status refuse(const translator *t, size_t from, size_t len, const char *why)
{
    len = len > t->len - from ? t->len - from : len;
    return mdf_fail(t->err, MDF_ERR_FORMAT, "pre_tokenizer: \"%.*s\" at byte %zu of the pattern %s",
                    (int)len, t->text + from, from, why);
}

static bool follows(const translator *t, const char *s)
{
    const size_t n = strlen(s);
    return t->len - t->at >= n && memcmp(t->text + t->at, s, n) == 0;
}

static bool take(translator *t, const char *s)
{
    const bool there = follows(t, s);
    t->at += there ? strlen(s) : 0;
    return there;
}

/* A set of characters, in a class of its own or inside one. */
static void put_set(const translator *t, const char *set, bool negated)
{
    if (t->in_class) {
        mdf_strbuf_puts(t->out, set);
    } else {
        mdf_strbuf_puts(t->out, negated ? "[^" : "[");
        mdf_strbuf_puts(t->out, set);
        mdf_strbuf_puts(t->out, "]");
    }
}

static mdf_status translate_escape(translator *t)
{
    const size_t from = t->at;
    if (take(t, "\\s")) {
        put_set(t, WHITE, false);
    } else if (!t->in_class && take(t, "\\S")) {
        put_set(t, WHITE, true);
    } else if (take(t, "\\p{L}")) {
        put_set(t, LETTERS, false);
    } else if (take(t, "\\p{N}")) {
        put_set(t, NUMBERS, false);
    } else {
        static const char fine[] = "rnt!\"#%&',-./:;<=>@_`~|?*+()[]{}^$\\";
        const char c = t->at + 1 < t->len ? t->text[t->at + 1] : '\0';
        if (c == '\0' || strchr(fine, c) == NULL) {
            return refuse(t, from, follows(t, "\\p{") ? 6 : 2, "is not supported");
        }
        mdf_strbuf_add(t->out, t->text + t->at, 2);
        t->at += 2;
    }
    return MDF_OK;
}

static mdf_status translate_in_class(translator *t)
{
    if (take(t, "]")) {
        t->in_class = false;
        mdf_strbuf_puts(t->out, "]");
        return MDF_OK;
    }
    if (follows(t, "[") || follows(t, "&&")) {
        return refuse(t, t->at, 2, "inside a class is not supported");
    }
    if (follows(t, "\\")) {
        return translate_escape(t);
    }
    mdf_strbuf_add(t->out, t->text + t->at++, 1);
    return MDF_OK;
}

static mdf_status open_class(translator *t)
{
    mdf_strbuf_puts(t->out, "[");
    if (take(t, "^")) {
        mdf_strbuf_puts(t->out, "^");
    }
    if (follows(t, "]") || t->at == t->len) {
        return refuse(t, t->at - 1, 2, "begins a class with its end");
    }
    t->in_class = true;
    return MDF_OK;
}

static mdf_status open_group(translator *t)
{
    static const char *const fine[] = {"?:", "?i:", "?!", "?="};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        if (take(t, fine[i])) {
            mdf_strbuf_puts(t->out, "(");
            mdf_strbuf_puts(t->out, fine[i]);
            return MDF_OK;
        }
    }
    if (follows(t, "?") || follows(t, "*")) {
        return refuse(t, t->at - 1, 3, "is not supported");
    }
    mdf_strbuf_puts(t->out, "(?:"); /* what a group caught is never asked for */
    return MDF_OK;
}

/* {n}, {n,} or {n,m}, from behind its brace; a sign behind it means different things. */
static mdf_status translate_count(translator *t)
{
    const size_t from = t->at - 1;
    size_t digits = 0;
    while (t->at < t->len && strchr("0123456789,", t->text[t->at]) != NULL && t->text[t->at]) {
        digits += t->text[t->at] != ',' ? 1 : 0;
        t->at++;
    }
    if (digits == 0 || t->text[from + 1] == ',' || !take(t, "}") || follows(t, "?") ||
        follows(t, "+")) {
        return refuse(t, from, t->at - from + 1, "is not supported");
    }
    mdf_strbuf_add(t->out, t->text + from, t->at - from);
    return MDF_OK;
}

static mdf_status translate_outside(translator *t)
{
    if (follows(t, "\\")) {
        return translate_escape(t);
    }
    const char c = t->text[t->at++];
    switch (c) {
    case '[':
        return open_class(t);
    case '(':
        return open_group(t);
    case '{':
        return translate_count(t);
    case '.':
    case '^':
    case '$':
    case '\0':
        return refuse(t, t->at - 1, 1, "is not supported");
    default:
        mdf_strbuf_add(t->out, &c, 1);
        return MDF_OK;
    }
}

mdf_status mdf_pretoken_translate(mdf_strbuf *out, mdf_text_view pattern, mdf_error *err)
{
    translator t = {.text = pattern.text, .len = pattern.len, .out = out, .err = err};
    while (t.at < t.len) {
        MDF_TRY(t.in_class ? translate_in_class(&t) : translate_outside(&t));
    }
    if (t.in_class) {
        return mdf_fail(err, MDF_ERR_FORMAT, "pre_tokenizer: a class of the pattern has no end");
    }
    if (out->failed) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the pre-tokenizer");
    }
    return MDF_OK;
}
