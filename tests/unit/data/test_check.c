/* The data check on a folder with one of each fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "data/check.h"
#include "photo/image.h"
#include "support/folder.h"

enum { SIDE = 96 };

/* Blobs that differ by seed; gain changes the brightness a little, as a second export would. */
static void put_picture(const test_folder *f, const char *name, uint64_t seed, double gain)
{
    static uint8_t px[SIDE * SIDE * 3];
    mdf_rng rng = mdf_rng_new(seed, 9);
    double grid[6][6];
    for (int i = 0; i < 36; i++) {
        grid[i / 6][i % 6] = mdf_rng_range(&rng, 60, 220);
    }
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const double v = grid[y / 16][x / 16] * gain;
            for (int k = 0; k < 3; k++) {
                px[3 * (y * SIDE + x) + k] = (uint8_t)v;
            }
        }
    }
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    assert_int_equal(mdf_png_write(path, px, SIDE, SIDE, 3, NULL), MDF_OK);
}

static void make(test_folder *f, mdf_manifest *m)
{
    test_folder_make(f);
    put_picture(f, "a.png", 1, 1.0);
    put_picture(f, "b.png", 2, 1.0);
    put_picture(f, "copy.png", 1, 0.95);
    put_picture(f, "c.png", 3, 1.0);
    test_put(f, "broken.jpg", "this is not a picture");
    test_put(f, "metadata.csv",
             "file_name,label,split,patient_id,text\n"
             "a.png,dr,train,P1,Diabetic retinopathy suspected.\n"
             "b.png,normal,train,P2,Fellow eye: normal fundus. Left eye.\n"
             "copy.png,normal,test,P3,\n"
             "c.png,,test,P1,\n"
             "broken.jpg,dr,train,P4,Dr. Miller saw drusen.\n");
    const char *const dirs[] = {f->path};
    assert_int_equal(mdf_manifest_load(m, dirs, 1, NULL), MDF_OK);
}

static void every_fault_is_found(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    mdf_check c;
    make(&f, &m);
    assert_int_equal(mdf_check_run(&c, &m, &(mdf_check_options){0}, NULL), MDF_OK);
    assert_int_equal(c.split_count, 2);
    /* dr: 2 train; normal: 1 train, 1 test; unlabelled: 1 test */
    static const size_t want[3][2] = {{2, 0}, {1, 1}, {0, 1}};
    assert_memory_equal(c.count, want, sizeof want);
    assert_int_equal(c.unreadable.count, 1);
    assert_int_equal(c.unreadable.item[0].number, 4);
    assert_non_null(strstr(c.unreadable.item[0].reason, "broken.jpg"));
    assert_int_equal(c.pair_count, 1);
    assert_int_equal(c.pairs[0].first, 0);
    assert_int_equal(c.pairs[0].second, 2);
    assert_int_equal(c.pairs_across_splits, 1);
    assert_int_equal(c.pairs_across_labels, 1);
    assert_int_equal(c.torn_count, 1);
    assert_string_equal(m.cases[c.torn[0]].patient_id, "P1");
    assert_int_equal(c.leak[0].own, 2); /* "Diabetic retinopathy", and "Dr." which is a doctor */
    assert_int_equal(c.leak[0].fellow, 0);
    assert_int_equal(c.leak[1].own, 0);
    assert_int_equal(c.leak[1].fellow, 1);
    assert_true(mdf_check_has_faults(&c));
    json_t *j = mdf_check_json(&c);
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(j, "n")), 5);
    assert_int_equal(json_array_size(json_object_get(j, "duplicates")), 1);
    assert_int_equal(json_array_size(json_object_get(j, "unreadable")), 1);
    assert_true(json_is_true(json_object_get(j, "faults")));
    json_decref(j);
    mdf_strbuf text = mdf_strbuf_new(1 << 16);
    mdf_check_text(&text, &c);
    assert_non_null(strstr(text.data, "5 cases of 4 patients\n"));
    assert_non_null(strstr(text.data, "unreadable pictures: 1 of 5\n"));
    assert_non_null(strstr(text.data, "patients on two sides: 1\n  P1\n"));
    mdf_strbuf_free(&text);
    mdf_check_free(&c);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void put_mask(const test_folder *f, const char *name, int width, int height, uint8_t low,
                     uint8_t high)
{
    static uint8_t px[SIDE * SIDE];
    for (int i = 0; i < width * height; i++) {
        px[i] = i < 100 ? high : low;
    }
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    assert_int_equal(mdf_png_write(path, px, width, height, 1, NULL), MDF_OK);
}

static void expect_item(const test_folder *f, const mdf_check_item *item, size_t number,
                        const char *rest)
{
    assert_int_equal(item->number, number);
    assert_memory_equal(item->reason, f->path, strlen(f->path));
    assert_string_equal(item->reason + strlen(f->path), rest);
}

