/* Augmentation: one change at a time on pictures whose answer is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "photo/augment.h"
#include "support/picture.h"

enum { S = 32 };

static uint8_t source_px[S * S * 3];
static uint8_t mask_px[S * S];
static const mdf_image source = {.width = S, .height = S, .rgb = source_px};
static const mdf_grey mask = {.width = S, .height = S, .px = mask_px};

static mdf_arena scratch;

static int set_up(void **state)
{
    (void)state;
    picture_pattern(source_px, S, S, 3);
    picture_pattern(mask_px, S, S, 1);
    return 0;
}

static void run(float *out, uint8_t *mask_out, bool *flipped, const mdf_augment_options *opt,
                uint64_t seed)
{
    mdf_rng r = mdf_rng_new(seed, 9);
    assert_int_equal(
        mdf_augment(out, mask_out, flipped, &source, &mask, S, opt, &r, &scratch, NULL), MDF_OK);
}

/* 1e-6: two float roundings of values of at most 1. */
static void without_changes_the_pixels_are_only_normalised(void **state)
{
    (void)state;
    float out[S * S * 3];
    uint8_t mask_out[S * S];
    bool flipped = true;
    const mdf_augment_options opt = mdf_augment_none();
    run(out, mask_out, &flipped, &opt, 1);
    assert_false(flipped);
    assert_memory_equal(mask_out, mask_px, sizeof mask_px);
    for (int i = 0; i < S * S * 3; i++) {
        const float want = ((float)source_px[i] / 255.0F - 0.5F) / 0.5F;
        assert_true(fabsf(out[i] - want) < 1e-6F);
    }
}

static void a_flip_mirrors_picture_and_mask_and_says_so(void **state)
{
    (void)state;
    float out[S * S * 3];
    uint8_t mask_out[S * S];
    bool flipped = false;
    mdf_augment_options opt = mdf_augment_none();
    opt.flip_prob = 1.0;
    run(out, mask_out, &flipped, &opt, 1);
    assert_true(flipped);
    for (int y = 0; y < S; y++) {
        for (int x = 0; x < S; x++) {
            const int from = y * S + S - 1 - x;
            assert_int_equal(mask_out[y * S + x], mask_px[from]);
            const float want = ((float)source_px[3 * from] / 255.0F - 0.5F) / 0.5F;
            assert_true(fabsf(out[3 * (y * S + x)] - want) < 1e-5F);
        }
    }
}

/* A bright quadrant: after a turn by a small angle its inside is still bright and the opposite
 * quadrant still dark, in picture and mask alike. */
static void picture_and_mask_move_together(void **state)
{
    (void)state;
    uint8_t px[S * S * 3] = {0};
    uint8_t m[S * S] = {0};
    for (int y = 0; y < S / 2; y++) {
        memset(px + y * S * 3, 200, S / 2 * 3);
        memset(m + y * S, 255, S / 2);
    }
    const mdf_image im = {.width = S, .height = S, .rgb = px};
    const mdf_grey mk = {.width = S, .height = S, .px = m};
    mdf_augment_options opt = mdf_augment_none();
    opt.rotate_deg = 40.0;
    opt.scale = 0.2;
    opt.shift = 0.1;
    opt.flip_prob = 0.5;
    int moved = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        float out[S * S * 3];
        uint8_t mo[S * S];
        mdf_rng r = mdf_rng_new(seed, 2);
        assert_int_equal(mdf_augment(out, mo, NULL, &im, &mk, S, &opt, &r, &scratch, NULL), MDF_OK);
        int disagree = 0;
        for (int i = 0; i < S * S; i++) {
            disagree += (mo[i] > 127) != (out[3 * i] > (100.0F / 255.0F - 0.5F) / 0.5F);
        }
        moved += memcmp(mo, m, sizeof m) != 0;
        assert_true(disagree <= 2 * S); /* at most the pixels on the quadrant's two sides */
    }
    assert_true(moved >= 18);
}

