/* Operators: arithmetic, comparison, membership, as Python has them. */
#include <math.h>
#include <string.h>

#include "jinja/jinja_format.h"
#include "jinja/jinja_node.h"
#include "jinja/jinja_text.h"

static const char *op_text(int op)
{
    static const char one[] = "+\0-\0*\0/\0%\0~\0<\0>";
    static const char *const more[] = {"", "==", "!=", "<=", ">=", "in", "not in", "//", "**"};
    for (size_t i = 0; i < sizeof one; i += 2) {
        if (one[i] == op) {
            return one + i;
        }
    }
    return more[op];
}

static mdf_status refuse_types(mdf_jvm *m, int op, const mdf_jval *a, const mdf_jval *b)
{
    if (a->kind == MDF_J_UNDEFINED || b->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, a->kind == MDF_J_UNDEFINED ? a : b);
    }
    return mdf_fail(m->err, MDF_ERR_FORMAT, "'%s' cannot be used on '%s' and '%s'", op_text(op),
                    mdf_jval_type(a), mdf_jval_type(b));
}

static mdf_status too_large(mdf_jvm *m)
{
    return mdf_fail(m->err, MDF_ERR_LIMIT, "an integer is larger than 64 bits");
}

static mdf_status power(mdf_jvm *m, int64_t a, int64_t b, mdf_jval *out)
{
    int64_t y = 1;
    if (b < 0) {
        if (a == 0) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "zero cannot be raised to a negative power");
        }
        *out = mdf_jval_real(pow((double)a, (double)b));
        return MDF_OK;
    }
    if (a >= -1 && a <= 1) { /* no need to count up to b */
        *out = mdf_jval_int(b == 0 || b % 2 == 0 ? (b == 0 ? 1 : a * a) : a);
        return MDF_OK;
    }
    for (int64_t i = 0; i < b; i++) {
        if (__builtin_mul_overflow(y, a, &y)) {
            return too_large(m);
        }
    }
    *out = mdf_jval_int(y);
    return MDF_OK;
}

/* Division that rounds down, and what is left over. */
static mdf_status divide_whole(mdf_jvm *m, int op, int64_t a, int64_t b, mdf_jval *out)
{
    if (b == 0) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "division by zero");
    }
    if (b == -1) {
        if (a == INT64_MIN) {
            return too_large(m);
        }
        *out = mdf_jval_int(op == '%' ? 0 : -a);
        return MDF_OK;
    }
    int64_t q = a / b;
    int64_t r = a % b;
    if (r != 0 && (r < 0) != (b < 0)) {
        q--;
        r += b;
    }
    *out = mdf_jval_int(op == '%' ? r : q);
    return MDF_OK;
}

static mdf_status whole(mdf_jvm *m, int op, int64_t a, int64_t b, mdf_jval *out)
{
    int64_t y = 0;
    bool over = false;
    switch (op) {
    case '+':
        over = __builtin_add_overflow(a, b, &y);
        break;
    case '-':
        over = __builtin_sub_overflow(a, b, &y);
        break;
    case '*':
        over = __builtin_mul_overflow(a, b, &y);
        break;
    case MDF_JO_POW:
        return power(m, a, b, out);
    default:
        return divide_whole(m, op, a, b, out);
    }
    if (over) {
        return too_large(m);
    }
    *out = mdf_jval_int(y);
    return MDF_OK;
}

static double modulo(double a, double b)
{
    double r = fmod(a, b);
    if (r != 0 && (r < 0) != (b < 0)) {
        r += b;
    }
    return r;
}

static mdf_status real(mdf_jvm *m, int op, double a, double b, mdf_jval *out)
{
    const bool divides = op == '/' || op == '%' || op == MDF_JO_FLOOR;
    if (divides && !(b < 0) && !(b > 0) && b == b) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "division by zero");
    }
    const double y = op == '+'            ? a + b
                     : op == '-'          ? a - b
                     : op == '*'          ? a * b
                     : op == '/'          ? a / b
                     : op == '%'          ? modulo(a, b)
                     : op == MDF_JO_FLOOR ? floor((a - modulo(a, b)) / b + 0.5)
                                          : pow(a, b);
    *out = mdf_jval_real(y);
    return MDF_OK;
}

