/* The CSV reader against RFC 4180 and against broken tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "io/csv.h"

static mdf_status parse(mdf_csv *t, const char *s, mdf_error *err)
{
    return mdf_csv_parse(t, "metadata.csv", (const uint8_t *)s, strlen(s), err);
}

static void expect_error(const char *s, mdf_status code, const char *text)
{
    mdf_csv t;
    mdf_error err = {0};
    assert_int_equal(parse(&t, s, &err), code);
    assert_string_equal(err.text, text);
    assert_null(t.cell);
    assert_int_equal(t.row_count, 0);
}

static void quotes_commas_and_line_breaks_stay_in_the_field(void **state)
{
    (void)state;
    mdf_csv t;
    assert_int_equal(parse(&t, "a,b\r\n\"x,\"\"y\"\"\",\"one\ntwo\"\r\n\r\n,z", NULL), MDF_OK);
    assert_int_equal(t.column_count, 2);
    assert_int_equal(t.row_count, 2);
    assert_string_equal(t.header[0], "a");
    assert_string_equal(mdf_csv_cell(&t, 0, 0), "x,\"y\"");
    assert_string_equal(mdf_csv_cell(&t, 0, 1), "one\ntwo");
    assert_string_equal(mdf_csv_cell(&t, 1, 0), "");
    assert_string_equal(mdf_csv_cell(&t, 1, 1), "z");
    assert_int_equal(t.line[0], 2);
    assert_int_equal(t.line[1], 5); /* the first row took two lines and an empty one follows */
    mdf_csv_free(&t);
}

static void a_byte_order_mark_is_not_part_of_the_first_name(void **state)
{
    (void)state;
    mdf_csv t;
    assert_int_equal(parse(&t, "\xEF\xBB\xBF\"file_name\",text\na,\xC3\xA9\n", NULL), MDF_OK);
    assert_int_equal(mdf_csv_column(&t, "file_name"), 0);
    assert_int_equal(mdf_csv_column(&t, "text"), 1);
    assert_int_equal(mdf_csv_column(&t, "label"), -1);
    assert_string_equal(mdf_csv_cell(&t, 0, 1), "\xC3\xA9");
    mdf_csv_free(&t);
}

static void a_trailing_comma_is_an_empty_last_field(void **state)
{
    (void)state;
    mdf_csv t;
    assert_int_equal(parse(&t, "a,b\n1,", NULL), MDF_OK);
    assert_string_equal(mdf_csv_cell(&t, 0, 1), "");
    mdf_csv_free(&t);
}

static void errors_name_the_line(void **state)
{
    (void)state;
    expect_error("a,b\n1,2\n\"3,4\n5,6\n", MDF_ERR_FORMAT,
                 "metadata.csv line 3: a quoted field is not closed");
    expect_error("a,b\n1,2\n3\n", MDF_ERR_FORMAT,
                 "metadata.csv line 3: 1 fields, but the header has 2");
    expect_error("a,b\n\"1\"x,2\n", MDF_ERR_FORMAT,
                 "metadata.csv line 2: text follows the closing quote of a field");
    expect_error("a,b\n1,2\"\n", MDF_ERR_FORMAT,
                 "metadata.csv line 2: a quote stands inside an unquoted field");
    expect_error("a,b\n1,\xE9t\xE9\n", MDF_ERR_FORMAT,
                 "metadata.csv line 2: the text is not UTF-8 (Latin-1 or another old encoding?); "
                 "save it as UTF-8");
    expect_error("", MDF_ERR_FORMAT, "metadata.csv: the table is empty, not even a header");
    expect_error("\n\r\n", MDF_ERR_FORMAT, "metadata.csv: the table is empty, not even a header");
}

static void a_zero_byte_is_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {'a', '\n', 'b', 0, '\n'};
    mdf_csv t;
    mdf_error err = {0};
    assert_int_equal(mdf_csv_parse(&t, "t.csv", bytes, sizeof bytes, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "t.csv line 2: a zero byte stands in the text");
    assert_int_equal(err.offset, 3);
}

static void the_column_limit_holds_at_n_and_n_plus_one(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        char text[MDF_CSV_MAX_COLUMNS + 3];
        const size_t commas = MDF_CSV_MAX_COLUMNS - 1 + extra;
        memset(text, ',', commas);
        text[commas] = 'z'; /* without it the record would be blank */
        text[commas + 1] = '\0';
        mdf_csv t;
        assert_int_equal(parse(&t, text, NULL), extra == 0 ? MDF_OK : MDF_ERR_LIMIT);
        mdf_csv_free(&t);
    }
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    static const char *const header[] = {"a", "b", "c"};
    static const char *const row[] = {"x \"y\"", "", "1,\r\n2"};
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    mdf_csv_write_row(stream, header, 3);
    mdf_csv_write_row(stream, row, 3);
    assert_int_equal(fclose(stream), 0);
    mdf_csv t;
    assert_int_equal(parse(&t, text, NULL), MDF_OK);
    assert_int_equal(t.row_count, 1);
    for (size_t c = 0; c < 3; c++) {
        assert_string_equal(mdf_csv_cell(&t, 0, c), row[c]);
    }
    mdf_csv_free(&t);
    free(text);
}

