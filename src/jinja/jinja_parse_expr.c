/* The expressions of a template, with jinja2's precedences. */
#include <string.h>

#include "jinja/jinja_builtin.h"
#include "jinja/jinja_parser.h"

static mdf_status parse_unary(mdf_jparser *p, bool with_filter, mdf_jnode **out);

static mdf_status binary(mdf_jparser *p, mdf_jnode_type type, int op, mdf_jnode *a, mdf_jnode *b,
                         mdf_jnode **out)
{
    mdf_jnode *node = NULL;
    MDF_TRY(mdf_jparse_node(p, type, &node));
    node->op = (uint8_t)op;
    node->a = a;
    node->b = b;
    node->line = a->line;
    *out = node;
    return MDF_OK;
}

/* Items up to a closing bracket, with commas between them; in brackets of both kinds and braces. */
static mdf_status parse_items(mdf_jparser *p, const char *end, bool pairs, mdf_jnode **list)
{
    mdf_jnode **tail = list;
    while (!mdf_jparse_is_op(p, end)) {
        if (tail != list) {
            MDF_TRY(mdf_jparse_want_op(p, ","));
            if (mdf_jparse_is_op(p, end)) {
                break;
            }
        }
        MDF_TRY(mdf_jparse_expr(p, true, tail));
        tail = &(*tail)->next;
        if (pairs) {
            MDF_TRY(mdf_jparse_want_op(p, ":"));
            MDF_TRY(mdf_jparse_expr(p, true, tail));
            tail = &(*tail)->next;
        }
    }
    p->token++;
    return MDF_OK;
}

static mdf_status parse_strings(mdf_jparser *p, mdf_jnode *node)
{
    size_t len = 0;
    const mdf_jtoken *end = p->token;
    for (; end->type == MDF_JT_STRING; end++) {
        len += end->len;
    }
    char *text = mdf_arena_alloc(&p->tmpl->arena, len, 1);
    if (text == NULL) {
        return mdf_fail(p->err, MDF_ERR_NOMEM, "out of memory");
    }
    node->value = mdf_jval_text(text, len);
    for (; p->token < end; p->token++) {
        memcpy(text, p->token->text, p->token->len);
        text += p->token->len;
    }
    return MDF_OK;
}

static bool constant_word(const mdf_jtoken *t, mdf_jval *out)
{
    static const char *const words[] = {"true", "True", "false", "False", "none", "None"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (t->len == strlen(words[i]) && memcmp(t->text, words[i], t->len) == 0) {
            *out = i < 4 ? mdf_jval_bool(i < 2) : mdf_jval_none();
            return true;
        }
    }
    return false;
}

static void note_special_name(mdf_jparser *p, const mdf_jname *name)
{
    p->used |= strcmp(name->text, "caller") == 0    ? MDF_JM_CALLER
               : strcmp(name->text, "kwargs") == 0  ? MDF_JM_KWARGS
               : strcmp(name->text, "varargs") == 0 ? MDF_JM_VARARGS
                                                    : 0;
}

static mdf_status parse_word(mdf_jparser *p, mdf_jnode *node)
{
    if (constant_word(p->token, &node->value)) {
        p->token++;
        return MDF_OK;
    }
    node->type = MDF_JN_NAME;
    MDF_TRY(mdf_jparse_name(p, &node->name));
    note_special_name(p, node->name);
    return MDF_OK;
}

static mdf_status parse_parentheses(mdf_jparser *p, mdf_jnode *empty, mdf_jnode **out)
{
    p->token++;
    if (mdf_jparse_skip_op(p, ")")) {
        empty->type = MDF_JN_TUPLE;
        *out = empty;
        return MDF_OK;
    }
    MDF_TRY(mdf_jparse_tuple(p, true, out));
    return mdf_jparse_want_op(p, ")");
}

