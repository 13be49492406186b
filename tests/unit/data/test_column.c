/* Names of columns: taken, meant, or another column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/column.h"

static void a_column_is_found_in_any_spelling(void **state)
{
    (void)state;
    for (int k = 0; k < MDF_COLUMN_COUNT; k++) {
        assert_int_equal(mdf_column_find(mdf_column_names[k]), k);
    }
    assert_int_equal(mdf_column_find("Patient_ID"), MDF_COLUMN_PATIENT_ID);
    assert_int_equal(mdf_column_find(" patient-id\xC2\xA0"), MDF_COLUMN_PATIENT_ID);
    assert_int_equal(mdf_column_find("\xEF\xBB\xBF"
                                     "File Name"),
                     MDF_COLUMN_FILE_NAME);
    assert_int_equal(mdf_column_find("TEXT "), MDF_COLUMN_TEXT);
    assert_int_equal(mdf_column_find("patientid"), -1);
    assert_int_equal(mdf_column_find(""), -1);
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(mdf_column_find(name), -1);
}

static void slips_and_other_words_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int column;
        bool is_slip;
    } rows[] = {
        {"patientid", MDF_COLUMN_PATIENT_ID, true},
        {"patient", MDF_COLUMN_PATIENT_ID, true},
        {"Patient No", MDF_COLUMN_PATIENT_ID, true},
        {"patiend_id", MDF_COLUMN_PATIENT_ID, true},
        {"subject_id", MDF_COLUMN_PATIENT_ID, false},
        {"lable", MDF_COLUMN_LABEL, true},
        {"Labels", MDF_COLUMN_LABEL, true},
        {"diagnosis", MDF_COLUMN_LABEL, false},
        {"class", MDF_COLUMN_LABEL, false},
        {"filename", MDF_COLUMN_FILE_NAME, true},
        {"image", MDF_COLUMN_FILE_NAME, false},
        {"path", MDF_COLUMN_FILE_NAME, false},
        {"vesselmask", MDF_COLUMN_MASKS + MDF_MASK_VESSEL, true},
        {"disk_mask", MDF_COLUMN_MASKS + MDF_MASK_DISC, true},
        {"HardExudateMask", MDF_COLUMN_MASKS + MDF_MASK_HARD_EXUDATE, true},
        {"eyes", -1, true},
        {"age", -1, true},
        {"sex", -1, true},
        {"patient_age", -1, true},
        {"camera", -1, true},
        {"", -1, true},
        {"site", -1, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_slip = false;
        const int column = mdf_column_meant(rows[i].name, &is_slip);
        if (column != rows[i].column || (column >= 0 && is_slip != rows[i].is_slip)) {
            fail_msg("%s: column %d, slip %d", rows[i].name, column, is_slip);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_is_found_in_any_spelling),
        cmocka_unit_test(slips_and_other_words_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
