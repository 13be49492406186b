/* What people and programs write into cells. */
#include "data/cell.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Blanks outside of ASCII, in UTF-8; the first WIDE of them take room. */
static const char *const blanks[] = {"\xC2\xA0",     "\xE2\x80\xAF", "\xE3\x80\x80",
                                     "\xEF\xBB\xBF", "\xE2\x80\x8B", "\xE2\x80\x8C",
                                     "\xE2\x80\x8D", "\xE2\x81\xA0"};
enum { BLANKS = sizeof blanks / sizeof blanks[0], WIDE = 3 };

/* Length of the blank that s begins with; 0 = none. */
static size_t blank_at(const char *s, bool *is_wide)
{
    const unsigned char c = (unsigned char)*s;
    *is_wide = true;
    if (c != '\0' && (c <= ' ' || c == 0x7F)) {
        return 1;
    }
    for (size_t i = 0; c >= 0x80 && i < BLANKS; i++) {
        const size_t n = strlen(blanks[i]);
        if (strncmp(s, blanks[i], n) == 0) {
            *is_wide = i < WIDE;
            return n;
        }
    }
    return 0;
}

size_t mdf_cell_trim(const char **s)
{
    bool is_wide = false;
    for (size_t n = blank_at(*s, &is_wide); n != 0; n = blank_at(*s, &is_wide)) {
        *s += n;
    }
    size_t end = 0; /* of what is no blank */
    for (size_t i = 0; (*s)[i] != '\0';) {
        const size_t n = blank_at(*s + i, &is_wide);
        i += n == 0 ? 1 : n;
        end = n == 0 ? i : end;
    }
    return end;
}

int mdf_cell_missing_word(const char *s)
{
    static const char *const words[MDF_CELL_MISSING_WORDS] = {"nan",  "na", "n/a",  "none",
                                                              "null", "-",  "<na>", "#n/a"};
    const size_t n = mdf_cell_trim(&s);
    for (int i = 0; i < MDF_CELL_MISSING_WORDS; i++) {
        if (strlen(words[i]) == n && strncasecmp(s, words[i], n) == 0) {
            return i;
        }
    }
    return -1;
}

void mdf_cell_fold(char *out, size_t out_bytes, const char *s)
{
    size_t n = 0;
    bool gap = false;
    while (*s != '\0' && n + 2 < out_bytes) {
        bool is_wide = *s == '-' || *s == '_';
        size_t blank = is_wide ? 1 : 0;
        if (blank == 0) {
            blank = blank_at(s, &is_wide);
        }
        if (blank != 0) {
            gap = gap || is_wide;
            s += blank;
            continue;
        }
        if (gap && n != 0) {
            out[n++] = '_';
        }
        gap = false;
        out[n++] = (char)tolower((unsigned char)*s++);
    }
    out[n] = '\0';
}

/* The next byte that is neither blank, hyphen nor underscore; 0 at the end. */
static int next_letter(const char **s)
{
    for (;;) {
        bool is_wide = false;
        const size_t n = **s == '-' || **s == '_' ? 1 : blank_at(*s, &is_wide);
        if (n == 0) {
            break;
        }
        *s += n;
    }
    return **s == '\0' ? 0 : tolower((unsigned char)*(*s)++);
}

bool mdf_cell_alike(const char *a, const char *b)
{
    for (;;) {
        const int x = next_letter(&a);
        if (x != next_letter(&b)) {
            return false;
        }
        if (x == 0) {
            return true;
        }
    }
}

const char *mdf_cell_split(const char *s)
{
    static const char *const names[] = {"train", "val", "valid", "validation", "test"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(s, names[i]) == 0) {
            return names[i];
        }
    }
    return s;
}

bool mdf_cell_is_split(const char *s)
{
    return mdf_cell_split(s) != s;
}