/* Damaged, of another shape, empty, and with values that may mean several things. */
static void masks_are_opened_too(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    mdf_check c;
    test_folder_make(&f);
    put_picture(&f, "a.png", 1, 1);
    put_mask(&f, "usual.png", SIDE, SIDE, 0, 255);
    put_mask(&f, "one.png", SIDE / 2, SIDE / 2, 0, 1);
    put_mask(&f, "empty.png", SIDE, SIDE, 0, 0);
    put_mask(&f, "full.png", SIDE, SIDE, 1, 1);
    put_mask(&f, "flat.png", SIDE, SIDE / 2, 0, 255);
    test_put(&f, "broken.png", "garbage");
    test_put(&f, "broken_picture.png", "garbage");
    test_put(
        &f, "metadata.csv",
        "file_name,vessel_mask,lesion_mask\na.png,usual.png,empty.png\na.png,one.png,full.png\n"
        "a.png,broken.png,flat.png\nbroken_picture.png,flat.png,\n");
    const char *const dirs[] = {f.path};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(mdf_check_run(&c, &m, &(mdf_check_options){0}, NULL), MDF_OK);
    assert_int_equal(c.masks[MDF_MASK_VESSEL].count, 4);
    assert_int_equal(c.masks[MDF_MASK_VESSEL].empty, 0);
    assert_int_equal(c.masks[MDF_MASK_LESION].count, 3);
    assert_int_equal(c.masks[MDF_MASK_LESION].empty, 1);
    assert_int_equal(c.unusable_masks.count, 2); /* the shape of a lost picture is not known */
    expect_item(&f, &c.unusable_masks.item[0], 2,
                "/broken.png: not a JPEG, PNG, TIFF, WebP or GIF picture (it looks like a text "
                "file)");
    expect_item(&f, &c.unusable_masks.item[1], 2,
                "/flat.png: a mask of 96 x 48 pixels for a picture of 96 x 96");
    assert_int_equal(c.unclear_masks.count, 1);
    expect_item(&f, &c.unclear_masks.item[0], 1, "/full.png: value 1: all of it is foreground");
    c.unreadable.count = 0; /* a mask alone makes a fault */
    c.pairs_across_splits = 0;
    assert_true(mdf_check_has_faults(&c));
    mdf_strbuf text = mdf_strbuf_new(1 << 16);
    mdf_check_text(&text, &c);
    assert_non_null(strstr(text.data, "\nmasks: vessel 4 (0 empty), lesion 3 (1 empty)\n"
                                      "unusable masks: 2\n  "));
    assert_non_null(strstr(text.data, "\nmasks whose values leave open what is meant: 1\n  "));
    mdf_strbuf_free(&text);
    json_t *j = mdf_check_json(&c);
    const json_t *masks = json_object_get(j, "masks");
    assert_int_equal(json_integer_value(json_object_get(masks, "lesion_empty")), 1);
    assert_int_equal(json_array_size(json_object_get(masks, "unusable")), 2);
    assert_int_equal(json_array_size(json_object_get(masks, "unclear")), 1);
    json_decref(j);
    c.unreadable.count = 1;
    mdf_check_free(&c);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void the_notes_on_the_data_stand_in_the_report(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    mdf_check c;
    test_folder_make(&f);
    test_put(&f, "dr/1.jpg", "");
    test_put(&f, "dr/2.bmp", "");
    const char *const dirs[] = {f.path};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(mdf_check_run(&c, &m, &(mdf_check_options){.skip_images = true}, NULL),
                     MDF_OK);
    mdf_strbuf text = mdf_strbuf_new(1 << 16);
    mdf_check_text(&text, &c);
    char want[128];
    (void)snprintf(want, sizeof want,
                   "\nnotes\n  %s: 1 file is no picture that mdf reads: .bmp (1)\n", f.path);
    assert_non_null(strstr(text.data, want));
    mdf_strbuf_free(&text);
    json_t *j = mdf_check_json(&c);
    assert_int_equal(json_array_size(json_object_get(j, "notes")), 1);
    json_decref(j);
    mdf_check_free(&c);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static bool stop_at_two(void *user, size_t done, size_t total)
{
    assert_int_equal(total, 5);
    *(size_t *)user = done;
    return done < 2;
}

static void the_check_can_be_stopped_and_can_leave_pictures_alone(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    mdf_check c;
    make(&f, &m);
    size_t seen = 0;
    mdf_error err = {0};
    const mdf_check_options stop = {.progress = stop_at_two, .user = &seen};
    assert_int_equal(mdf_check_run(&c, &m, &stop, &err), MDF_ERR_STOPPED);
    assert_int_equal(seen, 2);
    assert_null(c.leak);
    assert_int_equal(mdf_check_run(&c, &m, &(mdf_check_options){.skip_images = true}, NULL),
                     MDF_OK);
    assert_int_equal(c.checked_images, 0);
    assert_int_equal(c.torn_count, 1);
    mdf_check_free(&c);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static void labels_are_found_as_whole_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *label;
        bool found;
    } rows[] = {
        {"Retinitis pigmentosa since 2009.", "retinitis_pigmentosa", true},
        {"Age-Related  macular degeneration", "amd", true},
        {"wet AMD, left", "amd", true},
        {"drusen", "dr", false},
        {"abnormal disc", "normal", false},
        {"Stargardt's disease", "stargardt", true},
        {"hypertensive retinopathy", "dr", false},
        {"glaucomas", "glaucoma", false},
        {"", "dr", false},
        {"cataract", "cataract", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(mdf_check_names_label(rows[i].text, strlen(rows[i].text), rows[i].label),
                         rows[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_found),
        cmocka_unit_test(masks_are_opened_too),
        cmocka_unit_test(the_notes_on_the_data_stand_in_the_report),
        cmocka_unit_test(the_check_can_be_stopped_and_can_leave_pictures_alone),
        cmocka_unit_test(labels_are_found_as_whole_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
