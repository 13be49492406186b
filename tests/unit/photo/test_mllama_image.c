/* The Llama 3.2 Vision image processor against the published table and against transformers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "photo/mllama_image.h"
#include "support/picture.h"

enum { TILES = 4 };

static void check_layout(int w, int h, int tile, const int want[5])
{
    const mdf_mllama_layout at =
        mdf_mllama_layout_for(w, h, &(mdf_mllama_grid){.tile = tile, .tiles = 4, .most = 4});
    const int got[5] = {at.tiles_high, at.tiles_wide, at.aspect_ratio_id, at.resized_w,
                        at.resized_h};
    if (memcmp(got, want, sizeof got) != 0) {
        fail_msg("%d x %d at tile %d: canvas %d x %d id %d size %d x %d", w, h, tile, got[0],
                 got[1], got[2], got[3], got[4]);
    }
}

/* width, height, tile; canvas high, wide, id; resized width, height. By hand from the rules: an
 * independent script, not this code, made the numbers. */
static void canvas_and_size_follow_the_published_table(void **state)
{
    (void)state;
    static const int rows[][8] = {
        {1, 1, 560, 1, 1, 1, 560, 560},       {224, 220, 560, 1, 1, 1, 560, 550},
        {224, 220, 56, 2, 2, 6, 112, 110},    {560, 560, 448, 2, 2, 6, 560, 560},
        {561, 560, 560, 1, 2, 2, 561, 560},   {640, 480, 560, 1, 2, 2, 640, 480},
        {480, 640, 560, 2, 1, 5, 480, 640},   {800, 600, 560, 2, 2, 6, 800, 600},
        {1280, 720, 448, 2, 2, 6, 896, 503},  {1920, 1080, 448, 2, 2, 6, 896, 504},
        {3000, 500, 560, 1, 4, 4, 2240, 373}, {500, 3000, 560, 4, 1, 8, 373, 2240},
        {2241, 560, 560, 1, 4, 4, 2240, 559}, {4032, 3024, 560, 2, 2, 6, 1120, 840},
        {10000, 10, 560, 1, 4, 4, 2240, 2},   {10000, 10, 448, 1, 4, 4, 1792, 1},
        {168, 56, 56, 1, 3, 3, 168, 56},      {200, 60, 56, 1, 4, 4, 186, 56},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_layout(rows[i][0], rows[i][1], rows[i][2], rows[i] + 3);
    }
}

/* Lines of a golden as numbers; returns false at the end. A line has at most `most`. */
static bool next_line(FILE *f, double *v, int most, int *count)
{
    static char line[4096];
    do {
        if (fgets(line, sizeof line, f) == NULL) {
            return false;
        }
    } while (line[0] == '#');
    *count = 0;
    char *end = line;
    for (char *at = line; *count < most; at = end) {
        v[*count] = strtod(at, &end);
        if (end == at) {
            break;
        }
        ++*count;
    }
    return true;
}

static FILE *open_golden(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, MDF_TEST_DATA "/golden/image/%s", name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    return f;
}

static void canvas_and_size_are_those_of_transformers(void **state)
{
    (void)state;
    FILE *f = open_golden("layout.txt");
    double v[9];
    int n = 0;
    int rows = 0;
    for (; next_line(f, v, 8, &n); rows++) {
        assert_int_equal(n, 8);
        check_layout((int)v[0], (int)v[1], (int)v[2],
                     (int[]){(int)v[3], (int)v[4], (int)v[5], (int)v[6], (int)v[7]});
    }
    assert_true(rows >= 50);
    (void)fclose(f);
}

/* 1 to 16 tiles: other canvases, other ids. */
static void models_of_fewer_and_more_tiles_have_other_canvases(void **state)
{
    (void)state;
    FILE *f = open_golden("tiles.txt");
    double v[9];
    int n = 0;
    int rows = 0;
    for (; next_line(f, v, 9, &n); rows++) {
        const int tiles = (int)v[3];
        const mdf_mllama_grid g = {.tile = (int)v[2], .tiles = tiles, .most = tiles};
        const mdf_mllama_layout at = mdf_mllama_layout_for((int)v[0], (int)v[1], &g);
        const int got[5] = {at.tiles_high, at.tiles_wide, at.aspect_ratio_id, at.resized_w,
                            at.resized_h};
        assert_int_equal(n, 9);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(got[i], (int)v[4 + i]);
        }
    }
    assert_int_equal(rows, 80);
    (void)fclose(f);
}