static mdf_status join_text(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, mdf_jval *out)
{
    if (b->len > SIZE_MAX / 2 - a->len) {
        return mdf_jvm_no_memory(m);
    }
    char *text = mdf_jvm_alloc(m, a->len + b->len, 1);
    if (text == NULL) {
        return mdf_jvm_no_memory(m);
    }
    if (a->len > 0) {
        memcpy(text, a->u.text, a->len);
    }
    if (b->len > 0) {
        memcpy(text + a->len, b->u.text, b->len);
    }
    *out = mdf_jval_text(text, a->len + b->len);
    return mdf_jvm_step(m, out->len / 64);
}

/* a + b: beside a safe text the other one is escaped. */
static mdf_status add_text(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, mdf_jval *out)
{
    mdf_jval x = *a;
    mdf_jval y = *b;
    const bool safe = a->why == MDF_J_SAFE || b->why == MDF_J_SAFE;
    const mdf_jbuiltin *escape = mdf_jinja_filter("escape", 6);
    if (safe) {
        MDF_TRY(escape->call(m, a, NULL, &x));
        MDF_TRY(escape->call(m, b, NULL, &y));
    }
    MDF_TRY(join_text(m, &x, &y, out));
    out->why = safe ? MDF_J_SAFE : MDF_J_PLAIN;
    return MDF_OK;
}

static mdf_status join_lists(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, mdf_jval *out)
{
    const mdf_jlist *x = a->u.list;
    const mdf_jlist *y = b->u.list;
    MDF_TRY(mdf_jval_list(m, (mdf_jkind)a->kind, x->count + y->count, out));
    if (x->count > 0) {
        memcpy(out->u.list->item, x->item, x->count * sizeof *x->item);
    }
    if (y->count > 0) {
        memcpy(out->u.list->item + x->count, y->item, y->count * sizeof *y->item);
    }
    return MDF_OK;
}

/* Text or a list, several times. */
static mdf_status repeat(mdf_jvm *m, const mdf_jval *v, int64_t times, mdf_jval *out)
{
    const bool text = v->kind == MDF_J_STRING;
    const size_t count = text ? v->len : v->u.list->count;
    const size_t n = times < 0 ? 0 : (size_t)times;
    if (count != 0 && n > MDF_MAX_JINJA_ARENA / count) {
        return mdf_fail(m->err, MDF_ERR_LIMIT, "the values need more than the limit of %zu bytes",
                        m->arena.limit_bytes);
    }
    if (!text) {
        MDF_TRY(mdf_jval_list(m, (mdf_jkind)v->kind, count * n, out));
        for (size_t i = 0; i < count * n; i++) {
            out->u.list->item[i] = v->u.list->item[i % count];
        }
        return MDF_OK;
    }
    char *copy = mdf_jvm_alloc(m, count * n, 1);
    if (copy == NULL) {
        return mdf_jvm_no_memory(m);
    }
    for (size_t i = 0; i < count * n; i++) {
        copy[i] = v->u.text[i % count];
    }
    *out = mdf_jval_text(copy, count * n);
    return mdf_jvm_step(m, count * n / 16);
}

static bool is_sequence(const mdf_jval *v)
{
    return v->kind == MDF_J_STRING || v->kind == MDF_J_LIST || v->kind == MDF_J_TUPLE;
}

static bool is_whole(const mdf_jval *v)
{
    return v->kind == MDF_J_INT || v->kind == MDF_J_BOOL;
}

static mdf_status concatenate(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, mdf_jval *out)
{
    mdf_jval x;
    mdf_jval y;
    MDF_TRY(mdf_jval_to_text(m, a, &x));
    MDF_TRY(mdf_jval_to_text(m, b, &y));
    return join_text(m, &x, &y, out);
}

