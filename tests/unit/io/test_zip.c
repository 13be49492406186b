/* zip: archives with and without 64-bit records, every truncation, and records that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "io/zip.h"
#include "support/zip.h"

/* Where numbers stand in a record of the directory, of an entry, and at the end. */
enum {
    FLAGS = 8,
    METHOD = 10,
    PACKED = 20,
    BYTES = 24,
    NAME_BYTES = 28,
    PLACE = 42,
    NAME = 46,
    LOCAL_METHOD = 8,
    LOCAL_EXTRA = 28,
    LOCAL_NAME = 30,
    END_HERE = 8,
    END_ENTRIES = 10,
    END_BYTES = 12,
    END_PLACE = 16,
    END_COMMENT = 20
};

static void two_entries(test_zip *z, bool wide)
{
    test_zip_begin(z);
    test_zip_add(z, "z/b", "xyz", 3, wide);
    test_zip_add(z, "z/a", "", 0, wide);
    test_zip_finish(z, wide);
}

/* In a block of exactly its size, so that a sanitizer sees a read past the end. */
static mdf_status parse(mdf_zip *z, const char *data, size_t len, mdf_error *err)
{
    static uint8_t *exact;
    free(exact);
    exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, data, len);
    return mdf_zip_parse(z, exact, len, "a.zip", err);
}

static void check_two(const test_zip *t)
{
    mdf_zip z;
    mdf_error err = {0};
    if (parse(&z, t->out.data, t->out.len, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(z.count, 2);
    assert_string_equal(z.first, "z/b");
    assert_string_equal(z.entry[0].name, "z/a");
    const mdf_zip_entry *e = mdf_zip_find(&z, "z/b");
    assert_non_null(e);
    assert_int_equal(e->bytes, 3);
    assert_memory_equal(e->data, "xyz", 3);
    assert_int_equal(mdf_zip_check_stored(e, "a.zip", NULL), MDF_OK);
    assert_int_equal(mdf_zip_find(&z, "z/a")->bytes, 0);
    assert_null(mdf_zip_find(&z, "z/"));
    mdf_zip_close(&z);
}

static void entries_are_found(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        test_zip t;
        two_entries(&t, wide == 1);
        check_two(&t);
        test_zip_set(&t, t.end + END_COMMENT, 3, 2); /* with a comment */
        mdf_strbuf_puts(&t.out, "PK\5");
        check_two(&t);
        test_zip_free(&t);
    }
}

static void an_empty_archive_has_no_entries(void **state)
{
    (void)state;
    test_zip t;
    mdf_zip z;
    test_zip_begin(&t);
    test_zip_finish(&t, false);
    assert_int_equal(parse(&z, t.out.data, t.out.len, NULL), MDF_OK);
    assert_int_equal(z.count, 0);
    assert_null(z.first);
    assert_null(mdf_zip_find(&z, "a"));
    mdf_zip_close(&z);
    test_zip_free(&t);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        test_zip t;
        two_entries(&t, wide == 1);
        for (size_t n = 0; n < t.out.len; n++) {
            mdf_zip z;
            mdf_error err = {0};
            assert_int_equal(parse(&z, t.out.data, n, &err), MDF_ERR_FORMAT);
            assert_string_equal(err.text, "a.zip: a zip archive whose end is missing: cut off?");
            assert_null(z.entry);
        }
        test_zip_free(&t);
    }
}

/* The archive of two entries with one number changed. */
static void expect_refused(bool wide, size_t test_zip_place, size_t at, uint64_t x, size_t bytes,
                           const char *text)
{
    test_zip t;
    mdf_zip z;
    mdf_error err = {0};
    two_entries(&t, wide);
    size_t where = 0;
    memcpy(&where, (const char *)&t + test_zip_place, sizeof where);
    test_zip_set(&t, where + at, x, bytes);
    const mdf_status status = parse(&z, t.out.data, t.out.len, &err);
    if (status == MDF_OK) {
        fail_msg("accepted, but wanted: %s", text);
    }
    assert_string_equal(err.text, text);
    assert_null(z.entry);
    test_zip_free(&t);
}

#define LOCAL0   offsetof(test_zip, local[0])
#define LOCAL1   offsetof(test_zip, local[1])
#define CENTRAL0 offsetof(test_zip, central[0])
#define CENTRAL1 offsetof(test_zip, central[1])
#define END64    offsetof(test_zip, end64)
#define LOCATOR  offsetof(test_zip, locator)
#define END      offsetof(test_zip, end)

