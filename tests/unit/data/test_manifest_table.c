/* Tables whose columns, cells and file names are not quite what the readme says: read as they are
 * meant, or named. Both formats say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "unit/data/notes.h"

static void make(test_folder *f)
{
    test_folder_make(f);
    test_put(f, "a.jpg", "");
    test_put(f, "b.jpg", "");
}

/* The same table in both formats; the other one goes away. */
static void put_csv(const test_folder *f, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/metadata.jsonl", f->path);
    (void)unlink(path);
    test_put(f, "metadata.csv", text);
}

static void put_json(const test_folder *f, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/metadata.csv", f->path);
    (void)unlink(path);
    test_put(f, "metadata.jsonl", text);
}

static void put(const test_folder *f, bool is_json, const char *csv, const char *json)
{
    if (is_json) {
        put_json(f, json);
    } else {
        put_csv(f, csv);
    }
}

static void columns_in_another_spelling_are_the_columns(void **state)
{
    (void)state;
    test_folder f;
    make(&f);
    for (int json = 0; json < 2; json++) {
        put(&f, json != 0,
            "\xEF\xBB\xBF"
            "File Name,LABEL, patient-id ,\"Text\xC2\xA0\"\na.jpg,dr,P1,seen\nb.jpg,dr,P1,\n",
            "{\"File Name\":\"a.jpg\",\"LABEL\":\"dr\",\" patient-id \":\"P1\","
            "\"Text\xC2\xA0\":\"seen\"}\n"
            "{\"file_name\":\"b.jpg\",\"label\":\"dr\",\"patient_id\":\"P1\"}\n");
        mdf_manifest m;
        load_well(&m, &f);
        assert_int_equal(m.case_count, 2);
        assert_int_equal(m.patient_count, 1);
        assert_int_equal(m.label_count, 1);
        assert_string_equal(m.cases[0].text, "seen");
        assert_int_equal(m.note_count, 0);
        mdf_manifest_free(&m);
    }
    test_folder_remove(&f);
}

static void two_columns_that_become_one_are_refused(void **state)
{
    (void)state;
    test_folder f;
    make(&f);
    put_csv(&f, "file_name,Label, label\na.jpg,dr,amd\n");
    expect_failure(&f, MDF_ERR_FORMAT,
                   "/metadata.csv: the columns 'Label' and ' label' are both "
                   "label");
    put_json(&f, "{\"file_name\":\"a.jpg\",\"Label\":\"dr\",\"label\":\"amd\"}\n");
    expect_failure(&f, MDF_ERR_FORMAT,
                   "/metadata.jsonl: the columns 'Label' and 'label' are both "
                   "label");
    test_folder_remove(&f);
}

static void a_discs_centre_is_two_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {"1,", ",2", "1,x", "nan2,1", "1e400,2", "1 2,3"};
    test_folder f;
    mdf_manifest m;
    make(&f);
    put_csv(&f, "file_name,optic_disc_x,optic_disc_y\na.jpg,70.25,214\na.jpg,,\na.jpg,NA,none\n");
    load_well(&m, &f);
    assert_true(m.cases[0].has_disc_centre && m.cases[0].disc_x == 70.25 &&
                m.cases[0].disc_y == 214);
    assert_true(mdf_case_has_mask(&m.cases[0], MDF_MASK_DISC));
    assert_false(m.cases[1].has_disc_centre || m.cases[2].has_disc_centre);
    mdf_manifest_free(&m);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char csv[100];
        (void)snprintf(csv, sizeof csv, "file_name,optic_disc_x,optic_disc_y\na.jpg,%s\n", bad[i]);
        put_csv(&f, csv);
        expect_failure(&f, MDF_ERR_FORMAT,
                       "/metadata.csv line 2: optic_disc_x and optic_disc_y are two numbers of "
                       "pixels, or both empty");
    }
    test_folder_remove(&f);
}

