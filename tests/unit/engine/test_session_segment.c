/* Masks through a session: the model that comes along on drawn eyes whose vessels are known, a
 * model of all kinds whose maps are set by hand, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/model_init.h"
#include "engine/engine.h"
#include "phantom/phantom.h"
#include "photo/image.h"
#include "support/eye.h"
#include "support/folder.h"
#include "support/near.h"

enum { EYE = 256, WIDTH = 400, HEIGHT = 300, LEFT = 120, TOP = 30, KINDS = 6 };

static test_folder root;
static mdf_config config; /* 40 kB: not on the stack */

typedef struct model {
    mdf_engine *engine;
    mdf_session *session;
} model;

/* A picture as a PNG. */
typedef struct file {
    uint8_t *bytes;
    size_t len;
} file;

static void must(mdf_status status, const mdf_error *err)
{
    if (status != MDF_OK) {
        fail_msg("%s", err->text);
    }
}

static model open_model(const char *dir)
{
    model m = {NULL, NULL};
    mdf_error err = {0};
    must(mdf_engine_open(
             &m.engine,
             &(mdf_engine_options){.model_dir = dir, .threads = 1, .labels_optional = true}, &err),
         &err);
    must(mdf_session_new(&m.session, m.engine, &err), &err);
    return m;
}

static void close_model(model *m)
{
    mdf_session_free(m->session);
    mdf_engine_close(m->engine);
}

/* A model with weights at random in root/name. */
static void init(char path[256], const char *name, const char *masks)
{
    mdf_error err = {0};
    mdf_init_result r;
    const mdf_precision p = mdf_precision_for(MDF_DTYPE_F32);
    (void)snprintf(path, 256, "%s/%s", root.path, name);
    must(mdf_config_load(&config, MDF_TEST_DATA "/../presets/tiny.json", &err), &err);
    must(mdf_config_set(&config, "answer_config.labels=[\"normal\",\"dr\"]", &err), &err);
    must(mdf_config_set(&config, masks, &err), &err);
    must(mdf_model_init(path, &config, &p, 1, NULL, &r, &err), &err);
}

static file png_of(const mdf_image *im)
{
    file f = {NULL, 0};
    assert_int_equal(mdf_png_encode(&f.bytes, &f.len, im->rgb, im->width, im->height, 3, NULL),
                     MDF_OK);
    return f;
}

static mdf_status segment(const model *m, file f, mdf_segmentation *out, mdf_error *err)
{
    return mdf_session_segment(m->session, &(mdf_photo){f.bytes, f.len, "eye.png"}, 0.5, out, err);
}

static int set_up(void **state)
{
    (void)state;
    test_folder_make(&root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(&root);
    return 0;
}

/* A drawn eye of EYE pixels at LEFT, TOP of a larger black picture; truth [HEIGHT, WIDTH]. */
static file phantom(uint8_t *truth)
{
    static mdf_phantom_case c;
    static uint8_t rgb[EYE * EYE * 3];
    static uint8_t vessel[EYE * EYE];
    mdf_image im = {0};
    mdf_phantom_case_init(&c, &(mdf_phantom_spec){.label = MDF_PHANTOM_NORMAL, .seed = 7});
    assert_int_equal(mdf_phantom_render(&c, EYE, rgb, &(mdf_phantom_masks){.vessel = vessel}, NULL),
                     MDF_OK);
    assert_int_equal(mdf_image_new(&im, WIDTH, HEIGHT, NULL), MDF_OK);
    memset(truth, 0, WIDTH * HEIGHT);
    for (int y = 0; y < EYE; y++) {
        memcpy(im.rgb + ((ptrdiff_t)(TOP + y) * WIDTH + LEFT) * 3, rgb + (ptrdiff_t)y * EYE * 3,
               (size_t)EYE * 3);
        memcpy(truth + (ptrdiff_t)(TOP + y) * WIDTH + LEFT, vessel + (ptrdiff_t)y * EYE, EYE);
    }
    const file f = png_of(&im);
    mdf_image_free(&im);
    return f;
}

/* Of a mask, moved by dx, dy pixels, and the truth. */
static double dice(const uint8_t *mask, const uint8_t *truth, int dx, int dy)
{
    int64_t both = 0;
    int64_t all = 0;
    for (int y = 20; y < HEIGHT - 20; y++) {
        for (int x = 20; x < WIDTH - 20; x++) {
            const bool a = mask[(y - dy) * WIDTH + x - dx] != 0;
            const bool b = truth[y * WIDTH + x] != 0;
            both += a && b;
            all += a + b;
        }
    }
    return 2 * (double)both / (double)all;
}

/* The model knows vessels so-so, but they must lie where they are: moved by a vessel's width or two
 * in any direction the mask fits worse. */
static void masks_lie_where_the_vessels_are(void **state)
{
    (void)state;
    static uint8_t truth[WIDTH * HEIGHT];
    static uint8_t mask[WIDTH * HEIGHT];
    mdf_segmentation r;
    mdf_error err = {0};
    model m = open_model(MDF_TEST_DATA "/../models/small");
    const file f = phantom(truth);
    assert_string_equal(mdf_engine_mask(m.engine, 0), "vessel");
    must(segment(&m, f, &r, &err), &err);
    must(mdf_session_mask(m.session, 0, mask, &err), &err);
    assert_int_equal(r.width, WIDTH);
    assert_int_equal(r.height, HEIGHT);
    const double here = dice(mask, truth, 0, 0);
    assert_true(here > 0.3);
    static const int move[][2] = {{4, 0}, {-4, 0}, {0, 4}, {0, -4}};
    for (int i = 0; i < 4; i++) {
        assert_true(dice(mask, truth, move[i][0], move[i][1]) < 0.8 * here);
    }
    int64_t pixels = 0;
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const double dx = i % WIDTH + 0.5 - r.field_x;
        const double dy = i / WIDTH + 0.5 - r.field_y;
        assert_true(mask[i] == 0 || mask[i] == 255);
        assert_true(mask[i] == 0 ||
                    dx * dx + dy * dy <= 0.25 * r.field_diameter * r.field_diameter);
        pixels += mask[i] != 0;
    }
    assert_near(r.vessel.area, (double)pixels / (double)r.field_area, 1e-12);
    assert_true(r.vessel.dimension > 1 && r.vessel.dimension < 2);
    assert_string_equal(mdf_engine_mask(m.engine, 3), "haemorrhage");
    assert_true(isnan(r.lesion[0].count) && isnan(r.lesion[1].count) && !isnan(r.lesion[3].count));

    /* Less probable pixels make the mask larger. */
    mdf_segmentation more;
    must(mdf_session_segment(m.session, &(mdf_photo){f.bytes, f.len, NULL}, 0.1, &more, &err),
         &err);
    assert_true(more.vessel.area > r.vessel.area);
    mdf_free(f.bytes);
    close_model(&m);
}