static mdf_status parse_primary(mdf_jparser *p, mdf_jnode **out)
{
    mdf_jnode *node = NULL;
    MDF_TRY(mdf_jparse_node(p, MDF_JN_CONST, &node));
    *out = node;
    if (p->token->type == MDF_JT_NAME) {
        return parse_word(p, node);
    }
    if (p->token->type == MDF_JT_STRING) {
        return parse_strings(p, node);
    }
    if (p->token->type == MDF_JT_INT || p->token->type == MDF_JT_FLOAT) {
        node->value = p->token->type == MDF_JT_INT ? mdf_jval_int(p->token->u.integer)
                                                   : mdf_jval_real(p->token->u.real);
        p->token++;
        return MDF_OK;
    }
    if (mdf_jparse_is_op(p, "(")) {
        return parse_parentheses(p, node, out);
    }
    if (mdf_jparse_skip_op(p, "[")) {
        node->type = MDF_JN_LIST;
        return parse_items(p, "]", false, &node->list);
    }
    if (mdf_jparse_skip_op(p, "{")) {
        node->type = MDF_JN_DICT;
        return parse_items(p, "}", true, &node->list);
    }
    return mdf_jparse_fail(p, "an expression");
}

/* One argument of a call. */
static mdf_status parse_argument(mdf_jparser *p, bool *keywords, mdf_jnode **out)
{
    mdf_jnode *node = NULL;
    if (mdf_jparse_is_op(p, "*") || mdf_jparse_is_op(p, "**")) {
        const bool two = p->token->len == 2;
        MDF_TRY(mdf_jparse_node(p, two ? MDF_JN_STARS : MDF_JN_STAR, &node));
        p->token++;
        *keywords = true;
        *out = node;
        return mdf_jparse_expr(p, true, &node->a);
    }
    if (p->token->type == MDF_JT_NAME && p->token[1].type == MDF_JT_OP && p->token[1].len == 1 &&
        p->token[1].text[0] == '=') {
        MDF_TRY(mdf_jparse_node(p, MDF_JN_KEYWORD, &node));
        MDF_TRY(mdf_jparse_name(p, &node->name));
        p->token++;
        *keywords = true;
        *out = node;
        return mdf_jparse_expr(p, true, &node->a);
    }
    if (*keywords) {
        return mdf_jparse_fail(p, "an argument with a name");
    }
    return mdf_jparse_expr(p, true, out);
}

/* From the opening bracket. */
static mdf_status parse_arguments(mdf_jparser *p, mdf_jnode **list)
{
    bool keywords = false;
    mdf_jnode **tail = list;
    MDF_TRY(mdf_jparse_want_op(p, "("));
    while (!mdf_jparse_is_op(p, ")")) {
        if (tail != list) {
            MDF_TRY(mdf_jparse_want_op(p, ","));
            if (mdf_jparse_is_op(p, ")")) {
                break;
            }
        }
        MDF_TRY(parse_argument(p, &keywords, tail));
        tail = &(*tail)->next;
    }
    p->token++;
    return MDF_OK;
}

static mdf_status parse_call(mdf_jparser *p, mdf_jnode *callee, mdf_jnode **out)
{
    mdf_jnode *node = NULL;
    MDF_TRY(mdf_jparse_node(p, MDF_JN_CALL, &node));
    node->a = callee;
    *out = node;
    return parse_arguments(p, &node->list);
}

static bool ends_subscript(const mdf_jparser *p)
{
    return mdf_jparse_is_op(p, "]") || mdf_jparse_is_op(p, ",") || mdf_jparse_is_op(p, ":");
}

static mdf_status parse_slice(mdf_jparser *p, mdf_jnode *node)
{
    node->type = MDF_JN_SLICE;
    p->token++; /* the first colon */
    if (!ends_subscript(p)) {
        MDF_TRY(mdf_jparse_expr(p, true, &node->c));
    }
    if (mdf_jparse_skip_op(p, ":") && !ends_subscript(p)) {
        MDF_TRY(mdf_jparse_expr(p, true, &node->d));
    }
    return MDF_OK;
}

