/* Masks as people write them: what is foreground, and where that is not clear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "photo/mask.h"
#include "support/picture.h"

#define GOLDEN MDF_TEST_DATA "/golden/masks/"

static const char *const kinds[] = {[MDF_MASK_EMPTY] = "empty",
                                    [MDF_MASK_FULL] = "full",
                                    [MDF_MASK_TWO] = "two",
                                    [MDF_MASK_CLASSES] = "classes",
                                    [MDF_MASK_SOFT] = "soft"};

static void check_levels(const char *name, const mdf_mask_info *info, const char *want)
{
    char text[200] = "";
    for (size_t i = 0; i < info->level_count && i < MDF_MASK_LEVELS; i++) {
        const size_t n = strlen(text);
        (void)snprintf(text + n, sizeof text - n, "%s%d", i == 0 ? "" : ",", info->level[i]);
    }
    if (strcmp(want, "-") != 0 && strcmp(want, text) != 0) {
        fail_msg("%s: values %s, want %s", name, text, want);
    }
}

static void check_line(const char *line)
{
    char name[64];
    char kind[16];
    char levels[64];
    char path[512];
    int clear = 0;
    size_t foreground = 0;
    uint64_t hash = 0;
    assert_int_equal(sscanf(line, "%63s %15s %d %63s %zu %" SCNx64, name, kind, &clear, levels,
                            &foreground, &hash),
                     6);
    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    mdf_grey mask = {0};
    mdf_mask_info info = {0};
    mdf_error err = {0};
    if (mdf_mask_read(&mask, &info, path, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    if (strcmp(kinds[info.kind], kind) != 0 || mdf_mask_is_clear(&info) != (clear != 0) ||
        info.foreground != foreground ||
        picture_hash(mask.px, (size_t)mask.width * (size_t)mask.height) != hash) {
        fail_msg("%s: %s, clear %d, %zu pixels", name, kinds[info.kind], mdf_mask_is_clear(&info),
                 info.foreground);
    }
    assert_int_equal(info.width, 32);
    assert_int_equal(info.height, 24);
    check_levels(name, &info, levels);
    mdf_grey_free(&mask);
}

static void every_way_to_write_a_mask_gives_its_foreground(void **state)
{
    (void)state;
    char line[512];
    int rows = 0;
    FILE *f = fopen(GOLDEN "masks.txt", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] != '#') {
            check_line(line);
            rows++;
        }
    }
    (void)fclose(f);
    assert_int_equal(rows, 22);
}

static void write_and_read(mdf_grey *mask, mdf_mask_info *info, const uint8_t *px, int width)
{
    uint8_t *png = NULL;
    size_t len = 0;
    assert_int_equal(mdf_png_encode(&png, &len, px, width, 1, 1, NULL), MDF_OK);
    assert_int_equal(mdf_mask_decode(mask, info, png, len, NULL, NULL), MDF_OK);
    mdf_free(png);
}

/* 8-bit masks whose edges run from 0 to 255 are cut above 127, like a number of 8 bits at its
 * middle. */
static void a_ramp_to_white_is_cut_in_the_middle(void **state)
{
    (void)state;
    uint8_t px[256];
    for (int i = 0; i < 256; i++) {
        px[i] = (uint8_t)i;
    }
    mdf_grey mask = {0};
    mdf_mask_info info = {0};
    write_and_read(&mask, &info, px, 256);
    for (int i = 0; i < 256; i++) {
        assert_int_equal(mask.px[i], i > 127 ? 255 : 0);
    }
    assert_int_equal(info.kind, MDF_MASK_SOFT);
    assert_int_equal(info.level_count, 256);
    mdf_grey_free(&mask);
}

/* The limits of the rule: 31 is a number of a class, 32 a grey; 8 values may be classes. */
static void the_limits_of_the_rule_hold(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        const uint8_t px[4] = {0, 1, 20, (uint8_t)(MDF_MASK_NUMBERS - 1 + extra)};
        mdf_grey mask = {0};
        mdf_mask_info info = {0};
        write_and_read(&mask, &info, px, 4);
        const uint8_t numbers[4] = {0, 255, 255, 255};
        const uint8_t greys[4] = {0, 0, 255, 255}; /* above 16 */
        assert_memory_equal(mask.px, extra == 0 ? numbers : greys, 4);
        assert_false(mdf_mask_is_clear(&info));
        mdf_grey_free(&mask);
    }
    for (int extra = 0; extra < 2; extra++) {
        uint8_t px[MDF_MASK_LEVELS + 1];
        for (int i = 0; i < MDF_MASK_LEVELS + 1; i++) {
            px[i] = (uint8_t)(i * 15);
        }
        mdf_grey mask = {0};
        mdf_mask_info info = {0};
        write_and_read(&mask, &info, px, MDF_MASK_LEVELS + extra);
        assert_int_equal(info.level_count, MDF_MASK_LEVELS + extra);
        assert_int_equal(mdf_mask_is_clear(&info), extra == 1);
        mdf_grey_free(&mask);
    }
}

