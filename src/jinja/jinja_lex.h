/* A template's text -> tokens, with white space taken away as trim_blocks and lstrip_blocks want.
 */
#ifndef MDF_JINJA_LEX_H
#define MDF_JINJA_LEX_H

#include "jinja/jinja_value.h"

typedef enum mdf_jtoken_type {
    MDF_JT_EOF,
    MDF_JT_DATA,      /* text between the tags */
    MDF_JT_BLOCK,     /* {% */
    MDF_JT_BLOCK_END, /* %} */
    MDF_JT_VAR,       /* {{ */
    MDF_JT_VAR_END,   /* }} */
    MDF_JT_NAME,
    MDF_JT_STRING, /* unescaped */
    MDF_JT_INT,
    MDF_JT_FLOAT,
    MDF_JT_OP /* text: the operator */
} mdf_jtoken_type;

typedef struct mdf_jtoken {
    mdf_jtoken_type type;
    uint32_t line;
    const char *text; /* in the template's arena */
    size_t len;
    union {
        int64_t integer;
        double real;
    } u;
} mdf_jtoken;

typedef struct mdf_jtokens {
    mdf_jtoken *token; /* the last one is MDF_JT_EOF */
    size_t count, capacity;
} mdf_jtokens;

/* text must be UTF-8; its copy with single line feeds, and unescaped strings, go to the arena. The
 * caller frees out->token with mdf_free(), on failure too. */
mdf_status mdf_jinja_lex(mdf_jtokens *out, mdf_arena *a, const char *text, size_t len,
                         mdf_error *err) MDF_NODISCARD;

#endif
