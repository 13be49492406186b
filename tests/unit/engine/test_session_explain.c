/* Heat-maps of classified pictures with the golden model, by every method and at every depth; and a
 * model of which a part is shuffled. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "engine/engine.h"
#include "engine/explain.h"
#include "engine/shuffled.h"
#include "support/eye.h"
#include "support/near.h"

enum { SIDE = 96 };

static mdf_engine *engine;
static mdf_session *session;
static uint8_t *png;
static size_t png_bytes;

static int set_up(void **state)
{
    (void)state;
    mdf_error err = {0};
    mdf_image eye = {0};
    if (mdf_engine_open(&engine, &(mdf_engine_options){.model_dir = MDF_TEST_DATA "/golden/model"},
                        &err) != MDF_OK ||
        mdf_session_new(&session, engine, &err) != MDF_OK ||
        mdf_image_new(&eye, SIDE, SIDE, &err) != MDF_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    eye_draw(&eye, SIDE / 2.0, SIDE / 2.0, SIDE / 2.0 - 4, 1.0);
    const mdf_status status = mdf_png_encode(&png, &png_bytes, eye.rgb, SIDE, SIDE, 3, &err);
    mdf_image_free(&eye);
    return status == MDF_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    mdf_free(png);
    mdf_session_free(session);
    mdf_engine_close(engine);
    return 0;
}

static mdf_status explain(mdf_result *r, mdf_explain method, int depth, int tiles, mdf_error *err)
{
    return mdf_session_classify(session,
                                &(mdf_case){.image = png,
                                            .image_bytes = png_bytes,
                                            .name = "eye.png",
                                            .text = "63-year-old female.",
                                            .heatmap = true,
                                            .explain = method,
                                            .explain_depth = depth,
                                            .tiles = tiles},
                                r, err);
}

static void expect_heat(const mdf_result *r, int side)
{
    assert_int_equal(r->heat_side, side);
    float most = 0;
    for (int i = 0; i < side * side; i++) {
        assert_true(r->heat[i] >= 0 && r->heat[i] <= 1);
        assert_true(r->heat[i] <= 0 || mdf_heat_in_disc(i, side)); /* a round field of view */
        most = r->heat[i] > most ? r->heat[i] : most;
    }
    assert_true(most <= 0 || most >= 1);
}

/* U-Net of 32 pixels: levels of 32, 16, 8 and 4; the fusion's grid is 2 x 2. */
static void every_method_gives_a_map_of_its_size(void **state)
{
    (void)state;
    static mdf_result r, plain;
    mdf_error err = {0};
    static const struct {
        mdf_explain method;
        int depth, side;
    } want[] = {
        {MDF_EXPLAIN_USUAL, 0, 32},     {MDF_EXPLAIN_GRADIENT, 3, 2},
        {MDF_EXPLAIN_LAYERCAM, 0, 32},  {MDF_EXPLAIN_LAYERCAM, 1, 32},
        {MDF_EXPLAIN_LAYERCAM, 2, 16},  {MDF_EXPLAIN_LAYERCAM, 4, 4},
        {MDF_EXPLAIN_ATTENTION, 0, 2},  {MDF_EXPLAIN_ATTENTION, 1, 2},
        {MDF_EXPLAIN_OCCLUSION, 0, 16},
    };
    assert_int_equal(
        mdf_session_classify(
            session,
            &(mdf_case){.image = png, .image_bytes = png_bytes, .text = "63-year-old female."},
            &plain, &err),
        MDF_OK);
    assert_int_equal(plain.heat_side, 0);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        if (explain(&r, want[i].method, want[i].depth, 0, &err) != MDF_OK) {
            fail_msg("%s", err.text);
        }
        expect_heat(&r, want[i].side);
        for (int k = 0; k < r.label_count; k++) {
            assert_near((double)r.prob[k], (double)plain.prob[k],
                        0); /* explaining changes nothing */
        }
    }
}

static void expect_refused(mdf_explain method, int depth, int tiles, const char *sentence)
{
    static mdf_result r;
    mdf_error err = {0};
    r.best = 77;
    assert_int_equal(explain(&r, method, depth, tiles, &err), MDF_ERR_ARG);
    assert_string_equal(err.text, sentence);
    assert_int_equal(r.best, 77); /* untouched */
}