static void a_mask_is_described_in_words(void **state)
{
    (void)state;
    mdf_grey mask = {0};
    mdf_mask_info info = {0};
    mdf_strbuf text = mdf_strbuf_new(1000);
    assert_int_equal(mdf_mask_read(&mask, &info, GOLDEN "numbers.png", NULL), MDF_OK);
    mdf_mask_describe(&text, &info);
    assert_string_equal(text.data, "values 0, 1, 2, 3, 8: all but 0 is foreground");
    mdf_grey_free(&mask);
    mdf_strbuf_clear(&text);
    assert_int_equal(mdf_mask_read(&mask, &info, GOLDEN "full.png", NULL), MDF_OK);
    mdf_mask_describe(&text, &info);
    assert_string_equal(text.data, "value 255: all of it is foreground");
    mdf_grey_free(&mask);
    mdf_strbuf_free(&text);
}

static void a_mask_may_have_another_size_but_not_another_shape(void **state)
{
    (void)state;
    mdf_error err = {0};
    assert_int_equal(mdf_mask_fits(64, 48, 64, 48, "m", &err), MDF_OK);
    assert_int_equal(mdf_mask_fits(32, 24, 64, 48, "m", &err), MDF_OK);
    assert_int_equal(mdf_mask_fits(21, 16, 64, 48, "m", &err), MDF_OK); /* 15.75 high, rounded */
    assert_int_equal(mdf_mask_fits(128, 98, 64, 48, "m", &err), MDF_OK);
    assert_int_equal(mdf_mask_fits(128, 99, 64, 48, "m", &err), MDF_ERR_SHAPE);
    assert_int_equal(mdf_mask_fits(48, 64, 64, 48, "m", &err), MDF_ERR_SHAPE);
    assert_string_equal(err.text, "m: a mask of 48 x 64 pixels for a picture of 64 x 48");
}

static void what_is_no_mask_leaves_nothing(void **state)
{
    (void)state;
    mdf_grey mask = {0};
    mdf_error err = {0};
    assert_int_equal(mdf_mask_decode(&mask, NULL, "garbage", 7, NULL, &err), MDF_ERR_FORMAT);
    assert_memory_equal(err.text, "mask: ", 6);
    assert_null(mask.px);
    assert_int_equal(mdf_mask_read(&mask, NULL, GOLDEN "none.png", &err), MDF_ERR_IO);
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_int_equal(mdf_file_read(GOLDEN "one.png", 1 << 20, &bytes, &len, NULL), MDF_OK);
    for (size_t n = 0; n + 16 < len; n++) { /* 16: check sum of the pixels and the end marker */
        assert_int_equal(mdf_mask_decode(&mask, NULL, bytes, n, NULL, NULL), MDF_ERR_FORMAT);
        assert_null(mask.px);
    }
    long n = 1; /* values, table of values, pixels: each may find no memory */
    for (mdf_status status = MDF_ERR_NOMEM; status != MDF_OK; n++) {
        mdf_alloc_fail_after(n);
        status = mdf_mask_decode(&mask, NULL, bytes, len, NULL, NULL);
        mdf_alloc_fail_after(0);
        assert_true(status == MDF_OK ? mask.px != NULL : mask.px == NULL);
        assert_true(status == MDF_OK || status == MDF_ERR_NOMEM);
    }
    assert_int_equal(n, 5);
    mdf_grey_free(&mask);
    mdf_free(bytes);
}

static void boxes_and_ellipses_fill_pixels_whose_centres_they_hold(void **state)
{
    (void)state;
    uint8_t px[8 * 6] = {0};
    mdf_grey mask = {.width = 8, .height = 6, .px = px};
    mdf_mask_fill(&mask, 1.5, 1.6, 4.4, 3, false);   /* centres 1.5 to 3.5 and 2.5 */
    mdf_mask_fill(&mask, -3, 4.9, 100, 100, false);  /* the last row, cut */
    mdf_mask_fill(&mask, 6.6, 0.1, 6.8, 0.2, false); /* no centre: the pixel that it lies in */
    static const char want[] = "......#."
                               "........"
                               ".###...."
                               "........"
                               "........"
                               "########";
    for (size_t i = 0; i < sizeof px; i++) {
        assert_int_equal(px[i], want[i] == '#' ? 255 : 0);
    }
    memset(px, 0, sizeof px);
    mdf_mask_fill(&mask, 1, 1, 6, 5, true);
    static const char round[] = "........"
                                "..###..."
                                ".#####.."
                                ".#####.."
                                "..###..."
                                "........";
    for (size_t i = 0; i < sizeof px; i++) {
        assert_int_equal(px[i], round[i] == '#' ? 255 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_write_a_mask_gives_its_foreground),
        cmocka_unit_test(a_ramp_to_white_is_cut_in_the_middle),
        cmocka_unit_test(the_limits_of_the_rule_hold),
        cmocka_unit_test(a_mask_is_described_in_words),
        cmocka_unit_test(a_mask_may_have_another_size_but_not_another_shape),
        cmocka_unit_test(boxes_and_ellipses_fill_pixels_whose_centres_they_hold),
        cmocka_unit_test(what_is_no_mask_leaves_nothing),
    };
    return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
