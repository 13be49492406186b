/* The tokenizer that a GGUF file carries, as plain arrays; nothing is copied but the lists. */
#ifndef MDF_LANGUAGE_GGUF_VOCAB_H
#define MDF_LANGUAGE_GGUF_VOCAB_H

#include "io/gguf.h"

/* token_type of llama.cpp. */
typedef enum mdf_gguf_token_type {
    MDF_GGUF_TOKEN_NONE, /* the file has no types */
    MDF_GGUF_TOKEN_NORMAL,
    MDF_GGUF_TOKEN_UNKNOWN,
    MDF_GGUF_TOKEN_CONTROL, /* special */
    MDF_GGUF_TOKEN_USER,    /* added, found in texts, but not special */
    MDF_GGUF_TOKEN_UNUSED,
    MDF_GGUF_TOKEN_BYTE
} mdf_gguf_token_type;

typedef struct mdf_gguf_vocab {
    mdf_gguf_string model;    /* "gpt2": byte-pair encoding; "llama": SentencePiece */
    mdf_gguf_string pre;      /* name of the pre-tokenizer, "llama-bpe", "smollm"; may be empty */
    mdf_gguf_string template; /* of chats, in Jinja; may be empty */
    mdf_gguf_string *token;   /* [tokens] by id */
    uint8_t *type;            /* [tokens] mdf_gguf_token_type */
    size_t tokens;
    mdf_gguf_string *merge; /* [merges] "left right", by rank */
    size_t merges;
    int64_t bos, eos, eot, unknown, pad; /* ids; -1: none */
    bool add_bos, add_eos;               /* around every text */
    bool says_bos;                       /* add_bos is from the file, not just the default */
    mdf_arena arena;
} mdf_gguf_vocab;

/* Views into the files, which must outlive it. A file without a tokenizer is MDF_ERR_FORMAT. */
mdf_status mdf_gguf_vocab_read(mdf_gguf_vocab *v, const mdf_gguf_files *f,
                               mdf_error *err) MDF_NODISCARD;
void mdf_gguf_vocab_free(mdf_gguf_vocab *v);

#endif
