/* Models written piece by piece, in shards, with quantised tensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "io/safetensors_stream.h"
#include "support/folder.h"

static const mdf_st_entry plan[] = {
    {.name = "q", .dtype = MDF_DTYPE_Q4_0, .rank = 2, .dim = {3, 64}},
    {.name = "empty", .dtype = MDF_DTYPE_F32, .rank = 2, .dim = {0, 4}},
    {.name = "norm", .dtype = MDF_DTYPE_F32, .rank = 1, .dim = {5}},
    {.name = "big", .dtype = MDF_DTYPE_BF16, .rank = 2, .dim = {40, 2}},
    {.name = "last", .dtype = MDF_DTYPE_Q8_0, .rank = 2, .dim = {1, 32}},
};
enum { ENTRIES = sizeof plan / sizeof plan[0] };

/* Bytes of a tensor: its number in the plan, then counting. */
static uint8_t byte_of(size_t entry, size_t i)
{
    return (uint8_t)(16 * entry + i);
}

static size_t bytes_of(const mdf_st_entry *e)
{
    static const size_t bytes[ENTRIES] = {3 * 36, 0, 20, 160, 34};
    return bytes[e - plan];
}

/* All but the last tensor's last byte, three bytes at a time. */
static mdf_st_writer begin(const test_folder *f, size_t shard_bytes, bool all)
{
    mdf_st_writer w;
    const mdf_st_pair meta = {"format", "pt"};
    assert_int_equal(mdf_st_writer_open(&w, f->path, plan, ENTRIES, &meta, 1, shard_bytes, NULL),
                     MDF_OK);
    assert_int_equal(w.total_bytes, 322);
    const mdf_st_entry *e = NULL;
    size_t pieces = 0;
    while ((e = mdf_st_writer_entry(&w)) != NULL && (all || pieces < 20)) {
        for (size_t at = 0; at < bytes_of(e); at += 3, pieces++) {
            uint8_t piece[3];
            const size_t n = bytes_of(e) - at < 3 ? bytes_of(e) - at : 3;
            for (size_t i = 0; i < n; i++) {
                piece[i] = byte_of((size_t)(e - plan), at + i);
            }
            assert_int_equal(mdf_st_writer_put(&w, piece, n, NULL), MDF_OK);
        }
    }
    return w;
}

static void expect_tensors(const char *path, size_t files)
{
    mdf_st_shards s;
    mdf_error err = {0};
    assert_int_equal(mdf_st_shards_open(&s, path, &err), MDF_OK);
    assert_int_equal(s.files, files);
    for (size_t k = 0; k < ENTRIES; k++) {
        const mdf_st_tensor *t = mdf_st_shards_find(&s, plan[k].name, NULL);
        assert_non_null(t);
        assert_int_equal(t->dtype, plan[k].dtype);
        assert_int_equal(t->rank, plan[k].rank);
        assert_memory_equal(t->dim, plan[k].dim, sizeof t->dim);
        assert_int_equal(t->bytes, bytes_of(&plan[k]));
        for (size_t i = 0; i < t->bytes; i++) {
            assert_int_equal(t->data[i], byte_of(k, i));
        }
    }
    assert_string_equal(mdf_safetensors_metadata(&s.file[0], "format"), "pt");
    mdf_st_shards_close(&s);
}

static void one_file_and_shards_hold_the_same(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    mdf_st_writer w = begin(&f, 1000, true);
    assert_int_equal(mdf_st_writer_commit(&w, NULL), MDF_OK);
    expect_tensors(f.path, 1);
    test_folder_remove(&f);
    test_folder_make(&f);
    w = begin(&f, 130, true); /* q + empty + norm; big alone, larger than a shard; last */
    assert_int_equal(w.shards, 3);
    assert_int_equal(mdf_st_writer_commit(&w, NULL), MDF_OK);
    expect_tensors(f.path, 3);
    test_folder_remove(&f);
}

static void what_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    mdf_st_writer w = begin(&f, 130, false);
    mdf_st_writer_abort(&w);
    mdf_st_writer_abort(&w);
    assert_int_equal(rmdir(f.path), 0); /* empty */
}

