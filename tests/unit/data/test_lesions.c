/* The signs of a photograph, joined from masks of several kinds and sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/alloc.h"
#include "data/lesions.h"
#include "support/folder.h"

static uint8_t two[2 * 2] = {255, 0, 0, 0};        /* the upper left quarter */
static uint8_t four[4 * 4] = {[2 * 4 + 3] = 255};  /* row 2, column 3 */
static uint8_t three[3 * 3] = {[1 * 3 + 1] = 255}; /* the middle */
static uint8_t all_over[4 * 4] = {255, 255, 255, 255, 255, 255, 255, 255,
                                  255, 255, 255, 255, 255, 255, 255, 255};

static const mdf_manifest_case info = {.path = "a.png"};

static void masks_of_several_sizes_are_joined_at_the_finest(void **state)
{
    (void)state;
    mdf_sample s = {.info = &info};
    mdf_grey out;
    s.mask[MDF_MASK_HAEMORRHAGE] = (mdf_grey){2, 2, two};
    s.mask[MDF_MASK_HARD_EXUDATE] = (mdf_grey){4, 4, four};
    s.mask[MDF_MASK_VESSEL] = (mdf_grey){4, 4, all_over}; /* no sign */
    assert_int_equal(mdf_sample_lesions(&out, &s, NULL), MDF_OK);
    assert_int_equal(out.width, 4);
    assert_int_equal(out.height, 4);
    for (int i = 0; i < 16; i++) {
        const bool quarter = i / 4 < 2 && i % 4 < 2;
        assert_int_equal(out.px[i], quarter || i == 2 * 4 + 3 ? 255 : 0);
    }
    assert_ptr_not_equal(out.px, four); /* a copy: the sample keeps its own */
    mdf_grey_free(&out);
}

/* Centres of four pixels lie at 1/8, 3/8, 5/8 and 7/8: the middle two in the middle third. */
static void a_pixel_takes_what_its_centre_lies_on(void **state)
{
    (void)state;
    mdf_sample s = {.info = &info};
    mdf_grey out;
    s.mask[MDF_MASK_HAEMORRHAGE] = (mdf_grey){3, 3, three};
    s.mask[MDF_MASK_LESION] = (mdf_grey){4, 4, four};
    assert_int_equal(mdf_sample_lesions(&out, &s, NULL), MDF_OK);
    for (int i = 0; i < 16; i++) {
        const bool middle = (i / 4 == 1 || i / 4 == 2) && (i % 4 == 1 || i % 4 == 2);
        assert_int_equal(out.px[i], middle || i == 2 * 4 + 3 ? 255 : 0);
    }
    mdf_grey_free(&out);
}

static void one_mask_stays_as_it_is(void **state)
{
    (void)state;
    for (int k = 0; k < MDF_LESION_MASKS; k++) {
        mdf_sample s = {.info = &info};
        mdf_grey out;
        s.mask[mdf_lesion_masks[k]] = (mdf_grey){3, 3, three};
        assert_int_equal(mdf_sample_lesions(&out, &s, NULL), MDF_OK);
        assert_int_equal(out.width, 3);
        assert_memory_equal(out.px, three, sizeof three);
        mdf_grey_free(&out);
    }
}

static void no_mask_is_no_union(void **state)
{
    (void)state;
    mdf_sample s = {.info = &info};
    mdf_grey out;
    s.mask[MDF_MASK_CUP] = (mdf_grey){4, 4, all_over};
    assert_int_equal(mdf_sample_lesions(&out, &s, NULL), MDF_OK);
    assert_null(out.px);
    mdf_grey_free(&out);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    mdf_sample s = {.info = &info};
    mdf_grey out;
    mdf_error err = {0};
    s.mask[MDF_MASK_LESION] = (mdf_grey){3, 3, three};
    mdf_alloc_fail_after(1);
    const mdf_status status = mdf_sample_lesions(&out, &s, &err);
    mdf_alloc_fail_after(0);
    assert_int_equal(status, MDF_ERR_NOMEM);
    assert_non_null(strstr(err.text, "a.png"));
    assert_null(out.px);
}

/* Files and boxes count, of signs alone. */
static void a_case_has_lesions_by_file_or_box(void **state)
{
    (void)state;
    test_folder f;
    mdf_manifest m;
    test_folder_make(&f);
    for (int i = 0; i < 5; i++) {
        char name[] = "a.png";
        name[0] = (char)('a' + i);
        test_put(&f, name, "");
    }
    test_put(&f, "m.png", "");
    test_put(&f, "metadata.csv",
             "file_name,vessel_mask,haemorrhage_mask,hard_exudate_mask,lesion_mask\n"
             "a.png,m.png,,,\nb.png,,m.png,,\nc.png,,,m.png,\nd.png,,,,m.png\ne.png,,,,\n");
    test_put(&f, "boxes.csv",
             "file_name,class,unit,x0,y0,x1,y1\n"
             "a.png,optic_disc,pixel,0,0,1,1\ne.png,haemorrhage,pixel,0,0,1,1\n");
    const char *const dirs[] = {f.path};
    assert_int_equal(mdf_manifest_load(&m, dirs, 1, NULL), MDF_OK);
    assert_int_equal(m.case_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mdf_case_has_lesions(&m.cases[i]), i > 0);
    }
    mdf_manifest_free(&m);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_of_several_sizes_are_joined_at_the_finest),
        cmocka_unit_test(a_pixel_takes_what_its_centre_lies_on),
        cmocka_unit_test(one_mask_stays_as_it_is),
        cmocka_unit_test(no_mask_is_no_union),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(a_case_has_lesions_by_file_or_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
