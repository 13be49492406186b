/* safetensors: round trips, a file of the reference library, and headers that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "io/safetensors.h"
#include "support/folder.h"

/* A file in memory: header and data_bytes bytes 0, 1, 2, ... behind it, in a block of exactly its
 * size. */
static uint8_t *make(const char *header, size_t data_bytes, size_t *len)
{
    const size_t n = strlen(header);
    uint8_t *p = calloc(1, 8 + n + data_bytes);
    assert_non_null(p);
    for (size_t i = 0; i < 8; i++) {
        p[i] = (uint8_t)(n >> (8 * i));
    }
    memcpy(p + 8, header, n);
    for (size_t i = 0; i < data_bytes; i++) {
        p[8 + n + i] = (uint8_t)i;
    }
    *len = 8 + n + data_bytes;
    return p;
}

static void expect_refused(const char *header, size_t data_bytes, mdf_status code, const char *text)
{
    size_t len = 0;
    uint8_t *p = make(header, data_bytes, &len);
    mdf_safetensors st = {0};
    mdf_error err = {0};
    assert_int_equal(mdf_safetensors_parse(&st, p, len, "w.st", &err), code);
    assert_string_equal(err.text, text);
    assert_null(st.tensor);
    free(p);
}

#define ONE(dtype, shape, offsets)                                                                 \
    "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void a_tensor_is_found_with_its_shape_and_bytes(void **state)
{
    (void)state;
    size_t len = 0;
    uint8_t *p = make("{\"__metadata__\":{\"format\":\"pt\"},"
                      "\"z\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},"
                      "\"e\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[1,1]},"
                      "\"a.b\":{\"dtype\":\"BF16\",\"shape\":[2,1],\"data_offsets\":[1,5]}}",
                      5, &len);
    mdf_safetensors st = {0};
    assert_int_equal(mdf_safetensors_parse(&st, p, len, "w.st", NULL), MDF_OK);
    assert_int_equal(st.count, 3);
    assert_string_equal(st.tensor[0].name, "a.b");
    assert_string_equal(st.tensor[2].name, "z");
    const mdf_st_tensor *t = mdf_safetensors_find(&st, "a.b");
    assert_non_null(t);
    assert_int_equal(t->dtype, MDF_DTYPE_BF16);
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->dim[0], 2);
    assert_int_equal(t->dim[1], 1);
    assert_int_equal(t->bytes, 4);
    assert_ptr_equal(t->data, p + len - 4);
    assert_int_equal(mdf_safetensors_find(&st, "z")->rank, 0);
    assert_int_equal(mdf_safetensors_find(&st, "z")->count, 1);
    assert_int_equal(mdf_safetensors_find(&st, "e")->count, 0);
    assert_null(mdf_safetensors_find(&st, "y"));
    assert_null(mdf_safetensors_find(&st, "__metadata__"));
    assert_string_equal(mdf_safetensors_metadata(&st, "format"), "pt");
    assert_null(mdf_safetensors_metadata(&st, "z"));
    mdf_safetensors_close(&st);
    free(p);
}

static void shapes_that_lie_are_refused(void **state)
{
    (void)state;
    expect_refused(ONE("F32", "[3]", "[0,8]"), 8, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": its shape needs 12 bytes, but it has 8");
    expect_refused(ONE("F32", "[1]", "[0,8]"), 8, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": its shape needs 4 bytes, but it has 8");
    /* 2^32 * 2^32 * 4 bytes is 0 in 64 bits */
    expect_refused(ONE("F32", "[4294967296,4294967296]", "[0,0]"), 0, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": shape is impossibly large");
    /* 2^62 * 4 bytes is 0 in 64 bits */
    expect_refused(ONE("F32", "[4611686018427387904]", "[0,0]"), 0, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": shape is impossibly large");
    expect_refused(ONE("F32", "[-1]", "[0,4]"), 4, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": shape has an item that is not a count");
    expect_refused(ONE("F32", "[1.0]", "[0,4]"), 4, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": shape has an item that is not a count");
    expect_refused(ONE("F32", "[1,1,1,1,1,1,1]", "[0,4]"), 4, MDF_ERR_LIMIT,
                   "w.st: tensor \"a\": too many dimensions");
    expect_refused(ONE("F32", "4", "[0,4]"), 4, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": shape is not a list");
}