static void what_has_no_map_is_refused(void **state)
{
    (void)state;
    expect_refused(MDF_EXPLAIN_OCCLUSION, 1, 0,
                   "eye.png: no heat-map by occlusion: it has no depths");
    expect_refused(MDF_EXPLAIN_OCCLUSION, 0, 4,
                   "eye.png: no heat-map by occlusion: the tower must see the crop in one tile");
    expect_refused(MDF_EXPLAIN_LAYERCAM, 5, 0,
                   "eye.png: no heat-map by layercam: the answer does not depend on this depth");
    expect_refused(MDF_EXPLAIN_USUAL, 5, 0,
                   "eye.png: no heat-map by layercam: the answer does not depend on this depth");
}

static void names_are_found(void **state)
{
    (void)state;
    for (int m = MDF_EXPLAIN_GRADIENT; m <= MDF_EXPLAIN_OCCLUSION; m++) {
        mdf_explain found;
        assert_true(mdf_explain_find(&found, mdf_explain_name((mdf_explain)m)));
        assert_int_equal(found, m);
    }
    mdf_explain found;
    assert_false(mdf_explain_find(&found, "usual"));
    assert_false(mdf_explain_find(&found, ""));
}

static int falling(const void *a, const void *b)
{
    const mdf_real x = *(const mdf_real *)a;
    const mdf_real y = *(const mdf_real *)b;
    return (x < y) - (x > y);
}

/* The same numbers in another order in the part, the same order elsewhere. */
static void expect_shuffled(mdf_shuffled_part part, const char *const *names)
{
    static mdf_real one[100000], two[100000];
    mdf_engine other;
    mdf_error err = {0};
    int moved = 0;
    assert_int_equal(mdf_shuffled_new(&other, engine, part, 3, &err), MDF_OK);
    for (size_t i = 0; i < engine->model->params.count; i++) {
        const mdf_tensor *a = &engine->model->params.item[i]->tensor;
        const mdf_tensor *b = &other.model->params.item[i]->tensor;
        const size_t bytes = (size_t)mdf_tensor_count(a) * sizeof(mdf_real);
        bool in_part = false;
        for (int k = 0; names[k] != NULL; k++) {
            in_part = in_part || strncmp(a->name, names[k], strlen(names[k])) == 0;
        }
        assert_true(bytes <= sizeof one);
        const bool same = memcmp(a->data, b->data, bytes) == 0;
        if (!in_part && !same) {
            fail_msg("%s changed", a->name);
        }
        moved += !same;
        memcpy(one, a->data, bytes);
        memcpy(two, b->data, bytes);
        qsort(one, bytes / sizeof *one, sizeof *one, falling);
        qsort(two, bytes / sizeof *two, sizeof *two, falling);
        assert_memory_equal(one, two, bytes);
    }
    assert_true(moved > 0);
    mdf_shuffled_free(&other);
}

static void a_part_is_shuffled_and_nothing_else(void **state)
{
    (void)state;
    static const char *const head[] = {"lm_head.", NULL};
    static const char *const encoder[] = {"unet.enc.", "unet.mid.", "model.vision_model.",
                                          "model.multi_modal_projector.", NULL};
    assert_true(mdf_can_shuffle(engine));
    expect_shuffled(MDF_SHUFFLED_HEAD, head);
    expect_shuffled(MDF_SHUFFLED_ENCODER, encoder);
}

/* Heat-maps take what else they need from the arena and from allocations that may fail. */
static void memory_that_ends_is_reported(void **state)
{
    (void)state;
    static mdf_result r;
    static const mdf_explain methods[] = {MDF_EXPLAIN_LAYERCAM, MDF_EXPLAIN_ATTENTION};
    for (int m = 0; m < 2; m++) {
        mdf_error err = {0};
        assert_int_equal(explain(&r, methods[m], 0, 0, &err), MDF_OK);
        const uint64_t before = mdf_alloc_count();
        assert_int_equal(explain(&r, methods[m], 0, 0, &err), MDF_OK);
        const long needed = (long)(mdf_alloc_count() - before);
        for (long n = needed > 20 ? needed - 20 : 1; n <= needed; n++) {
            mdf_alloc_fail_after(n);
            const mdf_status status = explain(&r, methods[m], 0, 0, &err);
            mdf_alloc_fail_after(0);
            if (status == MDF_OK || strstr(err.text, "out of memory") == NULL) {
                fail_msg("allocation %ld of %ld: %s", n, needed, err.text);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_gives_a_map_of_its_size),
        cmocka_unit_test(what_has_no_map_is_refused),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(a_part_is_shuffled_and_nothing_else),
        cmocka_unit_test(memory_that_ends_is_reported),
    };
    return cmocka_run_group_tests_name("engine/session_explain", tests, set_up, tear_down);
}