/* The canvas is that of a model of so many tiles, its id that of the model itself. */
static void a_picture_may_be_kept_to_fewer_tiles(void **state)
{
    (void)state;
    static const int wide_id[4] = {1, 2, 3, 4};
    static const int high_id[4] = {1, 5, 7, 8};
    for (int most = 1; most <= 4; most++) {
        const mdf_mllama_layout wide =
            mdf_mllama_layout_for(3000, 500, &(mdf_mllama_grid){56, 4, most});
        const mdf_mllama_layout high =
            mdf_mllama_layout_for(500, 3000, &(mdf_mllama_grid){56, 4, most});
        assert_int_equal(wide.tiles_high, 1);
        assert_int_equal(wide.tiles_wide, most);
        assert_int_equal(wide.aspect_ratio_id, wide_id[most - 1]);
        assert_int_equal(high.tiles_high, most);
        assert_int_equal(high.aspect_ratio_id, high_id[most - 1]);
    }
}

static void check_values(int w, int h, int tile, const mdf_mllama_norm *norm, uint64_t want)
{
    mdf_image im = {.width = w, .height = h, .rgb = mdf_alloc((size_t)w * (size_t)h, 3)};
    const mdf_mllama_grid grid = {.tile = tile, .tiles = TILES, .most = TILES};
    const size_t floats = (size_t)TILES * 3 * (size_t)tile * (size_t)tile;
    float *values = mdf_alloc(floats, sizeof *values);
    memset(values, 0xFF, floats * sizeof *values);
    int mask[TILES];
    mdf_mllama_layout at;
    picture_pattern(im.rgb, w, h, 3);
    assert_int_equal(mdf_mllama_image(values, mask, &at, &im, &grid, norm, NULL), MDF_OK);
    if (picture_hash(values, floats * sizeof *values) != want) {
        fail_msg("pixel values of %d x %d at tile %d differ", w, h, tile);
    }
    for (int i = 0; i < TILES; i++) {
        assert_int_equal(mask[i], i < at.tiles_high * at.tiles_wide);
    }
    mdf_free(values);
    mdf_image_free(&im);
}

/* Bit for bit: the hash is over the bytes of all floats. */
static void pixel_values_are_those_of_transformers(void **state)
{
    (void)state;
    FILE *f = fopen(MDF_TEST_DATA "/golden/image/mllama.txt", "r");
    assert_non_null(f);
    char line[200];
    int rows = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        int v[8];
        uint64_t want = 0;
        char mask[8];
        if (line[0] != '#' && sscanf(line, "%d %d %d %d %d %d %d %d %" SCNx64 " %4s", v, v + 1,
                                     v + 2, v + 3, v + 4, v + 5, v + 6, v + 7, &want, mask) == 10) {
            check_layout(v[0], v[1], v[2], v + 3);
            const mdf_mllama_norm norm = mdf_mllama_norm_default();
            check_values(v[0], v[1], v[2], &norm, want);
            for (int i = 0; i < TILES; i++) {
                assert_int_equal(mask[i] - '0', i < v[3] * v[4]);
            }
            rows++;
        }
    }
    fclose(f);
    assert_true(rows >= 50);
}

/* Another mean and deviation than the published ones: bit for bit, too. */
static void other_means_and_deviations_are_those_of_transformers(void **state)
{
    (void)state;
    FILE *f = fopen(MDF_TEST_DATA "/golden/image/norms.txt", "r");
    assert_non_null(f);
    char line[200];
    int rows = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        int w = 0;
        int h = 0;
        int tile = 0;
        mdf_mllama_norm n;
        uint64_t want = 0;
        if (line[0] != '#' &&
            sscanf(line, "%d %d %d %f %f %f %f %f %f %" SCNx64, &w, &h, &tile, &n.mean[0],
                   &n.mean[1], &n.mean[2], &n.std[0], &n.std[1], &n.std[2], &want) == 10) {
            check_values(w, h, tile, &n, want);
            rows++;
        }
    }
    (void)fclose(f);
    assert_int_equal(rows, 9);
}

enum { SAMPLES = 24, HEAD = 8 };

