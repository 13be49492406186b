/* Labels that are one in two spellings, and several labels in a cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "unit/data/notes.h"

static void labels_and_splits_that_are_alike_are_named(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "metadata.csv",
             "file_name,label,split\na.jpg,Normal,fold 1\na.jpg,normal,fold_1\na.jpg,mild dr,x\n"
             "a.jpg,Mild-DR,x\na.jpg,mild_dr,x\na.jpg,dr,x\n");
    mdf_manifest m;
    load_well(&m, &f);
    static const char *const want[] = {
        ": the labels 'Mild-DR' and 'mild dr' differ only by capitals, blanks or hyphens",
        ": the labels 'Mild-DR' and 'mild_dr' differ only by capitals, blanks or hyphens",
        ": the labels 'Normal' and 'normal' differ only by capitals, blanks or hyphens",
        ": the labels 'mild dr' and 'mild_dr' differ only by capitals, blanks or hyphens",
        ": the splits 'fold 1' and 'fold_1' differ only by capitals, blanks or hyphens"};
    assert_int_equal(m.note_count, 5);
    for (size_t i = 0; i < 5; i++) {
        expect_note(&m, &f, i, MDF_NOTE_ALWAYS, want[i]);
    }
    mdf_error err = {0};
    assert_int_equal(mdf_manifest_distinct_labels(&m, false, &err), MDF_ERR_ARG);
    assert_string_equal(behind(&f, err.text),
                        ": the labels 'Mild-DR' and 'mild dr' differ only by capitals, blanks or "
                        "hyphens; make them one");
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void several_labels_in_a_cell_are_refused(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "metadata.csv",
             "file_name,label\na.jpg,amd|dr\na.jpg,amd|dr\na.jpg,x; y\na.jpg,dr\na.jpg,amd\n"
             "a.jpg,\"dr, amd\"\na.jpg,\"dr, mild\"\na.jpg,\"cataract,\"\na.jpg,dr;\n");
    mdf_manifest m;
    load_well(&m, &f);
    assert_int_equal(m.note_count, 1);
    static const char want[] = ": 4 cases have several labels in one cell: 'amd|dr' (2), 'dr, amd' "
                               "(1), 'x; y' (1)";
    expect_note(&m, &f, 0, MDF_NOTE_ALWAYS, want);
    mdf_error err = {0};
    assert_int_equal(mdf_manifest_distinct_labels(&m, false, &err), MDF_ERR_ARG);
    assert_memory_equal(behind(&f, err.text), want, sizeof want - 1);
    assert_non_null(strstr(err.text, "(1); a case has one label"));
    assert_int_equal(mdf_manifest_distinct_labels(&m, true, NULL), MDF_OK);
    mdf_manifest_free(&m);
    test_put(&f, "metadata.csv", /* a comma that belongs to the name */
             "file_name,label\na.jpg,\"dr, mild\"\na.jpg,\"dr, severe\"\na.jpg,dr\na.jpg,amd\n");
    load_well(&m, &f);
    assert_int_equal(m.note_count, 0);
    assert_int_equal(mdf_manifest_distinct_labels(&m, false, NULL), MDF_OK);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void several_labels_in_a_cell_become_cases(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "metadata.csv",
             "file_name,label\na.jpg,amd|dr\na.jpg,dr\na.jpg,\"x; dr ;;x\"\na.jpg,\na.jpg,amd\n"
             "a.jpg,\"dr, amd\"\n");
    static const char *const want[] = {"amd", "dr", "dr", "x", "dr", NULL, "amd", "dr", "amd"};
    mdf_manifest m;
    load_well(&m, &f);
    const char *first = m.cases[0].path;
    assert_int_equal(mdf_manifest_separate_labels(&m, NULL, 0, NULL), MDF_OK);
    assert_int_equal(m.case_count, 9);
    for (size_t i = 0; i < 9; i++) {
        if (want[i] == NULL) {
            assert_int_equal(m.cases[i].label, -1);
        } else {
            assert_string_equal(m.labels[m.cases[i].label], want[i]);
        }
    }
    assert_ptr_equal(m.cases[0].path, first);
    assert_ptr_equal(m.cases[1].path, first);
    assert_ptr_not_equal(m.cases[2].path, first);
    mdf_manifest_free(&m);
    load_well(&m, &f);
    mdf_alloc_fail_after(1);
    const mdf_status status = mdf_manifest_separate_labels(&m, NULL, 0, NULL);
    mdf_alloc_fail_after(0);
    assert_int_equal(status, MDF_ERR_NOMEM);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

/* Where the label says nothing to the model, all labels may. */
static void another_column_may_have_them_all(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "metadata.csv",
             "file_name,label,labels_all\na.jpg,multi,dr|other\na.jpg,dr,dr|amd\na.jpg,other,x; y\n"
             "a.jpg,multi,amd; dr;dr\na.jpg,,dr\na.jpg,multi,\n");
    static const char *const want[] = {"dr", "dr", "other", "amd", "dr", NULL, "multi"};
    static const char *const known[] = {"dr", "amd"};
    mdf_manifest m;
    load_well(&m, &f);
    mdf_manifest copy;
    assert_int_equal(mdf_manifest_copy(&copy, &m, NULL), MDF_OK);
    assert_string_equal(copy.cases[0].labels_all, "dr|other");
    assert_int_equal(mdf_manifest_separate_labels(&copy, NULL, 0, NULL), MDF_OK);
    assert_int_equal(copy.case_count, 6); /* every label is known, as long as none is */
    mdf_manifest_free(&copy);
    assert_int_equal(mdf_manifest_separate_labels(&m, known, 2, NULL), MDF_OK);
    assert_int_equal(m.case_count, 7);
    for (size_t i = 0; i < 7; i++) {
        if (want[i] == NULL) {
            assert_int_equal(m.cases[i].label, -1);
        } else {
            assert_string_equal(m.labels[m.cases[i].label], want[i]);
        }
    }
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_and_splits_that_are_alike_are_named),
        cmocka_unit_test(several_labels_in_a_cell_are_refused),
        cmocka_unit_test(several_labels_in_a_cell_become_cases),
        cmocka_unit_test(another_column_may_have_them_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
