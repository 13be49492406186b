/* tokenizer.json: the two large lists by hand (tokenizer_lists.c), the rest through jansson. */
#include "language/tokenizer_json.h"

#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/utf8.h"
#include "language/normalise.h"
#include "language/tokenizer_lists.h"

typedef struct reader {
    mdf_tokenizer_spec *spec;
    bool byte_level; /* a ByteLevel pre-tokenizer was there */
    mdf_error *err;
} reader;

static mdf_status bad(const reader *r, const char *key, const char *what)
{
    return mdf_fail(r->err, MDF_ERR_FORMAT, "%s %s", key, what);
}

static mdf_status refuse(const reader *r, const char *key, const char *what)
{
    return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: \"%.60s\" is not supported", key, what);
}

/* "type" of an object; NULL if it has none. */
static const char *type_of(const json_t *object)
{
    return json_string_value(json_object_get(object, "type"));
}

static mdf_status copy_text(const reader *r, mdf_text_view *out, const json_t *string)
{
    const size_t len = json_string_length(string);
    char *copy = mdf_arena_strndup(&r->spec->arena, json_string_value(string), len);
    if (copy == NULL) {
        return mdf_fail(r->err, MDF_ERR_NOMEM, "out of memory for the tokenizer");
    }
    *out = (mdf_text_view){copy, len};
    return MDF_OK;
}

/* A flag that may be left out. */
static mdf_status read_flag(const reader *r, bool *out, const json_t *object, const char *where,
                            const char *key, bool fallback)
{
    const json_t *value = json_object_get(object, key);
    if (value != NULL && !json_is_boolean(value)) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s.%s must be true or false", where, key);
    }
    *out = value == NULL ? fallback : json_is_true(value);
    return MDF_OK;
}

/* Null, "" or nothing at all. */
static bool is_unset(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

static mdf_status read_model(const reader *r, const json_t *model)
{
    const char *type = type_of(model);
    if (!json_is_object(model)) {
        return bad(r, "model", "is not there");
    }
    if (type != NULL && strcmp(type, "BPE") != 0) {
        return refuse(r, "model.type", type);
    }
    static const char *const unset[] = {"continuing_subword_prefix", "end_of_word_suffix",
                                        "byte_fallback"};
    for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++) {
        if (!is_unset(json_object_get(model, unset[i]))) {
            return mdf_fail(r->err, MDF_ERR_FORMAT, "model.%s is set, which is not supported",
                            unset[i]);
        }
    }
    const json_t *dropout = json_object_get(model, "dropout");
    if (!is_unset(dropout) && json_number_value(dropout) != 0.0) {
        return bad(r, "model.dropout", "is set, which is not supported");
    }
    r->spec->has_unknown = !is_unset(json_object_get(model, "unk_token"));
    return read_flag(r, &r->spec->ignore_merges, model, "model", "ignore_merges", false);
}

static mdf_status read_added_token(const reader *r, mdf_added_token *out, const json_t *item)
{
    static const char *const unset[] = {"single_word", "lstrip", "rstrip"};
    const json_t *content = json_object_get(item, "content");
    const json_t *id = json_object_get(item, "id");
    const size_t len = json_string_length(content);
    if (!json_is_string(content) || !json_is_integer(id)) {
        return bad(r, "added_tokens", "has an entry without content or id");
    }
    const char *name = json_string_value(content);
    if (len == 0 || len > MDF_MAX_TOKEN_BYTES) {
        return mdf_fail(r->err, MDF_ERR_LIMIT,
                        "added_tokens: \"%.40s\" has %zu bytes; 1 to %d are possible", name, len,
                        MDF_MAX_TOKEN_BYTES);
    }
    if (json_integer_value(id) < 0 || json_integer_value(id) >= (json_int_t)MDF_MAX_VOCAB) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "added_tokens: the id of \"%.40s\" is out of range",
                        name);
    }
    for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++) {
        bool set = false;
        MDF_TRY(read_flag(r, &set, item, "added_tokens", unset[i], false));
        if (set) {
            return mdf_fail(r->err, MDF_ERR_FORMAT,
                            "added_tokens: %s of \"%.40s\" is set, which is not supported",
                            unset[i], name);
        }
    }
    out->id = (int32_t)json_integer_value(id);
    MDF_TRY(read_flag(r, &out->special, item, "added_tokens", "special", false));
    MDF_TRY(read_flag(r, &out->normalized, item, "added_tokens", "normalized", !out->special));
    return copy_text(r, &out->content, content);
}

