/* What the two halves of the parser share: the words of a template and where it stands. */
#ifndef MDF_JINJA_PARSER_H
#define MDF_JINJA_PARSER_H

#include "jinja/jinja_lex.h"
#include "jinja/jinja_node.h"

typedef struct mdf_jparser {
    mdf_jtemplate *tmpl;
    const mdf_jtoken *token; /* the current one */
    mdf_error *err;
    size_t nodes;
    unsigned depth;
    unsigned loops; /* around the current statement, within its macro */
    uint8_t used;   /* MDF_JM_ names that the macro's body has shown so far */
} mdf_jparser;

mdf_status mdf_jparse_node(mdf_jparser *p, mdf_jnode_type type, mdf_jnode **out) MDF_NODISCARD;
mdf_status mdf_jparse_fail(const mdf_jparser *p, const char *want); /* "expected WANT, got ..." */
mdf_status mdf_jparse_enter(mdf_jparser *p) MDF_NODISCARD;          /* p->depth-- leaves it */
mdf_status mdf_jparse_name(mdf_jparser *p, const mdf_jname **out) MDF_NODISCARD; /* takes it */

bool mdf_jparse_is_op(const mdf_jparser *p, const char *op);
bool mdf_jparse_is_word(const mdf_jparser *p, const char *word);
bool mdf_jparse_skip_op(mdf_jparser *p, const char *op);
bool mdf_jparse_skip_word(mdf_jparser *p, const char *word);
mdf_status mdf_jparse_want_op(mdf_jparser *p, const char *op) MDF_NODISCARD;

/* An expression; with_cond: "x if y else z" may stand there without brackets. */
mdf_status mdf_jparse_expr(mdf_jparser *p, bool with_cond, mdf_jnode **out) MDF_NODISCARD;
/* An expression, or several with commas between them, which are a tuple. */
mdf_status mdf_jparse_tuple(mdf_jparser *p, bool with_cond, mdf_jnode **out) MDF_NODISCARD;
/* A name, a namespace's attribute where allowed, or a tuple of such. */
mdf_status mdf_jparse_target(mdf_jparser *p, bool with_namespace, mdf_jnode **out) MDF_NODISCARD;
/* "| name(arguments) | ..." around node, which may be NULL; begun: the first bar is not there. */
mdf_status mdf_jparse_filters(mdf_jparser *p, mdf_jnode *node, bool begun,
                              mdf_jnode **out) MDF_NODISCARD;

#endif
