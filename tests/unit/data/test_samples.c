/* Masks as training sees them: however they are written, the same batch comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
    assert_int_equal(mdf_samples_load(&s, &m, SIDE, true, NULL, NULL, NULL), MDF_OK);
    const mdf_grey *usual = &s.item[0].mask[0];
    const mdf_grey *one = &s.item[0].mask[1];
    const size_t n = (size_t)usual->width * (size_t)usual->height;
    size_t on = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(usual->px[i], one->px[i]);
        on += usual->px[i] == 255 ? 1 : 0;
    }
    assert_int_equal(on, SIDE * SIDE / 4);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(s.item[1].mask[0].px[i], 0);
    }
    mdf_samples_free(&s);
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_of_0_and_1_are_masks_of_0_and_255),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
