/* Addresses of repositories, as they are typed or copied from a page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "hub/hub_address.h"

static const char *const known[] = {NULL, "https://h.example/mirror/", "http://127.0.0.1:8080",
                                    "https://h.example"};
enum { KNOWN = sizeof known / sizeof known[0] };

static mdf_status parse(mdf_hub_address *a, const char *text, mdf_error *err)
{
    return mdf_hub_address_parse(a, text, strlen(text), known, KNOWN, err);
}

static void forms_that_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hub;
        mdf_hub_kind kind;
        const char *name, *revision;
    } good[] = {
        {"org/tiny", "", MDF_HUB_MODEL, "org/tiny", ""},
        {"tiny", "", MDF_HUB_MODEL, "tiny", ""},
        {"datasets/org/tiny", "", MDF_HUB_DATASET, "org/tiny", ""},
        {"datasets/tiny", "", MDF_HUB_DATASET, "tiny", ""},
        {"org/tree", "", MDF_HUB_MODEL, "org/tree", ""},

        {"hf://org/tiny", "", MDF_HUB_MODEL, "org/tiny", ""},
        {"hf://org/tiny/", "", MDF_HUB_MODEL, "org/tiny", ""},
        {"HF://datasets/org/tiny@v1.0", "", MDF_HUB_DATASET, "org/tiny", "v1.0"},
        {"hf://org/tiny@refs/pr/12", "", MDF_HUB_MODEL, "org/tiny", "refs/pr/12"},
        {"hf://datasets/org/tiny@refs%2Fconvert%2Fparquet", "", MDF_HUB_DATASET, "org/tiny",
         "refs/convert/parquet"},

        {"https://h.example/org/tiny", "https://h.example", MDF_HUB_MODEL, "org/tiny", ""},
        {"https://h.example/org/tiny/", "https://h.example", MDF_HUB_MODEL, "org/tiny", ""},
        {"https://h.example/tiny", "https://h.example", MDF_HUB_MODEL, "tiny", ""},
        {"https://h.example/datasets/tiny", "https://h.example", MDF_HUB_DATASET, "tiny", ""},
        {"https://other.example:81/datasets/org/tiny/tree/main", "https://other.example:81",
         MDF_HUB_DATASET, "org/tiny", "main"},
        {"http://[::1]:8080/org/tiny/tree/main/", "http://[::1]:8080", MDF_HUB_MODEL, "org/tiny",
         "main"},
        {"https://o.example/tiny/tree/v2", "https://o.example", MDF_HUB_MODEL, "tiny", "v2"},
        {"https://o.example/org/tiny/tree/a%2Fb", "https://o.example", MDF_HUB_MODEL, "org/tiny",
         "a/b"},
        {"https://o.example/org/tiny/tree/refs/pr/1", "https://o.example", MDF_HUB_MODEL,
         "org/tiny", "refs/pr/1"},
        {"https://o.example/org/tiny/tree/refs", "https://o.example", MDF_HUB_MODEL, "org/tiny",
         "refs"},

        /* a hub at a path is known from elsewhere */
        {"https://h.example/mirror/org/tiny", "https://h.example/mirror", MDF_HUB_MODEL, "org/tiny",
         ""},
        {"HTTPS://H.example/mirror/datasets/org/tiny/tree/x", "HTTPS://H.example/mirror",
         MDF_HUB_DATASET, "org/tiny", "x"},
        {"https://h.example/mirrors/tiny", "https://h.example", MDF_HUB_MODEL, "mirrors/tiny", ""},
        {"https://h.example/Mirror/tiny", "https://h.example", MDF_HUB_MODEL, "Mirror/tiny", ""},
        {"https://h.example.org/mirror/tiny", "https://h.example.org", MDF_HUB_MODEL, "mirror/tiny",
         ""},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        mdf_hub_address a;
        mdf_error err = {0};
        if (parse(&a, good[i].text, &err) != MDF_OK) {
            fail_msg("%s", err.text);
        }
        if (strcmp(a.hub, good[i].hub) != 0 || a.kind != good[i].kind ||
            strcmp(a.name, good[i].name) != 0 || strcmp(a.revision, good[i].revision) != 0) {
            fail_msg("%s: '%s' %d '%s' '%s'", good[i].text, a.hub, (int)a.kind, a.name, a.revision);
        }
    }
}