static void the_same_seed_gives_the_same_sample_and_another_seed_another(void **state)
{
    (void)state;
    float a[S * S * 3];
    float b[S * S * 3];
    const mdf_augment_options opt = mdf_augment_defaults();
    run(a, NULL, NULL, &opt, 4);
    run(b, NULL, NULL, &opt, 4);
    assert_memory_equal(a, b, sizeof a);
    run(b, NULL, NULL, &opt, 5);
    assert_memory_not_equal(a, b, sizeof a);
}

static void about_half_of_the_samples_are_flipped(void **state)
{
    (void)state;
    float out[S * S * 3];
    const mdf_augment_options opt = mdf_augment_defaults();
    mdf_rng r = mdf_rng_new(8, 8);
    int flips = 0;
    for (int i = 0; i < 200; i++) {
        bool flipped = false;
        assert_int_equal(
            mdf_augment(out, NULL, &flipped, &source, NULL, S, &opt, &r, &scratch, NULL), MDF_OK);
        flips += flipped;
    }
    assert_in_range(flips, 72, 128); /* 100, four deviations of 7.07 either way */
}

static void the_black_frame_stays_black(void **state)
{
    (void)state;
    uint8_t px[S * S * 3] = {0};
    memset(px + (S / 2 * S + S / 2) * 3, 200, 3);
    const mdf_image im = {.width = S, .height = S, .rgb = px};
    mdf_augment_options opt = mdf_augment_none();
    opt.brightness = 0.3;
    opt.contrast = 0.3;
    opt.saturation = 0.3;
    opt.channel_gain = 0.1;
    for (uint64_t seed = 0; seed < 10; seed++) {
        float out[S * S * 3];
        mdf_rng r = mdf_rng_new(seed, 2);
        assert_int_equal(mdf_augment(out, NULL, NULL, &im, NULL, S, &opt, &r, &scratch, NULL),
                         MDF_OK);
        for (int c = 0; c < 3; c++) {
            assert_true(fabsf(out[c] + 1.0F) < 1e-6F);
        }
    }
}

static void a_large_picture_is_reduced_without_new_memory_each_time(void **state)
{
    (void)state;
    enum { LARGE = 5 * S };
    static uint8_t px[LARGE * LARGE * 3];
    memset(px, 204, sizeof px);
    const mdf_image im = {.width = LARGE, .height = LARGE, .rgb = px};
    const mdf_augment_options opt = mdf_augment_none();
    float out[S * S * 3];
    uint64_t before = 0;
    for (int i = 0; i < 5; i++) {
        mdf_rng r = mdf_rng_new(1, 1);
        before = i == 2 ? mdf_alloc_count() : before; /* the second call joins the blocks */
        assert_int_equal(mdf_augment(out, NULL, NULL, &im, NULL, S, &opt, &r, &scratch, NULL),
                         MDF_OK);
        assert_true(fabsf(out[S * S] - 0.6F) < 1e-6F); /* 204 / 255 = 0.8, one float rounding */
    }
    assert_int_equal(mdf_alloc_count(), before);
}

/* Stripes of 6 pixels, half of them white, shown at a quarter of the size: they are grey, unless
 * the picture is magnified twice or so, when each takes 3 pixels. Zooms lie between 1/2 and 2. */
