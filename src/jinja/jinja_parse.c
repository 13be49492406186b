/* The statements of a template, and what both halves of the parser need. */
#include "jinja/jinja_parse.h"

#include <string.h>

#include "base/alloc.h"
#include "jinja/jinja_parser.h"

static size_t bucket_of(const char *text, size_t len)
{
    uint32_t h = 2166136261U;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)text[i]) * 16777619U;
    }
    return h % MDF_JINJA_BUCKETS;
}

const mdf_jname *mdf_jtemplate_name(const mdf_jtemplate *t, const char *text, size_t len)
{
    const mdf_jname *n = t->bucket[bucket_of(text, len)];
    while (n != NULL && !(n->len == len && memcmp(n->text, text, len) == 0)) {
        n = n->next;
    }
    return n;
}

static mdf_status intern(mdf_jparser *p, const char *text, size_t len, const mdf_jname **out)
{
    *out = mdf_jtemplate_name(p->tmpl, text, len);
    if (*out != NULL) {
        return MDF_OK;
    }
    mdf_jname *name = mdf_arena_alloc(&p->tmpl->arena, 1, sizeof *name + len + 1);
    if (name == NULL) {
        return mdf_fail(p->err, MDF_ERR_NOMEM, "out of memory");
    }
    mdf_jname **bucket = &p->tmpl->bucket[bucket_of(text, len)];
    name->next = *bucket;
    name->len = len;
    memcpy(name->text, text, len);
    name->text[len] = '\0';
    *bucket = name;
    *out = name;
    return MDF_OK;
}

mdf_status mdf_jparse_node(mdf_jparser *p, mdf_jnode_type type, mdf_jnode **out)
{
    if (p->nodes >= MDF_MAX_JINJA_NODES) {
        return mdf_fail(p->err, MDF_ERR_LIMIT, "line %u: it has more than the limit of %d nodes",
                        p->token->line, MDF_MAX_JINJA_NODES);
    }
    mdf_jnode *node = mdf_arena_zalloc(&p->tmpl->arena, 1, sizeof *node);
    if (node == NULL) {
        return mdf_fail(p->err, MDF_ERR_NOMEM, "out of memory");
    }
    p->nodes++;
    node->type = (uint8_t)type;
    node->line = p->token->line;
    *out = node;
    return MDF_OK;
}

mdf_status mdf_jparse_fail(const mdf_jparser *p, const char *want)
{
    static const char *const names[] = {"the end of the template",
                                        "text",
                                        "\"{%\"",
                                        "\"%}\"",
                                        "\"{{\"",
                                        "\"}}\"",
                                        "",
                                        "a string",
                                        "a number",
                                        "a number",
                                        ""};
    const mdf_jtoken *t = p->token;
    if (t->type == MDF_JT_NAME || t->type == MDF_JT_OP) {
        return mdf_fail(p->err, MDF_ERR_FORMAT, "line %u: expected %s, got \"%.*s\"", t->line, want,
                        (int)(t->len > 100 ? 100 : t->len), t->text);
    }
    return mdf_fail(p->err, MDF_ERR_FORMAT, "line %u: expected %s, got %s", t->line, want,
                    names[t->type]);
}

mdf_status mdf_jparse_enter(mdf_jparser *p)
{
    if (p->depth >= MDF_MAX_JINJA_DEPTH) {
        return mdf_fail(p->err, MDF_ERR_LIMIT, "line %u: it is nested deeper than the limit of %d",
                        p->token->line, MDF_MAX_JINJA_DEPTH);
    }
    p->depth++;
    return MDF_OK;
}

mdf_status mdf_jparse_name(mdf_jparser *p, const mdf_jname **out)
{
    if (p->token->type != MDF_JT_NAME) {
        return mdf_jparse_fail(p, "a name");
    }
    MDF_TRY(intern(p, p->token->text, p->token->len, out));
    p->token++;
    return MDF_OK;
}

static bool is_text(const mdf_jtoken *t, mdf_jtoken_type type, const char *text)
{
    return t->type == type && t->len == strlen(text) && memcmp(t->text, text, t->len) == 0;
}

bool mdf_jparse_is_op(const mdf_jparser *p, const char *op)
{
    return is_text(p->token, MDF_JT_OP, op);
}

bool mdf_jparse_is_word(const mdf_jparser *p, const char *word)
{
    return is_text(p->token, MDF_JT_NAME, word);
}

bool mdf_jparse_skip_op(mdf_jparser *p, const char *op)
{
    const bool is = mdf_jparse_is_op(p, op);
    p->token += is ? 1 : 0;
    return is;
}

