/* Files of the reference library: every number type and a model in shards; indexes that lie; 8-bit
 * storage. The numbers of tests/golden/safetensors follow from their places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "io/safetensors.h"
#include "support/folder.h"

#define GOLDEN MDF_TEST_DATA "/golden/safetensors/"

enum { COUNT = 15 };

static const mdf_st_tensor *get(const mdf_safetensors *st, const char *name, mdf_dtype dtype)
{
    const mdf_st_tensor *t = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_safetensors_get(st, name, 2, (int64_t[]){3, 5}, &t, &err), MDF_OK);
    assert_int_equal(t->dtype, dtype);
    assert_int_equal(t->count, COUNT);
    return t;
}

static void expect_halves(const mdf_safetensors *st, const char *name, mdf_dtype dtype)
{
    const mdf_st_tensor *t = get(st, name, dtype);
    float x[COUNT];
    double y[COUNT];
    int64_t n[COUNT];
    assert_int_equal(mdf_safetensors_floats(st, t, x, NULL), MDF_OK);
    assert_int_equal(mdf_safetensors_doubles(st, t, y, NULL), MDF_OK);
    for (int i = 0; i < COUNT; i++) { /* halves are exact in all four types */
        assert_true((double)x[i] == (i - 2) / 2.0 && y[i] == (i - 2) / 2.0);
    }
    assert_false(mdf_dtype_to_int64(t->dtype, t->data, t->count, n));
}

static void expect_whole(const mdf_safetensors *st, const char *name, mdf_dtype dtype)
{
    const mdf_st_tensor *t = get(st, name, dtype);
    int64_t n[COUNT];
    float x[COUNT];
    assert_true(mdf_dtype_to_int64(t->dtype, t->data, t->count, n));
    for (int i = 0; i < COUNT; i++) {
        const int plain = dtype == MDF_DTYPE_U8 ? i : i - 2;
        assert_int_equal(n[i], dtype == MDF_DTYPE_BOOL ? i % 2 : plain);
    }
    assert_int_equal(mdf_safetensors_floats(st, t, x, NULL), MDF_ERR_FORMAT);
}

static void every_number_type_of_the_reference_library_is_read(void **state)
{
    (void)state;
    mdf_safetensors st;
    mdf_error err = {0};
    assert_int_equal(mdf_safetensors_open(&st, GOLDEN "types.safetensors", &err), MDF_OK);
    assert_int_equal(st.count, 12);
    expect_halves(&st, "F64", MDF_DTYPE_F64);
    expect_halves(&st, "F32", MDF_DTYPE_F32);
    expect_halves(&st, "F16", MDF_DTYPE_F16);
    expect_halves(&st, "BF16", MDF_DTYPE_BF16);
    expect_whole(&st, "I64", MDF_DTYPE_I64);
    expect_whole(&st, "I32", MDF_DTYPE_I32);
    expect_whole(&st, "I8", MDF_DTYPE_I8);
    expect_whole(&st, "U8", MDF_DTYPE_U8);
    expect_whole(&st, "BOOL", MDF_DTYPE_BOOL);
    const mdf_st_tensor *one = mdf_safetensors_find(&st, "one number");
    float x = 0;
    assert_true(one != NULL && one->rank == 0 && one->count == 1);
    assert_int_equal(mdf_safetensors_floats(&st, one, &x, NULL), MDF_OK);
    assert_true(x == -1.0F);
    assert_int_equal(mdf_safetensors_find(&st, "none")->count, 0);
    assert_non_null(mdf_safetensors_find(&st, "a \"name\" \xC3\xA9"));
    assert_string_equal(mdf_safetensors_metadata(&st, "note"), "a \"b\"\n");
    mdf_safetensors_close(&st);
}

static void a_missing_tensor_and_a_wrong_shape_are_named(void **state)
{
    (void)state;
    mdf_safetensors st;
    const mdf_st_tensor *t = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_safetensors_open(&st, GOLDEN "types.safetensors", &err), MDF_OK);
    assert_int_equal(mdf_safetensors_get(&st, "F23", 2, (int64_t[]){3, 5}, &t, &err),
                     MDF_ERR_FORMAT);
    assert_string_equal(err.text, GOLDEN "types.safetensors: tensor \"F23\" is missing");
    assert_int_equal(mdf_safetensors_get(&st, "F32", 2, (int64_t[]){5, 3}, &t, &err),
                     MDF_ERR_SHAPE);
    assert_string_equal(err.text, GOLDEN "types.safetensors: tensor \"F32\" has shape [3, 5], but "
                                         "the model needs [5, 3]");
    assert_int_equal(mdf_safetensors_get(&st, "F32", 1, (int64_t[]){15}, &t, &err), MDF_ERR_SHAPE);
    assert_null(t);
    mdf_safetensors_close(&st);
}