static mdf_status parse_brackets(mdf_jparser *p, mdf_jnode *node)
{
    p->token++;
    if (!mdf_jparse_is_op(p, ":")) {
        MDF_TRY(mdf_jparse_expr(p, true, &node->b));
    }
    if (mdf_jparse_is_op(p, ":")) {
        MDF_TRY(parse_slice(p, node));
    }
    return mdf_jparse_want_op(p, "]");
}

static mdf_status parse_dot(mdf_jparser *p, mdf_jnode *node)
{
    p->token++;
    if (p->token->type == MDF_JT_INT) {
        MDF_TRY(mdf_jparse_node(p, MDF_JN_CONST, &node->b));
        node->b->value = mdf_jval_int((p->token++)->u.integer);
        return MDF_OK;
    }
    const mdf_jname *name = NULL;
    node->type = MDF_JN_ATTR;
    MDF_TRY(mdf_jparse_name(p, &name));
    node->value = mdf_jval_text(name->text, name->len);
    return MDF_OK;
}

static mdf_status parse_postfix(mdf_jparser *p, mdf_jnode *a, mdf_jnode **out)
{
    while (true) {
        mdf_jnode *node = NULL;
        if (mdf_jparse_is_op(p, "(")) {
            MDF_TRY(parse_call(p, a, &node));
        } else if (mdf_jparse_is_op(p, ".") || mdf_jparse_is_op(p, "[")) {
            MDF_TRY(mdf_jparse_node(p, MDF_JN_ITEM, &node));
            node->a = a;
            MDF_TRY(mdf_jparse_is_op(p, ".") ? parse_dot(p, node) : parse_brackets(p, node));
        } else {
            *out = a;
            return MDF_OK;
        }
        a = node;
    }
}

mdf_status mdf_jparse_filters(mdf_jparser *p, mdf_jnode *node, bool begun, mdf_jnode **out)
{
    while (begun || mdf_jparse_skip_op(p, "|")) {
        mdf_jnode *filter = NULL;
        begun = false;
        MDF_TRY(mdf_jparse_node(p, MDF_JN_FILTER, &filter));
        MDF_TRY(mdf_jparse_name(p, &filter->name));
        filter->builtin = mdf_jinja_filter(filter->name->text, filter->name->len);
        if (mdf_jparse_is_op(p, "(")) {
            MDF_TRY(parse_arguments(p, &filter->list));
        }
        filter->a = node;
        node = filter;
    }
    *out = node;
    return MDF_OK;
}

/* May the argument of a test without brackets begin here? */
static bool begins_argument(const mdf_jparser *p)
{
    if (p->token->type == MDF_JT_NAME) {
        return !mdf_jparse_is_word(p, "else") && !mdf_jparse_is_word(p, "or") &&
               !mdf_jparse_is_word(p, "and");
    }
    return p->token->type == MDF_JT_STRING || p->token->type == MDF_JT_INT ||
           p->token->type == MDF_JT_FLOAT || mdf_jparse_is_op(p, "[") || mdf_jparse_is_op(p, "{");
}

static mdf_status parse_test(mdf_jparser *p, mdf_jnode *a, mdf_jnode **out)
{
    mdf_jnode *test = NULL;
    mdf_jnode *negated = NULL;
    MDF_TRY(mdf_jparse_node(p, MDF_JN_TEST, &test));
    p->token++; /* is */
    if (mdf_jparse_skip_word(p, "not")) {
        MDF_TRY(mdf_jparse_node(p, MDF_JN_NOT, &negated));
        negated->a = test;
    }
    MDF_TRY(mdf_jparse_name(p, &test->name));
    test->a = a;
    test->builtin = mdf_jinja_test(test->name->text, test->name->len);
    if (mdf_jparse_is_op(p, "(")) {
        MDF_TRY(parse_arguments(p, &test->list));
    } else if (begins_argument(p)) {
        if (mdf_jparse_is_word(p, "is")) {
            return mdf_jparse_fail(p, "no second test");
        }
        MDF_TRY(parse_primary(p, &test->list));
        MDF_TRY(parse_postfix(p, test->list, &test->list));
    }
    *out = negated != NULL ? negated : test;
    return MDF_OK;
}

