/* Added tokens, sorted by content: the tokens that share a beginning stand together, so that the
 * longest one that a text begins with is found by narrowing a range byte by byte. */
#include "language/added.h"

#include <stdlib.h>
#include <string.h>

static int compare_bytes(mdf_text_view a, mdf_text_view b)
{
    const int d = memcmp(a.text, b.text, a.len < b.len ? a.len : b.len);
    if (d != 0) {
        return d;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int compare_tokens(const void *x, const void *y)
{
    const mdf_added_token *a = x;
    const mdf_added_token *b = y;
    if (a->normalized != b->normalized) {
        return a->normalized ? 1 : -1;
    }
    return compare_bytes(a->content, b->content);
}

mdf_status mdf_added_new(mdf_added *out, const mdf_added_token *token, size_t count,
                         mdf_arena *arena, mdf_error *err)
{
    *out = (mdf_added){.count = count, .lowest_id = INT32_MAX};
    out->token = mdf_arena_alloc(arena, count, sizeof *out->token);
    if (out->token == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the added tokens");
    }
    for (size_t i = 0; i < count; i++) {
        mdf_added_token *t = &out->token[i];
        *t = token[i];
        t->content.text = mdf_arena_strndup(arena, token[i].content.text, token[i].content.len);
        if (t->content.text == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the added tokens");
        }
        out->pass_start[1] += t->normalized ? 0 : 1;
        out->lowest_id = t->id < out->lowest_id ? t->id : out->lowest_id;
        out->first[t->normalized ? 1 : 0][(uint8_t)t->content.text[0]] = true;
    }
    out->pass_start[2] = count;
    if (count > 0) {
        qsort(out->token, count, sizeof *out->token, compare_tokens);
    }
    for (size_t i = 1; i < count; i++) {
        const mdf_text_view content = out->token[i].content;
        if (compare_tokens(&out->token[i - 1], &out->token[i]) == 0) {
            return mdf_fail(err, MDF_ERR_FORMAT, "added_tokens: \"%.*s\" is there twice",
                            (int)(content.len > 80 ? 80 : content.len), content.text);
        }
    }
    return MDF_OK;
}

/* First token of [low, high) whose byte at this depth is at least `byte`; all are longer. */
static size_t lower_bound(const mdf_added *a, size_t low, size_t high, size_t depth, int byte)
{
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if ((uint8_t)a->token[middle].content.text[depth] < byte) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const mdf_added_token *mdf_added_match(const mdf_added *a, int pass, const uint8_t *text,
                                       size_t len)
{
    size_t low = a->pass_start[pass];
    size_t high = a->pass_start[pass + 1];
    const mdf_added_token *best = NULL;
    if (len == 0 || !a->first[pass][text[0]]) {
        return NULL;
    }
    for (size_t depth = 0; low < high; depth++) {
        if (a->token[low].content.len == depth) { /* sorts before those that go on */
            best = &a->token[low++];
        }
        if (depth == len) {
            break;
        }
        low = lower_bound(a, low, high, depth, text[depth]);
        high = lower_bound(a, low, high, depth, text[depth] + 1);
    }
    return best;
}

const mdf_added_token *mdf_added_find(const mdf_added *a, const char *content)
{
    const size_t len = strlen(content);
    for (size_t i = 0; i < a->count; i++) {
        const mdf_text_view t = a->token[i].content;
        if (t.len == len && memcmp(t.text, content, len) == 0) {
            return &a->token[i];
        }
    }
    return NULL;
}

const mdf_added_token *mdf_added_by_id(const mdf_added *a, int32_t id)
{
    for (size_t i = 0; id >= a->lowest_id && i < a->count; i++) {
        if (a->token[i].id == id) {
            return &a->token[i];
        }
    }
    return NULL;
}
