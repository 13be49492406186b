/* GIF: the first frame as Pillow shows it, and files that are cut, empty, huge or lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "photo/gif.h"
#include "photo/image.h"
#include "support/probes.h"

#define GOLDEN MDF_TEST_DATA "/golden/gif/"

/* Interlaced, with comments, transparent over black, and the first of several frames. */
static void the_first_frame_looks_as_in_pillow(void **state)
{
    (void)state;
    assert_int_equal(check_probes(GOLDEN), 6 * 5);
}

static void read_bytes(const char *name, uint8_t **bytes, size_t *len)
{
    char path[512];
    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    assert_int_equal(mdf_file_read(path, 1 << 20, bytes, len, NULL), MDF_OK);
}

static void expect_refusal(const char *name, mdf_status code, const char *words)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    read_bytes(name, &bytes, &len);
    mdf_image im = {0};
    mdf_error err = {0};
    const mdf_status status = mdf_image_decode(&im, bytes, len, name, &err);
    if (status != code || strstr(err.text, words) == NULL || strstr(err.text, name) != err.text) {
        fail_msg("%s: status %d, \"%s\"", name, (int)status, err.text);
    }
    assert_null(im.rgb);
    mdf_free(bytes);
}

static void what_cannot_be_shown_is_refused_in_one_sentence(void **state)
{
    (void)state;
    expect_refusal("no_frame.gif", MDF_ERR_FORMAT, "the GIF holds no picture");
    expect_refusal("no_blocks.gif", MDF_ERR_FORMAT, "the GIF is damaged");
    expect_refusal("huge_frame.gif", MDF_ERR_FORMAT, "1 of 4294836225 pixels are there");
    expect_refusal("short_codes.gif", MDF_ERR_FORMAT, "1 of 768 pixels are there");
}

/* libvips 8.14 takes what the frame covers for the picture where the canvas is larger than screens
 * were when GIF was made; another version may go by the canvas, which is above the limit. */
static void a_canvas_without_a_frame_on_it_takes_no_room(void **state)
{
    (void)state;
    mdf_image im = {0};
    const mdf_status status = mdf_image_read(&im, GOLDEN "huge.gif", NULL);
    assert_int_equal(im.width, status == MDF_OK ? 1 : 0);
    assert_true(status == MDF_OK || status == MDF_ERR_LIMIT);
    mdf_image_free(&im);
}

/* Only the byte behind the last frame, which ends the file, may be missing. */
static void a_truncated_gif_is_an_error(void **state)
{
    (void)state;
    static const char *const names[] = {"plain.gif", "interlaced.gif", "transparent.gif"};
    for (size_t i = 0; i < 3; i++) {
        uint8_t *bytes = NULL;
        size_t len = 0;
        read_bytes(names[i], &bytes, &len);
        for (size_t n = 0; n <= len; n++) {
            uint8_t *copy = malloc(n + 1);
            assert_non_null(copy);
            memcpy(copy, bytes, n);
            mdf_image im = {0};
            mdf_error err = {0};
            const mdf_status status = mdf_image_decode(&im, copy, n, "cut", &err);
            assert_int_equal(status, n + 1 < len ? MDF_ERR_FORMAT : MDF_OK);
            mdf_image_free(&im);
            free(copy);
        }
        mdf_free(bytes);
    }
}

/* The walk ends behind the first frame, however many follow, and never reads behind the bytes. */
static void the_first_frame_ends_where_its_blocks_do(void **state)
{
    (void)state;
    uint8_t *many = NULL;
    uint8_t *plain = NULL;
    size_t many_len = 0;
    size_t plain_len = 0;
    size_t end = 0;
    read_bytes("many.gif", &many, &many_len);
    read_bytes("animated.gif", &plain, &plain_len);
    assert_int_equal(mdf_gif_first_frame(&end, many, many_len, "g", NULL), MDF_OK);
    assert_true(end < 200);
    assert_int_equal(many[end], 0x2C); /* the next frame */
    assert_int_equal(mdf_gif_first_frame(&end, plain, plain_len, "g", NULL), MDF_OK);
    assert_int_equal(plain[end], 0x21); /* its extension */
    for (size_t n = 0; n < end; n++) {
        uint8_t *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, plain, n);
        size_t none = 7;
        assert_int_equal(mdf_gif_first_frame(&none, copy, n, "g", NULL), MDF_ERR_FORMAT);
        assert_int_equal(none, 7);
        free(copy);
    }
    mdf_free(many);
    mdf_free(plain);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t len = 0;
    read_bytes("plain.gif", &bytes, &len);
    for (long n = 1; n <= 2; n++) { /* the frame's copy, the pixels */
        mdf_image im = {0};
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_image_decode(&im, bytes, len, "g", NULL);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
        assert_null(im.rgb);
    }
    mdf_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_frame_looks_as_in_pillow),
        cmocka_unit_test(what_cannot_be_shown_is_refused_in_one_sentence),
        cmocka_unit_test(a_canvas_without_a_frame_on_it_takes_no_room),
        cmocka_unit_test(a_truncated_gif_is_an_error),
        cmocka_unit_test(the_first_frame_ends_where_its_blocks_do),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("gif", tests, NULL, NULL);
}
