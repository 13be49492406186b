/* The methods of Python's str. */
#include <string.h>

#include "jinja/jinja_format.h"
#include "jinja/jinja_methods.h"
#include "jinja/jinja_text.h"

/* Is the character that s begins with one of those in chars? */
static bool among(const char *s, size_t n, const mdf_jval *chars)
{
    return mdf_jtext_find(chars->u.text, chars->len, s, n) <= chars->len;
}

static size_t strip_at(const char *s, size_t len, const mdf_jval *chars)
{
    if (chars->kind != MDF_J_STRING) {
        return mdf_jtext_white_at(s, len);
    }
    const size_t n = len == 0 ? 0 : mdf_jtext_offset(s, len, 1);
    return n > 0 && among(s, n, chars) ? n : 0;
}

static size_t strip_before(const char *s, size_t len, const mdf_jval *chars)
{
    if (chars->kind != MDF_J_STRING) {
        return mdf_jtext_white_before(s, len);
    }
    const size_t n = len == 0 ? 0 : mdf_jtext_last(s, len);
    return n > 0 && among(s + len - n, n, chars) ? n : 0;
}

static mdf_status strip(mdf_jvm *m, const mdf_jval *v, const mdf_jval *chars, bool left, bool right,
                        mdf_jval *out)
{
    const char *s = v->u.text;
    size_t len = v->len;
    if (chars->kind != MDF_J_MISSING && chars->kind != MDF_J_NONE) {
        MDF_TRY(mdf_jarg_text(m, chars));
        MDF_TRY(mdf_jvm_step(m, (chars->len / 64 + 1) * (v->len / 16)));
    }
    for (size_t n = left ? strip_at(s, len, chars) : 0; n > 0; n = strip_at(s, len, chars)) {
        s += n;
        len -= n;
    }
    for (size_t n = right ? strip_before(s, len, chars) : 0; n > 0;
         n = strip_before(s, len, chars)) {
        len -= n;
    }
    *out = mdf_jval_text(s, len);
    return MDF_OK;
}

static mdf_status text_strip(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return strip(m, v, &arg[0], true, true, out);
}

static mdf_status text_lstrip(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return strip(m, v, &arg[0], true, false, out);
}

static mdf_status text_rstrip(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return strip(m, v, &arg[0], false, true, out);
}

/* How a text's case changes: every character, or the first one apart. */
typedef enum casing { UPPER, LOWER, CAPITALIZE, TITLE } casing;

static bool is_cased(uint32_t c)
{
    return mdf_jtext_upper(c) != c || mdf_jtext_lower(c) != c || c == 0xDF;
}

static void put_cased(mdf_strbuf *b, uint32_t c, bool upper)
{
    char out[4];
    if (c == 0xDF && upper) { /* the one letter known here that becomes two */
        mdf_strbuf_puts(b, "SS");
        return;
    }
    c = upper ? mdf_jtext_upper(c) : mdf_jtext_lower(c);
    mdf_strbuf_add(b, out, mdf_jtext_encode(out, c));
}

static mdf_status recase(mdf_jvm *m, const mdf_jval *v, casing how, mdf_jval *out)
{
    mdf_strbuf b = mdf_jvm_buffer();
    bool within = false;
    for (size_t at = 0; at < v->len;) {
        size_t n = 0;
        const uint32_t c = mdf_jtext_decode(v->u.text + at, v->len - at, &n);
        put_cased(&b, c, how == UPPER || (!within && (how == CAPITALIZE || how == TITLE)));
        within = how == TITLE ? is_cased(c) : true;
        at += n;
    }
    return mdf_jvm_finish(m, &b, out);
}

static mdf_status text_upper(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return recase(m, v, UPPER, out);
}

static mdf_status text_lower(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return recase(m, v, LOWER, out);
}

static mdf_status text_capitalize(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return recase(m, v, CAPITALIZE, out);
}

static mdf_status text_title(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return recase(m, v, TITLE, out);
}

/* Do all characters meet the test, and is there one? Those beyond ASCII are refused where the
 * answer needs tables of letters. */
static mdf_status all_are(mdf_jvm *m, const mdf_jval *v, const char *what,
                          bool (*test)(unsigned char c), mdf_jval *out)
{
    bool all = v->len > 0;
    for (size_t i = 0; i < v->len; i++) {
        const unsigned char c = (unsigned char)v->u.text[i];
        if (c >= 0x80) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "%s of characters beyond ASCII is not known",
                            what);
        }
        all = all && test(c);
    }
    *out = mdf_jval_bool(all);
    return MDF_OK;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(unsigned char c)
{
    return is_digit(c) || is_alpha(c);
}

static mdf_status text_isdigit(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return all_are(m, v, "isdigit", is_digit, out);
}

static mdf_status text_isalpha(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return all_are(m, v, "isalpha", is_alpha, out);
}

static mdf_status text_isalnum(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return all_are(m, v, "isalnum", is_alnum, out);
}

