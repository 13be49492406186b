/* pickle: values of every kind, names that are not allowed, and programs that lie. Byte strings are
 * written as pickletools.dis would show them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "io/pickle.h"

static const mdf_pickle_global allowed[] = {
    {"torch", "FloatStorage", MDF_PICKLE_NAME},
    {"torch._utils", "_rebuild", MDF_PICKLE_CALLED},
    {"collections", "OrderedDict", MDF_PICKLE_MAKES_DICT},
};

/* From a block of exactly the bytes, which lives until the next call: texts point into it. */
static mdf_status parse(mdf_pickle *p, const void *bytes, size_t len, mdf_error *err)
{
    static uint8_t *exact;
    free(exact);
    exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, bytes, len);
    return mdf_pickle_parse(p, exact, len, allowed, 3, "p.pkl", err);
}

#define PARSE(p, program, err) parse(p, program, sizeof(program) - 1, err)

#define REFUSED(program, code, want)                                                               \
    do {                                                                                           \
        mdf_pickle refused;                                                                        \
        mdf_error refused_err = {0};                                                               \
        assert_int_equal(PARSE(&refused, program, &refused_err), code);                            \
        assert_string_equal(refused_err.text, "p.pkl: " want);                                     \
    } while (0)

static mdf_pickle_value *item(const mdf_pickle_value *v, size_t i)
{
    assert_true(i < v->u.items->count);
    return &v->u.items->item[i];
}

static void check_whole(const mdf_pickle_value *v, int64_t want)
{
    assert_int_equal(v->kind, MDF_PICKLE_WHOLE);
    assert_true(v->u.whole == want);
}

static void numbers_are_read(void **state)
{
    (void)state;
    mdf_pickle p;
    assert_int_equal(PARSE(&p,
                           "\x80\x02("
                           "K\xff"
                           "M\x00\xff"
                           "J\xfe\xff\xff\xff"
                           "J\xff\xff\xff\x7f"
                           "\x8a\x00"
                           "\x8a\x02\x00\x80"
                           "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
                           "\x8a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09"
                           "G\xbf\xe8\x00\x00\x00\x00\x00\x00"
                           "N\x88\x89t.",
                           NULL),
                     MDF_OK);
    assert_int_equal(p.value.kind, MDF_PICKLE_TUPLE);
    assert_int_equal(p.value.u.items->count, 12);
    check_whole(item(&p.value, 0), 255);
    check_whole(item(&p.value, 1), 65280);
    check_whole(item(&p.value, 2), -2);
    check_whole(item(&p.value, 3), INT32_MAX);
    check_whole(item(&p.value, 4), 0);
    check_whole(item(&p.value, 5), -32768);
    check_whole(item(&p.value, 6), INT64_MAX);
    assert_int_equal(item(&p.value, 7)->kind, MDF_PICKLE_LONG);
    assert_int_equal(item(&p.value, 7)->len, 9);
    assert_memory_equal(item(&p.value, 7)->u.text, "\1\2\3\4\5\6\7\x08\x09", 9);
    assert_int_equal(item(&p.value, 8)->kind, MDF_PICKLE_FLOAT);
    assert_true(item(&p.value, 8)->u.number == -0.75);
    assert_int_equal(item(&p.value, 9)->kind, MDF_PICKLE_NONE);
    assert_int_equal(item(&p.value, 10)->kind, MDF_PICKLE_BOOL);
    assert_int_equal(item(&p.value, 10)->u.whole, 1);
    assert_int_equal(item(&p.value, 11)->u.whole, 0);
    mdf_pickle_free(&p);
}

