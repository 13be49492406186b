/* Chats as the model's own template writes them. */
#include "language/chat.h"

#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "jinja/jinja.h"

#define BEGIN_OF_TEXT "<|begin_of_text|>"

struct mdf_chat {
    mdf_jinja *jinja;
    json_t *variables;
    bool takes_text; /* a message's content may be a string */
};

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the chat template");
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

static mdf_status parse_object(json_t **out, const char *data, size_t len, mdf_error *err)
{
    json_error_t where = {0};
    json_t *root = mdf_json_load(data, len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(root)) {
        json_decref(root);
        return mdf_fail_at(err, MDF_ERR_FORMAT, where.position > 0 ? (size_t)where.position : 0,
                           "not valid JSON: line %d, column %d: %s", where.line, where.column,
                           root == NULL ? where.text : "not an object");
    }
    *out = root;
    return MDF_OK;
}

static json_t *content_of(const mdf_chat *c, const mdf_chat_message *message)
{
    if (message->count == 1 && message->part[0].text != NULL && c->takes_text) {
        return json_string(message->part[0].text);
    }
    json_t *list = json_array();
    for (size_t i = 0; i < message->count; i++) {
        const char *text = message->part[i].text;
        json_t *part = text == NULL ? json_pack("{s:s}", "type", "image")
                                    : json_pack("{s:s, s:s}", "type", "text", "text", text);
        if (json_array_append_new(list, part) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* The variables of a rendering. NULL: out of memory. */
static json_t *variables_of(const mdf_chat *c, const mdf_chat_message *message, size_t count,
                            bool ask)
{
    json_t *root = json_copy(c->variables);
    json_t *messages = json_array();
    bool made = root != NULL && messages != NULL;
    for (size_t i = 0; made && i < count; i++) {
        json_t *content = content_of(c, &message[i]);
        made = content != NULL &&
               json_array_append_new(messages, json_pack("{s:s, s:o}", "role", message[i].role,
                                                         "content", content)) == 0;
    }
    made = made && json_object_set(root, "messages", messages) == 0 &&
           json_object_set_new(root, "add_generation_prompt", json_boolean(ask)) == 0;
    json_decref(messages);
    if (!made) {
        json_decref(root);
        return NULL;
    }
    return root;
}

static mdf_status render(const mdf_chat *c, const mdf_chat_message *message, size_t count,
                         const mdf_chat_options *opt, mdf_strbuf *out, mdf_error *err)
{
    json_t *root = variables_of(c, message, count, opt->ask);
    if (root == NULL) {
        return no_memory(err);
    }
    const mdf_status status =
        mdf_jinja_render(c->jinja, root, &(mdf_jinja_options){.now = opt->now}, out, err);
    json_decref(root);
    return status;
}

/* Some templates of models with pictures take lists only, and lose a string without a word. */
static mdf_status probe(mdf_chat *c, mdf_error *err)
{
    static const char text[] = "mdf-content";
    const mdf_chat_part part = {text};
    const mdf_chat_message message = {"user", &part, 1};
    const mdf_chat_options options = {0};
    bool shown[2] = {false, false};
    for (int as_text = 0; as_text < 2; as_text++) {
        mdf_strbuf out = mdf_strbuf_new(MDF_MAX_CHAT_BYTES);
        c->takes_text = as_text == 1;
        const mdf_status status = render(c, &message, 1, &options, &out, err);
        shown[as_text] = status == MDF_OK && out.len > 0 && strstr(out.data, text) != NULL;
        mdf_strbuf_free(&out);
        if (status == MDF_ERR_NOMEM) {
            return status;
        }
    }
    c->takes_text = shown[1] || !shown[0];
    return MDF_OK;
}

/* What transformers knows as special_tokens_map: a name is a string, or an object with its content.
 */
static void take_names(json_t *variables, const json_t *file)
{
    static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *value = json_object_get(file, names[i]);
        value = json_is_object(value) ? json_object_get(value, "content") : value;
        if (json_is_string(value) && json_object_get(variables, names[i]) == NULL) {
            (void)json_object_set(variables, names[i], value);
        }
    }
}

static mdf_status make(mdf_chat **out, const char *name, const char *text, size_t len,
                       const json_t *names, mdf_error *err)
{
    mdf_chat *c = mdf_alloc(1, sizeof *c);
    if (c == NULL) {
        return no_memory(err);
    }
    c->variables = json_pack("{s:n, s:n}", "tools", "documents");
    mdf_status status = c->variables == NULL ? no_memory(err) : MDF_OK;
    if (status == MDF_OK) {
        take_names(c->variables, names);
        take_names(c->variables, json_object_get(names, "more"));
        if (json_object_get(c->variables, "bos_token") == NULL &&
            json_object_set_new(c->variables, "bos_token", json_string(BEGIN_OF_TEXT)) != 0) {
            status = no_memory(err);
        }
    }
    if (status == MDF_OK) {
        status = mdf_jinja_compile(&c->jinja, name, text, len, err);
    }
    if (status == MDF_OK) {
        status = probe(c, err);
    }
    if (status != MDF_OK) {
        mdf_chat_free(c);
        return status;
    }
    *out = c;
    return MDF_OK;
}

/* names: an object as tokenizer_config.json is one, or NULL. */
static mdf_status from_bytes(mdf_chat **out, const char *name, const char *data, size_t len,
                             bool json, const json_t *names, mdf_error *err)
{
    if (!json) {
        return make(out, name, data, len, names, err);
    }
    json_t *root = NULL;
    const mdf_status parsed = parse_object(&root, data, len, err);
    if (parsed != MDF_OK) {
        return mdf_fail_prefix(err, parsed, name);
    }
    const json_t *text = choose(json_object_get(root, "chat_template"));
    mdf_status status = MDF_OK;
    if (text != NULL) {
        status = make(out, name, json_string_value(text), json_string_length(text),
                      names == NULL ? root : names, err);
    }
    json_decref(root);
    return status;
}

mdf_status mdf_chat_new(mdf_chat **out, const char *name, const char *data, size_t len, bool json,
                        mdf_error *err)
{
    *out = NULL;
    return from_bytes(out, name, data, len, json, NULL, err);
}

void mdf_chat_free(mdf_chat *c)
{
    if (c != NULL) {
        mdf_jinja_free(c->jinja);
        json_decref(c->variables);
        mdf_free(c);
    }
}

/* The JSON object in a file of the folder; *out NULL: there is no such file. */
static mdf_status read_object(json_t **out, const char *dir, const char *file, mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    *out = NULL;
    char *path = mdf_path_join(dir, file);
    if (path == NULL) {
        return no_memory(err);
    }
    mdf_status status = MDF_OK;
    if (mdf_path_exists(path)) {
        status = mdf_file_read(path, MDF_MAX_CHAT_BYTES, &data, &len, err);
        if (status == MDF_OK) {
            status = parse_object(out, (const char *)data, len, err);
            status = status == MDF_OK ? MDF_OK : mdf_fail_prefix(err, status, path);
        }
    }
    mdf_free(data);
    mdf_free(path);
    return status;
}

/* tokenizer_config.json, with special_tokens_map.json as its member "more". */
static mdf_status read_names(json_t **out, const char *dir, mdf_error *err)
{
    json_t *more = NULL;
    MDF_TRY(read_object(out, dir, "tokenizer_config.json", err));
    if (*out == NULL) {
        *out = json_object();
    }
    mdf_status status = read_object(&more, dir, "special_tokens_map.json", err);
    if (status == MDF_OK && more != NULL && json_object_set(*out, "more", more) != 0) {
        status = no_memory(err);
    }
    json_decref(more);
    if (status != MDF_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

static mdf_status load_file(mdf_chat **out, const char *path, const json_t *names, mdf_error *err)
{
    uint8_t *data = NULL;
    size_t len = 0;
    const size_t n = strlen(path);
    const bool json = n > 5 && strcmp(path + n - 5, ".json") == 0;
    MDF_TRY(mdf_file_read(path, MDF_MAX_CHAT_BYTES, &data, &len, err));
    const mdf_status status = from_bytes(out, path, (const char *)data, len, json, names, err);
    mdf_free(data);
    return status;
}

static mdf_status load_from_folder(mdf_chat **out, const char *dir, const json_t *names,
                                   mdf_error *err)
{
    static const char *const files[] = {"chat_template.jinja", "chat_template.json",
                                        "tokenizer_config.json"};
    for (size_t i = 0; *out == NULL && i < sizeof files / sizeof files[0]; i++) {
        char *path = mdf_path_join(dir, files[i]);
        if (path == NULL) {
            return no_memory(err);
        }
        const mdf_status status = mdf_path_exists(path) ? load_file(out, path, names, err) : MDF_OK;
        mdf_free(path);
        MDF_TRY(status);
    }
    return MDF_OK;
}

mdf_status mdf_chat_load(mdf_chat **out, const char *dir, const char *file, mdf_error *err)
{
    json_t *names = NULL;
    *out = NULL;
    MDF_TRY(read_names(&names, dir, err));
    mdf_status status =
        file == NULL ? load_from_folder(out, dir, names, err) : load_file(out, file, names, err);
    json_decref(names);
    if (status == MDF_OK && file != NULL && *out == NULL) {
        status = mdf_fail(err, MDF_ERR_FORMAT, "%s: it has no chat_template", file);
    }
    return status;
}

/* Copies of the messages whose texts can't become special tokens, in memory of the arena. */
static mdf_status shield(mdf_chat_message *copy, const mdf_chat_message *message, size_t count,
                         const mdf_tokenizer *t, mdf_arena *a, mdf_error *err)
{
    for (size_t i = 0; i < count; i++) {
        mdf_chat_part *part = mdf_arena_alloc(a, message[i].count, sizeof *part);
        if (part == NULL) {
            return no_memory(err);
        }
        for (size_t j = 0; j < message[i].count; j++) {
            part[j] = message[i].part[j];
            if (part[j].text != NULL) {
                MDF_TRY(mdf_tokenizer_shield(t, part[j].text, a, &part[j].text, err));
            }
        }
        copy[i] = (mdf_chat_message){message[i].role, part, message[i].count};
    }
    return MDF_OK;
}

mdf_status mdf_chat_render(const mdf_chat *c, const mdf_tokenizer *t,
                           const mdf_chat_message *message, size_t count,
                           const mdf_chat_options *opt, mdf_strbuf *out, mdf_error *err)
{
    mdf_arena arena;
    if (count == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "the chat has no message");
    }
    if (t == NULL) {
        return render(c, message, count, opt, out, err);
    }
    MDF_TRY(mdf_arena_init(&arena, 0, 0, err));
    mdf_chat_message *copy = mdf_arena_alloc(&arena, count, sizeof *copy);
    mdf_status status =
        copy == NULL ? no_memory(err) : shield(copy, message, count, t, &arena, err);
    if (status == MDF_OK) {
        status = render(c, copy, count, opt, out, err);
    }
    mdf_arena_free(&arena);
    return status;
}

mdf_status mdf_chat_encode(const mdf_tokenizer *t, const mdf_strbuf *text, int32_t *id,
                           size_t capacity, size_t *count, mdf_error *err)
{
    return mdf_tokenizer_encode(t, text->data == NULL ? "" : text->data, text->len,
                                MDF_ENCODE_SPECIALS | MDF_ENCODE_SHIELDED, id, capacity, count,
                                err);
}

mdf_status mdf_chat_plain(mdf_marked *out, const char *text, mdf_error *err)
{
    static const char *const name[] = {MDF_IMAGE_TOKEN, BEGIN_OF_TEXT};
    const size_t image = sizeof MDF_IMAGE_TOKEN - 1;
    if (strstr(text, BEGIN_OF_TEXT) == NULL) {
        while (strncmp(text, MDF_IMAGE_TOKEN, image) == 0) {
            mdf_marked_special(out, MDF_IMAGE_TOKEN);
            text += image;
        }
        mdf_marked_special(out, BEGIN_OF_TEXT);
    }
    while (*text != '\0') {
        const char *next = text + strlen(text);
        const char *special = NULL;
        for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
            const char *found = strstr(text, name[i]);
            if (found != NULL && found < next) {
                next = found;
                special = name[i];
            }
        }
        mdf_marked_text(out, text, (size_t)(next - text));
        if (special != NULL) {
            mdf_marked_special(out, special);
            next += strlen(special);
        }
        text = next;
    }
    if (out->text.failed || out->marks.failed) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the prompt is longer than the limit of %zu bytes",
                        out->text.max_bytes);
    }
    return MDF_OK;
}