static void offsets_that_lie_are_refused(void **state)
{
    (void)state;
    expect_refused(ONE("U8", "[4]", "[1,5]"), 4, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": bytes 1 to 5 are not inside the file's 4");
    expect_refused(ONE("U8", "[1]", "[9223372036854775806,9223372036854775807]"), 4, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": bytes 9223372036854775806 to 9223372036854775807 are "
                   "not inside the file's 4");
    expect_refused(ONE("U8", "[4]", "[4,0]"), 4, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": bytes 4 to 0 are not inside the file's 4");
    expect_refused(ONE("U8", "[4]", "[-4,0]"), 4, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": bytes -4 to 0 are not inside the file's 4");
    static const char *const bad[] = {ONE("U8", "[4]", "[0]"), ONE("U8", "[4]", "[0,4,4]"),
                                      ONE("U8", "[4]", "[0,\"4\"]"), ONE("U8", "[4]", "4")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_refused(bad[i], 4, MDF_ERR_FORMAT,
                       "w.st: tensor \"a\": data_offsets is not [begin, end]");
    }
}

#define TWO(a, na, b, nb)                                                                          \
    "{\"x\":{\"dtype\":\"U8\",\"shape\":[" na "],\"data_offsets\":" a "},"                         \
    "\"y\":{\"dtype\":\"U8\",\"shape\":[" nb "],\"data_offsets\":" b "}}"

static void tensors_that_share_bytes_are_refused(void **state)
{
    (void)state;
    expect_refused(TWO("[0,4]", "4", "[3,8]", "5"), 8, MDF_ERR_FORMAT,
                   "w.st: tensor \"y\": its bytes overlap another tensor's");
    expect_refused(TWO("[2,4]", "2", "[0,8]", "8"), 8, MDF_ERR_FORMAT,
                   "w.st: tensor \"x\": its bytes overlap another tensor's");
    size_t len = 0;
    uint8_t *p = make(TWO("[4,8]", "4", "[0,4]", "4"), 8, &len);
    mdf_safetensors st = {0};
    assert_int_equal(mdf_safetensors_parse(&st, p, len, "w.st", NULL), MDF_OK);
    mdf_safetensors_close(&st);
    free(p);
}

static void bytes_of_no_tensor_are_refused(void **state)
{
    (void)state;
    expect_refused(TWO("[0,4]", "4", "[5,8]", "3"), 8, MDF_ERR_FORMAT,
                   "w.st: tensor \"y\": unused bytes stand before it");
    expect_refused(TWO("[0,4]", "4", "[4,8]", "4"), 9, MDF_ERR_FORMAT,
                   "w.st: 1 bytes at the end belong to no tensor");
}