static void containers_are_read(void **state)
{
    (void)state;
    mdf_pickle p;
    /* {"a": [1, 2, 3], "b": (4, 5, 6), "a": ((), (7,), (8, 9))}, and what follows the pickle */
    assert_int_equal(PARSE(&p,
                           "\x80\x04\x95\x30\x00\x00\x00\x00\x00\x00\x00}("
                           "X\x01\x00\x00\x00"
                           "a](K\x01K\x02"
                           "eK\x03"
                           "a\x8c\x01"
                           "bK\x04K\x05K\x06\x87u"
                           "\x8c\x01"
                           "a)K\x07\x85K\x08K\x09\x86\x87s."
                           "and more",
                           NULL),
                     MDF_OK);
    assert_int_equal(p.used, 55);
    assert_int_equal(p.value.kind, MDF_PICKLE_DICT);
    assert_int_equal(p.value.u.items->count, 6);
    assert_true(mdf_pickle_is(item(&p.value, 0), "a"));
    assert_false(mdf_pickle_is(item(&p.value, 0), "ab"));
    assert_int_equal(item(&p.value, 1)->kind, MDF_PICKLE_LIST);
    check_whole(item(item(&p.value, 1), 2), 3);
    const mdf_pickle_value *b = mdf_pickle_at(&p.value, "b");
    assert_non_null(b);
    check_whole(item(b, 0), 4);
    check_whole(item(b, 2), 6);
    const mdf_pickle_value *a = mdf_pickle_at(&p.value, "a"); /* the last one counts */
    assert_int_equal(a->kind, MDF_PICKLE_TUPLE);
    assert_int_equal(item(a, 0)->u.items->count, 0);
    check_whole(item(item(a, 1), 0), 7);
    check_whole(item(item(a, 2), 1), 9);
    assert_null(mdf_pickle_at(&p.value, "c"));
    assert_null(mdf_pickle_at(a, "a"));
    mdf_pickle_free(&p);
}

static void what_is_remembered_is_the_same_object(void **state)
{
    (void)state;
    mdf_pickle p;
    /* a list that is remembered while it is empty, filled later, and holds itself */
    assert_int_equal(PARSE(&p,
                           "\x80\x04]q\x00r\x05\x00\x00\x00\x94h\x00"
                           "aj\x05\x00\x00\x00"
                           "ah\x02"
                           "a.",
                           NULL),
                     MDF_OK);
    assert_int_equal(p.value.u.items->count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(item(&p.value, i)->u.items, p.value.u.items);
    }
    mdf_pickle_free(&p);
}

static void calls_are_recorded_and_not_made(void **state)
{
    (void)state;
    mdf_pickle p;
    /* _rebuild((storage), 7) with the storage named outside; an OrderedDict with attributes */
    assert_int_equal(PARSE(&p,
                           "\x80\x02("
                           "ctorch._utils\n_rebuild\n"
                           "X\x01\x00\x00\x00s"
                           "ctorch\nFloatStorage\n"
                           "\x86q\x00QK\x07\x86R"
                           "ccollections\nOrderedDict\n)R}(K\x01K\x02"
                           "ub"
                           "h\x00Qt.",
                           NULL),
                     MDF_OK);
    const mdf_pickle_value *call = item(&p.value, 0);
    assert_int_equal(call->kind, MDF_PICKLE_CALL);
    assert_ptr_equal(call->u.items->callee, &allowed[1]);
    assert_int_equal(item(call, 0)->kind, MDF_PICKLE_OUTER);
    assert_true(mdf_pickle_is(item(item(call, 0), 0), "s"));
    assert_int_equal(item(item(call, 0), 1)->kind, MDF_PICKLE_ITEM);
    assert_ptr_equal(item(item(call, 0), 1)->u.global, &allowed[0]);
    check_whole(item(call, 1), 7);
    assert_int_equal(item(&p.value, 1)->kind, MDF_PICKLE_DICT);
    assert_int_equal(item(&p.value, 1)->u.items->count, 0);
    assert_ptr_equal(p.outer, item(&p.value, 2)->u.items); /* the last one first */
    assert_ptr_equal(p.outer->next, item(call, 0)->u.items);
    assert_null(p.outer->next->next);
    mdf_pickle_free(&p);
    assert_int_equal(PARSE(&p,
                           "\x80\x04\x8c\x05torch\x8c\x0c"
                           "FloatStorage\x93.",
                           NULL),
                     MDF_OK);
    assert_ptr_equal(p.value.u.global, &allowed[0]);
    mdf_pickle_free(&p);
}

