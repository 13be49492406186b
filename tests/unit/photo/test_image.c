/* Decoding: what Pillow shows, orientation, colour, and bytes that are no pictures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "photo/image.h"
#include "photo/mask.h"
#include "support/picture.h"
#include "support/probes.h"

#define GOLDEN MDF_TEST_DATA "/golden/image/"

static void path_of(char *out, size_t out_bytes, const char *name)
{
    snprintf(out, out_bytes, "%s%s", GOLDEN, name);
}

static void read_bytes(const char *name, uint8_t **bytes, size_t *len)
{
    char path[512];
    path_of(path, sizeof path, name);
    assert_int_equal(mdf_file_read(path, 1 << 20, bytes, len, NULL), MDF_OK);
}

/* EXIF 1..8, ICC, 16 bits, grey, palette, alpha, TIFF compressions, WebP: see the README there. */
static void every_golden_picture_looks_as_in_pillow(void **state)
{
    (void)state;
    assert_true(check_probes(GOLDEN) >= 130);
}

/* Random inks in LZW, so that nothing is lost: every pixel is Pillow's. */
static void inks_become_the_colours_that_pillow_has(void **state)
{
    (void)state;
    mdf_image im = {0};
    unsigned long long want = 0;
    FILE *f = fopen(GOLDEN "cmyk.txt", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "cmyk.tif %llx", &want), 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(mdf_image_read(&im, GOLDEN "cmyk.tif", NULL), MDF_OK);
    assert_int_equal(im.width, 32);
    assert_int_equal(im.height, 24);
    assert_true(picture_hash(im.rgb, (size_t)32 * 24 * 3) == want);
    mdf_image_free(&im);
}

/* A grey TIFF of 8 x 8 in one strip whose compression is `scheme`. */
static size_t make_tiff(uint8_t *out, unsigned scheme)
{
    const unsigned tag[][3] = {{256, 4, 8},      {257, 4, 8}, {258, 3, 8},
                               {259, 3, scheme}, {262, 3, 1}, {273, 4, 8 + 2 + 10 * 12 + 4},
                               {277, 3, 1},      {278, 4, 8}, {279, 4, 64},
                               {284, 3, 1}};
    uint8_t *p = out;
    memcpy(p, "II*\0\x08\0\0\0\x0a\0", 10);
    p += 10;
    for (size_t i = 0; i < 10; i++, p += 12) {
        const unsigned field[3] = {tag[i][0] | tag[i][1] << 16, 1, tag[i][2]};
        for (int k = 0; k < 12; k++) {
            p[k] = (uint8_t)(field[k / 4] >> (8 * (k % 4)));
        }
    }
    memset(p, 0, 4 + 64);
    return (size_t)(p - out) + 4 + 64;
}

static void a_compression_that_is_not_read_is_named(void **state)
{
    (void)state;
    static const struct {
        unsigned scheme;
        const char *name;
    } unread[] = {{33003, "JPEG 2000, scheme 33003"},
                  {33005, "JPEG 2000, scheme 33005"},
                  {34712, "JPEG 2000, scheme 34712"},
                  {50002, "JPEG XL, scheme 50002"},
                  {65000, "scheme 65000"}};
    uint8_t bytes[256];
    mdf_image im = {0};
    size_t n = make_tiff(bytes, 1);
    assert_int_equal(mdf_image_decode(&im, bytes, n, "eye.tif", NULL), MDF_OK);
    mdf_image_free(&im);
    for (size_t i = 0; i < sizeof unread / sizeof unread[0]; i++) {
        mdf_error err = {0};
        char want[100];
        n = make_tiff(bytes, unread[i].scheme);
        assert_int_equal(mdf_image_decode(&im, bytes, n, "eye.tif", &err), MDF_ERR_FORMAT);
        (void)snprintf(want, sizeof want, "eye.tif: its compression (%s of TIFF) is not read",
                       unread[i].name);
        assert_string_equal(err.text, want);
    }
}

