/* Filters, tests, methods and functions by name: tables, and how their arguments are found. */
#ifndef MDF_JINJA_BUILTIN_H
#define MDF_JINJA_BUILTIN_H

#include "jinja/jinja_value.h"

enum { MDF_J_MOST_ARGS = 6 };

/* Arguments of a call: by position, then by name (a dictionary of strings). */
typedef struct mdf_jargs {
    const mdf_jval *item;
    size_t count;
    const mdf_jdict *named; /* NULL: none */
} mdf_jargs;

/* v is what is filtered, tested, or whose method it is. arg: one for each name of the table's row,
 * of kind MISSING where the call has none. */
typedef mdf_status mdf_jcall(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out);

/* The same for what takes any arguments. */
typedef mdf_status mdf_jcall_any(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args,
                                 mdf_jval *out);

typedef struct mdf_jbuiltin {
    const char *name;
    mdf_jcall *call;
    const char *names;  /* of the arguments, separated by blanks; "*x": only by position */
    uint8_t least;      /* so many must be there */
    mdf_jcall_any *any; /* instead of call */
} mdf_jbuiltin;

/* A method and whose it is. */
typedef struct mdf_jmethod {
    const mdf_jbuiltin *builtin;
    mdf_jval self;
} mdf_jmethod;

/* NULL: not known. */
const mdf_jbuiltin *mdf_jinja_filter(const char *name, size_t len);
const mdf_jbuiltin *mdf_jinja_test(const char *name, size_t len);
const mdf_jbuiltin *mdf_jinja_seq_filter(const char *name, size_t len); /* of sequences */
const mdf_jbuiltin *mdf_jinja_function(const char *name, size_t len);   /* globals */
int mdf_jinja_function_index(const mdf_jbuiltin *b);

const mdf_jbuiltin *mdf_jbuiltin_find(const mdf_jbuiltin *table, size_t count, const char *name,
                                      size_t len);

/* Binds the arguments and calls. Sentences name the builtin. */
mdf_status mdf_jbuiltin_call(mdf_jvm *m, const mdf_jbuiltin *b, const mdf_jval *v,
                             const mdf_jargs *args, mdf_jval *out) MDF_NODISCARD;

/* A filter or test that an argument names, called with the rest of the arguments. */
mdf_status mdf_jbuiltin_named(mdf_jvm *m, bool test, const mdf_jval *name, const mdf_jval *v,
                              const mdf_jargs *args, mdf_jval *out) MDF_NODISCARD;

/* An integer argument; fallback when it is missing or none. */
mdf_status mdf_jarg_int(mdf_jvm *m, const mdf_jval *v, int64_t fallback,
                        int64_t *out) MDF_NODISCARD;
mdf_status mdf_jarg_text(mdf_jvm *m, const mdf_jval *v) MDF_NODISCARD; /* must be a string */

/* Attributes and items, as the sandbox gives them. */
mdf_status mdf_jval_attr(mdf_jvm *m, const mdf_jval *v, const mdf_jval *name,
                         mdf_jval *out) MDF_NODISCARD;
mdf_status mdf_jval_item(mdf_jvm *m, const mdf_jval *v, const mdf_jval *index,
                         mdf_jval *out) MDF_NODISCARD;
/* v[from:to:step]; each may be NULL or none. */
mdf_status mdf_jval_slice(mdf_jvm *m, const mdf_jval *v, const mdf_jval *bound[3],
                          mdf_jval *out) MDF_NODISCARD;

/* The method or attribute that Python's type itself has; *found false: none. */
mdf_status mdf_jval_method(mdf_jvm *m, const mdf_jval *v, const mdf_jval *name, bool *found,
                           mdf_jval *out) MDF_NODISCARD;
const mdf_jbuiltin *mdf_jinja_text_method(const char *name, size_t len);
bool mdf_jinja_text_method_refused(const char *name, size_t len); /* Python has it, this not */

/* op of mdf_jnode. */
mdf_status mdf_jval_binary(mdf_jvm *m, int op, const mdf_jval *a, const mdf_jval *b,
                           mdf_jval *out) MDF_NODISCARD;
mdf_status mdf_jval_sign(mdf_jvm *m, int op, const mdf_jval *a, mdf_jval *out) MDF_NODISCARD;
mdf_status mdf_jval_compare(mdf_jvm *m, int op, const mdf_jval *a, const mdf_jval *b,
                            bool *out) MDF_NODISCARD;
mdf_status mdf_jval_in(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, bool *out) MDF_NODISCARD;

/* strftime() of the options' moment. */
mdf_status mdf_jinja_strftime(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out);

/* Calls whatever can be called: a macro, method, function, or a loop's. */
mdf_status mdf_jval_call(mdf_jvm *m, const mdf_jval *callee, const mdf_jargs *args,
                         mdf_jval *out) MDF_NODISCARD;

#endif
