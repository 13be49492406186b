/* Tables, class folders, joins and filters of the list of cases, and every way to get them wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "data/manifest.h"
#include "support/folder.h"

static mdf_status load(mdf_manifest *m, const test_folder *f, mdf_error *err)
{
    const char *const dirs[] = {f->path};
    return mdf_manifest_load(m, dirs, 1, err);
}

/* The error text after the folder's name. */
static void expect_error(const test_folder *f, mdf_status code, const char *rest)
{
    mdf_manifest m;
    mdf_error err = {0};
    assert_int_equal(load(&m, f, &err), code);
    assert_memory_equal(err.text, f->path, strlen(f->path));
    assert_string_equal(err.text + strlen(f->path), rest);
    assert_int_equal(m.case_count, 0);
    assert_null(m.cases);
}

static void a_table_becomes_cases(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "images/a.jpg", "");
    test_put(&f, "images/b.jpg", "");
    test_put(&f, "masks/b.png", "");
    test_put(&f, "metadata.csv",
             "file_name,label,patient_id,split,eye,age,text,vessel_mask\r\n"
             "images/a.jpg,normal,P1,train,left,61,\"Blurred, left eye.\",\r\n"
             "images/b.jpg,dr,P1,val,OD,61,,masks/b.png\r\n");
    mdf_manifest m;
    mdf_error err = {0};
    assert_int_equal(load(&m, &f, &err), MDF_OK);
    assert_int_equal(m.case_count, 2);
    assert_int_equal(m.label_count, 2);
    assert_string_equal(m.labels[0], "dr"); /* byte order, not order of appearance */
    assert_string_equal(m.labels[1], "normal");
    assert_int_equal(m.cases[0].label, 1);
    assert_int_equal(m.cases[1].label, 0);
    assert_string_equal(m.cases[0].text, "Blurred, left eye.");
    assert_string_equal(m.cases[1].split, "val");
    assert_int_equal(m.cases[0].eye, MDF_EYE_LEFT);
    assert_int_equal(m.cases[1].eye, MDF_EYE_RIGHT);
    assert_null(m.cases[0].mask[MDF_MASK_VESSEL]);
    assert_non_null(strstr(m.cases[1].mask[MDF_MASK_VESSEL], "/masks/b.png"));
    assert_null(m.cases[1].mask[MDF_MASK_LESION]);
    assert_int_equal(m.cases[0].patient, m.cases[1].patient);
    assert_int_equal(m.patient_count, 1);
    assert_int_equal(m.without_patient, 0);
    assert_int_equal(m.cases[1].line, 3);
    assert_int_equal(m.cases[1].row, 1);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void without_labels_and_patients_every_image_stands_alone(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "b.jpg", "");
    test_put(&f, "metadata.csv", "file_name\na.jpg\nb.jpg\n");
    mdf_manifest m;
    assert_int_equal(load(&m, &f, NULL), MDF_OK);
    assert_int_equal(m.label_count, 0);
    assert_int_equal(m.cases[0].label, -1);
    assert_string_equal(m.cases[0].split, "");
    assert_int_equal(m.without_patient, 2);
    assert_int_equal(m.patient_count, 2);
    assert_int_not_equal(m.cases[0].patient, m.cases[1].patient);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void json_lines_say_the_same_as_csv(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "metadata.jsonl",
             "{\"file_name\":\"a.jpg\",\"label\":3,\"patient_id\":17,\"text\":null,"
             "\"split\":\"test\",\"box\":[1,2]}\n\n");
    mdf_manifest m;
    assert_int_equal(load(&m, &f, NULL), MDF_OK);
    assert_int_equal(m.case_count, 1);
    assert_string_equal(m.labels[0], "3");
    assert_string_equal(m.cases[0].patient_id, "17");
    assert_string_equal(m.cases[0].split, "test");
    assert_string_equal(m.cases[0].text, "");
    mdf_manifest_free(&m);
    test_put(&f, "metadata.jsonl", "{\"file_name\":\"a.jpg\"}\n{\"file_name\":\n");
    mdf_error err = {0};
    assert_int_equal(load(&m, &f, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "metadata.jsonl line 2: bad JSON"));
    test_put(&f, "metadata.jsonl", "{\"name\":\"a.jpg\"}\n");
    expect_error(&f, MDF_ERR_FORMAT, "/metadata.jsonl line 1: no key file_name");
    test_put(&f, "metadata.jsonl", "{\"file_name\":\"a.jpg\",\"label\":[1]}\n");
    expect_error(&f, MDF_ERR_FORMAT,
                 "/metadata.jsonl line 1: label is neither text nor a whole number");
    test_put(&f, "metadata.jsonl", "[]\n");
    expect_error(&f, MDF_ERR_FORMAT, "/metadata.jsonl line 1: not a JSON object");
    test_folder_remove(&f);
}