bool mdf_jparse_skip_word(mdf_jparser *p, const char *word)
{
    const bool is = mdf_jparse_is_word(p, word);
    p->token += is ? 1 : 0;
    return is;
}

mdf_status mdf_jparse_want_op(mdf_jparser *p, const char *op)
{
    if (!mdf_jparse_skip_op(p, op)) {
        const char want[] = {'"', op[0], '"', '\0'};
        return mdf_jparse_fail(p, want);
    }
    return MDF_OK;
}

static mdf_status want_word(mdf_jparser *p, const char *word)
{
    return mdf_jparse_skip_word(p, word) ? MDF_OK : mdf_jparse_fail(p, word);
}

static mdf_status want_block_end(mdf_jparser *p)
{
    if (p->token->type != MDF_JT_BLOCK_END) {
        return mdf_jparse_fail(p, "\"%}\"");
    }
    p->token++;
    return MDF_OK;
}

static mdf_status parse_one_target(mdf_jparser *p, bool with_namespace, mdf_jnode **out)
{
    mdf_jnode *node = NULL;
    if (mdf_jparse_skip_op(p, "(")) {
        MDF_TRY(mdf_jparse_enter(p));
        MDF_TRY(mdf_jparse_target(p, with_namespace, out));
        p->depth--;
        return mdf_jparse_want_op(p, ")");
    }
    static const char *const reserved[] = {"true", "True", "false", "False", "none", "None"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (mdf_jparse_is_word(p, reserved[i])) {
            return mdf_jparse_fail(p, "a name that can be set");
        }
    }
    MDF_TRY(mdf_jparse_node(p, MDF_JN_NAME, &node));
    MDF_TRY(mdf_jparse_name(p, &node->name));
    if (with_namespace && mdf_jparse_skip_op(p, ".")) {
        const mdf_jname *attr = NULL;
        node->type = MDF_JN_NSREF;
        MDF_TRY(mdf_jparse_name(p, &attr));
        node->value = mdf_jval_text(attr->text, attr->len);
    }
    *out = node;
    return MDF_OK;
}

mdf_status mdf_jparse_target(mdf_jparser *p, bool with_namespace, mdf_jnode **out)
{
    mdf_jnode *first = NULL;
    mdf_jnode *tuple = NULL;
    MDF_TRY(parse_one_target(p, with_namespace, &first));
    mdf_jnode **tail = &first->next;
    while (mdf_jparse_skip_op(p, ",")) {
        if (tuple == NULL) {
            MDF_TRY(mdf_jparse_node(p, MDF_JN_TUPLE, &tuple));
            tuple->list = first;
        }
        if (p->token->type != MDF_JT_NAME && !mdf_jparse_is_op(p, "(")) {
            break;
        }
        if (mdf_jparse_is_word(p, "in")) {
            break;
        }
        MDF_TRY(parse_one_target(p, with_namespace, tail));
        tail = &(*tail)->next;
    }
    *out = tuple != NULL ? tuple : first;
    return MDF_OK;
}

static mdf_status parse_statement(mdf_jparser *p, mdf_jnode **out);

/* Is the current token, inside "{%", one of the words (separated by blanks)? */
static bool at_end_word(const mdf_jparser *p, const char *words)
{
    if (words == NULL || p->token->type != MDF_JT_NAME) {
        return false;
    }
    for (const char *w = words; *w != '\0';) {
        const size_t n = strcspn(w, " ");
        if (p->token->len == n && memcmp(p->token->text, w, n) == 0) {
            return true;
        }
        w += n + (w[n] == ' ' ? 1 : 0);
    }
    return false;
}

/* Statements up to "{% word", one of the words; the word is the current token then. words NULL: to
 * the end of the template. */
static mdf_status parse_until(mdf_jparser *p, const char *words, mdf_jnode **list)
{
    MDF_TRY(mdf_jparse_enter(p));
    while (p->token->type != MDF_JT_EOF) {
        if (p->token->type == MDF_JT_BLOCK) {
            p->token++;
            if (at_end_word(p, words)) {
                p->depth--;
                return MDF_OK;
            }
            MDF_TRY(parse_statement(p, list));
            MDF_TRY(want_block_end(p));
        } else if (p->token->type == MDF_JT_VAR) {
            MDF_TRY(mdf_jparse_node(p, MDF_JN_PRINT, list));
            p->token++;
            MDF_TRY(mdf_jparse_tuple(p, true, &(*list)->a));
            if (p->token->type != MDF_JT_VAR_END) {
                return mdf_jparse_fail(p, "\"}}\"");
            }
            p->token++;
        } else {
            MDF_TRY(mdf_jparse_node(p, MDF_JN_TEXT, list));
            (*list)->value = mdf_jval_text(p->token->text, p->token->len);
            p->token++;
        }
        while (*list != NULL) {
            list = &(*list)->next;
        }
    }
    p->depth--;
    return words == NULL ? MDF_OK : mdf_jparse_fail(p, words);
}

