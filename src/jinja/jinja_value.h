/* Values of a template, as Python has them: what they are, when they are equal, how they sort. They
 * live in the arena of a rendering and are never changed, namespaces aside. */
#ifndef MDF_JINJA_VALUE_H
#define MDF_JINJA_VALUE_H

#include <jansson.h>
#include <time.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/strbuf.h"

typedef enum mdf_jkind {
    MDF_J_MISSING, /* an argument that was not given; no template ever sees it */
    MDF_J_UNDEFINED,
    MDF_J_NONE,
    MDF_J_BOOL,
    MDF_J_INT,
    MDF_J_FLOAT,
    MDF_J_STRING,
    MDF_J_LIST, /* from here to MDF_J_ITERATOR: mdf_jlist */
    MDF_J_TUPLE,
    MDF_J_RANGE,
    MDF_J_KEYS,
    MDF_J_VALUES,
    MDF_J_ITEMS,
    MDF_J_ITERATOR, /* what filters like map give: walked through once, without a length */
    MDF_J_DICT,
    MDF_J_NAMESPACE,
    MDF_J_LOOP,
    MDF_J_MACRO,
    MDF_J_METHOD,
    MDF_J_FUNCTION
} mdf_jkind;

/* Of a STRING: SAFE is what jinja2 calls Markup; texts that are added to it are escaped first. */
enum { MDF_J_PLAIN, MDF_J_SAFE };

/* Why something is undefined: UNDEFINED's text is a name or the whole sentence. */
enum { MDF_J_NAME, MDF_J_HINT, MDF_J_MEMBER, MDF_J_ELEMENT, MDF_J_UNSAFE };

typedef struct mdf_jval {
    uint8_t kind;  /* mdf_jkind */
    uint8_t why;   /* of UNDEFINED and STRING */
    uint8_t owner; /* of MEMBER, ELEMENT, UNSAFE: the kind whose it would be */
    union {
        bool truth;
        int64_t integer; /* INT; UNDEFINED of ELEMENT: which */
        double real;
        const char *text; /* STRING (UTF-8, not NUL-terminated), UNDEFINED */
        struct mdf_jlist *list;
        struct mdf_jdict *dict; /* DICT, NAMESPACE */
        struct mdf_jloop *loop;
        const struct mdf_jmacro *macro;
        const struct mdf_jmethod *method;
        int function;
    } u;
    size_t len; /* of STRING and UNDEFINED, bytes */
} mdf_jval;

typedef struct mdf_jlist {
    mdf_jval *item;
    size_t count;
    size_t at; /* ITERATOR: items that were taken already */
} mdf_jlist;

typedef struct mdf_jdict {
    mdf_jval *key, *value; /* in the order of insertion */
    size_t count, capacity;
} mdf_jdict;

/* What one rendering has: memory, limits, where the text goes. Nothing is freed before its end. */
typedef struct mdf_jvm {
    mdf_arena arena;
    mdf_strbuf *out;
    mdf_error *err;
    uint64_t steps;
    unsigned depth;
    uint32_t line; /* of the template, for sentences */
    const struct tm *now;
    const struct mdf_jtemplate *tmpl;
    const mdf_jval *piped; /* what the filters of a block get */
    bool full;             /* the arena's limit was reached */
    uint8_t flow;          /* MDF_JF_: a loop is being left */
} mdf_jvm;

/* Memory of the rendering; NULL: return mdf_jvm_no_memory(). Zero bytes are fine. */
void *mdf_jvm_alloc(mdf_jvm *m, size_t count, size_t size) MDF_NODISCARD;
mdf_status mdf_jvm_no_memory(const mdf_jvm *m);

/* Counts work: MDF_ERR_LIMIT above MDF_MAX_JINJA_STEPS. */
mdf_status mdf_jvm_step(mdf_jvm *m, size_t n) MDF_NODISCARD;
mdf_status mdf_jvm_search(mdf_jvm *m, size_t len, size_t needle) MDF_NODISCARD; /* of a search */
mdf_status mdf_jvm_enter(mdf_jvm *m) MDF_NODISCARD; /* one level deeper; m->depth-- leaves it */