static void other_names_are_refused(void **state)
{
    (void)state;
#define MORE ", which is more than tensors need; nothing of it was run"
    REFUSED("\x80\x02"
            "cos\nsystem\nX\x02\x00\x00\x00ls\x85R.",
            MDF_ERR_FORMAT, "refused: the pickle names os.system" MORE);
    REFUSED("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R.", MDF_ERR_FORMAT,
            "refused: the pickle names posix.system" MORE);
    REFUSED("\x80\x02"
            "ctorch.storage\n_load_from_bytes\n.",
            MDF_ERR_FORMAT, "refused: the pickle names torch.storage._load_from_bytes" MORE);
    REFUSED("\x80\x02"
            "ctorch\nFloatStorag\n.",
            MDF_ERR_FORMAT, "refused: the pickle names torch.FloatStorag" MORE);
    REFUSED("\x80\x02"
            "ctorch._utils\n_rebuild.__globals__\n.",
            MDF_ERR_FORMAT, "refused: the pickle names torch._utils._rebuild.__globals__" MORE);
    REFUSED("\x80\x02"
            "c\n\n.",
            MDF_ERR_FORMAT, "refused: the pickle names ." MORE);
    REFUSED("\x80\x02"
            "ctorch\nFloatStorage\n)R.",
            MDF_ERR_FORMAT, "refused: the pickle calls torch.FloatStorage");
    REFUSED("\x80\x02"
            "ccollections\nOrderedDict\n]\x85R.",
            MDF_ERR_FORMAT, "refused: the pickle gives arguments to collections.OrderedDict");
    REFUSED("\x80\x02"
            "co\xff\nx\n.",
            MDF_ERR_FORMAT, "the pickle has a name that is not UTF-8");
    REFUSED("\x80\x02K\x01K\x02\x93.", MDF_ERR_FORMAT, "the pickle has a name that is not text");
#undef MORE
}

/* What Python's pickle has and tensors do not need; the name is that of pickletools. */
static void other_instructions_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        uint8_t code;
        const char *name;
    } others[] = {{'I', "INT"},
                  {'L', "LONG"},
                  {0x8b, "LONG4"},
                  {'S', "STRING"},
                  {'T', "BINSTRING"},
                  {'U', "SHORT_BINSTRING"},
                  {'B', "BINBYTES"},
                  {'C', "SHORT_BINBYTES"},
                  {0x8e, "BINBYTES8"},
                  {0x96, "BYTEARRAY8"},
                  {0x97, "NEXT_BUFFER"},
                  {0x98, "READONLY_BUFFER"},
                  {'V', "UNICODE"},
                  {0x8d, "BINUNICODE8"},
                  {'F', "FLOAT"},
                  {'l', "LIST"},
                  {'d', "DICT"},
                  {0x8f, "EMPTY_SET"},
                  {0x90, "ADDITEMS"},
                  {0x91, "FROZENSET"},
                  {'0', "POP"},
                  {'1', "POP_MARK"},
                  {'2', "DUP"},
                  {'g', "GET"},
                  {'p', "PUT"},
                  {0x82, "EXT1"},
                  {0x83, "EXT2"},
                  {0x84, "EXT4"},
                  {'i', "INST"},
                  {'o', "OBJ"},
                  {0x81, "NEWOBJ"},
                  {0x92, "NEWOBJ_EX"},
                  {'P', "PERSID"},
                  {0x00, "without a name"},
                  {0xff, "without a name"}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const uint8_t bytes[] = {0x80, 2, 'N', others[i].code, '.'};
        char want[160];
        mdf_pickle p;
        mdf_error err = {0};
        (void)snprintf(want, sizeof want,
                       "p.pkl: refused: the pickle has the instruction %s (0x%02x) at byte 3, "
                       "which tensors do not need; nothing of it was run",
                       others[i].name, others[i].code);
        assert_int_equal(parse(&p, bytes, sizeof bytes, &err), MDF_ERR_FORMAT);
        assert_string_equal(err.text, want);
    }
}

