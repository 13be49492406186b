/* How pictures become sequences of tiles. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nn/tiles.h"
#include "photo/mllama_image.h"

enum { SIDE = 2, WIDTH = 4, SLOTS = 4, IDS = 9, TOKENS = 5 };

static mdf_config config(bool deduplicate)
{
    static mdf_config c;
    c.vision.image_size = 14;
    c.vision.patch_size = 7;
    c.vision.hidden_size = WIDTH;
    c.vision.max_num_tiles = SLOTS;
    c.vision.deduplicate = deduplicate;
    return c;
}

/* The ids of the image processor are those of the tower. */
static void ids_name_the_grids_of_the_image_processor(void **state)
{
    (void)state;
    static const int size[][2] = {{56, 56},  {112, 56},  {168, 56}, {224, 56},
                                  {56, 112}, {112, 112}, {56, 168}, {56, 224}};
    const mdf_config c = config(true);
    int rows = 0;
    int columns = 0;
    for (int i = 0; i < 8; i++) {
        const mdf_mllama_layout at = mdf_mllama_layout_for(
            size[i][0], size[i][1], &(mdf_mllama_grid){.tile = 56, .tiles = 4, .most = 4});
        assert_int_equal(at.aspect_ratio_id, i + 1);
        assert_true(mdf_tile_grid(&c, i + 1, &rows, &columns));
        assert_int_equal(rows, at.tiles_high);
        assert_int_equal(columns, at.tiles_wide);
    }
    assert_false(mdf_tile_grid(&c, 0, &rows, &columns));
    assert_false(mdf_tile_grid(&c, 9, &rows, &columns));
}

static void planes_become_pixels(void **state)
{
    (void)state;
    float planes[2 * 3 * SIDE * SIDE];
    mdf_real tiles[2 * SIDE * SIDE * 3];
    for (int i = 0; i < 2 * 3 * SIDE * SIDE; i++) {
        planes[i] = (float)i;
    }
    mdf_tiles_from_planes(tiles, planes, 2, SIDE);
    static const int want[] = {0,  4,  8,  1,  5,  9,  2,  6,  10, 3,  7,  11,
                               12, 16, 20, 13, 17, 21, 14, 18, 22, 15, 19, 23};
    for (int i = 0; i < 24; i++) {
        assert_true(tiles[i] == (mdf_real)want[i]);
    }
}

typedef struct setting {
    mdf_kernels *kernels;
    mdf_graph graph;
    mdf_real pre[IDS * SLOTS * WIDTH], post[IDS * SLOTS * WIDTH];
    uint16_t position[IDS * SLOTS * TOKENS * WIDTH]; /* in its file's format */
    mdf_tensor pre_table, post_table, position_table;
    mdf_tile_tables tables;
} setting;

static void open_setting(setting *s)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(mdf_kernels_new(&s->kernels, "ref", NULL), MDF_OK);
    assert_int_equal(mdf_graph_init(&s->graph, s->kernels, false, 0, NULL), MDF_OK);
    s->pre_table = (mdf_tensor){.rank = 2, .dim = {IDS, SLOTS * WIDTH}, .data = s->pre};
    s->post_table = (mdf_tensor){.rank = 2, .dim = {IDS, SLOTS * WIDTH}, .data = s->post};
    s->position_table = (mdf_tensor){.rank = 2,
                                     .dim = {IDS, SLOTS * TOKENS * WIDTH},
                                     .raw = s->position,
                                     .dtype = MDF_DTYPE_BF16};
    s->tables = (mdf_tile_tables){&s->pre_table, &s->position_table, &s->post_table};
}

static void close_setting(setting *s)
{
    mdf_graph_free(&s->graph);
    mdf_kernels_free(s->kernels);
}

static mdf_tiles plan(setting *s, bool deduplicate, int32_t id)
{
    const mdf_config c = config(deduplicate);
    const mdf_batch b = {.cases = 1, .aspect_ratio_id = &id};
    mdf_tiles t;
    mdf_graph_reset(&s->graph);
    assert_true(mdf_tiles_plan(&s->graph, &c, &b, &s->tables, &t));
    return t;
}

