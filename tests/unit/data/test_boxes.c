/* Boxes of signs: both forms, what is refused, and how they reach the cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/alloc.h"
#include "data/boxes.h"
#include "data/manifest.h"
#include "support/folder.h"

static mdf_status parse(mdf_boxes *b, const char *text, mdf_error *err)
{
    return mdf_boxes_parse(b, "boxes.csv", (const uint8_t *)text, strlen(text), err);
}

static void expect(const char *text, const char *sentence)
{
    mdf_boxes b;
    mdf_error err = {0};
    assert_int_equal(parse(&b, text, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, sentence);
    assert_null(b.row);
    assert_int_equal(b.count, 0);
}

static void corners_and_centres_are_read(void **state)
{
    (void)state;
    mdf_boxes b;
    mdf_error err = {0};
    assert_int_equal(parse(&b,
                           "file_name,class,x0,y0,x1,y1\nimages/a.jpg,optic_disc,395.2,165.2,467.5,"
                           "236.1\nb.jpg,Hard Exudates,1,2,3,4\nb.jpg,drusen,1,2,3,4\nb.jpg,drusen,"
                           "1,2,3,4\n",
                           &err),
                     MDF_OK);
    assert_int_equal(b.count, 2);
    assert_string_equal(b.row[0].file_name, "images/a.jpg");
    assert_int_equal(b.row[0].line, 2);
    assert_int_equal(b.row[0].box.kind, MDF_MASK_DISC);
    assert_false(b.row[0].box.is_fraction);
    assert_true(b.row[0].box.left == 395.2 && b.row[0].box.bottom == 236.1);
    assert_int_equal(b.row[1].box.kind, MDF_MASK_HARD_EXUDATE);
    assert_int_equal(b.unknown_count, 1);
    assert_int_equal(b.unknown_rows, 2);
    assert_string_equal(b.unknown[0], "drusen");
    mdf_boxes_free(&b);
    assert_int_equal(parse(&b,
                           "file;cls;x_centre;y_centre;width;height\n"
                           "a.jpg;haemorrhage; 0.5 ;0.25;0.5;0.125\n",
                           &err),
                     MDF_OK);
    assert_int_equal(b.count, 1);
    assert_true(b.row[0].box.is_fraction && b.row[0].box.left == 0.25 &&
                b.row[0].box.right == 0.75 && b.row[0].box.top == 0.1875 &&
                b.row[0].box.bottom == 0.3125);
    mdf_boxes_free(&b);
}

static void kinds_are_understood_in_several_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        int kind;
    } words[] = {{"vessel", MDF_MASK_VESSEL},
                 {"disc", MDF_MASK_DISC},
                 {"Optic-Disk", MDF_MASK_DISC},
                 {"cups", MDF_MASK_CUP},
                 {"Lesions", MDF_MASK_LESION},
                 {"haemorrhages", MDF_MASK_HAEMORRHAGE},
                 {"hemorrhage", MDF_MASK_HAEMORRHAGE},
                 {"hard_exudates", MDF_MASK_HARD_EXUDATE},
                 {"discus", -1},
                 {"soft_exudate", -1},
                 {"", -1}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_int_equal(mdf_box_kind(words[i].word), words[i].kind);
    }
}

static void what_is_no_box_is_named(void **state)
{
    (void)state;
    expect("file_name,x0,y0,x1,y1\n", "boxes.csv: no column class");
    expect("class,x0,y0,x1,y1\n", "boxes.csv: no column file_name");
    expect("file_name,class,x0,y0,x1\n",
           "boxes.csv: it needs the columns x0, y0, x1, y1 (corners in pixels) or x_centre, "
           "y_centre, width, height (fractions of the picture)");
    expect("file_name,class,x0,y0,x1,y1,x_center,y_center,width,height\n",
           "boxes.csv: it needs the columns x0, y0, x1, y1 (corners in pixels) or x_centre, "
           "y_centre, width, height (fractions of the picture), not both");
    expect("file_name,class,x0,y0,x1,y1\na,disc,1,2,x,4\n",
           "boxes.csv line 2: x1 is no number: 'x'");
    expect("file_name,class,x0,y0,x1,y1\na,disc,1,2,nan,4\n",
           "boxes.csv line 2: x1 is no number: 'nan'");
    expect("file_name,class,x0,y0,x1,y1\na,disc,1,,3,4\n", "boxes.csv line 2: y0 is no number: ''");
    expect("file_name,class,x0,y0,x1,y1\na,disc,1,2,1,4\n",
           "boxes.csv line 2: the box has no area");
    expect("file_name,class,x0,y0,x1,y1\n,disc,1,2,3,4\n", "boxes.csv line 2: file_name is empty");
    expect("file_name,class,x0,y0,x1,y1\na,disc,1,2,3,60000\n",
           "boxes.csv line 2: the box from 1, 2 to 3, 60000 cannot be pixels of a picture");
    expect("file_name,class,x_centre,y_centre,width,height\na,disc,395,165,10,10\n",
           "boxes.csv line 2: the box from 390, 160 to 400, 170 lies outside of its picture: "
           "fractions are 0 to 1");
    expect("file_name,class,unit,x0,y0,x1,y1\na,disc,mm,1,2,3,4\n",
           "boxes.csv line 2: the unit is 'mm', not pixel or fraction");
}

/* A table that ends early is refused or has fewer boxes: it is never read beyond its end. */
static void every_truncation_is_read_or_refused(void **state)
{
    (void)state;
    static const char text[] = "file_name,class,unit,x0,y0,x1,y1\na.jpg,disc,pixel,1,2,3,4.5\n"
                               "b.jpg,\"cup\",fraction,0.1,0.2,0.3,0.4\n";
    for (size_t len = 0; len < sizeof text; len++) {
        mdf_boxes b;
        mdf_error err = {0};
        uint8_t *exact = mdf_alloc(len, 1);
        memcpy(exact, text, len);
        const mdf_status status = mdf_boxes_parse(&b, "boxes.csv", exact, len, &err);
        assert_true(status == MDF_OK ? b.count <= 2 : err.text[0] != '\0');
        mdf_boxes_free(&b);
        mdf_free(exact);
    }
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    const char *const text = "file_name,class,x0,y0,x1,y1\na.jpg,disc,1,2,3,4\n";
    mdf_status status = MDF_ERR_NOMEM;
    for (long n = 1; status != MDF_OK; n++) {
        mdf_boxes b;
        assert_true(n < 100);
        mdf_alloc_fail_after(n);
        status = parse(&b, text, NULL);
        mdf_alloc_fail_after(0);
        assert_true(status == MDF_OK || status == MDF_ERR_NOMEM);
        mdf_boxes_free(&b);
    }
}

