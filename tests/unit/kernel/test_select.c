/* The table of kernels: names, completeness, errors. */
#include "kernel_test.h"

enum {
    FIRST = offsetof(mdf_kernels, gemm),
    ENTRIES = (sizeof(mdf_kernels) - FIRST) / sizeof(void (*)(void))
};

static void every_entry_of_every_level_is_filled(void **state)
{
    (void)state;
    const char *const names[] = {"ref", "avx2", "avx512", "avx512vnni", NULL};
    for (size_t i = 0; i < 5; i++) {
        mdf_kernels *k = level(names[i]);
        void (*entry[ENTRIES])(void);
        memcpy(entry, (const char *)k + FIRST, sizeof entry);
        for (size_t j = 0; j < ENTRIES; j++) {
            assert_true(entry[j] != NULL);
        }
        mdf_kernels_free(k);
    }
}

static void the_level_is_at_most_the_one_asked_for(void **state)
{
    (void)state;
    mdf_kernels *k = level("ref");
    assert_string_equal(k->isa, "ref");
    assert_null(k->conv_cache); /* the reference does not use oneDNN */
    mdf_kernels_free(k);
    k = level("avx2");
    assert_null(strstr(k->isa, "avx512"));
    assert_non_null(k->conv_cache);
    mdf_kernels_free(k);
}

static void an_unknown_level_is_an_error_that_names_it(void **state)
{
    (void)state;
    mdf_kernels *k = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_kernels_new(&k, "sse9", &err), MDF_ERR_ARG);
    assert_null(k);
    assert_non_null(strstr(err.text, "sse9"));
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    for (long n = 1; n <= 2; n++) {
        mdf_kernels *k = NULL;
        mdf_error err = {0};
        mdf_alloc_fail_after(n);
        assert_int_equal(mdf_kernels_new(&k, NULL, &err), MDF_ERR_NOMEM);
        mdf_alloc_fail_after(0);
        assert_null(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_of_every_level_is_filled),
        cmocka_unit_test(the_level_is_at_most_the_one_asked_for),
        cmocka_unit_test(an_unknown_level_is_an_error_that_names_it),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("kernel/select", tests, NULL, NULL);
}