/* A tile: class token, four patches, three padding tokens. */
static void equal_tokens_are_computed_once(void **state)
{
    (void)state;
    static setting s;
    open_setting(&s);
    mdf_tiles t = plan(&s, true, 2); /* two tiles used, two not */
    assert_int_equal(t.rows, 3 * 6);
    assert_int_equal(t.tokens, 3 * 5);
    assert_int_equal(t.of_case[0].main, 10);
    assert_int_equal(t.of_case[0].spare, 5);
    double keys = 0; /* all that the representatives stand for */
    for (int64_t i = 0; i < t.rows; i++) {
        keys += exp((double)t.bias[i]);
    }
    assert_true(fabs(keys - 4 * 8) < 1e-5);
    assert_true(t.token_bias[9] == 0 && fabs((double)t.token_bias[10] - log(2)) < 1e-6);
    assert_int_equal(t.source[5], -1); /* padding */
    assert_int_equal(t.source[0], 8);  /* the class token stands behind two tiles' patches */
    assert_int_equal(t.source[7], 4);  /* the second tile's first patch */
    assert_int_equal(t.pre_tile[0], -1);
    assert_int_equal(t.pre_tile[7], 2 * SLOTS + 1);
    assert_int_equal(t.in_tile[7], (2 * SLOTS + 1) * TOKENS + 1);
    assert_int_equal(t.post[11], 2 * SLOTS + 1); /* padding too */
    assert_int_equal(t.post[12], -1);            /* an unused tile */
    assert_true(t.invalid[5] && !t.invalid[6] && t.invalid[12]);
    t = plan(&s, false, 2);
    assert_int_equal(t.rows, 4 * 8);
    assert_int_equal(t.post[16], 2 * SLOTS + 2); /* plain: every slot has its row */
    for (int64_t i = 0; i < t.rows; i++) {
        assert_true(t.bias[i] == 0);
    }
    t = plan(&s, true, 6); /* all four used */
    assert_int_equal(t.rows, 4 * 6);
    assert_int_equal(t.of_case[0].spare, 0);
    close_setting(&s);
}

static void unused_tiles_that_differ_are_all_computed(void **state)
{
    (void)state;
    static setting s;
    open_setting(&s);
    s.pre[(2 * SLOTS + 1) * WIDTH] = 1; /* a used slot says nothing */
    s.position[(2 * SLOTS + 1) * TOKENS * WIDTH] = 0x3f80;
    assert_int_equal(plan(&s, true, 2).picture->spare, 1);
    s.position[(3 * SLOTS - 1) * TOKENS * WIDTH] = 0x8000; /* -0 is zero */
    assert_int_equal(plan(&s, true, 2).picture->spare, 1);
    s.position[3 * SLOTS * TOKENS * WIDTH - 1] = 0x3f80; /* the id's last slot */
    assert_int_equal(plan(&s, true, 2).picture->spare, 2);
    assert_int_equal(plan(&s, true, 2).picture->spare_weight, 1);
    assert_int_equal(plan(&s, true, 1).picture->spare, 1); /* other ids are as before */
    assert_int_equal(plan(&s, true, 3).picture->spare, 1);
    s.post[(1 * SLOTS + 3) * WIDTH] = MDF_R(1e-30);
    assert_int_equal(plan(&s, true, 1).picture->spare, 3);
    s.position_table.dtype = MDF_DTYPE_I64; /* what can't be told counts as different */
    assert_int_equal(plan(&s, true, 5).picture->spare, 2);
    close_setting(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_name_the_grids_of_the_image_processor),
        cmocka_unit_test(planes_become_pixels),
        cmocka_unit_test(equal_tokens_are_computed_once),
        cmocka_unit_test(unused_tiles_that_differ_are_all_computed),
    };
    return cmocka_run_group_tests_name("tiles", tests, NULL, NULL);
}