static mdf_status parse_filters_and_tests(mdf_jparser *p, mdf_jnode *a, mdf_jnode **out)
{
    while (true) {
        if (mdf_jparse_is_op(p, "|")) {
            MDF_TRY(mdf_jparse_filters(p, a, false, &a));
        } else if (mdf_jparse_is_word(p, "is")) {
            MDF_TRY(parse_test(p, a, &a));
        } else if (mdf_jparse_is_op(p, "(")) {
            MDF_TRY(parse_call(p, a, &a));
        } else {
            *out = a;
            return MDF_OK;
        }
    }
}

static mdf_status parse_sign(mdf_jparser *p, mdf_jnode **out)
{
    mdf_jnode *node = NULL;
    MDF_TRY(mdf_jparse_node(p, MDF_JN_SIGN, &node));
    node->op = (uint8_t)p->token->text[0];
    p->token++;
    MDF_TRY(mdf_jparse_enter(p));
    MDF_TRY(parse_unary(p, false, &node->a));
    p->depth--;
    *out = node;
    return MDF_OK;
}

static mdf_status parse_unary(mdf_jparser *p, bool with_filter, mdf_jnode **out)
{
    mdf_jnode *node = NULL;
    if (mdf_jparse_is_op(p, "-") || mdf_jparse_is_op(p, "+")) {
        MDF_TRY(parse_sign(p, &node));
    } else {
        MDF_TRY(parse_primary(p, &node));
    }
    MDF_TRY(parse_postfix(p, node, &node));
    if (with_filter) {
        MDF_TRY(parse_filters_and_tests(p, node, &node));
    }
    *out = node;
    return MDF_OK;
}

/* Binary operators of the same level, from the loosest to the tightest. */
enum { ADDITION, CONCATENATION, MULTIPLICATION, POWER, UNARY };

static int operator_at(const mdf_jparser *p, int level)
{
    static const struct {
        const char *text;
        uint8_t level, op;
    } table[] = {{"+", ADDITION, '+'},       {"-", ADDITION, '-'},
                 {"~", CONCATENATION, '~'},  {"*", MULTIPLICATION, '*'},
                 {"/", MULTIPLICATION, '/'}, {"//", MULTIPLICATION, MDF_JO_FLOOR},
                 {"%", MULTIPLICATION, '%'}, {"**", POWER, MDF_JO_POW}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].level == level && mdf_jparse_is_op(p, table[i].text)) {
            return table[i].op;
        }
    }
    return 0;
}

static mdf_status parse_level(mdf_jparser *p, int level, mdf_jnode **out)
{
    if (level == UNARY) {
        return parse_unary(p, true, out);
    }
    mdf_jnode *a = NULL;
    MDF_TRY(parse_level(p, level + 1, &a));
    for (int op = operator_at(p, level); op != 0; op = operator_at(p, level)) {
        mdf_jnode *b = NULL;
        p->token++;
        MDF_TRY(parse_level(p, level + 1, &b));
        MDF_TRY(binary(p, MDF_JN_BINARY, op, a, b, &a));
    }
    *out = a;
    return MDF_OK;
}

static int comparison_at(mdf_jparser *p)
{
    static const struct {
        const char *text;
        uint8_t op;
    } table[] = {{"==", MDF_JO_EQ}, {"!=", MDF_JO_NE}, {"<=", MDF_JO_LE},
                 {">=", MDF_JO_GE}, {"<", '<'},        {">", '>'}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (mdf_jparse_skip_op(p, table[i].text)) {
            return table[i].op;
        }
    }
    if (mdf_jparse_skip_word(p, "in")) {
        return MDF_JO_IN;
    }
    if (mdf_jparse_is_word(p, "not") && p->token[1].type == MDF_JT_NAME && p->token[1].len == 2 &&
        memcmp(p->token[1].text, "in", 2) == 0) {
        p->token += 2;
        return MDF_JO_NOT_IN;
    }
    return 0;
}