static mdf_status read_added(const reader *r, const json_t *list)
{
    const size_t count = json_array_size(list);
    if (list == NULL || json_is_null(list)) {
        return MDF_OK;
    }
    if (!json_is_array(list)) {
        return bad(r, "added_tokens", "must be a list");
    }
    if (count > MDF_MAX_ADDED_TOKENS) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "added_tokens: %zu, more than the limit of %d",
                        count, MDF_MAX_ADDED_TOKENS);
    }
    mdf_added_token *added = mdf_arena_zalloc(&r->spec->arena, count, sizeof *added);
    if (added == NULL) {
        return mdf_fail(r->err, MDF_ERR_NOMEM, "out of memory for the tokenizer");
    }
    for (size_t i = 0; i < count; i++) {
        MDF_TRY(read_added_token(r, &added[i], json_array_get(list, i)));
    }
    r->spec->added = added;
    r->spec->added_count = count;
    return MDF_OK;
}

static mdf_status read_split(const reader *r, mdf_pre_step *step, const json_t *item)
{
    const json_t *pattern = json_object_get(json_object_get(item, "pattern"), "Regex");
    const char *behavior = json_string_value(json_object_get(item, "behavior"));
    bool invert = false;
    if (!json_is_string(pattern)) {
        return bad(r, "pre_tokenizer: Split", "has no pattern.Regex");
    }
    if (behavior == NULL || strcmp(behavior, "Isolated") != 0) {
        return refuse(r, "pre_tokenizer: Split.behavior", behavior == NULL ? "" : behavior);
    }
    MDF_TRY(read_flag(r, &invert, item, "pre_tokenizer: Split", "invert", false));
    if (invert) {
        return bad(r, "pre_tokenizer: Split.invert", "is set, which is not supported");
    }
    if (json_string_length(pattern) > MDF_MAX_PATTERN_BYTES) {
        return mdf_fail(r->err, MDF_ERR_LIMIT,
                        "pre_tokenizer: a pattern of %zu bytes, more than the limit of %d",
                        json_string_length(pattern), MDF_MAX_PATTERN_BYTES);
    }
    step->kind = MDF_PRE_SPLIT;
    return copy_text(r, &step->pattern, pattern);
}

static mdf_status read_step(reader *r, const json_t *item)
{
    const char *type = type_of(item);
    mdf_pre_step step = {.kind = MDF_PRE_BYTE_LEVEL};
    if (type == NULL) {
        return bad(r, "pre_tokenizer", "has an entry without a type");
    }
    if (r->byte_level) {
        return bad(r, "pre_tokenizer", "has a step behind ByteLevel, which is not supported");
    }
    if (r->spec->pre_count == MDF_MAX_PRE_STEPS) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "pre_tokenizer: more than %d steps",
                        MDF_MAX_PRE_STEPS);
    }
    if (strcmp(type, "Split") == 0) {
        MDF_TRY(read_split(r, &step, item));
    } else if (strcmp(type, "Digits") == 0) {
        bool each = false;
        MDF_TRY(read_flag(r, &each, item, "pre_tokenizer: Digits", "individual_digits", false));
        step.kind = MDF_PRE_SPLIT;
        step.pattern.text = each ? MDF_PRE_DIGIT : MDF_PRE_DIGIT "+";
        step.pattern.len = strlen(step.pattern.text);
    } else if (strcmp(type, "ByteLevel") == 0) {
        const char *where = "pre_tokenizer: ByteLevel";
        MDF_TRY(read_flag(r, &step.prefix_space, item, where, "add_prefix_space", true));
        MDF_TRY(read_flag(r, &step.use_regex, item, where, "use_regex", true));
        r->byte_level = true;
    } else {
        return refuse(r, "pre_tokenizer", type);
    }
    r->spec->pre[r->spec->pre_count++] = step;
    return MDF_OK;
}

static mdf_status read_pre(reader *r, const json_t *pre)
{
    const char *type = type_of(pre);
    if (type != NULL && strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(pre, "pretokenizers");
        for (size_t i = 0; i < json_array_size(list); i++) {
            MDF_TRY(read_step(r, json_array_get(list, i)));
        }
    } else if (json_is_object(pre)) {
        MDF_TRY(read_step(r, pre));
    }
    if (!r->byte_level) {
        return bad(r, "pre_tokenizer", "has no ByteLevel step: only byte-level models can be read");
    }
    return MDF_OK;
}