/* From the end of a statement's first tag to the word that ends its body, which is left. */
static mdf_status parse_body(mdf_jparser *p, const char *words, mdf_jnode **list)
{
    (void)mdf_jparse_skip_op(p, ":");
    MDF_TRY(want_block_end(p));
    return parse_until(p, words, list);
}

/* The same, and the only word is taken. */
static mdf_status parse_whole_body(mdf_jparser *p, const char *word, mdf_jnode **list)
{
    MDF_TRY(parse_body(p, word, list));
    p->token++;
    return MDF_OK;
}

static mdf_status parse_if(mdf_jparser *p, mdf_jnode *node)
{
    while (true) {
        MDF_TRY(mdf_jparse_tuple(p, false, &node->a));
        MDF_TRY(parse_body(p, "elif else endif", &node->body));
        if (!mdf_jparse_skip_word(p, "elif")) {
            break;
        }
        MDF_TRY(mdf_jparse_node(p, MDF_JN_IF, &node->other));
        node = node->other;
    }
    if (mdf_jparse_skip_word(p, "else")) {
        MDF_TRY(parse_body(p, "endif", &node->other));
    }
    p->token++;
    return MDF_OK;
}

static mdf_status parse_for(mdf_jparser *p, mdf_jnode *node)
{
    MDF_TRY(mdf_jparse_target(p, false, &node->a));
    MDF_TRY(want_word(p, "in"));
    MDF_TRY(mdf_jparse_tuple(p, false, &node->b));
    if (mdf_jparse_skip_word(p, "if")) {
        MDF_TRY(mdf_jparse_expr(p, true, &node->c));
    }
    if (mdf_jparse_is_word(p, "recursive")) {
        return mdf_fail(p->err, MDF_ERR_FORMAT, "line %u: a recursive loop is not known",
                        p->token->line);
    }
    p->loops++;
    MDF_TRY(parse_body(p, "endfor else", &node->body));
    p->loops--;
    if (mdf_jparse_skip_word(p, "else")) {
        MDF_TRY(parse_body(p, "endfor", &node->other));
    }
    p->token++;
    return MDF_OK;
}

static mdf_status parse_set(mdf_jparser *p, mdf_jnode *node)
{
    MDF_TRY(mdf_jparse_target(p, true, &node->a));
    if (mdf_jparse_skip_op(p, "=")) {
        return mdf_jparse_tuple(p, true, &node->b);
    }
    node->type = MDF_JN_SET_BLOCK;
    MDF_TRY(mdf_jparse_filters(p, NULL, false, &node->b));
    return parse_whole_body(p, "endset", &node->body);
}

static mdf_status parse_parameters(mdf_jparser *p, mdf_jnode **list)
{
    bool defaults = false;
    mdf_jnode **tail = list;
    MDF_TRY(mdf_jparse_want_op(p, "("));
    while (!mdf_jparse_is_op(p, ")")) {
        if (tail != list) {
            MDF_TRY(mdf_jparse_want_op(p, ","));
        }
        MDF_TRY(mdf_jparse_node(p, MDF_JN_KEYWORD, tail));
        MDF_TRY(mdf_jparse_name(p, &(*tail)->name));
        if (mdf_jparse_skip_op(p, "=")) {
            MDF_TRY(mdf_jparse_expr(p, true, &(*tail)->a));
            defaults = true;
        } else if (defaults) {
            return mdf_jparse_fail(p, "a default as before");
        }
        tail = &(*tail)->next;
    }
    p->token++;
    return MDF_OK;
}

/* The body of a macro or of a call block, which is one too. */
static mdf_status parse_macro_body(mdf_jparser *p, const char *end, mdf_jnode *node)
{
    const unsigned loops = p->loops;
    const uint8_t used = p->used;
    p->loops = 0;
    p->used = 0;
    MDF_TRY(parse_whole_body(p, end, &node->body));
    node->flags = p->used;
    p->loops = loops;
    p->used = used;
    return MDF_OK;
}

static mdf_status parse_macro(mdf_jparser *p, mdf_jnode *node)
{
    MDF_TRY(mdf_jparse_name(p, &node->name));
    MDF_TRY(parse_parameters(p, &node->list));
    return parse_macro_body(p, "endmacro", node);
}

