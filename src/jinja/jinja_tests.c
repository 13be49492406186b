/* The tests behind "is", as jinja2 has them. */
#include <string.h>

#include "jinja/jinja_builtin.h"
#include "jinja/jinja_node.h"

/* Tests of the kind alone. */
static bool is_kind(const mdf_jval *v, const char *name)
{
    static const struct {
        const char *name;
        uint32_t kinds; /* a bit for each */
    } table[] = {
        {"boolean", 1U << MDF_J_BOOL},
        {"callable", 1U << MDF_J_UNDEFINED | 1U << MDF_J_LOOP | 1U << MDF_J_MACRO |
                         1U << MDF_J_METHOD | 1U << MDF_J_FUNCTION},
        {"defined", ~(1U << MDF_J_UNDEFINED)},
        {"escaped", 0},
        {"float", 1U << MDF_J_FLOAT},
        {"integer", 1U << MDF_J_INT},
        {"iterable", 1U << MDF_J_UNDEFINED | 1U << MDF_J_STRING | 1U << MDF_J_LIST |
                         1U << MDF_J_TUPLE | 1U << MDF_J_RANGE | 1U << MDF_J_KEYS |
                         1U << MDF_J_VALUES | 1U << MDF_J_ITEMS | 1U << MDF_J_ITERATOR |
                         1U << MDF_J_DICT | 1U << MDF_J_LOOP},
        {"mapping", 1U << MDF_J_DICT},
        {"none", 1U << MDF_J_NONE},
        {"number", 1U << MDF_J_BOOL | 1U << MDF_J_INT | 1U << MDF_J_FLOAT},
        {"sequence", 1U << MDF_J_UNDEFINED | 1U << MDF_J_STRING | 1U << MDF_J_LIST |
                         1U << MDF_J_TUPLE | 1U << MDF_J_RANGE | 1U << MDF_J_DICT},
        {"string", 1U << MDF_J_STRING},
        {"undefined", 1U << MDF_J_UNDEFINED},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return (table[i].kinds >> v->kind & 1U) != 0;
        }
    }
    return false;
}

#define KIND_TEST(name)                                                                            \
    static mdf_status is_##name(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out) \
    {                                                                                              \
        (void)m;                                                                                   \
        (void)arg;                                                                                 \
        *out = mdf_jval_bool(is_kind(v, #name));                                                   \
        return MDF_OK;                                                                             \
    }

KIND_TEST(boolean)
KIND_TEST(callable)
KIND_TEST(defined)
KIND_TEST(escaped)
KIND_TEST(float)
KIND_TEST(integer)
KIND_TEST(iterable)
KIND_TEST(mapping)
KIND_TEST(none)
KIND_TEST(number)
KIND_TEST(sequence)
KIND_TEST(string)
KIND_TEST(undefined)

static mdf_status is_true(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)m;
    (void)arg;
    *out = mdf_jval_bool(v->kind == MDF_J_BOOL && v->u.truth);
    return MDF_OK;
}

static mdf_status is_false(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)m;
    (void)arg;
    *out = mdf_jval_bool(v->kind == MDF_J_BOOL && !v->u.truth);
    return MDF_OK;
}

static mdf_status remainder_is(mdf_jvm *m, const mdf_jval *v, const mdf_jval *by, int64_t want,
                               mdf_jval *out)
{
    mdf_jval r;
    const mdf_jval wanted = mdf_jval_int(want);
    bool equal = false;
    MDF_TRY(mdf_jval_binary(m, '%', v, by, &r));
    MDF_TRY(mdf_jval_equal(m, &r, &wanted, &equal));
    *out = mdf_jval_bool(equal);
    return MDF_OK;
}

static mdf_status is_odd(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    const mdf_jval two = mdf_jval_int(2);
    (void)arg;
    return remainder_is(m, v, &two, 1, out);
}

static mdf_status is_even(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    const mdf_jval two = mdf_jval_int(2);
    (void)arg;
    return remainder_is(m, v, &two, 0, out);
}

static mdf_status is_divisibleby(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return remainder_is(m, v, &arg[0], 0, out);
}

static mdf_status compare(mdf_jvm *m, int op, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    bool holds = false;
    MDF_TRY(mdf_jval_compare(m, op, v, &arg[0], &holds));
    *out = mdf_jval_bool(holds);
    return MDF_OK;
}

static mdf_status is_equal(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return compare(m, MDF_JO_EQ, v, arg, out);
}

