/* A phantom data set on disk: complete, honest about its splits, and refused where it must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "phantom/phantom.h"

#define COLUMNS 12

static char *make_folder(void)
{
    char *dir = strdup("/tmp/mdf-phantom-XXXXXX");
    assert_non_null(dir);
    assert_non_null(mkdtemp(dir));
    return dir;
}

static void remove_folder(char *dir)
{
    char command[256];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
    free(dir);
}

static char *read_text(const char *dir, const char *name)
{
    mdf_error err = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    char *path = mdf_path_join(dir, name);
    if (mdf_file_read(path, 1 << 24, &data, &len, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    mdf_free(path);
    return (char *)data;
}

/* Splits one line of RFC 4180 text in place; returns the start of the next line. */
static char *split_row(char *line, char *fields[COLUMNS], int *count)
{
    char *p = line;
    *count = 0;
    for (;;) {
        char *out = p;
        const bool quoted = *p == '"';
        char *field = out;
        if (quoted) {
            p++;
            while (*p != '"' || p[1] == '"') {
                assert_true(*p != '\0');
                p += *p == '"';
                *out++ = *p++;
            }
            p++;
        } else {
            while (*p != ',' && *p != '\n') {
                assert_true(*p != '\0' && *p != '"');
                *out++ = *p++;
            }
        }
        const char end = *p++;
        assert_true(end == ',' || end == '\n');
        *out = '\0';
        assert_true(*count < COLUMNS);
        fields[(*count)++] = field;
        if (end == '\n') {
            return p;
        }
    }
}