/* Appends the ids that a special token of the template stands for. */
static mdf_status read_template_ids(const reader *r, const json_t *entry, int32_t *id, int *count)
{
    const json_t *ids = json_object_get(entry, "ids");
    if (json_array_size(ids) == 0) {
        return bad(r, "post_processor", "names a special token without ids");
    }
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *value = json_array_get(ids, i);
        if (*count == 4) {
            return bad(r, "post_processor", "puts more than 4 tokens on one side of a text");
        }
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) >= (json_int_t)MDF_MAX_VOCAB) {
            return bad(r, "post_processor", "has an id that is no token's");
        }
        id[(*count)++] = (int32_t)json_integer_value(value);
    }
    return MDF_OK;
}

static mdf_status read_template(const reader *r, const json_t *post)
{
    const json_t *single = json_object_get(post, "single");
    const json_t *tokens = json_object_get(post, "special_tokens");
    mdf_tokenizer_spec *s = r->spec;
    bool text_seen = false;
    s->before_count = s->after_count = 0;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i);
        const json_t *special = json_object_get(item, "SpecialToken");
        const char *name = json_string_value(json_object_get(special, "id"));
        if (name == NULL) {
            if (text_seen || json_object_get(item, "Sequence") == NULL) {
                return bad(r, "post_processor", "has a template that is not supported");
            }
            text_seen = true;
            continue;
        }
        const json_t *entry = json_object_get(tokens, name);
        MDF_TRY(text_seen ? read_template_ids(r, entry, s->after, &s->after_count)
                          : read_template_ids(r, entry, s->before, &s->before_count));
    }
    return text_seen ? MDF_OK : bad(r, "post_processor", "has a template without a text");
}

static mdf_status read_processor(const reader *r, const json_t *post)
{
    const char *type = type_of(post);
    if (type != NULL && strcmp(type, "ByteLevel") == 0) {
        return MDF_OK; /* moves offsets, which nobody here asks for */
    }
    if (type != NULL && strcmp(type, "TemplateProcessing") == 0) {
        return read_template(r, post);
    }
    return refuse(r, "post_processor", type == NULL ? "" : type);
}

static mdf_status read_post(const reader *r, const json_t *post)
{
    const char *type = type_of(post);
    if (post == NULL || json_is_null(post)) {
        return MDF_OK;
    }
    if (type == NULL || strcmp(type, "Sequence") != 0) {
        return read_processor(r, post);
    }
    const json_t *list = json_object_get(post, "processors");
    for (size_t i = 0; i < json_array_size(list); i++) {
        MDF_TRY(read_processor(r, json_array_get(list, i)));
    }
    return MDF_OK;
}

/* One normal form, or several in a row. */
static mdf_status read_normalizer(const reader *r, const json_t *item)
{
    const char *type = type_of(item);
    if (item == NULL || json_is_null(item)) {
        return MDF_OK;
    }
    if (type != NULL && strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(item, "normalizers");
        for (size_t i = 0; i < json_array_size(list); i++) {
            mdf_normal_form form = MDF_NORMAL_NONE;
            const char *name = type_of(json_array_get(list, i));
            if (name == NULL || !mdf_normal_form_from_name(name, &form)) {
                return refuse(r, "normalizer", name == NULL ? "" : name);
            }
            r->spec->form = mdf_normal_form_then(r->spec->form, form);
        }
        return json_is_array(list) ? MDF_OK : bad(r, "normalizer", "has no list of normalizers");
    }
    return type != NULL && mdf_normal_form_from_name(type, &r->spec->form)
               ? MDF_OK
               : refuse(r, "normalizer", type == NULL ? "" : type);
}

static mdf_status read_rest(reader *r, const json_t *root)
{
    const json_t *normalizer = json_object_get(root, "normalizer");
    const json_t *decoder = json_object_get(root, "decoder");
    if (!json_is_object(root)) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "the file is not a JSON object");
    }
    MDF_TRY(read_normalizer(r, normalizer));
    const char *type = type_of(decoder);
    if (decoder != NULL && !json_is_null(decoder) &&
        (type == NULL || strcmp(type, "ByteLevel") != 0)) {
        return refuse(r, "decoder", type == NULL ? "" : type);
    }
    MDF_TRY(read_model(r, json_object_get(root, "model")));
    MDF_TRY(read_added(r, json_object_get(root, "added_tokens")));
    MDF_TRY(read_pre(r, json_object_get(root, "pre_tokenizer")));
    return read_post(r, json_object_get(root, "post_processor"));
}

