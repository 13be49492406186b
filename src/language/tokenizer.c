/* Text <-> token ids. */
#include "language/tokenizer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/utf8.h"
#include "language/added.h"
#include "language/bpe.h"
#include "language/normalise.h"
#include "language/pretoken.h"
#include "language/tokenizer_json.h"

struct mdf_tokenizer {
    mdf_arena arena;
    mdf_added added;
    mdf_pretoken *pre; /* NULL: the byte tokenizer */
    mdf_bpe bpe;
    mdf_normal_form form;
    int32_t size;
    int32_t before[4], after[4];
    int before_count, after_count;
    bool prefix_space;
};

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the tokenizer");
}

static mdf_status tokenizer_alloc(mdf_tokenizer **out, mdf_error *err)
{
    *out = mdf_alloc(1, sizeof **out);
    if (*out == NULL) {
        return no_memory(err);
    }
    return mdf_arena_init(&(*out)->arena, 0, 0, err);
}

void mdf_tokenizer_free(mdf_tokenizer *t)
{
    if (t != NULL) {
        mdf_pretoken_free(t->pre);
        mdf_arena_free(&t->arena);
        mdf_free(t);
    }
}

mdf_status mdf_tokenizer_new_bytes(mdf_tokenizer **out, int32_t image_token, mdf_error *err)
{
    static const char *const name[] = {"<|begin_of_text|>",         "<|start_header_id|>",
                                       "<|end_header_id|>",         "<|eot_id|>",
                                       "<|finetune_right_pad_id|>", MDF_IMAGE_TOKEN};
    enum { COUNT = sizeof name / sizeof name[0] };
    mdf_added_token added[COUNT];
    mdf_tokenizer *t = NULL;
    *out = NULL;
    for (int i = 0; i < COUNT; i++) {
        added[i] = (mdf_added_token){.content = {name[i], strlen(name[i])},
                                     .id = MDF_TOKEN_BEGIN_OF_TEXT + i,
                                     .special = true};
    }
    added[COUNT - 1].id = image_token;
    MDF_TRY(tokenizer_alloc(&t, err));
    t->size = (image_token > MDF_TOKEN_PAD ? image_token : MDF_TOKEN_PAD) + 1;
    const mdf_status status =
        mdf_added_new(&t->added, added, image_token < 0 ? COUNT - 1 : COUNT, &t->arena, err);
    if (status != MDF_OK) {
        mdf_tokenizer_free(t);
        return status;
    }
    *out = t;
    return MDF_OK;
}

/* The id that the reference gives an added token that the vocabulary does not have: behind all that
 * are there. */
static int32_t next_id(size_t vocabulary, int32_t largest)
{
    return vocabulary > 0 && largest < (int32_t)vocabulary ? (int32_t)vocabulary : largest + 1;
}

static mdf_status check_id(const mdf_tokenizer *t, const mdf_tokenizer_spec *s,
                           const mdf_added_token *a, int32_t expected, mdf_error *err)
{
    const mdf_text_view c = a->content;
    const int shown = (int)(c.len > 60 ? 60 : c.len);
    if (a->id < 0 || (size_t)a->id >= MDF_MAX_VOCAB || c.len == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "added_tokens: the id of \"%.*s\" is out of range",
                        shown, c.text);
    }
    const int32_t other = mdf_bpe_token_id(&t->bpe, c);
    if (other >= 0 && other != a->id) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "added_tokens: \"%.*s\" has the id %d, but %d in the vocabulary", shown,
                        c.text, (int)a->id, (int)other);
    }
    if ((size_t)a->id < s->token_count && s->token[a->id].text != NULL) {
        const mdf_text_view v = s->token[a->id];
        if (v.len != c.len || memcmp(v.text, c.text, c.len) != 0) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "added_tokens: \"%.*s\" has the id %d, which is \"%.*s\" in the "
                            "vocabulary",
                            shown, c.text, (int)a->id, (int)(v.len > 60 ? 60 : v.len), v.text);
        }
    } else if (a->id != expected) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "added_tokens: \"%.*s\" has the id %d, but the next free one is %d", shown,
                        c.text, (int)a->id, (int)expected);
    }
    return MDF_OK;
}

/* The vocabulary may hold an added token too, under the same id. */
static mdf_status check_added(const mdf_tokenizer *t, const mdf_tokenizer_spec *s, mdf_error *err)
{
    size_t vocabulary = 0;
    int32_t largest = -1;
    for (size_t i = 0; i < s->token_count; i++) {
        vocabulary += s->token[i].text != NULL ? 1 : 0;
    }
    for (size_t i = 0; i < s->added_count; i++) {
        MDF_TRY(check_id(t, s, &s->added[i], next_id(vocabulary, largest), err));
        largest = s->added[i].id > largest ? s->added[i].id : largest;
    }
    return MDF_OK;
}

