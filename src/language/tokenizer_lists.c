/* Vocabulary and merges of tokenizer.json without a tree. */
#include "language/tokenizer_lists.h"

#include <string.h>

typedef struct cursor {
    const uint8_t *data;
    size_t at, end;
    char *room; /* for strings with escapes: as many bytes as are left at the first */
    size_t room_used;
    mdf_arena *arena;
    mdf_error *err;
} cursor;

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next byte that is no white space; 0 at the end. */
static uint8_t peek(cursor *c)
{
    while (c->at < c->end && is_blank(c->data[c->at])) {
        c->at++;
    }
    return c->at < c->end ? c->data[c->at] : 0;
}

static bool take(cursor *c, uint8_t want)
{
    if (peek(c) != want) {
        return false;
    }
    c->at++;
    return true;
}

/* From behind the opening quote to behind the closing one. */
static bool skip_string(cursor *c)
{
    while (c->at < c->end) {
        const uint8_t b = c->data[c->at++];
        if (b == '"') {
            return true;
        }
        c->at += b == '\\' ? 1 : 0;
    }
    return false;
}

static bool skip_scalar(cursor *c)
{
    const size_t start = c->at;
    while (c->at < c->end && !is_blank(c->data[c->at]) && strchr(",]}", c->data[c->at]) == NULL) {
        c->at++;
    }
    return c->at > start;
}

/* Over one value; brackets are counted, not matched by kind: whoever reads the rest does that. */
static bool skip_value(cursor *c)
{
    size_t depth = 0;
    const uint8_t first = peek(c);
    if (first == 0) {
        return false;
    }
    if (first != '"' && first != '{' && first != '[') {
        return skip_scalar(c);
    }
    static const bool matters[256] = {
        ['"'] = true, ['{'] = true, ['}'] = true, ['['] = true, [']'] = true};
    while (c->at < c->end) {
        const uint8_t b = c->data[c->at++];
        if (!matters[b]) {
            continue;
        }
        if (b == '"') {
            if (!skip_string(c)) {
                return false;
            }
        } else if (b == '{' || b == '[') {
            depth++;
        } else if (b == '}' || b == ']') {
            depth--;
        }
        if (depth == 0) {
            return true;
        }
    }
    return false;
}

static bool key_is(const cursor *c, mdf_json_part key, const char *name)
{
    return key.len == strlen(name) && memcmp(c->data + key.at, name, key.len) == 0;
}

/* A member's key (between its quotes), with the cursor at the value; false at the end. */
static bool next_key(cursor *c, mdf_json_part *key)
{
    (void)take(c, ',');
    if (!take(c, '"')) {
        return false;
    }
    key->at = c->at;
    if (!skip_string(c)) {
        return false;
    }
    key->len = c->at - 1 - key->at;
    return take(c, ':');
}

static bool find_in_model(cursor *c, mdf_json_part *vocab, mdf_json_part *merges)
{
    mdf_json_part key;
    while (next_key(c, &key)) {
        const uint8_t first = peek(c);
        const size_t start = c->at;
        if (!skip_value(c)) {
            return false;
        }
        const mdf_json_part value = {start, c->at - start};
        if (vocab->len == 0 && first == '{' && key_is(c, key, "vocab")) {
            *vocab = value;
        } else if (merges->len == 0 && first == '[' && key_is(c, key, "merges")) {
            *merges = value;
        }
    }
    return take(c, '}');
}

void mdf_tokenizer_find_lists(const uint8_t *data, size_t len, mdf_json_part *vocab,
                              mdf_json_part *merges)
{
    *vocab = *merges = (mdf_json_part){0, 0};
    cursor c = {.data = data, .end = len};
    mdf_json_part key;
    bool whole = take(&c, '{');
    while (whole && next_key(&c, &key)) {
        if (key_is(&c, key, "model") && vocab->len == 0 && take(&c, '{')) {
            whole = find_in_model(&c, vocab, merges);
        } else {
            whole = skip_value(&c);
        }
    }
    if (!whole || !take(&c, '}')) {
        *vocab = *merges = (mdf_json_part){0, 0};
    }
}

static mdf_status bad(const cursor *c, const char *what)
{
    return mdf_fail_at(c->err, MDF_ERR_FORMAT, c->at, "byte %zu: %s", c->at, what);
}

