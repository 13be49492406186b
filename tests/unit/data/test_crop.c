/* Which part of a photograph a case of masks shows: crops of details, whole fields with discs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/crop.h"

enum { SIDE = 64, DRAWS = 400, DISC_X = 50, DISC_Y = 12 };

static uint8_t disc[SIDE * SIDE];

static mdf_sample sample(void)
{
    for (int i = 0; i < SIDE * SIDE; i++) {
        const int x = i % SIDE - DISC_X;
        const int y = i / SIDE - DISC_Y;
        disc[i] = x * x + y * y < 25 ? 255 : 0;
    }
    mdf_sample s = {.image = {.width = SIDE, .height = SIDE}};
    s.mask[MDF_MASK_DISC] = s.mask[MDF_MASK_VESSEL] =
        (mdf_grey){.width = SIDE, .height = SIDE, .px = disc};
    return s;
}

static mdf_config config(void)
{
    mdf_config c = {.unet.image_size = 32};
    c.train.crop.side = 128;
    c.train.crop.scale = 0.6;
    return c;
}

static void assert_inside(const mdf_augment_options *o)
{
    assert_true(o->crop_x - o->crop / 2 >= -1e-9 && o->crop_x + o->crop / 2 <= 1 + 1e-9);
    assert_true(o->crop_y - o->crop / 2 >= -1e-9 && o->crop_y + o->crop / 2 <= 1 + 1e-9);
}

static bool shows_disc(const mdf_augment_options *o)
{
    const double x = (DISC_X + 0.5) / SIDE - o->crop_x;
    const double y = (DISC_Y + 0.5) / SIDE - o->crop_y;
    return x > -o->crop / 2 && x < o->crop / 2 && y > -o->crop / 2 && y < o->crop / 2;
}

/* Half of the fields are whole, the others lie around the disc, down to 1 / 1.6 of the side. */
static void test_fields_around_the_disc(void **state)
{
    (void)state;
    const mdf_sample s = sample();
    const mdf_config c = config();
    mdf_rng r = mdf_rng_new(1, 1);
    int whole = 0;
    double least = 1;
    for (int i = 0; i < DRAWS; i++) {
        mdf_augment_options o = mdf_augment_defaults();
        mdf_crop_choose(&o, &c, &s, MDF_MASK_DISC, &r);
        if (o.crop > 0) {
            assert_inside(&o);
            assert_true(shows_disc(&o));
            assert_true(o.crop >= 1 / 1.6 - 1e-9 && o.crop <= 1);
            assert_true(o.scale > 0 && o.scale < 0.6 && o.shift == 0);
            least = o.crop < least ? o.crop : least;
        } else {
            assert_true(o.scale == 0.6 && o.shift > 0);
            whole++;
        }
    }
    assert_in_range(whole, DRAWS / 2 - 4 * 10, DRAWS / 2 + 4 * 10); /* 4 standard deviations */
    assert_true(least < 0.65);
}

/* Nothing to come near to: the whole field. */
static void test_no_disc_is_the_whole_field(void **state)
{
    (void)state;
    mdf_sample s = sample();
    s.mask[MDF_MASK_DISC].px = NULL;
    const mdf_config c = config();
    mdf_rng r = mdf_rng_new(1, 1);
    for (int i = 0; i < DRAWS; i++) {
        mdf_augment_options o = mdf_augment_defaults();
        mdf_crop_choose(&o, &c, &s, MDF_MASK_DISC, &r);
        assert_true(o.crop == 0 && o.scale == 0.6);
    }
}

/* Details: squares of the side 32 / 128, half of the draws and more with the mask in them. */
static void test_details_are_cut(void **state)
{
    (void)state;
    const mdf_sample s = sample();
    const mdf_config c = config();
    mdf_rng r = mdf_rng_new(1, 1);
    int there = 0;
    for (int i = 0; i < DRAWS; i++) {
        mdf_augment_options o = mdf_augment_defaults();
        mdf_crop_choose(&o, &c, &s, MDF_MASK_VESSEL, &r);
        assert_true(o.crop == 0.25);
        assert_inside(&o);
        there += shows_disc(&o);
    }
    assert_in_range(there, DRAWS * 4 / 10, DRAWS * 7 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_around_the_disc),
        cmocka_unit_test(test_no_disc_is_the_whole_field),
        cmocka_unit_test(test_details_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