static void expect_shards(const char *path)
{
    mdf_st_shards s;
    mdf_error err = {0};
    const mdf_safetensors *file = NULL;
    assert_int_equal(mdf_st_shards_open(&s, path, &err), MDF_OK);
    assert_int_equal(s.files, 2);
    assert_non_null(mdf_st_shards_find(&s, "F32", &file));
    expect_halves(file, "F32", MDF_DTYPE_F32);
    assert_non_null(mdf_st_shards_find(&s, "BF16", &file));
    expect_halves(file, "BF16", MDF_DTYPE_BF16);
    assert_null(mdf_st_shards_find(&s, "F64", NULL));
    mdf_st_shards_close(&s);
}

static void a_model_in_shards_is_opened_by_index_or_folder(void **state)
{
    (void)state;
    expect_shards(GOLDEN "model.safetensors.index.json");
    expect_shards(MDF_TEST_DATA "/golden/safetensors");
    mdf_st_shards s;
    assert_int_equal(mdf_st_shards_open(&s, GOLDEN "types.safetensors", NULL), MDF_OK);
    assert_int_equal(s.files, 1);
    mdf_st_shards_close(&s);
}

static void every_failed_allocation_of_shards_is_reported(void **state)
{
    (void)state;
    int failures = 0;
    mdf_st_shards s;
    for (long n = 1;; n++) {
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_st_shards_open(&s, MDF_TEST_DATA "/golden/safetensors", NULL);
        mdf_alloc_fail_after(0);
        if (status == MDF_OK) {
            break;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
        assert_true(s.file == NULL && s.files == 0);
        failures++;
    }
    assert_true(failures > 5);
    mdf_st_shards_close(&s);
}

/* Folder with one shard "m.safetensors" that holds "a" and "b". */
static void make_shard(const test_folder *f)
{
    static const float x[2] = {1, 2};
    const mdf_st_entry entry[] = {{"a", MDF_DTYPE_F32, 1, {2}, x, true},
                                  {"b", MDF_DTYPE_F32, 1, {2}, x, true}};
    char path[128];
    (void)snprintf(path, sizeof path, "%s/m.safetensors", f->path);
    assert_int_equal(mdf_safetensors_save(path, entry, 2, NULL, 0, NULL), MDF_OK);
}

static void indexes_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *index;
        mdf_status code;
        const char *part;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"m.safetensors\",\"b\":\"m.safetensors\"}}", MDF_OK, ""},
        {"{\"weight_map\":{\"a\":\"m.safetensors\"}}", MDF_ERR_FORMAT,
         "index.json names 1 tensors, but its files hold 2"},
        {"{\"weight_map\":{\"a\":\"m.safetensors\",\"c\":\"m.safetensors\"}}", MDF_ERR_FORMAT,
         "m.safetensors: tensor \"c\" is missing"},
        {"{\"weight_map\":{\"a\":\"../m.safetensors\"}}", MDF_ERR_FORMAT,
         "\"../m.safetensors\" is not the name of a shard"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", MDF_ERR_FORMAT, "is not the name of a shard"},
        {"{\"weight_map\":{\"a\":\"n.safetensors\"}}", MDF_ERR_IO, "n.safetensors: can't open"},
        {"{\"weight_map\":{\"a\":3}}", MDF_ERR_FORMAT, "weight_map \"a\" is not a file name"},
        {"{\"weight_map\":{}}", MDF_ERR_FORMAT, "weight_map is missing or empty"},
        {"[]", MDF_ERR_FORMAT, "weight_map is missing or empty"},
        {"{", MDF_ERR_FORMAT, "not valid JSON: line 1"},
    };
    test_folder f;
    char path[128];
    test_folder_make(&f);
    make_shard(&f);
    (void)snprintf(path, sizeof path, "%s/index.json", f.path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mdf_st_shards s;
        mdf_error err = {0};
        test_put(&f, "index.json", cases[i].index);
        assert_int_equal(mdf_st_shards_open(&s, path, &err), cases[i].code);
        assert_non_null(strstr(err.text, cases[i].part));
        if (cases[i].code == MDF_OK) {
            mdf_st_shards_close(&s);
        } else {
            assert_true(s.file == NULL && s.files == 0);
        }
    }
    test_folder_remove(&f);
}

enum { ROWS = 5, COLS = 37 };

