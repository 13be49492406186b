/* Random cameras: one change at a time on pixels whose answer is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "photo/augment.h"

enum { S = 16, N = S * S * 3 };

/* Values are below 256; a curve is read between whole numbers, where it bends by less. */
#define NEAR 0.05

static float px[N], row[3 * S], above[3 * S];

static void fill(float value)
{
    for (int i = 0; i < N; i++) {
        px[i] = value;
    }
}

static void without_changes_nothing_is_touched(void **state)
{
    (void)state;
    const mdf_camera_options none = {0};
    for (uint64_t seed = 0; seed < 50; seed++) {
        mdf_rng r = mdf_rng_new(seed, 1);
        const mdf_camera c = mdf_camera_draw(&none, &r);
        float before[N];
        for (int i = 0; i < N; i++) {
            px[i] = before[i] = (float)(i % 256);
        }
        assert_true(c.plain && c.blur == 0 && c.cut_top == 0 && c.cut_bottom == 0);
        mdf_camera_apply(&c, px, S, row, above);
        assert_memory_equal(px, before, sizeof px);
    }
}

/* So that switching one change on does not draw the others anew. */
static void every_choice_draws_as_many_numbers(void **state)
{
    (void)state;
    const mdf_camera_options option[] = {{0},         {.tint = 0.3}, {.gamma = 0.5}, {.shade = 0.4},
                                         {.blur = 1}, {.cut = 0.2}};
    for (uint64_t seed = 0; seed < 50; seed++) {
        mdf_rng first = mdf_rng_new(seed, 1);
        (void)mdf_camera_draw(&option[0], &first);
        const double want = mdf_rng_uniform(&first);
        for (size_t i = 1; i < sizeof option / sizeof option[0]; i++) {
            mdf_rng r = mdf_rng_new(seed, 1);
            (void)mdf_camera_draw(&option[i], &r);
            assert_true(mdf_rng_uniform(&r) == want);
        }
    }
}

static void draws_stay_in_their_ranges(void **state)
{
    (void)state;
    const mdf_camera_options o = {
        .tint = 0.25, .gamma = 0.5, .shade = 0.4, .blur = 0.3, .cut = 0.15};
    int plain = 0;
    int cut = 0;
    int soft = 0;
    mdf_rng r = mdf_rng_new(7, 1);
    for (int i = 0; i < 4000; i++) {
        const mdf_camera c = mdf_camera_draw(&o, &r);
        for (int k = 0; k < 3; k++) {
            assert_true(c.gain[k] > 0.799F && c.gain[k] < 1.251F);
        }
        assert_true(c.gamma > 0.666F && c.gamma < 1.501F);
        assert_true(fabsf(c.slope_x) <= 0.4F && fabsf(c.slope_y) <= 0.4F);
        assert_true(c.outward >= 0 && c.outward <= 0.4F && c.blur >= 0 && c.blur <= 3);
        assert_true(c.cut_top >= 0 && c.cut_top <= 0.15 && c.cut_bottom <= 0.15);
        plain += c.plain;
        cut += c.cut_top > 0;
        soft += c.blur > 0;
    }
    /* 4000 draws: three standard deviations are 0.024 of them at most. */
    assert_true(fabs(plain / 4000.0 - 0.2) < 0.024 && fabs(cut / 4000.0 - 0.5) < 0.024 &&
                fabs(soft / 4000.0 - 0.3) < 0.024);
}

static void tint_multiplies_and_gamma_bends(void **state)
{
    (void)state;
    fill(100);
    mdf_camera c = {.gain = {1.2F, 1, 0.8F}, .gamma = 1};
    mdf_camera_apply(&c, px, S, row, above);
    for (int i = 0; i < N; i += 3) {
        assert_true(fabs((double)px[i] - 120) < NEAR && fabs((double)px[i + 1] - 100) < NEAR &&
                    fabs((double)px[i + 2] - 80) < NEAR);
    }
    fill(64);
    c = (mdf_camera){.gain = {1, 1, 1}, .gamma = 0.5F};
    mdf_camera_apply(&c, px, S, row, above);
    assert_true(fabs((double)px[0] - 255 * sqrt(64.0 / 255)) < NEAR);
    fill(250);
    c = (mdf_camera){.gain = {2, 2, 2}, .gamma = 1};
    mdf_camera_apply(&c, px, S, row, above);
    assert_true(px[0] == 255); /* no brighter than white */
}

