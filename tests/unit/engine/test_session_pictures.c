/* Well-formed but unusual pictures of one eye, through a session with the golden model: what is
 * the same picture must give the same answer, and what is no eye must not get one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <vips/vips.h>

#include "base/alloc.h"
#include "engine/engine.h"
#include "support/eye.h"
#include "support/near.h"

enum { WIDTH = 400, HEIGHT = 340, RADIUS = 160 };

typedef struct fixture {
    mdf_engine *engine;
    mdf_session *session;
    mdf_image eye;    /* [HEIGHT, WIDTH, 3] */
    mdf_result plain; /* of the eye as a PNG */
} fixture;

/* A picture in memory as a file. */
typedef struct file {
    void *bytes;
    size_t len;
} file;

static mdf_result classify(const fixture *f, file picture)
{
    mdf_result r = {0};
    mdf_error err = {0};
    const mdf_case c = {.image = picture.bytes,
                        .image_bytes = picture.len,
                        .name = "picture",
                        .text = "63-year-old female."};
    if (mdf_session_classify(f->session, &c, &r, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
    for (int k = 0; k < r.label_count; k++) {
        assert_true(isfinite((double)r.prob[k]));
    }
    g_free(picture.bytes);
    return r;
}

/* px [h, w, bands] of bytes or 16-bit numbers; orientation as in EXIF. */
static file save(const void *px, int w, int h, int bands, VipsBandFormat format, int orientation,
                 const char *suffix)
{
    const size_t size =
        (size_t)w * (size_t)h * (size_t)bands * (format == VIPS_FORMAT_USHORT ? 2 : 1);
    const bool grey = bands < 3;
    VipsImage *im = vips_image_new_from_memory(px, size, w, h, bands, format);
    assert_non_null(im);
    im->Type = format == VIPS_FORMAT_USHORT
                   ? (grey ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16)
                   : (grey ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
    vips_image_set_int(im, VIPS_META_ORIENTATION, orientation);
    file out = {NULL, 0};
    if (vips_image_write_to_buffer(im, suffix, &out.bytes, &out.len, NULL) != 0) {
        fail_msg("%s: %s", suffix, vips_error_buffer());
    }
    g_object_unref(im);
    return out;
}

static file save_eye(const fixture *f, const char *suffix)
{
    return save(f->eye.rgb, WIDTH, HEIGHT, 3, VIPS_FORMAT_UCHAR, 1, suffix);
}

static int set_up(void **state)
{
    static fixture f;
    mdf_error err = {0};
    if (mdf_engine_open(&f.engine,
                        &(mdf_engine_options){.model_dir = MDF_TEST_DATA "/golden/model"},
                        &err) != MDF_OK ||
        mdf_session_new(&f.session, f.engine, &err) != MDF_OK ||
        mdf_image_new(&f.eye, WIDTH, HEIGHT, &err) != MDF_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    eye_draw(&f.eye, WIDTH / 2.0 + 7, HEIGHT / 2.0 - 3, RADIUS, 1.0);
    uint8_t *png = NULL;
    size_t len = 0;
    if (mdf_png_encode(&png, &len, f.eye.rgb, WIDTH, HEIGHT, 3, &err) != MDF_OK) {
        return -1;
    }
    const mdf_case c = {
        .image = png, .image_bytes = len, .name = "eye.png", .text = "63-year-old female."};
    const mdf_status status = mdf_session_classify(f.session, &c, &f.plain, &err);
    mdf_free(png);
    *state = &f;
    return status == MDF_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    mdf_image_free(&f->eye);
    mdf_session_free(f->session);
    mdf_engine_close(f->engine);
    return 0;
}

static void expect_near(const fixture *f, const mdf_result *r, double tolerance)
{
    assert_true(r->gradable);
    assert_int_equal(r->warning_count, f->plain.warning_count);
    assert_int_equal(r->label_count, f->plain.label_count);
    for (int k = 0; k < r->label_count; k++) {
        assert_near((double)r->prob[k], (double)f->plain.prob[k], tolerance);
    }
}

static void the_plain_eye_is_an_eye(void **state)
{
    const fixture *f = *state;
    assert_true(f->plain.gradable);
    assert_int_equal(f->plain.warning_count, 0);
    assert_true(f->plain.crop_side >= 2 * RADIUS - 8 && f->plain.crop_side <= 2 * RADIUS + 8);
}

/* EXIF 2.3, 4.6.4: where the stored row 0 and column 0 are seen. */
static void stored_at(int orientation, int x, int y, int *column, int *row)
{
    const int right = WIDTH - 1 - x;
    const int up = HEIGHT - 1 - y;
    switch (orientation) {
    case 1: /* top, left */
        *row = y;
        *column = x;
        break;
    case 2: /* top, right */
        *row = y;
        *column = right;
        break;
    case 3: /* bottom, right */
        *row = up;
        *column = right;
        break;
    case 4: /* bottom, left */
        *row = up;
        *column = x;
        break;
    case 5: /* left, top */
        *row = x;
        *column = y;
        break;
    case 6: /* right, top */
        *row = right;
        *column = y;
        break;
    case 7: /* right, bottom */
        *row = right;
        *column = up;
        break;
    default: /* left, bottom */
        *row = x;
        *column = up;
        break;
    }
}

static void every_orientation_is_the_same_eye(void **state)
{
    const fixture *f = *state;
    static uint8_t px[WIDTH * HEIGHT * 3];
    for (int o = 1; o <= 8; o++) {
        const int w = o < 5 ? WIDTH : HEIGHT;
        for (int y = 0; y < HEIGHT; y++) {
            for (int x = 0; x < WIDTH; x++) {
                int column = 0;
                int row = 0;
                stored_at(o, x, y, &column, &row);
                memcpy(px + 3 * (row * w + column), f->eye.rgb + 3 * (y * WIDTH + x), 3);
            }
        }
        const int h = o < 5 ? HEIGHT : WIDTH;
        static const char *const lossless[] = {".tif", ".webp[lossless]"};
        for (int i = 0; i < 2; i++) {
            const mdf_result r = classify(f, save(px, w, h, 3, VIPS_FORMAT_UCHAR, o, lossless[i]));
            expect_near(f, &r, 0);
            assert_int_equal(r.crop_left, f->plain.crop_left);
            assert_int_equal(r.crop_top, f->plain.crop_top);
        }
        /* Blocks of 8 lie elsewhere in the turned picture, so the loss is another one. */
        const mdf_result jpeg = classify(f, save(px, w, h, 3, VIPS_FORMAT_UCHAR, o, ".jpg[Q=95]"));
        expect_near(f, &jpeg, 0.02);
    }
}

static void every_format_is_the_same_eye(void **state)
{
    const fixture *f = *state;
    static const char *const lossless[] = {".png",
                                           ".png[interlace]",
                                           ".tif[compression=lzw]",
                                           ".tif[compression=deflate,predictor=horizontal]",
                                           ".tif[tile,tile-width=128,tile-height=128]",
                                           ".tif[bigtiff]",
                                           ".webp[lossless]"};
    static const char *const lossy[] = {".jpg[Q=95]", ".jpg[Q=90,interlace]",
                                        ".jpg[Q=95,subsample-mode=off]", ".webp[Q=95]",
                                        ".tif[compression=jpeg,Q=95]"};
    for (size_t i = 0; i < sizeof lossless / sizeof lossless[0]; i++) {
        const mdf_result r = classify(f, save_eye(f, lossless[i]));
        expect_near(f, &r, 0);
    }
    for (size_t i = 0; i < sizeof lossy / sizeof lossy[0]; i++) {
        const mdf_result r = classify(f, save_eye(f, lossy[i]));
        expect_near(f, &r, 0.02); /* pixels move by a few grey levels */
    }
}

static void sixteen_bits_are_the_same_eye(void **state)
{
    const fixture *f = *state;
    static uint16_t wide[WIDTH * HEIGHT * 3];
    static const char *const suffix[] = {".png", ".tif"};
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        wide[i] = (uint16_t)(f->eye.rgb[i] * 257);
    }
    for (int i = 0; i < 2; i++) {
        const mdf_result r =
            classify(f, save(wide, WIDTH, HEIGHT, 3, VIPS_FORMAT_USHORT, 1, suffix[i]));
        expect_near(f, &r, 0);
    }
}

/* Outside of the disc nothing: a cut-out eye. What is transparent is the ground, not paper. */
static void transparency_is_ground(void **state)
{
    const fixture *f = *state;
    static uint8_t px[WIDTH * HEIGHT * 4];
    static const char *const suffix[] = {".png", ".tif", ".webp[lossless]"};
    for (int cut = 0; cut < 2; cut++) {
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            const double dx = i % WIDTH + 0.5 - (WIDTH / 2.0 + 7);
            const double dy = i / WIDTH + 0.5 - (HEIGHT / 2.0 - 3);
            memcpy(px + 4 * i, f->eye.rgb + 3 * i, 3);
            px[4 * i + 3] = 255;
            if (cut == 1 && dx * dx + dy * dy > RADIUS * RADIUS) {
                memset(px + 4 * i, 255, 3); /* white, were it seen */
                px[4 * i + 3] = 0;
            }
        }
        for (int i = 0; i < 3; i++) {
            const mdf_result r =
                classify(f, save(px, WIDTH, HEIGHT, 4, VIPS_FORMAT_UCHAR, 1, suffix[i]));
            expect_near(f, &r, cut == 0 ? 0 : 0.02); /* the ground has a grain of 1 to 3 levels */
        }
    }
}

/* The same numbers as one channel or as three, 8 bits or 16. */
static void grey_is_grey_in_every_form(void **state)
{
    const fixture *f = *state;
    static uint8_t grey[WIDTH * HEIGHT];
    static uint16_t wide[WIDTH * HEIGHT];
    static uint8_t rgb[WIDTH * HEIGHT * 3];
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        grey[i] = f->eye.rgb[3 * i + 1];
        wide[i] = (uint16_t)(grey[i] * 257);
        memset(rgb + 3 * i, grey[i], 3);
    }
    const mdf_result want = classify(f, save(rgb, WIDTH, HEIGHT, 3, VIPS_FORMAT_UCHAR, 1, ".png"));
    assert_false(want.gradable); /* no camera's colours */
    const file form[] = {save(grey, WIDTH, HEIGHT, 1, VIPS_FORMAT_UCHAR, 1, ".png"),
                         save(grey, WIDTH, HEIGHT, 1, VIPS_FORMAT_UCHAR, 1, ".tif"),
                         save(wide, WIDTH, HEIGHT, 1, VIPS_FORMAT_USHORT, 1, ".png"),
                         save(wide, WIDTH, HEIGHT, 1, VIPS_FORMAT_USHORT, 1, ".tif")};
    for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
        const mdf_result r = classify(f, form[i]);
        assert_false(r.gradable);
        for (int k = 0; k < r.label_count; k++) {
            assert_near((double)r.prob[k], (double)want.prob[k], 0);
        }
    }
}