static void a_byte_order_mark_and_foreign_letters_are_read(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "\xC3\xA9.jpg", "");
    mdf_manifest m;
    test_put(&f, "metadata.jsonl",
             "\xEF\xBB\xBF{\"file_name\":\"\xC3\xA9.jpg\",\"text\":\"\xE7\x9C\xBC\"}\r\n");
    assert_int_equal(load(&m, &f, NULL), MDF_OK);
    assert_string_equal(m.cases[0].text, "\xE7\x9C\xBC");
    mdf_manifest_free(&m);
    test_put(&f, "metadata.csv",
             "\xEF\xBB\xBF"
             "file_name,text\r\n\xC3\xA9.jpg,\"\xE7\x9C\xBC\r\n.\"\r\n");
    assert_int_equal(load(&m, &f, NULL), MDF_OK);
    assert_string_equal(m.cases[0].text, "\xE7\x9C\xBC\r\n.");
    mdf_manifest_free(&m);
    test_put(&f, "metadata.csv", "file_name,text\n\xC3\xA9.jpg,caf\xE9\n"); /* Latin-1 */
    expect_error(
        &f, MDF_ERR_FORMAT,
        "/metadata.csv line 2: the text is not UTF-8 (Latin-1 or another old encoding?); save it "
        "as UTF-8");
    test_folder_remove(&f);
}

static void names_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "dr\xFF/a.jpg", "");
    expect_error(&f, MDF_ERR_FORMAT, "/dr\xFF/a.jpg: the name of the file or folder is not UTF-8");
    test_folder_remove(&f);
}

static void class_folders_give_labels_and_splits(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "train/dr/b.JPG", "");
    test_put(&f, "train/normal/a.png", "");
    test_put(&f, "train/normal/notes.txt", "");
    test_put(&f, "test/c.tif", "");
    test_put(&f, "amd/d.webp", "");
    mdf_manifest m;
    assert_int_equal(load(&m, &f, NULL), MDF_OK);
    assert_int_equal(m.case_count, 4); /* amd/, test/, train/ in byte order */
    assert_string_equal(m.cases[0].file_name, "amd/d.webp");
    assert_string_equal(m.cases[0].split, "");
    assert_string_equal(m.labels[m.cases[0].label], "amd");
    assert_string_equal(m.cases[1].split, "test");
    assert_int_equal(m.cases[1].label, -1);
    assert_string_equal(m.labels[m.cases[2].label], "dr");
    assert_string_equal(m.cases[3].file_name, "train/normal/a.png");
    assert_string_equal(m.cases[3].split, "train");
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void split_folders_may_have_a_table_each(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "train/a.jpg", "");
    test_put(&f, "train/metadata.csv", "file_name,label\na.jpg,dr\n");
    test_put(&f, "val/b.jpg", "");
    test_put(&f, "val/metadata.csv", "file_name,label\nb.jpg,dr\n");
    mdf_manifest m;
    assert_int_equal(load(&m, &f, NULL), MDF_OK);
    assert_int_equal(m.case_count, 2);
    assert_string_equal(m.cases[1].split, "val");
    assert_int_equal(mdf_manifest_count(&m, "train"), 1);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void the_same_id_in_two_folders_is_two_patients(void **state)
{
    (void)state;
    test_folder f;
    test_folder g;
    test_folder_make(&f);
    test_folder_make(&g);
    test_put(&f, "a.jpg", "");
    test_put(&f, "metadata.csv", "file_name,patient_id\na.jpg,1\na.jpg,only\n");
    test_put(&g, "a.jpg", "");
    test_put(&g, "metadata.csv", "file_name,patient_id\na.jpg,1\na.jpg,1\n");
    const char *const dirs[] = {f.path, g.path};
    mdf_manifest m;
    assert_int_equal(mdf_manifest_load(&m, dirs, 2, NULL), MDF_OK);
    assert_int_equal(m.case_count, 4);
    assert_int_equal(m.patient_count, 3);
    assert_int_not_equal(m.cases[0].patient, m.cases[2].patient);
    assert_int_equal(m.cases[2].patient, m.cases[3].patient);
    assert_string_equal(m.cases[1].patient_id, "only");
    char want[80];
    (void)snprintf(want, sizeof want, "%s:1", g.path);
    assert_string_equal(m.cases[2].patient_id, want);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
    test_folder_remove(&g);
}

