/* A compiled template: a tree of statements and expressions in one arena. */
#ifndef MDF_JINJA_NODE_H
#define MDF_JINJA_NODE_H

#include "jinja/jinja_value.h"

typedef enum mdf_jnode_type {
    MDF_JN_CONST,   /* value */
    MDF_JN_NAME,    /* name */
    MDF_JN_NSREF,   /* name.value, something that can be set */
    MDF_JN_LIST,    /* list: its items */
    MDF_JN_TUPLE,   /* list */
    MDF_JN_DICT,    /* list: key, value, key, value ... */
    MDF_JN_AND,     /* a, b */
    MDF_JN_OR,      /* a, b */
    MDF_JN_NOT,     /* a */
    MDF_JN_SIGN,    /* op '-' or '+', a */
    MDF_JN_BINARY,  /* op, a, b */
    MDF_JN_COMPARE, /* a, then list: nodes with op and a */
    MDF_JN_COND,    /* a if b else c (or NULL) */
    MDF_JN_ATTR,    /* a . value (a string) */
    MDF_JN_ITEM,    /* a [ b ] */
    MDF_JN_SLICE,   /* a [ b : c : d ], each of the three may be NULL */
    MDF_JN_CALL,    /* a ( list ) */
    MDF_JN_FILTER,  /* a | builtin ( list ); a NULL: the text of a filter block or set */
    MDF_JN_TEST,    /* a is builtin ( list ) */
    MDF_JN_KEYWORD, /* in list of the above: name = a */
    MDF_JN_STAR,    /* * a */
    MDF_JN_STARS,   /* ** a */

    MDF_JN_TEXT,         /* value */
    MDF_JN_PRINT,        /* a */
    MDF_JN_IF,           /* a, body, other */
    MDF_JN_FOR,          /* a: target, b: what over, c: condition or NULL, body, other */
    MDF_JN_SET,          /* a: target, b: value */
    MDF_JN_SET_BLOCK,    /* a: target, b: filters or NULL, body */
    MDF_JN_MACRO,        /* name, list: parameters, body */
    MDF_JN_CALL_BLOCK,   /* a: the call, list: parameters, body */
    MDF_JN_FILTER_BLOCK, /* a: filters, body */
    MDF_JN_WITH,         /* list: target, value, target, value ...; body */
    MDF_JN_SCOPE,        /* body: names set in it end with it */
    MDF_JN_BREAK,
    MDF_JN_CONTINUE
} mdf_jnode_type;

/* Operators of more than one character, beside the characters of the others. */
enum {
    MDF_JO_EQ = 1,
    MDF_JO_NE,
    MDF_JO_LE,
    MDF_JO_GE,
    MDF_JO_IN,
    MDF_JO_NOT_IN,
    MDF_JO_FLOOR,
    MDF_JO_POW
};

/* Special names that a macro's body uses. */
enum { MDF_JM_CALLER = 1, MDF_JM_KWARGS = 2, MDF_JM_VARARGS = 4 };

/* The same name is the same pointer within a template. */
typedef struct mdf_jname {
    struct mdf_jname *next; /* in its bucket */
    size_t len;
    char text[]; /* ends with NUL */
} mdf_jname;

typedef struct mdf_jnode {
    uint8_t type; /* mdf_jnode_type */
    uint8_t op;
    uint8_t flags; /* MDF_JM_ of MACRO and CALL_BLOCK */
    uint32_t line;
    const mdf_jname *name;
    mdf_jval value;
    const struct mdf_jbuiltin *builtin;
    struct mdf_jnode *a, *b, *c, *d;
    struct mdf_jnode *list;         /* of expressions */
    struct mdf_jnode *body, *other; /* of statements */
    struct mdf_jnode *next;         /* in the list that this is part of */
} mdf_jnode;

enum { MDF_JINJA_BUCKETS = 128 };

typedef struct mdf_jtemplate {
    mdf_arena arena;
    char *name; /* for sentences */
    mdf_jnode *body;
    mdf_jname *bucket[MDF_JINJA_BUCKETS];
} mdf_jtemplate;

/* The name as the template has it, or NULL: it does not occur. */
const mdf_jname *mdf_jtemplate_name(const mdf_jtemplate *t, const char *text, size_t len);

#endif