static mdf_status text_isspace(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jval rest;
    (void)arg;
    MDF_TRY(strip(m, v, &(mdf_jval){0}, true, false, &rest));
    *out = mdf_jval_bool(v->len > 0 && rest.len == 0);
    return MDF_OK;
}

static mdf_status is_case(const mdf_jval *v, bool upper, mdf_jval *out)
{
    bool some = false;
    bool other = false;
    for (size_t at = 0; at < v->len;) {
        size_t n = 0;
        const uint32_t c = mdf_jtext_decode(v->u.text + at, v->len - at, &n);
        const bool is_upper = mdf_jtext_lower(c) != c;
        some = some || is_cased(c);
        other = other || (is_cased(c) && is_upper != upper);
        at += n;
    }
    *out = mdf_jval_bool(some && !other);
    return MDF_OK;
}

static mdf_status text_isupper(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)m;
    (void)arg;
    return is_case(v, true, out);
}

static mdf_status text_islower(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)m;
    (void)arg;
    return is_case(v, false, out);
}

/* Cuts v down to v[from:to] as the arguments after the first say; *offset: characters before it. */
static mdf_status window(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out,
                         int64_t *offset)
{
    const mdf_jval *bound[3] = {arg[1].kind == MDF_J_MISSING ? NULL : &arg[1],
                                arg[2].kind == MDF_J_MISSING ? NULL : &arg[2], NULL};
    MDF_TRY(mdf_jval_slice(m, v, bound, out));
    *offset = (int64_t)mdf_jtext_count(v->u.text, (size_t)(out->u.text - v->u.text));
    return MDF_OK;
}

static bool has_edge(const mdf_jval *v, const mdf_jval *edge, bool end)
{
    return edge->len <= v->len &&
           memcmp(v->u.text + (end ? v->len - edge->len : 0), edge->u.text, edge->len) == 0;
}

static mdf_status edge(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, bool end, mdf_jval *out)
{
    mdf_jval part;
    int64_t offset = 0;
    bool has = false;
    const bool several = arg[0].kind == MDF_J_TUPLE;
    const size_t count = several ? arg[0].u.list->count : 1;
    const mdf_jval *item = several ? arg[0].u.list->item : &arg[0];
    MDF_TRY(window(m, v, arg, &part, &offset));
    for (size_t i = 0; i < count; i++) {
        MDF_TRY(mdf_jarg_text(m, &item[i]));
        has = has || has_edge(&part, &item[i], end);
    }
    *out = mdf_jval_bool(has);
    return MDF_OK;
}

static mdf_status text_startswith(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return edge(m, v, arg, false, out);
}

static mdf_status text_endswith(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return edge(m, v, arg, true, out);
}

static mdf_status text_removeprefix(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg,
                                    mdf_jval *out)
{
    MDF_TRY(mdf_jarg_text(m, &arg[0]));
    const size_t cut = has_edge(v, &arg[0], false) ? arg[0].len : 0;
    *out = mdf_jval_text(v->u.text + cut, v->len - cut);
    return MDF_OK;
}

static mdf_status text_removesuffix(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg,
                                    mdf_jval *out)
{
    MDF_TRY(mdf_jarg_text(m, &arg[0]));
    *out = mdf_jval_text(v->u.text, v->len - (has_edge(v, &arg[0], true) ? arg[0].len : 0));
    return MDF_OK;
}

static mdf_status find(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, bool right, bool must,
                       mdf_jval *out)
{
    mdf_jval part;
    int64_t offset = 0;
    MDF_TRY(mdf_jarg_text(m, &arg[0]));
    MDF_TRY(window(m, v, arg, &part, &offset));
    MDF_TRY(mdf_jvm_search(m, part.len, arg[0].len));
    const size_t at = (right ? mdf_jtext_find_last : mdf_jtext_find)(part.u.text, part.len,
                                                                     arg[0].u.text, arg[0].len);
    if (at > part.len && must) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "substring not found");
    }
    *out = mdf_jval_int(at > part.len ? -1 : offset + (int64_t)mdf_jtext_count(part.u.text, at));
    return MDF_OK;
}

static mdf_status text_find(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return find(m, v, arg, false, false, out);
}

static mdf_status text_rfind(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return find(m, v, arg, true, false, out);
}

static mdf_status text_index(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return find(m, v, arg, false, true, out);
}

static mdf_status text_rindex(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return find(m, v, arg, true, true, out);
}

static mdf_status text_count(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jval part;
    int64_t offset = 0;
    int64_t n = 0;
    MDF_TRY(mdf_jarg_text(m, &arg[0]));
    MDF_TRY(window(m, v, arg, &part, &offset));
    MDF_TRY(mdf_jvm_search(m, part.len, arg[0].len));
    if (arg[0].len == 0) {
        *out = mdf_jval_int((int64_t)mdf_jtext_count(part.u.text, part.len) + 1);
        return MDF_OK;
    }
    for (size_t from = 0; from <= part.len; n++) {
        const size_t at =
            mdf_jtext_find(part.u.text + from, part.len - from, arg[0].u.text, arg[0].len);
        if (at > part.len - from) {
            break;
        }
        from += at + arg[0].len;
    }
    *out = mdf_jval_int(n);
    return MDF_OK;
}