static void forms_that_are_refused(void **state)
{
    (void)state;
    static const char none[] = "is not a repository: OWNER/NAME";
    static const char odd[] = "has a character that no address has";
    static const struct {
        const char *text, *fault;
    } bad[] = {
        {"", none},
        {"/", none},
        {"a/", none},
        {"a/b/c", none},
        {"org/tiny@v1", none},
        {"datasets", none},
        {"datasets/", none},
        {"datasets/a/b/c", none},
        {"../tiny", none},
        {"h.example/org/tiny", none},
        {"org/ti ny", odd},
        {"org/tiny\n", odd},
        {"org/t\xc3\xafny", odd},
        {"org/tiny\x7f", odd},
        {"spaces/org/tiny", "is a space, neither a model nor a data set"},
        {"https://h.example/spaces/org/tiny", "is a space"},

        {"ftp://h.example/org/tiny", "is not an address: those begin with https://"},
        {"https:///org/tiny", "is not an address"},
        {"x/https://h.example/org/tiny", "is not an address"},
        {"https://me:secret@h.example/org/tiny", "or a user's name"},
        {"https://h%2eexample/org/tiny", "has a host's name that is none"},
        {"https://h.example/org/tiny?library=mdf", "'?' or '#': give it without what follows"},
        {"https://h.example/org/tiny#use", "'?' or '#'"},
        {"https://h.example", none},
        {"https://h.example/", none},
        {"https://h.example/mirror", "is not a repository"},
        {"https://h.example/mirror/", none},
        {"https://h.example//org/tiny", none},
        {"https://h.example/org%2Ftiny", none},
        {"https://h.example/datasets", none},
        {"https://h.example/../tiny", none},
        {"https://h.example/org/tiny/discussions", "is a page of a repository"},
        {"https://h.example/org/tiny/commit/0123", "is a page of a repository"},

        {"https://h.example/org/tiny/tree", "does not name its revision"},
        {"https://h.example/org/tiny/tree/a%2", "does not name its revision"},
        {"https://h.example/org/tiny/tree/a%zz", "does not name its revision"},
        {"https://h.example/org/tiny/tree/a%00b", "does not name its revision"},
        {"https://h.example/org/tiny/tree/a%0d%0ab", "does not name its revision"},
        {"hf://org/tiny@refs/pr/", "does not name its revision"},
        {"hf://org/tiny@", "does not name its revision"},
        {"hf://@main", none},
        {"hf://", none},

        {"https://h.example/org/tiny/tree/main/sub", "with --include 'sub/*' for that part alone"},
        {"https://h.example/org/tiny/tree/refs/pr/1/a%20b", "with --include 'a b/*'"},
        {"https://h.example/org/tiny/blob/main/config.json", "with --include 'config.json' for"},
        {"https://h.example/org/tiny/resolve/main/a/b.json", "with --include 'a/b.json' for"},
        {"https://h.example/org/tiny/tree/main/a%", "has a path that is none"},
        {"hf://org/tiny/sub/x", "with --include 'sub/x/*'"},
        {"hf://org/tiny@v1/sub", "with --include 'sub/*'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mdf_hub_address a = {.name = "untouched"};
        mdf_error err = {0};
        const mdf_status status = parse(&a, bad[i].text, &err);
        if (status != MDF_ERR_FORMAT || strstr(err.text, bad[i].fault) == NULL) {
            fail_msg("%s: %d '%s', want '%s'", bad[i].text, (int)status, err.text, bad[i].fault);
        }
        assert_string_equal(a.name, "untouched");
    }
}

/* No byte behind the length is looked at, and every beginning of an address is an address or a
 * sentence. */
static void every_beginning_is_an_address_or_a_fault(void **state)
{
    (void)state;
    static const char text[] = "https://h.example/mirror/datasets/org/tiny/tree/refs%2Fpr%2F1/x";
    int good = 0;
    for (size_t n = 0; n <= strlen(text); n++) {
        mdf_hub_address a;
        mdf_error err = {0};
        const mdf_status status = mdf_hub_address_parse(&a, text, n, known, KNOWN, &err);
        assert_true(status == MDF_OK || (status == MDF_ERR_FORMAT && err.text[0] != '\0'));
        good += status == MDF_OK ? 1 : 0;
    }
    assert_true(good > 10);
    mdf_hub_address a;
    assert_int_equal(mdf_hub_address_parse(&a, "a/b\0c", 5, NULL, 0, NULL), MDF_ERR_FORMAT);
    assert_int_equal(mdf_hub_address_parse(&a, "a/bcd", 3, NULL, 0, NULL), MDF_OK);
    assert_string_equal(a.name, "a/b");
}

static void lengths_have_limits(void **state)
{
    (void)state;
    char text[MDF_MAX_ADDRESS + 1];
    mdf_hub_address a;
    mdf_error err = {0};
    memset(text, 'a', sizeof text);
    assert_int_equal(mdf_hub_address_parse(&a, text, sizeof text, NULL, 0, &err), MDF_ERR_LIMIT);
    assert_non_null(strstr(err.text, "the address is too long"));
    assert_int_equal(mdf_hub_address_parse(&a, text, sizeof text - 1, NULL, 0, &err),
                     MDF_ERR_FORMAT);
    assert_int_equal(mdf_hub_address_parse(&a, text, 97, NULL, 0, &err), MDF_ERR_FORMAT);
    assert_int_equal(mdf_hub_address_parse(&a, text, 96, NULL, 0, &err), MDF_OK);
    text[96] = '/'; /* two parts of the longest */
    assert_int_equal(mdf_hub_address_parse(&a, text, 193, NULL, 0, &err), MDF_OK);
    assert_int_equal(strlen(a.name), 193);

    memset(text, 'a', sizeof text);
    memcpy(text, "https://", 8);
    text[MDF_HUB_URL_BYTES - 1] = '/';
    assert_int_equal(mdf_hub_address_parse(&a, text, MDF_HUB_URL_BYTES + 5, NULL, 0, &err), MDF_OK);
    assert_int_equal(strlen(a.hub), MDF_HUB_URL_BYTES - 1);
    text[MDF_HUB_URL_BYTES - 1] = 'a';
    text[MDF_HUB_URL_BYTES] = '/';
    assert_int_equal(mdf_hub_address_parse(&a, text, MDF_HUB_URL_BYTES + 5, NULL, 0, &err),
                     MDF_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_that_are_understood),
        cmocka_unit_test(forms_that_are_refused),
        cmocka_unit_test(every_beginning_is_an_address_or_a_fault),
        cmocka_unit_test(lengths_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
