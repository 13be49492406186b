/* What has been said in a conversation, and which tokens of it the session's decoder has read. */
#ifndef MDF_ENGINE_CONVERSATION_H
#define MDF_ENGINE_CONVERSATION_H

#include "base/status.h"

typedef struct mdf_conversation {
    char *system; /* message of the system before it; NULL: none */
    char **turn;  /* [turns] texts of user and assistant in turn, the user's first */
    size_t turns, turn_room;
    int photos;     /* that stand before the first text */
    int32_t *token; /* [tokens] that the decoder has read and whose keys it has */
    size_t tokens, token_room;
} mdf_conversation;

void mdf_conversation_clear(mdf_conversation *c); /* nothing was said; keeps the memory */
void mdf_conversation_free(mdf_conversation *c);

/* The next text, of len bytes; NULs in it become U+FFFD, for templates take C strings. */
mdf_status mdf_conversation_say(mdf_conversation *c, const char *text, size_t len,
                                mdf_error *err) MDF_NODISCARD;
void mdf_conversation_take_back(mdf_conversation *c); /* the last text */

mdf_status mdf_conversation_set_system(mdf_conversation *c, const char *text,
                                       mdf_error *err) MDF_NODISCARD; /* NULL: none */

/* token [count] were read behind the first `known`. */
mdf_status mdf_conversation_read(mdf_conversation *c, size_t known, const int32_t *token,
                                 size_t count, mdf_error *err) MDF_NODISCARD;

/* How many tokens, from the first on, are the same. */
size_t mdf_conversation_common(const mdf_conversation *c, const int32_t *token, size_t count);

#endif