static void a_mask_keeps_its_values_in_any_colour(void **state)
{
    (void)state;
    static const char *const names[] = {GOLDEN "mask.png", GOLDEN "mask_red.png"};
    for (int i = 0; i < 2; i++) {
        mdf_grey m = {0};
        assert_int_equal(mdf_mask_read(&m, NULL, names[i], NULL), MDF_OK);
        assert_int_equal(m.width, 32);
        assert_int_equal(m.height, 24);
        for (int y = 0; y < 24; y++) {
            for (int x = 0; x < 32; x++) {
                assert_int_equal(m.px[y * 32 + x], y < 12 && x >= 16 ? 255 : 0);
            }
        }
        mdf_grey_free(&m);
    }
}

/* Decodes a copy of exactly len bytes, so that a sanitizer sees any read behind the end. */
static mdf_status decode_prefix(const uint8_t *bytes, size_t len, mdf_error *err)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    mdf_image im = {0};
    const mdf_status status = mdf_image_decode(&im, copy, len, "x/cut", err);
    if (status == MDF_OK) {
        assert_non_null(im.rgb);
    } else {
        assert_null(im.rgb);
    }
    mdf_image_free(&im);
    free(copy);
    return status;
}

/* The last `spare` bytes may be missing without losing a pixel (end markers, metadata, the second
 * page of a TIFF, or the index that Pillow writes behind the pixels). */
static void check_cuts(const char *name, size_t spare)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    read_bytes(name, &bytes, &len);
    assert_int_equal(decode_prefix(bytes, len, NULL), MDF_OK);
    for (size_t n = 0; n < len; n += n < 64 ? 1 : 13) {
        mdf_error err = {0};
        const mdf_status status = decode_prefix(bytes, n, &err);
        if (n + spare < len) {
            if (status == MDF_OK) {
                fail_msg("%s cut to %zu of %zu bytes passes", name, n, len);
            }
            assert_int_equal(status, err.code);
            assert_non_null(strstr(err.text, "x/cut: "));
            assert_null(strchr(err.text, '\n'));
        }
    }
    mdf_free(bytes);
}

