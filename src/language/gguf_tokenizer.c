/* Arrays of a GGUF file -> tokenizer.json. */
#include "language/gguf_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

/* A pattern with one piece that differs: how many digits stay together. JSON text. */
#define WORDS(digits)                                                                              \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" digits                 \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define SPLIT(digits)                                                                              \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" WORDS(                                         \
        digits) "\"},\"behavior\":\"Isolated\",\"invert\":false}"
#define BYTES(use_regex)                                                                           \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"                    \
    "\"use_regex\":" use_regex "}"
#define TWO(first, second) "{\"type\":\"Sequence\",\"pretokenizers\":[" first "," second "]}"

#define LLAMA3 TWO(SPLIT("\\\\p{N}{1,3}"), BYTES("false"))
#define QWEN2  TWO(SPLIT("\\\\p{N}"), BYTES("false"))
#define DIGITS TWO("{\"type\":\"Digits\",\"individual_digits\":true}", BYTES("true"))
#define GPT2   BYTES("true")

#define NOT_NAMED "tokenizer.ggml.pre names no pre-tokenizer; texts are split as GPT-2 splits them"

typedef struct pre_tokenizer {
    const char *name, *json;
    bool whole; /* a piece that is a token is taken at once; such models begin a text, too */
    const char *remark; /* NULL: none */
} pre_tokenizer;

static const pre_tokenizer pre_tokenizers[] = {
    {"llama-bpe", LLAMA3, true, NULL},  {"llama3", LLAMA3, true, NULL},
    {"llama-v3", LLAMA3, true, NULL},   {"smollm", DIGITS, false, NULL},
    {"starcoder", DIGITS, false, NULL}, {"gpt-2", GPT2, false, NULL},
    {"qwen2", QWEN2, false, NULL},      {"default", GPT2, false, NOT_NAMED},
    {"", GPT2, false, NOT_NAMED},
};

/* For the search by text. */
typedef struct place {
    mdf_gguf_string s;
    size_t id;
} place;

typedef struct maker {
    const mdf_gguf_vocab *v;
    const pre_tokenizer *pre;
    place *sorted; /* [v->tokens] */
    mdf_strbuf *out;
    mdf_error *err;
} maker;

static bool equals(mdf_gguf_string s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.text, text, s.len) == 0;
}

/* Bytes of a string that go into a sentence. */
static int shown(mdf_gguf_string s)
{
    return s.len < 60 ? (int)s.len : 60;
}

static void put_text(mdf_strbuf *out, mdf_gguf_string s)
{
    size_t from = 0;
    mdf_strbuf_puts(out, "\"");
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.text[i];
        if (c == '"' || c == '\\' || c < 0x20) {
            mdf_strbuf_add(out, s.text + from, i - from);
            mdf_strbuf_printf(out, c < 0x20 ? "\\u%04x" : "\\%c", c);
            from = i + 1;
        }
    }
    mdf_strbuf_add(out, s.text + from, s.len - from);
    mdf_strbuf_puts(out, "\"");
}

static int by_text(const void *a, const void *b)
{
    const mdf_gguf_string x = ((const place *)a)->s;
    const mdf_gguf_string y = ((const place *)b)->s;
    const int order = memcmp(x.text, y.text, x.len < y.len ? x.len : y.len);
    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

static bool is_token(const maker *m, mdf_gguf_string s)
{
    const place key = {.s = s};
    return bsearch(&key, m->sorted, m->v->tokens, sizeof key, by_text) != NULL;
}

static mdf_status check_text(const maker *m, const char *key, size_t i, mdf_gguf_string s)
{
    const bool is_text = s.len > 0 && memchr(s.text, 0, s.len) == NULL &&
                         mdf_utf8_check((const uint8_t *)s.text, s.len) == s.len;
    return is_text ? MDF_OK
                   : mdf_fail(m->err, MDF_ERR_FORMAT,
                              "%s: item %zu is empty, has a zero byte or is not UTF-8", key, i);
}

static mdf_status sort_tokens(const maker *m)
{
    static const char key[] = "tokenizer.ggml.tokens";
    const mdf_gguf_vocab *v = m->v;
    for (size_t i = 0; i < v->tokens; i++) {
        MDF_TRY(check_text(m, key, i, v->token[i]));
        m->sorted[i] = (place){v->token[i], i};
    }
    qsort(m->sorted, v->tokens, sizeof *m->sorted, by_text);
    for (size_t i = 1; i < v->tokens; i++) {
        const place *a = &m->sorted[i - 1];
        const place *b = &m->sorted[i];
        if (by_text(a, b) == 0) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "%s: items %zu and %zu are both \"%.*s\"", key,
                            a->id < b->id ? a->id : b->id, a->id < b->id ? b->id : a->id,
                            shown(a->s), a->s.text);
        }
    }
    return MDF_OK;
}