mdf_jval mdf_jval_none(void);
mdf_jval mdf_jval_bool(bool b);
mdf_jval mdf_jval_int(int64_t i);
mdf_jval mdf_jval_real(double d);
mdf_jval mdf_jval_text(const char *s, size_t len); /* borrowed */
mdf_jval mdf_jval_name(const char *literal);       /* a C string, borrowed */
mdf_jval mdf_jval_undefined(const char *name, size_t len);
mdf_jval mdf_jval_hint(const char *sentence);
mdf_jval mdf_jval_lacks(const mdf_jval *owner, const char *name, size_t len);

/* A list kind with room for count items, which the caller fills. */
mdf_status mdf_jval_list(mdf_jvm *m, mdf_jkind kind, size_t count, mdf_jval *out) MDF_NODISCARD;
mdf_status mdf_jval_pair(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b,
                         mdf_jval *out) MDF_NODISCARD;
mdf_status mdf_jval_dict(mdf_jvm *m, mdf_jkind kind, size_t capacity, mdf_jval *out) MDF_NODISCARD;

/* A copy of bytes as a string value. */
mdf_status mdf_jval_copy(mdf_jvm *m, const char *s, size_t len, mdf_jval *out) MDF_NODISCARD;

/* From a parsed JSON value. */
mdf_status mdf_jval_json(mdf_jvm *m, const json_t *j, mdf_jval *out) MDF_NODISCARD;

bool mdf_jval_is_list(const mdf_jval *v); /* any of the kinds that hold an mdf_jlist */
bool mdf_jval_is_number(const mdf_jval *v);
int64_t mdf_jval_as_int(const mdf_jval *v);               /* BOOL, INT */
double mdf_jval_as_real(const mdf_jval *v);               /* BOOL, INT, FLOAT */
bool mdf_jval_is(const mdf_jval *v, const char *literal); /* a STRING of these bytes? */

/* Python's name of the type, as "str". */
const char *mdf_jval_type(const mdf_jval *v);

bool mdf_jval_true(const mdf_jval *v);

/* The sentence about an undefined value that was used. */
mdf_status mdf_jval_refuse(mdf_jvm *m, const mdf_jval *v);

mdf_status mdf_jval_equal(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b,
                          bool *equal) MDF_NODISCARD;
/* *order < 0, 0, > 0; an error where Python has none. op is for the sentence: "<". */
mdf_status mdf_jval_order(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, const char *op,
                          int *order) MDF_NODISCARD;

/* NULL: no such key. */
mdf_status mdf_jdict_find(mdf_jvm *m, const mdf_jdict *d, const mdf_jval *key,
                          mdf_jval **value) MDF_NODISCARD;
mdf_jval *mdf_jdict_text(const mdf_jdict *d, const char *key, size_t len);
mdf_status mdf_jdict_put(mdf_jvm *m, mdf_jdict *d, const mdf_jval *key,
                         const mdf_jval *value) MDF_NODISCARD;

/* len(): false where Python has none. */
bool mdf_jval_len(const mdf_jval *v, size_t *len);

/* The items that a loop over v sees, as a list that nobody else holds when it was an ITERATOR: that
 * one is used up. Strings give characters, dicts keys, undefined nothing. */
mdf_status mdf_jval_items(mdf_jvm *m, const mdf_jval *v, mdf_jlist *out) MDF_NODISCARD;

/* str() and repr(), appended to b. */
mdf_status mdf_jval_str(mdf_jvm *m, const mdf_jval *v, mdf_strbuf *b) MDF_NODISCARD;
mdf_status mdf_jval_repr(mdf_jvm *m, const mdf_jval *v, mdf_strbuf *b) MDF_NODISCARD;

/* str() as a value; a STRING is itself. */
mdf_status mdf_jval_to_text(mdf_jvm *m, const mdf_jval *v, mdf_jval *out) MDF_NODISCARD;

/* Ends a string that was being written: its text as a value, the buffer freed. */
mdf_status mdf_jvm_finish(mdf_jvm *m, mdf_strbuf *b, mdf_jval *out) MDF_NODISCARD;
mdf_strbuf mdf_jvm_buffer(void);
mdf_status mdf_jvm_full(const mdf_jvm *m, const mdf_strbuf *b); /* why b failed */

/* A float as Python writes it; at most 32 bytes with the NUL. */
size_t mdf_jval_write_real(char out[32], double d);

#endif