static void end_records_that_lie_are_refused(void **state)
{
    (void)state;
    static const char parts[] = "a.zip: a zip archive in several parts is not supported";
    static const char twice[] = "a.zip: the zip archive's end records contradict each other";
    static const char lost[] =
        "a.zip: the zip archive's 64-bit end record is not where it should be";
    static const char outside[] =
        "a.zip: the zip archive's directory is not inside the file: cut off?";
    static const char many[] =
        "a.zip: the zip archive names more entries than its directory can hold";
    expect_refused(false, END, 4, 1, 2, parts);
    expect_refused(false, END, 6, 1, 2, parts);
    expect_refused(false, END, END_HERE, 1, 2, parts);
    expect_refused(false, END, END_HERE, 0x00030003, 4, many);
    expect_refused(false, END, END_BYTES, 99, 4, outside);
    expect_refused(false, END, END_BYTES, 10, 4, many);
    expect_refused(false, END, END_PLACE, UINT32_MAX, 4, outside);
    expect_refused(false, END, END_PLACE, 1, 4, "a.zip: the zip archive's directory is broken");
    expect_refused(true, LOCATOR, 4, 1, 4, parts);
    expect_refused(true, LOCATOR, 16, 2, 4, parts);
    expect_refused(true, LOCATOR, 8, UINT64_MAX, 8, lost);
    expect_refused(true, LOCATOR, 8, 0, 8, lost);
    expect_refused(true, END64, 16, 1, 4, parts);
    expect_refused(true, END64, 20, 1, 4, parts);
    expect_refused(true, END64, 24, 3, 8, twice);
    expect_refused(true, END64, 40, UINT64_MAX, 8, outside);
    expect_refused(true, END64, 48, UINT64_MAX - 1, 8, outside);
    expect_refused(true, END, END_ENTRIES - 2, 0x00010001, 4, twice);
    expect_refused(true, END, END_BYTES, 5, 4, twice);
    expect_refused(true, END, END_PLACE, 5, 4, twice);
    expect_refused(true, LOCATOR, 0, 0, 4, outside); /* no locator: the numbers are all ones */
}

static void entries_that_lie_are_refused(void **state)
{
    (void)state;
    static const char broken[] = "a.zip: the zip archive's directory is broken";
    static const char place[] = "a.zip: entry \"z/b\" is not where the directory says";
    static const char past[] = "a.zip: entry \"z/b\" runs past the end of the archive's data";
    static const char two[] = "a.zip: entry \"z/b\" is described in two ways";
    expect_refused(false, CENTRAL0, 0, 0, 4, broken);
    expect_refused(false, CENTRAL1, NAME_BYTES, 60000, 2, broken);
    expect_refused(false, CENTRAL0, NAME_BYTES, 0, 2,
                   "a.zip: an entry of the zip archive has no proper name");
    expect_refused(false, CENTRAL0, NAME, 0, 1,
                   "a.zip: an entry of the zip archive has no proper name");
    expect_refused(false, CENTRAL0, FLAGS, 1, 2, "a.zip: entry \"z/b\" is encrypted");
    expect_refused(false, CENTRAL0, PLACE, 1, 4, place);
    expect_refused(false, CENTRAL0, PLACE, 0x7fffffff, 4, place);
    expect_refused(false, LOCAL0, 0, 0, 1, place);
    expect_refused(false, LOCAL0, LOCAL_EXTRA, 60000, 2, past);
    expect_refused(false, CENTRAL0, PACKED, 60000, 4, past);
    expect_refused(false, CENTRAL0, BYTES, 4, 4, two);
    expect_refused(false, CENTRAL0, METHOD, 8, 2, two);
    expect_refused(false, LOCAL0, LOCAL_METHOD, 8, 2, two);
    expect_refused(false, LOCAL0, LOCAL_NAME, 'y', 1,
                   "a.zip: entry \"z/b\" has another name in its own header");
    expect_refused(false, CENTRAL1, NAME + 2, 'b', 1,
                   "a.zip: entry \"z/b\" has another name in its own header");
    expect_refused(true, CENTRAL0, NAME + 7, 2, 2, "a.zip: entry \"z/b\" lacks a 64-bit size");
    expect_refused(true, CENTRAL0, NAME + 9, 16, 2, "a.zip: entry \"z/b\" lacks a 64-bit size");
    expect_refused(true, CENTRAL0, NAME + 9, 60000, 2, "a.zip: entry \"z/b\" lacks a 64-bit size");
    expect_refused(true, CENTRAL0, NAME + 11, UINT64_MAX, 8, two);
    expect_refused(true, CENTRAL0, NAME + 19, UINT64_MAX, 8, past);
    expect_refused(true, CENTRAL0, NAME + 27, UINT64_MAX, 8, place);
}

