/* Texts left out, cut and exchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "data/retext.h"

enum { MOST = 40 };

static mdf_manifest_case item[MOST];
static char words[MOST][64];
static mdf_manifest m;

/* Cases of patients, each with a text of its own. */
static int make(void **state)
{
    (void)state;
    m = (mdf_manifest){.cases = item, .case_count = MOST, .patient_count = MOST};
    for (int i = 0; i < MOST; i++) {
        (void)snprintf(words[i], sizeof words[i], "Age %d. Left eye; Cataract of %d.5 mm.", i, i);
        item[i] = (mdf_manifest_case){.text = words[i], .file_name = "a.jpg", .patient = i};
    }
    return mdf_arena_init(&m.arena, 0, 0, NULL) == MDF_OK ? 0 : -1;
}

static int clear(void **state)
{
    (void)state;
    mdf_arena_free(&m.arena);
    return 0;
}

static mdf_status apply(const char *word, uint64_t seed, mdf_retexted *out, mdf_error *err)
{
    mdf_retext how;
    assert_int_equal(mdf_retext_parse(&how, word, NULL), MDF_OK);
    how.seed = seed;
    return mdf_retext_apply(&m, &how, out, err);
}

static void words_are_read(void **state)
{
    (void)state;
    mdf_retext how;
    mdf_error err = {0};
    assert_int_equal(mdf_retext_parse(&how, "given", &err), MDF_OK);
    assert_int_equal(how.as, MDF_TEXT_GIVEN);
    assert_int_equal(mdf_retext_parse(&how, "none", &err), MDF_OK);
    assert_int_equal(how.as, MDF_TEXT_NONE);
    assert_int_equal(mdf_retext_parse(&how, "shuffled", &err), MDF_OK);
    assert_int_equal(how.as, MDF_TEXT_SHUFFLED);
    assert_int_equal(mdf_retext_parse(&how, "drop:fellow: x", &err), MDF_OK);
    assert_int_equal(how.as, MDF_TEXT_DROP);
    assert_string_equal(how.pattern, "fellow: x");
    static const char *const wrong[] = {"", "drop", "drop:", "None", "shuffle", "given "};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(mdf_retext_parse(&how, wrong[i], &err), MDF_ERR_ARG);
    }
}

static void given_and_none(void **state)
{
    (void)state;
    mdf_retexted out;
    item[3].text = "";
    assert_int_equal(apply("given", 1, &out, NULL), MDF_OK);
    assert_int_equal(out.changed, 0);
    assert_ptr_equal(item[0].text, words[0]);
    assert_int_equal(apply("none", 1, &out, NULL), MDF_OK);
    assert_int_equal(out.cases, MOST);
    assert_int_equal(out.changed, MOST - 1); /* one had none */
    for (int i = 0; i < MOST; i++) {
        assert_string_equal(item[i].text, "");
    }
}

static void sentences_that_match_go(void **state)
{
    (void)state;
    mdf_retexted out;
    item[0].text = "";
    assert_int_equal(apply("drop:^(age 7|CATARACT)", 1, &out, NULL), MDF_OK);
    assert_string_equal(item[0].text, "");
    assert_string_equal(item[1].text, "Age 1. Left eye;");
    assert_string_equal(item[7].text, "Left eye;");
    assert_int_equal(out.changed, MOST - 1);
    assert_int_equal(out.sentences, 3 * (MOST - 1));
    assert_int_equal(out.sentences_dropped, MOST); /* 39 cataracts, one age */
}

static void a_pattern_sees_one_sentence_at_a_time(void **state)
{
    (void)state;
    mdf_retexted out;
    mdf_error err = {0};
    assert_int_equal(apply("drop:age.*left", 1, &out, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "matches none of the 120 sentences"));
    assert_ptr_equal(item[0].text, words[0]);
    item[2].text = "K\xC3\xA4tze. Auge.";
    assert_int_equal(apply("drop:K\xC3\x84TZE", 1, &out, &err), MDF_OK); /* capitals of all kinds */
    assert_string_equal(item[2].text, "Auge.");
    assert_int_equal(out.changed, 1);
}