/* Whether the token is looked for in a text before anything else, and whether it is special. */
static bool is_added(const mdf_gguf_vocab *v, size_t i, bool *special)
{
    *special = v->type[i] != MDF_GGUF_TOKEN_USER;
    switch ((mdf_gguf_token_type)v->type[i]) {
    case MDF_GGUF_TOKEN_CONTROL:
    case MDF_GGUF_TOKEN_UNKNOWN:
    case MDF_GGUF_TOKEN_USER:
        return true;
    case MDF_GGUF_TOKEN_NONE:
        return (int64_t)i == v->bos || (int64_t)i == v->eos || (int64_t)i == v->eot ||
               (int64_t)i == v->unknown || (int64_t)i == v->pad;
    case MDF_GGUF_TOKEN_NORMAL:
    case MDF_GGUF_TOKEN_UNUSED:
    case MDF_GGUF_TOKEN_BYTE:
    default:
        return false;
    }
}

static void put_added(const maker *m)
{
    const char *comma = "";
    mdf_strbuf_puts(m->out, "\"added_tokens\":[");
    for (size_t i = 0; i < m->v->tokens; i++) {
        bool special = false;
        if (is_added(m->v, i, &special)) {
            mdf_strbuf_printf(m->out, "%s\n{\"id\":%zu,\"content\":", comma, i);
            put_text(m->out, m->v->token[i]);
            mdf_strbuf_printf(m->out,
                              ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                              "\"normalized\":false,\"special\":%s}",
                              special ? "true" : "false");
            comma = ",";
        }
    }
    mdf_strbuf_puts(m->out, "],\n");
}

static void put_special(const maker *m, int64_t id, int type, const char *before)
{
    mdf_strbuf_printf(m->out, "%s{\"SpecialToken\":{\"id\":", before);
    put_text(m->out, m->v->token[id]);
    mdf_strbuf_printf(m->out, ",\"type_id\":%d}}", type);
}

/* One text of a template, with what goes around it. */
static void put_sequence(const maker *m, bool bos, bool eos, const char *name, int type)
{
    if (bos) {
        put_special(m, m->v->bos, type, "");
    }
    mdf_strbuf_printf(m->out, "%s{\"Sequence\":{\"id\":\"%s\",\"type_id\":%d}}", bos ? "," : "",
                      name, type);
    if (eos) {
        put_special(m, m->v->eos, type, ",");
    }
}

static void put_template_token(const maker *m, int64_t id, const char *before)
{
    mdf_strbuf_puts(m->out, before);
    put_text(m->out, m->v->token[id]);
    mdf_strbuf_puts(m->out, ":{\"id\":");
    put_text(m->out, m->v->token[id]);
    mdf_strbuf_printf(m->out, ",\"ids\":[%lld],\"tokens\":[", (long long)id);
    put_text(m->out, m->v->token[id]);
    mdf_strbuf_puts(m->out, "]}");
}

/* Tokens around every text. Llama 3 begins one unless the file says that it does not. */
static void put_template(const maker *m)
{
    const mdf_gguf_vocab *v = m->v;
    const bool bos = v->bos >= 0 && (v->says_bos ? v->add_bos : m->pre->whole);
    const bool eos = v->eos >= 0 && v->add_eos;
    mdf_strbuf_puts(m->out, "\"post_processor\":");
    if (!bos && !eos) {
        mdf_strbuf_puts(m->out, "null,\n");
        return;
    }
    mdf_strbuf_puts(m->out, "{\"type\":\"TemplateProcessing\",\"single\":[");
    put_sequence(m, bos, eos, "A", 0);
    mdf_strbuf_puts(m->out, "],\"pair\":[");
    put_sequence(m, bos, eos, "A", 0);
    mdf_strbuf_puts(m->out, ",");
    put_sequence(m, bos, eos, "B", 1);
    mdf_strbuf_puts(m->out, "],\"special_tokens\":{");
    if (bos) {
        put_template_token(m, v->bos, "");
    }
    if (eos && !(bos && v->bos == v->eos)) {
        put_template_token(m, v->eos, bos ? "," : "");
    }
    mdf_strbuf_puts(m->out, "}},\n");
}

/* "left right": one blank between two tokens whose sum is one, too. */
static mdf_status check_merge(const maker *m, size_t i, char *joined, size_t room)
{
    const mdf_gguf_string s = m->v->merge[i];
    const char *blank = s.len == 0 ? NULL : memchr(s.text, ' ', s.len);
    MDF_TRY(check_text(m, "tokenizer.ggml.merges", i, s));
    if (blank == NULL || s.len > room) {
        return mdf_fail(m->err, MDF_ERR_FORMAT,
                        "tokenizer.ggml.merges: item %zu, \"%.*s\", is not two tokens with a blank "
                        "between them",
                        i, shown(s), s.text);
    }
    const mdf_gguf_string left = {s.text, (size_t)(blank - s.text)};
    const mdf_gguf_string right = {blank + 1, s.len - left.len - 1};
    memcpy(joined, left.text, left.len);
    memcpy(joined + left.len, right.text, right.len);
    if (!is_token(m, left) || !is_token(m, right) ||
        !is_token(m, (mdf_gguf_string){joined, s.len - 1})) {
        return mdf_fail(m->err, MDF_ERR_FORMAT,
                        "tokenizer.ggml.merges: item %zu, \"%.*s\", needs a token that is not "
                        "there",
                        i, shown(s), s.text);
    }
    return MDF_OK;
}

