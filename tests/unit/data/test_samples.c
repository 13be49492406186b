/* Masks as training sees them: however they are written, the same batch comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/samples.h"
#include "photo/image.h"
#include "support/folder.h"

enum { SIDE = 64 };

static void put_picture(const test_folder *f, const char *name, int channels, uint8_t low,
                        uint8_t high)
{
    static uint8_t px[SIDE * SIDE * 3];
    for (int i = 0; i < SIDE * SIDE * channels; i++) {
        const int x = i / channels % SIDE;
        px[i] = x >= SIDE / 4 && x < SIDE / 2 ? high : low;
    }
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    assert_int_equal(mdf_png_write(path, px, SIDE, SIDE, channels, NULL), MDF_OK);
}

static const mdf_mask_name names[] = {MDF_MASK_VESSEL, MDF_MASK_DISC, MDF_MASK_LESION,
                                      MDF_MASK_HARD_EXUDATE};
static const mdf_samples_options all = {
    .side = SIDE, .use_image = true, .masks = names, .mask_count = 4};

static void masks_of_0_and_1_are_masks_of_0_and_255(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    mdf_samples s;
    test_folder_make(&f);
    put_picture(&f, "a.png", 3, 120, 200);
    put_picture(&f, "usual.png", 1, 0, 255);
    put_picture(&f, "one.png", 1, 0, 1);
    put_picture(&f, "empty.png", 1, 0, 0);
    test_put(&f, "metadata.csv",
             "file_name,vessel_mask,lesion_mask\na.png,usual.png,one.png\na.png,empty.png,\n");
    const char *const dirs[] = {f.path};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(mdf_samples_load(&s, &m, &all, NULL, NULL, NULL), MDF_OK);
    const mdf_grey *usual = &s.item[0].mask[MDF_MASK_VESSEL];
    const mdf_grey *one = &s.item[0].mask[MDF_MASK_LESION];
    const size_t n = (size_t)usual->width * (size_t)usual->height;
    size_t on = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(usual->px[i], one->px[i]);
        on += usual->px[i] == 255 ? 1 : 0;
    }
    assert_int_equal(on, SIDE * SIDE / 4);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(s.item[1].mask[MDF_MASK_VESSEL].px[i], 0);
    }
    mdf_samples_free(&s);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

static size_t set(const mdf_grey *mask)
{
    size_t n = 0;
    for (size_t i = 0; i < (size_t)mask->width * (size_t)mask->height; i++) {
        n += mask->px[i] == 255;
    }
    return n;
}

/* A picture without dark ground is its own square, so boxes lie where they say. */
static void boxes_become_masks_of_their_kinds(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    mdf_samples s;
    mdf_error err = {0};
    test_folder_make(&f);
    put_picture(&f, "a.png", 3, 120, 200);
    put_picture(&f, "m.png", 1, 0, 255);
    test_put(&f, "metadata.csv", "file_name,lesion_mask\na.png,m.png\n");
    test_put(&f, "boxes.csv",
             "file_name,class,unit,x0,y0,x1,y1\n"
             "a.png,hard_exudates,pixel,8,16,12,20\n"
             "a.png,hard_exudates,fraction,0.5,0.5,0.75,0.625\n"
             "a.png,optic_disc,pixel,20,30,40,40\n"
             "a.png,lesion,pixel,0,0,64,64\n"
             "a.png,haemorrhage,pixel,0,0,64,64\n");
    const char *const dirs[] = {f.path};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(mdf_samples_load(&s, &m, &all, NULL, NULL, NULL), MDF_OK);
    const mdf_grey *exudate = &s.item[0].mask[MDF_MASK_HARD_EXUDATE];
    assert_int_equal(set(exudate), 4 * 4 + 16 * 8);
    assert_int_equal(exudate->px[16 * SIDE + 8], 255);
    assert_int_equal(exudate->px[20 * SIDE + 12], 0);
    assert_int_equal(exudate->px[32 * SIDE + 32], 255);
    assert_true(s.item[0].partial[MDF_MASK_HARD_EXUDATE]);
    /* An ellipse of half axes 10 and 5: 157 pixels, up to half of a circumference of 48. */
    const mdf_grey *disc = &s.item[0].mask[MDF_MASK_DISC];
    assert_in_range(set(disc), 133, 181);
    assert_int_equal(disc->px[35 * SIDE + 30], 255);
    assert_int_equal(disc->px[31 * SIDE + 21], 0);
    assert_false(s.item[0].partial[MDF_MASK_DISC]);
    /* A file goes before boxes, and nobody asked for haemorrhages. */
    assert_int_equal(set(&s.item[0].mask[MDF_MASK_LESION]), SIDE * SIDE / 4);
    assert_false(s.item[0].partial[MDF_MASK_LESION]);
    assert_null(s.item[0].mask[MDF_MASK_HAEMORRHAGE].px);
    assert_null(s.item[0].mask[MDF_MASK_VESSEL].px);
    assert_true(mdf_fov_holds(&s.item[0].fov, 0.5, 0.5));
    mdf_samples_free(&s);
    mdf_manifest_free(&m);
    test_put(&f, "boxes.csv", "file_name,class,x0,y0,x1,y1\na.png,disc,64,0,70,5\n");
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(mdf_samples_load(&s, &m, &all, NULL, NULL, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "a.png: a box of boxes.csv from 64, 0 to 70, 5 lies outside "
                                     "of the picture of 64 x 64 pixels"));
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

/* Near the centre it is disc, far from it none, between nobody knows: radii 0.6 and 1.6 times half
 * a 7th of 64 pixels, 2.7 and 7.3. Boxes and files go before a centre. */
static void a_centre_is_a_disc_with_a_vague_edge(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    mdf_samples s;
    mdf_error err = {0};
    test_folder_make(&f);
    put_picture(&f, "a.png", 3, 120, 200);
    put_picture(&f, "b.png", 3, 120, 200);
    put_picture(&f, "c.png", 3, 120, 200);
    put_picture(&f, "m.png", 1, 0, 255);
    test_put(&f, "metadata.csv",
             "file_name,optic_disc_x,Optic Disc Y,disc_mask\na.png,30.5,20.5,\nb.png,30,20,\n"
             "c.png,30,20,m.png\n");
    test_put(&f, "boxes.csv",
             "file_name,class,unit,x0,y0,x1,y1\nb.png,optic_disc,pixel,8,8,20,20\n");
    const char *const dirs[] = {f.path};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(mdf_samples_load(&s, &m, &all, NULL, NULL, NULL), MDF_OK);
    const uint8_t *px = s.item[0].mask[MDF_MASK_DISC].px;
    static const struct {
        int dx, value;
    } want[] = {{0, 255}, {2, 255}, {3, MDF_MASK_UNKNOWN}, {7, MDF_MASK_UNKNOWN}, {8, 0}, {20, 0}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_int_equal(px[20 * SIDE + 30 + want[i].dx], want[i].value);
        assert_int_equal(px[20 * SIDE + 30 - want[i].dx], want[i].value);
        if (want[i].dx <= 20) {
            assert_int_equal(px[(20 - want[i].dx) * SIDE + 30], want[i].value);
        }
    }
    assert_true(s.item[0].only_centre && s.item[0].has_mask);
    for (int i = 1; i < 3; i++) {
        const mdf_grey *disc = &s.item[i].mask[MDF_MASK_DISC];
        assert_false(s.item[i].only_centre);
        assert_int_equal(memchr(disc->px, MDF_MASK_UNKNOWN, SIDE * SIDE) == NULL, 1);
    }
    mdf_samples_free(&s);
    m.cases[0].disc_x = 64; /* pixels are 0 to 63 */
    assert_int_equal(mdf_samples_load(&s, &m, &all, NULL, NULL, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "the disc's centre at 64, 20.5 lies outside of the picture of "
                                     "64 x 64 pixels"));
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_of_0_and_1_are_masks_of_0_and_255),
        cmocka_unit_test(boxes_become_masks_of_their_kinds),
        cmocka_unit_test(a_centre_is_a_disc_with_a_vague_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