/* Largest difference of the line's samples, as pixels in [0, 1]. */
static double sample_difference(const double *v, int n)
{
    const int w = (int)v[0];
    const int h = (int)v[1];
    const int tile = (int)v[2];
    const mdf_mllama_grid g = {.tile = tile, .tiles = (int)v[3], .most = (int)v[3]};
    const mdf_mllama_norm norm = mdf_mllama_norm_default();
    mdf_image im = {.width = w, .height = h, .rgb = mdf_alloc((size_t)w * (size_t)h, 3)};
    float *values = mdf_alloc((size_t)TILES * 3 * (size_t)tile * (size_t)tile, sizeof *values);
    int mask[TILES];
    mdf_mllama_layout at;
    double most = 0;
    picture_pattern(im.rgb, w, h, 3);
    assert_int_equal(n, HEAD + 5 * SAMPLES);
    assert_int_equal(mdf_mllama_image(values, mask, &at, &im, &g, &norm, NULL), MDF_OK);
    assert_int_equal(at.tiles_high, (int)v[4]);
    assert_int_equal(at.tiles_wide, (int)v[5]);
    assert_int_equal(at.aspect_ratio_id, (int)v[6]);
    assert_int_equal(mask[0] + mask[1] + mask[2] + mask[3], (int)v[7]);
    for (const double *s = v + HEAD; s < v + n; s += 5) {
        const int c = (int)s[1];
        const size_t i =
            (((size_t)s[0] * 3 + (size_t)c) * (size_t)tile + (size_t)s[2]) * (size_t)tile +
            (size_t)s[3];
        const double difference =
            fabs((double)values[i] - (double)(float)s[4]) * (double)norm.std[c];
        most = difference > most ? difference : most;
    }
    mdf_free(values);
    mdf_image_free(&im);
    return most;
}

/* At the published models' tile sizes. No tolerance: every step has the reference's arithmetic, so
 * the numbers are the same floats (nine digits of the golden tell them apart). */
static void sampled_pixel_values_of_48_sizes_differ_by_nothing(void **state)
{
    (void)state;
    FILE *f = open_golden("pixels.txt");
    double v[HEAD + 5 * SAMPLES + 1];
    double most = 0;
    bool seen[9] = {false};
    int n = 0;
    int rows = 0;
    for (; next_line(f, v, HEAD + 5 * SAMPLES + 1, &n); rows++) {
        const double d = sample_difference(v, n);
        most = d > most ? d : most;
        seen[(int)v[6]] = true;
    }
    (void)fclose(f);
    assert_int_equal(rows, 48);
    assert_true(most <= 0);
    for (int id = 1; id <= 8; id++) {
        assert_true(seen[id]);
    }
}

static void a_grid_that_can_not_be_is_refused(void **state)
{
    (void)state;
    static const mdf_mllama_grid grid[] = {
        {0, 4, 4}, {5000, 4, 4}, {56, 4, 5}, {56, 4, 0}, {56, 17, 4}};
    uint8_t px[3] = {0};
    const mdf_image im = {.width = 1, .height = 1, .rgb = px};
    const mdf_mllama_norm norm = mdf_mllama_norm_default();
    float v[1];
    int mask[TILES];
    mdf_mllama_layout at;
    mdf_error err = {0};
    for (size_t i = 0; i < sizeof grid / sizeof grid[0]; i++) {
        assert_int_equal(mdf_mllama_image(v, mask, &at, &im, &grid[i], &norm, &err), MDF_ERR_ARG);
    }
    assert_string_equal(err.text, "cannot cut a picture of 1 x 1 into 4 of 17 tiles of 56");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canvas_and_size_follow_the_published_table),
        cmocka_unit_test(canvas_and_size_are_those_of_transformers),
        cmocka_unit_test(models_of_fewer_and_more_tiles_have_other_canvases),
        cmocka_unit_test(a_picture_may_be_kept_to_fewer_tiles),
        cmocka_unit_test(sampled_pixel_values_of_48_sizes_differ_by_nothing),
        cmocka_unit_test(pixel_values_are_those_of_transformers),
        cmocka_unit_test(other_means_and_deviations_are_those_of_transformers),
        cmocka_unit_test(a_grid_that_can_not_be_is_refused),
    };
    return cmocka_run_group_tests_name("io/mllama_image", tests, NULL, NULL);
}