/* The file without its large lists, so that the tree stays small; which byte of the file is byte
 * `at` of that. */
typedef struct skeleton {
    char *text;
    size_t len;
    mdf_json_part cut[2]; /* in order; len 0 = none */
} skeleton;

enum { STUB = 2 }; /* bytes of {} or [] */

static mdf_status cut_lists(skeleton *k, const uint8_t *data, size_t len, mdf_json_part vocab,
                            mdf_json_part merges, mdf_error *err)
{
    const bool vocab_first = vocab.at <= merges.at;
    k->cut[0] = vocab_first ? vocab : merges;
    k->cut[1] = vocab_first ? merges : vocab;
    k->text = mdf_alloc_raw(len - vocab.len - merges.len + STUB + STUB);
    if (k->text == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the tokenizer");
    }
    size_t from = 0;
    for (int i = 0; i < 2; i++) {
        if (k->cut[i].len > 0) {
            memcpy(k->text + k->len, data + from, k->cut[i].at - from);
            k->len += k->cut[i].at - from;
            memcpy(k->text + k->len, data[k->cut[i].at] == '{' ? "{}" : "[]", STUB);
            k->len += STUB;
            from = k->cut[i].at + k->cut[i].len;
        }
    }
    memcpy(k->text + k->len, data + from, len - from);
    k->len += len - from;
    return MDF_OK;
}

static size_t byte_of_file(const skeleton *k, size_t at)
{
    for (int i = 0; i < 2; i++) {
        if (k->cut[i].len > 0 && at > k->cut[i].at) {
            at += k->cut[i].len - STUB;
        }
    }
    return at;
}

static mdf_status read_skeleton(reader *r, const skeleton *k)
{
    json_error_t where = {0};
    json_t *root = mdf_json_load(k->text, k->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (root == NULL) {
        const size_t at = byte_of_file(k, where.position > 0 ? (size_t)where.position : 0);
        return mdf_fail_at(r->err, MDF_ERR_FORMAT, at, "byte %zu: not valid JSON: %s", at,
                           where.text);
    }
    const mdf_status status = read_rest(r, root);
    json_decref(root);
    return status;
}

static mdf_status parse(reader *r, const uint8_t *data, size_t len)
{
    mdf_json_part vocab;
    mdf_json_part merges;
    skeleton k = {0};
    if (len > MDF_MAX_TOKENIZER_BYTES) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "%zu bytes, more than the limit of %zu", len,
                        MDF_MAX_TOKENIZER_BYTES);
    }
    const size_t mark = mdf_json_mark((const char *)data, len);
    data += mark;
    len -= mark;
    const size_t valid = mdf_utf8_check(data, len);
    if (valid != len) {
        return mdf_fail_at(r->err, MDF_ERR_FORMAT, valid, "byte %zu: not UTF-8", valid);
    }
    mdf_tokenizer_find_lists(data, len, &vocab, &merges);
    mdf_status status = cut_lists(&k, data, len, vocab, merges, r->err);
    if (status == MDF_OK) {
        status = read_skeleton(r, &k);
    }
    mdf_free(k.text);
    MDF_TRY(status);
    if (vocab.len == 0 || merges.len == 0) {
        return bad(r, vocab.len == 0 ? "model.vocab" : "model.merges", "is not there");
    }
    MDF_TRY(mdf_tokenizer_read_vocab(r->spec, data, vocab, r->err));
    return mdf_tokenizer_read_merges(r->spec, data, merges, r->err);
}

mdf_status mdf_tokenizer_json_parse(mdf_tokenizer_spec *out, const uint8_t *data, size_t len,
                                    mdf_error *err)
{
    reader r = {.spec = out, .err = err};
    *out = (mdf_tokenizer_spec){0};
    mdf_status status = mdf_arena_init(&out->arena, 0, 0, err);
    if (status == MDF_OK) {
        status = parse(&r, data, len);
    }
    if (status != MDF_OK) {
        mdf_tokenizer_spec_free(out);
    }
    return status;
}
