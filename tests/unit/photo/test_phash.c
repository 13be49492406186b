/* Perceptual hash: near for the same picture, far for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "photo/phash.h"
#include "photo/resize.h"
#include "support/eye.h"
#include "support/picture.h"

static uint64_t hash_of(const mdf_image *im)
{
    uint64_t h = 0;
    assert_int_equal(mdf_phash(&h, im, NULL), MDF_OK);
    return h;
}

/* Half size and darker changes at most 10 bits in 99 % of real photographs (docs/QUALITY.md); two
 * unrelated pictures differ in 32 on average with a deviation of 4, so 16 is four deviations away.
 */
static void size_and_brightness_change_few_bits_and_another_picture_many(void **state)
{
    (void)state;
    mdf_image a = {0};
    mdf_image half = {0};
    mdf_image other = {0};
    assert_int_equal(mdf_image_new(&a, 256, 256, NULL), MDF_OK);
    assert_int_equal(mdf_image_new(&half, 100, 100, NULL), MDF_OK);
    assert_int_equal(mdf_image_new(&other, 256, 256, NULL), MDF_OK);
    eye_draw(&a, 128.0, 128.0, 126.0, 1.0);
    const uint64_t h = hash_of(&a);
    assert_int_equal(mdf_resize_bilinear(half.rgb, 100, 100, a.rgb, a.width, a.height, 3, NULL),
                     MDF_OK);
    assert_true(mdf_phash_distance(h, hash_of(&half)) <= 10);
    for (size_t i = 0; i < 256 * 256 * 3; i++) {
        a.rgb[i] = (uint8_t)(a.rgb[i] * 4 / 5);
    }
    assert_true(mdf_phash_distance(h, hash_of(&a)) <= 10);
    picture_pattern(other.rgb, 256, 256, 3);
    assert_true(mdf_phash_distance(h, hash_of(&other)) >= 16);
    mdf_image_free(&a);
    mdf_image_free(&half);
    mdf_image_free(&other);
}

static void a_mirror_image_is_another_picture(void **state)
{
    (void)state;
    mdf_image a = {0};
    mdf_image b = {0};
    assert_int_equal(mdf_image_new(&a, 128, 128, NULL), MDF_OK);
    assert_int_equal(mdf_image_new(&b, 128, 128, NULL), MDF_OK);
    picture_pattern(a.rgb, 128, 128, 3);
    for (int y = 0; y < 128; y++) {
        for (int x = 0; x < 128 * 3; x++) {
            b.rgb[y * 384 + x] = a.rgb[y * 384 + (127 - x / 3) * 3 + x % 3];
        }
    }
    assert_true(mdf_phash_distance(hash_of(&a), hash_of(&b)) >= 16);
    mdf_image_free(&a);
    mdf_image_free(&b);
}

static void distance_counts_bits(void **state)
{
    (void)state;
    assert_int_equal(mdf_phash_distance(0, 0), 0);
    assert_int_equal(mdf_phash_distance(0, UINT64_MAX), 64);
    assert_int_equal(mdf_phash_distance(5, 6), 2);
    const mdf_image empty = {0};
    uint64_t h = 0;
    assert_int_equal(mdf_phash(&h, &empty, NULL), MDF_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_and_brightness_change_few_bits_and_another_picture_many),
        cmocka_unit_test(a_mirror_image_is_another_picture),
        cmocka_unit_test(distance_counts_bits),
    };
    return cmocka_run_group_tests_name("data/phash", tests, NULL, NULL);
}
