/* Prompts of the byte tokenizer and the prefix tree of the labels. */
#include "data/prompt.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

static const char user_role[] = "user";
static const char assistant_role[] = "assistant";
static const char header_end[] = "\n\n";

/* The text that is used: missing_text stands for none. */
static const char *text_or_missing(const char *text, const char *missing_text)
{
    if (text != NULL && text[0] != '\0') {
        return text;
    }
    return missing_text != NULL ? missing_text : "";
}

static size_t header_tokens(const char *role)
{
    return 1 + strlen(role) + 1 + strlen(header_end);
}

/* All but the text: begin of text, two headers, end of turn, and the picture's token. */
static size_t frame_tokens(bool with_image)
{
    return 1 + header_tokens(user_role) + (with_image ? 1 : 0) + 1 + header_tokens(assistant_role);
}

size_t mdf_prompt_capacity(const char *text, const char *missing_text)
{
    return frame_tokens(true) + strlen(text_or_missing(text, missing_text));
}

static int32_t *put_bytes(int32_t *at, const char *s)
{
    for (; *s != '\0'; s++) {
        *at++ = (unsigned char)*s;
    }
    return at;
}

static int32_t *put_header(int32_t *at, const char *role)
{
    *at++ = MDF_TOKEN_START_HEADER;
    at = put_bytes(at, role);
    *at++ = MDF_TOKEN_END_HEADER;
    return put_bytes(at, header_end);
}

mdf_status mdf_prompt_build(int32_t *token, size_t capacity, size_t *count, int32_t *image_at,
                            const char *text, const char *missing_text, bool with_image,
                            int32_t image_token, mdf_error *err)
{
    *count = 0;
    *image_at = -1;
    const char *used = text_or_missing(text, missing_text);
    const size_t bytes = strlen(used);
    if (bytes > MDF_MAX_TEXT_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the text has %zu bytes, more than the limit of %d",
                        bytes, MDF_MAX_TEXT_BYTES);
    }
    const size_t need = frame_tokens(with_image) + bytes;
    if (need > capacity) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the prompt has %zu tokens, but there is room for %zu",
                        need, capacity);
    }
    int32_t *at = token;
    *at++ = MDF_TOKEN_BEGIN_OF_TEXT;
    at = put_header(at, user_role);
    if (with_image) {
        *image_at = (int32_t)(at - token);
        *at++ = image_token;
    }
    at = put_bytes(at, used);
    *at++ = MDF_TOKEN_END_OF_TURN;
    at = put_header(at, assistant_role);
    *count = (size_t)(at - token);
    return MDF_OK;
}

/* Sums the labels' bytes into *total: no tree has more nodes. */
static mdf_status check_labels(const char *const *labels, int count, size_t *total, mdf_error *err)
{
    if (count < 1) {
        return mdf_fail(err, MDF_ERR_ARG, "there are no labels");
    }
    if (count > MDF_MAX_CLASSES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%d labels, more than the limit of %d", count,
                        MDF_MAX_CLASSES);
    }
    *total = 0;
    for (int k = 0; k < count; k++) {
        const size_t len = strlen(labels[k]);
        if (len == 0) {
            return mdf_fail(err, MDF_ERR_ARG, "label %d is empty", k + 1);
        }
        if (len > MDF_MAX_LABEL_BYTES) {
            return mdf_fail(err, MDF_ERR_LIMIT,
                            "label %d (\"%.20s...\") has %zu bytes, more than the limit of %d",
                            k + 1, labels[k], len, MDF_MAX_LABEL_BYTES);
        }
        for (int j = 0; j < k; j++) {
            if (strcmp(labels[j], labels[k]) == 0) {
                return mdf_fail(err, MDF_ERR_ARG, "label \"%s\" is there twice", labels[k]);
            }
        }
        *total += len;
    }
    return MDF_OK;
}

/* The node of this token behind the parent (-1 = the prompt); makes it if it is not there. */
static int32_t child(mdf_label_tree *t, int32_t *parent_of, int32_t parent, int32_t token)
{
    for (int32_t i = parent + 1; i < t->nodes; i++) {
        if (parent_of[i] == parent && t->token[i] == token) {
            return i;
        }
    }
    const int32_t node = (int32_t)t->nodes++;
    parent_of[node] = parent;
    t->token[node] = token;
    t->depth[node] = parent < 0 ? 0 : t->depth[parent] + 1;
    return node;
}

static void add_label(mdf_label_tree *t, int32_t *parent_of, const char *label)
{
    int32_t at = t->offset[t->labels];
    int32_t node = -1;
    for (const char *s = label; *s != '\0'; s++, at++) {
        t->source[at] = node;
        t->target[at] = (unsigned char)*s;
        node = child(t, parent_of, node, (unsigned char)*s);
    }
    t->source[at] = node;
    t->target[at] = MDF_TOKEN_END_OF_TURN;
    t->offset[++t->labels] = at + 1;
}

static mdf_status fill_tree(mdf_label_tree *t, int32_t *parent_of, const char *const *labels,
                            int count, mdf_error *err)
{
    for (int k = 0; k < count; k++) {
        add_label(t, parent_of, labels[k]);
        if (t->nodes > MDF_MAX_TREE) {
            return mdf_fail(err, MDF_ERR_LIMIT,
                            "the labels' tree has more tokens than the limit of %d; use fewer or "
                            "shorter labels",
                            MDF_MAX_TREE);
        }
    }
    const size_t n = (size_t)t->nodes;
    t->mask = mdf_alloc(n * n, 1);
    if (t->mask == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the labels' tree");
    }
    for (size_t i = 0; i < n; i++) {
        for (int32_t j = (int32_t)i; j >= 0; j = parent_of[j]) {
            t->mask[i * n + (size_t)j] = 1;
        }
    }
    return MDF_OK;
}

mdf_status mdf_label_tree_new(mdf_label_tree **out, const char *const *labels, int count,
                              mdf_error *err)
{
    *out = NULL;
    size_t bytes = 0;
    MDF_TRY(check_labels(labels, count, &bytes, err));
    const size_t tokens = bytes + (size_t)count; /* every label and its end */
    mdf_label_tree *t = mdf_alloc(1, sizeof *t);
    int32_t *parent_of = mdf_alloc(bytes, sizeof *parent_of);
    mdf_status status = MDF_ERR_NOMEM;
    if (t != NULL) {
        t->token = mdf_alloc(bytes, sizeof *t->token);
        t->depth = mdf_alloc(bytes, sizeof *t->depth);
        t->offset = mdf_alloc((size_t)count + 1, sizeof *t->offset);
        t->source = mdf_alloc(tokens, sizeof *t->source);
        t->target = mdf_alloc(tokens, sizeof *t->target);
    }
    if (t == NULL || parent_of == NULL || t->token == NULL || t->depth == NULL ||
        t->offset == NULL || t->source == NULL || t->target == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the labels' tree");
    } else {
        status = fill_tree(t, parent_of, labels, count, err);
    }
    mdf_free(parent_of);
    if (status != MDF_OK) {
        mdf_label_tree_free(t);
        return status;
    }
    *out = t;
    return MDF_OK;
}

void mdf_label_tree_free(mdf_label_tree *t)
{
    if (t == NULL) {
        return;
    }
    mdf_free(t->token);
    mdf_free(t->depth);
    mdf_free(t->mask);
    mdf_free(t->offset);
    mdf_free(t->source);
    mdf_free(t->target);
    mdf_free(t);
}
