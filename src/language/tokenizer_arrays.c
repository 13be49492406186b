/* A tokenizer from the arrays of a GGUF file. */
#include "language/tokenizer_arrays.h"

#include <string.h>

#include "language/tokenizer_lists.h"

#define LLAMA3_PATTERN                                                                             \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"                      \
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* What stands before the bytes' alphabet. */
static const struct {
    const char *name;
    const char *pattern; /* NULL: none */
    bool gpt2;           /* GPT-2's pattern comes then */
    bool ignore_merges;
} pre_tokenizers[] = {
    {"llama-bpe", LLAMA3_PATTERN, false, true},
    {"llama3", LLAMA3_PATTERN, false, true},
    {"llama-v3", LLAMA3_PATTERN, false, true},
    {"smollm", MDF_PRE_DIGIT, true, false},
    {"gpt-2", NULL, true, false},
    {"default", NULL, true, false},
};

static mdf_status set_pre(mdf_tokenizer_spec *s, const char *name, mdf_error *err)
{
    name = name == NULL ? "gpt-2" : name;
    for (size_t i = 0; i < sizeof pre_tokenizers / sizeof pre_tokenizers[0]; i++) {
        if (strcmp(pre_tokenizers[i].name, name) != 0) {
            continue;
        }
        const char *pattern = pre_tokenizers[i].pattern;
        if (pattern != NULL) {
            s->pre[s->pre_count++] =
                (mdf_pre_step){.kind = MDF_PRE_SPLIT, .pattern = {pattern, strlen(pattern)}};
        }
        s->pre[s->pre_count++] =
            (mdf_pre_step){.kind = MDF_PRE_BYTE_LEVEL, .use_regex = pre_tokenizers[i].gpt2};
        s->ignore_merges = pre_tokenizers[i].ignore_merges;
        return MDF_OK;
    }
    return mdf_fail(err, MDF_ERR_FORMAT, "tokenizer.ggml.pre: \"%.60s\" is not supported", name);
}

static mdf_status set_merges(mdf_tokenizer_spec *s, const mdf_tokenizer_arrays *a, mdf_error *err)
{
    mdf_merge_view *merge = mdf_arena_alloc(&s->arena, a->merge_count, sizeof *merge);
    if (merge == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the merges");
    }
    for (size_t i = 0; i < a->merge_count; i++) {
        if (!mdf_merge_split(&merge[i], a->merge[i])) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "tokenizer.ggml.merges: merge %zu, \"%.*s\", is not two tokens with "
                            "one blank between them",
                            i, (int)(a->merge[i].len > 80 ? 80 : a->merge[i].len),
                            a->merge[i].text != NULL ? a->merge[i].text : "");
        }
    }
    s->merge = merge;
    s->merge_count = a->merge_count;
    return MDF_OK;
}

static bool is_added(const mdf_tokenizer_arrays *a, size_t i)
{
    return a->type != NULL && a->token[i].len > 0 &&
           (a->type[i] == MDF_GGUF_TOKEN_CONTROL || a->type[i] == MDF_GGUF_TOKEN_USER);
}

static mdf_status set_added(mdf_tokenizer_spec *s, const mdf_tokenizer_arrays *a, mdf_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < a->token_count; i++) {
        count += is_added(a, i) ? 1 : 0;
        if (a->token[i].len > MDF_MAX_TOKEN_BYTES) {
            return mdf_fail(err, MDF_ERR_LIMIT,
                            "tokenizer.ggml.tokens: token %zu has %zu bytes, more than the limit "
                            "of %d",
                            i, a->token[i].len, MDF_MAX_TOKEN_BYTES);
        }
    }
    if (count > MDF_MAX_ADDED_TOKENS) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "tokenizer.ggml.token_type: %zu special tokens, more than the limit of %d",
                        count, MDF_MAX_ADDED_TOKENS);
    }
    mdf_added_token *added = mdf_arena_alloc(&s->arena, count, sizeof *added);
    if (added == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the tokens");
    }
    for (size_t i = 0; i < a->token_count; i++) {
        if (is_added(a, i)) {
            added[s->added_count++] = (mdf_added_token){
                .content = a->token[i],
                .id = (int32_t)i,
                .special = a->type[i] == MDF_GGUF_TOKEN_CONTROL,
            };
        }
    }
    s->added = added;
    return MDF_OK;
}

mdf_status mdf_tokenizer_from_arrays(mdf_tokenizer **out, const mdf_tokenizer_arrays *a,
                                     int32_t image_token, mdf_error *err)
{
    mdf_tokenizer_spec s = {.token = a->token, .token_count = a->token_count};
    *out = NULL;
    if (a->token_count > MDF_MAX_VOCAB || a->merge_count > MDF_MAX_MERGES) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "tokenizer.ggml: %zu tokens and %zu merges, more than the limits of %zu "
                        "and %zu",
                        a->token_count, a->merge_count, MDF_MAX_VOCAB, MDF_MAX_MERGES);
    }
    if (a->begin_token >= 0) {
        s.before[s.before_count++] = a->begin_token;
    }
    MDF_TRY(set_pre(&s, a->pre, err));
    MDF_TRY(mdf_arena_init(&s.arena, 0, 0, err));
    mdf_status status = set_merges(&s, a, err);
    if (status == MDF_OK) {
        status = set_added(&s, a, err);
    }
    if (status == MDF_OK) {
        status = mdf_tokenizer_new(out, &s, image_token, err);
    }
    mdf_tokenizer_spec_free(&s);
    return status;
}
