/* The JSON of a model's files, as Python programs write it. */
#include "base/json.h"

#include <jansson.h>
#include <string.h>

#include "base/alloc.h"

size_t mdf_json_mark(const char *bytes, size_t len)
{
    return len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

static bool is_of(const char *set, char c)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* Bytes of the string that begins at bytes[0] = '"', with its quotes; len if it has no end. */
static size_t string_len(const char *bytes, size_t len)
{
    for (size_t i = 1; i < len; i++) {
        if (bytes[i] == '"') {
            return i + 1;
        }
        i += bytes[i] == '\\' ? 1 : 0;
    }
    return len;
}

/* Bytes of the number at bytes[0]; *wide: it is a whole one that jansson has no room for. */
static size_t number_len(const char *bytes, size_t len, bool *wide)
{
    static const char most[] = "9223372036854775807";
    const size_t room = sizeof most - 1;
    const size_t sign = bytes[0] == '-' ? 1 : 0;
    bool whole = true;
    size_t n = 1;
    for (; n < len && is_of("0123456789+-.eE", bytes[n]); n++) {
        whole = whole && is_of("0123456789", bytes[n]);
    }
    const size_t digits = n - sign;
    *wide = whole && (digits > room || (digits == room && memcmp(bytes + sign, most, room) > 0));
    return n;
}

/* The same text with ".0" behind every whole number of more than 64 bits; NULL without memory. */
static char *with_fractions(const char *bytes, size_t len, size_t *out_len)
{
    char *out = mdf_alloc_raw(len + len / 8 + 1); /* 2 more for 19 digits */
    size_t n = 0;
    for (size_t i = 0; out != NULL && i < len;) {
        size_t part = 1;
        bool wide = false;
        if (bytes[i] == '"') {
            part = string_len(bytes + i, len - i);
        } else if (is_of("-0123456789", bytes[i])) {
            part = number_len(bytes + i, len - i, &wide);
        }
        memcpy(out + n, bytes + i, part);
        n += part;
        i += part;
        if (wide) {
            memcpy(out + n, ".0", 2);
            n += 2;
        }
    }
    *out_len = n;
    return out;
}

struct json_t *mdf_json_load(const char *bytes, size_t len, size_t flags,
                             struct json_error_t *where)
{
    const size_t mark = len > 0 ? mdf_json_mark(bytes, len) : 0;
    const char *text = len > mark ? bytes + mark : "";
    json_t *root = json_loadb(text, len - mark, flags, where);
    if (root == NULL && json_error_code(where) == json_error_numeric_overflow) {
        size_t n = 0;
        char *other = with_fractions(text, len - mark, &n);
        root = other != NULL ? json_loadb(other, n, flags, where) : NULL;
        mdf_free(other);
    }
    where->position += root == NULL && where->position >= 0 ? (int)mark : 0;
    return root;
}