/* Tokens of the second pass are looked for in the normal form. */
static mdf_status check_form(mdf_tokenizer *t, const mdf_added_token *a, mdf_error *err)
{
    const uint8_t *text = (const uint8_t *)a->content.text;
    size_t n = a->content.len;
    if (!a->normalized) {
        return MDF_OK;
    }
    MDF_TRY(mdf_normalise(t->form, &text, &n, &t->arena, err));
    return n == a->content.len && memcmp(text, a->content.text, n) == 0
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_FORMAT,
                          "added_tokens: \"%.*s\" is not in the normal form that texts are brought "
                          "to, which is not supported",
                          (int)(a->content.len > 60 ? 60 : a->content.len), a->content.text);
}

/* The added tokens of the spec, and <|image|> behind them if it is not one of them. */
static mdf_status add_tokens(mdf_tokenizer *t, const mdf_tokenizer_spec *s, int32_t image_token,
                             mdf_error *err)
{
    const mdf_text_view image = {MDF_IMAGE_TOKEN, sizeof MDF_IMAGE_TOKEN - 1};
    mdf_added_token *all = mdf_arena_alloc(&t->arena, s->added_count + 1, sizeof *all);
    size_t count = s->added_count;
    bool there = image_token < 0;
    if (all == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        all[i] = s->added[i];
        t->size = all[i].id >= t->size ? all[i].id + 1 : t->size;
        MDF_TRY(check_form(t, &all[i], err));
        const mdf_text_view c = all[i].content;
        if (c.len != image.len || memcmp(c.text, image.text, image.len) != 0) {
            continue;
        }
        there = true;
        if (image_token >= 0 && all[i].id != image_token) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "added_tokens: the id of \"%s\" is %d, but the model's is %d",
                            MDF_IMAGE_TOKEN, (int)all[i].id, (int)image_token);
        }
    }
    if (!there) {
        if (image_token < t->size) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "the model's id of \"%s\", %d, is that of another token",
                            MDF_IMAGE_TOKEN, (int)image_token);
        }
        all[count++] = (mdf_added_token){.content = image, .id = image_token, .special = true};
        t->size = image_token + 1;
    }
    return mdf_added_new(&t->added, all, count, &t->arena, err);
}

static mdf_status check_template(const mdf_tokenizer *t, mdf_error *err)
{
    for (int i = 0; i < t->before_count + t->after_count; i++) {
        const int32_t id = i < t->before_count ? t->before[i] : t->after[i - t->before_count];
        if (id < 0 || id >= t->size) {
            return mdf_fail(err, MDF_ERR_FORMAT, "post_processor has an id that is no token's");
        }
    }
    return MDF_OK;
}

static mdf_status fill(mdf_tokenizer *t, const mdf_tokenizer_spec *s, int32_t image_token,
                       mdf_error *err)
{
    t->size = (int32_t)s->token_count;
    t->form = s->form;
    MDF_TRY(mdf_bpe_new(&t->bpe, s, &t->arena, err));
    MDF_TRY(check_added(t, s, err));
    MDF_TRY(add_tokens(t, s, image_token, err));
    MDF_TRY(mdf_pretoken_new(&t->pre, s, err));
    for (int i = 0; i < s->pre_count; i++) {
        t->prefix_space = t->prefix_space || s->pre[i].prefix_space;
    }
    t->before_count = s->before_count;
    t->after_count = s->after_count;
    memcpy(t->before, s->before, sizeof t->before);
    memcpy(t->after, s->after, sizeof t->after);
    return check_template(t, err);
}

mdf_status mdf_tokenizer_new(mdf_tokenizer **out, const mdf_tokenizer_spec *spec,
                             int32_t image_token, mdf_error *err)
{
    mdf_tokenizer *t = NULL;
    *out = NULL;
    MDF_TRY(tokenizer_alloc(&t, err));
    const mdf_status status = fill(t, spec, image_token, err);
    if (status != MDF_OK) {
        mdf_tokenizer_free(t);
        return status;
    }
    *out = t;
    return MDF_OK;
}

mdf_status mdf_tokenizer_load(mdf_tokenizer **out, const char *path, int32_t image_token,
                              mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    mdf_tokenizer_spec spec = {0};
    *out = NULL;
    MDF_TRY(mdf_file_read(path, MDF_MAX_TOKENIZER_BYTES, &data, &len, err));
    mdf_status status = mdf_tokenizer_json_parse(&spec, data, len, err);
    if (status == MDF_OK) {
        status = mdf_tokenizer_new(out, &spec, image_token, err);
    }
    mdf_tokenizer_spec_free(&spec);
    mdf_free(data);
    return status == MDF_OK ? MDF_OK : mdf_fail_prefix(err, status, path);
}