/* The decoder's last layer gives every pixel of kind k the logit of a probability p[k]. */
static void set_maps(const model *m, const double *p)
{
    const mdf_unet *u = &m->engine->model->unet;
    memset(u->head_w->data, 0, (size_t)mdf_tensor_count(u->head_w) * sizeof *u->head_w->data);
    for (int k = 0; k < KINDS; k++) {
        u->head_b->data[k] = (mdf_real)log(p[k] / (1 - p[k]));
    }
}

static file draw_eye(int width, int height, double r)
{
    mdf_image im = {0};
    assert_int_equal(mdf_image_new(&im, width, height, NULL), MDF_OK);
    eye_draw(&im, 0.5 * width, 0.5 * height, r, 1);
    const file f = png_of(&im);
    mdf_image_free(&im);
    return f;
}

static bool warns(const mdf_segmentation *r, const char *word)
{
    for (int i = 0; i < r->caution.count; i++) {
        if (strstr(r->caution.text[i], word) != NULL) {
            return true;
        }
    }
    return false;
}

/* Vessels, disc and exudates everywhere, haemorrhages and cup nowhere. */
static void every_kind_has_its_measure_in_its_place(void **state)
{
    (void)state;
    static const double p[KINDS] = {0.7, 0.4, 0.4, 0.6, 0.55, 0.51};
    static const char *const kind[KINDS] = {"hard_exudate", "cup",    "haemorrhage",
                                            "disc",         "vessel", "lesion"};
    static uint8_t mask[WIDTH * HEIGHT];
    char path[256];
    mdf_segmentation r;
    mdf_error err = {0};
    init(path, "all", "unet_config.masks=hard_exudate,cup,haemorrhage,disc,vessel,lesion");
    model m = open_model(path);
    set_maps(&m, p);
    const file f = draw_eye(WIDTH, HEIGHT, 120);
    assert_int_equal(mdf_engine_mask_count(m.engine), KINDS);
    must(segment(&m, f, &r, &err), &err);
    assert_true(r.gradable);
    assert_near(r.vessel.area, 1, 0);
    assert_near(r.disc.area, 1, 0);
    assert_near(r.disc.height, 1, 0.02); /* the field's own: edges found to a pixel or two of 240 */
    assert_true(isnan(r.disc.cup_disc_ratio));
    for (int k = 0; k < KINDS; k++) {
        int64_t pixels = 0;
        assert_string_equal(mdf_engine_mask(m.engine, k), kind[k]);
        must(mdf_session_mask(m.session, k, mask, &err), &err);
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            pixels += mask[i] != 0;
        }
        assert_int_equal(pixels, p[k] > 0.5 ? r.field_area : 0);
    }
    assert_near(r.lesion[0].count, 1, 0);
    assert_near(r.lesion[2].count, 0, 0);
    assert_near(r.lesion[5].area, 1, 0);
    assert_true(isnan(r.lesion[1].count) && isnan(r.lesion[3].count) && isnan(r.lesion[4].area));
    static const char *const text[] = {"no cup found", "touches the border", "unlikely size",
                                       "more vessel pixels", "resolution too low for microaneur"};
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        assert_true(warns(&r, text[i]));
    }
    /* From 0.6 on, and from just above. */
    must(mdf_session_segment(m.session, &(mdf_photo){f.bytes, f.len, NULL}, 0.599, &r, &err), &err);
    assert_near(r.disc.area, 1, 0);
    must(mdf_session_segment(m.session, &(mdf_photo){f.bytes, f.len, NULL}, 0.601, &r, &err), &err);
    assert_true(isnan(r.disc.area));
    mdf_free(f.bytes);
    close_model(&m);
}

