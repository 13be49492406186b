/* GGUF: files of the reference library, every truncation, and headers that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "io/gguf.h"
#include "support/folder.h"

#define GOLDEN MDF_TEST_DATA "/golden/gguf/"

/* --- files of the reference library --- */

static int64_t integer(const mdf_gguf *g, const char *key, size_t i)
{
    int64_t out = 0;
    assert_true(mdf_gguf_integer(mdf_gguf_value_of(g, key), i, &out));
    return out;
}

static double number(const mdf_gguf *g, const char *key, size_t i)
{
    double out = 0;
    assert_true(mdf_gguf_number(mdf_gguf_value_of(g, key), i, &out));
    return out;
}

static void open_good(mdf_gguf *g, const char *path)
{
    mdf_error err = {0};
    if (mdf_gguf_open(g, path, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

static void values_of_every_type_are_read(void **state)
{
    (void)state;
    mdf_gguf g;
    open_good(&g, GOLDEN "types.gguf");
    assert_int_equal(g.version, 3);
    assert_int_equal(integer(&g, "test.uint8", 0), 200);
    assert_int_equal(integer(&g, "test.int8", 0), -100);
    assert_int_equal(integer(&g, "test.uint16", 0), 60000);
    assert_int_equal(integer(&g, "test.int16", 0), -30000);
    assert_true(integer(&g, "test.uint32", 0) == INT64_C(4000000000));
    assert_true(integer(&g, "test.int32", 0) == INT64_C(-2000000000));
    assert_true(integer(&g, "test.uint64", 0) == INT64_C(10000000000));
    assert_true(integer(&g, "test.int64", 0) == INT64_C(-10000000000));
    assert_true(number(&g, "test.float32", 0) == 1.5);
    assert_true(number(&g, "test.float64", 0) == -0.1);
    assert_true(number(&g, "test.int8", 0) == -100);
    assert_int_equal(integer(&g, "test.numbers", 1), -4);
    assert_int_equal(mdf_gguf_value_of(&g, "test.numbers")->count, 3);
    assert_true(number(&g, "test.floats", 1) == 0.25);
    bool yes = false;
    assert_true(mdf_gguf_bool(mdf_gguf_value_of(&g, "test.bool"), 0, &yes) && yes);
    assert_true(mdf_gguf_bool(mdf_gguf_value_of(&g, "test.bools"), 1, &yes) && !yes);
    mdf_gguf_string s[3];
    assert_true(mdf_gguf_text(mdf_gguf_value_of(&g, "test.string"), s));
    assert_int_equal(s[0].len, strlen("zwei Wörter"));
    assert_memory_equal(s[0].text, "zwei Wörter", s[0].len);
    assert_true(mdf_gguf_text(mdf_gguf_value_of(&g, "test.empty"), s) && s[0].len == 0);
    assert_true(mdf_gguf_texts(mdf_gguf_value_of(&g, "test.strings"), s));
    assert_int_equal(s[1].len, 0);
    assert_memory_equal(s[2].text, "c d", 3);
    mdf_gguf_close(&g);
}

static void a_value_of_another_kind_is_not_given(void **state)
{
    (void)state;
    mdf_gguf g;
    open_good(&g, GOLDEN "types.gguf");
    int64_t i = 0;
    double d = 0;
    bool b = false;
    mdf_gguf_string s[3];
    assert_null(mdf_gguf_value_of(&g, "test"));
    assert_false(mdf_gguf_integer(NULL, 0, &i));
    assert_false(mdf_gguf_integer(mdf_gguf_value_of(&g, "test.numbers"), 3, &i));
    assert_false(mdf_gguf_integer(mdf_gguf_value_of(&g, "test.float32"), 0, &i));
    assert_false(mdf_gguf_integer(mdf_gguf_value_of(&g, "test.bool"), 0, &i));
    assert_false(mdf_gguf_integer(mdf_gguf_value_of(&g, "test.string"), 0, &i));
    assert_false(mdf_gguf_number(mdf_gguf_value_of(&g, "test.strings"), 0, &d));
    assert_false(mdf_gguf_bool(mdf_gguf_value_of(&g, "test.uint8"), 0, &b));
    assert_false(mdf_gguf_text(mdf_gguf_value_of(&g, "test.strings"), s));
    assert_false(mdf_gguf_texts(mdf_gguf_value_of(&g, "test.uint8"), s));
    mdf_gguf_close(&g);
}

static void tensors_of_every_type_are_read(void **state)
{
    (void)state;
    static const char *const plain[] = {"F64", "F32", "F16", "BF16", "I8", "I32", "I64"};
    mdf_gguf g;
    open_good(&g, GOLDEN "types.gguf");
    for (size_t k = 0; k < sizeof plain / sizeof plain[0]; k++) {
        const mdf_gguf_tensor *t = mdf_gguf_find(&g, plain[k]);
        assert_non_null(t);
        assert_string_equal(mdf_dtype_name(t->dtype), plain[k]);
        assert_int_equal(t->rank, 2);
        assert_int_equal(t->dim[0], 3);
        assert_int_equal(t->dim[1], 5);
        float x[15];
        int64_t whole[15];
        const bool is_float = mdf_dtype_is_float(t->dtype);
        assert_true(is_float ? mdf_dtype_to_floats(t->dtype, t->data, 15, x)
                             : mdf_dtype_to_int64(t->dtype, t->data, 15, whole));
        for (int i = 0; i < 15; i++) {
            assert_true(is_float ? x[i] == (float)(i - 2) / 2 : whole[i] == i - 2);
        }
    }
    const mdf_gguf_tensor *t = mdf_gguf_find(&g, "three.dims");
    assert_int_equal(t->rank, 3);
    assert_true(t->dim[0] == 2 && t->dim[1] == 3 && t->dim[2] == 4);
    t = mdf_gguf_find(&g, "Q6_K");
    assert_true(t->dtype == MDF_DTYPE_Q6_K && t->dim[0] == 2 && t->dim[1] == 256);
    assert_int_equal(t->bytes, 420);
    t = mdf_gguf_find(&g, "Q4_1");
    assert_true(t->dtype == MDF_DTYPE_Q4_1 && t->dim[0] == 2 && t->dim[1] == 64);
    assert_null(mdf_gguf_find(&g, "Q"));
    assert_int_equal(g.count, 16);
    mdf_gguf_close(&g);
}

static void another_alignment_moves_the_tensors(void **state)
{
    (void)state;
    mdf_gguf g;
    open_good(&g, GOLDEN "aligned.gguf");
    const mdf_gguf_tensor *t = mdf_gguf_find(&g, "w");
    float x[3];
    assert_true(mdf_dtype_to_floats(t->dtype, t->data, 3, x));
    assert_true(x[0] == 0 && x[1] == 1 && x[2] == 2);
    assert_int_equal((size_t)(t->data - g.map.data) % 128, 0);
    mdf_gguf_close(&g);
}

static void parts_are_found_beside_the_first(void **state)
{
    (void)state;
    mdf_error err = {0};
    mdf_gguf_files f;
    const char *first = GOLDEN "split-00001-of-00002.gguf";
    assert_int_equal(mdf_gguf_files_open(&f, &first, 1, &err), MDF_OK);
    assert_int_equal(f.files, 2);
    for (int i = 0; i < 3; i++) {
        const char name[2] = {(char)('a' + i), '\0'};
        const mdf_gguf *file = NULL;
        float x[2];
        const mdf_gguf_tensor *t = mdf_gguf_files_tensor(&f, name, &file);
        assert_non_null(t);
        assert_ptr_equal(file, &f.file[i / 2]);
        assert_true(mdf_dtype_to_floats(t->dtype, t->data, 2, x) && x[1] == (float)i);
    }
    assert_null(mdf_gguf_files_tensor(&f, "d", NULL));
    assert_non_null(mdf_gguf_files_value(&f, "general.architecture", NULL));
    assert_null(mdf_gguf_files_value(&f, "none", NULL));
    mdf_gguf_files_close(&f);
}

static void wrong_sets_of_files_are_refused(void **state)
{
    (void)state;
    mdf_error err = {0};
    mdf_gguf_files f;
    const char *second = GOLDEN "split-00002-of-00002.gguf";
    assert_int_equal(mdf_gguf_files_open(&f, &second, 1, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, GOLDEN "split-00002-of-00002.gguf: it is part 2 of 2: give the "
                                         "first part, whose name ends in \"-00001-of-00002.gguf\"");
    const char *twice[] = {GOLDEN "tiny.gguf", GOLDEN "aligned.gguf"};
    assert_int_equal(mdf_gguf_files_open(&f, twice, 2, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text,
                        GOLDEN "aligned.gguf: tensor \"q\" is in " GOLDEN "tiny.gguf, too");
    assert_null(f.file);
    const char *missing = GOLDEN "none.gguf";
    assert_int_equal(mdf_gguf_files_open(&f, &missing, 1, &err), MDF_ERR_IO);
}

/* --- every truncation, every bit of the header --- */

static void every_truncation_is_refused(void **state)
{
    (void)state;
    enum { NEEDED = 324 }; /* behind the last tensor is only padding */
    mdf_error err = {0};
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_int_equal(mdf_file_read(GOLDEN "tiny.gguf", 4096, &bytes, &len, &err), MDF_OK);
    for (size_t n = 0; n <= len; n++) {
        uint8_t *exact = malloc(n + (n == 0));
        assert_non_null(exact);
        memcpy(exact, bytes, n);
        mdf_gguf g;
        const mdf_status status = mdf_gguf_parse(&g, exact, n, "w.gguf", &err);
        if (n < NEEDED) {
            assert_int_equal(status, MDF_ERR_FORMAT);
            assert_non_null(strstr(err.text, "w.gguf: "));
            assert_null(g.tensor);
        } else {
            assert_int_equal(status, MDF_OK);
            mdf_gguf_close(&g);
        }
        free(exact);
    }
    mdf_free(bytes);
}

/* Whatever is accepted must be readable to its last byte. */
static void no_changed_byte_leads_out_of_the_file(void **state)
{
    (void)state;
    static const uint8_t values[] = {0, 1, 9, 0x7f, 0x80, 0xff};
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_int_equal(mdf_file_read(GOLDEN "tiny.gguf", 4096, &bytes, &len, NULL), MDF_OK);
    for (size_t at = 0; at < 0xe0; at++) {
        const uint8_t old = bytes[at];
        for (size_t k = 0; k < sizeof values; k++) {
            bytes[at] = values[k];
            mdf_gguf g;
            if (mdf_gguf_parse(&g, bytes, len, "w.gguf", NULL) != MDF_OK) {
                continue;
            }
            for (size_t i = 0; i < g.count; i++) {
                const size_t place = (size_t)(g.tensor[i].data - bytes);
                assert_true(place <= len && g.tensor[i].bytes <= len - place);
            }
            mdf_gguf_close(&g);
        }
        bytes[at] = old;
    }
    mdf_free(bytes);
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    mdf_error err = {0};
    for (long n = 1; n < 100; n++) {
        mdf_gguf_files f;
        const char *path = GOLDEN "split-00001-of-00002.gguf";
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_gguf_files_open(&f, &path, 1, &err);
        mdf_alloc_fail_after(0);
        if (status == MDF_OK) {
            assert_true(n > 3); /* the list, and each file its arena */
            mdf_gguf_files_close(&f);
            return;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
        assert_null(f.file);
    }
    fail();
}

/* --- headers made by hand --- */

typedef struct maker {
    uint8_t byte[2048];
    size_t len;
} maker;

static void put(maker *m, uint64_t x, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        m->byte[m->len++] = (uint8_t)(x >> (8 * i));
    }
}

static void put_text(maker *m, const char *s)
{
    put(m, strlen(s), 8);
    memcpy(m->byte + m->len, s, strlen(s));
    m->len += strlen(s);
}

static void begin(maker *m, uint64_t tensors, uint64_t values)
{
    *m = (maker){.len = 4};
    memcpy(m->byte, "GGUF", 4);
    put(m, 3, 4);
    put(m, tensors, 8);
    put(m, values, 8);
}

static void put_tensor(maker *m, const char *name, uint64_t cols, uint32_t type, uint64_t offset)
{
    put_text(m, name);
    put(m, 1, 4);
    put(m, cols, 8);
    put(m, type, 4);
    put(m, offset, 8);
}

/* Some numbers behind the header; then it must be refused with this sentence. */
static void expect(maker *m, size_t data_bytes, mdf_status code, const char *text)
{
    m->len = (m->len + 31) / 32 * 32 + data_bytes;
    uint8_t *exact = malloc(m->len);
    assert_non_null(exact);
    memcpy(exact, m->byte, m->len);
    mdf_gguf g;
    mdf_error err = {0};
    assert_int_equal(mdf_gguf_parse(&g, exact, m->len, "w.gguf", &err), code);
    assert_string_equal(err.text, text);
    assert_null(g.tensor);
    free(exact);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    maker m;
    begin(&m, 0, 0);
    m.byte[0] = 'g';
    expect(&m, 0, MDF_ERR_FORMAT, "w.gguf: not a GGUF file");
    begin(&m, 0, 0);
    m.byte[4] = 1;
    expect(&m, 0, MDF_ERR_FORMAT,
           "w.gguf: a GGUF file of version 1 is not supported, only 2 and 3");
    m.byte[4] = 0;
    m.byte[7] = 3;
    expect(&m, 0, MDF_ERR_FORMAT, "w.gguf: a GGUF file for big-endian machines is not supported");
}

static void counts_that_lie_are_refused(void **state)
{
    (void)state;
    maker m;
    begin(&m, 0, UINT64_MAX);
    expect(&m, 0, MDF_ERR_FORMAT, "w.gguf: 18446744073709551615 values do not fit into the file");
    begin(&m, UINT64_MAX / 8, 0);
    expect(&m, 0, MDF_ERR_FORMAT, "w.gguf: 2305843009213693951 tensors do not fit into the file");
    begin(&m, 1, 0);
    put(&m, UINT64_MAX, 8);
    expect(&m, 32, MDF_ERR_FORMAT,
           "w.gguf: cut off, or its header lies: 18446744073709551615 bytes are wanted at byte 32, "
           "but the file has 64");
}

static void values_that_lie_are_refused(void **state)
{
    (void)state;
    maker m;
    begin(&m, 0, 1);
    put_text(&m, "k");
    put(&m, 13, 4);
    expect(&m, 32, MDF_ERR_FORMAT, "w.gguf: \"k\": no type of values has number 13");
    begin(&m, 0, 1);
    put_text(&m, "k");
    put(&m, MDF_GGUF_BOOL, 4);
    put(&m, 2, 1);
    expect(&m, 0, MDF_ERR_FORMAT, "w.gguf: \"k\": 2 is neither true nor false");
    begin(&m, 0, 1); /* 2^61 numbers of 8 bytes are 0 bytes in 64 bits */
    put_text(&m, "k");
    put(&m, MDF_GGUF_ARRAY, 4);
    put(&m, MDF_GGUF_U64, 4);
    put(&m, UINT64_C(1) << 61, 8);
    expect(&m, 0, MDF_ERR_FORMAT,
           "w.gguf: cut off, or its header lies: 18446744073709551615 bytes are wanted at byte 49, "
           "but the file has 64");
    begin(&m, 0, 1);
    put_text(&m, "k");
    put(&m, MDF_GGUF_ARRAY, 4);
    for (int i = 0; i < 5; i++) {
        put(&m, MDF_GGUF_ARRAY, 4);
        put(&m, 1, 8);
    }
    expect(&m, 0, MDF_ERR_LIMIT, "w.gguf: \"k\": arrays nested more than 4 deep");
    begin(&m, 0, 2);
    for (int i = 0; i < 2; i++) {
        put_text(&m, "k");
        put(&m, MDF_GGUF_U8, 4);
        put(&m, 1, 1);
    }
    expect(&m, 0, MDF_ERR_FORMAT, "w.gguf: the key \"k\" is there twice");
    begin(&m, 0, 1);
    put_text(&m, "");
    expect(&m, 32, MDF_ERR_FORMAT, "w.gguf: a key is empty");
    begin(&m, 0, 1);
    put(&m, 3, 8);
    put(&m, 'a' | 'b' << 16, 3);
    expect(&m, 32, MDF_ERR_FORMAT, "w.gguf: a key is not text: it holds a zero byte");
}

static void a_bad_alignment_is_refused(void **state)
{
    (void)state;
    static const uint32_t bad[] = {0, 3, 48, 1 << 17};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        maker m;
        begin(&m, 0, 1);
        put_text(&m, "general.alignment");
        put(&m, MDF_GGUF_U32, 4);
        put(&m, bad[i], 4);
        expect(&m, 0, MDF_ERR_FORMAT,
               "w.gguf: \"general.alignment\" is not a power of two up to 65536");
    }
}

/* Names and numbers of the reference library's GGMLQuantizationType, and of those that ggml.h says
 * it had. */
static void number_formats_that_are_not_read_are_named(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        const char *name;
    } known[] = {
        {4, "Q4_2"},    {5, "Q4_3"},        {9, "Q8_1"},        {10, "Q2_K"},       {11, "Q3_K"},
        {15, "Q8_K"},   {16, "IQ2_XXS"},    {17, "IQ2_XS"},     {18, "IQ3_XXS"},    {19, "IQ1_S"},
        {20, "IQ4_NL"}, {21, "IQ3_S"},      {22, "IQ2_S"},      {23, "IQ4_XS"},     {25, "I16"},
        {29, "IQ1_M"},  {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"},   {33, "Q4_0_8_8"},   {34, "TQ1_0"},
        {35, "TQ2_0"},  {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}, {39, "MXFP4"},
        {40, "NVFP4"},  {41, "Q1_0"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        maker m;
        char text[128];
        begin(&m, 1, 0);
        put_tensor(&m, "t", 256, known[i].type, 0);
        (void)snprintf(text, sizeof text,
                       "w.gguf: tensor \"t\": numbers of type %s are not supported", known[i].name);
        expect(&m, 64, MDF_ERR_FORMAT, text);
    }
}

static void tensors_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t cols;
        uint32_t type;
        uint64_t offset;
        const char *text;
    } bad[] = {
        {0, 0, 0, "w.gguf: tensor \"t\": a dimension is 0"},
        {UINT64_MAX, 0, 0, "w.gguf: tensor \"t\": shape is impossibly large"},
        {UINT64_C(1) << 62, 0, 0, "w.gguf: tensor \"t\": shape is impossibly large"},
        {33, 8, 0,
         "w.gguf: tensor \"t\": rows of 33 numbers are no whole blocks of Q8_0, which have 32"},
        {32, 11, 0, "w.gguf: tensor \"t\": numbers of type Q3_K are not supported"},
        {32, 42, 0, "w.gguf: tensor \"t\": no known type of numbers is numbered 42"},
        {32, 1000, 0, "w.gguf: tensor \"t\": no known type of numbers is numbered 1000"},
        {4, 0, 8, "w.gguf: tensor \"t\": its place 8 is no multiple of the alignment 32"},
        {4, 0, 64,
         "w.gguf: tensor \"t\": its 16 bytes at 64 are not inside the file's 64: cut off?"},
        {17, 0, 0,
         "w.gguf: tensor \"t\": its 68 bytes at 0 are not inside the file's 64: cut off?"},
        {8, 0, UINT64_C(0xffffffffffffffe0),
         "w.gguf: tensor \"t\": its 32 bytes at 18446744073709551584 are not inside the file's 64: "
         "cut off?"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        maker m;
        begin(&m, 1, 0);
        put_tensor(&m, "t", bad[i].cols, bad[i].type, bad[i].offset);
        expect(&m, 64, MDF_ERR_FORMAT, bad[i].text);
    }
    maker m;
    begin(&m, 1, 0);
    put_text(&m, "t");
    put(&m, 7, 4);
    expect(&m, 64, MDF_ERR_LIMIT, "w.gguf: tensor \"t\": too many dimensions");
    begin(&m, 2, 0);
    put_tensor(&m, "a", 9, 0, 0);
    put_tensor(&m, "b", 8, 0, 32);
    expect(&m, 64, MDF_ERR_FORMAT, "w.gguf: tensor \"b\": its bytes overlap another tensor's");
    begin(&m, 2, 0);
    put_tensor(&m, "a", 8, 0, 0);
    put_tensor(&m, "a", 8, 0, 32);
    expect(&m, 64, MDF_ERR_FORMAT, "w.gguf: tensor \"a\": it is there twice");
    char name[300];
    memset(name, 'n', 256);
    name[256] = '\0';
    begin(&m, 1, 0);
    put_tensor(&m, name, 8, 0, 0);
    expect(&m, 64, MDF_ERR_LIMIT, "w.gguf: a tensor's name has 256 bytes, more than 255");
}

static void the_numbers_in_front_of_the_limits_pass(void **state)
{
    (void)state;
    maker m;
    begin(&m, 1, 1);
    put_text(&m, "k");
    put(&m, MDF_GGUF_ARRAY, 4);
    for (int i = 0; i < 3; i++) {
        put(&m, MDF_GGUF_ARRAY, 4);
        put(&m, 1, 8);
    }
    put(&m, MDF_GGUF_U8, 4);
    put(&m, 0, 8);
    char name[300];
    memset(name, 'n', 255);
    name[255] = '\0';
    put_tensor(&m, name, 16, 0, 0);
    mdf_gguf g;
    assert_int_equal(mdf_gguf_parse(&g, m.byte, (m.len + 31) / 32 * 32 + 64, "w.gguf", NULL),
                     MDF_OK);
    assert_int_equal(g.tensor[0].bytes, 64);
    assert_int_equal(g.value[0].type, MDF_GGUF_ARRAY);
    mdf_gguf_close(&g);
}

/* A file of 5 GiB with a hole in it: places need more than 32 bits. */
static void a_tensor_behind_4_gib_is_found(void **state)
{
    (void)state;
    const uint64_t hole = UINT64_C(5) << 30;
    maker m;
    begin(&m, 2, 0);
    put_tensor(&m, "hole", hole, 24, 0);
    put_tensor(&m, "t", 8, 0, hole);
    m.len = (m.len + 31) / 32 * 32;
    test_folder folder;
    char path[128];
    test_folder_make(&folder);
    if (!test_folder_has_holes(&folder)) {
        test_folder_remove(&folder);
        skip();
    }
    (void)snprintf(path, sizeof path, "%s/large.gguf", folder.path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(m.byte, 1, m.len, file), m.len);
    assert_int_equal(fseeko(file, (off_t)(m.len + hole), SEEK_SET), 0);
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_int_equal(fwrite(x, 1, sizeof x, file), sizeof x);
    assert_int_equal(fclose(file), 0);
    mdf_gguf g;
    open_good(&g, path);
    float y[8];
    const mdf_gguf_tensor *t = mdf_gguf_find(&g, "t");
    assert_true(mdf_dtype_to_floats(t->dtype, t->data, 8, y));
    assert_memory_equal(x, y, sizeof x);
    assert_true(mdf_gguf_find(&g, "hole")->bytes == hole);
    mdf_gguf_close(&g);
    assert_int_equal(truncate(path, (off_t)(m.len + hole + 31)), 0);
    mdf_error err = {0};
    assert_int_equal(mdf_gguf_open(&g, path, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "tensor \"t\": its 32 bytes at 5368709120 are not inside the "
                                     "file's 5368709151: cut off?"));
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type_are_read),
        cmocka_unit_test(a_value_of_another_kind_is_not_given),
        cmocka_unit_test(tensors_of_every_type_are_read),
        cmocka_unit_test(another_alignment_moves_the_tensors),
        cmocka_unit_test(parts_are_found_beside_the_first),
        cmocka_unit_test(wrong_sets_of_files_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(no_changed_byte_leads_out_of_the_file),
        cmocka_unit_test(out_of_memory_is_reported),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(counts_that_lie_are_refused),
        cmocka_unit_test(values_that_lie_are_refused),
        cmocka_unit_test(a_bad_alignment_is_refused),
        cmocka_unit_test(number_formats_that_are_not_read_are_named),
        cmocka_unit_test(tensors_that_lie_are_refused),
        cmocka_unit_test(the_numbers_in_front_of_the_limits_pass),
        cmocka_unit_test(a_tensor_behind_4_gib_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
