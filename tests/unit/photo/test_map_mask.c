/* Maps as masks: where their edges fall. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "photo/map_mask.h"
#include "support/sheet.h"

static uint8_t px[SHEET * SHEET];

/* f's mask of map [side, side]. */
static void mask_of(const mdf_field *f, const float *map, int side, int channels, int channel,
                    mdf_square at)
{
    memset(px, 7, sizeof px);
    const mdf_map_channel m = {map, side, channels, channel, at};
    assert_int_equal(mdf_map_mask(px, f, &m, 0.5F, NULL), MDF_OK);
}

/* A map that rises from 0 at the left cell's centre to 1 at the right one's is 1/2 in the middle.
 */
static void an_edge_lies_halfway_between_cells(void **state)
{
    (void)state;
    static const float map[] = {0, 1, 0, 1}; /* [2, 2] */
    const mdf_field f = field_full(64);
    mask_of(&f, map, 2, 1, 0, (mdf_square){0, 0, 64});
    for (int i = 0; i < 64 * 64; i++) {
        assert_int_equal(px[i], i % 64 >= 32 ? 255 : 0);
    }
    /* 0, 1 with 0.4 and 0.9 above: the edge is where 0.5 is reached, a quarter of the way. */
    static const float steep[] = {0.25F, 1.25F, 0.25F, 1.25F};
    mask_of(&f, steep, 2, 1, 0, (mdf_square){0, 0, 64});
    for (int i = 0; i < 64 * 64; i++) {
        assert_int_equal(px[i], i % 64 >= 24 ? 255 : 0); /* 16 + 32 / 4 */
    }
}

static void a_map_lies_over_its_square_and_ends_with_the_field(void **state)
{
    (void)state;
    static const float map[] = {0, 1, /* */ 0, 1, /* */ 0, 0, /* */ 0, 0}; /* [2, 2, 2] */
    const mdf_field f = field_round(100, 60, 40, 32);
    mask_of(&f, map, 2, 2, 1, (mdf_square){28, 8, 64});
    for (int y = 0; y < 100; y++) {
        int begin = 0;
        int end = 0;
        mdf_field_row(&f, y, &begin, &end);
        for (int x = 0; x < 100; x++) {
            const bool inside = x >= begin && x < end && y < 40;
            assert_int_equal(px[y * 100 + x], inside ? 255 : 0);
        }
    }
    mask_of(&f, map, 2, 2, 0, (mdf_square){28, 8, 64});
    for (int i = 0; i < 100 * 100; i++) {
        assert_int_equal(px[i], 0);
    }
}

static void one_cell_and_finer_maps_than_the_picture_work(void **state)
{
    (void)state;
    static float fine[64 * 64];
    const mdf_field f = field_full(10);
    static const float one[] = {0.5F};
    mask_of(&f, one, 1, 1, 0, (mdf_square){0, 0, 10});
    assert_int_equal(px[0], 255);
    assert_int_equal(px[99], 255);
    for (int i = 0; i < 64 * 64; i++) {
        fine[i] = i / 64 >= 32 ? 1 : 0;
    }
    mask_of(&f, fine, 64, 1, 0, (mdf_square){0, 0, 10});
    for (int i = 0; i < 100; i++) {
        assert_int_equal(px[i], i >= 50 ? 255 : 0);
    }
    for (long n = 1; n <= 2; n++) {
        mdf_alloc_fail_after(n);
        const mdf_map_channel m = {fine, 64, 1, 0, {0, 0, 10}};
        const mdf_status status = mdf_map_mask(px, &f, &m, 0.5F, NULL);
        mdf_alloc_fail_after(0);
        assert_int_equal(status, MDF_ERR_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edge_lies_halfway_between_cells),
        cmocka_unit_test(a_map_lies_over_its_square_and_ends_with_the_field),
        cmocka_unit_test(one_cell_and_finer_maps_than_the_picture_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