static void a_slip_of_patient_id_is_refused_and_others_are_named(void **state)
{
    (void)state;
    test_folder f;
    make(&f);
    for (int json = 0; json < 2; json++) {
        mdf_manifest m;
        char rest[200];
        const char *table = json != 0 ? "/metadata.jsonl" : "/metadata.csv";
        put(&f, json != 0, "file_name,PatientID\na.jpg,P1\n",
            "{\"file_name\":\"b.jpg\"}\n{\"file_name\":\"a.jpg\",\"PatientID\":\"P1\"}\n");
        (void)snprintf(
            rest, sizeof rest,
            "%s: the column 'PatientID' is not read; did you mean patient_id? Rename it, "
            "so that the pictures of a patient stay together",
            table);
        expect_failure(&f, MDF_ERR_FORMAT, rest);
        put(&f, json != 0, "file_name,lable,subject_id,age,sex\na.jpg,dr,P1,61,f\n",
            "{\"file_name\":\"b.jpg\",\"lable\":\"dr\"}\n"
            "{\"file_name\":\"a.jpg\",\"subject_id\":\"P1\",\"age\":3.5,\"sex\":[]}\n");
        load_well(&m, &f);
        assert_int_equal(m.label_count, 0);
        (void)snprintf(rest, sizeof rest, "%s: the column 'lable' is not read; did you mean label?",
                       table);
        expect_note(&m, &f, 0, MDF_NOTE_ALWAYS, rest);
        (void)snprintf(rest, sizeof rest,
                       "%s: the column 'subject_id' is not read; did you mean patient_id?", table);
        expect_note(&m, &f, 1, MDF_NOTE_ALWAYS, rest);
        (void)snprintf(rest, sizeof rest, "%s: columns that mdf does not read: age, sex", table);
        expect_note(&m, &f, 2, MDF_NOTE_TRAIN, rest);
        assert_int_equal(m.note_count, 3);
        mdf_manifest_free(&m);
        /* Where the column is there, another word for it is just another column. */
        put(&f, json != 0, "file_name,patient_id,patient\na.jpg,P1,Ann\n",
            "{\"file_name\":\"a.jpg\",\"patient\":\"Ann\"}\n"
            "{\"file_name\":\"b.jpg\",\"patient_id\":\"P1\"}\n");
        load_well(&m, &f);
        (void)snprintf(rest, sizeof rest, "%s: columns that mdf does not read: patient", table);
        expect_note(&m, &f, 0, MDF_NOTE_TRAIN, rest);
        mdf_manifest_free(&m);
    }
    test_folder_remove(&f);
}

static void blanks_around_cells_are_dropped(void **state)
{
    (void)state;
    test_folder f;
    make(&f);
    for (int json = 0; json < 2; json++) {
        put(&f, json != 0,
            "file_name,label,split,patient_id,vessel_mask,text\n"
            "a.jpg,dr,train,P1,, two words \nb.jpg,\xC2\xA0"
            "dr ,Train ,\tP1, b.jpg , \n",
            "{\"file_name\":\"a.jpg\",\"label\":\"dr\",\"split\":\"train\",\"patient_id\":\"P1\","
            "\"text\":\" two words \"}\n"
            "{\"file_name\":\"b.jpg\",\"label\":\"\xC2\xA0"
            "dr \",\"split\":\"Train \",\"patient_id\":\"\\tP1\",\"vessel_mask\":\" b.jpg \","
            "\"text\":\" \"}\n");
        mdf_manifest m;
        load_well(&m, &f);
        assert_int_equal(m.label_count, 1);
        assert_string_equal(m.labels[0], "dr");
        assert_int_equal(m.patient_count, 1);
        assert_int_equal(mdf_manifest_count(&m, "train"), 2);
        assert_non_null(strstr(m.cases[1].mask[MDF_MASK_VESSEL], "/b.jpg"));
        assert_string_equal(m.cases[0].text, " two words "); /* a text is what it is */
        assert_string_equal(m.cases[1].text, "");
        expect_note(&m, &f, 0, MDF_NOTE_ALWAYS, ": the split 'Train' of 1 case is read as 'train'");
        assert_int_equal(m.note_count, 1);
        mdf_manifest_free(&m);
    }
    test_folder_remove(&f);
}

static void words_for_missing_values_are_missing_and_counted(void **state)
{
    (void)state;
    test_folder f;
    make(&f);
    for (int json = 0; json < 2; json++) {
        put(&f, json != 0,
            "file_name,label,split,patient_id,text,lesion_mask\n"
            "a.jpg,NaN,none,N/A,null,-\na.jpg,nan,train,N/A,NULL,\nb.jpg,dr,train,P1,seen,NA\n",
            "{\"file_name\":\"a.jpg\",\"label\":\"NaN\",\"split\":\"none\",\"patient_id\":\"N/A\","
            "\"text\":\"null\",\"lesion_mask\":\"-\"}\n"
            "{\"file_name\":\"a.jpg\",\"label\":\"nan\",\"split\":\"train\",\"patient_id\":\"N/A\","
            "\"text\":\"NULL\",\"lesion_mask\":null}\n"
            "{\"file_name\":\"b.jpg\",\"label\":\"dr\",\"split\":\"train\",\"patient_id\":\"P1\","
            "\"text\":\"seen\",\"lesion_mask\":\"NA\"}\n");
        mdf_manifest m;
        load_well(&m, &f);
        assert_int_equal(m.label_count, 1);
        assert_int_equal(m.cases[0].label, -1);
        assert_int_equal(m.cases[1].label, -1);
        assert_string_equal(m.cases[0].split, "");
        assert_string_equal(m.cases[1].text, "");
        assert_null(m.cases[0].mask[MDF_MASK_LESION]);
        assert_null(m.cases[2].mask[MDF_MASK_LESION]);
        assert_int_equal(m.patient_count, 3); /* nobody is the patient N/A */
        assert_int_equal(m.without_patient, 2);
        expect_note(&m, &f, 0, MDF_NOTE_ALWAYS, ": 2 cells of label say 'NaN': read as missing");
        expect_note(&m, &f, 1, MDF_NOTE_ALWAYS, ": 1 cell of split says 'none': read as missing");
        expect_note(&m, &f, 2, MDF_NOTE_ALWAYS,
                    ": 2 cells of patient_id say 'N/A': read as missing");
        expect_note(&m, &f, 3, MDF_NOTE_ALWAYS, ": 2 cells of text say 'null': read as missing");
        expect_note(&m, &f, 4, MDF_NOTE_ALWAYS,
                    ": 1 cell of lesion_mask says 'NA': read as missing");
        expect_note(&m, &f, 5, MDF_NOTE_ALWAYS,
                    ": 1 cell of lesion_mask says '-': read as missing");
        assert_int_equal(m.note_count, 6);
        mdf_manifest_free(&m);
    }
    test_folder_remove(&f);
}

