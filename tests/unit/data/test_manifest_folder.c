/* Class folders: pictures on every level, folders of patients, and files that are not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "unit/data/notes.h"

static const char *label_of(const mdf_manifest *m, size_t i)
{
    return m->cases[i].label < 0 ? "" : m->labels[m->cases[i].label];
}

/* "file split label patient", one after the other. */
static void expect_cases(const mdf_manifest *m, const char *const *want, size_t count)
{
    assert_int_equal(m->case_count, count);
    for (size_t i = 0; i < count; i++) {
        char text[200];
        const mdf_manifest_case *c = &m->cases[i];
        (void)snprintf(text, sizeof text, "%s %s %s %s", c->file_name, c->split, label_of(m, i),
                       strcmp(c->patient_id, c->path) == 0 ? "" : c->patient_id);
        assert_string_equal(text, want[i]);
    }
}

static void a_picture_beside_class_folders_hides_nothing(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "cover.jpg", "");
    test_put(&f, "train/a_overview.jpg", "");
    test_put(&f, "train/dr/1.jpg", "");
    test_put(&f, "train/normal/1.jpg", "");
    test_put(&f, "VAL/normal/2.jpg", "");
    mdf_manifest m;
    load_well(&m, &f);
    static const char *const want[] = {"VAL/normal/2.jpg val normal ", "cover.jpg   ",
                                       "train/a_overview.jpg train  ", "train/dr/1.jpg train dr ",
                                       "train/normal/1.jpg train normal "};
    expect_cases(&m, want, 5);
    char rest[200];
    (void)snprintf(rest, sizeof rest,
                   ": 2 pictures lie in no class folder and are read without a label (first: "
                   "%s/cover.jpg)",
                   f.path);
    expect_note(&m, &f, 0, MDF_NOTE_ALWAYS, rest);
    assert_int_equal(m.note_count, 1);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void folders_below_a_class_are_patients(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "dr/p2/left/x.jpg", "");
    test_put(&f, "dr/p2/right/x.jpg", "");
    test_put(&f, "normal/p1/x.jpg", "");
    test_put(&f, "normal/y.jpg", "");
    test_put(&f, "train/dr/p3/z.jpg", "");
    mdf_manifest m;
    load_well(&m, &f);
    static const char *const want[] = {"dr/p2/left/x.jpg  dr p2", "dr/p2/right/x.jpg  dr p2",
                                       "normal/p1/x.jpg  normal p1", "normal/y.jpg  normal ",
                                       "train/dr/p3/z.jpg train dr p3"};
    expect_cases(&m, want, 5);
    assert_int_equal(m.patient_count, 4);
    expect_note(&m, &f, 0, MDF_NOTE_ALWAYS,
                ": 3 folders below the classes are read as patients (first: dr/p2)");
    assert_int_equal(m.note_count, 1);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

/* Splits that nobody recognises look like classes, and classes like patients. */
static void the_same_folder_below_two_classes_is_named(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "fold1/normal/1.jpg", "");
    test_put(&f, "fold2/normal/2.jpg", "");
    mdf_manifest m;
    load_well(&m, &f);
    assert_int_equal(m.patient_count, 1);
    expect_note(
        &m, &f, 1, MDF_NOTE_ALWAYS,
        ": the folder 'normal' lies below several classes ('fold1', 'fold2'): it is read as "
        "one patient; folders of splits must be called train, val or test");
    mdf_manifest_free(&m);
    test_put(&f, "set/Train/dr/1.jpg", "");
    expect_failure(&f, MDF_ERR_FORMAT,
                   "/set/Train: a folder of a split below the class 'set'; "
                   "splits come first, then classes");
    test_folder_remove(&f);
}

