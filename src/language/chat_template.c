/* Which of the known chat templates a Jinja text is: by the pieces that decide what it writes.
 * White space between the words of Jinja, comments, and which quotes are used, are left aside; what
 * stands inside quotes counts to the letter. Nothing is interpreted. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "language/chat.h"

typedef struct condenser {
    const char *text;
    size_t at, len;
    char *out; /* at most twice as long: a line break in quotes becomes \n */
    size_t n;
    bool block_before, dash_before; /* what the last pair of brackets was */
} condenser;

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool begins(const condenser *c, const char *s)
{
    const size_t n = strlen(s);
    return c->len - c->at >= n && memcmp(c->text + c->at, s, n) == 0;
}

static void keep(condenser *c, char x)
{
    c->out[c->n++] = x;
}

/* A string in quotes, from its opening one. */
static void condense_string(condenser *c)
{
    const char quote = c->text[c->at++];
    keep(c, '\'');
    while (c->at < c->len && c->text[c->at] != quote) {
        const char x = c->text[c->at++];
        if (x == '\n') {
            keep(c, '\\');
            keep(c, 'n');
        } else {
            keep(c, x);
            if (x == '\\' && c->at < c->len) {
                keep(c, c->text[c->at++]);
            }
        }
    }
    c->at += c->at < c->len ? 1 : 0;
    keep(c, '\'');
}

/* {{ }}, {% %} or {# #}, from the opening bracket. */
static void condense_brackets(condenser *c)
{
    const char kind = c->text[c->at + 1];
    const char end[] = {kind == '{' ? '}' : kind, '}', '\0'};
    const bool comment = kind == '#';
    c->at += 2;
    const size_t start = c->n;
    keep(c, '{');
    keep(c, kind);
    c->at += c->at < c->len && c->text[c->at] == '-' ? 1 : 0;
    while (c->at < c->len && !begins(c, end)) {
        const char x = c->text[c->at];
        if (!comment && (x == '\'' || x == '"')) {
            condense_string(c);
        } else {
            c->at++;
            if (!is_white(x) && x != '\0') {
                keep(c, x);
            }
        }
    }
    c->dash_before = c->n > start + 2 && c->out[c->n - 1] == '-';
    c->n -= c->dash_before ? 1 : 0;
    c->block_before = kind != '{';
    c->at += c->at < c->len ? 2 : 0;
    keep(c, end[0]);
    keep(c, '}');
    c->n = comment ? start : c->n;
}

/* Between brackets: white space that Jinja would write as it is (with trim_blocks and
 * lstrip_blocks, as transformers runs it), and every other text, is kept. */
static void condense_outside(condenser *c)
{
    size_t from = c->at;
    while (c->at < c->len && !begins(c, "{{") && !begins(c, "{%") && !begins(c, "{#")) {
        c->at++;
    }
    size_t to = c->at;
    const bool last = to == c->len;
    const bool dash = !last && c->at + 2 < c->len && c->text[c->at + 2] == '-';
    if (c->dash_before) {
        while (from < to && is_white(c->text[from])) {
            from++;
        }
    } else if (c->block_before && from < to && c->text[from] == '\n') {
        from++;
    }
    if (dash) {
        while (from < to && is_white(c->text[to - 1])) {
            to--;
        }
    } else if (last && from < to && c->text[to - 1] == '\n') {
        to--;
    } else if (!last && c->text[c->at + 1] != '{') {
        size_t line = to;
        while (line > from && (c->text[line - 1] == ' ' || c->text[line - 1] == '\t')) {
            line--;
        }
        to = line == 0 || c->text[line - 1] == '\n' ? line : to;
    }
    memcpy(c->out + c->n, c->text + from, to - from);
    c->n += to - from;
}

/* Caller frees; NULL = out of memory. *outside: something is written that stands in no brackets. */
static char *condense(const char *jinja, size_t len, bool *outside)
{
    condenser c = {.text = jinja, .len = len};
    c.out = mdf_alloc(2 * len + 8, 1);
    *outside = false;
    while (c.out != NULL && c.at < len) {
        const size_t before = c.n;
        condense_outside(&c);
        *outside = *outside || c.n > before;
        if (c.at < len) {
            condense_brackets(&c);
        }
    }
    return c.out;
}

/* In both. */
static const char *const needed[] = {
    "bos_token",
    "'<|start_header_id|>'+message['role']+'<|end_header_id|>\\n\\n'",
    "message['content']",
    "<|eot_id|>",
    "add_generation_prompt",
    "'<|start_header_id|>assistant<|end_header_id|>\\n\\n'"};

