/* Formats by their first bytes and by the ending of a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "photo/image_format.h"

static void the_first_bytes_tell_the_format(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        mdf_image_format format;
    } rows[] = {
        {"\xFF\xD8\xFF\xE0", 4, MDF_IMAGE_JPEG},
        {"\x89PNG\r\n\x1A\n", 8, MDF_IMAGE_PNG},
        {"RIFF....WEBP", 12, MDF_IMAGE_WEBP},
        {"II\x2A\0", 4, MDF_IMAGE_TIFF},
        {"MM\0\x2B", 4, MDF_IMAGE_TIFF},
        {"GIF87a", 6, MDF_IMAGE_GIF},
        {"GIF89a", 6, MDF_IMAGE_GIF},
        {"GIF90a", 6, MDF_IMAGE_UNKNOWN},
        {"BM......", 8, MDF_IMAGE_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(mdf_image_sniff(rows[i].bytes, rows[i].len), rows[i].format);
        uint8_t *copy = malloc(rows[i].len); /* a byte less is none of them */
        assert_non_null(copy);
        memcpy(copy, rows[i].bytes, rows[i].len - 1);
        const mdf_image_format cut = mdf_image_sniff(copy, rows[i].len - 1);
        assert_int_equal(cut, i == 0 ? MDF_IMAGE_JPEG : MDF_IMAGE_UNKNOWN); /* three are enough */
        free(copy);
    }
}

static void endings_are_read_in_any_capitals(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *ending;
        mdf_image_ending kind;
    } rows[] = {
        {"a.jpg", ".jpg", MDF_ENDING_READ},
        {"a.JPEG", ".jpeg", MDF_ENDING_READ},
        {"a.jfif", ".jfif", MDF_ENDING_READ},
        {"a.Jpe", ".jpe", MDF_ENDING_READ},
        {"a.jif", ".jif", MDF_ENDING_READ},
        {"a.b.PNG", ".png", MDF_ENDING_READ},
        {"a.TIFF", ".tiff", MDF_ENDING_READ},
        {"a.webp", ".webp", MDF_ENDING_READ},
        {"a.GIF", ".gif", MDF_ENDING_READ},
        {"a.BMP", ".bmp", MDF_ENDING_PICTURE},
        {"a.dcm", ".dcm", MDF_ENDING_PICTURE},
        {"a.heic", ".heic", MDF_ENDING_PICTURE},
        {"a.jp2", ".jp2", MDF_ENDING_PICTURE},
        {"a.ppm", ".ppm", MDF_ENDING_PICTURE},
        {"Thumbs.db", ".db", MDF_ENDING_OTHER},
        {"notes.txt", ".txt", MDF_ENDING_OTHER},
        {"jpg", "no ending", MDF_ENDING_OTHER},
        {"a.", "no ending", MDF_ENDING_OTHER},
        {"a.jpg ", ".jpg ", MDF_ENDING_OTHER},
        {"a.jpgg", ".jpgg", MDF_ENDING_OTHER},
        {"a.0123456789abcdef", ".0123456789abcd", MDF_ENDING_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char ending[16];
        assert_int_equal(mdf_image_ending_of(rows[i].name, ending, sizeof ending), rows[i].kind);
        assert_string_equal(ending, rows[i].ending);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_bytes_tell_the_format),
        cmocka_unit_test(endings_are_read_in_any_capitals),
    };
    return cmocka_run_group_tests_name("image_format", tests, NULL, NULL);
}