static void bad_patterns_are_named(void **state)
{
    (void)state;
    mdf_retexted out;
    mdf_error err = {0};
    assert_int_equal(apply("drop:(left", 1, &out, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "(left"));
    assert_non_null(strstr(err.text, "not a regular expression"));
    assert_int_equal(apply("drop:\xFF", 1, &out, &err), MDF_ERR_ARG);
    char slow[64] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    item[5].text = slow;
    item[5].file_name = "slow.jpg";
    assert_int_equal(apply("drop:^(a+)+$", 1, &out, &err), MDF_ERR_LIMIT);
    assert_non_null(strstr(err.text, "slow.jpg"));
    assert_ptr_equal(item[0].text, words[0]);
}

static void nobody_keeps_the_own_text_and_none_is_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        for (int i = 0; i < MOST; i++) {
            item[i].text = words[i];
            item[i].patient = i < 20 ? 0 : i / 3; /* one has half of them: just possible */
        }
        mdf_retexted out;
        int used[MOST] = {0};
        assert_int_equal(apply("shuffled", seed, &out, NULL), MDF_OK);
        assert_int_equal(out.changed, MOST);
        for (int i = 0; i < MOST; i++) {
            const int donor = (int)((size_t)(item[i].text - words[0]) / sizeof words[0]);
            assert_int_not_equal(item[donor].patient, item[i].patient);
            assert_int_equal(used[donor]++, 0);
        }
    }
}

static void the_seed_decides_who_gets_which(void **state)
{
    (void)state;
    const char *first[MOST];
    mdf_retexted out;
    int same = 0;
    assert_int_equal(apply("shuffled", 5, &out, NULL), MDF_OK);
    for (int i = 0; i < MOST; i++) {
        first[i] = item[i].text;
        item[i].text = words[i];
    }
    assert_int_equal(apply("shuffled", 5, &out, NULL), MDF_OK);
    for (int i = 0; i < MOST; i++) {
        assert_ptr_equal(item[i].text, first[i]);
        item[i].text = words[i];
    }
    assert_int_equal(apply("shuffled", 6, &out, NULL), MDF_OK);
    for (int i = 0; i < MOST; i++) {
        same += item[i].text == first[i] ? 1 : 0;
    }
    assert_true(same < MOST / 2); /* one of 39 by chance */
}

static void more_than_half_of_one_patient_is_refused(void **state)
{
    (void)state;
    mdf_retexted out;
    mdf_error err = {0};
    for (int i = 0; i < 21; i++) {
        item[i].patient = 0;
    }
    assert_int_equal(apply("shuffled", 1, &out, &err), MDF_ERR_ARG);
    assert_non_null(strstr(err.text, "21 of the 40"));
    assert_ptr_equal(item[0].text, words[0]);
}

static void no_memory_changes_nothing(void **state)
{
    (void)state;
    static const char *const word[] = {"none", "drop:left", "shuffled"};
    for (int k = 0; k < 3; k++) {
        int failed = 0;
        for (long n = 1; n < 200; n++) {
            mdf_retexted out;
            mdf_alloc_fail_after(n);
            const mdf_status status = apply(word[k], 1, &out, NULL);
            mdf_alloc_fail_after(0);
            if (status == MDF_OK) {
                break;
            }
            assert_int_equal(status, MDF_ERR_NOMEM);
            assert_ptr_equal(item[0].text, words[0]);
            failed++;
        }
        assert_true(failed > 0 && failed < 199);
        for (int i = 0; i < MOST; i++) {
            item[i].text = words[i];
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_are_read, make, clear),
        cmocka_unit_test_setup_teardown(given_and_none, make, clear),
        cmocka_unit_test_setup_teardown(sentences_that_match_go, make, clear),
        cmocka_unit_test_setup_teardown(a_pattern_sees_one_sentence_at_a_time, make, clear),
        cmocka_unit_test_setup_teardown(bad_patterns_are_named, make, clear),
        cmocka_unit_test_setup_teardown(nobody_keeps_the_own_text_and_none_is_lost, make, clear),
        cmocka_unit_test_setup_teardown(the_seed_decides_who_gets_which, make, clear),
        cmocka_unit_test_setup_teardown(more_than_half_of_one_patient_is_refused, make, clear),
        cmocka_unit_test_setup_teardown(no_memory_changes_nothing, make, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