static void headers_that_are_no_headers_are_refused(void **state)
{
    (void)state;
    expect_refused("[]", 0, MDF_ERR_FORMAT, "w.st: the header does not begin with \"{\"");
    expect_refused("{\"a\":1}", 0, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": its entry is not {dtype, shape, data_offsets}");
    expect_refused(ONE("F33", "[1]", "[0,4]"), 4, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": numbers of type \"F33\" are not supported");
    expect_refused("{\"a\":{}}", 4, MDF_ERR_FORMAT,
                   "w.st: tensor \"a\": its entry is not {dtype, shape, data_offsets}");
    expect_refused("{\"__metadata__\":{\"a\":1}}", 0, MDF_ERR_FORMAT,
                   "w.st: __metadata__ \"a\" is not a string");
    expect_refused("{\"__metadata__\":[]}", 0, MDF_ERR_FORMAT,
                   "w.st: __metadata__ is not an object");
    static const char *const no_json[] = {"{]", "{}x", "{\"a\":1,\"a\":1}", "{\"\xFF\":1}"};
    for (size_t i = 0; i < sizeof no_json / sizeof *no_json; i++) {
        size_t len = 0;
        uint8_t *p = make(no_json[i], 0, &len);
        mdf_safetensors st = {0};
        mdf_error err = {0};
        assert_int_equal(mdf_safetensors_parse(&st, p, len, "w.st", &err), MDF_ERR_FORMAT);
        assert_non_null(strstr(err.text, "w.st: the header is not valid JSON: "));
        free(p);
    }
    mdf_safetensors st = {0};
    mdf_error err = {0};
    uint8_t past[9] = {2, 0, 0, 0, 0, 0, 0, 0, '{'};
    assert_int_equal(mdf_safetensors_parse(&st, past, sizeof past, "w.st", &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "w.st: not a safetensors file, or cut off: the header's 2 bytes "
                                  "run past the end");
    memset(past, 0xFF, 8);
    assert_int_equal(mdf_safetensors_parse(&st, past, sizeof past, "w.st", &err), MDF_ERR_FORMAT);
    assert_int_equal(mdf_safetensors_parse(&st, past, 7, "w.st", &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "w.st: 7 bytes are too few for a safetensors file");
}

static void every_floating_point_dtype_becomes_floats(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        size_t width;
        uint8_t bytes[8]; /* -2 */
    } cases[] = {
        {"F32", 4, {0, 0, 0, 0xC0}},
        {"F16", 2, {0, 0xC0}},
        {"BF16", 2, {0, 0xC0}},
        {"F64", 8, {0, 0, 0, 0, 0, 0, 0, 0xC0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[128];
        size_t len = 0;
        float out[2] = {9, 9};
        (void)snprintf(header, sizeof header,
                       "{\"a\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,%zu]}}",
                       cases[i].dtype, cases[i].width);
        uint8_t *p = make(header, cases[i].width, &len);
        memcpy(p + len - cases[i].width, cases[i].bytes, cases[i].width);
        mdf_safetensors st = {0};
        assert_int_equal(mdf_safetensors_parse(&st, p, len, "w.st", NULL), MDF_OK);
        assert_int_equal(mdf_safetensors_floats(&st, &st.tensor[0], out, NULL), MDF_OK);
        assert_true(out[0] == -2.0F);
        assert_true(out[1] == 9.0F);
        mdf_safetensors_close(&st);
        free(p);
    }
    size_t len = 0;
    uint8_t *p = make(ONE("U8", "[1]", "[0,1]"), 1, &len);
    mdf_safetensors st = {0};
    mdf_error err = {0};
    float out = 0;
    assert_int_equal(mdf_safetensors_parse(&st, p, len, "w.st", NULL), MDF_OK);
    assert_int_equal(mdf_safetensors_floats(&st, &st.tensor[0], &out, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text,
                        "w.st: tensor \"a\" has type U8, but floating-point numbers are needed");
    mdf_safetensors_close(&st);
    free(p);
}

static const float floats[] = {1.0F, -0.5F, 65504.0F, 3.14159274F, 1e-8F, 0.0F};
static const int64_t longs[] = {INT64_MIN, -1, INT64_MAX};
static const uint8_t bytes[] = {0, 200, 255};
static const mdf_st_entry items[] = {
    {"half", MDF_DTYPE_F16, 2, {2, 3}, floats, true},
    {"u8", MDF_DTYPE_U8, 1, {3}, bytes, false},
    {"bf", MDF_DTYPE_BF16, 2, {3, 2}, floats, true},
    {"i64", MDF_DTYPE_I64, 2, {1, 3}, longs, false},
    {"f32", MDF_DTYPE_F32, 3, {1, 2, 3}, floats, true},
    {"one", MDF_DTYPE_F32, 0, {0}, floats, true},
    {"none \"\xC3\xA9\"", MDF_DTYPE_F32, 2, {0, 4}, NULL, false},
};
enum { ITEMS = sizeof items / sizeof *items };
static const mdf_st_pair pairs[] = {{"format", "pt"}, {"note", "line\n\"two\""}};

/* Writes the items above to folder/name and reads the file back. */
static uint8_t *written(const test_folder *f, size_t *len)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/w.safetensors", f->path);
    mdf_error err = {0};
    uint8_t *data = NULL;
    assert_int_equal(mdf_safetensors_save(path, items, ITEMS, pairs, 2, &err), MDF_OK);
    assert_int_equal(mdf_file_read(path, 1 << 20, &data, len, &err), MDF_OK);
    return data;
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    size_t len = 0;
    uint8_t *data = written(&f, &len);
    mdf_safetensors st = {0};
    assert_int_equal(mdf_safetensors_parse(&st, data, len, "w.st", NULL), MDF_OK);
    assert_int_equal((8 + data[0] + 256 * data[1]) % 64, 0); /* where the numbers begin */
    assert_int_equal(st.count, ITEMS);
    assert_string_equal(mdf_safetensors_metadata(&st, "note"), "line\n\"two\"");
    for (size_t i = 0; i < ITEMS; i++) {
        const mdf_st_tensor *t = mdf_safetensors_find(&st, items[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, items[i].dtype);
        assert_int_equal(t->rank, items[i].rank);
        assert_memory_equal(t->dim, items[i].dim, sizeof t->dim);
    }
    assert_memory_equal(mdf_safetensors_find(&st, "f32")->data, floats, sizeof floats);
    assert_memory_equal(mdf_safetensors_find(&st, "i64")->data, longs, sizeof longs);
    assert_memory_equal(mdf_safetensors_find(&st, "u8")->data, bytes, sizeof bytes);
    float out[6];
    assert_int_equal(mdf_safetensors_floats(&st, mdf_safetensors_find(&st, "half"), out, NULL),
                     MDF_OK);
    assert_true(out[0] == 1.0F && out[1] == -0.5F && out[2] == 65504.0F);
    assert_true(out[3] == 3.140625F); /* 1608 / 512: F16 has steps of 1/512 there */
    assert_true(out[4] == 0.0F);      /* below half of 2^-24 */
    assert_int_equal(mdf_safetensors_floats(&st, mdf_safetensors_find(&st, "bf"), out, NULL),
                     MDF_OK);
    assert_true(out[2] == 65536.0F);  /* steps of 256 there */
    assert_true(out[3] == 3.140625F); /* 201 / 64 */
    mdf_safetensors_close(&st);
    mdf_free(data);
    test_folder_remove(&f);
}

static void a_tensor_of_several_chunks_is_written_whole(void **state)
{
    (void)state;
    enum { N = 5000 };
    float *x = mdf_alloc(N, sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < N; i++) {
        x[i] = (float)i;
    }
    test_folder f;
    test_folder_make(&f);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/w.safetensors", f.path);
    const mdf_st_entry item = {"x", MDF_DTYPE_F32, 1, {N}, x, true};
    mdf_map map = {0};
    mdf_safetensors st = {0};
    assert_int_equal(mdf_safetensors_save(path, &item, 1, NULL, 0, NULL), MDF_OK);
    assert_int_equal(mdf_map_open(&map, path, NULL), MDF_OK);
    assert_int_equal(mdf_safetensors_parse(&st, map.data, map.len, path, NULL), MDF_OK);
    assert_int_equal(st.tensor[0].bytes, N * sizeof *x);
    assert_memory_equal(st.tensor[0].data, x, N * sizeof *x);
    mdf_safetensors_close(&st);
    mdf_map_close(&map);
    mdf_free(x);
    test_folder_remove(&f);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    size_t len = 0;
    uint8_t *data = written(&f, &len);
    for (size_t n = 0; n < len; n++) {
        uint8_t *copy = malloc(n == 0 ? 1 : n); /* so that a sanitizer sees a read past the end */
        assert_non_null(copy);
        memcpy(copy, data, n);
        mdf_safetensors st = {0};
        assert_int_equal(mdf_safetensors_parse(&st, copy, n, "w.st", NULL), MDF_ERR_FORMAT);
        assert_null(st.tensor);
        free(copy);
    }
    mdf_free(data);
    test_folder_remove(&f);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    size_t len = 0;
    uint8_t *data = written(&f, &len);
    mdf_safetensors st = {0};
    long n = 0;
    mdf_status status = MDF_ERR_NOMEM;
    while (status == MDF_ERR_NOMEM) {
        mdf_alloc_fail_after(++n);
        status = mdf_safetensors_parse(&st, data, len, "w.st", NULL);
        mdf_alloc_fail_after(0);
        assert_true((status == MDF_OK) == (st.tensor != NULL));
    }
    assert_int_equal(status, MDF_OK);
    assert_true(n > 1); /* at least one has failed */
    mdf_safetensors_close(&st);
    mdf_free(data);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/new.safetensors", f.path);
    for (n = 0, status = MDF_ERR_NOMEM; status == MDF_ERR_NOMEM;) {
        mdf_alloc_fail_after(++n);
        status = mdf_safetensors_save(path, items, ITEMS, pairs, 2, NULL);
        mdf_alloc_fail_after(0);
        assert_true((status == MDF_OK) == mdf_path_exists(path));
    }
    assert_int_equal(status, MDF_OK);
    assert_true(n > 3); /* the order of the entries and the writer's two paths */
    test_folder_remove(&f);
}

static void expect_unwritable(const mdf_st_entry *item, size_t count, mdf_status code,
                              const char *text)
{
    test_folder f;
    test_folder_make(&f);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/w", f.path);
    mdf_error err = {0};
    assert_int_equal(mdf_safetensors_save(path, item, count, NULL, 0, &err), code);
    assert_memory_equal(err.text, path, strlen(path));
    assert_string_equal(err.text + strlen(path), text);
    assert_false(mdf_path_exists(path));
    test_folder_remove(&f);
}

static void what_no_reader_would_accept_is_not_written(void **state)
{
    (void)state;
    const mdf_st_entry twice[] = {{"a", MDF_DTYPE_U8, 1, {3}, bytes, false},
                                  {"a", MDF_DTYPE_U8, 1, {3}, bytes, false}};
    const mdf_st_entry reserved = {"__metadata__", MDF_DTYPE_U8, 1, {3}, bytes, false};
    const mdf_st_entry f64 = {"a", MDF_DTYPE_F64, 1, {3}, floats, true};
    const mdf_st_entry rank = {"a",   MDF_DTYPE_U8, MDF_MAX_RANK + 1, {1, 1, 1, 1, 1, 1},
                               bytes, false};
    const mdf_st_entry negative = {"a", MDF_DTYPE_U8, 2, {0, -1}, bytes, false};
    const float large = 65520.0F; /* rounds to 65536, which F16 does not have */
    const mdf_st_entry half = {"a", MDF_DTYPE_F16, 0, {0}, &large, true};
    expect_unwritable(twice, 2, MDF_ERR_ARG, ": two tensors are named \"a\"");
    expect_unwritable(&reserved, 1, MDF_ERR_ARG, ": \"__metadata__\" can't be a tensor's name");
    expect_unwritable(&f64, 1, MDF_ERR_ARG, ": tensor \"a\": floats can't be written as F64");
    expect_unwritable(&rank, 1, MDF_ERR_LIMIT, ": tensor \"a\" has 7 dimensions");
    expect_unwritable(&negative, 1, MDF_ERR_ARG, ": tensor \"a\" has a negative size");
    expect_unwritable(&half, 1, MDF_ERR_NUMERIC,
                      ": tensor \"a\" has 65520, which half precision can't hold");
}

/* Written by the reference library in Python: y = x w' + b. */
static void a_file_of_the_reference_library_is_read(void **state)
{
    (void)state;
    static const char path[] = MDF_TEST_DATA "/golden/ops/linear.safetensors";
    mdf_map map = {0};
    mdf_safetensors st = {0};
    mdf_error err = {0};
    assert_int_equal(mdf_map_open(&map, path, &err), MDF_OK);
    assert_int_equal(mdf_safetensors_parse(&st, map.data, map.len, path, &err), MDF_OK);
    const mdf_st_tensor *t = mdf_safetensors_find(&st, "bias.x");
    assert_non_null(t);
    assert_int_equal(t->dtype, MDF_DTYPE_F32);
    assert_int_equal(t->rank, 3);
    assert_int_equal(t->dim[0], 2);
    assert_int_equal(t->dim[1], 3);
    assert_int_equal(t->dim[2], 5);
    float x[30];
    float w[20];
    float b[4];
    float y[24];
    assert_int_equal(mdf_safetensors_floats(&st, t, x, &err), MDF_OK);
    assert_int_equal(mdf_safetensors_floats(&st, mdf_safetensors_find(&st, "bias.w"), w, &err),
                     MDF_OK);
    assert_int_equal(mdf_safetensors_floats(&st, mdf_safetensors_find(&st, "bias.b"), b, &err),
                     MDF_OK);
    assert_int_equal(mdf_safetensors_floats(&st, mdf_safetensors_find(&st, "bias.y"), y, &err),
                     MDF_OK);
    for (int i = 0; i < 24; i++) {
        double sum = (double)b[i % 4];
        double size = 1 + (sum < 0 ? -sum : sum);
        for (int j = 0; j < 5; j++) {
            const double part = (double)x[i / 4 * 5 + j] * (double)w[i % 4 * 5 + j];
            sum += part;
            size += part < 0 ? -part : part;
        }
        /* six roundings of 2^-24 of at most the sum of the magnitudes */
        assert_true(sum - (double)y[i] < 6 * size / 16777216);
        assert_true((double)y[i] - sum < 6 * size / 16777216);
    }
    mdf_safetensors_close(&st);
    mdf_map_close(&map);
}

/* A file of 5 GiB with a hole in it: places need more than 32 bits. */
static void a_tensor_behind_4_gib_is_found(void **state)
{
    (void)state;
    const uint64_t hole = UINT64_C(5) << 30;
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    float y[8];
    char header[512];
    char path[128];
    uint8_t length[8] = {0};
    test_folder folder;
    mdf_safetensors st;
    mdf_error err = {0};
    test_folder_make(&folder);
    if (!test_folder_has_holes(&folder)) {
        test_folder_remove(&folder);
        skip();
    }
    (void)snprintf(path, sizeof path, "%s/large.safetensors", folder.path);
    const int n =
        snprintf(header, sizeof header,
                 "{\"hole\":{\"dtype\":\"U8\",\"shape\":[%llu],\"data_offsets\":[0,%llu]},"
                 "\"t\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[%llu,%llu]}}",
                 (unsigned long long)hole, (unsigned long long)hole, (unsigned long long)hole,
                 (unsigned long long)hole + sizeof x);
    assert_true(n > 0 && n < 256);
    length[0] = (uint8_t)n;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(length, 1, sizeof length, file), sizeof length);
    assert_int_equal(fwrite(header, 1, (size_t)n, file), (size_t)n);
    assert_int_equal(fseeko(file, (off_t)(8 + (uint64_t)n + hole), SEEK_SET), 0);
    assert_int_equal(fwrite(x, 1, sizeof x, file), sizeof x);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(mdf_safetensors_open(&st, path, &err), MDF_OK);
    const mdf_st_tensor *t = mdf_safetensors_find(&st, "t");
    assert_non_null(t);
    assert_int_equal(mdf_safetensors_floats(&st, t, y, &err), MDF_OK);
    assert_memory_equal(x, y, sizeof x);
    assert_true(mdf_safetensors_find(&st, "hole")->bytes == hole);
    mdf_safetensors_close(&st);
    assert_int_equal(truncate(path, (off_t)(8 + (uint64_t)n + hole + 31)), 0);
    assert_int_equal(mdf_safetensors_open(&st, path, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "/large.safetensors: tensor \"t\""));
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tensor_is_found_with_its_shape_and_bytes),
        cmocka_unit_test(shapes_that_lie_are_refused),
        cmocka_unit_test(offsets_that_lie_are_refused),
        cmocka_unit_test(tensors_that_share_bytes_are_refused),
        cmocka_unit_test(bytes_of_no_tensor_are_refused),
        cmocka_unit_test(headers_that_are_no_headers_are_refused),
        cmocka_unit_test(every_floating_point_dtype_becomes_floats),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(a_tensor_of_several_chunks_is_written_whole),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(what_no_reader_would_accept_is_not_written),
        cmocka_unit_test(a_file_of_the_reference_library_is_read),
        cmocka_unit_test(a_tensor_behind_4_gib_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