static int hex_digit(uint8_t b)
{
    if (b >= '0' && b <= '9') {
        return b - '0';
    }
    if ((b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F')) {
        return (b | 0x20) - 'a' + 10;
    }
    return -1;
}

/* Four hexadecimal digits; -1 for anything else. */
static long hex4(cursor *c)
{
    if (c->end - c->at < 4) {
        return -1;
    }
    long value = 0;
    for (int i = 0; i < 4; i++) {
        const int digit = hex_digit(c->data[c->at + (size_t)i]);
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    c->at += 4;
    return value;
}

static char *put_utf8(char *out, unsigned long u)
{
    if (u < 0x80) {
        *out++ = (char)u;
    } else if (u < 0x800) {
        *out++ = (char)(0xC0 | (u >> 6));
        *out++ = (char)(0x80 | (u & 63));
    } else if (u < 0x10000) {
        *out++ = (char)(0xE0 | (u >> 12));
        *out++ = (char)(0x80 | ((u >> 6) & 63));
        *out++ = (char)(0x80 | (u & 63));
    } else {
        *out++ = (char)(0xF0 | (u >> 18));
        *out++ = (char)(0x80 | ((u >> 12) & 63));
        *out++ = (char)(0x80 | ((u >> 6) & 63));
        *out++ = (char)(0x80 | (u & 63));
    }
    return out;
}

/* \uXXXX, of which a high surrogate needs a low one behind it. NULL if it is none. */
static char *put_unicode(cursor *c, char *out)
{
    long u = hex4(c);
    if (u >= 0xD800 && u < 0xDC00) {
        if (c->end - c->at < 2 || c->data[c->at] != '\\' || c->data[c->at + 1] != 'u') {
            return NULL;
        }
        c->at += 2;
        const long low = hex4(c);
        if (low < 0xDC00 || low > 0xDFFF) {
            return NULL;
        }
        u = 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00);
    } else if (u < 0 || (u >= 0xDC00 && u <= 0xDFFF)) {
        return NULL;
    }
    return put_utf8(out, (unsigned long)u);
}

static char *put_escape(cursor *c, char *out)
{
    static const char name[] = "\"\\/bfnrt";
    static const char value[] = "\"\\/\b\f\n\r\t";
    if (c->at == c->end) {
        return NULL;
    }
    const uint8_t b = c->data[c->at++];
    if (b == 'u') {
        return put_unicode(c, out);
    }
    const char *found = b == 0 ? NULL : strchr(name, b);
    if (found == NULL) {
        return NULL;
    }
    *out++ = value[found - name];
    return out;
}

/* A string with escapes, from start (behind its quote): decoded, it never gets longer. */
static mdf_status read_escaped(cursor *c, size_t start, mdf_text_view *out)
{
    if (c->room == NULL) {
        c->room = mdf_arena_alloc(c->arena, c->end - start, 1);
        if (c->room == NULL) {
            return mdf_fail(c->err, MDF_ERR_NOMEM, "out of memory for the tokens");
        }
    }
    char *const begin = c->room + c->room_used;
    char *at = begin;
    c->at = start;
    while (c->at < c->end && c->data[c->at] != '"') {
        const uint8_t b = c->data[c->at];
        if (b < 0x20) {
            return bad(c, "a control character in a string");
        }
        c->at++;
        if (b != '\\') {
            *at++ = (char)b;
            continue;
        }
        at = put_escape(c, at);
        if (at == NULL) {
            return bad(c, "an escape that JSON does not know");
        }
    }
    if (!take(c, '"')) {
        return bad(c, "a string without an end");
    }
    *out = (mdf_text_view){begin, (size_t)(at - begin)};
    c->room_used += out->len;
    return MDF_OK;
}

static mdf_status read_string(cursor *c, mdf_text_view *out)
{
    if (!take(c, '"')) {
        return bad(c, "expected a string");
    }
    const size_t start = c->at;
    while (c->at < c->end) {
        const uint8_t b = c->data[c->at];
        if (b == '"') {
            *out = (mdf_text_view){(const char *)c->data + start, c->at - start};
            c->at++;
            return MDF_OK;
        }
        if (b == '\\') {
            return read_escaped(c, start, out);
        }
        if (b < 0x20) {
            return bad(c, "a control character in a string");
        }
        c->at++;
    }
    return bad(c, "a string without an end");
}

static mdf_status read_id(cursor *c, size_t *id)
{
    const uint8_t first = peek(c);
    size_t value = 0;
    const size_t start = c->at;
    while (c->at < c->end && c->data[c->at] >= '0' && c->data[c->at] <= '9') {
        value = value > MDF_MAX_VOCAB ? value : value * 10 + (size_t)(c->data[c->at] - '0');
        c->at++;
    }
    if (c->at == start || (first == '0' && c->at > start + 1)) {
        return bad(c, "a token's id must be a whole number");
    }
    if (value >= MDF_MAX_VOCAB) {
        return mdf_fail_at(c->err, MDF_ERR_LIMIT, start,
                           "model.vocab: id %.*s is above the limit of %zu",
                           (int)(c->at - start > 20 ? 20 : c->at - start),
                           (const char *)c->data + start, MDF_MAX_VOCAB - 1);
    }
    *id = value;
    return MDF_OK;
}

/* Ids come in any order, so that the table grows with the largest. */
static mdf_status put_token(mdf_tokenizer_spec *s, mdf_text_view **table, size_t *room, size_t id,
                            mdf_text_view text, mdf_error *err)
{
    if (text.len > MDF_MAX_TOKEN_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "model.vocab: token \"%.20s...\" has %zu bytes, more than the limit of %d",
                        text.text, text.len, MDF_MAX_TOKEN_BYTES);
    }
    if (id >= *room) {
        size_t want = *room < 1024 ? 1024 : *room * 2;
        want = want <= id ? id + 1 : want;
        mdf_text_view *grown = mdf_arena_zalloc(&s->arena, want, sizeof *grown);
        if (grown == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the tokens");
        }
        if (*room > 0) {
            memcpy(grown, *table, *room * sizeof *grown);
        }
        *table = grown;
        *room = want;
    }
    if ((*table)[id].text != NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "model.vocab: id %zu is that of \"%.*s\" and of \"%.*s\"", id,
                        (int)(*table)[id].len, (*table)[id].text, (int)text.len, text.text);
    }
    (*table)[id] = text;
    s->token_count = id >= s->token_count ? id + 1 : s->token_count;
    return MDF_OK;
}