static void semicolons_and_tabs_separate_when_the_header_has_no_comma(void **state)
{
    (void)state;
    static const char *const same[] = {
        "a;b\r\n1,5;\"x;y\"\r\n",      "a\tb\n1,5\tx;y\n",
        "sep=;\r\na;b\r\n1,5;\"x;y\"", "\xEF\xBB\xBFSEP=|\na|b\n1,5|x;y\n",
        "a,b\n\"1,5\",x;y\n",          "sep=,\na,b\n\"1,5\",x;y\n",
        "\"a\";b\n1,5;\"x;y\"\n",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        mdf_csv t;
        assert_int_equal(parse(&t, same[i], NULL), MDF_OK);
        assert_int_equal(t.column_count, 2);
        assert_int_equal(t.row_count, 1);
        assert_string_equal(t.header[0], "a");
        assert_string_equal(t.header[1], "b");
        assert_string_equal(mdf_csv_cell(&t, 0, 0), "1,5");
        assert_string_equal(mdf_csv_cell(&t, 0, 1), "x;y");
        mdf_csv_free(&t);
    }
    mdf_csv t;
    assert_int_equal(parse(&t, "a,b;c\n1,2\n", NULL), MDF_OK); /* a comma decides */
    assert_string_equal(t.header[1], "b;c");
    mdf_csv_free(&t);
    assert_int_equal(parse(&t, "\"a,x\";b\n1;2\n", NULL), MDF_OK); /* not one in quotes */
    assert_string_equal(t.header[0], "a,x");
    mdf_csv_free(&t);
    assert_int_equal(parse(&t, "sep=;;\n1;2;3\n", NULL), MDF_OK); /* a header like any other */
    assert_string_equal(t.header[0], "sep=");
    mdf_csv_free(&t);
}

static void blank_rows_are_skipped_and_counted(void **state)
{
    (void)state;
    mdf_csv t;
    assert_int_equal(
        parse(&t, " \n,\na,b\n,\n1,2\n   \n\n\"\",\"\t\"\n,,,,\n\xC2\xA0,\n,\xC2\xA1\n", NULL),
        MDF_OK);
    assert_string_equal(t.header[0], "a");
    assert_int_equal(t.row_count, 2);
    assert_int_equal(t.blank_rows, 5); /* the two above the header are no rows */
    assert_int_equal(t.line[0], 5);
    assert_int_equal(t.line[1], 11);
    assert_string_equal(mdf_csv_cell(&t, 1, 1), "\xC2\xA1"); /* not the no-break space */
    mdf_csv_free(&t);
    expect_error("a,b\n1,2\n,\"\n", MDF_ERR_FORMAT,
                 "metadata.csv line 3: a quoted field is not closed");
    expect_error("a,b\n , ,x\n", MDF_ERR_FORMAT,
                 "metadata.csv line 2: 3 fields, but the header has 2");
}

static void another_encoding_is_named(void **state)
{
    (void)state;
    static const char little[] = "\xFF\xFE"
                                 "a\0,\0b\0\n";
    static const char big[] = "\xFE\xFF\0a\0,\0b\0\n";
    const char *const text[] = {little, big, little + 2, big + 2};
    for (size_t i = 0; i < 4; i++) {
        mdf_csv t;
        mdf_error err = {0};
        assert_int_equal(mdf_csv_parse(&t, "t.csv", (const uint8_t *)text[i], 8, &err),
                         MDF_ERR_FORMAT);
        assert_string_equal(err.text, "t.csv: the text is UTF-16; save it as UTF-8");
    }
}

static void what_would_read_back_otherwise_is_quoted(void **state)
{
    (void)state;
    static const char *const header[] = {"a;b", "sep=", "\tx"};
    for (size_t i = 0; i < 3; i++) {
        char *text = NULL;
        size_t len = 0;
        FILE *stream = open_memstream(&text, &len);
        assert_non_null(stream);
        const char *const two[] = {header[i], ""};
        mdf_csv_write_row(stream, two, i == 1 ? 2 : 1);
        assert_int_equal(fclose(stream), 0);
        mdf_csv t;
        assert_int_equal(parse(&t, text, NULL), MDF_OK);
        assert_int_equal(t.column_count, i == 1 ? 2 : 1);
        assert_string_equal(t.header[0], header[i]);
        mdf_csv_free(&t);
        free(text);
    }
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    for (long n = 1; n < 3; n++) {
        mdf_csv t;
        mdf_alloc_fail_after(n);
        const mdf_status status = parse(&t, "a\nb\n", NULL);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, n == 1 ? MDF_ERR_NOMEM : MDF_OK);
        mdf_csv_free(&t);
    }
}

/* Boundaries from the Unicode standard, table 3-7. */
static void utf8_is_checked_to_the_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t valid;
    } rows[] = {{"abc", 3},
                {"\xC2\x80", 2},
                {"\xC1\xBF", 0},
                {"\xE0\x9F\xBF", 0},
                {"\xE0\xA0\x80", 3},
                {"\xED\xA0\x80", 0},
                {"\xEF\xBF\xBF", 3},
                {"\xF0\x8F\xBF\xBF", 0},
                {"\xF4\x8F\xBF\xBF", 4},
                {"\xF4\x90\x80\x80", 0},
                {"a\xE2\x82", 1},
                {"a\x80", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(mdf_utf8_check((const uint8_t *)rows[i].text, strlen(rows[i].text)),
                         rows[i].valid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_commas_and_line_breaks_stay_in_the_field),
        cmocka_unit_test(a_byte_order_mark_is_not_part_of_the_first_name),
        cmocka_unit_test(a_trailing_comma_is_an_empty_last_field),
        cmocka_unit_test(errors_name_the_line),
        cmocka_unit_test(a_zero_byte_is_refused),
        cmocka_unit_test(the_column_limit_holds_at_n_and_n_plus_one),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(semicolons_and_tabs_separate_when_the_header_has_no_comma),
        cmocka_unit_test(blank_rows_are_skipped_and_counted),
        cmocka_unit_test(another_encoding_is_named),
        cmocka_unit_test(what_would_read_back_otherwise_is_quoted),
        cmocka_unit_test(running_out_of_memory_is_reported),
        cmocka_unit_test(utf8_is_checked_to_the_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
