/* Python's pickles, protocols 2 to 5, as far as they describe data: numbers, texts, tuples, lists,
 * dictionaries, and the few names that the caller allows.
 *
 *     static const mdf_pickle_global allowed[] = {{"torch", "FloatStorage", MDF_PICKLE_NAME}, ...};
 *     mdf_pickle p;
 *     MDF_TRY(mdf_pickle_parse(&p, bytes, len, allowed, n, path, err));
 *     ... p.value: the object; a call is written down in it, not made
 *     mdf_pickle_free(&p);
 *
 * A pickle is a program for a machine with a stack and a memo. Nothing of it is run here: a call is
 * recorded with its arguments, and every name that is not allowed, and every instruction that data
 * does not need, is MDF_ERR_FORMAT with its name in the sentence. */
#ifndef MDF_IO_PICKLE_H
#define MDF_IO_PICKLE_H

#include "base/arena.h"

typedef enum mdf_pickle_kind {
    MDF_PICKLE_NONE,
    MDF_PICKLE_BOOL,  /* whole: 0 or 1 */
    MDF_PICKLE_WHOLE, /* whole */
    MDF_PICKLE_LONG,  /* text [len]: an integer above 64 bits, little-endian two's complement */
    MDF_PICKLE_FLOAT, /* number */
    MDF_PICKLE_TEXT,  /* text [len]: UTF-8, not ended by NUL, in the caller's bytes */
    MDF_PICKLE_TUPLE, /* items */
    MDF_PICKLE_LIST,  /* items */
    MDF_PICKLE_DICT,  /* items: key, value, key, value, ... in file order */
    MDF_PICKLE_ITEM,  /* global: one of the allowed names */
    MDF_PICKLE_CALL,  /* items: the arguments; items->callee is called with them */
    MDF_PICKLE_OUTER  /* items: the tuple that names an object outside (a persistent id) */
} mdf_pickle_kind;

/* What may be done with a name: stand there, be called (the call is recorded), or be called without
 * arguments, which makes an empty dictionary. */
typedef enum mdf_pickle_use {
    MDF_PICKLE_NAME,
    MDF_PICKLE_CALLED,
    MDF_PICKLE_MAKES_DICT
} mdf_pickle_use;

typedef struct mdf_pickle_global {
    const char *module, *name;
    mdf_pickle_use use;
} mdf_pickle_global;

typedef struct mdf_pickle_value {
    mdf_pickle_kind kind;
    size_t len;
    union {
        int64_t whole;
        double number;
        const char *text;
        const mdf_pickle_global *global;
        struct mdf_pickle_items *items; /* shared by all values that mean the same object */
    } u;
} mdf_pickle_value;

/* A list or dictionary may hold itself. */
typedef struct mdf_pickle_items {
    mdf_pickle_value *item; /* [count] */
    size_t count, capacity;
    const mdf_pickle_global *callee;
    const struct mdf_pickle_items *next; /* the objects outside are a chain */
} mdf_pickle_items;

typedef struct mdf_pickle {
    mdf_pickle_value value;
    const mdf_pickle_items *outer; /* all objects outside, the last one first */
    size_t used;                   /* bytes of the pickle: another one may follow */
    mdf_arena arena;               /* all of value */
} mdf_pickle;

/* bytes [len], of which a beginning is the pickle, stay the caller's and must outlive the object,
 * like allowed [n]; name stands in errors. On failure there is nothing to free. Errors: FORMAT,
 * LIMIT, NOMEM. */
mdf_status mdf_pickle_parse(mdf_pickle *p, const void *bytes, size_t len,
                            const mdf_pickle_global *allowed, size_t n, const char *name,
                            mdf_error *err) MDF_NODISCARD;
void mdf_pickle_free(mdf_pickle *p);

/* v is this text. */
bool mdf_pickle_is(const mdf_pickle_value *v, const char *text);

/* The value of a text key of a dictionary; the last one counts, as in Python. NULL: none. */
const mdf_pickle_value *mdf_pickle_at(const mdf_pickle_value *dict, const char *key);

#endif
