/* Left for right, in text. */
#include "photo/laterality.h"

#include <string.h>

typedef struct word_pair {
    const char *a;
    const char *b;
    bool any_case;
} word_pair;

static const word_pair pairs[] = {
    {"left", "right", true}, {"OD", "OS", false}, {"dexter", "sinister", true}};

/* Bytes above 127 belong to letters of other scripts: they are part of a word too. */
static bool is_word_byte(char c)
{
    const unsigned char u = (unsigned char)c;
    return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_' ||
           u >= 0x80;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool same_word(const char *word, size_t n, const char *want, bool any_case)
{
    if (strlen(want) != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if ((any_case ? lower(word[i]) : word[i]) != want[i]) {
            return false;
        }
    }
    return true;
}

static const char *opposite(const char *word, size_t n, bool *any_case)
{
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        *any_case = pairs[i].any_case;
        if (same_word(word, n, pairs[i].a, pairs[i].any_case)) {
            return pairs[i].b;
        }
        if (same_word(word, n, pairs[i].b, pairs[i].any_case)) {
            return pairs[i].a;
        }
    }
    return NULL;
}

/* Every opposite has at least two letters: the first two tell Upper from ALL capitals. */
static void add_in_case_of(mdf_strbuf *out, const char *text, const char *model)
{
    const bool first = model[0] == upper(model[0]);
    const bool rest = model[1] == upper(model[1]);
    for (size_t i = 0; text[i] != '\0'; i++) {
        const bool capital = i == 0 ? first : rest;
        const char c = capital ? upper(text[i]) : text[i];
        mdf_strbuf_add(out, &c, 1);
    }
}

void mdf_text_swap_laterality(const char *in, mdf_strbuf *out)
{
    const char *p = in == NULL ? "" : in;
    while (*p != '\0') {
        size_t n = 0;
        while (is_word_byte(p[n])) {
            n++;
        }
        if (n == 0) {
            mdf_strbuf_add(out, p++, 1);
            continue;
        }
        bool any_case = false;
        const char *swapped = opposite(p, n, &any_case);
        if (swapped == NULL) {
            mdf_strbuf_add(out, p, n);
        } else if (any_case) {
            add_in_case_of(out, swapped, p);
        } else {
            mdf_strbuf_puts(out, swapped);
        }
        p += n;
    }
}