mdf_status mdf_tokenizer_read_vocab(mdf_tokenizer_spec *spec, const uint8_t *data,
                                    mdf_json_part part, mdf_error *err)
{
    cursor c = {
        .data = data, .at = part.at, .end = part.at + part.len, .arena = &spec->arena, .err = err};
    mdf_text_view *table = NULL;
    size_t room = 0;
    spec->token_count = 0;
    bool more = take(&c, '{') && peek(&c) != '}';
    while (more) {
        mdf_text_view text;
        size_t id = 0;
        MDF_TRY(read_string(&c, &text));
        if (!take(&c, ':')) {
            return bad(&c, "model.vocab: expected a colon");
        }
        MDF_TRY(read_id(&c, &id));
        MDF_TRY(put_token(spec, &table, &room, id, text, err));
        more = take(&c, ',');
    }
    if (!take(&c, '}') || c.at != c.end) {
        return bad(&c, "model.vocab: expected a comma or the end of the vocabulary");
    }
    spec->token = table;
    return MDF_OK;
}

bool mdf_merge_split(mdf_merge_view *out, mdf_text_view both)
{
    const char *blank = both.len == 0 ? NULL : memchr(both.text, ' ', both.len);
    if (blank == NULL) {
        return false;
    }
    const size_t left = (size_t)(blank - both.text);
    const size_t right = both.len - left - 1;
    if (left == 0 || right == 0 || memchr(blank + 1, ' ', right) != NULL) {
        return false;
    }
    *out = (mdf_merge_view){{both.text, left}, {blank + 1, right}};
    return true;
}

static mdf_status read_merge(cursor *c, size_t rank, mdf_merge_view *out)
{
    if (peek(c) == '"') {
        mdf_text_view both;
        MDF_TRY(read_string(c, &both));
        if (!mdf_merge_split(out, both)) {
            return mdf_fail_at(c->err, MDF_ERR_FORMAT, c->at,
                               "model.merges: merge %zu, \"%.*s\", is not two tokens with one "
                               "blank between them",
                               rank, (int)(both.len > 80 ? 80 : both.len), both.text);
        }
        return MDF_OK;
    }
    if (!take(c, '[')) {
        return bad(c, "model.merges: expected \"a b\" or [\"a\", \"b\"]");
    }
    MDF_TRY(read_string(c, &out->left));
    if (!take(c, ',')) {
        return bad(c, "model.merges: a merge has two tokens");
    }
    MDF_TRY(read_string(c, &out->right));
    if (!take(c, ']')) {
        return bad(c, "model.merges: a merge has two tokens");
    }
    return MDF_OK;
}

/* A merge takes at least five bytes ("a b", with its comma and quotes), so that no file makes the
 * table larger than a few times itself. */
mdf_status mdf_tokenizer_read_merges(mdf_tokenizer_spec *spec, const uint8_t *data,
                                     mdf_json_part part, mdf_error *err)
{
    cursor c = {
        .data = data, .at = part.at, .end = part.at + part.len, .arena = &spec->arena, .err = err};
    const size_t most = part.len / 5 < MDF_MAX_MERGES ? part.len / 5 : MDF_MAX_MERGES;
    mdf_merge_view *merge = mdf_arena_alloc(&spec->arena, most + 1, sizeof *merge);
    if (merge == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the merges");
    }
    spec->merge_count = 0;
    bool more = take(&c, '[') && peek(&c) != ']';
    while (more) {
        if (spec->merge_count == MDF_MAX_MERGES) {
            return mdf_fail(err, MDF_ERR_LIMIT, "model.merges: more than the limit of %zu",
                            MDF_MAX_MERGES);
        }
        MDF_TRY(read_merge(&c, spec->merge_count, &merge[spec->merge_count]));
        spec->merge_count++;
        more = take(&c, ',');
    }
    if (!take(&c, ']') || c.at != c.end) {
        return bad(&c, "model.merges: expected a comma or the end of the list");
    }
    spec->merge = merge;
    return MDF_OK;
}
