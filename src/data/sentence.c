/* Where sentences end, and texts without some of them. */
#include "data/sentence.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_stop(char c)
{
    return c == '.' || c == '!' || c == '?' || c == ';';
}

static bool is_line_break(char c)
{
    return c == '\n' || c == '\r';
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
    while (at < len && is_blank(text[at])) {
        at++;
    }
    return at;
}

bool mdf_sentence_next(mdf_sentence *s, const char *text, size_t len)
{
    const size_t begin = skip_blanks(text, len, s->next);
    if (begin >= len) {
        return false;
    }
    size_t end = begin + 1;
    while (end < len && !is_line_break(text[end]) &&
           !(is_stop(text[end - 1]) && is_blank(text[end]))) {
        end++;
    }
    s->next = skip_blanks(text, len, end);
    while (is_blank(text[end - 1])) { /* stops at the latest at the first byte, which is none */
        end--;
    }
    s->begin = begin;
    s->len = end - begin;
    return true;
}

size_t mdf_sentence_drop(char *out, const char *text, size_t len, mdf_sentence_goes *goes,
                         void *user)
{
    mdf_sentence s = {0};
    size_t left = 0;
    size_t from = 0; /* blanks before the first sentence stay with it */
    bool gone = false;
    while (mdf_sentence_next(&s, text, len)) {
        if (goes(user, text + s.begin, s.len)) {
            gone = true;
        } else {
            memmove(out + left, text + from, s.next - from);
            left += s.next - from;
        }
        from = s.next;
    }
    if (from == 0) { /* no sentence: nothing, or blanks alone */
        memmove(out, text, len);
        return len;
    }
    while (gone && left > 0 && is_blank(out[left - 1])) {
        left--;
    }
    return left;
}
