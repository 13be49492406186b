/* Which hub, revision and token, for every mixture of address, flags and variables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hub/pull_source.h"

#define A "https://a.example"
#define B "https://b.example"

static const char *shown(const char *s)
{
    return s == NULL ? "-" : s;
}

static void the_hub_is_the_first_that_is_named(void **state)
{
    (void)state;
    static const struct {
        mdf_pull_given given;
        const char *hub, *by;
    } known[] = {
        {{.address = A "/o/n", .mdf_hub = B, .hf_endpoint = B}, A, "the address"},
        {{.address = A "/o/n", .hub = A "/"}, A, "the address"},
        {{.address = A "/o/n", .hub = "HTTPS://A.example:443"}, A, "the address"},
        {{.address = A "/x/o/n", .hub = A "/x/"}, A "/x", "the address"},
        {{.address = A "/x/o/n", .hf_endpoint = A "/x"}, A "/x", "the address"},
        {{.address = "o/n", .hub = A "/x//", .mdf_hub = B, .hf_endpoint = B}, A "/x", "--hub"},
        {{.address = "hf://o/n", .mdf_hub = A, .hf_endpoint = B}, A, "MDF_HUB"},
        {{.address = "o/n", .hf_endpoint = B "/"}, B, "HF_ENDPOINT"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        mdf_pull_source s;
        mdf_error err = {0};
        if (mdf_pull_source_choose(&s, &known[i].given, &err) != MDF_OK ||
            strcmp(s.at.hub, known[i].hub) != 0 || strcmp(s.hub_by, known[i].by) != 0 ||
            strcmp(s.at.name, "o/n") != 0 || strcmp(s.at.revision, "main") != 0) {
            fail_msg("case %zu: %s '%s' by %s, '%s' '%s'", i, err.text, s.at.hub, shown(s.hub_by),
                     s.at.name, s.at.revision);
        }
        assert_null(s.token);
        assert_null(s.token_by);
        assert_null(s.other_token);
    }
}

static void the_revision_is_that_of_flag_or_address(void **state)
{
    (void)state;
    mdf_pull_source s;
    assert_int_equal(
        mdf_pull_source_choose(&s, &(mdf_pull_given){.address = A "/o/n/tree/v1"}, NULL), MDF_OK);
    assert_string_equal(s.at.revision, "v1");
    assert_int_equal(
        mdf_pull_source_choose(&s, &(mdf_pull_given){.address = A "/o/n/tree/v1", .revision = "v1"},
                               NULL),
        MDF_OK);
    assert_string_equal(s.at.revision, "v1");
    assert_int_equal(
        mdf_pull_source_choose(
            &s, &(mdf_pull_given){.address = A "/datasets/o/n", .revision = "a/b"}, NULL),
        MDF_OK);
    assert_string_equal(s.at.revision, "a/b");
    assert_int_equal(s.at.kind, MDF_HUB_DATASET);
}

static void contradictions_are_named(void **state)
{
    (void)state;
    static const struct {
        mdf_pull_given given;
        mdf_status status;
        const char *text;
    } bad[] = {
        {{.address = "o/n"}, MDF_ERR_ARG, "say which hub: --hub URL, a whole address, or"},
        {{.address = "o/n", .hub = "//"}, MDF_ERR_ARG, "--hub: '//' is not the address of a hub"},
        {{.address = A "/o/n", .hub = B}, MDF_ERR_ARG, "--hub is " B ", but the address is at " A},
        {{.address = A "/o/n", .hub = "http://a.example"}, MDF_ERR_ARG, "--hub is http://a.exa"},
        {{.address = A "/o/n", .hub = A ":8"}, MDF_ERR_ARG, "--hub is " A ":8, but"},
        {{.address = A "/o/n", .hub = A "/x"}, MDF_ERR_ARG, "--hub is " A "/x, but"},
        {{.address = A "/o/n", .hub = "a.example"}, MDF_ERR_ARG, "--hub is a.example, but"},
        {{.address = A "/o/n/tree/v1", .revision = "main"},
         MDF_ERR_ARG,
         "--revision is 'main', but the address names 'v1'"},
        {{.address = A "/o/n", .revision = "a b"}, MDF_ERR_FORMAT, "'a b' is not a revision"},
        {{.address = A "/o/n", .revision = ""}, MDF_ERR_FORMAT, "'' is not a revision"},
        {{.address = "o", .hub = "h"}, MDF_OK, ""},
        {{.address = "o/", .hub = A}, MDF_ERR_FORMAT, "'o/' is not a repository"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mdf_pull_source s;
        mdf_error err = {0};
        const mdf_status status = mdf_pull_source_choose(&s, &bad[i].given, &err);
        if (status != bad[i].status || strstr(err.text, bad[i].text) == NULL) {
            fail_msg("case %zu: %d '%s', want '%s'", i, (int)status, err.text, bad[i].text);
        }
    }
}

/* A token goes to the hub that it was given for, and the reason why one stays is known. */
static void a_token_goes_to_its_hub_alone(void **state)
{
    (void)state;
    static const struct {
        mdf_pull_given given;
        const char *token, *by, *other, *other_to;
    } known[] = {
        /* a file is for the hub of the command, whatever the variables say */
        {{.address = B "/o/n",
          .token = "f",
          .mdf_hub = A,
          .mdf_token = "m",
          .hf_endpoint = A,
          .hf_token = "h"},
         "f",
         "--token-file",
         NULL,
         NULL},

        /* beside the hub that is used */
        {{.address = "o/n", .mdf_hub = A, .mdf_token = "m"}, "m", "MDF_TOKEN", NULL, NULL},
        {{.address = "o/n", .hf_endpoint = A, .hf_token = "h"}, "h", "HF_TOKEN", NULL, NULL},
        {{.address = A "/o/n", .mdf_hub = A "/", .mdf_token = "m"}, "m", "MDF_TOKEN", NULL, NULL},
        {{.address = A "/o/n", .hf_endpoint = "https://A.EXAMPLE:443/x", .hf_token = "h"},
         "h",
         "HF_TOKEN",
         NULL,
         NULL},

        /* beside no hub: for the one of the command line, not for that of another variable */
        {{.address = A "/o/n", .hf_token = "h"}, "h", "HF_TOKEN", NULL, NULL},
        {{.address = "o/n", .hub = A, .mdf_token = "m", .hf_token = "h"},
         "m",
         "MDF_TOKEN",
         NULL,
         NULL},
        {{.address = "o/n", .mdf_hub = A, .hf_token = "h"}, NULL, NULL, "HF_TOKEN", "HF_ENDPOINT"},
        {{.address = "o/n", .hf_endpoint = A, .mdf_token = "m"},
         NULL,
         NULL,
         "MDF_TOKEN",
         "MDF_HUB"},

        /* beside another hub */
        {{.address = B "/o/n", .mdf_hub = A, .mdf_token = "m"}, NULL, NULL, "MDF_TOKEN", "MDF_HUB"},
        {{.address = "o/n", .hub = B, .hf_endpoint = A, .hf_token = "h"},
         NULL,
         NULL,
         "HF_TOKEN",
         "HF_ENDPOINT"},
        {{.address = "http://a.example/o/n", .mdf_hub = A, .mdf_token = "m"},
         NULL,
         NULL,
         "MDF_TOKEN",
         "MDF_HUB"},
        {{.address = A ":444/o/n", .mdf_hub = A, .mdf_token = "m"},
         NULL,
         NULL,
         "MDF_TOKEN",
         "MDF_HUB"},
        {{.address = "https://sub.a.example/o/n", .mdf_hub = A, .mdf_token = "m"},
         NULL,
         NULL,
         "MDF_TOKEN",
         "MDF_HUB"},

        /* two of them: the one that may go */
        {{.address = "o/n", .mdf_hub = A, .mdf_token = "m", .hf_endpoint = B, .hf_token = "h"},
         "m",
         "MDF_TOKEN",
         NULL,
         NULL},
        {{.address = B "/o/n", .mdf_hub = A, .mdf_token = "m", .hf_endpoint = B, .hf_token = "h"},
         "h",
         "HF_TOKEN",
         NULL,
         NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        mdf_pull_source s;
        mdf_error err = {0};
        if (mdf_pull_source_choose(&s, &known[i].given, &err) != MDF_OK) {
            fail_msg("case %zu: %s", i, err.text);
        }
        if (strcmp(shown(s.token), shown(known[i].token)) != 0 ||
            strcmp(shown(s.token_by), shown(known[i].by)) != 0 ||
            strcmp(shown(s.other_token), shown(known[i].other)) != 0 ||
            strcmp(shown(s.other_token_to), shown(known[i].other_to)) != 0) {
            fail_msg("case %zu: %s by %s, not %s to %s", i, shown(s.token), shown(s.token_by),
                     shown(s.other_token), shown(s.other_token_to));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hub_is_the_first_that_is_named),
        cmocka_unit_test(the_revision_is_that_of_flag_or_address),
        cmocka_unit_test(contradictions_are_named),
        cmocka_unit_test(a_token_goes_to_its_hub_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