static void what_is_magnified_shows_what_reducing_would_have_lost(void **state)
{
    (void)state;
    enum { LARGE = 4 * S, SEEDS = 30 };
    static uint8_t px[LARGE * LARGE * 3];
    for (int i = 0; i < LARGE * LARGE; i++) {
        memset(px + (size_t)i * 3, i % LARGE % 6 < 3 ? 255 : 0, 3);
    }
    const mdf_image im = {.width = LARGE, .height = LARGE, .rgb = px};
    mdf_augment_options opt = mdf_augment_none();
    opt.scale = 1;
    float out[S * S * 3];
    float least = 1;
    float most = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mdf_rng r = mdf_rng_new(seed, 9);
        assert_int_equal(mdf_augment(out, NULL, NULL, &im, NULL, S, &opt, &r, &scratch, NULL),
                         MDF_OK);
        const float *row = out + (size_t)(S / 2) * S * 3; /* the middle of the picture is there */
        float low = 1;
        float high = -1;
        for (int x = 3 * S / 8; x < 5 * S / 8; x++) {
            low = row[3 * x] < low ? row[3 * x] : low;
            high = row[3 * x] > high ? row[3 * x] : high;
        }
        least = high - low < least ? high - low : least;
        most = high - low > most ? high - low : most;
    }
    assert_true(most > 1 && least < 0.5F); /* of 2, between black and white */
}

static int tear_down(void **state)
{
    (void)state;
    mdf_arena_free(&scratch);
    return 0;
}

/* A quarter of the side shown at a quarter of the size: the very pixels of that square. Without
 * pixels of the picture only the mask is made, of the same place. 1e-5: weights of neighbours that
 * should be 0 are a rounding of the place. */
static void a_crop_shows_its_square(void **state)
{
    (void)state;
    enum { C = S / 4 };
    float out[C * C * 3];
    uint8_t mask_out[C * C];
    uint8_t again[C * C];
    mdf_augment_options opt = mdf_augment_none();
    opt.crop = 0.25;
    opt.crop_x = (12 + 4) / 32.0; /* pixels 12 to 19 */
    opt.crop_y = (4 + 4) / 32.0;
    mdf_rng r = mdf_rng_new(1, 1);
    mdf_rng q = r;
    assert_int_equal(mdf_augment(out, mask_out, NULL, &source, &mask, C, &opt, &r, &scratch, NULL),
                     MDF_OK);
    assert_int_equal(mdf_augment(NULL, again, NULL, &source, &mask, C, &opt, &q, &scratch, NULL),
                     MDF_OK);
    assert_memory_equal(mask_out, again, sizeof again);
    for (int y = 0; y < C; y++) {
        for (int x = 0; x < C; x++) {
            const int from = (y + 4) * S + x + 12;
            assert_int_equal(mask_out[y * C + x], mask_px[from]);
            for (int c = 0; c < 3; c++) {
                const float want = ((float)source_px[3 * from + c] / 255.0F - 0.5F) / 0.5F;
                assert_true(fabsf(out[3 * (y * C + x) + c] - want) < 1e-5F);
            }
        }
    }
    opt.crop = 1.5;
    assert_int_equal(mdf_augment(out, NULL, NULL, &source, NULL, C, &opt, &r, &scratch, NULL),
                     MDF_ERR_ARG);
}

static void an_impossible_size_is_refused(void **state)
{
    (void)state;
    float out[3];
    mdf_rng r = mdf_rng_new(1, 1);
    const mdf_augment_options opt = mdf_augment_none();
    mdf_error err = {0};
    assert_int_equal(mdf_augment(out, NULL, NULL, &source, NULL, 0, &opt, &r, &scratch, &err),
                     MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "32 x 32 at 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_changes_the_pixels_are_only_normalised),
        cmocka_unit_test(a_flip_mirrors_picture_and_mask_and_says_so),
        cmocka_unit_test(picture_and_mask_move_together),
        cmocka_unit_test(the_same_seed_gives_the_same_sample_and_another_seed_another),
        cmocka_unit_test(about_half_of_the_samples_are_flipped),
        cmocka_unit_test(the_black_frame_stays_black),
        cmocka_unit_test(a_large_picture_is_reduced_without_new_memory_each_time),
        cmocka_unit_test(what_is_magnified_shows_what_reducing_would_have_lost),
        cmocka_unit_test(a_crop_shows_its_square),
        cmocka_unit_test(an_impossible_size_is_refused),
    };
    return cmocka_run_group_tests_name("data/augment", tests, set_up, tear_down);
}