static void light_falls_to_one_side_and_outwards(void **state)
{
    (void)state;
    fill(200);
    mdf_camera c = {.gain = {1, 1, 1}, .gamma = 1, .slope_x = 0.4F};
    mdf_camera_apply(&c, px, S, row, above);
    for (int x = 0; x < S; x++) {
        const double u = (x + 0.5) * 2 / S - 1;
        assert_true(fabs((double)px[3 * x] - 200 * (1 - 0.2 * u)) < NEAR);
    }
    fill(200);
    c = (mdf_camera){.gain = {1, 1, 1}, .gamma = 1, .outward = 0.4F};
    mdf_camera_apply(&c, px, S, row, above);
    const double corner = (S - 0.5) * 2 / S - 1;
    assert_true(fabs((double)px[N - 1] - 200 * (1 - 0.4 * corner * corner)) < NEAR);
}

static void blur_spreads_a_dot_and_keeps_what_is_even(void **state)
{
    (void)state;
    const mdf_camera c = {.plain = true, .blur = 1};
    fill(77);
    mdf_camera_apply(&c, px, S, row, above);
    for (int i = 0; i < N; i++) {
        assert_true(px[i] == 77);
    }
    fill(0);
    px[3 * (5 * S + 6)] = 160;
    mdf_camera_apply(&c, px, S, row, above);
    const int weight[3] = {1, 2, 1};
    for (int y = 0; y < S; y++) {
        for (int x = 0; x < S; x++) {
            const bool near = y >= 4 && y <= 6 && x >= 5 && x <= 7;
            const float want = near ? (float)(10 * weight[y - 4] * weight[x - 5]) : 0;
            assert_true(px[3 * (y * S + x)] == want && px[3 * (y * S + x) + 1] == 0);
        }
    }
}

/* A cut field: rows above and below are black, those between are as they were. */
static void a_cut_field_is_black_above_and_below(void **state)
{
    (void)state;
    uint8_t bytes[40 * 40 * 3];
    float out[40 * 40 * 3];
    memset(bytes, 200, sizeof bytes);
    const mdf_image im = {.width = 40, .height = 40, .rgb = bytes};
    mdf_augment_options o = mdf_augment_none();
    o.camera.cut = 0.4;
    mdf_arena scratch;
    assert_int_equal(mdf_arena_init(&scratch, 0, 0, NULL), MDF_OK);
    int cut = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        mdf_rng r = mdf_rng_new(seed, 2);
        assert_int_equal(mdf_augment(out, NULL, NULL, &im, NULL, 40, &o, &r, &scratch, NULL),
                         MDF_OK);
        int dark = 0;
        bool light = false;
        for (int y = 0; y < 40; y++) {
            const bool black = out[y * 120] == -1;
            assert_true(black || fabsf(out[y * 120] - (200 / 255.0F - 0.5F) / 0.5F) < 1e-6F);
            assert_true(!black || !light || y > 20); /* only at the ends */
            light = light || !black;
            dark += black;
        }
        assert_true(light && dark <= 32);
        cut += dark > 0;
    }
    assert_true(cut > 2 && cut < 18);
    mdf_arena_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_changes_nothing_is_touched),
        cmocka_unit_test(every_choice_draws_as_many_numbers),
        cmocka_unit_test(draws_stay_in_their_ranges),
        cmocka_unit_test(tint_multiplies_and_gamma_bends),
        cmocka_unit_test(light_falls_to_one_side_and_outwards),
        cmocka_unit_test(blur_spreads_a_dot_and_keeps_what_is_even),
        cmocka_unit_test(a_cut_field_is_black_above_and_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