static mdf_status put_merges(const maker *m)
{
    enum { ROOM = 4096 }; /* of both tokens together; released ones have at most 256 bytes */
    char joined[ROOM];
    mdf_strbuf_puts(m->out, "\"merges\":[");
    for (size_t i = 0; i < m->v->merges; i++) {
        MDF_TRY(check_merge(m, i, joined, sizeof joined));
        mdf_strbuf_puts(m->out, i > 0 ? ",\n" : "\n");
        put_text(m->out, m->v->merge[i]);
    }
    mdf_strbuf_puts(m->out, "]}}\n");
    return MDF_OK;
}

static void put_vocab(const maker *m)
{
    mdf_strbuf_puts(m->out, "\"vocab\":{");
    for (size_t i = 0; i < m->v->tokens; i++) {
        mdf_strbuf_puts(m->out, i > 0 ? ",\n" : "\n");
        put_text(m->out, m->v->token[i]);
        mdf_strbuf_printf(m->out, ":%zu", i);
    }
    mdf_strbuf_puts(m->out, "},\n");
}

static mdf_status make(const maker *m)
{
    MDF_TRY(sort_tokens(m));
    mdf_strbuf_puts(m->out, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n");
    put_added(m);
    mdf_strbuf_printf(m->out, "\"normalizer\":%s,\n\"pre_tokenizer\":",
                      strcmp(m->pre->json, QWEN2) == 0 ? "{\"type\":\"NFC\"}" : "null");
    mdf_strbuf_puts(m->out, m->pre->json);
    mdf_strbuf_puts(m->out, ",\n");
    put_template(m);
    mdf_strbuf_puts(m->out, "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
                            "\"trim_offsets\":true,\"use_regex\":true},\n");
    mdf_strbuf_printf(m->out,
                      "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
                      "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
                      "\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":%s,\n",
                      m->pre->whole ? "true" : "false");
    put_vocab(m);
    MDF_TRY(put_merges(m));
    return m->out->failed ? mdf_fail(m->err, MDF_ERR_NOMEM, "out of memory for the tokenizer")
                          : MDF_OK;
}

static mdf_status find_pre(const mdf_gguf_vocab *v, const pre_tokenizer **pre, mdf_error *err)
{
    if (!equals(v->model, "gpt2")) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "tokenizer.ggml.model: \"%.*s\" is not supported, only gpt2",
                        shown(v->model), v->model.text);
    }
    if (v->merges == 0) { /* llama.cpp does not load such a file either */
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "tokenizer.ggml.merges: there are none, so texts would fall into letters");
    }
    for (size_t i = 0; i < sizeof pre_tokenizers / sizeof pre_tokenizers[0]; i++) {
        if (equals(v->pre, pre_tokenizers[i].name)) {
            *pre = &pre_tokenizers[i];
            return MDF_OK;
        }
    }
    return mdf_fail(err, MDF_ERR_ARG, "tokenizer.ggml.pre: \"%.*s\" is not supported",
                    shown(v->pre), v->pre.text);
}

mdf_status mdf_gguf_tokenizer_json(const mdf_gguf_vocab *v, mdf_strbuf *out, mdf_error *remark,
                                   mdf_error *err)
{
    maker m = {.v = v, .out = out, .err = err};
    *remark = (mdf_error){0};
    MDF_TRY(find_pre(v, &m.pre, err));
    m.sorted = mdf_alloc(v->tokens + 1, sizeof *m.sorted);
    if (m.sorted == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the tokenizer");
    }
    const mdf_status status = make(&m);
    mdf_free(m.sorted);
    if (status == MDF_OK && m.pre->remark != NULL) {
        (void)!mdf_fail(remark, MDF_OK, "%s", m.pre->remark);
    }
    return status;
}

static void put_name(const mdf_gguf_vocab *v, mdf_strbuf *out, const char *key, int64_t id)
{
    if (id >= 0) {
        mdf_strbuf_printf(out, ",\n  \"%s\": ", key);
        put_text(out, v->token[id]);
    }
}

mdf_status mdf_gguf_tokenizer_config(const mdf_gguf_vocab *v, mdf_strbuf *out, mdf_error *err)
{
    mdf_strbuf_puts(out, "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n"
                         "  \"model_input_names\": [\"input_ids\", \"attention_mask\"],\n"
                         "  \"clean_up_tokenization_spaces\": false");
    put_name(v, out, "bos_token", v->bos);
    put_name(v, out, "eos_token", v->eos);
    put_name(v, out, "unk_token", v->unknown);
    put_name(v, out, "pad_token", v->pad);
    mdf_strbuf_puts(out, "\n}\n");
    return out->failed ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the tokenizer") : MDF_OK;
}
