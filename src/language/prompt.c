/* Prompts and the prefix tree of the labels. */
#include "language/prompt.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "language/marked.h"

enum { FRAME_SPECIALS = 6 };

/* What stands around a text. Specials are NULL where the form has none. */
typedef struct frame {
    const char *begin;        /* of the whole */
    const char *open, *close; /* around a role's name */
    const char *behind_role;  /* text */
    const char *end;          /* of a turn */
    const char *behind_turn;  /* text */
} frame;

static const frame frames[] = {
    {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "\n\n", "<|eot_id|>", ""},
    {NULL, "<|im_start|>", NULL, "\n", "<|im_end|>", "\n"},
};

enum { FRAMES = sizeof frames / sizeof frames[0] };

/* The form whose headers the tokenizer knows; Llama 3's if it knows neither. */
static const frame *frame_of(const mdf_tokenizer *t)
{
    for (int i = 0; i < FRAMES; i++) {
        if (mdf_tokenizer_special(t, frames[i].open) >= 0) {
            return &frames[i];
        }
    }
    return &frames[0];
}

mdf_status mdf_prompt_check(const mdf_tokenizer *t, mdf_error *err)
{
    const frame *f = frame_of(t);
    const char *const need[] = {f->begin, f->open, f->close, f->end, MDF_IMAGE_TOKEN};
    for (size_t i = 0; i < sizeof need / sizeof need[0]; i++) {
        if (need[i] != NULL && mdf_tokenizer_special(t, need[i]) < 0) {
            return mdf_fail(err, MDF_ERR_FORMAT, "a prompt needs the token \"%s\"", need[i]);
        }
    }
    return MDF_OK;
}

int32_t mdf_prompt_end(const mdf_tokenizer *t)
{
    return mdf_tokenizer_special(t, frame_of(t)->end);
}

/* The text that is used: missing_text stands for none. */
static const char *text_or_missing(const char *text, const char *missing_text)
{
    if (text != NULL && text[0] != '\0') {
        return text;
    }
    return missing_text != NULL ? missing_text : "";
}

static void put_special(mdf_marked *m, const char *name)
{
    if (name != NULL) {
        mdf_marked_special(m, name);
    }
}

static void put_text(mdf_marked *m, const char *text)
{
    mdf_marked_text(m, text, strlen(text));
}

static void put_header(mdf_marked *m, const frame *f, const char *role)
{
    put_special(m, f->open);
    put_text(m, role);
    put_special(m, f->close);
    put_text(m, f->behind_role);
}

static mdf_marked render(const frame *f, const char *text, int images)
{
    mdf_marked m =
        mdf_marked_new((size_t)MDF_MAX_TEXT_BYTES + 256 + (size_t)images * strlen(MDF_IMAGE_TOKEN));
    put_special(&m, f->begin);
    put_header(&m, f, "user");
    for (int i = 0; i < images; i++) {
        put_special(&m, MDF_IMAGE_TOKEN);
    }
    put_text(&m, text);
    put_special(&m, f->end);
    put_text(&m, f->behind_turn);
    put_header(&m, f, "assistant");
    return m;
}

/* Text of the form itself, in bytes. */
static size_t frame_bytes(const frame *f)
{
    return strlen("user") + strlen("assistant") + 2 * strlen(f->behind_role) +
           strlen(f->behind_turn);
}

size_t mdf_prompt_capacity(const mdf_tokenizer *t, const char *text, const char *missing_text)
{
    const frame *f = frame_of(t);
    const size_t bytes = strlen(text_or_missing(text, missing_text)) + frame_bytes(f);
    return FRAME_SPECIALS + 1 + mdf_tokenizer_most(t, bytes);
}

mdf_status mdf_prompt_build(const mdf_tokenizer *t, int32_t *token, size_t capacity, size_t *count,
                            int32_t *image_at, const char *text, const char *missing_text,
                            int images, mdf_error *err)
{
    *count = 0;
    *image_at = -1;
    const char *used = text_or_missing(text, missing_text);
    const size_t bytes = strlen(used);
    if (bytes > MDF_MAX_TEXT_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the text has %zu bytes, more than the limit of %d",
                        bytes, MDF_MAX_TEXT_BYTES);
    }
    mdf_marked m = render(frame_of(t), used, images);
    const mdf_status status = mdf_marked_encode(&m, t, token, capacity, count, err);
    mdf_marked_free(&m);
    MDF_TRY(status);
    const int32_t image = images > 0 ? mdf_tokenizer_special(t, MDF_IMAGE_TOKEN) : -1;
    for (size_t i = 0; images > 0 && *image_at < 0; i++) {
        *image_at = token[i] == image ? (int32_t)i : -1; /* is there: no text makes a special */
    }
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

/* Encodes labels one after the other. */
typedef struct label_coder {
    const mdf_tokenizer *t;
    const frame *f;
    int32_t *behind; /* [behind_count] tokens of the text that the prompt ends with */
    int32_t *both;   /* the same with the label behind it */
    size_t behind_count, room;
    char text[MDF_MAX_LABEL_BYTES + 64];
    int32_t end; /* of turn */
} label_coder;

/* The text behind the prompt's last special token. */
static size_t last_text(const label_coder *c, char *out)
{
    const char *role = c->f->close == NULL ? "assistant" : "";
    const size_t n = strlen(role);
    memcpy(out, role, n);
    memcpy(out + n, c->f->behind_role, strlen(c->f->behind_role));
    return n + strlen(c->f->behind_role);
}

