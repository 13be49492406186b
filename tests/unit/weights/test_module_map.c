/* Patterns of modules against Python's re. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "weights/module_map.h"

enum { MODULES = 8 };

static void python_says_which_modules_match(void **state)
{
    (void)state;
    char module[MODULES][128];
    char line[256];
    int patterns = 0;
    FILE *f = fopen(MDF_TEST_DATA "/golden/lora/matches.txt", "r");
    assert_non_null(f);
    for (int i = 0; i < MODULES; i++) {
        assert_non_null(fgets(module[i], sizeof module[i], f));
        module[i][strcspn(module[i], "\n")] = '\0';
    }
    assert_string_equal(fgets(line, sizeof line, f), "\n");
    for (; fgets(line, sizeof line, f) != NULL; patterns++) {
        mdf_module_map *m = NULL;
        mdf_error err = {0};
        char *expect = strchr(line, '\t');
        *expect++ = '\0';
        assert_int_equal(mdf_module_map_new(&m, "c.json", "rank_pattern", NULL), MDF_OK);
        if (mdf_module_map_add(m, line, 1, &err) != MDF_OK) {
            fail_msg("%s", err.text);
        }
        for (int i = 0; i < MODULES; i++) {
            double value = 0;
            assert_int_equal(mdf_module_map_find(m, module[i], &value, NULL), MDF_OK);
            if ((value > 0) != (expect[i] == '1')) {
                fail_msg("\"%s\" on %s: Python says %c", line, module[i], expect[i]);
            }
        }
        const bool used = memchr(expect, '1', MODULES) != NULL;
        assert_int_equal(mdf_module_map_check_used(m, NULL), used ? MDF_OK : MDF_ERR_FORMAT);
        mdf_module_map_free(m);
    }
    assert_int_equal(fclose(f), 0);
    assert_true(patterns > 60);
}

static void the_first_key_counts_and_the_others_are_used(void **state)
{
    (void)state;
    mdf_module_map *m = NULL;
    mdf_error err = {0};
    double value = 7;
    assert_int_equal(mdf_module_map_new(&m, "c.json", "alpha_pattern", NULL), MDF_OK);
    assert_int_equal(mdf_module_map_find(m, "up_proj", &value, NULL), MDF_OK);
    assert_true(value > 6.9); /* no key: left alone */
    assert_int_equal(mdf_module_map_add(m, "x.up_proj", 1, NULL), MDF_OK);
    assert_int_equal(mdf_module_map_add(m, "up_proj", 2, NULL), MDF_OK);
    assert_int_equal(mdf_module_map_add(m, "down_proj", 3, NULL), MDF_OK);
    assert_int_equal(mdf_module_map_find(m, "y.x.up_proj", &value, NULL), MDF_OK);
    assert_true(value < 1.5);
    assert_int_equal(mdf_module_map_find(m, "z.up_proj", &value, NULL), MDF_OK);
    assert_true(value > 1.5 && value < 2.5);
    assert_int_equal(mdf_module_map_check_used(m, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "c.json: alpha_pattern: \"down_proj\" matches no module");
    mdf_module_map_free(m);
}