mdf_status mdf_jval_binary(mdf_jvm *m, int op, const mdf_jval *a, const mdf_jval *b, mdf_jval *out)
{
    if (op == '~') {
        return concatenate(m, a, b, out);
    }
    if (mdf_jval_is_number(a) && mdf_jval_is_number(b)) {
        if (is_whole(a) && is_whole(b) && op != '/') {
            return whole(m, op, mdf_jval_as_int(a), mdf_jval_as_int(b), out);
        }
        return real(m, op, mdf_jval_as_real(a), mdf_jval_as_real(b), out);
    }
    if (op == '+' && a->kind == b->kind && is_sequence(a)) {
        return a->kind == MDF_J_STRING ? add_text(m, a, b, out) : join_lists(m, a, b, out);
    }
    if (op == '*' && is_sequence(a) && is_whole(b)) {
        return repeat(m, a, mdf_jval_as_int(b), out);
    }
    if (op == '*' && is_whole(a) && is_sequence(b)) {
        return repeat(m, b, mdf_jval_as_int(a), out);
    }
    if (op == '%' && a->kind == MDF_J_STRING) {
        const bool several = b->kind == MDF_J_TUPLE;
        const mdf_jargs args = {several ? b->u.list->item : b, several ? b->u.list->count : 1,
                                NULL};
        return mdf_jtext_percent(m, a, &args, out);
    }
    return refuse_types(m, op, a, b);
}

mdf_status mdf_jval_sign(mdf_jvm *m, int op, const mdf_jval *a, mdf_jval *out)
{
    if (a->kind == MDF_J_UNDEFINED) {
        return mdf_jval_refuse(m, a);
    }
    if (!mdf_jval_is_number(a)) {
        return mdf_fail(m->err, MDF_ERR_FORMAT, "'%s' has no sign", mdf_jval_type(a));
    }
    if (a->kind == MDF_J_FLOAT) {
        *out = mdf_jval_real(op == '-' ? -a->u.real : a->u.real);
        return MDF_OK;
    }
    const int64_t v = mdf_jval_as_int(a);
    if (op == '-' && v == INT64_MIN) {
        return too_large(m);
    }
    *out = mdf_jval_int(op == '-' ? -v : v);
    return MDF_OK;
}

mdf_status mdf_jval_in(mdf_jvm *m, const mdf_jval *a, const mdf_jval *b, bool *out)
{
    *out = false;
    if (b->kind == MDF_J_STRING) {
        if (a->kind != MDF_J_STRING) {
            return mdf_fail(m->err, MDF_ERR_FORMAT,
                            "'in <string>' requires string as left operand, not %s",
                            mdf_jval_type(a));
        }
        *out = mdf_jtext_find(b->u.text, b->len, a->u.text, a->len) <= b->len;
        return mdf_jvm_search(m, b->len, a->len);
    }
    if (b->kind == MDF_J_DICT) {
        mdf_jval *value = NULL;
        MDF_TRY(mdf_jdict_find(m, b->u.dict, a, &value));
        *out = value != NULL;
        return MDF_OK;
    }
    mdf_jlist items;
    MDF_TRY(mdf_jval_items(m, b, &items));
    for (size_t i = 0; i < items.count && !*out; i++) {
        MDF_TRY(mdf_jval_equal(m, &items.item[i], a, out));
    }
    return MDF_OK;
}

mdf_status mdf_jval_compare(mdf_jvm *m, int op, const mdf_jval *a, const mdf_jval *b, bool *out)
{
    int order = 0;
    if (op == MDF_JO_EQ || op == MDF_JO_NE) {
        MDF_TRY(mdf_jval_equal(m, a, b, out));
        *out = *out == (op == MDF_JO_EQ);
        return MDF_OK;
    }
    if (op == MDF_JO_IN || op == MDF_JO_NOT_IN) {
        MDF_TRY(mdf_jval_in(m, a, b, out));
        *out = *out == (op == MDF_JO_IN);
        return MDF_OK;
    }
    const bool unordered = (a->kind == MDF_J_FLOAT && a->u.real != a->u.real) ||
                           (b->kind == MDF_J_FLOAT && b->u.real != b->u.real);
    MDF_TRY(mdf_jval_order(m, a, b, op_text(op), &order));
    *out = !unordered && (op == '<'         ? order < 0
                          : op == '>'       ? order > 0
                          : op == MDF_JO_LE ? order <= 0
                                            : order >= 0);
    return MDF_OK;
}