/* What the full template does besides. */
static const char *const needed_full[] = {
    "messages[0]['role']=='system'",
    "messages[0]['content']|trim",
    "{%ifnotimage_ns.has_images%}{{'<|start_header_id|>system<|end_header_id|>\\n\\n'}}",
    "ifimage_ns.has_imagesandnotsystem_message==''",
    "'Cutting Knowledge Date: December 2023\\n'",
    "'Today Date: '+date_string+'\\n\\n'",
    "strftime_now('%d %b %Y')",
    "message['content']isstring",
    "{{content['text']}}",
    "<|image|>"};

/* What would change the simple template's result. */
static const char *const foreign_simple[] = {
    "system", "raise_exception", "tools", "strftime",    "date_string", "replace",
    "upper",  "lower",           "join",  "default",     "import",      "include",
    "macro",  "loop.last",       "[1:]",  ")|",          "content|",    "namespace",
    ".strip", ".split",          "think", "Environment", "ipython",     "range("};

/* What the pieces of a message would be changed by, in either. */
static const char *const foreign[] = {"content['text']|", "message['role']|",
                                      "message['role']=='assistant'", "message['role']=='user'",
                                      "message.content|trim"};

/* The first of the list that is (or is not) in the text. */
static const char *first(const char *text, const char *const *list, size_t count, bool there)
{
    for (size_t i = 0; i < count; i++) {
        if ((strstr(text, list[i]) != NULL) == there) {
            return list[i];
        }
    }
    return NULL;
}

#define FIRST(text, list, there) first(text, list, sizeof(list) / sizeof(list)[0], there)

/* A filter on an item other than trim. */
static bool other_filter(const char *text)
{
    for (const char *at = strstr(text, "]|"); at != NULL; at = strstr(at + 1, "]|")) {
        if (strncmp(at, "]|trim", 6) != 0) {
            return true;
        }
    }
    return false;
}

static mdf_status unknown(mdf_error *err, const char *what, const char *piece)
{
    return mdf_fail(err, MDF_ERR_FORMAT,
                    "chat_template: none of the two that Llama 3.2 Vision has: %s \"%s\"", what,
                    piece);
}

/* Goes behind the piece if the text begins with it. */
static bool take(const char **text, const char *piece)
{
    const size_t n = strlen(piece);
    const bool there = strncmp(*text, piece, n) == 0;
    *text += there ? n : 0;
    return there;
}

/* The system message that ChatML's template has of its own, with its \n as line breaks. False: it
 * has other escapes, may be more than one string, or is too long. */
static bool take_system(const char **text, char out[MDF_CHAT_SYSTEM])
{
    const char *end = strstr(*text, "<|im_end|>");
    size_t n = 0;
    while (end != NULL && *text < end && n + 1 < MDF_CHAT_SYSTEM) {
        if (take(text, "\\n")) {
            out[n++] = '\n';
        } else if (**text == '\\' || **text == '\'') {
            return false;
        } else {
            out[n++] = *(*text)++;
        }
    }
    out[n] = '\0';
    return *text == end && n > 0;
}

/* ChatML as SmolLM2 has it, to the letter. */
static mdf_status recognise_chatml(mdf_chat_template *out, const char *text, mdf_error *err)
{
    mdf_chat_template t = {.kind = MDF_CHAT_CHATML};
    const char *at = text;
    bool same = take(&at, "{%formessageinmessages%}");
    if (same &&
        take(&at, "{%ifloop.firstandmessages[0]['role']!='system'%}{{'<|im_start|>system\\n")) {
        same = take_system(&at, t.system) && take(&at, "<|im_end|>\\n'}}{%endif%}");
    }
    same =
        same &&
        take(&at, "{{'<|im_start|>'+message['role']+'\\n'+message['content']+'<|im_end|>") &&
        (take(&at, "'+'\\n'}}") || take(&at, "\\n'}}")) &&
        take(&at, "{%endfor%}{%ifadd_generation_prompt%}{{'<|im_start|>assistant\\n'}}{%endif%}") &&
        *at == '\0';
    if (!same) {
        return mdf_fail(
            err, MDF_ERR_FORMAT,
            "chat_template: ChatML, but not as SmolLM2 has it: unknown from \"%.40s\" on", at);
    }
    *out = t;
    return MDF_OK;
}