static void a_truncated_picture_is_an_error(void **state)
{
    (void)state;
    check_cuts("exif_6.jpg", 4);
    check_cuts("progressive.jpg", 4);
    check_cuts("grey.jpg", 4);
    check_cuts("cmyk.jpg", 4);
    check_cuts("icc.png", 16);
    check_cuts("rgb16.png", 16);
    check_cuts("palette.png", 16);
    check_cuts("alpha.webp", 2);
    check_cuts("lossy.webp", 8);
    check_cuts("tiff_lzw.tif", 0);
    check_cuts("packbits.tif", 0);
    check_cuts("exif_6.tif", 0);
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

static void bytes_that_are_no_picture_are_named_in_one_sentence(void **state)
{
    (void)state;
    expect_refusal("zero.png", MDF_ERR_FORMAT, "the file is empty");
    expect_refusal("text.jpg", MDF_ERR_FORMAT, "it looks like a text file");
    expect_refusal("gif.png", MDF_ERR_FORMAT, "the GIF holds no picture");
    expect_refusal("noise.jpg", MDF_ERR_FORMAT, "not a JPEG, PNG, TIFF, WebP or GIF picture");
    expect_refusal("soi.jpg", MDF_ERR_FORMAT, "JPEG");
    expect_refusal("sig.png", MDF_ERR_FORMAT, "PNG");
    expect_refusal("riff.webp", MDF_ERR_FORMAT, "WebP");
}

static void a_decode_bomb_is_refused_from_its_header(void **state)
{
    (void)state;
    expect_refusal("bomb.png", MDF_ERR_LIMIT, "60000 x 60000");
    expect_refusal("wide.png", MDF_ERR_LIMIT, "49999 x 49999");
    uint8_t *bytes = NULL;
    size_t len = 0;
    read_bytes("bomb.tif", &bytes, &len);
    mdf_image im = {0};
    assert_int_not_equal(mdf_image_decode(&im, bytes, len, "bomb.tif", NULL), MDF_OK);
    assert_null(im.rgb);
    mdf_free(bytes);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    mdf_image im = {0};
    mdf_error err = {0};
    assert_int_equal(mdf_image_read(&im, GOLDEN "none.png", &err), MDF_ERR_IO);
    assert_non_null(strstr(err.text, "none.png"));
}

static void a_written_png_reads_back_the_same(void **state)
{
    (void)state;
    char path[] = "/tmp/mdf_test_image_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    uint8_t px[5 * 4 * 3];
    for (size_t i = 0; i < sizeof px; i++) {
        px[i] = (uint8_t)(i * 37);
    }
    mdf_image im = {0};
    assert_int_equal(mdf_png_write(path, px, 5, 4, 3, NULL), MDF_OK);
    assert_int_equal(mdf_image_read(&im, path, NULL), MDF_OK);
    assert_int_equal(im.width, 5);
    assert_int_equal(im.height, 4);
    assert_memory_equal(im.rgb, px, sizeof px);
    mdf_image_free(&im);
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_levels levels = {0};
    assert_int_equal(mdf_png_encode(&bytes, &len, px, 5, 12, 1, NULL), MDF_OK);
    assert_int_equal(mdf_levels_decode(&levels, bytes, len, NULL, NULL), MDF_OK);
    assert_int_equal(levels.width, 5);
    for (size_t i = 0; i < sizeof px; i++) {
        assert_int_equal(levels.px[i], px[i]);
    }
    mdf_levels_free(&levels);
    mdf_free(bytes);
    unlink(path);
    mdf_error err = {0};
    assert_int_equal(mdf_png_write("/tmp/no/such/folder/a.png", px, 5, 4, 3, &err), MDF_ERR_IO);
    assert_non_null(strstr(err.text, "/tmp/no/such/folder/a.png"));
    assert_int_equal(mdf_png_write(path, px, 5, 4, 2, &err), MDF_ERR_ARG);
}

static void *decode_many(void *arg)
{
    static const char *const names[] = {"exif_6.jpg", "icc.png", "alpha.webp", "tiff_lzw.tif",
                                        "text.jpg"};
    size_t *good = arg;
    for (int i = 0; i < 25; i++) {
        char path[512];
        path_of(path, sizeof path, names[i % 5]);
        mdf_image im = {0};
        if (mdf_image_read(&im, path, NULL) == MDF_OK) {
            *good += (size_t)(im.width == 32 && im.height == 24);
        }
        mdf_image_free(&im);
    }
    return NULL;
}

static void threads_may_decode_at_the_same_time(void **state)
{
    (void)state;
    pthread_t thread[4];
    size_t good[4] = {0};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, decode_many, &good[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(good[i], 20); /* 25 less the five renamed text files */
    }
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t len = 0;
    read_bytes("icc.png", &bytes, &len);
    mdf_image im = {0};
    mdf_alloc_fail_after(1);
    const mdf_status status = mdf_image_decode(&im, bytes, len, "a", NULL);
    mdf_alloc_fail_after(0);
    assert_int_equal(status, MDF_ERR_NOMEM);
    assert_null(im.rgb);
    mdf_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_golden_picture_looks_as_in_pillow),
        cmocka_unit_test(inks_become_the_colours_that_pillow_has),
        cmocka_unit_test(a_compression_that_is_not_read_is_named),
        cmocka_unit_test(a_mask_keeps_its_values_in_any_colour),
        cmocka_unit_test(a_truncated_picture_is_an_error),
        cmocka_unit_test(bytes_that_are_no_picture_are_named_in_one_sentence),
        cmocka_unit_test(a_decode_bomb_is_refused_from_its_header),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_written_png_reads_back_the_same),
        cmocka_unit_test(threads_may_decode_at_the_same_time),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("io/image", tests, NULL, NULL);
}