static void cases_get_their_boxes_and_the_rest_is_said(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    mdf_manifest copy;
    mdf_error err = {0};
    test_folder_make(&f);
    test_put(&f, "a.jpg", "");
    test_put(&f, "b.jpg", "");
    test_put(&f, "m.png", "");
    test_put(&f, "metadata.csv", "file_name,cup_mask\nb.jpg,m.png\na.jpg,\n");
    test_put(&f, "boxes.csv",
             "file_name,class,x0,y0,x1,y1\na.jpg,disc,1,2,3,4\n"
             "lost.jpg,disc,1,2,3,4\na.jpg,haemorrhage,5,6,7,8\n"
             "b.jpg,fovea,5,6,7,8\n");
    const char *const dirs[] = {f.path};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, &err), MDF_OK);
    assert_int_equal(m.cases[0].box_count, 0);
    assert_int_equal(m.cases[1].box_count, 2);
    assert_int_equal(m.cases[1].boxes[0].kind, MDF_MASK_DISC);
    assert_int_equal(m.cases[1].boxes[1].kind, MDF_MASK_HAEMORRHAGE);
    assert_true(mdf_case_has_mask(&m.cases[0], MDF_MASK_CUP));
    assert_false(mdf_case_has_mask(&m.cases[0], MDF_MASK_DISC));
    assert_true(mdf_case_has_mask(&m.cases[1], MDF_MASK_DISC));
    assert_int_equal(m.note_count, 2);
    assert_non_null(strstr(m.notes[0].text, "/boxes.csv: 1 box is of a kind that mdf does not "
                                            "know: 'fovea'"));
    assert_non_null(strstr(m.notes[1].text, "/boxes.csv: 1 box is on no picture of the table "
                                            "(line 3: 'lost.jpg')"));
    assert_int_equal(mdf_manifest_copy(&copy, &m, NULL), MDF_OK);
    mdf_manifest_free(&m);
    assert_int_equal(copy.cases[1].box_count, 2);
    assert_true(copy.cases[1].boxes[1].bottom == 8);
    mdf_manifest_free(&copy);
    test_put(&f, "boxes.csv", "file_name,class\n");
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "/boxes.csv: it needs the columns"));
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corners_and_centres_are_read),
        cmocka_unit_test(kinds_are_understood_in_several_spellings),
        cmocka_unit_test(what_is_no_box_is_named),
        cmocka_unit_test(every_truncation_is_read_or_refused),
        cmocka_unit_test(running_out_of_memory_is_reported),
        cmocka_unit_test(cases_get_their_boxes_and_the_rest_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