static void programs_that_lie_are_refused(void **state)
{
    (void)state;
    static const char empty[] = "p.pkl: the pickle takes a value from an empty stack";
    static const char *const takers[] = {"Q", "b", "R", "\x93", "\x85", "a", "s", "q\1", "\x94"};
    for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++) {
        for (int mark = 0; mark < 2; mark++) { /* what is below a mark cannot be taken either */
            char bytes[16];
            mdf_pickle p;
            mdf_error err = {0};
            const int n =
                snprintf(bytes, sizeof bytes, "\x80\x02%s%s.", mark == 1 ? "]]]((" : "", takers[i]);
            assert_int_equal(parse(&p, bytes, (size_t)n, &err), MDF_ERR_FORMAT);
            assert_string_equal(err.text, empty);
        }
    }
    REFUSED("", MDF_ERR_FORMAT, "the pickle does not begin with its protocol");
    REFUSED("N.", MDF_ERR_FORMAT, "the pickle does not begin with its protocol");
    REFUSED("\x80\x01N.", MDF_ERR_FORMAT, "the pickle has a protocol other than 2 to 5");
    REFUSED("\x80\x06N.", MDF_ERR_FORMAT, "the pickle has a protocol other than 2 to 5");
    REFUSED("\x80\x02.", MDF_ERR_FORMAT, "the pickle does not end with one object");
    REFUSED("\x80\x02NN.", MDF_ERR_FORMAT, "the pickle does not end with one object");
    REFUSED("\x80\x02N(.", MDF_ERR_FORMAT, "the pickle does not end with one object");
    REFUSED("\x80\x02Nt.", MDF_ERR_FORMAT, "the pickle has no mark where one is needed");
    REFUSED("\x80\x02]Ne.", MDF_ERR_FORMAT, "the pickle has no mark where one is needed");
    REFUSED("\x80\x02(e.", MDF_ERR_FORMAT, "the pickle takes a value from an empty stack");
    REFUSED("\x80\x02}(Nu.", MDF_ERR_FORMAT, "the pickle has a key without a value");
    REFUSED("\x80\x02}Na.", MDF_ERR_FORMAT, "the pickle appends to what is no list");
    REFUSED("\x80\x02](NNu.", MDF_ERR_FORMAT, "the pickle sets items of what is no dictionary");
    REFUSED("\x80\x02NNNs.", MDF_ERR_FORMAT, "the pickle sets items of what is no dictionary");
    REFUSED("\x80\x02N)R.", MDF_ERR_FORMAT, "the pickle calls what is no function");
    REFUSED("\x80\x02"
            "ctorch._utils\n_rebuild\nNR.",
            MDF_ERR_FORMAT, "the pickle calls what is no function");
    REFUSED("\x80\x02"
            "ctorch._utils\n_rebuild\n)R}b.",
            MDF_ERR_FORMAT, "the pickle sets the state of what is no dictionary");
    REFUSED("\x80\x02}Nb.", MDF_ERR_FORMAT, "the pickle sets the state of what is no dictionary");
    REFUSED("\x80\x02NQ.", MDF_ERR_FORMAT,
            "the pickle names an object outside by what is no tuple");
    REFUSED("\x80\x02h\x00.", MDF_ERR_FORMAT, "the pickle uses a value that it does not remember");
    REFUSED("\x80\x02Nq\x01h\x00.", MDF_ERR_FORMAT,
            "the pickle uses a value that it does not remember");
    REFUSED("\x80\x02Nj\xff\xff\xff\xff.", MDF_ERR_FORMAT,
            "the pickle uses a value that it does not remember");
    REFUSED("\x80\x02X\x02\x00\x00\x00\xc3(.", MDF_ERR_FORMAT,
            "the pickle has a text that is not UTF-8");
    REFUSED("\x80\x02\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", MDF_ERR_FORMAT,
            "the pickle is cut off");
    REFUSED("\x80\x02X\xff\xff\xff\xff.", MDF_ERR_FORMAT, "the pickle is cut off");
}

