/* Resizing against Pillow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "photo/resize.h"
#include "support/picture.h"

static void bilinear_gives_the_bytes_of_pillow(void **state)
{
    (void)state;
    FILE *f = fopen(MDF_TEST_DATA "/golden/image/resize.txt", "r");
    assert_non_null(f);
    char line[200];
    int rows = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        int sw = 0;
        int sh = 0;
        int c = 0;
        int dw = 0;
        int dh = 0;
        uint64_t want = 0;
        if (line[0] == '#' ||
            sscanf(line, "%d %d %d %d %d %" SCNx64, &sw, &sh, &c, &dw, &dh, &want) != 6) {
            continue;
        }
        const size_t bytes = (size_t)dw * (size_t)dh * (size_t)c;
        uint8_t *src = mdf_alloc((size_t)sw * (size_t)sh * (size_t)c, 1);
        uint8_t *dst = mdf_alloc(bytes, 1);
        picture_pattern(src, sw, sh, c);
        assert_int_equal(mdf_resize_bilinear(dst, dw, dh, src, sw, sh, c, NULL), MDF_OK);
        if (picture_hash(dst, bytes) != want) {
            fail_msg("%d x %d x %d to %d x %d differs", sw, sh, c, dw, dh);
        }
        mdf_free(src);
        mdf_free(dst);
        rows++;
    }
    fclose(f);
    assert_true(rows >= 16);
}

static void nearest_takes_the_pixel_under_the_centre(void **state)
{
    (void)state;
    const uint8_t src[4] = {10, 20, 30, 40};
    uint8_t up[8];
    uint8_t down[2];
    uint8_t odd[3];
    mdf_resize_nearest(up, 8, 1, src, 4, 1, 1);
    assert_memory_equal(up, ((const uint8_t[]){10, 10, 20, 20, 30, 30, 40, 40}), 8);
    mdf_resize_nearest(down, 2, 1, src, 4, 1, 1); /* centres at 1.0 and 3.0: pixels 1 and 3 */
    assert_memory_equal(down, ((const uint8_t[]){20, 40}), 2);
    mdf_resize_nearest(odd, 1, 3, src, 1, 4, 1); /* centres at 0.67, 2, 3.33 */
    assert_memory_equal(odd, ((const uint8_t[]){10, 30, 40}), 3);
}

static void a_size_of_zero_is_refused(void **state)
{
    (void)state;
    const uint8_t src[3] = {1, 2, 3};
    uint8_t dst[3] = {7, 7, 7};
    mdf_error err = {0};
    assert_int_equal(mdf_resize_bilinear(dst, 0, 1, src, 1, 1, 3, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "0 x 1"));
    assert_int_equal(dst[0], 7);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    uint8_t src[64];
    uint8_t dst[16];
    memset(src, 9, sizeof src);
    long n = 1;
    for (; n < 100; n++) {
        mdf_alloc_fail_after(n);
        const mdf_status s = mdf_resize_bilinear(dst, 4, 4, src, 8, 8, 1, NULL);
        mdf_alloc_fail_after(0);
        if (s == MDF_OK) {
            break;
        }
        assert_int_equal(s, MDF_ERR_NOMEM);
    }
    assert_in_range(n, 2, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bilinear_gives_the_bytes_of_pillow),
        cmocka_unit_test(nearest_takes_the_pixel_under_the_centre),
        cmocka_unit_test(a_size_of_zero_is_refused),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("io/resize", tests, NULL, NULL);
}