static void eight_bit_rows_are_within_half_a_step(void **state)
{
    (void)state;
    float x[ROWS * COLS];
    int8_t q[ROWS * COLS];
    float scale[ROWS];
    mdf_rng r = mdf_rng_new(7, 1);
    for (int i = 0; i < ROWS * COLS; i++) {
        x[i] = i < COLS ? 0.0F : (float)(mdf_rng_normal(&r) * pow(10, i / COLS - 3));
    }
    mdf_int8_quantise(x, ROWS, COLS, q, scale);
    assert_true(scale[0] == 0.0F); /* the row of zeros */
    for (int row = 0; row < ROWS; row++) {
        int largest = 0;
        for (int i = row * COLS; i < (row + 1) * COLS; i++) {
            const double s = (double)scale[row];
            /* half a step, and float rounding of x / scale (up to 127 half units of 2^-24) */
            assert_true(fabs((double)x[i] - q[i] * s) <= s * (0.5 + 127 * 0x1p-24));
            largest = abs(q[i]) > largest ? abs(q[i]) : largest;
        }
        assert_int_equal(largest, row == 0 ? 0 : 127);
    }
}

static void eight_bit_tensors_are_read_with_their_scales(void **state)
{
    (void)state;
    static const int8_t q[6] = {-127, 0, 127, 1, -2, 3};
    static const float scale[2] = {0.5F, 0.25F};
    static const double want[6] = {-63.5, 0, 63.5, 0.25, -0.5, 0.75};
    const mdf_st_entry entry[] = {{"w", MDF_DTYPE_I8, 2, {2, 3}, q, false},
                                  {"w.scale", MDF_DTYPE_F32, 1, {2}, scale, false},
                                  {"v", MDF_DTYPE_I8, 2, {2, 3}, q, false},
                                  {"v.scale", MDF_DTYPE_F32, 1, {1}, scale, false},
                                  {"u.scale", MDF_DTYPE_F32, 1, {2}, scale, false}};
    test_folder f;
    char path[128];
    mdf_safetensors st;
    float x[6];
    double y[6];
    mdf_error err = {0};
    test_folder_make(&f);
    (void)snprintf(path, sizeof path, "%s/q.safetensors", f.path);
    assert_int_equal(mdf_safetensors_save(path, entry, 5, NULL, 0, NULL), MDF_OK);
    assert_int_equal(mdf_safetensors_open(&st, path, NULL), MDF_OK);
    const mdf_st_tensor *w = mdf_safetensors_find(&st, "w");
    assert_int_equal(mdf_safetensors_floats(&st, w, x, NULL), MDF_OK);
    assert_int_equal(mdf_safetensors_doubles(&st, w, y, NULL), MDF_OK);
    for (int i = 0; i < 6; i++) {
        assert_true((double)x[i] == want[i] && y[i] == want[i]);
    }
    const mdf_st_tensor *v = mdf_safetensors_find(&st, "v"); /* its scale has one row too few */
    assert_int_equal(mdf_safetensors_floats(&st, v, x, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "tensor \"v\" has type I8 and needs \"v.scale\""));
    assert_int_equal(mdf_safetensors_doubles(&st, v, y, NULL), MDF_ERR_FORMAT);
    assert_true(mdf_safetensors_is_scale(&st, mdf_safetensors_find(&st, "w.scale")));
    assert_false(mdf_safetensors_is_scale(&st, mdf_safetensors_find(&st, "v.scale")));
    assert_false(mdf_safetensors_is_scale(&st, mdf_safetensors_find(&st, "u.scale")));
    assert_false(mdf_safetensors_is_scale(&st, w));
    mdf_safetensors_close(&st);
    test_folder_remove(&f);
}

/* Every single-bit change of the length and of the header of a file is either refused or still
 * describes tensors inside it. */
static void a_flipped_bit_never_leads_outside(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int refused = 0;
    assert_int_equal(
        mdf_file_read(GOLDEN "model-00001-of-00002.safetensors", 1 << 20, &bytes, &len, NULL),
        MDF_OK);
    const size_t header = 8 + bytes[0] + 256 * (size_t)bytes[1];
    for (size_t bit = 0; bit < 8 * header; bit++) {
        mdf_safetensors st;
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        if (mdf_safetensors_parse(&st, bytes, len, "x", NULL) != MDF_OK) {
            refused++;
        } else {
            assert_true(bit >= 64); /* no other length fits this file */
            for (size_t i = 0; i < st.count; i++) {
                assert_true(st.tensor[i].data >= bytes + header);
                assert_true(st.tensor[i].data + st.tensor[i].bytes <= bytes + len);
            }
            mdf_safetensors_close(&st);
        }
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    assert_true(refused > 64);
    mdf_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_type_of_the_reference_library_is_read),
        cmocka_unit_test(a_missing_tensor_and_a_wrong_shape_are_named),
        cmocka_unit_test(a_model_in_shards_is_opened_by_index_or_folder),
        cmocka_unit_test(every_failed_allocation_of_shards_is_reported),
        cmocka_unit_test(indexes_that_lie_are_refused),
        cmocka_unit_test(eight_bit_rows_are_within_half_a_step),
        cmocka_unit_test(eight_bit_tensors_are_read_with_their_scales),
        cmocka_unit_test(a_flipped_bit_never_leads_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