static void file_names_in_split_folders_have_that_split(void **state)
{
    (void)state;
    test_folder f;
    make(&f);
    test_put(&f, "train/1.jpg", "");
    test_put(&f, "Test/2.jpg", "");
    for (int json = 0; json < 2; json++) {
        mdf_manifest m;
        char rest[200];
        put(&f, json != 0, "file_name\ntrain/1.jpg\n./Test/2.jpg\na.jpg\n",
            "{\"file_name\":\"train/1.jpg\"}\n{\"file_name\":\"./Test/2.jpg\"}\n"
            "{\"file_name\":\"a.jpg\"}\n");
        load_well(&m, &f);
        assert_string_equal(m.cases[0].split, "train");
        assert_string_equal(m.cases[1].split, "test");
        assert_string_equal(m.cases[2].split, "");
        (void)snprintf(rest, sizeof rest,
                       "/metadata.%s: there is no column split; 2 of 3 cases have the split of the "
                       "folder that their file name begins with",
                       json != 0 ? "jsonl" : "csv");
        expect_note(&m, &f, 0, MDF_NOTE_ALWAYS, rest);
        mdf_manifest_free(&m);
        put(&f, json != 0, "file_name,split\ntrain/1.jpg,\nTest/2.jpg,val\n", /* it has its say */
            "{\"file_name\":\"train/1.jpg\"}\n{\"file_name\":\"Test/2.jpg\",\"split\":\"val\"}\n");
        load_well(&m, &f);
        assert_string_equal(m.cases[0].split, "");
        assert_string_equal(m.cases[1].split, "val");
        assert_int_equal(m.note_count, 0);
        mdf_manifest_free(&m);
    }
    test_folder_remove(&f);
}

static void blank_rows_and_other_separators_are_read_and_said(void **state)
{
    (void)state;
    test_folder f;
    make(&f);
    mdf_manifest m;
    put_csv(&f, "sep=;\r\nfile_name;label;age\r\na.jpg;dr;61,5\r\n;;\r\n\xC2\xA0;;\r\n");
    load_well(&m, &f);
    assert_int_equal(m.case_count, 1);
    assert_string_equal(m.labels[0], "dr");
    expect_note(&m, &f, 0, MDF_NOTE_CHECK, "/metadata.csv: 2 rows without any content are skipped");
    mdf_manifest_free(&m);
    put_json(&f, "{\"file_name\":\"a.jpg\"}\n \t\r\n\n{\"file_name\":\"b.jpg\"}");
    load_well(&m, &f);
    assert_int_equal(m.case_count, 2);
    mdf_manifest_free(&m);
    put_json(&f, "{\"file_name\":\"a.jpg\",\"text\":\"caf\xE9\"}\n");
    expect_failure(&f, MDF_ERR_FORMAT,
                   "/metadata.jsonl line 1: the text is not UTF-8 (Latin-1 or another old "
                   "encoding?); save it as UTF-8");
    put_csv(&f, "\xFF\xFE"
                "f");
    expect_failure(&f, MDF_ERR_FORMAT, "/metadata.csv: the text is UTF-16; save it as UTF-8");
    test_folder_remove(&f);
}

static void running_out_of_memory_leaves_nothing(void **state)
{
    (void)state;
    test_folder f;
    make(&f);
    put_csv(&f, "file_name,label,lable,age\na.jpg,NaN,x,1\nb.jpg,dr ,y,2\n,,,\n");
    long n = 1;
    for (mdf_status status = MDF_ERR_NOMEM; status != MDF_OK; n++) {
        mdf_manifest m;
        mdf_alloc_fail_after(n);
        status = load_folder(&m, &f, NULL);
        mdf_alloc_fail_after(0);
        assert_true(status == MDF_OK || status == MDF_ERR_NOMEM);
        if (status == MDF_OK) {
            assert_int_equal(m.note_count, 3);
            mdf_manifest_free(&m);
        } else {
            assert_null(m.cases);
        }
    }
    assert_true(n > 10);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_in_another_spelling_are_the_columns),
        cmocka_unit_test(two_columns_that_become_one_are_refused),
        cmocka_unit_test(a_slip_of_patient_id_is_refused_and_others_are_named),
        cmocka_unit_test(blanks_around_cells_are_dropped),
        cmocka_unit_test(words_for_missing_values_are_missing_and_counted),
        cmocka_unit_test(file_names_in_split_folders_have_that_split),
        cmocka_unit_test(blank_rows_and_other_separators_are_read_and_said),
        cmocka_unit_test(a_discs_centre_is_two_numbers),
        cmocka_unit_test(running_out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