static void errors_name_table_line_and_column(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    expect_error(&f, MDF_ERR_FORMAT,
                 ": no cases; a data folder has metadata.csv, metadata.jsonl or a folder of images "
                 "per class");
    test_put(&f, "metadata.csv", "image,label\na.jpg,dr\n");
    expect_error(&f, MDF_ERR_FORMAT,
                 "/metadata.csv: no column file_name; the columns are: image, label; is 'image' "
                 "what you mean?");
    test_put(&f, "metadata.csv", "file_name,label,label\na.jpg,dr,dr\n");
    expect_error(&f, MDF_ERR_FORMAT, "/metadata.csv: the column label stands there twice");
    test_put(&f, "metadata.csv", "file_name,label\n\"a.jpg,dr\n");
    expect_error(&f, MDF_ERR_FORMAT, "/metadata.csv line 2: a quoted field is not closed");
    test_put(&f, "metadata.csv", "file_name,label\n,dr\n");
    expect_error(&f, MDF_ERR_FORMAT, "/metadata.csv line 2: file_name is empty");
    test_folder_remove(&f);
    const char *const dirs[] = {"/nonexistent-folder"};
    mdf_manifest m;
    mdf_error err = {0};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, &err), MDF_ERR_IO);
    assert_string_equal(err.text, "/nonexistent-folder: no such data folder");
}

static void missing_files_are_counted_and_the_first_are_named(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "e.jpg", "");
    test_put(&f, "metadata.csv", "file_name,vessel_mask\na.jpg,\nb.jpg,\ne.jpg,m.png\nd.jpg,\n");
    char rest[512];
    (void)snprintf(rest, sizeof rest,
                   ": 4 files that the table of 4 cases names are missing: %s/a.jpg, %s/b.jpg, "
                   "%s/m.png, ...",
                   f.path, f.path, f.path);
    expect_error(&f, MDF_ERR_IO, rest);
    test_folder_remove(&f);
}

static void limits_hold_at_n_and_n_plus_one(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    const size_t limit[2] = {MDF_MAX_LABEL_BYTES, MDF_MAX_TEXT_BYTES};
    const char *const head[2] = {"file_name,label\na.jpg,", "file_name,text\na.jpg,"};
    const char *const rest[2] = {"/metadata.csv line 2: the label is longer than the limit",
                                 "/metadata.csv line 2: the text is longer than the limit"};
    for (size_t k = 0; k < 2; k++) {
        for (size_t extra = 0; extra < 2; extra++) {
            char text[MDF_MAX_TEXT_BYTES + 64];
            const size_t n = strlen(head[k]);
            memcpy(text, head[k], n);
            memset(text + n, 'x', limit[k] + extra);
            text[n + limit[k] + extra] = '\0';
            test_put(&f, "metadata.csv", text);
            mdf_manifest m;
            if (extra == 0) {
                assert_int_equal(load(&m, &f, NULL), MDF_OK);
                mdf_manifest_free(&m);
            } else {
                expect_error(&f, MDF_ERR_LIMIT, rest[k]);
            }
        }
    }
    test_folder_remove(&f);
}

static void make_three(test_folder *f, mdf_manifest *m)
{
    test_folder_make(f);
    test_put(f, "a.jpg", "");
    test_put(f, "metadata.csv",
             "file_name,label,split\na.jpg,dr,train\na.jpg,amd,train\na.jpg,normal,odd one\n"
             "a.jpg,,train\n");
    assert_int_equal(load(m, f, NULL), MDF_OK);
}

