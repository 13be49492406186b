/* Files: whole or not at all, and a reason when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "base/file.h"
#include "support/folder.h"
#include "support/full_disk.h"
#include "support/resident.h"

static void join(char out[512], const test_folder *f, const char *name)
{
    (void)snprintf(out, 512, "%s/%s", f->path, name);
}

static size_t entries(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n - 2; /* . and .. */
}

static void expect_content(const char *path, const char *want)
{
    uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(mdf_file_read(path, 100, &data, &len, NULL), MDF_OK);
    assert_string_equal((const char *)data, want);
    assert_int_equal(len, strlen(want));
    mdf_free(data);
}

static void a_write_replaces_the_file(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    test_folder_make(&f);
    join(path, &f, "a.txt");
    assert_int_equal(mdf_file_write(path, "old", 3, NULL), MDF_OK);
    assert_int_equal(mdf_file_write(path, "new", 3, NULL), MDF_OK);
    expect_content(path, "new");
    assert_int_equal(mdf_file_write(path, NULL, 0, NULL), MDF_OK);
    expect_content(path, "");
    assert_int_equal(entries(f.path), 1);
    test_folder_remove(&f);
}

static void a_write_that_fails_leaves_what_was_there(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    char want[600];
    static uint8_t large[100000];
    mdf_error err = {0};
    test_folder_make(&f);
    join(path, &f, "a.txt");
    test_put(&f, "a.txt", "old");
    (void)snprintf(want, sizeof want, "%s: can't write: file too large", path);
    test_limit_size(50000);
    assert_int_equal(mdf_file_write(path, large, sizeof large, &err), MDF_ERR_IO);
    test_limit_size(0);
    assert_string_equal(err.text, want);
    expect_content(path, "old");
    assert_int_equal(entries(f.path), 1);
    test_folder_remove(&f);
}

/* The writer of a stream looks at nothing while it writes; commit has to know the reason. */
static void a_stream_that_failed_still_says_why(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    char want[600];
    mdf_file_writer w;
    mdf_error err = {0};
    test_folder_make(&f);
    join(path, &f, "a.txt");
    test_put(&f, "a.txt", "old");
    (void)snprintf(want, sizeof want, "%s: can't write: file too large", path);
    for (rlim_t limit = 49990; limit <= 50010; limit += 10) { /* at, before and behind a block */
        test_limit_size(limit);
        assert_int_equal(mdf_file_writer_open(&w, path, &err), MDF_OK);
        for (int i = 0; i < 100000; i++) {
            (void)fputc('x', w.stream);
        }
        assert_int_equal(mdf_file_writer_commit(&w, &err), MDF_ERR_IO);
        test_limit_size(0);
        assert_string_equal(err.text, want);
        expect_content(path, "old");
        assert_int_equal(entries(f.path), 1);
    }
    test_folder_remove(&f);
}

static void an_aborted_write_leaves_nothing(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    mdf_file_writer w;
    test_folder_make(&f);
    join(path, &f, "a.txt");
    assert_int_equal(mdf_file_writer_open(&w, path, NULL), MDF_OK);
    (void)fputs("half", w.stream);
    assert_int_equal(entries(f.path), 1);
    mdf_file_writer_abort(&w);
    assert_int_equal(entries(f.path), 0);
    mdf_file_writer_abort(&w); /* again is fine */
    test_folder_remove(&f);
}

static void expect_refusal(const char *path, mdf_status code, const char *rest)
{
    uint8_t *data = NULL;
    size_t len = 0;
    char want[600];
    mdf_error err = {0};
    (void)snprintf(want, sizeof want, "%s%s", path, rest);
    assert_int_equal(mdf_file_read(path, 4, &data, &len, &err), code);
    assert_string_equal(err.text, want);
    assert_null(data);
}

static void what_cannot_be_read_is_named_with_its_reason(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    test_folder_make(&f);
    test_put(&f, "a.txt", "12345");
    join(path, &f, "none");
    expect_refusal(path, MDF_ERR_IO, ": can't open: no such file or folder");
    join(path, &f, "a.txt/b");
    expect_refusal(path, MDF_ERR_IO, ": can't open: a part of the path is not a folder");
    join(path, &f, "a.txt");
    expect_refusal(path, MDF_ERR_LIMIT, ": 5 bytes, more than the limit of 4");
    expect_refusal(f.path, MDF_ERR_IO, ": can't read: it is a folder");
    expect_refusal("/dev/null", MDF_ERR_IO, ": can't read: not a regular file");
    test_folder_remove(&f);
}