static void files_that_are_not_read_are_counted_by_ending(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    static const char *const names[] = {
        "dr/1.jpg",  "dr/2.JFIF",   "dr/3.gif",    "dr/4.jpe",     "dr/5.bmp",     "dr/6.BMP",
        "dr/7.heic", "dr/info.txt", "dr/DICOM001", "dr/.DS_Store", "dr/Thumbs.db", "list.xlsx"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        test_put(&f, names[i], "");
    }
    mdf_manifest m;
    load_well(&m, &f);
    assert_int_equal(m.case_count, 4);
    expect_note(&m, &f, 0, MDF_NOTE_ALWAYS,
                ": 3 files are no picture that mdf reads: .bmp (2), .heic (1)");
    expect_note(&m, &f, 1, MDF_NOTE_CHECK,
                ": 5 other files are passed over: no ending (1), .db (1), .txt (1), hidden (1), "
                ".xlsx (1)");
    assert_int_equal(m.note_count, 2);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
    test_folder_make(&f);
    test_put(&f, "dr/1.dcm", "");
    expect_failure(&f, MDF_ERR_FORMAT, ": no cases; 1 file is no picture that mdf reads: .dcm (1)");
    test_folder_remove(&f);
}

/* Room for 32 endings; what comes after them is counted together, pictures apart from the rest. */
static void many_endings_are_counted_together(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "dr/1.jpg", "");
    for (int i = 0; i < 34; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "dr/a.x%02d", i);
        test_put(&f, name, "");
    }
    test_put(&f, "dr/b.bmp", "");
    mdf_manifest m;
    load_well(&m, &f);
    expect_note(&m, &f, 0, MDF_NOTE_ALWAYS, ": 1 file is no picture that mdf reads: others (1)");
    assert_non_null(strstr(m.notes[1].text, ": 34 other files are passed over: .x00 (1), "));
    assert_non_null(strstr(m.notes[1].text, ".x31 (1), others (2)"));
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void folders_of_masks_are_no_class(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "dr/1.jpg", "");
    test_put(&f, "dr/mask/1.png", "");
    test_put(&f, "Vessel Masks/1.png", "");
    test_put(&f, "unmask/1.png", "");
    mdf_manifest m;
    load_well(&m, &f);
    assert_int_equal(m.case_count, 2);
    expect_note(&m, &f, 0, MDF_NOTE_ALWAYS,
                "/Vessel Masks: a folder of masks is not read; masks are named by a table");
    expect_note(&m, &f, 1, MDF_NOTE_ALWAYS,
                "/dr/mask: a folder of masks is not read; masks are named by a table");
    assert_int_equal(m.note_count, 2);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void names_of_class_folders_are_cells_too(void **state)
{
    (void)state;
    test_folder f;
    test_folder_make(&f);
    test_put(&f, "normal/1.jpg", "");
    test_put(&f, "normal /2.jpg", "");
    test_put(&f, "none/3.jpg", "");
    mdf_manifest m;
    load_well(&m, &f);
    assert_int_equal(m.label_count, 1);
    assert_int_equal(m.cases[0].label, -1);
    expect_note(&m, &f, 0, MDF_NOTE_ALWAYS, ": 1 cell of label says 'none': read as missing");
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void a_loop_of_folders_ends(void **state)
{
    (void)state;
    test_folder f;
    char path[200];
    test_folder_make(&f);
    test_put(&f, "dr/p/1.jpg", "");
    (void)snprintf(path, sizeof path, "%s/dr/p/again", f.path);
    assert_int_equal(symlink("..", path), 0);
    mdf_manifest m;
    mdf_error err = {0};
    assert_int_equal(load_folder(&m, &f, &err), MDF_ERR_LIMIT);
    (void)snprintf(path, sizeof path, ": more than %d folders deep; is there a loop?",
                   MDF_MAX_FOLDER_DEPTH);
    assert_non_null(strstr(err.text, path));
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_beside_class_folders_hides_nothing),
        cmocka_unit_test(folders_below_a_class_are_patients),
        cmocka_unit_test(the_same_folder_below_two_classes_is_named),
        cmocka_unit_test(files_that_are_not_read_are_counted_by_ending),
        cmocka_unit_test(many_endings_are_counted_together),
        cmocka_unit_test(folders_of_masks_are_no_class),
        cmocka_unit_test(names_of_class_folders_are_cells_too),
        cmocka_unit_test(a_loop_of_folders_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
