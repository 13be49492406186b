/* Chats as Llama 3.2 Vision was trained on them: the two templates that are in circulation, and
 * ChatML as SmolLM2 has it, rendered as their Jinja texts render them (docs/MODEL.md section 5).
 *
 *     mdf_chat_part part[] = {{NULL}, {"Which disease is this?"}};       NULL is the picture
 *     mdf_chat_message message = {"user", part, 2};
 *     mdf_marked chat = mdf_marked_new(MDF_MAX_CHAT_BYTES);
 *     MDF_TRY(mdf_chat_render(&chat, &tmpl, &message, 1, &options, err));
 *     MDF_TRY(mdf_marked_encode(&chat, tokenizer, id, room, &count, err));
 */
#ifndef MDF_LANGUAGE_CHAT_H
#define MDF_LANGUAGE_CHAT_H

#include "language/marked.h"

typedef enum mdf_chat_kind {
    MDF_CHAT_SIMPLE, /* every message as it comes */
    MDF_CHAT_FULL,   /* a system block with the date, unless there is a picture */
    MDF_CHAT_CHATML  /* <|im_start|>role, every message as it comes */
} mdf_chat_kind;

enum { MDF_CHAT_SYSTEM = 512 }; /* bytes of a template's own system message, with its NUL */

typedef struct mdf_chat_template {
    mdf_chat_kind kind;
    bool trims;  /* white space around a message's text is taken away */
    bool images; /* <|image|> stands for a picture; false: the template knows text only */
    char system[MDF_CHAT_SYSTEM]; /* of a chat that begins without one; "" = none */
} mdf_chat_template;

/* One piece of a message; text NULL = a picture. */
typedef struct mdf_chat_part {
    const char *text;
} mdf_chat_part;

typedef struct mdf_chat_message {
    const char *role; /* "system", "user" or "assistant" */
    const mdf_chat_part *part;
    size_t count;
} mdf_chat_message;

typedef struct mdf_chat_options {
    const char *date; /* of the full template's system block, as "26 Jul 2024"; NULL = today */
    bool ask;         /* ends with the header of the assistant's turn */
} mdf_chat_options;

/* Appends the chat to out. MDF_ERR_ARG: no message, a role that is not one of the three, a picture
 * where the template takes none; the full template takes no picture together with a system
 * message. */
mdf_status mdf_chat_render(mdf_marked *out, const mdf_chat_template *t,
                           const mdf_chat_message *message, size_t count,
                           const mdf_chat_options *opt, mdf_error *err) MDF_NODISCARD;

/* A prompt without a chat, as the processor makes it: <|begin_of_text|> behind the pictures that
 * the text begins with, unless the text has it somewhere already. Names of special tokens in the
 * text count: it is not a user's. */
mdf_status mdf_chat_plain(mdf_marked *out, const char *text, mdf_error *err) MDF_NODISCARD;

/* Which template a Jinja text is, by what it does. Everything that would change the result and is
 * not known is refused by name. */
mdf_status mdf_chat_recognise(mdf_chat_template *out, const char *jinja, size_t len,
                              mdf_error *err) MDF_NODISCARD;

/* The template in tokenizer_config.json or chat_template.json ("chat_template": a string, or a list
 * of named ones of which "default" is taken). *found false: there is none. */
mdf_status mdf_chat_parse_json(mdf_chat_template *out, bool *found, const char *data, size_t len,
                               mdf_error *err) MDF_NODISCARD;

/* The first of chat_template.jinja, chat_template.json, tokenizer_config.json of a model folder
 * that has one; *found false: none does, and *out is the simple template. Errors name the file. */
mdf_status mdf_chat_load(mdf_chat_template *out, bool *found, const char *dir,
                         mdf_error *err) MDF_NODISCARD;

#endif