/* What is an error for Python's re, or means something else there than for PCRE2. */
static void what_both_do_not_share_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *from; /* from: of the whole expression, where it ends to be shared */
    } bad[] = {
        {"(?P<x>q)_proj", "(?P<x>q)_proj)$"}, /* the same in both, but nobody needs it */
        {"(?i)Q_PROJ", "(?i)Q_PROJ)$"},       /* Python: only at the start of the whole */
        {"(q)_proj\\3", "\\3)$"},             /* octal or a group, by different rules */
        {"(?#note)q", "(?#note)q)$"},
        {"(?>q)_proj", "(?>q)_proj)$"},
        {"*ACCEPT)(q", "(*ACCEPT)(q)$"}, /* a verb of PCRE2 behind our own parenthesis */
        {"q(*FAIL)", "(*FAIL))$"},
        {"q{,3}_proj", "{,3}_proj)$"}, /* Python: 0 to 3; PCRE2 10.42: these letters */
        {"q{ 1}", "{ 1})$"},
        {"q{", "{)$"},
        {"\\Qq.\\E", "\\Qq.\\E)$"},
        {"q\\K_proj", "\\K_proj)$"},
        {"\\pLproj", "\\pLproj)$"},
        {"[[:alpha:]]", "[[:alpha:]])$"},
        {"[\\b]", "[\\b])$"},
        {"[\\d-x]", "[\\d-x])$"},
        {"[a-\\d]", "[a-\\d])$"},
        {"[a-c-e]", "[a-c-e])$"},
        {"[--a]", "[--a])$"},
        {"[abc", "[abc)$"},
        {"q\n", "\n)$"},
        {"\xC3\xA9", "\xC3\xA9)$"},
    };
    mdf_module_map *m = NULL;
    assert_int_equal(mdf_module_map_new(&m, "c.json", "alpha_pattern", NULL), MDF_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char whole[64];
        mdf_error err = {0};
        const int n = snprintf(whole, sizeof whole, "(.*\\.)?(%s)$", bad[i].key);
        assert_string_equal(whole + mdf_module_map_common(whole, (size_t)n), bad[i].from);
        assert_int_equal(mdf_module_map_add(m, bad[i].key, 1, &err), MDF_ERR_FORMAT);
        assert_non_null(strstr(err.text, "is an expression that is not supported from \""));
    }
    mdf_error err = {0};
    assert_int_equal(mdf_module_map_add(m, "*.q_proj", 1, &err), MDF_ERR_FORMAT); /* a glob */
    assert_string_equal(err.text,
                        "c.json: alpha_pattern: \"*.q_proj\" is an expression that is not "
                        "supported from \"(*.q_proj)$\" on");
    assert_int_equal(mdf_module_map_add(m, "(q_proj", 1, &err), MDF_ERR_FORMAT);
    assert_string_equal(err.text, "c.json: alpha_pattern: \"(q_proj\" is no regular expression: "
                                  "missing closing parenthesis");
    assert_int_equal(mdf_module_map_add(m, "q\\", 1, &err), MDF_ERR_FORMAT); /* escapes ours */
    mdf_module_map_free(m);
}

/* No part of an expression leads the check behind its end. */
static void every_cut_expression_is_looked_at_safely(void **state)
{
    (void)state;
    static const char all[] = "(?<=a)(?:b|[^]a-f\\d\\--])\\.c{2,3}$";
    assert_int_equal(mdf_module_map_common(all, sizeof all - 1), sizeof all - 1);
    for (size_t n = 0; n < sizeof all; n++) {
        char *cut = malloc(n + (n == 0 ? 1 : 0)); /* exact: sanitizers see a byte too far */
        assert_non_null(cut);
        memcpy(cut, all, n);
        assert_true(mdf_module_map_common(cut, n) <= n);
        free(cut);
    }
}

static void limits_are_kept(void **state)
{
    (void)state;
    static char key[MDF_MAX_PATTERN_BYTES + 2];
    static char a[201];
    mdf_module_map *m = NULL;
    mdf_error err = {0};
    double value = 0;
    assert_int_equal(mdf_module_map_new(&m, "c.json", "alpha_pattern", NULL), MDF_OK);
    memset(key, 'k', sizeof key - 1);
    memset(a, 'a', sizeof a - 1);
    assert_int_equal(mdf_module_map_add(m, key, 1, &err), MDF_ERR_LIMIT);
    assert_non_null(strstr(err.text, "kkk...\" is longer than 4096 bytes"));
    assert_int_equal(mdf_module_map_add(m, key + 1, 1, NULL), MDF_OK);
    assert_int_equal(mdf_module_map_add(m, "(a+)+[bc]", 1, NULL), MDF_OK); /* 2^200 ways */
    assert_int_equal(mdf_module_map_find(m, a, &value, &err), MDF_ERR_LIMIT);
    assert_non_null(
        strstr(err.text, "c.json: alpha_pattern: \"(a+)+[bc]\" takes too long on \"aaa"));
    for (int i = 2; i < MDF_MAX_MODULE_KEYS; i++) {
        assert_int_equal(mdf_module_map_add(m, "a", 1, NULL), MDF_OK);
    }
    assert_int_equal(mdf_module_map_add(m, "a", 1, &err), MDF_ERR_LIMIT);
    assert_string_equal(err.text, "c.json: alpha_pattern has more than 4096 keys");
    mdf_module_map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(python_says_which_modules_match),
        cmocka_unit_test(the_first_key_counts_and_the_others_are_used),
        cmocka_unit_test(what_both_do_not_share_is_refused),
        cmocka_unit_test(every_cut_expression_is_looked_at_safely),
        cmocka_unit_test(limits_are_kept),
    };
    return cmocka_run_group_tests_name("weights/module_map", tests, NULL, NULL);
}
