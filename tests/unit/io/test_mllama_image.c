/* The Llama 3.2 Vision image processor against the published table and against transformers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "io/mllama_image.h"
#include "support/picture.h"

static void check_layout(int w, int h, int tile, const int want[5])
{
    const mdf_mllama_layout at = mdf_mllama_layout_for(w, h, tile);
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

static void canvas_and_size_are_those_of_transformers(void **state)
{
    (void)state;
    FILE *f = fopen(MDF_TEST_DATA "/golden/image/layout.txt", "r");
    assert_non_null(f);
    char line[200];
    int rows = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        int v[8];
        if (line[0] != '#' && sscanf(line, "%d %d %d %d %d %d %d %d", v, v + 1, v + 2, v + 3, v + 4,
                                     v + 5, v + 6, v + 7) == 8) {
            check_layout(v[0], v[1], v[2], v + 3);
            rows++;
        }
    }
    fclose(f);
    assert_true(rows >= 50);
}

static void check_pixels(int w, int h, int tile, uint64_t want, const char *mask_want)
{
    mdf_image im = {.width = w, .height = h, .rgb = mdf_alloc((size_t)w * (size_t)h, 3)};
    const size_t floats = (size_t)MDF_MLLAMA_TILES * 3 * (size_t)tile * (size_t)tile;
    float *values = mdf_alloc(floats, sizeof *values);
    memset(values, 0xFF, floats * sizeof *values);
    int mask[MDF_MLLAMA_TILES];
    mdf_mllama_layout at;
    const mdf_mllama_norm norm = mdf_mllama_norm_default();
    picture_pattern(im.rgb, w, h, 3);
    assert_int_equal(mdf_mllama_image(values, mask, &at, &im, tile, &norm, NULL), MDF_OK);
    if (picture_hash(values, floats * sizeof *values) != want) {
        fail_msg("pixel values of %d x %d at tile %d differ", w, h, tile);
    }
    for (int i = 0; i < MDF_MLLAMA_TILES; i++) {
        assert_int_equal(mask[i], mask_want[i] - '0');
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
            check_pixels(v[0], v[1], v[2], want, mask);
            rows++;
        }
    }
    fclose(f);
    assert_true(rows >= 50);
}

static void a_tile_of_zero_is_refused(void **state)
{
    (void)state;
    uint8_t px[3] = {0};
    const mdf_image im = {.width = 1, .height = 1, .rgb = px};
    const mdf_mllama_norm norm = mdf_mllama_norm_default();
    float v[1];
    int mask[MDF_MLLAMA_TILES];
    mdf_mllama_layout at;
    mdf_error err = {0};
    assert_int_equal(mdf_mllama_image(v, mask, &at, &im, 0, &norm, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "tiles of 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canvas_and_size_follow_the_published_table),
        cmocka_unit_test(canvas_and_size_are_those_of_transformers),
        cmocka_unit_test(pixel_values_are_those_of_transformers),
        cmocka_unit_test(a_tile_of_zero_is_refused),
    };
    return cmocka_run_group_tests_name("io/mllama_image", tests, NULL, NULL);
}