int32_t mdf_tokenizer_size(const mdf_tokenizer *t)
{
    return t->size;
}

int32_t mdf_tokenizer_special(const mdf_tokenizer *t, const char *name)
{
    const mdf_added_token *found = mdf_added_find(&t->added, name);
    return found == NULL ? -1 : found->id;
}

/* Byte pairs: one token a byte, of which an ill-formed one has become three, and those of another
 * normal form more, and a blank in front of every piece. */
size_t mdf_tokenizer_most(const mdf_tokenizer *t, size_t bytes)
{
    if (t->pre == NULL) {
        return bytes;
    }
    const size_t growth = mdf_normal_form_growth(t->form);
    const size_t most = (growth > 3 ? growth : 3) * (t->prefix_space ? 2 : 1);
    return bytes > SIZE_MAX / most ? SIZE_MAX : bytes * most;
}

typedef struct encoder {
    const mdf_tokenizer *t;
    mdf_token_sink out;
    mdf_arena scratch;
    bool specials, shielded;
    mdf_error *err;
} encoder;

static bool encode_piece(void *user, const uint8_t *piece, size_t n)
{
    encoder *e = user;
    return mdf_bpe_encode(&e->t->bpe, piece, n, &e->out, &e->scratch);
}

/* The text without shields, in memory of the arena. */
static mdf_status unshield(encoder *e, const uint8_t **text, size_t *n)
{
    const size_t len = sizeof MDF_SHIELD - 1;
    uint8_t *copy = mdf_arena_alloc(&e->scratch, *n, 1);
    size_t used = 0;
    if (copy == NULL) {
        return no_memory(e->err);
    }
    for (size_t i = 0; i < *n;) {
        const bool shield = *n - i >= len && memcmp(*text + i, MDF_SHIELD, len) == 0;
        if (!shield) {
            copy[used++] = (*text)[i];
        }
        i += shield ? len : 1;
    }
    *text = copy;
    *n = used;
    return MDF_OK;
}

/* Text without added tokens. */
static mdf_status encode_rest(encoder *e, const uint8_t *text, size_t n)
{
    if (e->shielded) {
        MDF_TRY(unshield(e, &text, &n));
    }
    if (e->t->pre != NULL) {
        return mdf_pretoken_split(e->t->pre, text, n, &e->scratch, encode_piece, e, e->err);
    }
    for (size_t i = 0; i < n; i++) {
        mdf_token_put(&e->out, text[i]);
    }
    return MDF_OK;
}

/* Takes the tokens of this pass out of the text; what lies between them goes to the next. The
 * leftmost wins, then the longest. */
static mdf_status encode_pass(encoder *e, int pass, const uint8_t *text, size_t n)
{
    size_t done = 0;
    if (pass == 2) {
        return encode_rest(e, text, n);
    }
    if (pass == 1) {
        MDF_TRY(mdf_normalise(e->t->form, &text, &n, &e->scratch, e->err));
    }
    for (size_t i = 0; i < n;) {
        const mdf_added_token *token = mdf_added_match(&e->t->added, pass, text + i, n - i);
        if (token == NULL) {
            i++;
        } else if (token->special && !e->specials) {
            i += token->content.len; /* stays text */
        } else {
            MDF_TRY(encode_pass(e, pass + 1, text + done, i - done));
            mdf_token_put(&e->out, token->id);
            i += token->content.len;
            done = i;
        }
    }
    return n > done ? encode_pass(e, pass + 1, text + done, n - done) : MDF_OK;
}

/* U+FFFD for what is not UTF-8, in memory of the arena; the text itself if all of it is. */
static mdf_status repair(encoder *e, const uint8_t **text, size_t *n)
{
    size_t good = mdf_utf8_check(*text, *n);
    if (good == *n) {
        return MDF_OK;
    }
    uint8_t *out = mdf_arena_alloc(&e->scratch, *n, 3);
    size_t at = 0;
    if (out == NULL) {
        return no_memory(e->err);
    }
    const uint8_t *from = *text;
    size_t left = *n;
    while (left > 0) {
        memcpy(out + at, from, good);
        at += good;
        from += good;
        left -= good;
        if (left > 0) {
            const size_t bad = mdf_utf8_bad_len(from, left);
            memcpy(out + at, "\xEF\xBF\xBD", 3);
            at += 3;
            from += bad;
            left -= bad;
            good = mdf_utf8_check(from, left);
        }
    }
    *text = out;
    *n = at;
    return MDF_OK;
}