static void limits_hold(void **state)
{
    (void)state;
    REFUSED("\x80\x02Nr\xff\xff\xff\xff.", MDF_ERR_LIMIT,
            "the pickle numbers what it remembers too high");
    mdf_pickle p;
    mdf_error err = {0};
    mdf_strbuf b = mdf_strbuf_new((size_t)256 << 20);
    mdf_strbuf_puts(&b, "\x80\x02");
    for (int i = 0; i < 64; i++) {
        mdf_strbuf_puts(&b, "(");
    }
    assert_int_equal(parse(&p, b.data, b.len, &err), MDF_ERR_FORMAT); /* cut off behind them */
    mdf_strbuf_puts(&b, "(");
    assert_int_equal(parse(&p, b.data, b.len, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "p.pkl: the pickle is nested too deep");
    mdf_strbuf_clear(&b);
    mdf_strbuf_puts(&b, "\x80\x02(");
    for (int i = 0; i < MDF_MAX_PICKLE_VALUES - 1; i++) {
        mdf_strbuf_puts(&b, "N");
    }
    mdf_strbuf_puts(&b, "t.");
    assert_int_equal(parse(&p, b.data, b.len, &err), MDF_OK); /* the tuple is the last one */
    assert_int_equal(p.value.u.items->count, MDF_MAX_PICKLE_VALUES - 1);
    mdf_pickle_free(&p);
    b.data[b.len - 2] = 'N';
    b.data[b.len - 1] = 't';
    assert_int_equal(parse(&p, b.data, b.len, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "p.pkl: the pickle has too many values");
    for (size_t over = 0; over < 2; over++) {
        const size_t n = ((size_t)1 << 20) + over;
        mdf_strbuf_clear(&b);
        mdf_strbuf_puts(&b, "\x80\x02X");
        for (size_t i = 0; i < 4; i++) {
            const char byte = (char)(uint8_t)(n >> (8 * i));
            mdf_strbuf_add(&b, &byte, 1);
        }
        for (size_t i = 0; i < n; i++) {
            mdf_strbuf_puts(&b, "a");
        }
        mdf_strbuf_puts(&b, ".");
        assert_int_equal(parse(&p, b.data, b.len, &err), over == 1 ? MDF_ERR_LIMIT : MDF_OK);
        if (over == 0) {
            mdf_pickle_free(&p);
        }
    }
    assert_string_equal(err.text, "p.pkl: the pickle has too long a text");
    mdf_strbuf_clear(&b);
    mdf_strbuf_puts(&b, "\x80\x02");
    while (b.len <= MDF_MAX_PICKLE_BYTES) { /* frames make no values */
        mdf_strbuf_add(&b, "\x95\0\0\0\0\0\0\0\0", 9);
    }
    mdf_strbuf_puts(&b, "N.");
    assert_int_equal(parse(&p, b.data, b.len, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "p.pkl: the pickle has too many bytes");
    mdf_strbuf_free(&b);
}

/* Values of all kinds: each of its beginnings is refused. */
static const char whole[] = "\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}q\x00("
                            "X\x01\x00\x00\x00"
                            "a](K\x01M\x02\x03J\x04\x05\x06\x07"
                            "e\x8c\x01"
                            "bG\x3f\xe8\x00\x00\x00\x00\x00\x00"
                            "\x8c\x01"
                            "cctorch._utils\n_rebuild\n\x8c\x05torch\x8c\x0c"
                            "FloatStorage\x93\x85QN\x86R\x94u.";

static void every_truncation_is_refused(void **state)
{
    (void)state;
    const size_t len = sizeof whole - 1;
    for (size_t n = 0; n <= len; n++) {
        mdf_pickle p;
        const mdf_status status = parse(&p, whole, n, NULL);
        assert_int_equal(status, n < len ? MDF_ERR_FORMAT : MDF_OK);
        if (status == MDF_OK) {
            mdf_pickle_free(&p);
        }
    }
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    mdf_strbuf b = mdf_strbuf_new(1 << 20); /* large enough that stack, memo and arena grow */
    mdf_strbuf_puts(&b, "\x80\x04](");
    for (int i = 0; i < 3000; i++) {
        mdf_strbuf_puts(&b, "K\1\x85\x94");
    }
    mdf_strbuf_puts(&b, "e.");
    mdf_pickle p;
    long n = 0;
    mdf_status status = MDF_ERR_NOMEM;
    while (status == MDF_ERR_NOMEM) {
        mdf_alloc_fail_after(++n);
        status = mdf_pickle_parse(&p, b.data, b.len, allowed, 3, "p.pkl", NULL);
        mdf_alloc_fail_after(0);
        assert_true((status == MDF_OK) == (p.value.kind == MDF_PICKLE_LIST));
    }
    assert_int_equal(status, MDF_OK);
    assert_true(n > 10);
    mdf_pickle_free(&p);
    mdf_strbuf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(containers_are_read),
        cmocka_unit_test(what_is_remembered_is_the_same_object),
        cmocka_unit_test(calls_are_recorded_and_not_made),
        cmocka_unit_test(other_names_are_refused),
        cmocka_unit_test(other_instructions_are_refused_by_name),
        cmocka_unit_test(programs_that_lie_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
