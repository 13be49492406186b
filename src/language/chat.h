/* Chats as the model's own template writes them (docs/MODEL.md section 5).
 *
 *     mdf_chat_part part[] = {{NULL}, {"Which disease is this?"}};       NULL is a picture
 *     mdf_chat_message message = {"user", part, 2};
 *     mdf_chat *chat = NULL;
 *     mdf_strbuf text = mdf_strbuf_new(MDF_MAX_CHAT_BYTES);
 *     MDF_TRY(mdf_chat_load(&chat, "model", NULL, err));
 *     MDF_TRY(mdf_chat_render(chat, tokenizer, &message, 1, &options, &text, err));
 *     MDF_TRY(mdf_chat_encode(tokenizer, &text, id, room, &count, err));
 *
 * What the template writes is tokenised as transformers does it: names of special tokens are the
 * special tokens. Those that a message's own text spells stay text: a user can't end the turn. */
#ifndef MDF_LANGUAGE_CHAT_H
#define MDF_LANGUAGE_CHAT_H

#include <time.h>

#include "language/marked.h"

typedef struct mdf_chat mdf_chat; /* a template and its variables; immutable */

/* One piece of a message; text NULL = a picture. */
typedef struct mdf_chat_part {
    const char *text;
} mdf_chat_part;

typedef struct mdf_chat_message {
    const char *role; /* "system", "user", "assistant" or what else the template knows */
    const mdf_chat_part *part;
    size_t count;
} mdf_chat_message;

/* A zeroed struct means every default. */
typedef struct mdf_chat_options {
    const struct tm *now; /* of templates that write the date; NULL = local time */
    bool ask;             /* ends with the header of the assistant's turn */
} mdf_chat_options;

/* The template `file`, or where that is NULL the first of chat_template.jinja, chat_template.json
 * and tokenizer_config.json of the model folder that has one ("chat_template": a string, or a list
 * of named ones of which "default" is taken); *out NULL: none does. bos_token and the like come
 * from the folder's tokenizer_config.json and special_tokens_map.json; where they name no bos_token
 * it is
 * <|begin_of_text|>. Errors name the file. The caller owns *out: mdf_chat_free(). */
mdf_status mdf_chat_load(mdf_chat **out, const char *dir, const char *file,
                         mdf_error *err) MDF_NODISCARD;

/* From the bytes of one of those files. json: a chat_template.json or tokenizer_config.json, else
 * the template itself; name is for sentences. */
mdf_status mdf_chat_new(mdf_chat **out, const char *name, const char *data, size_t len, bool json,
                        mdf_error *err) MDF_NODISCARD;
void mdf_chat_free(mdf_chat *c); /* NULL is allowed */

/* Appends the chat to out, for mdf_chat_encode(). A message of one text has the text as its
 * content, unless the template takes lists only; other messages have a list. MDF_ERR_ARG: no
 * message, or the template refuses; other errors as mdf_jinja_render() has them. t NULL: names of
 * special tokens in the messages are not looked for. */
mdf_status mdf_chat_render(const mdf_chat *c, const mdf_tokenizer *t,
                           const mdf_chat_message *message, size_t count,
                           const mdf_chat_options *opt, mdf_strbuf *out,
                           mdf_error *err) MDF_NODISCARD;

/* As mdf_tokenizer_encode(). */
mdf_status mdf_chat_encode(const mdf_tokenizer *t, const mdf_strbuf *text, int32_t *id,
                           size_t capacity, size_t *count, mdf_error *err) MDF_NODISCARD;

/* A prompt without a chat, as the processor makes it: <|begin_of_text|> behind the pictures that
 * the text begins with, unless the text has it somewhere already. Names of special tokens in the
 * text count: it is not a user's. */
mdf_status mdf_chat_plain(mdf_marked *out, const char *text, mdf_error *err) MDF_NODISCARD;

#endif