static void entries_must_not_meet(void **state)
{
    (void)state;
    mdf_zip z;
    mdf_error err = {0};
    test_zip t;
    two_entries(&t, false); /* the second now reaches into the first's place */
    test_zip_set(&t, t.central[0] + PACKED, 4, 4);
    test_zip_set(&t, t.central[0] + BYTES, 4, 4);
    assert_int_equal(parse(&z, t.out.data, t.out.len, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "a.zip: entry \"z/a\" overlaps another one");
    test_zip_free(&t);
    two_entries(&t, false);
    test_zip_set(&t, t.central[1] + NAME + 2, 'b', 1);
    test_zip_set(&t, t.local[1] + LOCAL_NAME + 2, 'b', 1);
    assert_int_equal(parse(&z, t.out.data, t.out.len, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "a.zip: entry \"z/b\" is there twice");
    test_zip_free(&t);
}

static void a_compressed_entry_is_refused_by_its_name(void **state)
{
    (void)state;
    mdf_zip z;
    mdf_error err = {0};
    test_zip t;
    two_entries(&t, false);
    test_zip_set(&t, t.central[0] + METHOD, 8, 2);
    test_zip_set(&t, t.central[0] + BYTES, 70, 4);
    test_zip_set(&t, t.local[0] + LOCAL_METHOD, 8, 2);
    assert_int_equal(parse(&z, t.out.data, t.out.len, &err), MDF_OK);
    assert_int_equal(mdf_zip_check_stored(mdf_zip_find(&z, "z/b"), "a.zip", &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "a.zip: entry \"z/b\" is compressed (method 8): only stored "
                                  "ones, as torch.save writes them, can be read");
    mdf_zip_close(&z);
    test_zip_free(&t);
}

static void one_entry_above_the_limit_is_refused(void **state)
{
    (void)state;
    enum { CENTRAL = 46 };
    mdf_zip z;
    mdf_error err = {0};
    test_zip t;
    test_zip_begin(&t);
    for (size_t i = 0; i <= MDF_MAX_ZIP_ENTRIES; i++) {
        static const char zeros[CENTRAL];
        mdf_strbuf_add(&t.out, zeros, CENTRAL);
    }
    const size_t begin = t.out.len;
    test_zip_finish(&t, true);
    assert_int_equal(t.end64, begin);
    test_zip_set(&t, t.end64 + 48, 0, 8); /* all that stands before is the directory */
    test_zip_set(&t, t.end64 + 40, begin, 8);
    for (size_t over = 0; over < 2; over++) {
        test_zip_set(&t, t.end64 + 24, MDF_MAX_ZIP_ENTRIES + over, 8);
        test_zip_set(&t, t.end64 + 32, MDF_MAX_ZIP_ENTRIES + over, 8);
        assert_int_equal(parse(&z, t.out.data, t.out.len, &err),
                         over == 1 ? MDF_ERR_LIMIT : MDF_ERR_FORMAT);
        assert_string_equal(err.text, over == 1
                                          ? "a.zip: 200001 entries, more than the limit of 200000"
                                          : "a.zip: the zip archive's directory is broken");
    }
    test_zip_free(&t);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    test_zip t;
    two_entries(&t, true);
    mdf_zip z;
    long n = 0;
    mdf_status status = MDF_ERR_NOMEM;
    while (status == MDF_ERR_NOMEM) {
        mdf_alloc_fail_after(++n);
        status = mdf_zip_parse(&z, t.out.data, t.out.len, "a.zip", NULL);
        mdf_alloc_fail_after(0);
        assert_true((status == MDF_OK) == (z.entry != NULL));
    }
    assert_int_equal(status, MDF_OK);
    assert_true(n > 1);
    mdf_zip_close(&z);
    test_zip_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_found),
        cmocka_unit_test(an_empty_archive_has_no_entries),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(end_records_that_lie_are_refused),
        cmocka_unit_test(entries_that_lie_are_refused),
        cmocka_unit_test(entries_must_not_meet),
        cmocka_unit_test(a_compressed_entry_is_refused_by_its_name),
        cmocka_unit_test(one_entry_above_the_limit_is_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
