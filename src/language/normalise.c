/* Unicode's normal forms, by utf8proc. */
#include "language/normalise.h"

#include <string.h>
#include <utf8proc.h>

#include "base/strbuf.h"

static const struct {
    const char *name;
    bool compatible, composed;
} forms[] = {
    [MDF_NORMAL_NONE] = {"", false, false},    [MDF_NORMAL_NFC] = {"NFC", false, true},
    [MDF_NORMAL_NFD] = {"NFD", false, false},  [MDF_NORMAL_NFKC] = {"NFKC", true, true},
    [MDF_NORMAL_NFKD] = {"NFKD", true, false},
};

bool mdf_normal_form_from_name(const char *name, mdf_normal_form *form)
{
    for (int i = MDF_NORMAL_NFC; i <= MDF_NORMAL_NFKD; i++) {
        if (strcmp(forms[i].name, name) == 0) {
            *form = (mdf_normal_form)i;
            return true;
        }
    }
    return false;
}

mdf_normal_form mdf_normal_form_then(mdf_normal_form first, mdf_normal_form second)
{
    if (first == MDF_NORMAL_NONE || second == MDF_NORMAL_NONE) {
        return first == MDF_NORMAL_NONE ? second : first;
    }
    if (forms[first].compatible || forms[second].compatible) {
        return forms[second].composed ? MDF_NORMAL_NFKC : MDF_NORMAL_NFKD;
    }
    return second;
}

/* The standard's own bounds (UAX 15): U+1D160 and U+0390 triple, U+FDFA becomes 33 bytes of 3. */
size_t mdf_normal_form_growth(mdf_normal_form form)
{
    enum { CANONICAL = 3, COMPATIBLE = 11 };
    return form == MDF_NORMAL_NONE ? 1 : forms[form].compatible ? COMPATIBLE : CANONICAL;
}

static bool is_ascii(const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] > 0x7f) {
            return false;
        }
    }
    return true;
}

/* Characters that take part in normal forms since Unicode 10 or later, and what lies between them
 * and takes no part. The reference's tables are those of Unicode 9: to it these are letters that
 * nothing joins or moves. */
static const struct {
    utf8proc_int32_t first, last;
} later[] = {{0x558, 0x558},     {0x58b, 0x58c},     {0x5c8, 0x5c9},     {0x7fd, 0x7fd},
             {0x897, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},     {0xd3b, 0xd3c},
             {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1af0},   {0x1df6, 0x1dfa},
             {0x209d, 0x209f},   {0x32ff, 0x32ff},   {0xa7f1, 0xa7f4},   {0xa82c, 0xa82c},
             {0xab69, 0xab69},   {0x105c9, 0x107bf}, {0x10d24, 0x10f85}, {0x11070, 0x11070},
             {0x1133b, 0x1133b}, {0x11382, 0x113d0}, {0x1145e, 0x1145e}, {0x11839, 0x11a99},
             {0x11d42, 0x1612f}, {0x16d63, 0x1b126}, {0x1ccd6, 0x1d128}, {0x1d250, 0x1d281},
             {0x1d6a6, 0x1d6a6}, {0x1df95, 0x1dfff}, {0x1e030, 0x1e6f5}, {0x1f16c, 0x1f16c},
             {0x1fbf0, 0x1fbf9}};

