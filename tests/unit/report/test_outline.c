/* Outlines of masks, and PNGs that name their program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "photo/image.h"
#include "report/outline.h"
#include "report/png_mark.h"

enum { SIDE = 9 };

/* The picture that has '*' where the outline of '#' and '*' is. */
static void check(const char *const *line, int thick)
{
    uint8_t rgb[SIDE * SIDE * 3];
    uint8_t mask[SIDE * SIDE];
    static const uint8_t colour[3] = {1, 2, 3};
    memset(rgb, 9, sizeof rgb);
    for (int i = 0; i < SIDE * SIDE; i++) {
        mask[i] = line[i / SIDE][i % SIDE] != '.' ? 255 : 0;
    }
    mdf_outline_draw(rgb, mask, SIDE, SIDE, thick, colour);
    for (int i = 0; i < SIDE * SIDE; i++) {
        const bool edge = line[i / SIDE][i % SIDE] == '*';
        assert_int_equal(rgb[3 * i], edge ? 1 : 9);
        assert_int_equal(rgb[3 * i + 1], edge ? 2 : 9);
        assert_int_equal(rgb[3 * i + 2], edge ? 3 : 9);
    }
}

/* The frame of the picture is no edge, and thin lines are painted all. */
static void an_outline_lies_inside(void **state)
{
    (void)state;
    static const char *const one[] = {"###*.....", "###*.*.*.", "###*...*.",
                                      "****...*.", ".......*.", "..*****..",
                                      "..*###*..", "..*###*..", "..*###*.."};
    static const char *const two[] = {"##**.....", "##**.*.*.", "****...*.",
                                      "****...*.", ".......*.", "..*****..",
                                      "..*****..", "..**#**..", "..**#**.."};
    check(one, 1);
    check(two, 2);
}

static void a_marked_png_is_the_same_picture_and_says_who_wrote_it(void **state)
{
    (void)state;
    static const uint8_t px[6] = {0, 255, 0, 255, 255, 0};
    uint8_t *png = NULL;
    size_t len = 0;
    mdf_image im = {0};
    mdf_strbuf b = mdf_strbuf_new(10000);
    assert_int_equal(mdf_png_encode(&png, &len, px, 3, 2, 1, NULL), MDF_OK);
    mdf_png_mark(&b, png, len);
    assert_false(b.failed);
    assert_true(b.len > len);
    assert_int_equal(mdf_image_decode(&im, b.data, b.len, NULL, NULL), MDF_OK);
    assert_int_equal(im.width, 3);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(im.rgb[3 * i], px[i]);
    }
    static const char says[] = "Software\0mdf ";
    assert_memory_equal(b.data + 33 + 8, says, sizeof says - 1); /* behind IHDR */
    mdf_image_free(&im);
    mdf_strbuf_free(&b);
    mdf_free(png);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outline_lies_inside),
        cmocka_unit_test(a_marked_png_is_the_same_picture_and_says_who_wrote_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
