/* Masks of a whole field of view: what tiles give where they are alone, and where they meet. */
#include "base/alloc.h"
#include "nn/segment.h"
#include "photo/mllama_image.h"
#include "support/picture.h"
#include "unit/nn/golden.h"

enum { TILE = 32, SIDE = 80, MASKS = 2 };

typedef struct setting {
    mdf_kernels *kernels;
    mdf_graph graph;
    mdf_mllm *model;
    mdf_image crop;
} setting;

static void open_setting(setting *s, int mask_side)
{
    static mdf_config c;
    mdf_error err = {0};
    must(mdf_config_load(&c, GOLDEN "config.json", &err), &err);
    c.unet.mask_side = mask_side;
    must(mdf_kernels_new(&s->kernels, NULL, &err), &err);
    must(mdf_graph_init(&s->graph, s->kernels, false, 0, &err), &err);
    must(mdf_mllm_new(&s->model, &c, false, &err), &err);
    mdf_params_initialise(&s->model->params, 3);
    const int side = mdf_segment_side(&c);
    must(mdf_image_new(&s->crop, side, side, &err), &err);
    picture_pattern(s->crop.rgb, side, side, 3);
}

static void close_setting(setting *s)
{
    mdf_image_free(&s->crop);
    mdf_mllm_free(s->model);
    mdf_graph_free(&s->graph);
    mdf_kernels_free(s->kernels);
}

/* Logits [TILE,TILE,MASKS] of the first tile of a picture of side x side pixels. */
static const mdf_real *logits_of(setting *s, const mdf_image *picture)
{
    static mdf_real px[TILE * TILE * 3];
    const mdf_mllama_norm norm = mdf_mllama_norm_default();
    for (int i = 0; i < TILE * TILE * 3; i++) {
        const int pixel = i / 3;
        const int at = 3 * (pixel / TILE * picture->width + pixel % TILE) + i % 3;
        px[i] = ((mdf_real)picture->rgb[at] / 255 - (mdf_real)norm.mean[i % 3]) /
                (mdf_real)norm.std[i % 3];
    }
    mdf_graph_reset(&s->graph);
    mdf_tensor *image = mdf_constant(&s->graph, px, 4, (int64_t[]){1, TILE, TILE, 3});
    const mdf_unet_features f = mdf_unet_encode(&s->graph, &s->model->unet, image, NULL);
    const mdf_tensor *z = mdf_unet_decode(&s->graph, &s->model->unet, &f);
    assert_non_null(z);
    return z->data;
}

static double probability(mdf_real logit)
{
    return 1 / (1 + exp(-(double)logit));
}

/* Where one tile alone covers the picture, its logits are the answer: tiles of 32 in 80 begin at 0,
 * 24 and 48, so that pixels below 24 both ways are the first one's alone. 1e-5: the picture passes
 * through bytes and a bilinear sampling at whole pixels. */
static void a_tile_alone_gives_its_logits(void **state)
{
    (void)state;
    setting s;
    mdf_error err = {0};
    static float maps[SIDE * SIDE * MASKS];
    open_setting(&s, SIDE);
    assert_int_equal(mdf_segment_side(&s.model->config), SIDE);
    must(mdf_segment_crop(maps, NULL, &s.graph, s.model, &s.crop, &err), &err);
    const mdf_real *logits = logits_of(&s, &s.crop);
    for (int y = 0; y < 24; y++) {
        for (int x = 0; x < 24; x++) {
            for (int k = 0; k < MASKS; k++) {
                const double want = probability(logits[(y * TILE + x) * MASKS + k]);
                const double got = (double)maps[(y * SIDE + x) * MASKS + k];
                assert_true(fabs(got - want) < 1e-5);
            }
        }
    }
    close_setting(&s);
}

/* A disc is drawn from all of the field of view in one tile, vessels from tiles of a larger one. */
static void regions_are_drawn_from_the_whole(void **state)
{
    (void)state;
    setting s;
    mdf_error err = {0};
    mdf_image small;
    static float maps[TILE * TILE * MASKS];
    open_setting(&s, SIDE);
    s.model->config.unet.masks[1] = MDF_MASK_DISC;
    must(mdf_image_new(&small, TILE, TILE, &err), &err);
    picture_pattern(small.rgb, TILE, TILE, 3);
    must(mdf_segment_crop(maps, NULL, &s.graph, s.model, &small, &err), &err);
    const mdf_real *logits = logits_of(&s, &small);
    double vessel = 0;
    for (int i = 0; i < TILE * TILE; i++) {
        const double disc = (double)maps[i * MASKS + 1];
        assert_true(fabs(disc - probability(logits[i * MASKS + 1])) < 1e-5);
        vessel = fmax(vessel, fabs((double)maps[i * MASKS] - probability(logits[i * MASKS])));
    }
    assert_true(vessel > 1e-3);
    mdf_image_free(&small);
    close_setting(&s);
}

