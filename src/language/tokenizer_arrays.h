/* A tokenizer from the arrays that a GGUF file holds (tokenizer.ggml.*). */
#ifndef MDF_LANGUAGE_TOKENIZER_ARRAYS_H
#define MDF_LANGUAGE_TOKENIZER_ARRAYS_H

#include "language/tokenizer.h"

/* What GGUF says about a token. */
enum { MDF_GGUF_TOKEN_NORMAL = 1, MDF_GGUF_TOKEN_CONTROL = 3, MDF_GGUF_TOKEN_USER = 4 };

typedef struct mdf_tokenizer_arrays {
    const mdf_text_view *token; /* [token_count] by id, in the byte alphabet */
    const int32_t *type;        /* [token_count]; NULL: all normal */
    size_t token_count;
    const mdf_text_view *merge; /* [merge_count] "left right" */
    size_t merge_count;
    const char *pre;     /* "llama-bpe", "smollm", "gpt-2" and their other names; NULL = "gpt-2" */
    int32_t begin_token; /* put before a text by the template; -1 = none */
} mdf_tokenizer_arrays;

/* Copies what it needs. Control tokens become special ones; user-defined ones are looked for in
 * every text. Names a pre-tokenizer that it does not know. */
mdf_status mdf_tokenizer_from_arrays(mdf_tokenizer **out, const mdf_tokenizer_arrays *a,
                                     int32_t image_token, mdf_error *err) MDF_NODISCARD;

#endif
