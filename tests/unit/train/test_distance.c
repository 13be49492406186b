/* Distances to known pictures: by hand, and how often a new one of the same kind is beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "train/distance.h"

enum { MOST = 2000 };

static mdf_doubt_config doubt;
static float signature[MOST][MDF_SIGNATURE];

/* Two cameras, far from each other; numbers within a camera vary by 0.1. */
static void draw(float *s, mdf_rng *r, int camera)
{
    for (int k = 0; k < MDF_SIGNATURE; k++) {
        s[k] = (float)(camera + 0.1 * mdf_rng_normal(r));
    }
}

static void the_nearest_counts_in_deviations(void **state)
{
    (void)state;
    memset(signature, 0, sizeof signature);
    for (int i = 0; i < 20; i++) { /* ten at 0 and ten at 2 in the first number: deviation 1 */
        signature[i][0] = i < 10 ? 0 : 2;
    }
    assert_int_equal(mdf_distance_fit(&doubt, signature[0], 20, 0, NULL), MDF_OK);
    assert_int_equal(doubt.pictures, 20);
    assert_int_equal(doubt.signature_count, 20 * MDF_SIGNATURE);
    assert_true(fabs(doubt.signature_scale[0] - 1.01) < 1e-9); /* and the floor */
    assert_true(fabs(doubt.signature_scale[1] - 0.01) < 1e-9);
    assert_true(doubt.distance_limit == 0); /* each has a twin */
    float s[MDF_SIGNATURE] = {2.505F};
    assert_true(fabs(mdf_distance_of(&doubt, s) - 0.5) < 1e-6);
    s[0] = 1;
    assert_true(fabs(mdf_distance_of(&doubt, s) - 1 / 1.01) < 1e-6);
    s[7] = 0.02F;
    assert_true(fabs(mdf_distance_of(&doubt, s) - sqrt(1 / (1.01 * 1.01) + 4)) < 1e-6);
}

/* Share of new pictures of the two cameras that are within the limit of n. */
static double within(size_t n, double share, size_t rounds)
{
    mdf_rng r = mdf_rng_new(n, 5);
    size_t hits = 0;
    const size_t each = 20;
    for (size_t t = 0; t < rounds; t++) {
        for (size_t i = 0; i < n; i++) {
            draw(signature[i], &r, i % 3 == 0);
        }
        assert_int_equal(mdf_distance_fit(&doubt, signature[0], n, share, NULL), MDF_OK);
        for (size_t i = 0; i < each; i++) {
            float s[MDF_SIGNATURE];
            draw(s, &r, i % 3 == 0);
            hits += mdf_distance_of(&doubt, s) <= doubt.distance_limit ? 1 : 0;
        }
    }
    return (double)hits / (double)(rounds * each);
}

/* A new picture is measured against n, the others against n - 1 of them: nearly, not exactly, the
 * same, so half a hundredth is added to four standard errors of 8,000 draws that share 400
 * limits: the limit of one round has a deviation of sqrt(0.05 * 0.95 / n) itself. */
static void new_pictures_of_the_same_kind_are_within(void **state)
{
    (void)state;
    static const size_t counts[] = {60, 700}; /* all are kept, and 512 */
    for (size_t i = 0; i < 2; i++) {
        const size_t rounds = i == 0 ? 400 : 40;
        const double n = (double)counts[i];
        const double want = ceil((n + 1) * 0.95) / (n + 1);
        const double got = within(counts[i], 0, rounds);
        const double variance =
            0.05 * 0.95 * (1 / (20.0 * (double)rounds) + 1 / (n * (double)rounds));
        if (!(fabs(got - want) < 4 * sqrt(variance) + 0.005)) {
            fail_msg("%zu pictures: %.4f within, want %.4f", counts[i], got, want);
        }
        assert_true(doubt.signature_count <= MDF_MAX_SIGNATURES * MDF_SIGNATURE);
    }
}

static void what_lies_between_two_cameras_is_unlike_both(void **state)
{
    (void)state;
    mdf_rng r = mdf_rng_new(1, 1);
    for (int i = 0; i < 200; i++) {
        draw(signature[i], &r, i % 2);
    }
    assert_int_equal(mdf_distance_fit(&doubt, signature[0], 200, 0.95, NULL), MDF_OK);
    float s[MDF_SIGNATURE];
    for (int k = 0; k < MDF_SIGNATURE; k++) {
        s[k] = 0.5F;
    }
    assert_true(mdf_distance_of(&doubt, s) > 2 * doubt.distance_limit);
}

static void too_few_pictures_are_refused_or_left(void **state)
{
    (void)state;
    mdf_error err = {0};
    memset(signature, 0, sizeof signature);
    memset(&doubt, 0x5a, sizeof doubt);
    assert_int_equal(mdf_distance_fit(&doubt, signature[0], 18, 0, &err), MDF_OK);
    assert_int_equal(doubt.pictures, 0);
    assert_int_equal(doubt.signature_count, 0);
    assert_int_equal(doubt.scale_count, 0);
    assert_int_equal(mdf_distance_fit(&doubt, signature[0], 0, 0, &err), MDF_OK);
    assert_int_equal(mdf_distance_fit(&doubt, signature[0], 98, 0.99, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "takes 99 of them, and there were 98"));
    assert_int_equal(mdf_distance_fit(&doubt, signature[0], 99, 0.99, &err), MDF_OK);
    assert_int_equal(doubt.pictures, 99);
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    for (long n = 1; n <= 2; n++) {
        mdf_alloc_fail_after(n);
        assert_int_equal(mdf_distance_fit(&doubt, signature[0], 30, 0, NULL), MDF_ERR_NOMEM);
        mdf_alloc_fail_after(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_counts_in_deviations),
        cmocka_unit_test(new_pictures_of_the_same_kind_are_within),
        cmocka_unit_test(what_lies_between_two_cameras_is_unlike_both),
        cmocka_unit_test(too_few_pictures_are_refused_or_left),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