static void a_split_filter_keeps_its_cases_or_says_what_there_is(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    mdf_manifest copy;
    make_three(&f, &m);
    mdf_error err = {0};
    assert_int_equal(mdf_manifest_keep_split(&m, "test", &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "no case has the split 'test'; the splits are: train (3), "
                                     "odd one (1)"));
    assert_int_equal(m.case_count, 4);
    assert_int_equal(mdf_manifest_copy(&copy, &m, &err), MDF_OK);
    assert_int_equal(mdf_manifest_keep_split(&copy, "odd one", &err), MDF_OK);
    assert_int_equal(copy.case_count, 1);
    copy.cases[0].split = "";
    assert_int_equal(mdf_manifest_keep_split(&copy, "train", &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "no case has the split 'train': the data is not split; 'mdf "
                                     "data split' does that"));
    assert_int_equal(mdf_manifest_keep_split(&copy, "", &err), MDF_OK);
    mdf_manifest_free(&m); /* the copy owns its strings */
    assert_string_equal(copy.labels[copy.cases[0].label], "normal");
    assert_string_equal(copy.cases[0].file_name, "a.jpg");
    mdf_manifest_free(&copy);
    test_folder_remove(&f);
}

static void a_label_filter_drops_cases_and_sets_the_order(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    make_three(&f, &m);
    mdf_error err = {0};
    const char *const unknown[] = {"dr", "glaucom"};
    assert_int_equal(mdf_manifest_keep_labels(&m, unknown, 2, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "no case has the label 'glaucom'; the labels are: amd, dr, "
                                  "normal");
    const char *const twice[] = {"dr", "dr"};
    assert_int_equal(mdf_manifest_keep_labels(&m, twice, 2, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "the label 'dr' is given twice");
    assert_int_equal(m.case_count, 4);
    const char *const two[] = {"normal", "amd"};
    assert_int_equal(mdf_manifest_keep_labels(&m, two, 2, &err), MDF_OK);
    assert_int_equal(m.case_count, 2);
    assert_int_equal(m.label_count, 2);
    assert_int_equal(m.cases[0].label, 1);
    assert_int_equal(m.cases[1].label, 0);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void a_models_labels_renumber_and_strangers_are_named(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    make_three(&f, &m);
    mdf_error err = {0};
    const char *const few[] = {"normal", "dr"};
    assert_int_equal(mdf_manifest_use_labels(&m, few, 2, &err), MDF_ERR_ARG);
    char want[256];
    (void)snprintf(want, sizeof want,
                   "the label 'amd' of 1 case (first: %s/a.jpg) is not one of: normal, dr", f.path);
    assert_string_equal(err.text, want);
    const char *const model[] = {"normal", "glaucoma", "dr", "amd"};
    assert_int_equal(mdf_manifest_use_labels(&m, model, 4, &err), MDF_OK);
    assert_int_equal(m.case_count, 4);
    assert_int_equal(m.cases[0].label, 2);
    assert_int_equal(m.cases[1].label, 3);
    assert_int_equal(m.cases[2].label, 0);
    assert_int_equal(m.cases[3].label, -1);
    mdf_manifest_keep_labelled(&m);
    assert_int_equal(m.case_count, 3);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_becomes_cases),
        cmocka_unit_test(without_labels_and_patients_every_image_stands_alone),
        cmocka_unit_test(json_lines_say_the_same_as_csv),
        cmocka_unit_test(a_byte_order_mark_and_foreign_letters_are_read),
        cmocka_unit_test(names_that_are_not_utf8_are_refused),
        cmocka_unit_test(class_folders_give_labels_and_splits),
        cmocka_unit_test(split_folders_may_have_a_table_each),
        cmocka_unit_test(the_same_id_in_two_folders_is_two_patients),
        cmocka_unit_test(errors_name_table_line_and_column),
        cmocka_unit_test(missing_files_are_counted_and_the_first_are_named),
        cmocka_unit_test(limits_hold_at_n_and_n_plus_one),
        cmocka_unit_test(a_split_filter_keeps_its_cases_or_says_what_there_is),
        cmocka_unit_test(a_label_filter_drops_cases_and_sets_the_order),
        cmocka_unit_test(a_models_labels_renumber_and_strangers_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