static mdf_status is_unequal(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return compare(m, MDF_JO_NE, v, arg, out);
}

static mdf_status is_less(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return compare(m, '<', v, arg, out);
}

static mdf_status is_greater(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return compare(m, '>', v, arg, out);
}

static mdf_status is_at_most(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return compare(m, MDF_JO_LE, v, arg, out);
}

static mdf_status is_at_least(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return compare(m, MDF_JO_GE, v, arg, out);
}

static mdf_status is_in(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    return compare(m, MDF_JO_IN, v, arg, out);
}

/* The same object: for what has no parts the same kind and value. */
static mdf_status is_sameas(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    bool same = v->kind == arg[0].kind;
    if (same && v->kind >= MDF_J_LIST) {
        same = v->u.list == arg[0].u.list;
    } else if (same) {
        MDF_TRY(mdf_jval_equal(m, v, &arg[0], &same));
    }
    *out = mdf_jval_bool(same);
    return MDF_OK;
}

static mdf_status case_is(mdf_jvm *m, const mdf_jval *v, const char *method, mdf_jval *out)
{
    mdf_jval text;
    MDF_TRY(mdf_jval_to_text(m, v, &text));
    return mdf_jinja_text_method(method, strlen(method))->call(m, &text, NULL, out);
}

static mdf_status is_lower(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return case_is(m, v, "islower", out);
}

static mdf_status is_upper(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)arg;
    return case_is(m, v, "isupper", out);
}

static mdf_status is_filter(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)m;
    (void)arg;
    *out = mdf_jval_bool(v->kind == MDF_J_STRING && mdf_jinja_filter(v->u.text, v->len) != NULL);
    return MDF_OK;
}

static mdf_status is_test(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    (void)m;
    (void)arg;
    *out = mdf_jval_bool(v->kind == MDF_J_STRING && mdf_jinja_test(v->u.text, v->len) != NULL);
    return MDF_OK;
}

const mdf_jbuiltin *mdf_jinja_test(const char *name, size_t len)
{
    static const mdf_jbuiltin tests[] = {{"!=", is_unequal, "*b", 1, NULL},
                                         {"<", is_less, "*b", 1, NULL},
                                         {"<=", is_at_most, "*b", 1, NULL},
                                         {"==", is_equal, "*b", 1, NULL},
                                         {">", is_greater, "*b", 1, NULL},
                                         {">=", is_at_least, "*b", 1, NULL},
                                         {"boolean", is_boolean, "", 0, NULL},
                                         {"callable", is_callable, "", 0, NULL},
                                         {"defined", is_defined, "", 0, NULL},
                                         {"divisibleby", is_divisibleby, "num", 1, NULL},
                                         {"eq", is_equal, "*b", 1, NULL},
                                         {"equalto", is_equal, "*b", 1, NULL},
                                         {"escaped", is_escaped, "", 0, NULL},
                                         {"even", is_even, "", 0, NULL},
                                         {"false", is_false, "", 0, NULL},
                                         {"filter", is_filter, "", 0, NULL},
                                         {"float", is_float, "", 0, NULL},
                                         {"ge", is_at_least, "*b", 1, NULL},
                                         {"greaterthan", is_greater, "*b", 1, NULL},
                                         {"gt", is_greater, "*b", 1, NULL},
                                         {"in", is_in, "seq", 1, NULL},
                                         {"integer", is_integer, "", 0, NULL},
                                         {"iterable", is_iterable, "", 0, NULL},
                                         {"le", is_at_most, "*b", 1, NULL},
                                         {"lessthan", is_less, "*b", 1, NULL},
                                         {"lower", is_lower, "", 0, NULL},
                                         {"lt", is_less, "*b", 1, NULL},
                                         {"mapping", is_mapping, "", 0, NULL},
                                         {"ne", is_unequal, "*b", 1, NULL},
                                         {"none", is_none, "", 0, NULL},
                                         {"number", is_number, "", 0, NULL},
                                         {"odd", is_odd, "", 0, NULL},
                                         {"sameas", is_sameas, "other", 1, NULL},
                                         {"sequence", is_sequence, "", 0, NULL},
                                         {"string", is_string, "", 0, NULL},
                                         {"test", is_test, "", 0, NULL},
                                         {"true", is_true, "", 0, NULL},
                                         {"undefined", is_undefined, "", 0, NULL},
                                         {"upper", is_upper, "", 0, NULL}};
    return mdf_jbuiltin_find(tests, sizeof tests / sizeof tests[0], name, len);
}