/* colour_type is byte 25 of the file: 2 = RGB, 0 = grey. */
static void check_png(const char *dir, const char *name, int side, int colour_type)
{
    char *path = mdf_path_join(dir, name);
    cairo_surface_t *s = cairo_image_surface_create_from_png(path);
    assert_int_equal(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
    assert_int_equal(cairo_image_surface_get_width(s), side);
    assert_int_equal(cairo_image_surface_get_height(s), side);
    char *bytes = read_text(dir, name);
    assert_int_equal(bytes[25], colour_type);
    mdf_free(bytes);
    cairo_surface_destroy(s);
    mdf_free(path);
}

static bool count_up(void *user, uint32_t done, uint32_t total)
{
    uint32_t *seen = user;
    assert_int_equal(done, *seen + 1);
    assert_int_equal(total, 84);
    *seen = done;
    return true;
}

static void a_data_set_is_complete_and_split_by_patient(void **state)
{
    (void)state;
    char *dir = make_folder();
    char *inner = mdf_path_join(dir, "a/b"); /* made on the way */
    mdf_error err = {0};
    uint32_t seen = 0;
    const mdf_phantom_options opt = {.patients = 42, .side_px = 40, .seed = 9};
    if (mdf_phantom_write(inner, &opt, count_up, &seen, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(seen, 84);

    char *table = read_text(inner, "metadata.csv");
    char *fields[COLUMNS];
    int count = 0;
    const char *const names[COLUMNS] = {"file_name",   "label",       "patient_id", "split",
                                        "eye",         "age",         "sex",        "text",
                                        "vessel_mask", "lesion_mask", "disc_mask",  "cup_mask"};
    char *p = split_row(table, fields, &count);
    assert_int_equal(count, COLUMNS);
    for (int i = 0; i < COLUMNS; i++) {
        assert_string_equal(fields[i], names[i]);
    }

    int rows = 0;
    int per_label_split[MDF_PHANTOM_LABEL_COUNT][3] = {{0}};
    char last_patient[16] = "";
    char last_split[8] = "";
    while (*p != '\0') {
        p = split_row(p, fields, &count);
        assert_int_equal(count, COLUMNS);
        check_png(inner, fields[0], 40, 2);
        check_png(inner, fields[8], 40, 0);
        check_png(inner, fields[9], 40, 0);
        check_png(inner, fields[10], 40, 0);
        check_png(inner, fields[11], 40, 0);
        mdf_phantom_label label = MDF_PHANTOM_NORMAL;
        assert_true(mdf_phantom_label_parse(fields[1], &label));
        const int side = strcmp(fields[3], "train") == 0 ? 0
                         : strcmp(fields[3], "val") == 0 ? 1
                                                         : 2;
        assert_true(side < 2 || strcmp(fields[3], "test") == 0);
        per_label_split[label][side]++;
        if (rows % 2 == 1) { /* the fellow eye follows, on the same side */
            assert_string_equal(fields[2], last_patient);
            assert_string_equal(fields[3], last_split);
            assert_string_equal(fields[4], "left");
        } else {
            assert_string_not_equal(fields[2], last_patient);
            assert_string_equal(fields[4], "right");
        }
        (void)snprintf(last_patient, sizeof last_patient, "%s", fields[2]);
        (void)snprintf(last_split, sizeof last_split, "%s", fields[3]);
        rows++;
    }
    assert_int_equal(rows, 84);
    for (int i = 0; i < MDF_PHANTOM_LABEL_COUNT; i++) { /* 6 patients: 4, 1, 1; two eyes each */
        assert_int_equal(per_label_split[i][0], 8);
        assert_int_equal(per_label_split[i][1], 2);
        assert_int_equal(per_label_split[i][2], 2);
    }
    mdf_free(table);
    mdf_free(inner);
    remove_folder(dir);
}

static void the_picture_on_disk_is_the_rendered_one(void **state)
{
    (void)state;
    char *dir = make_folder();
    mdf_error err = {0};
    const mdf_phantom_options opt = {.patients = 2, .side_px = 48, .seed = 4};
    assert_int_equal(mdf_phantom_write(dir, &opt, NULL, NULL, &err), MDF_OK);

    mdf_phantom_case c;
    uint8_t rgb[48 * 48 * 3];
    uint8_t lesion[48 * 48];
    mdf_phantom_plan(&c, &opt, 3); /* left eye of the second patient */
    assert_int_equal(mdf_phantom_render(&c, 48, rgb, &(mdf_phantom_masks){.lesion = lesion}, &err),
                     MDF_OK);
    char *path = mdf_path_join(dir, "images/P0002_left.png");
    cairo_surface_t *s = cairo_image_surface_create_from_png(path);
    assert_int_equal(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
    for (int y = 0; y < 48; y++) {
        for (int x = 0; x < 48; x++) {
            uint32_t word = 0;
            memcpy(&word,
                   cairo_image_surface_get_data(s) + y * cairo_image_surface_get_stride(s) + 4 * x,
                   4);
            const uint8_t *want = rgb + 3 * (y * 48 + x);
            assert_int_equal(word & 0xffffff,
                             (uint32_t)want[0] << 16 | (uint32_t)want[1] << 8 | want[2]);
        }
    }
    cairo_surface_destroy(s);
    mdf_free(path);
    path = mdf_path_join(dir, "lesion_masks/P0002_left.png");
    s = cairo_image_surface_create_from_png(path);
    for (int y = 0; y < 48; y++) { /* cairo reads grey as RGB */
        const uint8_t *row =
            cairo_image_surface_get_data(s) + y * cairo_image_surface_get_stride(s);
        for (int x = 0; x < 48; x++) {
            uint32_t word = 0;
            memcpy(&word, row + 4 * x, 4);
            assert_int_equal(word & 0xff, lesion[y * 48 + x]);
        }
    }
    cairo_surface_destroy(s);
    mdf_free(path);
    remove_folder(dir);
}

static void only_the_asked_labels_appear(void **state)
{
    (void)state;
    char *dir = make_folder();
    mdf_error err = {0};
    const mdf_phantom_label two[] = {MDF_PHANTOM_STARGARDT, MDF_PHANTOM_DR};
    const mdf_phantom_options opt = {
        .patients = 6, .side_px = 32, .labels = two, .label_count = 2, .every_text = true};
    assert_int_equal(mdf_phantom_write(dir, &opt, NULL, NULL, &err), MDF_OK);
    char *table = read_text(dir, "metadata.csv");
    char *fields[COLUMNS];
    int count = 0;
    int stargardt = 0;
    int dr = 0;
    char *p = split_row(table, fields, &count);
    while (*p != '\0') {
        p = split_row(p, fields, &count);
        stargardt += strcmp(fields[1], "stargardt") == 0;
        dr += strcmp(fields[1], "dr") == 0;
        assert_true(strlen(fields[7]) > 0);
    }
    assert_int_equal(stargardt, 6);
    assert_int_equal(dr, 6);
    mdf_free(table);
    remove_folder(dir);
}

static void splits_are_stratified_and_follow_the_seed(void **state)
{
    (void)state;
    mdf_error err = {0};
    mdf_phantom_split a[700];
    mdf_phantom_split b[700];
    mdf_phantom_options opt = {.patients = 700, .seed = 1};
    assert_int_equal(mdf_phantom_splits(&opt, a, &err), MDF_OK);
    int sides[3] = {0};
    for (int i = 0; i < 700; i++) {
        sides[a[i]]++;
    }
    assert_int_equal(sides[MDF_PHANTOM_TRAIN], 490);
    assert_int_equal(sides[MDF_PHANTOM_VAL], 105);
    assert_int_equal(sides[MDF_PHANTOM_TEST], 105);
    opt.seed = 2;
    assert_int_equal(mdf_phantom_splits(&opt, b, &err), MDF_OK);
    assert_memory_not_equal(a, b, sizeof a);

    mdf_alloc_fail_after(1);
    assert_int_equal(mdf_phantom_splits(&opt, b, &err), MDF_ERR_NOMEM);
    mdf_alloc_fail_after(0);
}

static void a_folder_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    char *dir = make_folder();
    char *file = mdf_path_join(dir, "file");
    char *below = mdf_path_join(file, "set");
    mdf_error err = {0};
    assert_int_equal(mdf_file_write(file, "x", 1, &err), MDF_OK);
    const mdf_phantom_options opt = {.patients = 1, .side_px = 32};
    assert_int_equal(mdf_phantom_write(below, &opt, NULL, NULL, &err), MDF_ERR_IO);
    assert_non_null(strstr(err.text, file));
    mdf_free(below);
    mdf_free(file);
    remove_folder(dir);
}

static void a_picture_that_cannot_be_written_leaves_no_table(void **state)
{
    (void)state;
    /* images/ is made a link to a place where nothing can be created. */
    char *dir = make_folder();
    char *images = mdf_path_join(dir, "images");
    char *table = mdf_path_join(dir, "metadata.csv");
    mdf_error err = {0};
    assert_int_equal(symlink("/proc/self", images), 0);
    const mdf_phantom_options opt = {.patients = 1, .side_px = 32};
    assert_int_equal(mdf_phantom_write(dir, &opt, NULL, NULL, &err), MDF_ERR_IO);
    assert_non_null(strstr(err.text, "images/P0001_right.png"));
    assert_false(mdf_path_exists(table));
    mdf_free(images);
    mdf_free(table);
    remove_folder(dir);
}

static bool stop_at_once(void *user, uint32_t done, uint32_t total)
{
    (void)user;
    (void)done;
    (void)total;
    return false;
}

static void a_stopped_run_leaves_no_table_and_a_finished_one_is_not_overwritten(void **state)
{
    (void)state;
    char *dir = make_folder();
    char *table = mdf_path_join(dir, "metadata.csv");
    mdf_error err = {0};
    const mdf_phantom_options opt = {.patients = 1, .side_px = 32};
    assert_int_equal(mdf_phantom_write(dir, &opt, stop_at_once, NULL, &err), MDF_ERR_STOPPED);
    assert_non_null(strstr(err.text, "1 of 2"));
    assert_false(mdf_path_exists(table));

    assert_int_equal(mdf_phantom_write(dir, &opt, NULL, NULL, &err), MDF_OK);
    assert_true(mdf_path_exists(table));
    assert_int_equal(mdf_phantom_write(dir, &opt, NULL, NULL, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "already holds a data set"));
    mdf_free(table);
    remove_folder(dir);
}

static void absurd_options_are_refused_before_anything_is_made(void **state)
{
    (void)state;
    char *dir = make_folder();
    char *set = mdf_path_join(dir, "set");
    mdf_error err = {0};
    const mdf_phantom_label wrong = (mdf_phantom_label)99;
    const mdf_phantom_options small = {.patients = 1, .side_px = 31};
    const mdf_phantom_options negative = {.patients = 1, .side_px = -1};
    const mdf_phantom_options many = {.patients = MDF_PHANTOM_MAX_PATIENTS + 1};
    const mdf_phantom_options unknown = {.patients = 1, .labels = &wrong, .label_count = 1};
    assert_int_equal(mdf_phantom_write(set, &small, NULL, NULL, &err), MDF_ERR_ARG);
    assert_int_equal(mdf_phantom_write(set, &negative, NULL, NULL, &err), MDF_ERR_ARG);
    assert_int_equal(mdf_phantom_write(set, &many, NULL, NULL, &err), MDF_ERR_LIMIT);
    assert_int_equal(mdf_phantom_write(set, &unknown, NULL, NULL, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "99"));
    assert_false(mdf_path_exists(set));
    mdf_free(set);
    remove_folder(dir);
}

static void running_out_of_memory_is_reported_and_leaves_no_table(void **state)
{
    (void)state;
    const mdf_phantom_options opt = {.patients = 1, .side_px = 32};
    char *dir = make_folder();
    char *table = mdf_path_join(dir, "metadata.csv");
    int failures = 0;
    for (long n = 1; n < 200; n++) {
        mdf_error err = {0};
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_phantom_write(dir, &opt, NULL, NULL, &err);
        mdf_alloc_fail_after(0);
        if (status == MDF_OK) {
            break;
        }
        assert_int_equal(status, MDF_ERR_NOMEM);
        assert_false(mdf_path_exists(table));
        failures++;
    }
    assert_true(mdf_path_exists(table)); /* without a failure it is written at last */
    assert_true(failures > 10);
    mdf_free(table);
    remove_folder(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_data_set_is_complete_and_split_by_patient),
        cmocka_unit_test(the_picture_on_disk_is_the_rendered_one),
        cmocka_unit_test(only_the_asked_labels_appear),
        cmocka_unit_test(splits_are_stratified_and_follow_the_seed),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_named),
        cmocka_unit_test(a_picture_that_cannot_be_written_leaves_no_table),
        cmocka_unit_test(a_stopped_run_leaves_no_table_and_a_finished_one_is_not_overwritten),
        cmocka_unit_test(absurd_options_are_refused_before_anything_is_made),
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaves_no_table),
    };
    return cmocka_run_group_tests_name("data/phantom_write", tests, NULL, NULL);
}
