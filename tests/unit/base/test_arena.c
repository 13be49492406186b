/* The arena's marks: memory that a rewind gives back is used again, within the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

enum { LARGE = 1 << 20 };

static void a_rewind_keeps_the_memory_for_the_next_round(void **state)
{
    (void)state;
    mdf_arena a;
    assert_int_equal(mdf_arena_init(&a, 0, 0, NULL), MDF_OK);
    assert_non_null(mdf_arena_alloc(&a, 10, 1));
    const mdf_arena_mark mark = mdf_arena_mark_now(&a);
    size_t held = 0;
    for (int i = 0; i < 5; i++) {
        unsigned char *p = mdf_arena_alloc(&a, LARGE, 1);
        unsigned char *q = mdf_arena_alloc(&a, 2 * LARGE, 1);
        assert_true(p != NULL && q != NULL);
        memset(p, i, LARGE);
        memset(q, i, 2 * LARGE);
        held = i == 0 ? a.held_bytes : held;
        assert_int_equal(a.held_bytes, held);
        mdf_arena_rewind(&a, mark);
        assert_int_equal(p[LARGE - 1], i); /* readable until the next allocation */
    }
    mdf_arena_reset(&a);
    assert_non_null(mdf_arena_alloc(&a, 3 * LARGE, 1)); /* joined: one block holds the peak */
    assert_true(a.held_bytes < 4 * LARGE);
    mdf_arena_free(&a);
}

static void spare_memory_makes_room_below_the_limit(void **state)
{
    (void)state;
    mdf_arena a;
    assert_int_equal(mdf_arena_init(&a, 0, 3 * LARGE, NULL), MDF_OK);
    const mdf_arena_mark mark = mdf_arena_mark_now(&a);
    assert_non_null(mdf_arena_alloc(&a, LARGE, 1));
    mdf_arena_rewind(&a, mark);
    assert_non_null(mdf_arena_alloc(&a, 3 * LARGE, 1)); /* the spare MiB had to go */
    assert_null(mdf_arena_alloc(&a, LARGE, 1));
    mdf_arena_free(&a);
}

static void what_came_after_a_mark_is_known(void **state)
{
    (void)state;
    mdf_arena a;
    assert_int_equal(mdf_arena_init(&a, 0, 0, NULL), MDF_OK);
    const char *before = mdf_arena_alloc(&a, 100, 1);
    const mdf_arena_mark mark = mdf_arena_mark_now(&a);
    const char *after = mdf_arena_alloc(&a, 100, 1);
    const char *far = mdf_arena_alloc(&a, LARGE, 1);
    assert_false(mdf_arena_is_after(&a, mark, before));
    assert_true(mdf_arena_is_after(&a, mark, after));
    assert_true(mdf_arena_is_after(&a, mark, far + LARGE - 1));
    assert_false(mdf_arena_is_after(&a, mark, &a));
    mdf_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rewind_keeps_the_memory_for_the_next_round),
        cmocka_unit_test(spare_memory_makes_room_below_the_limit),
        cmocka_unit_test(what_came_after_a_mark_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