/* Somebody has taken the index's name: the shards that have their names already lose them again. */
static void shards_without_an_index_do_not_stay(void **state)
{
    (void)state;
    test_folder f;
    char index[128];
    mdf_error err = {0};
    test_folder_make(&f);
    mdf_st_writer w = begin(&f, 130, true);
    (void)snprintf(index, sizeof index, "%s/model.safetensors.index.json", f.path);
    assert_int_equal(mkdir(index, 0755), 0);
    assert_int_equal(mdf_st_writer_commit(&w, &err), MDF_ERR_IO);
    assert_non_null(strstr(err.text, "index.json: can't replace: it is a folder"));
    assert_int_equal(rmdir(index), 0);
    assert_int_equal(rmdir(f.path), 0); /* empty */
}

static void what_cannot_be_written_is_refused(void **state)
{
    (void)state;
    mdf_st_writer w;
    mdf_error err = {0};
    mdf_st_entry e[2] = {plan[0], plan[0]};
    assert_int_equal(mdf_st_writer_open(&w, "/tmp", e, 2, NULL, 0, 100, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "/tmp: two tensors are named \"q\"");
    e[0].dim[1] = 63;
    assert_int_equal(mdf_st_writer_open(&w, "/tmp", e, 1, NULL, 0, 100, &err), MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "/tmp: tensor \"q\": Q4_0 needs rows of a multiple of 32 numbers");
    assert_int_equal(mdf_st_writer_open(&w, "/tmp", e, 0, NULL, 0, 100, &err), MDF_ERR_LIMIT);
    assert_int_equal(mdf_st_writer_open(&w, "/tmp/no/such", plan, 1, NULL, 0, 100, &err),
                     MDF_ERR_IO);
}

/* A header of one U8 tensor [2, n] and a type for it. */
static void expect_type(const char *metadata, const char *shape, size_t bytes, const char *sentence)
{
    char header[512];
    uint8_t file[1024] = {0};
    const int n = snprintf(header, sizeof header,
                           "{\"__metadata__\":{%s},\"t\":{\"dtype\":\"U8\",\"shape\":%s,"
                           "\"data_offsets\":[0,%zu]}}",
                           metadata, shape, bytes);
    assert_true(n > 0 && (size_t)n + 8 + bytes <= sizeof file);
    file[0] = (uint8_t)n;
    file[1] = (uint8_t)(n >> 8);
    memcpy(file + 8, header, (size_t)n);
    mdf_safetensors st;
    mdf_error err = {0};
    assert_int_equal(mdf_safetensors_parse(&st, file, (size_t)n + 8 + bytes, "f", &err),
                     MDF_ERR_FORMAT);
    assert_string_equal(err.text, sentence);
}

static void types_that_lie_are_refused(void **state)
{
    (void)state;
    expect_type("\"mdf.dtype.u\":\"Q4_0\"", "[2,18]", 36,
                "f: __metadata__ gives \"u\" the type Q4_0, but there is no such tensor");
    expect_type("\"mdf.dtype.t\":\"Q9\"", "[2,18]", 36,
                "f: tensor \"t\": __metadata__ gives it the type \"Q9\", which is not known");
    expect_type("\"mdf.dtype.t\":\"I32\"", "[2,18]", 36,
                "f: tensor \"t\": __metadata__ gives it the type \"I32\", which is not known");
    expect_type("\"mdf.dtype.t\":\"Q4_0\"", "[2,17]", 34,
                "f: tensor \"t\": type Q4_0 needs U8 of shape [rows, bytes], bytes a multiple of "
                "18");
    expect_type("\"mdf.dtype.t\":\"Q4_0\"", "[35]", 35,
                "f: tensor \"t\": type Q4_0 needs U8 of shape [rows, bytes], bytes a multiple of "
                "18");
    expect_type("\"mdf.dtype.t\":\"Q4_0\"", "[0,9223372036854775806]", 0,
                "f: tensor \"t\": type Q4_0 needs U8 of shape [rows, bytes], bytes a multiple of "
                "18");
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    for (long n = 1; n < 1000; n++) {
        mdf_st_writer w;
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_st_writer_open(&w, f.path, plan, ENTRIES, NULL, 0, 130, NULL);
        mdf_alloc_fail_after(0);
        if (status == MDF_OK) {
            assert_true(n > 3);
            mdf_st_writer_abort(&w);
            break;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
    assert_int_equal(rmdir(f.path), 0); /* no file stayed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_file_and_shards_hold_the_same),
        cmocka_unit_test(what_is_given_up_leaves_nothing),
        cmocka_unit_test(shards_without_an_index_do_not_stay),
        cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(types_that_lie_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("io/safetensors_stream", tests, NULL, NULL);
}
