/* What a tokenizer is made of, whatever file it came from: arrays of strings that are only looked
 * at. tokenizer.json fills one (language/tokenizer_json.h); a GGUF file's arrays can be put in by
 * hand (language/tokenizer_arrays.h). language/tokenizer.h makes the tokenizer. */
#ifndef MDF_LANGUAGE_TOKENIZER_SPEC_H
#define MDF_LANGUAGE_TOKENIZER_SPEC_H

#include "base/arena.h"
#include "base/limits.h"

/* A string that somebody else owns; no NUL at its end. text NULL = there is none. */
typedef struct mdf_text_view {
    const char *text;
    size_t len;
} mdf_text_view;

typedef struct mdf_merge_view {
    mdf_text_view left, right;
} mdf_merge_view;

/* A token that is looked for in the text before anything else. */
typedef struct mdf_added_token {
    mdf_text_view content;
    int32_t id;
    bool special;    /* left alone in a text of a user */
    bool normalized; /* looked for in a second pass, behind the others */
} mdf_added_token;

/* Unicode's normal forms. */
typedef enum mdf_normal_form {
    MDF_NORMAL_NONE,
    MDF_NORMAL_NFC,
    MDF_NORMAL_NFD,
    MDF_NORMAL_NFKC,
    MDF_NORMAL_NFKD
} mdf_normal_form;

typedef enum mdf_pre_kind {
    MDF_PRE_SPLIT,     /* pattern's matches and what lies between them are pieces */
    MDF_PRE_BYTE_LEVEL /* GPT-2's pattern if use_regex; a blank in front if prefix_space */
} mdf_pre_kind;

typedef struct mdf_pre_step {
    mdf_pre_kind kind;
    mdf_text_view pattern; /* MDF_PRE_SPLIT: regular expression in Oniguruma's syntax */
    bool use_regex, prefix_space;
} mdf_pre_step;

/* What the pre-tokenizer Digits takes for one: numbers, and those of Unicode 17 (U+11DE0..U+11DE9,
 * U+16FF4..U+16FF6), which the reference's patterns do not know yet. */
#define MDF_PRE_DIGIT "[\\p{N}\xF0\x91\xB7\xA0-\xF0\x91\xB7\xA9\xF0\x96\xBF\xB4-\xF0\x96\xBF\xB6]"

typedef struct mdf_tokenizer_spec {
    const mdf_text_view
        *token; /* [token_count] by id, in the byte alphabet; text NULL = no token */
    size_t token_count;
    const mdf_merge_view *merge; /* [merge_count] in order of rank */
    size_t merge_count;
    const mdf_added_token *added; /* [added_count] */
    size_t added_count;
    bool ignore_merges;   /* a piece that is a token is never merged together */
    bool has_unknown;     /* a token stands for what has none: refused if a byte has none */
    mdf_normal_form form; /* of texts between the added tokens of the first pass */
    mdf_pre_step pre[MDF_MAX_PRE_STEPS];
    int pre_count;
    int32_t before[4], after[4]; /* the template's tokens around a text */
    int before_count, after_count;
    mdf_arena arena; /* what was not in the caller's bytes */
} mdf_tokenizer_spec;

static inline void mdf_tokenizer_spec_free(mdf_tokenizer_spec *s)
{
    mdf_arena_free(&s->arena);
    *s = (mdf_tokenizer_spec){0};
}

#endif