static mdf_status parse_compare(mdf_jparser *p, mdf_jnode **out)
{
    mdf_jnode *a = NULL;
    mdf_jnode *node = NULL;
    mdf_jnode **tail = NULL;
    MDF_TRY(parse_level(p, ADDITION, &a));
    for (int op = comparison_at(p); op != 0; op = comparison_at(p)) {
        if (node == NULL) {
            MDF_TRY(mdf_jparse_node(p, MDF_JN_COMPARE, &node));
            node->line = a->line;
            node->a = a;
            tail = &node->list;
        }
        MDF_TRY(mdf_jparse_node(p, MDF_JN_COMPARE, tail));
        (*tail)->op = (uint8_t)op;
        MDF_TRY(parse_level(p, ADDITION, &(*tail)->a));
        tail = &(*tail)->next;
    }
    *out = node != NULL ? node : a;
    return MDF_OK;
}

static mdf_status parse_not(mdf_jparser *p, mdf_jnode **out)
{
    mdf_jnode **at = out;
    while (mdf_jparse_is_word(p, "not")) {
        MDF_TRY(mdf_jparse_node(p, MDF_JN_NOT, at));
        p->token++;
        at = &(*at)->a;
    }
    return parse_compare(p, at);
}

static mdf_status parse_and(mdf_jparser *p, mdf_jnode **out)
{
    MDF_TRY(parse_not(p, out));
    while (mdf_jparse_skip_word(p, "and")) {
        mdf_jnode *b = NULL;
        MDF_TRY(parse_not(p, &b));
        MDF_TRY(binary(p, MDF_JN_AND, 0, *out, b, out));
    }
    return MDF_OK;
}

static mdf_status parse_or(mdf_jparser *p, mdf_jnode **out)
{
    MDF_TRY(parse_and(p, out));
    while (mdf_jparse_skip_word(p, "or")) {
        mdf_jnode *b = NULL;
        MDF_TRY(parse_and(p, &b));
        MDF_TRY(binary(p, MDF_JN_OR, 0, *out, b, out));
    }
    return MDF_OK;
}

static mdf_status parse_conditional(mdf_jparser *p, mdf_jnode **out)
{
    MDF_TRY(parse_or(p, out));
    while (mdf_jparse_skip_word(p, "if")) {
        mdf_jnode *test = NULL;
        MDF_TRY(parse_or(p, &test));
        MDF_TRY(binary(p, MDF_JN_COND, 0, *out, test, out));
        if (mdf_jparse_skip_word(p, "else")) {
            MDF_TRY(mdf_jparse_expr(p, true, &(*out)->c));
        }
    }
    return MDF_OK;
}

mdf_status mdf_jparse_expr(mdf_jparser *p, bool with_cond, mdf_jnode **out)
{
    mdf_jnode *node = NULL;
    MDF_TRY(mdf_jparse_enter(p));
    MDF_TRY(with_cond ? parse_conditional(p, &node) : parse_or(p, &node));
    p->depth--;
    *out = node;
    return MDF_OK;
}

static bool ends_tuple(const mdf_jparser *p)
{
    return p->token->type == MDF_JT_VAR_END || p->token->type == MDF_JT_BLOCK_END ||
           mdf_jparse_is_op(p, ")") || mdf_jparse_is_word(p, "recursive");
}

mdf_status mdf_jparse_tuple(mdf_jparser *p, bool with_cond, mdf_jnode **out)
{
    mdf_jnode *first = NULL;
    mdf_jnode *tuple = NULL;
    MDF_TRY(mdf_jparse_expr(p, with_cond, &first));
    mdf_jnode **tail = &first->next;
    while (mdf_jparse_skip_op(p, ",")) {
        if (tuple == NULL) {
            MDF_TRY(mdf_jparse_node(p, MDF_JN_TUPLE, &tuple));
            tuple->list = first;
        }
        if (ends_tuple(p)) {
            break;
        }
        MDF_TRY(mdf_jparse_expr(p, with_cond, tail));
        tail = &(*tail)->next;
    }
    *out = tuple != NULL ? tuple : first;
    return MDF_OK;
}