static bool is_later(utf8proc_int32_t c)
{
    size_t low = 0;
    size_t high = sizeof later / sizeof later[0];
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (c > later[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < sizeof later / sizeof later[0] && c >= later[low].first;
}

/* Bytes from text on before the first later character (*later_bytes: its own, 0 at the end).
 * utf8proc sorts the marks behind a letter by exchanging neighbours: so many that this takes long
 * are no text. */
static mdf_status measure(const uint8_t *text, size_t n, size_t *bytes, size_t *later_bytes,
                          mdf_error *err)
{
    size_t marks = 0;
    *later_bytes = 0;
    for (*bytes = 0; *bytes < n;) {
        utf8proc_int32_t c = 0;
        const utf8proc_ssize_t len =
            utf8proc_iterate(text + *bytes, (utf8proc_ssize_t)(n - *bytes), &c);
        if (len <= 0) {
            return mdf_fail(err, MDF_ERR_FORMAT, "the text is not UTF-8");
        }
        if (is_later(c)) {
            *later_bytes = (size_t)len;
            return MDF_OK;
        }
        marks = utf8proc_get_property(c)->combining_class != 0 ? marks + 1 : 0;
        if (marks > MDF_MAX_MARKS) {
            return mdf_fail(err, MDF_ERR_LIMIT,
                            "the text has more than %d combining marks in a row", MDF_MAX_MARKS);
        }
        *bytes += (size_t)len;
    }
    return MDF_OK;
}

/* A text without later characters. */
static mdf_status normalise_part(mdf_normal_form form, const uint8_t **text, size_t *n,
                                 mdf_arena *arena, mdf_error *err)
{
    const unsigned compose = forms[form].composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
    const unsigned compatible = forms[form].compatible ? UTF8PROC_COMPAT : 0;
    const utf8proc_option_t options = (utf8proc_option_t)(UTF8PROC_STABLE | compose | compatible);
    const utf8proc_ssize_t bytes = (utf8proc_ssize_t)*n;
    if (is_ascii(*text, *n)) {
        return MDF_OK;
    }
    const utf8proc_ssize_t count = utf8proc_decompose(*text, bytes, NULL, 0, options);
    utf8proc_int32_t *code =
        count < 0 ? NULL : mdf_arena_alloc(arena, (size_t)count + 1, sizeof *code);
    if (code == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the normal form of a text");
    }
    const utf8proc_ssize_t made = utf8proc_decompose(*text, bytes, code, count, options);
    const utf8proc_ssize_t len =
        made == count ? utf8proc_reencode(code, count, options) : UTF8PROC_ERROR_OVERFLOW;
    if (len < 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "the text has no normal form: %s",
                        utf8proc_errmsg(len));
    }
    *text = (const uint8_t *)code;
    *n = (size_t)len;
    return MDF_OK;
}

/* Part by part, later characters as they are. */
static mdf_status normalise_parts(mdf_normal_form form, const uint8_t *text, size_t n,
                                  mdf_strbuf *out, mdf_arena *arena, mdf_error *err)
{
    while (n > 0) {
        size_t bytes = 0;
        size_t later_bytes = 0;
        MDF_TRY(measure(text, n, &bytes, &later_bytes, err));
        const uint8_t *part = text;
        size_t len = bytes;
        MDF_TRY(normalise_part(form, &part, &len, arena, err));
        mdf_strbuf_add(out, part, len);
        mdf_strbuf_add(out, text + bytes, later_bytes);
        text += bytes + later_bytes;
        n -= bytes + later_bytes;
    }
    return out->failed ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the normal form of a text")
                       : MDF_OK;
}

mdf_status mdf_normalise(mdf_normal_form form, const uint8_t **text, size_t *n, mdf_arena *arena,
                         mdf_error *err)
{
    size_t bytes = 0;
    size_t later_bytes = 0;
    if (form == MDF_NORMAL_NONE || is_ascii(*text, *n)) {
        return MDF_OK;
    }
    MDF_TRY(measure(*text, *n, &bytes, &later_bytes, err));
    if (later_bytes == 0) {
        return normalise_part(form, text, n, arena, err);
    }
    mdf_strbuf out = mdf_strbuf_new(*n * mdf_normal_form_growth(form) + 1);
    mdf_status status = normalise_parts(form, *text, *n, &out, arena, err);
    if (status == MDF_OK) {
        const char *copy = mdf_arena_strndup(arena, out.data, out.len);
        status = copy == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a text") : MDF_OK;
        *text = copy != NULL ? (const uint8_t *)copy : *text;
        *n = copy != NULL ? out.len : *n;
    }
    mdf_strbuf_free(&out);
    return status;
}