static void coder_free(label_coder *c)
{
    mdf_free(c->behind);
    mdf_free(c->both);
}

static mdf_status coder_new(label_coder *c, const mdf_tokenizer *t, mdf_error *err)
{
    *c = (label_coder){.t = t, .f = frame_of(t)};
    c->room = mdf_tokenizer_most(t, sizeof c->text);
    c->end = mdf_tokenizer_special(t, c->f->end);
    c->behind = mdf_alloc(c->room, sizeof *c->behind);
    c->both = mdf_alloc(c->room, sizeof *c->both);
    if (c->behind == NULL || c->both == NULL) {
        coder_free(c);
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the labels");
    }
    const size_t n = last_text(c, c->text);
    const mdf_status status = mdf_tokenizer_encode(t, c->text, n, MDF_ENCODE_PLAIN, c->behind,
                                                   c->room, &c->behind_count, err);
    if (status != MDF_OK) {
        coder_free(c);
    }
    return status;
}

/* *token points into c. */
static mdf_status encode_label(label_coder *c, const char *label, const int32_t **token,
                               size_t *count, mdf_error *err)
{
    const size_t before = last_text(c, c->text);
    const size_t len = strlen(label);
    memcpy(c->text + before, label, len);
    MDF_TRY(mdf_tokenizer_encode(c->t, c->text, before + len, MDF_ENCODE_PLAIN, c->both, c->room,
                                 count, err));
    if (*count > c->behind_count &&
        memcmp(c->both, c->behind, c->behind_count * sizeof *c->both) == 0) {
        *token = c->both + c->behind_count;
        *count -= c->behind_count;
        return MDF_OK;
    }
    *token = c->both;
    return mdf_tokenizer_encode(c->t, label, len, MDF_ENCODE_PLAIN, c->both, c->room, count, err);
}

static void add_label(mdf_label_tree *t, int32_t *parent_of, const int32_t *token, size_t count,
                      int32_t end)
{
    int32_t at = t->offset[t->labels];
    int32_t node = -1;
    for (size_t i = 0; i < count; i++, at++) {
        t->source[at] = node;
        t->target[at] = token[i];
        node = child(t, parent_of, node, token[i]);
    }
    t->source[at] = node;
    t->target[at] = end;
    t->offset[++t->labels] = at + 1;
}

/* The end of the label that was added last must not be that of another. */
static mdf_status check_end(const mdf_label_tree *t, const char *const *labels, mdf_error *err)
{
    const int64_t last = t->labels - 1;
    const int32_t node = t->source[t->offset[last + 1] - 1];
    if (node < 0) {
        return mdf_fail(err, MDF_ERR_ARG, "label \"%s\" has no tokens", labels[last]);
    }
    for (int64_t k = 0; k < last; k++) {
        if (t->source[t->offset[k + 1] - 1] == node) {
            return mdf_fail(err, MDF_ERR_ARG, "labels \"%s\" and \"%s\" have the same tokens",
                            labels[k], labels[last]);
        }
    }
    return MDF_OK;
}

static mdf_status fill_mask(mdf_label_tree *t, const int32_t *parent_of, mdf_error *err)
{
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

static mdf_status fill_tree(mdf_label_tree *t, int32_t *parent_of, label_coder *c,
                            const char *const *labels, int count, mdf_error *err)
{
    for (int k = 0; k < count; k++) {
        const int32_t *token = NULL;
        size_t tokens = 0;
        MDF_TRY(encode_label(c, labels[k], &token, &tokens, err));
        add_label(t, parent_of, token, tokens, c->end);
        MDF_TRY(check_end(t, labels, err));
        if (t->nodes > MDF_MAX_TREE) {
            return mdf_fail(err, MDF_ERR_LIMIT,
                            "the labels' tree has more tokens than the limit of %d; use fewer or "
                            "shorter labels",
                            MDF_MAX_TREE);
        }
    }
    return fill_mask(t, parent_of, err);
}

mdf_status mdf_label_tree_new(mdf_label_tree **out, const mdf_tokenizer *tokenizer,
                              const char *const *labels, int count, mdf_error *err)
{
    *out = NULL;
    size_t bytes = 0;
    label_coder coder;
    MDF_TRY(check_labels(labels, count, &bytes, err));
    MDF_TRY(coder_new(&coder, tokenizer, err));
    const size_t most = mdf_tokenizer_most(tokenizer, bytes);
    const size_t tokens = most + (size_t)count; /* every label and its end */
    mdf_label_tree *t = mdf_alloc(1, sizeof *t);
    int32_t *parent_of = mdf_alloc(most, sizeof *parent_of);
    mdf_status status = MDF_ERR_NOMEM;
    if (t != NULL) {
        t->tokenizer = tokenizer;
        t->token = mdf_alloc(most, sizeof *t->token);
        t->depth = mdf_alloc(most, sizeof *t->depth);
        t->offset = mdf_alloc((size_t)count + 1, sizeof *t->offset);
        t->source = mdf_alloc(tokens, sizeof *t->source);
        t->target = mdf_alloc(tokens, sizeof *t->target);
    }
    if (t == NULL || parent_of == NULL || t->token == NULL || t->depth == NULL ||
        t->offset == NULL || t->source == NULL || t->target == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the labels' tree");
    } else {
        status = fill_tree(t, parent_of, &coder, labels, count, err);
    }
    mdf_free(parent_of);
    coder_free(&coder);
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
