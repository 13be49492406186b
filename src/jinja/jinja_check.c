/* What has to hold for a whole tree before it is run: names of filters and tests are known, and it
 * is not deeper than a rendering may go. */
#include "jinja/jinja_parse.h"

typedef struct checker {
    unsigned depth;
    mdf_error *err;
} checker;

static mdf_status check_list(checker *c, const mdf_jnode *list, bool soft);

/* jinja2 puts off the refusal of a name that stands below an "if" until it is reached: such
 * templates ask first. */
static mdf_status check_name(const checker *c, const mdf_jnode *node, bool soft)
{
    const bool named = node->type == MDF_JN_FILTER || node->type == MDF_JN_TEST;
    if (!named || node->builtin != NULL || soft) {
        return MDF_OK;
    }
    return mdf_fail(c->err, MDF_ERR_FORMAT, "line %u: %s '%.100s' is not known", node->line,
                    node->type == MDF_JN_FILTER ? "filter" : "test", node->name->text);
}

static mdf_status check_node(checker *c, const mdf_jnode *node, bool soft)
{
    const mdf_jnode *const part[] = {node->a, node->b, node->c, node->d};
    const bool inner =
        node->type == MDF_JN_IF || node->type == MDF_JN_COND || (soft && node->type < MDF_JN_TEXT);
    MDF_TRY(check_name(c, node, soft));
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        if (part[i] != NULL) {
            MDF_TRY(check_list(c, part[i], part[i]->type < MDF_JN_TEXT && (inner || soft)));
        }
    }
    MDF_TRY(check_list(c, node->list, inner));
    MDF_TRY(check_list(c, node->body, inner));
    return check_list(c, node->other, inner);
}

static mdf_status check_list(checker *c, const mdf_jnode *list, bool soft)
{
    if (list != NULL && c->depth >= MDF_MAX_JINJA_DEPTH) {
        return mdf_fail(c->err, MDF_ERR_LIMIT, "line %u: it is nested deeper than the limit of %d",
                        list->line, MDF_MAX_JINJA_DEPTH);
    }
    c->depth++;
    for (; list != NULL; list = list->next) {
        MDF_TRY(check_node(c, list, soft));
    }
    c->depth--;
    return MDF_OK;
}

mdf_status mdf_jinja_check(const mdf_jtemplate *t, mdf_error *err)
{
    checker c = {.err = err};
    return check_list(&c, t->body, false);
}