static bool warns(const mdf_result *r, const char *text)
{
    for (int i = 0; i < r->warning_count; i++) {
        if (strcmp(r->warning[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static void what_shows_no_eye_gets_no_answer(void **state)
{
    const fixture *f = *state;
    static uint8_t px[300 * 300 * 3];
    mdf_rng noise = mdf_rng_new(1, 1);
    for (int kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < sizeof px; i++) {
            const size_t x = i / 3 % 300;
            const size_t y = i / 900;
            const uint8_t any = (uint8_t)(mdf_rng_u32(&noise) >> 24);
            const uint8_t checks = (x / 20 + y / 20) % 2 == 0 ? 200 : (uint8_t)(60 * (i % 3));
            px[i] = kind == 0 ? 0 : kind == 1 ? 255 : kind == 2 ? any : checks;
        }
        const mdf_result r = classify(f, save(px, 300, 300, 3, VIPS_FORMAT_UCHAR, 1, ".png"));
        assert_false(r.gradable);
        assert_true(warns(&r, "not a fundus photograph"));
        assert_true(warns(&r, "too dark") == (kind == 0));
    }
}

static void tiny_and_thin_pictures_get_no_answer(void **state)
{
    const fixture *f = *state;
    static const int size[][2] = {{1, 1}, {8, 8}, {31, 31}, {3, 700}, {700, 1}};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        mdf_image im = {0};
        const int w = size[i][0];
        const int h = size[i][1];
        assert_int_equal(mdf_image_new(&im, w, h, NULL), MDF_OK);
        eye_draw(&im, w / 2.0, h / 2.0, (w < h ? w : h) * 0.48, 1.0);
        const mdf_result r = classify(f, save(im.rgb, w, h, 3, VIPS_FORMAT_UCHAR, 1, ".png"));
        assert_false(r.gradable);
        assert_true(i > 2 || warns(&r, "few pixels"));
        mdf_image_free(&im);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_eye_is_an_eye),
        cmocka_unit_test(every_orientation_is_the_same_eye),
        cmocka_unit_test(every_format_is_the_same_eye),
        cmocka_unit_test(sixteen_bits_are_the_same_eye),
        cmocka_unit_test(transparency_is_ground),
        cmocka_unit_test(grey_is_grey_in_every_form),
        cmocka_unit_test(what_shows_no_eye_gets_no_answer),
        cmocka_unit_test(tiny_and_thin_pictures_get_no_answer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
