/* Text -> pieces. */
#include "language/pretoken.h"

#include <string.h>

#include "base/alloc.h"
#include "base/pcre.h"

/* GPT-2's own pattern, which ByteLevel uses. */
static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
    "|\\s+(?!\\S)|\\s+";

/* Backtracking that no pattern of a tokenizer needs; a text of one letter 64 MB long needs none. */
enum { MATCH_LIMIT = 200000000 };

typedef struct pre_step {
    pcre2_code *code; /* NULL = the text is one piece */
    bool prefix_space;
} pre_step;

struct mdf_pretoken {
    pcre2_general_context *memory;
    pcre2_match_context *match;
    pre_step step[MDF_MAX_PRE_STEPS];
    int count;
};

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the pre-tokenizer");
}

static mdf_status compile_text(mdf_pretoken *p, pcre2_code **out, const mdf_strbuf *text,
                               mdf_error *err)
{
    int code = 0;
    size_t at = 0;
    uint32_t empty = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(p->memory);
    if (context == NULL) {
        return no_memory(err);
    }
    *out = pcre2_compile((PCRE2_SPTR)(text->data != NULL ? text->data : ""), text->len,
                         PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &at, context);
    pcre2_compile_context_free(context);
    if (*out == NULL) {
        PCRE2_UCHAR why[128] = {0};
        (void)pcre2_get_error_message(code, why, sizeof why);
        return mdf_fail(err, mdf_pcre_no_memory(code) ? MDF_ERR_NOMEM : MDF_ERR_FORMAT,
                        "pre_tokenizer: the pattern is not valid: %s", (const char *)why);
    }
    (void)pcre2_pattern_info(*out, PCRE2_INFO_MATCHEMPTY, &empty);
    if (empty != 0) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "pre_tokenizer: a pattern that fits nothing at all is not supported");
    }
    /* Where memory may not be executable the interpreter does the same, slower. */
    (void)pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE);
    return MDF_OK;
}

static mdf_status compile(mdf_pretoken *p, pcre2_code **out, mdf_text_view pattern, mdf_error *err)
{
    mdf_strbuf text = mdf_strbuf_new(64 * (size_t)MDF_MAX_PATTERN_BYTES);
    mdf_status status = mdf_pretoken_translate(&text, pattern, err);
    if (status == MDF_OK) {
        status = compile_text(p, out, &text, err);
    }
    mdf_strbuf_free(&text);
    return status;
}

static mdf_status add_step(mdf_pretoken *p, const mdf_pre_step *from, mdf_error *err)
{
    pre_step *s = &p->step[p->count++];
    if (from->kind == MDF_PRE_SPLIT) {
        return compile(p, &s->code, from->pattern, err);
    }
    s->prefix_space = from->prefix_space;
    if (from->use_regex) {
        return compile(p, &s->code, (mdf_text_view){gpt2_pattern, sizeof gpt2_pattern - 1}, err);
    }
    return MDF_OK;
}

mdf_status mdf_pretoken_new(mdf_pretoken **out, const mdf_tokenizer_spec *spec, mdf_error *err)
{
    *out = NULL;
    mdf_pretoken *p = mdf_alloc(1, sizeof *p);
    if (p == NULL) {
        return no_memory(err);
    }
    p->memory = mdf_pcre_memory();
    p->match = p->memory == NULL ? NULL : pcre2_match_context_create(p->memory);
    mdf_status status = p->match == NULL ? no_memory(err) : MDF_OK;
    if (status == MDF_OK) {
        (void)pcre2_set_match_limit(p->match, MATCH_LIMIT);
    }
    for (int i = 0; status == MDF_OK && i < spec->pre_count; i++) {
        status = add_step(p, &spec->pre[i], err);
    }
    if (status != MDF_OK) {
        mdf_pretoken_free(p);
        return status;
    }
    *out = p;
    return MDF_OK;
}

void mdf_pretoken_free(mdf_pretoken *p)
{
    if (p == NULL) {
        return;
    }
    for (int i = 0; i < p->count; i++) {
        pcre2_code_free(p->step[i].code);
    }
    pcre2_match_context_free(p->match);
    pcre2_general_context_free(p->memory);
    mdf_free(p);
}

typedef struct splitter {
    const mdf_pretoken *p;
    pcre2_match_data *data;
    mdf_arena *scratch;
    mdf_piece_sink *sink;
    void *user;
    mdf_error *err;
} splitter;

static mdf_status split(const splitter *s, int level, const uint8_t *text, size_t n);

static mdf_status next_level(const splitter *s, int level, const uint8_t *text, size_t n)
{
    if (level + 1 < s->p->count) {
        return split(s, level + 1, text, n);
    }
    return s->sink(s->user, text, n) ? MDF_OK : no_memory(s->err);
}

/* A step's pieces, each of which goes to the next step: at most MDF_MAX_PRE_STEPS deep. */
static mdf_status split_by(const splitter *s, int level, const uint8_t *text, size_t n)
{
    size_t done = 0;
    while (done < n) {
        const int found = pcre2_match(s->p->step[level].code, text, n, done, PCRE2_NO_UTF_CHECK,
                                      s->data, s->p->match);
        if (found == PCRE2_ERROR_NOMATCH) {
            return next_level(s, level, text + done, n - done);
        }
        const size_t *where = pcre2_get_ovector_pointer(s->data);
        if (found < 0 || where[1] <= done) {
            return found == PCRE2_ERROR_NOMEMORY
                       ? no_memory(s->err)
                       : mdf_fail(s->err, MDF_ERR_LIMIT,
                                  "the pre-tokenizer's pattern takes too many steps on this text");
        }
        const size_t start = where[0];
        const size_t end = where[1];
        if (start > done) {
            MDF_TRY(next_level(s, level, text + done, start - done));
        }
        MDF_TRY(next_level(s, level, text + start, end - start));
        done = end;
    }
    return MDF_OK;
}

static mdf_status split(const splitter *s, int level, const uint8_t *text, size_t n)
{
    const pre_step *step = &s->p->step[level];
    if (step->prefix_space && n > 0 && text[0] != ' ') {
        uint8_t *with = mdf_arena_alloc(s->scratch, n + 1, 1);
        if (with == NULL) {
            return no_memory(s->err);
        }
        with[0] = ' ';
        memcpy(with + 1, text, n);
        text = with;
        n++;
    }
    return step->code == NULL ? next_level(s, level, text, n) : split_by(s, level, text, n);
}

mdf_status mdf_pretoken_split(const mdf_pretoken *p, const uint8_t *text, size_t n,
                              mdf_arena *scratch, mdf_piece_sink *sink, void *user, mdf_error *err)
{
    splitter s = {p, NULL, scratch, sink, user, err};
    if (n == 0) {
        return MDF_OK;
    }
    if (p->count == 0) {
        return sink(user, text, n) ? MDF_OK : no_memory(err);
    }
    s.data = pcre2_match_data_create(1, p->memory);
    if (s.data == NULL) {
        return no_memory(err);
    }
    const mdf_status status = split(&s, 0, text, n);
    pcre2_match_data_free(s.data);
    return status;
}