static void a_map_shows_the_bytes_and_refuses_an_empty_file(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    char want[600];
    mdf_map m;
    mdf_error err = {0};
    test_folder_make(&f);
    test_put(&f, "a.txt", "12345");
    test_put(&f, "empty", "");
    join(path, &f, "a.txt");
    assert_int_equal(mdf_map_open(&m, path, &err), MDF_OK);
    assert_int_equal(m.len, 5);
    assert_memory_equal(m.data, "12345", 5);
    mdf_map_close(&m);
    join(path, &f, "empty");
    (void)snprintf(want, sizeof want, "%s: the file is empty", path);
    assert_int_equal(mdf_map_open(&m, path, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, want);
    test_folder_remove(&f);
}

static void bytes_of_a_map_leave_memory_and_come_back(void **state)
{
    (void)state;
    enum { SIZE = 32 << 20 };
    test_folder f;
    char path[512];
    mdf_map m;
    mdf_error err = {0};
    uint8_t *bytes = malloc(SIZE);
    assert_non_null(bytes);
    memset(bytes, 7, SIZE);
    test_folder_make(&f);
    join(path, &f, "long");
    assert_int_equal(mdf_file_write(path, bytes, SIZE, &err), MDF_OK);
    assert_int_equal(mdf_map_open(&m, path, &err), MDF_OK);
    assert_memory_equal(m.data, bytes, SIZE);
    const size_t before = resident_bytes();
    mdf_map_release(m.data + 1, 10); /* no whole page */
    mdf_map_release(m.data + 1, SIZE - 2);
    assert_true(resident_bytes() + SIZE / 2 < before);
    assert_memory_equal(m.data, bytes, SIZE);
    mdf_map_close(&m);
    free(bytes);
    test_folder_remove(&f);
}

static void folders_are_made_with_their_parents_but_not_through_a_file(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    char want[600];
    mdf_error err = {0};
    test_folder_make(&f);
    test_put(&f, "file", "");
    join(path, &f, "a/b//c/");
    assert_int_equal(mdf_make_dirs(path, &err), MDF_OK);
    assert_int_equal(mdf_make_dirs(path, &err), MDF_OK);
    assert_true(mdf_path_is_dir(path));
    join(path, &f, "file/b");
    (void)snprintf(want, sizeof want, "%s/file: can't make the folder: a file is in its way",
                   f.path);
    assert_int_equal(mdf_make_dirs(path, &err), MDF_ERR_IO);
    assert_string_equal(err.text, want);
    test_folder_remove(&f);
}

static void running_out_of_memory_is_reported_and_leaves_nothing(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    mdf_error err = {0};
    test_folder_make(&f);
    join(path, &f, "a.txt");
    for (int n = 1; n <= 2; n++) { /* the two names; more may be used to sync the folder */
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_file_write(path, "x", 1, &err);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
        assert_int_equal(entries(f.path), 0);
    }
    test_folder_remove(&f);
}

/* As Git LFS writes them; the last is a text about them. */
static void a_pointer_of_git_lfs_is_called_one(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    char want[700];
    uint8_t *data = NULL;
    size_t len = 0;
    mdf_map map = {0};
    mdf_error err = {0};
    test_folder_make(&f);
    join(path, &f, "model.safetensors");
    (void)snprintf(want, sizeof want,
                   "%s: it is a Git LFS pointer, not the file: git lfs pull fetches that", path);
    test_put(
        &f, "model.safetensors",
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e"
        "adbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n");
    assert_int_equal(mdf_file_read(path, 1000, &data, &len, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, want);
    err = (mdf_error){0};
    assert_int_equal(mdf_map_open(&map, path, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, want);
    assert_true(data == NULL && map.data == NULL);
    test_put(&f, "model.safetensors", "version https://git-lfs");
    expect_content(path, "version https://git-lfs");
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_replaces_the_file),
        cmocka_unit_test(a_write_that_fails_leaves_what_was_there),
        cmocka_unit_test(a_stream_that_failed_still_says_why),
        cmocka_unit_test(an_aborted_write_leaves_nothing),
        cmocka_unit_test(what_cannot_be_read_is_named_with_its_reason),
        cmocka_unit_test(a_map_shows_the_bytes_and_refuses_an_empty_file),
        cmocka_unit_test(a_pointer_of_git_lfs_is_called_one),
        cmocka_unit_test(bytes_of_a_map_leave_memory_and_come_back),
        cmocka_unit_test(folders_are_made_with_their_parents_but_not_through_a_file),
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaves_nothing),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