/* What is not wanted is left alone, and what is comes out as it does among all. A look of its own
 * is not taken for nothing: memory is asked for less often. */
static void only_what_is_wanted_is_drawn(void **state)
{
    (void)state;
    setting s;
    mdf_error err = {0};
    static float all[SIDE * SIDE * MASKS];
    static float some[SIDE * SIDE * MASKS];
    open_setting(&s, SIDE);
    s.model->config.unet.masks[1] = MDF_MASK_DISC;
    must(mdf_segment_crop(all, NULL, &s.graph, s.model, &s.crop, &err), &err); /* the tape grows */
    uint64_t before = mdf_alloc_count();
    must(mdf_segment_crop(all, NULL, &s.graph, s.model, &s.crop, &err), &err);
    const uint64_t both = mdf_alloc_count() - before;
    uint64_t apart = 0;
    for (int k = 0; k < MASKS; k++) {
        const bool wanted[MASKS] = {k == 0, k == 1};
        for (int i = 0; i < SIDE * SIDE * MASKS; i++) {
            some[i] = -1;
        }
        before = mdf_alloc_count();
        must(mdf_segment_crop(some, wanted, &s.graph, s.model, &s.crop, &err), &err);
        apart += mdf_alloc_count() - before;
        for (int i = 0; i < SIDE * SIDE * MASKS; i++) {
            assert_true(some[i] == (i % MASKS == k ? all[i] : -1));
        }
    }
    assert_true(both > 0 && apart == both);
    close_setting(&s);
}

/* A decoder that says the same everywhere says it where tiles meet and at any size. 1e-6: a float
 * near 1. */
static void blending_and_resizing_keep_what_all_tiles_say(void **state)
{
    (void)state;
    setting s;
    mdf_error err = {0};
    static float maps[SIDE * SIDE * MASKS];
    for (int mask_side = 0; mask_side <= SIDE; mask_side += SIDE) {
        open_setting(&s, mask_side);
        for (int64_t i = 0; i < mdf_tensor_count(s.model->unet.head_w); i++) {
            s.model->unet.head_w->data[i] = 0;
        }
        s.model->unet.head_b->data[0] = 2;
        s.model->unet.head_b->data[1] = -3;
        static const int sides[] = {1, 31, 57, SIDE};
        for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
            mdf_image other;
            must(mdf_image_new(&other, sides[i], sides[i], &err), &err);
            picture_pattern(other.rgb, sides[i], sides[i], 3);
            must(mdf_segment_crop(maps, NULL, &s.graph, s.model, &other, &err), &err);
            for (int p = 0; p < sides[i] * sides[i]; p++) {
                assert_true(fabs((double)maps[p * MASKS] - 1 / (1 + exp(-2.0))) < 1e-6);
                assert_true(fabs((double)maps[p * MASKS + 1] - 1 / (1 + exp(3.0))) < 1e-6);
            }
            mdf_image_free(&other);
        }
        close_setting(&s);
    }
}

static void what_cannot_be_drawn_is_said(void **state)
{
    (void)state;
    setting s;
    mdf_error err = {0};
    static float maps[SIDE * SIDE * MASKS];
    volatile sig_atomic_t stop = 1;
    open_setting(&s, SIDE);
    const mdf_image flat = {.width = 40, .height = 30, .rgb = s.crop.rgb};
    assert_int_equal(mdf_segment_crop(maps, NULL, &s.graph, s.model, &flat, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, "a field of view of 40 x 30 pixels is no square");
    s.graph.stop = &stop;
    assert_int_equal(mdf_segment_crop(maps, NULL, &s.graph, s.model, &s.crop, &err),
                     MDF_ERR_STOPPED);
    s.graph.stop = NULL;
    for (long n = 1; n <= 6; n++) {
        mdf_alloc_fail_after(n);
        const mdf_status status = mdf_segment_crop(maps, NULL, &s.graph, s.model, &s.crop, &err);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
    s.model->unet.head_w = NULL; /* as a model without masks has it */
    assert_int_equal(mdf_segment_crop(maps, NULL, &s.graph, s.model, &s.crop, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "unet_config.masks"));
    close_setting(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tile_alone_gives_its_logits),
        cmocka_unit_test(regions_are_drawn_from_the_whole),
        cmocka_unit_test(only_what_is_wanted_is_drawn),
        cmocka_unit_test(blending_and_resizing_keep_what_all_tiles_say),
        cmocka_unit_test(what_cannot_be_drawn_is_said),
    };
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