static mdf_status encode(encoder *e, const uint8_t *text, size_t len, int how)
{
    const mdf_tokenizer *t = e->t;
    if (len > MDF_MAX_ENCODE_BYTES) {
        return mdf_fail(e->err, MDF_ERR_LIMIT, "the text has %zu bytes, more than the limit of %zu",
                        len, MDF_MAX_ENCODE_BYTES);
    }
    if (t->pre != NULL) {
        MDF_TRY(repair(e, &text, &len));
    }
    for (int i = 0; (how & MDF_ENCODE_TEMPLATE) != 0 && i < t->before_count; i++) {
        mdf_token_put(&e->out, t->before[i]);
    }
    MDF_TRY(encode_pass(e, 0, text, len));
    for (int i = 0; (how & MDF_ENCODE_TEMPLATE) != 0 && i < t->after_count; i++) {
        mdf_token_put(&e->out, t->after[i]);
    }
    if (e->out.full) {
        return mdf_fail(e->err, MDF_ERR_LIMIT, "the text has more than %zu tokens",
                        e->out.capacity);
    }
    return MDF_OK;
}

mdf_status mdf_tokenizer_encode(const mdf_tokenizer *t, const char *text, size_t len, int how,
                                int32_t *id, size_t capacity, size_t *count, mdf_error *err)
{
    encoder e = {.t = t,
                 .out = {.id = id, .capacity = capacity},
                 .specials = (how & MDF_ENCODE_SPECIALS) != 0,
                 .shielded = (how & MDF_ENCODE_SHIELDED) != 0,
                 .err = err};
    *count = 0;
    MDF_TRY(mdf_arena_init(&e.scratch, 0, 0, err));
    const mdf_status status = encode(&e, (const uint8_t *)text, len, how);
    mdf_arena_free(&e.scratch);
    *count = status == MDF_OK ? e.out.count : 0;
    return status;
}

/* Bytes of the name of a special token that text begins with; 0 = none. */
static size_t special_at(const mdf_tokenizer *t, const uint8_t *text, size_t n)
{
    size_t len = 0;
    for (int pass = 0; pass < 2 && n > 0; pass++) {
        const mdf_added_token *token = mdf_added_match(&t->added, pass, text, n);
        if (token != NULL && token->special && token->content.len > len) {
            len = token->content.len;
        }
    }
    return len;
}

mdf_status mdf_tokenizer_shield(const mdf_tokenizer *t, const char *text, mdf_arena *a,
                                const char **out, mdf_error *err)
{
    const uint8_t *s = (const uint8_t *)text;
    const size_t n = strlen(text);
    size_t names = 0;
    for (size_t i = 0; i < n; i++) {
        names += special_at(t, s + i, n - i) > 0 ? 1 : 0;
    }
    *out = text;
    if (names == 0) {
        return MDF_OK;
    }
    char *copy = mdf_arena_alloc(a, n + names * (sizeof MDF_SHIELD - 1) + 1, 1);
    size_t used = 0;
    if (copy == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < n;) {
        const size_t len = special_at(t, s + i, n - i);
        size_t first = 1; /* bytes of the character */
        while (i + first < n && (s[i + first] & 0xC0) == 0x80) {
            first++;
        }
        if (len > 0 && (len <= first || strstr(text, MDF_SHIELD) != NULL)) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "the text has the name of a special token that can't be kept as text");
        }
        memcpy(copy + used, text + i, first);
        used += first;
        i += first;
        if (len > 0) {
            memcpy(copy + used, MDF_SHIELD, sizeof MDF_SHIELD - 1);
            used += sizeof MDF_SHIELD - 1;
        }
    }
    copy[used] = '\0';
    *out = copy;
    return MDF_OK;
}

bool mdf_tokenizer_has(const mdf_tokenizer *t, int32_t id)
{
    const size_t plain = t->pre == NULL ? 256 : t->bpe.token_count;
    return mdf_added_by_id(&t->added, id) != NULL || (id >= 0 && (size_t)id < plain);
}

mdf_status mdf_tokenizer_decode(const mdf_tokenizer *t, const int32_t *id, size_t count,
                                bool keep_specials, mdf_strbuf *out, mdf_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const mdf_added_token *added = mdf_added_by_id(&t->added, id[i]);
        const size_t k = (size_t)id[i];
        if (!mdf_tokenizer_has(t, id[i])) {
            return mdf_fail(err, MDF_ERR_ARG, "no token has the id %d", (int)id[i]);
        }
        if (added != NULL) {
            if (keep_specials || !added->special) {
                mdf_strbuf_add(out, added->content.text, added->content.len);
            }
        } else if (t->pre == NULL) {
            const uint8_t byte = (uint8_t)id[i];
            mdf_strbuf_add(out, &byte, 1);
        } else {
            mdf_strbuf_add(out, t->bpe.bytes + t->bpe.offset[k],
                           t->bpe.offset[k + 1] - t->bpe.offset[k]);
        }
    }
    return out->failed ? no_memory(err) : MDF_OK;
}