static mdf_status parse_call_block(mdf_jparser *p, mdf_jnode *node)
{
    if (mdf_jparse_is_op(p, "(")) {
        MDF_TRY(parse_parameters(p, &node->list));
    }
    MDF_TRY(mdf_jparse_expr(p, true, &node->a));
    if (node->a->type != MDF_JN_CALL) {
        return mdf_jparse_fail(p, "a call");
    }
    MDF_TRY(intern(p, "caller", 6, &node->name));
    return parse_macro_body(p, "endcall", node);
}

static mdf_status parse_filter_block(mdf_jparser *p, mdf_jnode *node)
{
    MDF_TRY(mdf_jparse_filters(p, NULL, true, &node->a));
    return parse_whole_body(p, "endfilter", &node->body);
}

static mdf_status parse_with(mdf_jparser *p, mdf_jnode *node)
{
    mdf_jnode **tail = &node->list;
    while (p->token->type != MDF_JT_BLOCK_END) {
        if (tail != &node->list) {
            MDF_TRY(mdf_jparse_want_op(p, ","));
        }
        MDF_TRY(parse_one_target(p, false, tail));
        MDF_TRY(mdf_jparse_want_op(p, "="));
        tail = &(*tail)->next;
        MDF_TRY(mdf_jparse_expr(p, true, tail));
        tail = &(*tail)->next;
    }
    return parse_whole_body(p, "endwith", &node->body);
}

static mdf_status parse_generation(mdf_jparser *p, mdf_jnode *node)
{
    return parse_macro_body(p, "endgeneration", node);
}

/* One node for every expression; they are printed one after the other. */
static mdf_status parse_print(mdf_jparser *p, mdf_jnode *node)
{
    MDF_TRY(mdf_jparse_expr(p, true, &node->a));
    while (mdf_jparse_skip_op(p, ",")) {
        MDF_TRY(mdf_jparse_node(p, MDF_JN_PRINT, &node->next));
        node = node->next;
        MDF_TRY(mdf_jparse_expr(p, true, &node->a));
    }
    return MDF_OK;
}

static mdf_status parse_loop_control(mdf_jparser *p, mdf_jnode *node)
{
    (void)node;
    if (p->loops == 0) {
        return mdf_fail(p->err, MDF_ERR_FORMAT, "line %u: it leaves a loop where none is",
                        p->token[-1].line);
    }
    return MDF_OK;
}

static mdf_status parse_statement(mdf_jparser *p, mdf_jnode **out)
{
    static const struct {
        const char *word;
        mdf_jnode_type type;
        mdf_status (*parse)(mdf_jparser *p, mdf_jnode *node);
    } table[] = {{"if", MDF_JN_IF, parse_if},
                 {"for", MDF_JN_FOR, parse_for},
                 {"set", MDF_JN_SET, parse_set},
                 {"macro", MDF_JN_MACRO, parse_macro},
                 {"call", MDF_JN_CALL_BLOCK, parse_call_block},
                 {"filter", MDF_JN_FILTER_BLOCK, parse_filter_block},
                 {"with", MDF_JN_WITH, parse_with},
                 {"generation", MDF_JN_SCOPE, parse_generation},
                 {"print", MDF_JN_PRINT, parse_print},
                 {"break", MDF_JN_BREAK, parse_loop_control},
                 {"continue", MDF_JN_CONTINUE, parse_loop_control}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (mdf_jparse_is_word(p, table[i].word)) {
            MDF_TRY(mdf_jparse_node(p, table[i].type, out));
            p->token++;
            return table[i].parse(p, *out);
        }
    }
    if (p->token->type != MDF_JT_NAME) {
        return mdf_jparse_fail(p, "the name of a tag");
    }
    return mdf_fail(p->err, MDF_ERR_FORMAT, "line %u: tag '%.*s' is not known here", p->token->line,
                    (int)(p->token->len > 100 ? 100 : p->token->len), p->token->text);
}

mdf_status mdf_jinja_parse(mdf_jtemplate *t, const char *text, size_t len, mdf_error *err)
{
    mdf_jtokens tokens = {0};
    mdf_status status = mdf_jinja_lex(&tokens, &t->arena, text, len, err);
    if (status == MDF_OK) {
        mdf_jparser p = {.tmpl = t, .token = tokens.token, .err = err};
        status = parse_until(&p, NULL, &t->body);
        if (status == MDF_OK) {
            status = mdf_jinja_check(t, err);
        }
    }
    mdf_free(tokens.token);
    return status;
}