static mdf_status recognise(mdf_chat_template *out, const char *text, bool outside, mdf_error *err)
{
    if (outside) {
        return unknown(err, "it has text outside of", "{{ }}");
    }
    const char *piece = FIRST(text, needed, false);
    if (piece != NULL && strstr(text, "<|im_start|>") != NULL) {
        return recognise_chatml(out, text, err);
    }
    if (piece != NULL) {
        return unknown(err, "it lacks", piece);
    }
    piece = other_filter(text) ? "|" : FIRST(text, foreign, true);
    if (piece != NULL) {
        return unknown(err, "it has", piece);
    }
    mdf_chat_template t = {.trims = strstr(text, "message['content']|trim") != NULL,
                           .images = strstr(text, "<|image|>") != NULL};
    if (strstr(text, "system_message") != NULL || strstr(text, "date_string") != NULL) {
        t.kind = MDF_CHAT_FULL;
        piece = FIRST(text, needed_full, false);
        if (piece != NULL) {
            return unknown(err, "it lacks", piece);
        }
    } else {
        piece = FIRST(text, foreign_simple, true);
        if (piece != NULL) {
            return unknown(err, "it has", piece);
        }
        if (strstr(text, "loop.index0==0") == NULL && strncmp(text, "{{bos_token}}", 13) != 0) {
            return unknown(err, "it lacks", "loop.index0 == 0");
        }
    }
    *out = t;
    return MDF_OK;
}

mdf_status mdf_chat_recognise(mdf_chat_template *out, const char *jinja, size_t len, mdf_error *err)
{
    bool outside = false;
    char *text = condense(jinja, len, &outside);
    if (text == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the chat template");
    }
    const mdf_status status = recognise(out, text, outside, err);
    mdf_free(text);
    return status;
}

/* The string, or the one named "default" of a list. NULL = none. */
static const json_t *choose(const json_t *value)
{
    if (!json_is_array(value)) {
        return json_is_string(value) ? value : NULL;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        const char *name = json_string_value(json_object_get(item, "name"));
        if (name != NULL && strcmp(name, "default") == 0) {
            const json_t *text = json_object_get(item, "template");
            return json_is_string(text) ? text : NULL;
        }
    }
    return NULL;
}

mdf_status mdf_chat_parse_json(mdf_chat_template *out, bool *found, const char *data, size_t len,
                               mdf_error *err)
{
    json_error_t where = {0};
    *found = false;
    json_t *root = mdf_json_load(data, len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(root)) {
        json_decref(root);
        return mdf_fail_at(err, MDF_ERR_FORMAT, where.position > 0 ? (size_t)where.position : 0,
                           "not valid JSON: line %d, column %d: %s", where.line, where.column,
                           root == NULL ? where.text : "not an object");
    }
    const json_t *text = choose(json_object_get(root, "chat_template"));
    mdf_status status = MDF_OK;
    if (text != NULL) {
        status = mdf_chat_recognise(out, json_string_value(text), json_string_length(text), err);
        *found = status == MDF_OK;
    }
    json_decref(root);
    return status;
}

static mdf_status load_file(mdf_chat_template *out, bool *found, const char *path, bool jinja,
                            mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    *found = false;
    if (!mdf_path_exists(path)) {
        return MDF_OK;
    }
    MDF_TRY(mdf_file_read(path, MDF_MAX_CHAT_BYTES, &data, &len, err));
    mdf_status status = MDF_OK;
    if (jinja) {
        status = mdf_chat_recognise(out, (const char *)data, len, err);
        *found = status == MDF_OK;
    } else {
        status = mdf_chat_parse_json(out, found, (const char *)data, len, err);
    }
    mdf_free(data);
    return status == MDF_OK ? MDF_OK : mdf_fail_prefix(err, status, path);
}

mdf_status mdf_chat_load(mdf_chat_template *out, bool *found, const char *dir, mdf_error *err)
{
    static const char *const names[] = {"chat_template.jinja", "chat_template.json",
                                        "tokenizer_config.json"};
    *found = false;
    for (size_t i = 0; !*found && i < sizeof names / sizeof names[0]; i++) {
        char *path = mdf_path_join(dir, names[i]);
        if (path == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the chat template");
        }
        const mdf_status status = load_file(out, found, path, i == 0, err);
        mdf_free(path);
        MDF_TRY(status);
    }
    if (!*found) {
        *out = (mdf_chat_template){.kind = MDF_CHAT_SIMPLE, .images = true};
    }
    return MDF_OK;
}