static void what_has_no_masks_is_refused_by_name(void **state)
{
    (void)state;
    char path[256];
    mdf_segmentation r = {.width = 77};
    mdf_error err = {0};
    uint8_t px[1];
    init(path, "none", "unet_config.masks=[]");
    model m = open_model(path);
    const file f = draw_eye(WIDTH, HEIGHT, 120);
    assert_int_equal(mdf_engine_mask_count(m.engine), 0);
    assert_int_equal(segment(&m, f, &r, &err), MDF_ERR_ARG);
    assert_string_equal(err.text,
                        "this model draws no masks: its U-Net has no decoder (unet_config.masks)");
    assert_int_equal(mdf_session_mask(m.session, 0, px, &err), MDF_ERR_ARG);
    close_model(&m);
    assert_int_equal(r.width, 77);
    mdf_free(f.bytes);
}

static void pictures_without_an_eye_are_refused_by_name(void **state)
{
    (void)state;
    char path[256];
    mdf_segmentation r = {.width = 77};
    mdf_error err = {0};
    mdf_image black = {0};
    uint8_t px[1];
    init(path, "vessel", "unet_config.masks=vessel");
    model m = open_model(path);
    assert_int_equal(mdf_image_new(&black, 300, 200, NULL), MDF_OK);
    file f = png_of(&black);
    assert_int_equal(segment(&m, f, &r, &err), MDF_ERR_ARG);
    assert_string_equal(
        err.text, "eye.png: no field of view: the picture is blank, or hardly any of it is lit");
    assert_int_equal(mdf_session_mask(m.session, 0, px, &err), MDF_ERR_ARG);
    mdf_free(f.bytes);
    mdf_image_free(&black);
    f = draw_eye(60, 40, 13);
    assert_int_equal(segment(&m, f, &r, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "across is too small for masks: 32 are the least"));
    assert_int_equal(segment(&m, (file){f.bytes, f.len / 2}, &r, &err), MDF_ERR_FORMAT);
    assert_non_null(strstr(err.text, "eye.png: "));
    mdf_free(f.bytes);
    assert_int_equal(r.width, 77);

    /* Smaller than what the model draws masks at, 64 pixels: there are masks, and a warning. */
    f = draw_eye(60, 60, 20);
    must(segment(&m, f, &r, &err), &err);
    assert_true(warns(&r, "fewer pixels than the model draws masks at"));
    assert_int_equal(mdf_session_mask(m.session, 1, px, &err), MDF_ERR_ARG);
    static const double wrong[] = {0, 1, -1, 2};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            mdf_session_segment(m.session, &(mdf_photo){f.bytes, f.len, NULL}, wrong[i], &r, &err),
            MDF_ERR_ARG);
    }
    assert_int_equal(
        mdf_session_segment(m.session, &(mdf_photo){f.bytes, f.len, NULL}, (double)NAN, &r, &err),
        MDF_ERR_ARG);
    mdf_free(f.bytes);
    close_model(&m);
}

static void memory_that_ends_at_any_allocation_is_reported(void **state)
{
    (void)state;
    char path[256];
    mdf_segmentation r;
    mdf_error err = {0};
    init(path, "again", "unet_config.masks=vessel,disc,cup,lesion");
    const file f = draw_eye(120, 100, 45);
    for (long n = 1;; n++) {
        model m = open_model(path);
        mdf_alloc_fail_after(n);
        const mdf_status status = segment(&m, f, &r, &err);
        mdf_alloc_fail_after(0);
        close_model(&m);
        if (status == MDF_OK) {
            assert_true(n > 20);
            break;
        }
        if (status != MDF_ERR_NOMEM || strstr(err.text, "out of memory") == NULL) {
            fail_msg("allocation %ld: %s", n, err.text);
        }
    }
    mdf_free(f.bytes);
}

static void a_stop_is_obeyed(void **state)
{
    (void)state;
    char path[256];
    mdf_segmentation r;
    mdf_error err = {0};
    volatile sig_atomic_t stop = 1;
    init(path, "stop", "unet_config.masks=vessel");
    model m = open_model(path);
    const file f = draw_eye(120, 100, 45);
    mdf_session_watch(m.session, &stop);
    assert_int_equal(segment(&m, f, &r, &err), MDF_ERR_STOPPED);
    stop = 0;
    must(segment(&m, f, &r, &err), &err);
    mdf_free(f.bytes);
    close_model(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_lie_where_the_vessels_are),
        cmocka_unit_test(every_kind_has_its_measure_in_its_place),
        cmocka_unit_test(what_has_no_masks_is_refused_by_name),
        cmocka_unit_test(pictures_without_an_eye_are_refused_by_name),
        cmocka_unit_test(memory_that_ends_at_any_allocation_is_reported),
        cmocka_unit_test(a_stop_is_obeyed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
