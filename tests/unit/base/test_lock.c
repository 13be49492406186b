/* Locks: one at a time, none after a kill, and no trace of one that was given back. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/lock.h"
#include "support/folder.h"

static void join(char out[512], const test_folder *f, const char *name)
{
    (void)snprintf(out, 512, "%s/%s", f->path, name);
}

static void one_at_a_time(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    mdf_lock a;
    mdf_lock b;
    bool taken = false;
    test_folder_make(&f);
    join(path, &f, "run.lock");
    assert_false(mdf_lock_is_held(path));
    assert_int_equal(mdf_lock_take(&a, path, &taken, NULL), MDF_OK);
    assert_true(taken);
    assert_true(mdf_lock_is_held(path));
    assert_true(mdf_lock_is_held(path)); /* asking changes nothing */
    assert_int_equal(mdf_lock_take(&b, path, &taken, NULL), MDF_OK);
    assert_false(taken);
    mdf_lock_release(&b);
    assert_true(mdf_lock_is_held(path)); /* giving back what one has not got does not either */
    mdf_lock_release(&a);
    assert_false(mdf_path_exists(path));
    assert_false(mdf_lock_is_held(path));
    assert_int_equal(mdf_lock_take(&b, path, &taken, NULL), MDF_OK);
    assert_true(taken);
    mdf_lock_release(&b);
    test_folder_remove(&f);
}

static void a_killed_process_leaves_no_obstacle(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    int ready[2];
    char byte = 0;
    mdf_lock l;
    bool taken = false;
    test_folder_make(&f);
    join(path, &f, "run.lock");
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        const bool ok = mdf_lock_take(&l, path, &taken, NULL) == MDF_OK && taken;
        if (write(ready[1], ok ? "y" : "n", 1) == 1) {
            (void)pause(); /* for the SIGKILL */
        }
        _exit(1);
    }
    assert_true(child > 0);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(mdf_lock_take(&l, path, &taken, NULL), MDF_OK);
    assert_false(taken);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(mdf_path_exists(path));
    assert_int_equal(mdf_lock_take(&l, path, &taken, NULL), MDF_OK);
    assert_true(taken);
    mdf_lock_release(&l);
    (void)close(ready[0]);
    (void)close(ready[1]);
    test_folder_remove(&f);
}

static void what_is_in_the_way_is_named(void **state)
{
    (void)state;
    test_folder f;
    char path[512];
    mdf_error err = {0};
    mdf_lock l;
    bool taken = true;
    test_folder_make(&f);
    join(path, &f, "nowhere/run.lock");
    assert_int_equal(mdf_lock_take(&l, path, &taken, &err), MDF_ERR_IO);
    assert_false(taken);
    assert_non_null(strstr(err.text, path));
    assert_false(mdf_lock_is_held(path));
    mdf_lock_release(&l);
    test_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(a_killed_process_leaves_no_obstacle),
        cmocka_unit_test(what_is_in_the_way_is_named),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
