/* Append-only rows: what is on disk after a kill and a resume. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/jsonl.h"
#include "support/folder.h"

static void put_step(mdf_jsonl *j, int step, double loss)
{
    json_t *row = json_pack("{s:i,s:f}", "step", step, "loss", loss);
    assert_int_equal(mdf_jsonl_write(j, row, NULL), MDF_OK);
    json_decref(row);
}

static void expect_steps(const char *path, const int *step, size_t count)
{
    json_t *rows = NULL;
    assert_int_equal(mdf_jsonl_read(&rows, path, NULL), MDF_OK);
    assert_int_equal(json_array_size(rows), count);
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);
        assert_int_equal(json_integer_value(json_object_get(row, "step")), step[i]);
    }
    json_decref(rows);
}

static void a_resume_cuts_what_it_will_repeat(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", f.path);
    mdf_jsonl j;
    assert_int_equal(mdf_jsonl_open(&j, path, -1, NULL), MDF_OK);
    for (int step = 1; step <= 4; step++) {
        put_step(&j, step, 0.5);
    }
    mdf_jsonl_close(&j);
    expect_steps(path, (const int[]){1, 2, 3, 4}, 4);
    assert_int_equal(mdf_jsonl_open(&j, path, 2, NULL), MDF_OK);
    put_step(&j, 3, 0.25);
    mdf_jsonl_close(&j);
    expect_steps(path, (const int[]){1, 2, 3}, 3);
    assert_int_equal(mdf_jsonl_open(&j, path, -1, NULL), MDF_OK);
    mdf_jsonl_close(&j);
    expect_steps(path, NULL, 0);
    test_folder_remove(&f);
}

static void a_broken_last_line_is_dropped_and_a_broken_row_is_named(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "m.jsonl", "{\"step\":1}\n{\"step\":2}\n{\"step\":3,\"lo");
    char path[128];
    (void)snprintf(path, sizeof path, "%s/m.jsonl", f.path);
    expect_steps(path, (const int[]){1, 2}, 2);
    mdf_jsonl j;
    assert_int_equal(mdf_jsonl_open(&j, path, 9, NULL), MDF_OK);
    put_step(&j, 3, 1);
    mdf_jsonl_close(&j);
    expect_steps(path, (const int[]){1, 2, 3}, 3);
    test_put(&f, "m.jsonl", "{\"step\":1}\nrubbish\n{\"step\":2}\n");
    json_t *rows = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_jsonl_read(&rows, path, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "m.jsonl: byte 11: not a row of JSON"));
    assert_null(rows);
    test_folder_remove(&f);
}

static void a_full_disk_is_reported(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    mdf_jsonl j = {.fd = -1};
    mdf_error err = {0};
    FILE *full = fopen("/dev/full", "wb");
    assert_non_null(full);
    j.fd = fileno(full);
    j.path = (char[]){"metrics.jsonl"};
    json_t *row = json_pack("{s:i}", "step", 1);
    assert_int_equal(mdf_jsonl_write(&j, row, &err), MDF_ERR_IO);
    assert_string_equal(err.text, "metrics.jsonl: can't write: the disk is full");
    json_decref(row);
    (void)fclose(full);
}

static void a_folder_that_is_not_there_is_reported(void **state)
{
    (void)state;
    mdf_jsonl j;
    mdf_error err = {0};
    assert_int_equal(mdf_jsonl_open(&j, "/nonexistent-folder/m.jsonl", -1, &err), MDF_ERR_IO);
    assert_string_equal(err.text, "/nonexistent-folder/m.jsonl: can't open the file for writing");
    mdf_jsonl_close(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resume_cuts_what_it_will_repeat),
        cmocka_unit_test(a_broken_last_line_is_dropped_and_a_broken_row_is_named),
        cmocka_unit_test(a_full_disk_is_reported),
        cmocka_unit_test(a_folder_that_is_not_there_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
