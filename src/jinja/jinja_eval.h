/* Running a template's tree: names and their scopes, loops, macros. */
#ifndef MDF_JINJA_EVAL_H
#define MDF_JINJA_EVAL_H

#include "jinja/jinja_builtin.h"
#include "jinja/jinja_node.h"

enum { MDF_JF_GO_ON, MDF_JF_BREAK, MDF_JF_CONTINUE };

typedef struct mdf_jvar {
    struct mdf_jvar *next;
    const mdf_jname *name;
    mdf_jval value;
} mdf_jvar;

/* Names are looked for from the inside out, and set in the innermost scope only. */
typedef struct mdf_jscope {
    struct mdf_jscope *parent;
    mdf_jvar *first;
} mdf_jscope;

typedef struct mdf_jmacro {
    const mdf_jnode *node; /* MACRO or CALL_BLOCK */
    mdf_jscope *scope;     /* where it was written */
} mdf_jmacro;

/* A running loop. With a condition the items are looked at one by one, as late as possible: a
 * namespace that the body changes may count in it. */
typedef struct mdf_jloop {
    const mdf_jnode *node;
    mdf_jscope *scope; /* around the loop */
    mdf_jlist list;
    size_t next;    /* item to look at */
    mdf_jval *kept; /* [kept_count] items that met the condition and were not used yet */
    size_t kept_count, kept_at;
    int64_t index0;
    mdf_jval before, current;
    mdf_jval changed; /* of loop.changed(): a tuple, or MISSING */
} mdf_jloop;

mdf_status mdf_jscope_new(mdf_jvm *m, mdf_jscope *parent, mdf_jscope **out) MDF_NODISCARD;
mdf_status mdf_jscope_set(mdf_jvm *m, mdf_jscope *s, const mdf_jname *name,
                          const mdf_jval *value) MDF_NODISCARD;
/* NAME, NSREF or TUPLE. */
mdf_status mdf_jscope_assign(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *target,
                             const mdf_jval *value) MDF_NODISCARD;
/* Undefined when there is no such name. */
mdf_jval mdf_jscope_get(const mdf_jscope *s, const mdf_jname *name);

mdf_status mdf_jeval(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node, mdf_jval *out) MDF_NODISCARD;
mdf_status mdf_jeval_args(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *list,
                          mdf_jargs *out) MDF_NODISCARD;
mdf_status mdf_jexec(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *list) MDF_NODISCARD;
/* What the statements write, as a string. */
mdf_status mdf_jexec_text(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *list,
                          mdf_jval *out) MDF_NODISCARD;

mdf_status mdf_jloop_run(mdf_jvm *m, mdf_jscope *s, const mdf_jnode *node) MDF_NODISCARD;
mdf_status mdf_jloop_attr(mdf_jvm *m, const mdf_jval *v, const mdf_jval *name, bool *found,
                          mdf_jval *out) MDF_NODISCARD;

mdf_status mdf_jmacro_call(mdf_jvm *m, const mdf_jmacro *macro, const mdf_jargs *args,
                           mdf_jval *out) MDF_NODISCARD;

#endif