mdf_status mdf_jtext_replace(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    int64_t most = -1;
    MDF_TRY(mdf_jarg_text(m, &arg[0]));
    MDF_TRY(mdf_jarg_text(m, &arg[1]));
    MDF_TRY(mdf_jarg_int(m, &arg[2], -1, &most));
    MDF_TRY(mdf_jvm_search(m, v->len, arg[0].len));
    mdf_strbuf b = mdf_jvm_buffer();
    size_t from = 0;
    for (; most != 0 && !b.failed; most--) {
        const size_t left = v->len - from;
        const size_t at = mdf_jtext_find(v->u.text + from, left, arg[0].u.text, arg[0].len);
        /* Nothing is found before every character, and at the end. */
        const size_t step = arg[0].len == 0 ? mdf_jtext_offset(v->u.text + from, left, 1) : 0;
        if (at > left) {
            break;
        }
        mdf_strbuf_add(&b, v->u.text + from, at);
        mdf_strbuf_add(&b, arg[1].u.text, arg[1].len);
        mdf_strbuf_add(&b, v->u.text + from + at, step);
        from += at + arg[0].len + step;
        if (arg[0].len == 0 && step == 0) {
            break;
        }
    }
    mdf_strbuf_add(&b, v->u.text + from, v->len - from);
    return mdf_jvm_finish(m, &b, out);
}

static mdf_status text_join(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    mdf_jlist items;
    mdf_strbuf b = mdf_jvm_buffer();
    MDF_TRY(mdf_jval_items(m, &arg[0], &items));
    for (size_t i = 0; i < items.count; i++) {
        if (items.item[i].kind != MDF_J_STRING) {
            mdf_strbuf_free(&b);
            return mdf_fail(m->err, MDF_ERR_FORMAT, "sequence item %zu: expected str, %s found", i,
                            mdf_jval_type(&items.item[i]));
        }
        mdf_strbuf_add(&b, v->u.text, i > 0 ? v->len : 0);
        mdf_strbuf_add(&b, items.item[i].u.text, items.item[i].len);
    }
    return mdf_jvm_finish(m, &b, out);
}

static const mdf_jbuiltin methods[] = {
    {"capitalize", text_capitalize, "", 0, NULL},
    {"count", text_count, "*sub *start *end", 1, NULL},
    {"endswith", text_endswith, "*suffix *start *end", 1, NULL},
    {"find", text_find, "*sub *start *end", 1, NULL},
    {"format", NULL, "", 0, mdf_jtext_format},
    {"index", text_index, "*sub *start *end", 1, NULL},
    {"isalnum", text_isalnum, "", 0, NULL},
    {"isalpha", text_isalpha, "", 0, NULL},
    {"isdigit", text_isdigit, "", 0, NULL},
    {"islower", text_islower, "", 0, NULL},
    {"isspace", text_isspace, "", 0, NULL},
    {"isupper", text_isupper, "", 0, NULL},
    {"join", text_join, "*iterable", 1, NULL},
    {"lower", text_lower, "", 0, NULL},
    {"lstrip", text_lstrip, "*chars", 0, NULL},
    {"partition", mdf_jtext_partition, "*sep", 1, NULL},
    {"removeprefix", text_removeprefix, "*prefix", 1, NULL},
    {"removesuffix", text_removesuffix, "*suffix", 1, NULL},
    {"replace", mdf_jtext_replace, "*old *new *count", 2, NULL},
    {"rfind", text_rfind, "*sub *start *end", 1, NULL},
    {"rindex", text_rindex, "*sub *start *end", 1, NULL},
    {"rpartition", mdf_jtext_rpartition, "*sep", 1, NULL},
    {"rsplit", mdf_jtext_rsplit, "sep maxsplit", 0, NULL},
    {"rstrip", text_rstrip, "*chars", 0, NULL},
    {"split", mdf_jtext_split, "sep maxsplit", 0, NULL},
    {"splitlines", mdf_jtext_splitlines, "keepends", 0, NULL},
    {"startswith", text_startswith, "*prefix *start *end", 1, NULL},
    {"strip", text_strip, "*chars", 0, NULL},
    {"title", text_title, "", 0, NULL},
    {"upper", text_upper, "", 0, NULL},
};

const mdf_jbuiltin *mdf_jinja_text_method(const char *name, size_t len)
{
    return mdf_jbuiltin_find(methods, sizeof methods / sizeof methods[0], name, len);
}

bool mdf_jinja_text_method_refused(const char *name, size_t len)
{
    static const char *const refused[] = {
        "casefold",  "center",       "encode",    "expandtabs",  "format_map", "isascii",
        "isdecimal", "isidentifier", "isnumeric", "isprintable", "istitle",    "ljust",
        "maketrans", "rjust",        "swapcase",  "translate",   "zfill"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (strlen(refused[i]) == len && memcmp(refused[i], name, len) == 0) {
            return true;
        }
    }
    return false;
}
